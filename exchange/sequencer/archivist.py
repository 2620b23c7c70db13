"""The archivist, a part of the publisher process: segments that nobody needs at hand go to the archive.

What is needed at hand is what recovery, the projector and the publisher begin with when they start: the records after
the oldest snapshot that is kept, after the database's position, and after the last published piece. Everything else is
read seldom, and is read from the archive then. Moving never waits for anything, and nothing waits for it.
"""

import asyncio
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import projection
from exchange.journal.archive import archive
from exchange.journal.archive_index import Entry, Index
from exchange.journal.errors import JournalError
from exchange.journal.marker import MARKER_NAME, read_marker
from exchange.journal.publication import last_piece
from exchange.journal.record import list_segments
from exchange.journal.snapshot import list_snapshots, snapshot_seq

_log = structlog.get_logger("archive")


class ArchiveMetrics:
    """What the archivist tells about itself, on the publisher's port."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sequence = Gauge("bizzan_archive_sequence", "Last sequence in the archive", registry=registry)
        self.live = Gauge("bizzan_archive_live_segments", "Segments in the journal's folder", registry=registry)
        self.segments = Counter("bizzan_archive_segments_total", "Segments moved", registry=registry)
        self.saved = Counter("bizzan_archive_saved_bytes_total", "Bytes that packing saved", registry=registry)
        self.failures = Counter("bizzan_archive_failures_total", "Runs that failed", registry=registry)


class Archivist:
    """Moves segments of the journal in `journal` to `folder`. `published` is None where nothing is published."""

    def __init__(
        self, journal: Path, folder: Path, published: Path | None, database: AsyncEngine, registry: CollectorRegistry
    ) -> None:
        self.problem: str | None = None
        self.metrics = ArchiveMetrics(registry)
        self._journal = journal
        self._folder = folder
        self._published = published
        self._database = database

    async def run(self, every_seconds: float) -> None:
        """Move for ever. A failure is told, and tried again: nothing is lost by it but room."""
        while True:
            try:
                await self.once()
                self.problem = None
            except (OSError, SQLAlchemyError, JournalError) as error:
                self.metrics.failures.inc()
                self.problem = f"the journal is not archived: {str(error)[:500]}"
                _log.warning("archiving failed", error=str(error)[:500])
            await asyncio.sleep(every_seconds)

    async def once(self) -> list[Entry]:
        """Move what may go by now."""
        if not (self._journal / MARKER_NAME).exists():
            return []
        async with self._database.connect() as connection:
            position = await projection.position(connection)
        return await asyncio.to_thread(self._move, position.seq)

    def _move(self, projected: int) -> list[Entry]:
        floor = floor_of(self._journal, self._published, projected)
        moved = []
        for entry in archive(self._journal, self._folder, floor):
            self.metrics.segments.inc()
            self.metrics.saved.inc(max(entry.segment_bytes - entry.packed_bytes, 0))
            _log.info("segment archived", first_seq=entry.first_seq, last_seq=entry.last_seq, bytes=entry.packed_bytes)
            moved.append(entry)
        last = Index(self._folder).last()
        self.metrics.sequence.set(last.last_seq if last is not None else 0)
        self.metrics.live.set(len(list_segments(self._journal)))
        return moved


def floor_of(journal: Path, published: Path | None, projected: int) -> int:
    """The last sequence that nobody needs at hand: recovery, the projector (at `projected`), or the publisher."""
    snapshots = list_snapshots(journal)
    needed = [read_marker(journal).seq, projected, snapshot_seq(snapshots[-1]) if snapshots else 0]
    if published is not None:
        piece = last_piece(published)
        needed.append(piece.last_seq if piece is not None else 0)
    return min(needed)
