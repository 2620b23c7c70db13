"""All segments of a journal, live and archived, by sequence: whoever reads records need not know which is which.

The live ones are listed when one is looked for that may be new, and the archive's index is searched by halves; a
reader that goes on where it stands looks for nothing. Places within segments are remembered, so only the first look at
one reads all before it. A segment that is archived meanwhile is found again in the archive, at the same offsets.
"""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from exchange.journal.archive_index import POINTER_NAME, Index, archive_of
from exchange.journal.errors import CorruptJournal
from exchange.journal.packed import PackedFile
from exchange.journal.record import (
    SEGMENT_HEADER_SIZE,
    BadRecord,
    Place,
    RawRecord,
    Readable,
    first_seq_of,
    list_segments,
    open_segment,
    scan_file,
    segment_path,
)

SPACING = 256
"""Records from one remembered place to the next."""


class StoredSegment:
    """One segment, live or packed."""

    def __init__(self, path: Path, places: list[Place], packed: PackedFile | None = None) -> None:
        self.path = path
        self.first_seq = places[0].seq
        self.prev_head = places[0].prev_head
        self._places = places
        self._packed = packed

    def scan(self, place: Place, last_seq: int) -> Iterator[RawRecord | BadRecord]:
        """As `record.scan`, from a place. FileNotFoundError when the segment was archived meanwhile."""
        with self._open() as file:
            yield from scan_file(file, place, last_seq)

    def place(self, seq: int) -> Place:
        """Where record `seq` starts, which must stand here; CorruptJournal when something before it is wrong."""
        place = self._places[bisect_right(self._places, seq, key=lambda each: each.seq) - 1]
        for found in self.scan(place, seq - 1):
            record = self.whole(found)
            place = Place(record.seq + 1, record.end, record.head)
            if place.seq >= self._places[-1].seq + SPACING:
                self._places.append(place)
        return place

    def record(self, seq: int) -> RawRecord:
        """The record `seq`, its link of the chain checked."""
        return self.whole(next(self.scan(self.place(seq), seq)))

    def whole(self, found: RawRecord | BadRecord) -> RawRecord:
        """What a scan found; CorruptJournal when that is no record."""
        if not isinstance(found, BadRecord):
            return found
        if self._packed is not None:
            raise self._packed.corrupt(found.offset, found.reason, found.seq)
        raise CorruptJournal(self.path, found.offset, found.seq, found.reason)

    def _open(self) -> AbstractContextManager[Readable]:
        return self.path.open("rb") if self._packed is None else nullcontext(self._packed.open())


class Segments:
    """The segments of the journal in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._firsts: list[int] = []
        """First sequences of the live segments, when they were last listed."""
        self._live: dict[int, StoredSegment] = {}
        self._archived: StoredSegment | None = None
        """The one that was looked at last: its table and a block are at hand."""

    def find(self, seq: int) -> StoredSegment:
        """The segment in which record `seq` stands, if it is durable. CorruptJournal when there is none."""
        if not self._firsts or seq >= self._firsts[-1]:
            self._list()
        number = bisect_right(self._firsts, seq)
        if number and (found := self._open_live(self._firsts[number - 1])):
            return found
        if found := self._find_archived(seq):
            return found
        raise CorruptJournal(self.folder, 0, seq, "the segment with this record is missing")

    def starting_at(self, seq: int) -> StoredSegment | None:
        """The segment whose first record is `seq`, or None."""
        found = self._open_live(seq) or self._find_archived(seq)
        return found if found is not None and found.first_seq == seq else None

    def record(self, seq: int) -> tuple[Path, RawRecord]:
        """The durable record `seq` as it stands in its segment, and that segment's file."""
        try:
            segment = self.find(seq)
            return segment.path, segment.record(seq)
        except FileNotFoundError:
            self.forget()
            segment = self.find(seq)
            return segment.path, segment.record(seq)

    def head_at(self, seq: int) -> bytes:
        """The head after the durable record `seq`; where the next segment is live, that says it."""
        following = self._open_live(seq + 1)
        return following.prev_head if following is not None else self.record(seq)[1].head

    def forget(self) -> None:
        """Look at the folder anew: a segment that stood there was archived."""
        self._firsts, self._live = [], {}

    def _list(self) -> None:
        self._firsts = [first_seq_of(path) for path in list_segments(self.folder)]

    def _open_live(self, first_seq: int) -> StoredSegment | None:
        if first_seq not in self._live:
            try:
                segment = open_segment(segment_path(self.folder, first_seq))
            except FileNotFoundError:
                return None
            start = Place(segment.first_seq, SEGMENT_HEADER_SIZE, segment.prev_head)
            self._live[first_seq] = StoredSegment(segment.path, [start])
        return self._live[first_seq]

    def _find_archived(self, seq: int) -> StoredSegment | None:
        folder = archive_of(self.folder)
        if folder is None:
            return None
        if not folder.is_dir():
            reason = f"the archive is missing: put it back, or write where it is into {self.folder / POINTER_NAME}"
            raise CorruptJournal(folder, 0, seq, reason)
        index = Index(folder)
        entry = index.find(seq)
        if entry is None:
            return None
        if self._archived is None or self._archived.first_seq != entry.first_seq:
            packed = index.open(entry)
            self._archived = StoredSegment(packed.path, [*packed.places], packed)
        return self._archived
