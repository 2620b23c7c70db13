"""The bytes of a journal: records, chained by hash, in segments.

    record    length u32 | seq u64 | at_ms u64 | payload (`length` bytes) | head (32 bytes)
    head n    sha256(head n-1 | record n without its head); the head before record 1 is 32 zero bytes
    segment   "BZNJRNL1" | first seq u64 | head before it (32 bytes) | sha256 of these 48 bytes | records | zeros

Integers are big-endian. The payload is a command as `exchange.journal.codec` writes it. A segment's file is
named by its first sequence. The writer reserves room ahead of its records, so a segment may end in zeros.
"""

import struct
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol

from exchange.journal.errors import CorruptJournal

GENESIS_HEAD = bytes(32)
HEADER = struct.Struct(">IQQ")
HEAD_SIZE = 32
MAX_PAYLOAD = 1 << 20
SEGMENT_MAGIC = b"BZNJRNL1"
SEGMENT_SUFFIX = ".segment"
_SEGMENT_FIELDS = struct.Struct(">8sQ32s")
SEGMENT_HEADER_SIZE = _SEGMENT_FIELDS.size + 32
_CHUNK = 1 << 20


class RawRecord(NamedTuple):
    """A record as it stands in a segment: its payload undecoded, and the offsets at which it starts and ends."""

    seq: int
    at_ms: int
    payload: bytes
    head: bytes
    offset: int
    end: int


class Place(NamedTuple):
    """Where a record starts: its sequence, its offset in the segment, and the head before it."""

    seq: int
    offset: int
    prev_head: bytes


class BadRecord(NamedTuple):
    """Where a scan met bytes that are not the next record, and why."""

    seq: int
    offset: int
    reason: str


class Segment(NamedTuple):
    """A segment's file and what its header says."""

    path: Path
    first_seq: int
    prev_head: bytes


def encode_record(prev_head: bytes, seq: int, at_ms: int, payload: bytes) -> tuple[bytes, bytes]:
    """The record's bytes and its head."""
    data = HEADER.pack(len(payload), seq, at_ms) + payload
    head = sha256(prev_head + data).digest()
    return data + head, head


def record_bytes(record: RawRecord) -> bytes:
    """The record as it stands in its segment."""
    return HEADER.pack(len(record.payload), record.seq, record.at_ms) + record.payload + record.head


def record_size(payload_size: int) -> int:
    """Bytes that a record with a payload of this size takes."""
    return HEADER.size + payload_size + HEAD_SIZE


def segment_path(folder: Path, first_seq: int) -> Path:
    """The file of the segment that starts at `first_seq`."""
    return folder / f"{first_seq:020d}{SEGMENT_SUFFIX}"


def encode_segment_header(first_seq: int, prev_head: bytes) -> bytes:
    """The bytes with which a segment's file begins."""
    data = _SEGMENT_FIELDS.pack(SEGMENT_MAGIC, first_seq, prev_head)
    return data + sha256(data).digest()


def first_seq_of(path: Path) -> int:
    """The first sequence in a segment, by its file's name."""
    try:
        return int(path.name.removesuffix(SEGMENT_SUFFIX))
    except ValueError:
        raise CorruptJournal(path, 0, 0, "the segment's file is not named by a sequence") from None


def list_segments(folder: Path) -> list[Path]:
    """The segments' files, in order."""
    return sorted(folder.glob("*" + SEGMENT_SUFFIX))


def open_segment(path: Path) -> Segment:
    """Read and check a segment's header; CorruptJournal if it is not what was written."""
    with path.open("rb") as file:
        data = file.read(SEGMENT_HEADER_SIZE)
    named = first_seq_of(path)
    fields, digest = data[: _SEGMENT_FIELDS.size], data[_SEGMENT_FIELDS.size :]
    if len(data) < SEGMENT_HEADER_SIZE:
        raise CorruptJournal(path, len(data), named, "the segment's header is cut short")
    if sha256(fields).digest() != digest:
        raise CorruptJournal(path, 0, named, "the segment's header does not match its checksum")
    magic, first_seq, prev_head = _SEGMENT_FIELDS.unpack(fields)
    if magic != SEGMENT_MAGIC or first_seq != named:
        raise CorruptJournal(path, 0, named, "the segment's header is of another segment or format")
    return Segment(path, first_seq, prev_head)


class Readable(Protocol):
    """The bytes of a segment, in the order in which they were journaled."""

    def seek(self, offset: int, /) -> object: ...

    def read(self, size: int, /) -> bytes: ...


class _Window:
    """A file read ahead in large pieces, of which the next bytes can be looked at before they are taken."""

    __slots__ = ("_buffer", "_file", "_position")

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._buffer = b""
        self._position = 0

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer where the file ends."""
        while len(self._buffer) - self._position < size:
            read = self._file.read(max(size, _CHUNK))
            self._buffer = self._buffer[self._position :] + read
            self._position = 0
            if not read:
                break
        return self._buffer[self._position : self._position + size]

    def skip(self, size: int) -> None:
        self._position += size


def scan(
    path: Path, offset: int, seq: int, prev_head: bytes, last_seq: int | None = None
) -> Iterator[RawRecord | BadRecord]:
    """The records from `offset`, where the one after `prev_head` with sequence `seq` should stand.

    Every head is checked. Ends after `last_seq`, or with one BadRecord where the next record is missing or wrong.
    """
    with path.open("rb") as file:
        yield from scan_file(file, Place(seq, offset, prev_head), last_seq)


def scan_file(file: Readable, place: Place, last_seq: int | None = None) -> Iterator[RawRecord | BadRecord]:
    """As `scan`, of a segment that is open."""
    seq, offset, prev_head = place
    file.seek(offset)
    window = _Window(file)
    while last_seq is None or seq <= last_seq:
        found = _next_record(window, seq, prev_head)
        if isinstance(found, str):
            yield BadRecord(seq, offset, found)
            return
        at_ms, payload, prev_head = found
        end = offset + record_size(len(payload))
        yield RawRecord(seq, at_ms, payload, prev_head, offset, end)
        offset, seq = end, seq + 1


def _next_record(window: _Window, seq: int, prev_head: bytes) -> tuple[int, bytes, bytes] | str:
    """Time, payload and head of the record that stands next, or why none does."""
    header = window.peek(HEADER.size)
    if len(header) < HEADER.size:
        return "the record is missing or cut short"
    length, record_seq, at_ms = HEADER.unpack(header)
    if record_seq != seq or not 0 < length <= MAX_PAYLOAD:
        return f"the record's header says sequence {record_seq} and {length} bytes"
    size = HEADER.size + length
    data = window.peek(size + HEAD_SIZE)
    if len(data) < size + HEAD_SIZE:
        return "the record is cut short"
    head = data[size:]
    if sha256(prev_head + data[:size]).digest() != head:
        return "the record does not match its head in the chain"
    window.skip(len(data))
    return at_ms, data[HEADER.size : size], head
