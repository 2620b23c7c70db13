"""The journal keeps what was synced, cuts off what was not, and names any byte that changed."""

import errno
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from exchange.engine.commands import Command, Credit, Tick
from exchange.journal.codec import encode_command
from exchange.journal.errors import CorruptJournal, JournalFull, JournalLocked
from exchange.journal.journal import Journal
from exchange.journal.marker import MARKER_NAME, MarkerFile, read_marker
from exchange.journal.reader import Reader
from exchange.journal.record import HEADER, SEGMENT_HEADER_SIZE, list_segments, record_size
from tests.unit.exchange.journal.disk import Disk
from tests.unit.exchange.journal.samples import ACCOUNT, EVERY_COMMAND

SMALL_SEGMENT = 600


def _credit(number: int) -> Command:
    return Credit(number, ACCOUNT, 0, number, "log")


def _write(folder: Path, count: int, segment_bytes: int = 1 << 20) -> list[bytes]:
    """A closed journal of `count` credits, three in a group; returns the heads."""
    heads: list[bytes] = []
    with Journal.open(folder, segment_bytes) as journal:
        for first in range(1, count + 1, 3):
            group = [(1_000 + n, _credit(n)) for n in range(first, min(first + 3, count + 1))]
            heads += [head for _, head in journal.append(group)]
            journal.sync()
    return heads


