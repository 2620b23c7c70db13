"""A journal whose durable marker is lost gets an earlier one of its own, and nothing else."""

from pathlib import Path

import pytest

from exchange.chain.signing import Key
from exchange.domain.eip712 import Domain, keccak
from exchange.journal.archive import archive
from exchange.journal.errors import CorruptJournal, JournalError, JournalLocked
from exchange.journal.journal import Journal
from exchange.journal.marker import GENESIS, MARKER_NAME, Marker, MarkerFile, read_marker
from exchange.journal.marking import ASIDE_NAME, mark_anew
from exchange.journal.publication import RAW_NAME, publish
from exchange.journal.reader import Reader
from exchange.journal.record import list_segments
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS

DOMAIN = Domain("Bizzan", 31_337, b"\xbb" * 20)
KEY = Key(keccak(b"receipts"))
COUNT, PUBLISHED = 40, 25


def write(folder: Path, first: int, last: int) -> None:
    with Journal.open(folder, 2_000) as journal:
        for number in range(first, last):
            journal.append([(NOW_MS + number, COMMANDS[number])])


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """One of several segments, the first part of which is published."""
    folder = tmp_path / "journal"
    write(folder, 0, PUBLISHED)
    list(publish(folder, tmp_path / "published", DOMAIN, KEY.sign, NOW_MS))
    write(folder, PUBLISHED, COUNT)
    assert len(list_segments(folder)) > 3
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "published" / RAW_NAME


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("damage", [None, b"", bytes(80)])
def test_marker_of_what_was_published_takes_its_place_and_all_records_come_back(
    journal: Path, raw: Path, damage: bytes | None
) -> None:
    heads, path, before = [record.head for record in Reader(journal).read()], journal / MARKER_NAME, files(journal)
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    marked = mark_anew(journal, raw)
    assert marked == (
        Marker(PUBLISHED, heads[PUBLISHED - 1]),
        Marker(COUNT, heads[-1]),
        None if damage is None else journal / ASIDE_NAME,
    )
    assert read_marker(journal) == marked.marker
    assert damage is None or (journal / ASIDE_NAME).read_bytes() == damage
    assert {name: data for name, data in files(journal).items() if name.endswith(".segment")} == {
        name: data for name, data in before.items() if name.endswith(".segment")
    }
    with Journal.open(journal, 2_000) as opened:
        assert (opened.seq, opened.head, opened.cut_bytes) == (COUNT, heads[-1], 0)
    assert [record.head for record in Reader(journal).read()] == heads


def test_without_what_was_published_it_is_that_of_an_empty_journal(journal: Path, tmp_path: Path) -> None:
    heads = [record.head for record in Reader(journal).read()]
    (journal / MARKER_NAME).unlink()
    assert mark_anew(journal, tmp_path / "nowhere")[:2] == (GENESIS, Marker(COUNT, heads[-1]))
    with Journal.open(journal, 2_000) as opened:
        assert (opened.seq, opened.head) == (COUNT, heads[-1])


def test_what_was_published_may_be_archived(journal: Path, raw: Path, tmp_path: Path) -> None:
    head = list(Reader(journal).read())[PUBLISHED - 1].head
    assert list(archive(journal, tmp_path / "archive", 1 << 62))[-1].last_seq > PUBLISHED
    (journal / MARKER_NAME).unlink()
    assert mark_anew(journal, raw).marker == Marker(PUBLISHED, head)
    with Journal.open(journal, 2_000) as opened:
        assert opened.seq == COUNT


def test_last_record_that_is_whole_is_told(journal: Path, raw: Path) -> None:
    heads, path = [record.head for record in Reader(journal).read()], list_segments(journal)[-1]
    (journal / MARKER_NAME).unlink()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert mark_anew(journal, raw).last == Marker(COUNT - 1, heads[COUNT - 2])


def test_damaged_markers_are_kept_one_beside_the_other(journal: Path, raw: Path) -> None:
    for number, name in enumerate((ASIDE_NAME, f"{ASIDE_NAME}.1", f"{ASIDE_NAME}.2")):
        (journal / MARKER_NAME).write_bytes(bytes([number]))
        assert mark_anew(journal, raw).aside == journal / name
    assert [(journal / name).read_bytes() for name in (ASIDE_NAME, f"{ASIDE_NAME}.2")] == [b"\x00", b"\x02"]


def test_whole_marker_stays(journal: Path, raw: Path) -> None:
    before = files(journal)
    with pytest.raises(JournalError, match=f"marker is whole, at sequence {COUNT}: nothing was changed"):
        mark_anew(journal, raw)
    assert files(journal) == before


def test_journal_that_is_written_is_left_alone(journal: Path, raw: Path) -> None:
    with Journal.open(journal, 2_000):
        (journal / MARKER_NAME).unlink()
        with pytest.raises(JournalLocked, match="stop it first"):
            mark_anew(journal, raw)
        assert not (journal / MARKER_NAME).exists()


@pytest.mark.parametrize("name", ["empty", "not there"])
def test_folder_without_records_gets_no_marker(tmp_path: Path, raw: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(JournalError, match="there are no records"):
        mark_anew(tmp_path / name, raw)


@pytest.mark.parametrize(
    ("published", "why"),
    [
        (Marker(PUBLISHED, b"\x01" * 32), "of another journal, or was changed"),
        (Marker(0, b"\x01" * 32), "of another journal, or was changed"),
        (Marker(COUNT + 1, b"\x01" * 32), "here it is missing"),
    ],
)
def test_marker_of_another_or_longer_journal_is_refused(journal: Path, raw: Path, published: Marker, why: str) -> None:
    path = journal / MARKER_NAME
    path.write_bytes(b"torn")
    MarkerFile(raw, create=False).store(published)
    with pytest.raises(JournalError, match=f"{why}.*nothing was changed"):
        mark_anew(journal, raw)
    assert path.read_bytes() == b"torn"


def test_segment_that_is_damaged_is_named(journal: Path, raw: Path) -> None:
    (journal / MARKER_NAME).write_bytes(b"torn")
    list_segments(journal)[-1].write_bytes(b"no header")
    with pytest.raises(CorruptJournal, match="header is cut short"):
        mark_anew(journal, raw)
    assert (journal / MARKER_NAME).read_bytes() == b"torn"
