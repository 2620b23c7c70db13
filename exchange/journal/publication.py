"""The published journal: signed pieces, raw for auditors and as hashes for everybody.

    index.jsonl            one line per piece, in order: its range, heads, root, signature, and sha256 of both files
    raw/N.segment          the records as they are journaled, from N on; the folder is a journal that any reader reads
    public/N.hashes        one line per record: sequence, time, subject, head

A piece is signed as a group commit is (`exchange.domain.receipt`), over its whole range. So every record that users
hold receipts for can be held against it, and a record that is published otherwise than it was acknowledged costs the
bond. Ranges follow one another without a gap; they need not be those of the journal's own segments or groups.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import msgspec

from exchange.domain.eip712 import Domain
from exchange.domain.receipt import RecordTree, commit_digest, record_hash
from exchange.journal.errors import JournalError
from exchange.journal.files import write_atomically
from exchange.journal.marker import Marker, MarkerFile
from exchange.journal.reader import Reader, Record, decode
from exchange.journal.receipts import subject_of
from exchange.journal.record import RawRecord, encode_segment_header, list_segments, record_bytes, segment_path

INDEX_NAME = "index.jsonl"
RAW_NAME = "raw"
PUBLIC_NAME = "public"
LOCK_NAME = "lock"
MAX_RECORDS = 20_000
_READ_BYTES = 1 << 16
_MAX_LINE = 4_096
"""Bytes that are parsed of a line, which has some 800."""
_MAX_NUMBER = (1 << 63) - 1
PROMISE_SECONDS = 600
"""Within which everything that is durable is published."""


class PublicationError(JournalError):
    """The published journal and the engine's do not belong together, or a line of the index is none."""


_Seq = Annotated[int, msgspec.Meta(ge=1, le=_MAX_NUMBER)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=_MAX_NUMBER)]
_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Signature = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{130}\Z")]
_Address = Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-f]{40}\Z")]


@dataclass(frozen=True, slots=True)
class Piece:
    """One line of the index. Hashes, heads and the signature are hexadecimal."""

    first_seq: _Seq
    last_seq: _Seq
    prev_head: _Hash
    head: _Hash
    root: _Hash
    chain_id: _Number
    bond: _Address
    signature: _Signature
    raw_sha256: _Hash
    public_sha256: _Hash
    published_at_ms: _Number

    def digest(self, domain: Domain) -> bytes:
        """What was signed."""
        head, root = bytes.fromhex(self.head), bytes.fromhex(self.root)
        return commit_digest(domain, self.first_seq, self.last_seq, head, root)


_NAMES = frozenset(each.name for each in fields(Piece))


def read_index(folder: Path, after_seq: int = 0) -> list[Piece]:
    """The pieces published so far that end after a sequence; the index is read from its end, and no further back.

    A line that a crash cut short is none. PublicationError for a wrong one.
    """
    return list(takewhile(lambda piece: piece.last_seq > after_seq, _latest_first(folder)))[::-1]


def last_piece(folder: Path) -> Piece | None:
    """The piece published last, or None."""
    return next(_latest_first(folder), None)


def pieces_forward(folder: Path) -> Iterator[Piece]:
    """All pieces from the first on, one at a time. A line that a crash cut short is none.

    PublicationError for a wrong one.
    """
    path = folder / INDEX_NAME
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield _parse(line, f"{path}, line {number}")


def _latest_first(folder: Path) -> Iterator[Piece]:
    path = folder / INDEX_NAME
    if not path.exists():
        return
    for offset, line in _lines_backwards(path):
        yield _parse(line, f"{path}, the line at byte {offset}")


def _parse(line: bytes, where: str) -> Piece:
    """The piece in a line, which somebody else may have written."""
    if len(line) > _MAX_LINE:
        raise PublicationError(f"{where} is no piece: it has {len(line):,} bytes, at most {_MAX_LINE:,} are one's")
    try:
        row = json.loads(line)
        piece = msgspec.convert(row, Piece)
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise PublicationError(f"{where} is no piece: {error}") from None
    for name in sorted(set(row) - _NAMES):
        raise PublicationError(f"{where} is no piece: it has an unknown field {name!r}")
    if not 0 <= piece.last_seq - piece.first_seq < MAX_RECORDS:
        span = f"{piece.first_seq} to {piece.last_seq}"
        raise PublicationError(f"{where} is no piece: {span} is no range of 1 to {MAX_RECORDS:,} records")
    return piece


