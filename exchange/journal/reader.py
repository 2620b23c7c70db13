"""Reading a journal, in any process, also while it is written: up to the durable marker and never beyond.

`Reader` reads what is there; `Follower` is a cursor that goes on as the journal grows. Both check every head of
the chain that they pass, so one changed byte is found and named.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from exchange.engine.commands import Command
from exchange.journal.codec import CodecError, decode_command
from exchange.journal.errors import CorruptJournal
from exchange.journal.marker import MARKER_NAME, Marker, read_marker
from exchange.journal.plain import unpack_plain
from exchange.journal.record import (
    GENESIS_HEAD,
    SEGMENT_HEADER_SIZE,
    BadRecord,
    RawRecord,
    first_seq_of,
    list_segments,
    open_segment,
    scan,
)

POLL_SECONDS = 0.01
_READ_AT_ONCE = 1_000


class Record(NamedTuple):
    """A durable command: its sequence, its time in milliseconds, and the head of the chain that it ends."""

    seq: int
    at_ms: int
    command: Command
    head: bytes


class Reader:
    """Reads the journal in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def durable(self) -> Marker:
        """Sequence and head of the last durable record."""
        return read_marker(self.folder)

    def read(self, from_seq: int = 1) -> Iterator[Record]:
        """The durable records from `from_seq` on; CorruptJournal at the first byte that is not as written."""
        follower = self.follow(from_seq)
        while records := follower.poll(_READ_AT_ONCE):
            yield from records

    def head_at(self, seq: int) -> bytes:
        """The head after record `seq` (zeros for 0). LookupError if that record is not durable yet."""
        if seq == 0:
            return GENESIS_HEAD
        records = self.follow(seq).poll(1)
        if not records:
            raise LookupError(f"sequence {seq} is not durable in {self.folder}")
        return records[0].head

    def follow(self, from_seq: int = 1) -> "Follower":
        """A cursor that starts at `from_seq` and goes on as the journal grows."""
        return Follower(self.folder, from_seq)


class Follower:
    """A cursor over a growing journal. `seq` is the sequence that it gives next."""

    def __init__(self, folder: Path, from_seq: int) -> None:
        self.folder = folder
        self.seq = from_seq
        self._path: Path | None = None
        self._offset = 0
        self._head = b""

    def poll(self, limit: int) -> list[Record]:
        """The next records that are durable by now, at most `limit`; none when there is nothing new."""
        return [decode(path, record) for path, record in self.poll_raw(limit)]

    def poll_raw(self, limit: int) -> list[tuple[Path, RawRecord]]:
        """As `poll`, with each record as it stands in its segment."""
        marker = read_marker(self.folder)
        last = min(marker.seq, self.seq + limit - 1)
        records: list[tuple[Path, RawRecord]] = []
        while self.seq <= last:
            path, last_here = self._seek(last)
            records += [(path, record) for record in self._scan(path, last_here)]
            if self.seq - 1 == marker.seq and self._head != marker.head:
                reason = f"the head differs from the one in {MARKER_NAME}"
                raise CorruptJournal(path, self._offset, marker.seq, reason)
        return records

    async def stream(self, limit: int, poll_seconds: float = POLL_SECONDS) -> AsyncIterator[list[Record]]:
        """Groups of at most `limit` records, for ever; sleeps while there is nothing new."""
        while True:
            if records := self.poll(limit):
                yield records
            else:
                await asyncio.sleep(poll_seconds)

    def _seek(self, last: int) -> tuple[Path, int]:
        """The segment in which `seq` stands, and the last sequence up to `last` that stands in it too."""
        paths = list_segments(self.folder)
        here = [path for path in paths if first_seq_of(path) <= self.seq]
        if not here:
            raise CorruptJournal(self.folder, 0, self.seq, "the segment with this record is missing")
        if here[-1] != self._path:
            self._enter(here[-1])
        after = paths[len(here) :]
        return here[-1], min(last, first_seq_of(after[0]) - 1) if after else last

    def _enter(self, path: Path) -> None:
        """Go to `seq` in another segment; from the end of the one before, the chain must lead into it."""
        segment = open_segment(path)
        if self._path is not None and segment.prev_head != self._head:
            raise CorruptJournal(path, 0, segment.first_seq, "the segment does not continue the chain")
        if segment.first_seq == 1 and segment.prev_head != GENESIS_HEAD:
            raise CorruptJournal(path, 0, 1, "the journal does not start with the genesis head")
        target = self.seq
        self._path, self._offset = path, SEGMENT_HEADER_SIZE
        self.seq, self._head = segment.first_seq, segment.prev_head
        for _ in self._scan(path, target - 1):
            pass

    def _scan(self, path: Path, last: int) -> Iterator[RawRecord]:
        """Move over the records up to `last`."""
        for record in scan(path, self._offset, self.seq, self._head, last):
            if isinstance(record, BadRecord):
                raise CorruptJournal(path, record.offset, record.seq, record.reason)
            self.seq, self._offset, self._head = record.seq + 1, record.end, record.head
            yield record


def decode(path: Path, record: RawRecord) -> Record:
    """The record with its command; CorruptJournal when it holds none."""
    try:
        command = unpack_plain(record.payload) or decode_command(record.payload)
        return Record(record.seq, record.at_ms, command, record.head)
    except CodecError as error:
        raise CorruptJournal(path, record.offset, record.seq, f"the record holds no command: {error}") from None
