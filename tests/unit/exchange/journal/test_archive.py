"""The archive: segments move and nothing is lost, repeated or changed; what is wrong in it is named."""

import re
import shutil
import subprocess
import sys
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.engine.commands import Tick
from exchange.journal import archive as module
from exchange.journal import packed
from exchange.journal import record as record_module
from exchange.journal.archive import ArchiveError, archive, check, rebuild_index, stored_files
from exchange.journal.archive_index import LINE_BYTES, Index, archive_of, parse_line
from exchange.journal.errors import CorruptJournal
from exchange.journal.files import write_atomically
from exchange.journal.journal import Journal
from exchange.journal.packed import packed_path
from exchange.journal.reader import Reader, Record
from exchange.journal.receipts import RecordFinder
from exchange.journal.record import list_segments
from exchange.journal.recovery import recover, take_snapshot, verify
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS

SEGMENT_BYTES = 1_000
EVERYTHING = 1 << 62


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks in each packed segment."""
    monkeypatch.setattr(packed, "BLOCK_BYTES", 300)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of 43 orders and listings in many segments."""
    folder = tmp_path / "journal"
    _append(folder, len(COMMANDS))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where its archive will be."""
    return tmp_path / "archive"


def _append(folder: Path, count: int, first: int = 0) -> None:
    with Journal.open(folder, SEGMENT_BYTES) as journal:
        for number, command in enumerate(COMMANDS[first : first + count], first):
            journal.append([(NOW_MS + number, command)])


def _archive(journal: Path, folder: Path, floor: int = EVERYTHING) -> list[int]:
    return [entry.last_seq for entry in archive(journal, folder, floor)]


def test_closed_segments_move_and_every_record_is_read_as_before(journal: Path, folder: Path) -> None:
    before = list(Reader(journal).read())
    live, state = list_segments(journal), verify(journal).engine.state_hash()
    sizes = [path.stat().st_size for path in live]
    moved = list(archive(journal, folder, EVERYTHING))
    assert list_segments(journal) == live[-2:]
    assert archive_of(journal) == folder
    assert [entry.first_seq for entry in moved] == [int(path.stem) for path in live[:-2]]
    assert [entry.segment_bytes for entry in moved] == sizes[:-2]
    for entry in moved:
        data = packed_path(folder, entry.first_seq).read_bytes()
        assert (entry.packed_bytes, entry.sha256) == (len(data), sha256(data).digest())
        assert entry.head == before[entry.last_seq - 1].head
    reader, finder = Reader(journal), RecordFinder(journal)
    assert list(reader.read()) == before
    assert (verify(journal).engine.state_hash(), recover(journal).engine.state_hash()) == (state, state)
    for record in reversed(before):
        assert finder.find(record.seq) == record
        assert reader.head_at(record.seq) == record.head
        assert next(Reader(journal).read(record.seq)) == record
    assert _archive(journal, folder) == []
    assert list(check(journal)) == []


def test_nothing_above_the_floor_moves(journal: Path, folder: Path) -> None:
    live = list_segments(journal)
    second = int(live[2].stem) - 1
    assert _archive(journal, folder, second - 1) == [int(live[1].stem) - 1]
    assert _archive(journal, folder, second) == [second]
    assert list_segments(journal) == live[2:]
    files = list(stored_files(journal))
    assert [file.archived for file in files] == [True, True, *(False for _ in live[2:])]
    assert [file.last_seq for file in files][-2:] == [int(live[-1].stem) - 1, None]


def test_a_journal_goes_on_after_its_past_has_moved(tmp_path: Path, folder: Path) -> None:
    """Also where the last segment is still empty, whose time is that of the one before."""
    whole, journal = tmp_path / "whole", tmp_path / "journal"
    _append(whole, len(COMMANDS))
    for first in range(0, len(COMMANDS), 6):
        _append(journal, 6, first)
        _archive(journal, folder)
        with Journal.open(journal, 1) as opened:
            assert opened.at_ms == NOW_MS + opened.seq - 1
            opened.reserve(1, 1)
    assert list(Reader(journal).read()) == list(Reader(whole).read())
    assert verify(journal).engine.state_hash() == verify(whole).engine.state_hash()


def test_a_reader_goes_on_when_its_segment_is_archived_under_it(journal: Path, folder: Path) -> None:
    expected = list(Reader(journal).read())
    followers = [Reader(journal).follow(seq) for seq in range(1, len(COMMANDS))]
    finder, reader = RecordFinder(journal), Reader(journal)
    seen = [follower.poll(1) for follower in followers]
    assert [reader.head_at(record.seq) for record in expected] == [record.head for record in expected]
    assert [finder.find(record.seq) for record in expected] == expected
    _archive(journal, folder)
    for first, follower in zip(seen, followers, strict=True):
        assert first + follower.poll(100) == expected[first[0].seq - 1 :]
    assert [finder.find(record.seq) for record in expected] == expected
    assert [reader.head_at(record.seq) for record in expected] == [record.head for record in expected]


def test_polls_list_no_folder(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = Reader(journal).follow(1)
    follower.poll(1)
    monkeypatch.setattr("exchange.journal.segments.list_segments", lambda _: pytest.fail("the folder was listed"))
    assert len(follower.poll(100)) == len(COMMANDS) - 1


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_archiving_at_any_time_changes_no_head_and_no_state(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same commands, with archiving to any floor, snapshots and restarts between them."""
    base = tmp_path_factory.mktemp("any")
    plain, journal, folder = base / "plain", base / "journal", base / "archive"
    done = 0
    while done < len(COMMANDS):
        count = data.draw(st.integers(1, 12), "records")
        for each in (plain, journal):
            _append(each, count, done)
        done = min(done + count, len(COMMANDS))
        if data.draw(st.booleans(), "snapshot"):
            take_snapshot(journal, recover(journal))
        _archive(journal, folder, data.draw(st.integers(0, done), "floor"))
        assert Reader(journal).durable() == Reader(plain).durable()
    assert list(Reader(journal).read()) == list(Reader(plain).read())
    expected = verify(plain).engine.state_hash()
    assert verify(journal).engine.state_hash() == expected
    for path in journal.glob("*.snapshot"):
        path.unlink()
    assert recover(journal).engine.state_hash() == expected