def test_new_journal_is_empty(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        assert (journal.seq, journal.head, journal.at_ms) == (0, bytes(32), 0)
    assert list(Reader(tmp_path).read()) == []
    assert Reader(tmp_path).head_at(0) == bytes(32)


def test_every_command_is_read_back_in_order(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        placed = journal.append([(5 + n, command) for n, command in enumerate(EVERY_COMMAND)])
        journal.sync()
    records = list(Reader(tmp_path).read())
    assert [(r.seq, r.head) for r in records] == placed
    assert [r.command for r in records] == list(EVERY_COMMAND)
    assert [r.at_ms for r in records] == [5 + n for n in range(len(EVERY_COMMAND))]


def test_heads_chain_by_the_documented_formula(tmp_path: Path) -> None:
    heads = _write(tmp_path, 3)
    head = bytes(32)
    for n in range(1, 4):
        payload = encode_command(_credit(n))
        head = sha256(head + HEADER.pack(len(payload), n, 1_000 + n) + payload).digest()
        assert heads[n - 1] == head


def test_reopened_journal_goes_on_where_it_stopped(tmp_path: Path) -> None:
    heads = _write(tmp_path, 4)
    with Journal.open(tmp_path) as journal:
        assert (journal.seq, journal.head, journal.at_ms) == (4, heads[-1], 1_004)
        assert journal.append([(2_000, Tick())])[0][0] == 5
    assert [r.seq for r in Reader(tmp_path).read()] == [1, 2, 3, 4, 5]


def test_segments_rotate_and_chain(tmp_path: Path) -> None:
    heads = _write(tmp_path, 40, SMALL_SEGMENT)
    assert len(list_segments(tmp_path)) == 5
    for first in (1, 2, 17, 39, 40):
        assert [r.head for r in Reader(tmp_path).read(first)] == heads[first - 1 :]
    assert Reader(tmp_path).head_at(23) == heads[22]
    with Journal.open(tmp_path, SMALL_SEGMENT) as journal:
        assert (journal.seq, journal.at_ms) == (40, 1_040)


def test_journal_that_stops_right_after_rotation_keeps_its_time(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, SMALL_SEGMENT)
    while journal._end < SMALL_SEGMENT:
        journal.append([(1_000, _credit(journal.seq + 1))])
    journal.sync()
    journal.reserve(1, 1)
    last = journal.seq
    journal.close()
    assert len(list_segments(tmp_path)) == 2
    with Journal.open(tmp_path, SMALL_SEGMENT) as journal:
        assert (journal.seq, journal.at_ms) == (last, 1_000)
    assert len(list(Reader(tmp_path).read())) == last


def test_room_that_stays_unused_starts_no_segment(tmp_path: Path) -> None:
    """Many waiting orders reserve more than a segment for each group, and hardly ever write it."""
    with Journal.open(tmp_path, SMALL_SEGMENT) as journal:
        for number in range(1, 4):
            journal.reserve(2 * SMALL_SEGMENT, 1)
            journal.append([(1_000, _credit(number))])
            journal.sync()
    assert len(list_segments(tmp_path)) == 1
    assert len(list(Reader(tmp_path).read())) == 3


def test_reader_sees_only_synced_records(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.append([(1, _credit(1))])
        assert list(Reader(tmp_path).read()) == []
        with pytest.raises(LookupError):
            Reader(tmp_path).head_at(1)
        journal.sync()
        assert [r.seq for r in Reader(tmp_path).read()] == [1]


def test_follower_goes_on_as_the_journal_grows(tmp_path: Path) -> None:
    with Journal.open(tmp_path, SMALL_SEGMENT) as journal:
        follower = Reader(tmp_path).follow(3)
        seen: list[int] = []
        for n in range(1, 31):
            journal.append([(n, _credit(n))])
            journal.sync()
            seen += [record.seq for record in follower.poll(2)]
        assert seen == list(range(3, 31))


def test_second_writer_is_refused(tmp_path: Path) -> None:
    with Journal.open(tmp_path), pytest.raises(JournalLocked, match="another process"):
        Journal.open(tmp_path)
    with Journal.open(tmp_path):
        pass


def test_tail_cut_at_every_byte_loses_no_synced_record(tmp_path: Path) -> None:
    """Nine records are synced and three are not: a cut among these keeps whole records, a cut before is named."""
    heads = _write(tmp_path, 12)
    (segment,) = list_segments(tmp_path)
    data = segment.read_bytes()
    size = record_size(len(encode_command(_credit(1))))
    synced = _marker_at(tmp_path, 9, heads[8])
    for length in range(SEGMENT_HEADER_SIZE, len(data)):
        segment.write_bytes(data[:length])
        (tmp_path / MARKER_NAME).write_bytes(synced)
        whole = (length - SEGMENT_HEADER_SIZE) // size
        if whole < 9:
            with pytest.raises(CorruptJournal) as caught:
                Journal.open(tmp_path)
            assert (caught.value.seq, caught.value.path) == (whole + 1, segment)
            continue
        with Journal.open(tmp_path) as journal:
            assert (journal.seq, journal.head) == (whole, heads[whole - 1])
            assert journal.cut_bytes <= length - SEGMENT_HEADER_SIZE - whole * size
        assert [r.head for r in Reader(tmp_path).read()] == heads[:whole]


def test_every_journal_cut_at_every_byte_is_whole_or_named(tmp_path: Path) -> None:
    """A cut in any segment, its header included, loses no acknowledged record without a word, and gives no half one."""
    heads = _write(tmp_path, 20, SMALL_SEGMENT)
    segments = list_segments(tmp_path)
    assert len(segments) == 3
    for path in segments:
        data = path.read_bytes()
        for length in range(len(data)):
            path.write_bytes(data[:length])
            with pytest.raises(CorruptJournal) as caught:
                list(Reader(tmp_path).read())
            assert caught.value.path == path
            if path == segments[-1] and length < SEGMENT_HEADER_SIZE:
                with pytest.raises(CorruptJournal):
                    Journal.open(tmp_path, SMALL_SEGMENT)
        path.write_bytes(data)
    assert [record.head for record in Reader(tmp_path).read()] == heads


def test_one_flipped_byte_in_the_last_segment_refuses_the_writer(tmp_path: Path) -> None:
    _write(tmp_path, 12, SMALL_SEGMENT)
    path = list_segments(tmp_path)[-1]
    data = bytearray(path.read_bytes())
    for offset in range(len(data)):
        data[offset] ^= 0x20
        path.write_bytes(data)
        with pytest.raises(CorruptJournal):
            Journal.open(tmp_path, SMALL_SEGMENT)
        data[offset] ^= 0x20


@pytest.mark.parametrize("synced", [0, 3])
def test_what_a_failed_sync_left_in_memory_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: int
) -> None:
    """A sync fails, the engine starts again and signs on, and then the power fails: nothing that counted is gone.

    After a failed sync the pages pass for written, so a later sync says nothing of them: they must be written again.
    """
    disk = Disk(monkeypatch)
    journal = Journal.open(tmp_path)
    for number in range(1, synced + 1):
        journal.append([(number, _credit(number))])
        journal.sync()
    placed = journal.append([(10, _credit(10)), (11, _credit(11))])
    disk.fail_once()
    with pytest.raises(OSError, match="Input/output"):
        journal.sync()
    journal.abandon()
    again = Journal.open(tmp_path)
    assert (again.seq, again.head) == placed[-1]
    again.abandon()
    disk.lose_power()
    with Journal.open(tmp_path) as journal:
        assert (journal.seq, journal.head) == placed[-1]


def test_a_disk_that_goes_on_failing_keeps_the_journal_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    journal = Journal.open(tmp_path)
    journal.append([(10, _credit(10))])
    disk.fail_once()
    with pytest.raises(OSError, match="Input/output"):
        journal.sync()
    journal.abandon()
    for _ in range(3):
        disk.fail_once()
        with pytest.raises(OSError, match="Input/output"):
            Journal.open(tmp_path)
        assert read_marker(tmp_path).seq == 0


def test_unsynced_garbage_after_the_tail_is_cut(tmp_path: Path) -> None:
    heads = _write(tmp_path, 3)
    (segment,) = list_segments(tmp_path)
    whole = segment.read_bytes()
    for garbage in (b"\xff" * 500, bytes(100), bytes(30) + b"x", whole[SEGMENT_HEADER_SIZE:]):
        segment.write_bytes(whole + garbage)
        with Journal.open(tmp_path) as journal:
            assert (journal.seq, journal.head) == (3, heads[2])
        assert segment.read_bytes() == whole


def test_one_flipped_byte_is_found_and_named_everywhere(tmp_path: Path) -> None:
    _write(tmp_path, 12, SMALL_SEGMENT)
    size = record_size(len(encode_command(_credit(1))))
    for path in list_segments(tmp_path):
        data = bytearray(path.read_bytes())
        first = int(path.stem)
        for offset in range(len(data)):
            data[offset] ^= 0x20
            path.write_bytes(data)
            with pytest.raises(CorruptJournal) as caught:
                list(Reader(tmp_path).read())
            data[offset] ^= 0x20
            assert caught.value.path == path
            if offset >= SEGMENT_HEADER_SIZE:
                index = (offset - SEGMENT_HEADER_SIZE) // size
                assert caught.value.seq == first + index
                assert caught.value.offset == SEGMENT_HEADER_SIZE + index * size
        path.write_bytes(data)
    assert len(list(Reader(tmp_path).read())) == 12


def test_flipped_byte_in_the_marker_is_named(tmp_path: Path) -> None:
    _write(tmp_path, 3)
    path = tmp_path / MARKER_NAME
    data = bytearray(path.read_bytes())
    for offset in range(len(data)):
        data[offset] ^= 1
        path.write_bytes(data)
        with pytest.raises(CorruptJournal, match="checksum: .bizzan journal mark. puts an earlier"):
            Journal.open(tmp_path)
        data[offset] ^= 1


def test_rewritten_last_record_is_found_by_the_marker(tmp_path: Path) -> None:
    """A tail replaced by another valid chain is not the one that was acknowledged."""
    _write(tmp_path / "real", 3)
    with Journal.open(tmp_path / "forged") as journal:
        journal.append([(1_000 + n, _credit(n + 50)) for n in range(1, 4)])
    (real,), (forged,) = list_segments(tmp_path / "real"), list_segments(tmp_path / "forged")
    real.write_bytes(forged.read_bytes())
    with pytest.raises(CorruptJournal, match="head"):
        list(Reader(tmp_path / "real").read())
    with pytest.raises(CorruptJournal, match="head"):
        Journal.open(tmp_path / "real")


def test_missing_segment_is_named(tmp_path: Path) -> None:
    _write(tmp_path, 20, SMALL_SEGMENT)
    segments = list_segments(tmp_path)
    segments[1].unlink()
    with pytest.raises(CorruptJournal) as caught:
        list(Reader(tmp_path).read())
    assert caught.value.seq == int(segments[1].stem)
    segments[0].unlink()
    with pytest.raises(CorruptJournal, match="missing"):
        list(Reader(tmp_path).read())


def test_missing_marker_or_segments_are_named(tmp_path: Path) -> None:
    _write(tmp_path, 3)
    (segment,) = list_segments(tmp_path)
    data = segment.read_bytes()
    segment.unlink()
    with pytest.raises(CorruptJournal, match="no segments"):
        Journal.open(tmp_path)
    segment.write_bytes(data)
    (tmp_path / MARKER_NAME).unlink()
    with pytest.raises(CorruptJournal, match="marker is missing"):
        list(Reader(tmp_path).read())
    with pytest.raises(CorruptJournal, match="marker is missing: .bizzan journal mark."):
        Journal.open(tmp_path)


@pytest.mark.parametrize("seq", [0, 3, 12])
def test_earlier_marker_of_the_same_journal_brings_all_of_it_back(tmp_path: Path, seq: int) -> None:
    """As the runbook tells who lost the marker: also that of an empty journal, and of one with fewer segments."""
    heads = _write(tmp_path, 12, SMALL_SEGMENT)
    earlier = _marker_at(tmp_path, seq, heads[seq - 1] if seq else bytes(32))
    (tmp_path / MARKER_NAME).unlink()
    if seq:
        (tmp_path / MARKER_NAME).write_bytes(earlier)
    else:
        MarkerFile(tmp_path, create=True).close()
        assert (tmp_path / MARKER_NAME).read_bytes() == earlier
    with Journal.open(tmp_path, SMALL_SEGMENT) as journal:
        assert (journal.seq, journal.head, journal.cut_bytes) == (12, heads[-1], 0)
    assert [record.head for record in Reader(tmp_path).read()] == heads


def test_the_last_room_is_kept_for_what_only_reduces_risk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more can be allocated, and no segment begun: what is kept fills the present one beyond its size."""
    journal = Journal.open(tmp_path, segment_bytes=4_000)
    group = [(1, Tick())] * 1_000
    size = len(group) * len(encode_command(Tick()))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr("exchange.journal.journal.allocate", full)
        patch.setattr("exchange.journal.journal.write_atomically", full)
        taken = 0
        while True:
            with pytest.raises(JournalFull, match="no room"):
                journal.reserve(size, len(group))
            try:
                journal.reserve(size, len(group), left=0)
            except JournalFull:
                break
            journal.append(group)
            journal.sync()
            taken += len(group)
        assert taken > 10_000
        assert len(list_segments(tmp_path)) == 1
    journal.reserve(size, len(group))
    journal.append(group)
    journal.sync()
    assert len(list_segments(tmp_path)) == 2, "the next segment begins when there is room"
    journal.close()
    assert sum(1 for _ in Reader(tmp_path).read()) == taken + len(group)


def test_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end; it binds one process only."""
    program = f"""
import resource
from pathlib import Path
from exchange.engine.commands import Tick
from exchange.journal.errors import JournalFull
from exchange.journal.journal import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (5 << 20, 5 << 20))
journal = Journal.open(Path({str(tmp_path)!r}))
group = [(1, Tick())] * 1000
while True:
    try:
        journal.append(group)
    except JournalFull as error:
        assert "no room" in str(error), error
        break
    journal.sync()
seq = journal.seq
try:
    journal.append(group)
except JournalFull:
    print(seq, journal.seq)
journal.close()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    first, second = (int(word) for word in done.stdout.split())
    assert first == second > 10_000
    assert read_marker(tmp_path).seq == first
    assert sum(1 for _ in Reader(tmp_path).read()) == first
    assert JournalFull.__doc__


def _marker_at(folder: Path, seq: int, head: bytes) -> bytes:
    """The marker's bytes as if `seq` were the last synced record."""
    fields = (folder / MARKER_NAME).read_bytes()[:8] + seq.to_bytes(8) + head
    return fields + sha256(fields).digest()
