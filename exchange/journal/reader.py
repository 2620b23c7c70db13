"""Reading a journal, in any process, also while it is written: up to the durable marker and never beyond.

`Reader` reads what is there; `Follower` is a cursor that goes on as the journal grows. Both check every head of
the chain that they pass, so one changed byte is found and named. What was archived is read as what was not.
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
from exchange.journal.record import GENESIS_HEAD, BadRecord, Place, RawRecord
from exchange.journal.segments import Segments, StoredSegment

POLL_SECONDS = 0.01
_READ_AT_ONCE = 1_000


class Record(NamedTuple):
    """A durable command: its sequence, its time in milliseconds, and the head of the chain that it ends."""

    seq: int
    at_ms: int
    command: Command
    head: bytes


class Reader:
    """Reads the journal in `folder`; up to `end` instead of its marker, where somebody else says how far it goes."""

    def __init__(self, folder: Path, end: Marker | None = None) -> None:
        self.folder = folder
        self._segments = Segments(folder)
        self._end = end

    def durable(self) -> Marker:
        """Sequence and head of the last durable record."""
        return self._end or read_marker(self.folder)

    def read(self, from_seq: int = 1) -> Iterator[Record]:
        """The durable records from `from_seq` on; CorruptJournal at the first byte that is not as written."""
        follower = self.follow(from_seq)
        while records := follower.poll(_READ_AT_ONCE):
            yield from records

    def head_at(self, seq: int) -> bytes:
        """The head after record `seq` (zeros for 0). LookupError if that record is not durable yet."""
        if seq == 0:
            return GENESIS_HEAD
        if seq > self.durable().seq:
            raise LookupError(f"sequence {seq} is not durable in {self.folder}")
        return self._segments.head_at(seq)

    def follow(self, from_seq: int = 1) -> "Follower":
        """A cursor that starts at `from_seq` and goes on as the journal grows."""
        return Follower(self._segments, from_seq, self._end)


class Follower:
    """A cursor over a growing journal. `seq` is the sequence that it gives next."""

    def __init__(self, segments: Segments, from_seq: int, end: Marker | None = None) -> None:
        self.folder = segments.folder
        self.seq = from_seq
        self._end = end
        self._segments = segments
        self._segment: StoredSegment | None = None
        self._offset = 0
        self._head = b""

    def poll(self, limit: int) -> list[Record]:
        """The next records that are durable by now, at most `limit`; none when there is nothing new."""
        return [decode(path, record) for path, record in self.poll_raw(limit)]

    def poll_raw(self, limit: int) -> list[tuple[Path, RawRecord]]:
        """As `poll`, with each record as it stands in its segment."""
        marker = self._end or read_marker(self.folder)
        last = min(marker.seq, self.seq + limit - 1)
        records: list[tuple[Path, RawRecord]] = []
        while self.seq <= last:
            segment = self._segment or self._locate()
            records += [(segment.path, record) for record in self._scan(segment, last)]
            if self.seq - 1 == marker.seq and self._head != marker.head:
                reason = (
                    f"the head differs from the one {'that should be the last' if self._end else f'in {MARKER_NAME}'}"
                )
                raise CorruptJournal(segment.path, self._offset, marker.seq, reason)
        return records

    async def stream(self, limit: int, poll_seconds: float = POLL_SECONDS) -> AsyncIterator[list[Record]]:
        """Groups of at most `limit` records, for ever; sleeps while there is nothing new."""
        while True:
            if records := self.poll(limit):
                yield records
            else:
                await asyncio.sleep(poll_seconds)

    def _locate(self) -> StoredSegment:
        """Go to `seq`, wherever that is."""
        try:
            return self._enter(self._segments.find(self.seq))
        except FileNotFoundError:  # archived between the look and the reading
            self._segments.forget()
            return self._enter(self._segments.find(self.seq))

    def _enter(self, segment: StoredSegment) -> StoredSegment:
        """Go to `seq` in a segment; from the end of the one before, the chain must lead into it."""
        place = segment.place(self.seq)
        if self._head and place.prev_head != self._head:
            raise CorruptJournal(segment.path, 0, segment.first_seq, "the segment does not continue the chain")
        if segment.first_seq == 1 and segment.prev_head != GENESIS_HEAD:
            raise CorruptJournal(segment.path, 0, 1, "the journal does not start with the genesis head")
        self._segment, self._offset, self._head = segment, place.offset, place.prev_head
        return segment

    def _scan(self, segment: StoredSegment, last: int) -> Iterator[RawRecord]:
        """Move over the records up to `last` that stand in the segment, and from its end to the next."""
        place = Place(self.seq, self._offset, self._head)
        try:
            for found in segment.scan(place, last):
                if isinstance(found, BadRecord) and self._go_on():
                    return
                record = segment.whole(found)
                self.seq, self._offset, self._head = record.seq + 1, record.end, record.head
                yield record
        except FileNotFoundError:  # archived meanwhile
            self._locate()

    def _go_on(self) -> bool:
        """Enter the segment that starts here, if there is one."""
        following = self._segments.starting_at(self.seq)
        if following is None or following is self._segment:
            return False
        self._enter(following)
        return True


def decode(path: Path, record: RawRecord) -> Record:
    """The record with its command; CorruptJournal when it holds none."""
    try:
        command = unpack_plain(record.payload) or decode_command(record.payload)
        return Record(record.seq, record.at_ms, command, record.head)
    except CodecError as error:
        raise CorruptJournal(path, record.offset, record.seq, f"the record holds no command: {error}") from None