_KILLED = """
import builtins, os, sys
from pathlib import Path
from exchange.journal import packed
from exchange.journal.archive import archive
left = int(sys.argv[1])
def counted(call):
    def stepped(*arguments, **named):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return call(*arguments, **named)
    return stepped
for name in ("fsync", "replace", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
packed.BLOCK_BYTES = 300
list(archive(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
"""


def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(journal: Path, tmp_path: Path) -> None:
    """Killed before each call that makes something durable or removes it; the next run ends what it began."""
    expected, live = list(Reader(journal).read()), list_segments(journal)
    floor = int(live[2].stem) - 1
    for step in range(100):
        copy = shutil.copytree(journal, tmp_path / str(step) / "journal")
        folder = copy.with_name("archive")
        arguments = (str(step), str(copy), str(folder), str(floor))
        done = subprocess.run([sys.executable, "-c", _KILLED, *arguments], check=False, timeout=60)
        assert list(Reader(copy).read()) == expected
        _archive(copy, folder, floor)
        assert list(Reader(copy).read()) == expected
        assert [path.name for path in list_segments(copy)] == [path.name for path in live[2:]]
        assert [entry.first_seq for entry in Index(folder)] == [int(path.stem) for path in live[:2]]
        assert {path.name for path in folder.iterdir()} == {
            "index",
            "lock",
            *(packed_path(folder, int(path.stem)).name for path in live[:2]),
        }
        assert list(check(copy)) == []
        if done.returncode == 0:
            break
        assert done.returncode == 9
    assert step == 17


