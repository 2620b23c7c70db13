"""Zeros ahead of the records change nothing of what is read, however the writer ends; a full disk is no harm."""

import errno
import time
from pathlib import Path

import pytest

from exchange.engine.commands import Credit
from exchange.journal import journal as module
from exchange.journal.journal import Journal
from exchange.journal.reader import Reader
from exchange.journal.record import list_segments
from tests.unit.exchange.journal.samples import ACCOUNT

SEGMENT = 4_096
RECORDS = 150
NEXT = "next.segment.part"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that some hundred records fill segments."""
    monkeypatch.setattr(module, "_PIECE", bytes(512))
    monkeypatch.setattr(module, "BEGUN_BYTES", 0)
    monkeypatch.setattr(module, "KEPT_BYTES", 256)


def write(journal: Journal, first: int, count: int) -> None:
    for number in range(first, first + count):
        journal.append([(1_000 + number, Credit(number, ACCOUNT, 0, number, "log"))])
        journal.sync()


def wait_for_zeros(journal: Journal) -> None:
    """Until nothing is left to be written ahead; what never comes fails the test."""
    for _ in range(6_000):
        if not journal._lacks_zeros and not journal._lacks_next:
            return
        time.sleep(0.01)
    pytest.fail("no zeros came")


def sequences(folder: Path) -> list[int]:
    return [record.seq for record in Reader(folder).read()]


def test_records_stand_among_zeros_and_in_segments_that_were_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []
    begin = module._begin

    def noted(prepared: Path, path: Path, header: bytes) -> None:
        begun.append(path)
        begin(prepared, path, header)

    monkeypatch.setattr(module, "_begin", noted)
    with Journal.open(tmp_path, SEGMENT) as journal, journal.make_room_ahead():
        for first in range(1, RECORDS, 10):
            write(journal, first, 10)
            wait_for_zeros(journal)
            assert list_segments(tmp_path)[-1].stat().st_size >= SEGMENT
    segments = list_segments(tmp_path)
    assert len(segments) > 2
    assert begun == segments[1:], "each but the first was prepared"
    assert sequences(tmp_path) == list(range(1, RECORDS + 1))
    assert not (tmp_path / NEXT).exists()
    assert all(path.read_bytes()[-8:] != bytes(8) for path in segments), "no room is left behind"


def test_a_writer_that_never_waits_keeps_every_record(tmp_path: Path) -> None:
    with Journal.open(tmp_path, SEGMENT) as journal, journal.make_room_ahead():
        write(journal, 1, 1_000)
    assert sequences(tmp_path) == list(range(1, 1_001))


def crash_when_the_next_is_prepared(folder: Path) -> None:
    with Journal.open(folder, SEGMENT) as journal, journal.make_room_ahead():
        while not journal._next_is_ready:
            write(journal, journal.seq + 1, 1)
            wait_for_zeros(journal)
        raise KeyboardInterrupt


def test_a_crash_leaves_a_journal_that_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        crash_when_the_next_is_prepared(tmp_path)
    assert (tmp_path / NEXT).exists()
    written = sequences(tmp_path)
    with Journal.open(tmp_path, SEGMENT) as journal:
        assert journal.cut_bytes == 0
        assert journal.seq == written[-1]
        assert not (tmp_path / NEXT).exists()
        write(journal, journal.seq + 1, 60)
    assert sequences(tmp_path) == list(range(1, written[-1] + 61))


def test_without_room_for_zeros_records_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def full(path: Path, offset: int) -> None:
        tried.append(offset)
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(module, "_append_zeros", full)
    with Journal.open(tmp_path, SEGMENT) as journal, journal.make_room_ahead():
        write(journal, 1, RECORDS)
        while not tried:
            time.sleep(0.01)
    assert sequences(tmp_path) == list(range(1, RECORDS + 1))


def test_a_journal_where_little_happens_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEGUN_BYTES", SEGMENT)
    with Journal.open(tmp_path, 4 * SEGMENT) as journal, journal.make_room_ahead():
        write(journal, 1, 3)
        time.sleep(0.05)
        assert list_segments(tmp_path)[-1].stat().st_size < SEGMENT