def _lines_backwards(path: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a file from the last on, each with its offset."""
    with path.open("rb") as file:
        begin, rest = file.seek(0, os.SEEK_END), b""
        while begin:
            end, begin = begin, max(0, begin - _READ_BYTES)
            file.seek(begin)
            lines = (file.read(end - begin) + rest).splitlines(keepends=True)
            rest = lines.pop(0) if begin else b""
            offset = begin + len(rest) + sum(map(len, lines))
            for line in reversed(lines):
                offset -= len(line)
                if line.endswith(b"\n"):
                    yield offset, line


def check_continues(folder: Path, journal: Path) -> None:
    """PublicationError unless the journal holds what was published of it: never sign on from an older copy."""
    if (last := last_piece(folder)) is not None:
        _check_holds(folder, last, Reader(journal))


def _check_holds(folder: Path, last: Piece, reader: Reader) -> None:
    try:
        head = reader.head_at(last.last_seq)
    except LookupError:
        head = b""
    if head.hex() != last.head:
        raise PublicationError(
            f"{folder} was published up to sequence {last.last_seq}, which {reader.folder} does not hold: restore the "
            "whole journal, or retire the bond and take another receipt key; signing on would cost the bond"
        )


def publish(
    journal: Path, folder: Path, domain: Domain, sign: Callable[[bytes], bytes], now_ms: int
) -> Iterator[Piece]:
    """Publish what became durable since the last time, in pieces of at most `MAX_RECORDS`; yields each.

    Publishing again after a crash goes on where the index ends. PublicationError while another process publishes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RAW_NAME).mkdir(mode=0o700, exist_ok=True)  # as the journal's: what is there keeps its mode
    (folder / PUBLIC_NAME).mkdir(exist_ok=True)
    with only_writer(folder):
        last, reader = last_piece(folder), Reader(journal)
        if last is not None:
            _check_holds(folder, last, reader)
        drop_torn_line(folder / INDEX_NAME)
        first = last.last_seq + 1 if last is not None else 1
        head = bytes.fromhex(last.head) if last is not None else bytes(32)
        follower = reader.follow(first)
        while records := follower.poll_raw(MAX_RECORDS):
            piece = _publish_piece(folder, domain, sign, now_ms, head, records)
            head = bytes.fromhex(piece.head)
            yield piece


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep every other process from writing there; the operating system ends it with this one, however it ends."""
    with (folder / LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PublicationError(f"another process writes to {folder}: wait until it is done") from None
        yield


def _publish_piece(
    folder: Path,
    domain: Domain,
    sign: Callable[[bytes], bytes],
    now_ms: int,
    prev_head: bytes,
    found: list[tuple[Path, RawRecord]],
) -> Piece:
    records = [raw for _, raw in found]
    first, last, head = records[0].seq, records[-1].seq, records[-1].head
    decoded = [decode(path, raw) for path, raw in found]
    raw_bytes = encode_segment_header(first, prev_head) + b"".join(map(record_bytes, records))
    subjects = [_subject(path, record) for (path, _), record in zip(found, decoded, strict=True)]
    lines = "".join(
        f"{r.seq} {r.at_ms} {subject.hex()} {r.head.hex()}\n" for r, subject in zip(decoded, subjects, strict=True)
    ).encode()
    root = RecordTree(
        [record_hash(r.seq, r.at_ms, subject, r.head) for r, subject in zip(decoded, subjects, strict=True)]
    ).root
    raw_path = segment_path(folder / RAW_NAME, first)
    write_atomically(raw_path, raw_bytes)
    write_atomically(public_path(folder, first), lines)
    piece = Piece(
        first_seq=first,
        last_seq=last,
        prev_head=prev_head.hex(),
        head=head.hex(),
        root=root.hex(),
        chain_id=domain.chain_id,
        bond="0x" + domain.contract.hex(),
        signature=sign(commit_digest(domain, first, last, head, root)).hex(),
        raw_sha256=sha256(raw_bytes).hexdigest(),
        public_sha256=sha256(lines).hexdigest(),
        published_at_ms=now_ms,
    )
    append_piece(folder, piece)
    mark_raw(folder, piece)
    return piece


def _subject(path: Path, record: Record) -> bytes:
    """What a record is of; PublicationError for one that the engine never writes."""
    try:
        return subject_of(record.command)
    except ValueError as error:
        raise PublicationError(
            f"{path}, sequence {record.seq}: nobody can have signed this record ({error}), so the engine has not "
            "written it: restore the journal from a copy; nothing from there on is published"
        ) from None


def public_path(folder: Path, first_seq: int) -> Path:
    """The file of the hashes of the piece that starts at `first_seq`."""
    return folder / PUBLIC_NAME / f"{first_seq:020d}.hashes"


def is_published(folder: Path) -> bool:
    """Whether a folder is laid out as a published journal is, whole or not."""
    return (folder / INDEX_NAME).exists() or (folder / RAW_NAME).is_dir()


def has_hashes_alone(folder: Path) -> bool:
    """Whether a published journal was fetched without its records."""
    return (folder / INDEX_NAME).exists() and not list_segments(folder / RAW_NAME)


def append_piece(folder: Path, piece: Piece) -> None:
    """Add a piece to the index, durably, once its files are there."""
    with (folder / INDEX_NAME).open("a") as file:
        file.write(json.dumps(asdict(piece)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def drop_torn_line(path: Path) -> None:
    """Cut off what a crash left of the index's last line."""
    if not path.exists():
        return
    offset, line = next(_lines_backwards(path), (0, b""))
    if path.stat().st_size != offset + len(line):
        with path.open("r+b") as file:
            file.truncate(offset + len(line))
            os.fsync(file.fileno())


def mark_raw(folder: Path, last: Piece) -> None:
    """Say up to which piece the raw ones reach, as a journal does."""
    file = MarkerFile(folder / RAW_NAME, create=True)
    file.store(Marker(last.last_seq, bytes.fromhex(last.head)))
    file.sync()
    file.close()