def _lines(folder: Path) -> list[bytes]:
    path = folder / "index"
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def test_a_torn_line_is_no_entry_and_is_cut_off(journal: Path, folder: Path) -> None:
    live = list_segments(journal)
    _archive(journal, folder, int(live[1].stem) - 1)
    expected = list(Reader(journal).read())
    index = folder / "index"
    line = index.read_bytes()
    for length in (1, 100, LINE_BYTES - 1):
        index.write_bytes(line + line[:length])
        assert len(Index(folder)) == 1
        assert list(Reader(journal).read()) == expected
    index.write_bytes(line + bytes(LINE_BYTES))
    _archive(journal, folder)
    assert [parse_line(each) is not None for each in _lines(folder)] == [True] * (len(live) - 2)
    whole = index.read_bytes()
    index.write_bytes(whole[:-LINE_BYTES] + bytes(LINE_BYTES))
    with pytest.raises(CorruptJournal, match="the line is no entry of the index"):
        _archive(journal, folder)
    assert index.stat().st_size == len(whole)
    index.write_bytes(whole)
    assert list(check(journal)) == []


def test_a_segment_that_was_not_removed_is_removed_only_if_it_is_the_same(journal: Path, folder: Path) -> None:
    live = list_segments(journal)
    first = live[0].read_bytes()
    _archive(journal, folder, int(live[1].stem) - 1)
    live[0].write_bytes(first)
    assert _archive(journal, folder, int(live[1].stem) - 1) == [int(live[1].stem) - 1]
    assert not live[0].exists()
    assert len(_lines(folder)) == 1
    other = journal.with_name("other")
    with Journal.open(other, SEGMENT_BYTES) as opened:
        opened.append([(1, Tick())] * 200)
    (other_first, *_) = list_segments(other)
    end = int(live[1].stem) - 1
    with Journal.open(journal.with_name("forged"), 1 << 20) as opened:
        opened.append([(1, Tick())] * end)
    live[0].write_bytes(list_segments(journal.with_name("forged"))[0].read_bytes())
    with pytest.raises(ArchiveError, match="hold different records"):
        _archive(journal, folder, end)
    assert live[0].exists()
    assert other_first.exists()


def _read_or_named(journal: Path, expected: list[Record]) -> CorruptJournal | None:
    try:
        assert list(Reader(journal).read()) == expected
    except CorruptJournal as corrupt:
        return corrupt
    return None


def test_a_changed_byte_in_an_archived_segment_is_named(journal: Path, folder: Path) -> None:
    """Whichever byte it is: reading names the file and what to do, or the check by the index does."""
    _archive(journal, folder)
    expected = list(Reader(journal).read())
    entry = Index(folder)[1]
    path = packed_path(folder, entry.first_seq)
    data = bytearray(path.read_bytes())
    found = 0
    for offset in range(len(data)):
        data[offset] ^= 1
        path.write_bytes(data)
        corrupt = _read_or_named(journal, expected)
        if corrupt is not None:
            assert corrupt.path == path
            assert "put a copy of the file in its place" in str(corrupt)
            assert entry.first_seq <= corrupt.seq <= entry.last_seq
            found += 1
        data[offset] ^= 1
        if offset % 40 == 0:
            path.write_bytes(bytes(data[:offset]) + bytes([data[offset] ^ 1]) + bytes(data[offset + 1 :]))
            assert [named for named, _ in check(journal)] == [path]
    assert found > len(data) * 0.9
    path.write_bytes(data)
    assert list(check(journal)) == []


