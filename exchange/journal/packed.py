"""A closed segment, packed: blocks of whole records, compressed, and a table of where each begins.

    packed    "BZNPACK1" | blocks | table | fields | sha256 of table and fields
    block     zlib of the records as they were journaled, some 256 KB of them
    table     per block: offset in this file u64 | offset in the segment u64 | its first sequence u64 | head before it
    fields    first seq u64 | last seq u64 | head (32) | end of the segment u64 | offset of the table u64 | blocks u32

Integers are big-endian. One record is found without unpacking those before its block. Offsets are those of the segment
as it was journaled, whose header follows from the table; so whoever reads it cannot tell it from a live one.
"""

import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from exchange.journal.errors import CorruptJournal
from exchange.journal.record import SEGMENT_HEADER_SIZE, BadRecord, Place, open_segment, record_bytes, scan

PACKED_SUFFIX = ".segment.packed"
BLOCK_BYTES = 256 << 10
_LEVEL = 6
_MAGIC = b"BZNPACK1"
_ROW = struct.Struct(">QQQ32s")
_FIELDS = struct.Struct(">QQ32sQQI")
_TAIL = _FIELDS.size + 32


def packed_path(folder: Path, first_seq: int) -> Path:
    """The file of the packed segment that starts at `first_seq`."""
    return folder / f"{first_seq:020d}{PACKED_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Packed:
    """What a packed segment holds: its range and heads, its end as a segment, and its bytes."""

    first_seq: int
    last_seq: int
    prev_head: bytes
    head: bytes
    end: int
    data: bytes


def pack(path: Path, last_seq: int) -> Packed:
    """Pack the closed segment at `path`, ending with `last_seq`; CorruptJournal where a record is not as written."""
    segment = open_segment(path)
    blocks, rows, waiting, size = [_MAGIC], [], [], 0
    place = begin = Place(segment.first_seq, SEGMENT_HEADER_SIZE, segment.prev_head)
    written = len(_MAGIC)
    for record in scan(path, place.offset, place.seq, place.prev_head, last_seq):
        if isinstance(record, BadRecord):
            raise CorruptJournal(path, record.offset, record.seq, record.reason)
        waiting.append(record_bytes(record))
        size += len(waiting[-1])
        place = Place(record.seq + 1, record.end, record.head)
        if size >= BLOCK_BYTES or record.seq == last_seq:
            block = zlib.compress(b"".join(waiting), _LEVEL)
            rows.append(_ROW.pack(written, begin.offset, begin.seq, begin.prev_head))
            blocks.append(block)
            written += len(block)
            begin, size = place, 0
            waiting.clear()
    fields = _FIELDS.pack(segment.first_seq, last_seq, place.prev_head, place.offset, written, len(rows))
    tail = b"".join(rows) + fields
    data = b"".join((*blocks, tail, sha256(tail).digest()))
    return Packed(segment.first_seq, last_seq, segment.prev_head, place.prev_head, place.offset, data)


class PackedFile:
    """A packed segment: the bytes of the segment from any offset behind its header. Keeps the last block."""

    def __init__(self, path: Path, first_seq: int) -> None:
        """CorruptJournal when it is not what was packed, or begins with another sequence."""
        self.path = path
        self._first_seq = first_seq
        tail = self._read_tail()
        self.first_seq, self.last_seq, self.head, self.end, self._blocks_end, _ = _FIELDS.unpack(tail[-_FIELDS.size :])
        if self.first_seq != first_seq:
            raise self.corrupt(0, f"it holds the segment that starts at {self.first_seq}")
        rows = list(_ROW.iter_unpack(tail[: -_FIELDS.size]))
        self._offsets = [row[0] for row in rows]
        self.places = [Place(seq, offset, head) for _, offset, seq, head in rows]
        self.prev_head = self.places[0].prev_head
        self._starts = [place.offset for place in self.places]
        self._kept = (-1, b"")

    def open(self) -> "Unpacked":
        """Its bytes, to be read in order."""
        return Unpacked(self)

    def read_at(self, offset: int) -> bytes:
        """What is left, from an offset of the segment on, of the block there; nothing at the segment's end."""
        if offset >= self.end:
            return b""
        number = bisect_right(self._starts, offset) - 1
        kept, records = self._kept
        if number != kept:
            records = self._unpack(number)
            self._kept = (number, records)
        return records[offset - self._starts[number] :]

    def _unpack(self, number: int) -> bytes:
        begin = self._offsets[number]
        after = number + 1
        end = self._offsets[after] if after < len(self._offsets) else self._blocks_end
        size = (self._starts[after] if after < len(self._starts) else self.end) - self._starts[number]
        unpacker = zlib.decompressobj()
        try:
            records = unpacker.decompress(self._read_from(begin, end - begin), size + 1)
        except zlib.error as error:
            raise self.corrupt(begin, f"a block cannot be unpacked: {error}", self.places[number].seq) from None
        if len(records) != size or not unpacker.eof:
            raise self.corrupt(begin, "a block is of another size than the table says", self.places[number].seq)
        return records

    def _read_tail(self) -> bytes:
        """Table and fields, their checksum checked."""
        try:
            self.size = self.path.stat().st_size
        except FileNotFoundError:
            raise self.corrupt(0, "the file is missing") from None
        last = self._read_from(max(self.size - _TAIL, 0), _TAIL)
        begin, rows = _FIELDS.unpack(last[:-32])[-2:] if len(last) == _TAIL else (0, 0)
        if not rows or begin + rows * _ROW.size + _TAIL != self.size:
            raise self.corrupt(self.size, "the file is cut short, or no packed segment")
        tail = self._read_from(begin, rows * _ROW.size) + last[:-32]
        if sha256(tail).digest() != last[-32:] or self._read_from(0, len(_MAGIC)) != _MAGIC:
            raise self.corrupt(begin, "the table does not match its checksum")
        return tail

    def _read_from(self, offset: int, size: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except FileNotFoundError:
            raise self.corrupt(0, "the file is missing") from None

    def corrupt(self, offset: int, reason: str, seq: int | None = None) -> CorruptJournal:
        """What is wrong here, and what to do."""
        mend = (
            "put a copy of the file in its place; 'bizzan journal check' says whether it is the one that was archived"
        )
        return CorruptJournal(self.path, offset, seq or self._first_seq, f"{reason}: {mend}")


class Unpacked:
    """A cursor over the bytes of a packed segment."""

    def __init__(self, packed: PackedFile) -> None:
        self._packed = packed
        self._offset = 0

    def seek(self, offset: int, /) -> None:
        """Go to an offset of the segment."""
        self._offset = offset

    def read(self, _size: int, /) -> bytes:
        """The rest of the block, whatever size is asked for; nothing at the segment's end."""
        data = self._packed.read_at(self._offset)
        self._offset += len(data)
        return data


def is_same(packed: Packed, file: PackedFile) -> bool:
    """Whether the file holds what was packed: the same records, by their heads."""
    ours = (packed.first_seq, packed.last_seq, packed.prev_head, packed.head, packed.end)
    return ours == (file.first_seq, file.last_seq, file.prev_head, file.head, file.end)
