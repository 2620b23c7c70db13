"""Another durable marker in the place of one that is missing or damaged.

A marker may be behind what was synced, by any number of records, and never ahead: opening the journal then takes every
whole record behind it. So the one of the published journal will do, where its record stands in this journal, and else
that of an empty journal. What is there is moved aside, and nothing is deleted.
"""

from pathlib import Path
from typing import NamedTuple

from exchange.journal.errors import CorruptJournal, JournalError
from exchange.journal.journal import only_writer
from exchange.journal.marker import GENESIS, MARKER_NAME, Marker, read_marker, write_marker
from exchange.journal.record import (
    GENESIS_HEAD,
    SEGMENT_HEADER_SIZE,
    BadRecord,
    list_segments,
    open_segment,
    scan,
)
from exchange.journal.segments import Segments

ASIDE_NAME = "durable.damaged"


class Marked(NamedTuple):
    """The new marker, the last whole record that the journal has, and where the damaged marker is now, if there was."""

    marker: Marker
    last: Marker
    aside: Path | None


def mark_anew(journal: Path, raw: Path) -> Marked:
    """Give the journal an earlier marker of its own; `raw` is the folder of the published journal's records.

    JournalError, with nothing changed, where the marker is whole, there are no records, another process writes them, or
    what was published is another journal's.
    """
    paths = list_segments(journal)
    if not paths:
        raise JournalError(f"there are no records in {journal}: an engine that starts there makes the marker itself")
    with only_writer(journal):
        whole = _whole_marker(journal)
        if whole is not None:
            raise JournalError(f"the durable marker is whole, at sequence {whole.seq}: nothing was changed")
        marker = _whole_marker(raw) or GENESIS
        _check_is_of(journal, marker, raw)
        last, path = _last_whole(paths[-1]), journal / MARKER_NAME
        aside = _moved_aside(path) if path.exists() else None
        write_marker(path, marker)
    return Marked(marker, last, aside)


def _whole_marker(folder: Path) -> Marker | None:
    try:
        return read_marker(folder)
    except CorruptJournal:
        return None


def _check_is_of(journal: Path, marker: Marker, raw: Path) -> None:
    """JournalError unless a marker's record stands in the journal."""
    try:
        head = Segments(journal).head_at(marker.seq) if marker.seq else GENESIS_HEAD
    except CorruptJournal as error:
        raise JournalError(
            f"{raw} reaches sequence {marker.seq}, and here it is missing: {error}; restore the folder from a copy, "
            "nothing was changed"
        ) from None
    if head != marker.head:
        raise JournalError(
            f"sequence {marker.seq} has the head 0x{head.hex()} here and 0x{marker.head.hex()} in {raw}: one of "
            "them is of another journal, or was changed; nothing was changed"
        )


def _last_whole(path: Path) -> Marker:
    """The last record that is whole in the last segment, or the one before it."""
    segment = open_segment(path)
    last = Marker(segment.first_seq - 1, segment.prev_head)
    for record in scan(path, SEGMENT_HEADER_SIZE, segment.first_seq, segment.prev_head):
        if not isinstance(record, BadRecord):
            last = Marker(record.seq, record.head)
    return last


def _moved_aside(path: Path) -> Path:
    """Give a damaged marker another name, that nothing has; JournalError if all are taken."""
    for number in range(100):
        aside = path.with_name(f"{ASIDE_NAME}.{number}" if number else ASIDE_NAME)
        if not aside.exists():
            return path.rename(aside)
    raise JournalError(f"{path.with_name(ASIDE_NAME)} and 99 more are there: move them away first")