def test_a_missing_or_shortened_archived_segment_is_named(journal: Path, folder: Path) -> None:
    _archive(journal, folder)
    entry = Index(folder)[1]
    path = packed_path(folder, entry.first_seq)
    data = path.read_bytes()
    for short in (b"", data[:4], data[:-1], data[: len(data) // 2], data + b"\0"):
        path.write_bytes(short)
        with pytest.raises(CorruptJournal, match="cut short") as caught:
            list(Reader(journal).read())
        assert (caught.value.path, caught.value.seq) == (path, entry.first_seq)
        assert [named for named, _ in check(journal)] == [path]
    path.unlink()
    for read in (
        lambda: list(Reader(journal).read()),
        lambda: RecordFinder(journal).find(entry.last_seq),
        lambda: Reader(journal).head_at(entry.first_seq),
        lambda: recover(journal),
    ):
        with pytest.raises(CorruptJournal, match="the file is missing: put a copy of the file in its place"):
            read()
    assert [named for named, _ in check(journal)] == [path]
    path.write_bytes(packed_path(folder, Index(folder)[2].first_seq).read_bytes())
    with pytest.raises(CorruptJournal, match="it holds the segment that starts at"):
        list(Reader(journal).read())
    path.write_bytes(data)
    assert len(list(Reader(journal).read())) == len(COMMANDS)


def test_a_missing_archive_or_index_is_named(journal: Path, folder: Path) -> None:
    _archive(journal, folder)
    aside = folder.rename(folder.with_name("aside"))
    with pytest.raises(CorruptJournal, match="the archive is missing: put it back") as caught:
        list(Reader(journal).read())
    assert caught.value.path == folder
    assert [named for named, _ in check(journal)] == [folder]
    live = int(list_segments(journal)[0].stem)
    assert Reader(journal).head_at(live) == next(Reader(journal).read(live)).head
    aside.rename(folder)
    lines = _lines(folder)
    (folder / "index").unlink()
    with pytest.raises(CorruptJournal, match="the segment with this record is missing"):
        list(Reader(journal).read())
    with pytest.raises(ArchiveError, match="is empty, and the journal"):
        _archive(journal, folder)
    assert [named for named, _ in check(journal)] == [folder / "index"]
    (folder / "index").write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(CorruptJournal) as caught:
        list(Reader(journal).read())
    assert caught.value.seq == int(lines[1].split()[0])
    assert next(text for _, text in check(journal)).startswith("line 2 does not follow sequence")
    (folder / "index").write_bytes(b"".join([lines[0], lines[1].replace(b" ", b"_"), *lines[2:]]))
    with pytest.raises(CorruptJournal, match="the line is no entry of the index: run .bizzan journal rebuild"):
        list(Reader(journal).read())


def test_what_begins_after_the_archive_needs_none_of_it(journal: Path, folder: Path) -> None:
    """The engine starts from a snapshot, also at the archive's very end, and the projector and the publisher go on."""
    live = list_segments(journal)
    end = int(live[3].stem) - 1
    state = verify(journal).engine.state_hash()
    at_end = recover(journal, end)
    take_snapshot(journal, at_end)
    assert _archive(journal, folder, end)[-1] == end
    folder.rename(folder.with_name("aside"))
    recovered = recover(journal)
    assert (recovered.snapshot_seq, recovered.flaws, recovered.engine.state_hash()) == (end, [], state)
    assert Reader(journal).head_at(end) == at_end.head
    assert [record.seq for record in Reader(journal).read(end + 1)] == list(range(end + 1, len(COMMANDS) + 1))
    with Journal.open(journal, SEGMENT_BYTES) as opened:
        assert opened.seq == len(COMMANDS)


def test_both_folders_can_be_moved_together(journal: Path, folder: Path, tmp_path: Path) -> None:
    _archive(journal, folder)
    expected = list(Reader(journal).read())
    (tmp_path / "elsewhere").mkdir()
    for each in (journal, folder):
        each.rename(tmp_path / "elsewhere" / each.name)
    assert list(Reader(tmp_path / "elsewhere" / "journal").read()) == expected


def test_another_place_is_taken_with_what_is_in_it_or_not_at_all(journal: Path, folder: Path, tmp_path: Path) -> None:
    live = list_segments(journal)
    _archive(journal, folder, int(live[1].stem) - 1)
    elsewhere = tmp_path / "disk" / "archive"
    with pytest.raises(ArchiveError, match="give the journal its own archive back"):
        _archive(journal, elsewhere)
    assert archive_of(journal) == folder
    for path in folder.iterdir():
        path.rename(elsewhere / path.name)
    assert len(_archive(journal, elsewhere)) == len(live) - 3
    assert archive_of(journal) == elsewhere
    assert len(list(Reader(journal).read())) == len(COMMANDS)


def test_the_archive_of_another_journal_is_refused(journal: Path, folder: Path, tmp_path: Path) -> None:
    _archive(journal, folder)
    with Journal.open(tmp_path / "other", SEGMENT_BYTES) as opened:
        for number in range(100):
            opened.append([(number, Tick())])
    with pytest.raises(ArchiveError, match="hold different records"):
        _archive(tmp_path / "other", folder)
    assert len(list(Reader(tmp_path / "other").read())) == 100
    with pytest.raises(ArchiveError, match="cannot be the journal's own folder"):
        _archive(journal, journal)


def test_a_damaged_segment_stays_where_it_is(journal: Path, folder: Path) -> None:
    live = list_segments(journal)
    data = bytearray(live[1].read_bytes())
    data[-1] ^= 1
    live[1].write_bytes(data)
    with pytest.raises(CorruptJournal) as caught:
        _archive(journal, folder)
    assert caught.value.path == live[1]
    assert list_segments(journal) == live[1:]
    assert len(_lines(folder)) == 1


def test_what_the_disk_gives_back_otherwise_is_not_archived(
    journal: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live segment goes only after the packed one was read again."""
    live = list_segments(journal)

    def lose(path: Path, *parts: bytes) -> None:
        if path.suffix == ".packed":
            (data,) = parts
            parts = (data[:20] + bytes([data[20] ^ 1]) + data[21:],)
        write_atomically(path, *parts)

    monkeypatch.setattr(module, "write_atomically", lose)
    with pytest.raises(CorruptJournal):
        _archive(journal, folder)
    assert list_segments(journal) == live
    assert _lines(folder) == []
    monkeypatch.undo()
    assert _archive(journal, folder)
    assert len(list(Reader(journal).read())) == len(COMMANDS)


def test_two_do_not_move_at_once(journal: Path, folder: Path) -> None:
    first = archive(journal, folder, EVERYTHING)
    assert next(first).first_seq == 1
    with pytest.raises(ArchiveError, match="another process moves segments"):
        _archive(journal, folder)
    assert list(first)
    assert _archive(journal, folder) == []


# a lost index


@pytest.fixture
def archived(journal: Path, folder: Path) -> Path:
    """The journal, archived."""
    assert len(_archive(journal, folder)) > 3
    return journal


@pytest.mark.parametrize("kept", [None, 0, LINE_BYTES, 2 * LINE_BYTES - 7])
def test_a_lost_or_cut_index_is_rebuilt_as_it_was(archived: Path, folder: Path, kept: int | None) -> None:
    index = Index(folder).path
    before = index.read_bytes()
    if kept is None:
        index.unlink()
    else:
        index.write_bytes(before[:kept])
    entries = list(rebuild_index(archived))
    assert index.read_bytes() == before == "".join(entry.line() for entry in entries).encode()
    assert list(check(archived)) == []
    assert not list(folder.glob("*.part"))


def test_a_damaged_line_is_mended(archived: Path, folder: Path) -> None:
    index = Index(folder).path
    before = index.read_bytes()
    index.write_bytes(before[:LINE_BYTES] + b"x" * LINE_BYTES + before[2 * LINE_BYTES :])
    with pytest.raises(CorruptJournal, match="bizzan journal rebuild"):
        list(Index(folder))
    list(rebuild_index(archived))
    assert index.read_bytes() == before


def test_a_file_whose_line_was_never_written_gets_it(archived: Path, folder: Path) -> None:
    """As a kill leaves it, between the packed file and its line: the live segment is there as well."""
    index, last = Index(folder).path, Index(folder)[-1]
    segment = folder / "kept"
    unpacked = packed.PackedFile(packed_path(folder, last.first_seq), last.first_seq).open()
    unpacked.seek(record_module.SEGMENT_HEADER_SIZE)
    header = record_module.encode_segment_header(last.first_seq, last.prev_head)
    segment.write_bytes(header + b"".join(iter(lambda: unpacked.read(1), b"")))
    segment.replace(record_module.segment_path(archived, last.first_seq))
    before = index.read_bytes()
    index.write_bytes(before[:-LINE_BYTES])
    list(rebuild_index(archived))
    assert index.read_bytes() == before
    assert _archive(archived, folder) == [last.last_seq]
    assert list(check(archived)) == []


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_missing_segment_is_named_and_nothing_changes(archived: Path, folder: Path, number: int) -> None:
    entry, index = Index(folder)[number], Index(folder).path
    path = packed_path(folder, entry.first_seq)
    path.unlink()
    index.write_bytes(b"cut")
    named = f"{path} is missing, with sequences {entry.first_seq} to {entry.last_seq}"
    with pytest.raises(ArchiveError, match=re.escape(named)):
        list(rebuild_index(archived))
    assert index.read_bytes() == b"cut"
    assert not list(folder.glob("*.part"))


def _other(tmp_path: Path) -> Path:
    """The archive of a journal with other times."""
    other = tmp_path / "other"
    with Journal.open(other, SEGMENT_BYTES) as journal:
        for number, command in enumerate(COMMANDS):
            journal.append([(NOW_MS + number + 1, command)])
    list(archive(other, tmp_path / "other-archive", EVERYTHING))
    return tmp_path / "other-archive"


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_forged_segment_is_named(archived: Path, folder: Path, tmp_path: Path, number: int) -> None:
    """Whole and hashed anew; what comes after it, in the archive or live, does not follow."""
    entry, path = Index(folder)[number], Index(folder).path
    forged = packed_path(_other(tmp_path), entry.first_seq)
    shutil.copy(forged, packed_path(folder, entry.first_seq))
    path.unlink()
    wrong = Index(folder.parent / "other-archive").find(entry.first_seq)
    assert wrong is not None
    with pytest.raises((CorruptJournal, ArchiveError)) as refused:
        list(rebuild_index(archived))
    names = packed_path(folder, entry.last_seq + 1 if number == 0 else entry.first_seq)
    assert str(names) in str(refused.value)
    assert f"does not follow sequence {entry.last_seq if number == 0 else entry.first_seq - 1}" in str(refused.value)
    assert not path.exists()


def test_a_forged_archive_does_not_lead_to_the_live_journal(archived: Path, folder: Path, tmp_path: Path) -> None:
    other = _other(tmp_path)
    for path in other.glob("*.packed"):
        shutil.copy(path, folder / path.name)
    Index(folder).path.unlink()
    with pytest.raises(ArchiveError, match="of another chain"):
        list(rebuild_index(archived))
    assert not Index(folder).path.exists()


def test_a_changed_record_is_named_by_file_and_sequence(archived: Path, folder: Path) -> None:
    entry = Index(folder)[1]
    path = packed_path(folder, entry.first_seq)
    file = packed.PackedFile(path, entry.first_seq)
    data = bytearray(path.read_bytes())
    block = bytearray(file.read_at(file.places[0].offset))
    block[20] ^= 1
    again = zlib.compress(bytes(block), 6)
    size = len(zlib.compress(file.read_at(file.places[0].offset), 6))
    if len(again) == size:  # else the block's end is wrong, which is named as well
        data[8 : 8 + size] = again
    else:
        data[8 + size // 2] ^= 1
    path.write_bytes(data)
    Index(folder).path.unlink()
    with pytest.raises(CorruptJournal) as corrupt:
        list(rebuild_index(archived))
    assert (corrupt.value.path, corrupt.value.seq) == (path, entry.first_seq)


def test_a_table_that_leads_elsewhere_is_named(archived: Path, folder: Path) -> None:
    """Its checksum is right: whoever forges it can hash."""
    entry = next(each for each in Index(folder) if len(Index(folder).open(each).places) > 1)
    path = packed_path(folder, entry.first_seq)
    data, size = path.read_bytes(), packed.PackedFile(path, entry.first_seq)
    fields = packed._FIELDS.unpack(data[-packed._TAIL : -32])
    begin = fields[-2]
    rows = bytearray(data[begin : -packed._TAIL])
    rows[packed._ROW.size + 24] ^= 1  # the head before the second block
    tail = bytes(rows) + data[-packed._TAIL : -32]
    path.write_bytes(data[:begin] + tail + sha256(tail).digest())
    with pytest.raises(CorruptJournal, match="another place for the record") as corrupt:
        list(rebuild_index(archived))
    assert (corrupt.value.path, corrupt.value.seq) == (path, size.places[1].seq)


def test_a_journal_without_an_archive_is_told(journal: Path) -> None:
    with pytest.raises(ArchiveError, match="has no archive"):
        list(rebuild_index(journal))
