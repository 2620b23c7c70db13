"""`bizzan journal rebuild` and `mark`, as a person runs them."""

import sys
from pathlib import Path

import pytest

from bizzan.cli.app import main
from exchange.journal.archive import archive, check
from exchange.journal.archive_index import Index
from exchange.journal.journal import Journal
from exchange.journal.marker import MARKER_NAME
from exchange.journal.marking import ASIDE_NAME
from exchange.journal.packed import packed_path
from exchange.journal.reader import Reader
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that is archived but for its last two segments, and that the settings name."""
    folder = tmp_path / "journal"
    with Journal.open(folder, 1_000) as journal:
        for number, command in enumerate(COMMANDS):
            journal.append([(NOW_MS + number, command)])
    assert len(list(archive(folder, tmp_path / "archive", 1 << 62))) > 2
    monkeypatch.setenv("BIZZAN_PATHS__JOURNAL_DIR", str(folder))
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """The command's exit code."""
    monkeypatch.setattr(sys, "argv", ["bizzan", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_lost_index_is_written_anew_and_its_entries_are_told(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(tmp_path / "archive")
    before, entries = index.path.read_bytes(), list(index)
    index.path.unlink()
    assert run(monkeypatch, "journal", "rebuild") == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        [str(entry.first_seq), "to", str(entry.last_seq), "head", f"0x{entry.head.hex()}"] for entry in entries
    ]
    assert last == f"the index is written anew: {len(entries)} archived segments, which lead to the live ones"
    assert index.path.read_bytes() == before
    assert list(check(journal)) == []


def test_segment_that_is_damaged_is_named_and_the_index_stays(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(tmp_path / "archive")
    before, path = index.path.read_bytes(), packed_path(tmp_path / "archive", index[1].first_seq)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert run(monkeypatch, "journal", "rebuild") == 1
    told = capsys.readouterr().err
    assert str(path) in told
    assert told.endswith("; the index stays as it was\n")
    assert index.path.read_bytes() == before


def test_journal_without_an_archive_has_no_index_to_rebuild(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIZZAN_PATHS__JOURNAL_DIR", str(tmp_path / "nowhere"))
    assert run(monkeypatch, "journal", "rebuild") == 1
    assert "nowhere has no archive" in capsys.readouterr().err


def test_lost_marker_is_written_anew_and_the_end_of_the_records_is_told(
    journal: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    head = Reader(journal).durable().head
    (journal / MARKER_NAME).write_bytes(b"torn")
    assert run(monkeypatch, "journal", "mark") == 0
    assert capsys.readouterr().out.splitlines()[:-1] == [
        f"the damaged marker is {journal / ASIDE_NAME} now",
        "marked at sequence 0, as an empty journal is",
        f"whole records reach sequence {len(COMMANDS)}, head 0x{head.hex()}",
    ]
    assert run(monkeypatch, "journal", "mark") == 1
    assert "the durable marker is whole, at sequence 0" in capsys.readouterr().err
    with Journal.open(journal, 1_000) as opened:
        assert opened.head == head
