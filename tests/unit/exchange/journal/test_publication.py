"""The published journal: whole pieces that follow one another, signed, and readable as a journal."""

from hashlib import sha256
from pathlib import Path

import pytest

from exchange.chain.signing import Key, recover
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.receipt import RecordTree
from exchange.engine.commands import MassCancel
from exchange.journal import publication
from exchange.journal.journal import Journal
from exchange.journal.marker import MARKER_NAME
from exchange.journal.publication import (
    RAW_NAME,
    Piece,
    PublicationError,
    check_continues,
    last_piece,
    publish,
    read_index,
)
from exchange.journal.reader import Reader
from exchange.journal.receipts import leaf_of
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS

DOMAIN = Domain("Bizzan", 31_337, b"\xbb" * 20)
KEY = Key(keccak(b"receipts"))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of several segments, without its last records."""
    _append(tmp_path / "journal", 0, 30)
    return tmp_path / "journal"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where it is published."""
    return tmp_path / "published"


def _append(folder: Path, first: int, last: int) -> None:
    with Journal.open(folder, 2_000) as journal:
        journal.append([(NOW_MS + number, COMMANDS[number]) for number in range(first, last)])


def _publish(journal: Path, out: Path) -> list[Piece]:
    return list(publish(journal, out, DOMAIN, KEY.sign, NOW_MS))


def test_pieces_are_signed_and_follow_one_another(journal: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication, "MAX_RECORDS", 12)
    assert [(piece.first_seq, piece.last_seq) for piece in _publish(journal, out)] == [(1, 12), (13, 24), (25, 30)]
    assert _publish(journal, out) == []
    _append(journal, 30, 43)
    assert [(piece.first_seq, piece.last_seq) for piece in _publish(journal, out)] == [(31, 42), (43, 43)]
    records = list(Reader(journal).read())
    for piece in read_index(out):
        own = records[piece.first_seq - 1 : piece.last_seq]
        assert piece.head == own[-1].head.hex()
        assert piece.root == RecordTree([leaf_of(record) for record in own]).root.hex()
        assert recover(piece.digest(DOMAIN), bytes.fromhex(piece.signature)) == KEY.address


def test_marker_of_what_is_published_takes_the_place_of_a_lost_one(journal: Path, out: Path) -> None:
    _publish(journal, out)
    _append(journal, 30, 43)
    head = list(Reader(journal).read())[-1].head
    (journal / MARKER_NAME).write_bytes((out / RAW_NAME / MARKER_NAME).read_bytes())
    with Journal.open(journal, 2_000) as opened:
        assert (opened.seq, opened.head) == (43, head)
    check_continues(out, journal)


def test_record_that_nobody_can_have_signed_is_named_and_not_published(journal: Path, out: Path) -> None:
    """No engine writes one: it refuses them."""
    pieces = _publish(journal, out)
    with Journal.open(journal, 2_000) as opened:
        opened.append([(NOW_MS + 30, MassCancel(b"\1" * 20, 1, 256, NOW_MS, b"\7" * 65, b"\1" * 20))])
    with pytest.raises(PublicationError, match=r"sequence 31: nobody can have signed this record \(side does not fit"):
        _publish(journal, out)
    assert read_index(out) == pieces


def test_the_index_is_read_from_its_end_in_parts_of_any_size(
    journal: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "MAX_RECORDS", 4)
    pieces = _publish(journal, out)
    index = out / "index.jsonl"
    torn = index.read_bytes() + b'{"first_seq": 31'
    for size in (1, 7, 600, 10_000):
        monkeypatch.setattr(publication, "_READ_BYTES", size)
        index.write_bytes(torn)
        assert read_index(out) == pieces
        assert [read_index(out, piece.last_seq) for piece in pieces] == [pieces[n + 1 :] for n in range(len(pieces))]
        assert last_piece(out) == pieces[-1]
        assert _publish(journal, out) == []
        assert index.read_bytes() == torn[: torn.rfind(b"\n") + 1]
    index.write_bytes(b"x" * 100)
    assert (read_index(out), last_piece(out), last_piece(out / "nowhere")) == ([], None, None)


def test_the_raw_pieces_are_the_journal(journal: Path, out: Path) -> None:
    _publish(journal, out)
    _append(journal, 30, 43)
    _publish(journal, out)
    assert list(Reader(out / "raw").read()) == list(Reader(journal).read())


def test_no_other_user_of_the_machine_reads_raw_pieces(journal: Path, out: Path) -> None:
    _publish(journal, out)
    assert (out / RAW_NAME).stat().st_mode & 0o777 == 0o700
    (out / RAW_NAME).chmod(0o750)
    _publish(journal, out)
    assert (out / RAW_NAME).stat().st_mode & 0o777 == 0o750, "what the operator chose stays"


def test_everybody_gets_hashes_only(journal: Path, out: Path) -> None:
    (piece,) = _publish(journal, out)
    data = (out / "public" / f"{1:020d}.hashes").read_bytes()
    assert sha256(data).hexdigest() == piece.public_sha256
    lines = data.decode().splitlines()
    last = list(Reader(journal).read())[-1]
    assert len(lines) == 30
    assert lines[-1].split() == ["30", str(last.at_ms), COMMANDS[29].order_hash.hex(), last.head.hex()]  # type: ignore[union-attr]
    assert lines[0].split()[2] == "00" * 32


def test_what_a_crash_cut_short_is_published_again(journal: Path, out: Path) -> None:
    _publish(journal, out)
    _append(journal, 30, 43)
    index = out / "index.jsonl"
    before = index.read_text()
    _publish(journal, out)
    index.write_text(before + index.read_text()[len(before) : -9])
    assert len(read_index(out)) == 1
    assert [(piece.first_seq, piece.last_seq) for piece in _publish(journal, out)] == [(31, 43)]
    assert len(read_index(out)) == 2


def test_an_older_copy_of_the_journal_is_refused(journal: Path, out: Path, tmp_path: Path) -> None:
    check_continues(out, journal)
    _publish(journal, out)
    check_continues(out, journal)
    _append(tmp_path / "older", 0, 20)
    with pytest.raises(PublicationError, match="restore the whole"):
        check_continues(out, tmp_path / "older")
    with Journal.open(tmp_path / "older") as other:
        other.append([(NOW_MS, COMMANDS[number]) for number in range(20, 31)])
    with pytest.raises(PublicationError, match="restore the whole"):
        _publish(tmp_path / "older", out)


def test_a_wrong_line_of_the_index_is_named(journal: Path, out: Path) -> None:
    _publish(journal, out)
    with (out / "index.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(PublicationError, match="the line at byte"):
        read_index(out)
