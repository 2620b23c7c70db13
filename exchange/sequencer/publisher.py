"""The publisher process: what the journal gained is published in signed pieces, well within the time that is promised.

run(settings)    blocks; SIGTERM and SIGINT stop it; it may be killed at any moment

The folder of pieces is the truth, and rows in the database tell the API of it. A disk or a database that fails is tried
again, and `/healthz` says so as soon as the promise is broken; a journal that lacks what was published of it ends the
process, since signing on would cost the bond. Beside it the archivist moves old segments, which hinders nothing here.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog
import uvloop
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import publication as rows
from exchange.database.engine import create_engine
from exchange.journal.errors import JournalError
from exchange.journal.publication import PROMISE_SECONDS, Piece, publish, read_index
from exchange.sequencer.archivist import Archivist
from exchange.sequencer.ending import end
from exchange.sequencer.health import serve_health
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.notary import Notary, notary_of
from exchange.sequencer.seed import SeedError, load_deployment
from exchange.settings import Settings, SettingsError

_log = structlog.get_logger("publisher")


class PublisherMetrics:
    """What the publisher tells about itself."""

    def __init__(self, lag: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self.sequence = Gauge("bizzan_publisher_sequence", "Last published sequence", registry=self.registry)
        self.pieces = Counter("bizzan_publisher_pieces_total", "Pieces published", registry=self.registry)
        self.failures = Counter("bizzan_publisher_failures_total", "Failures that were retried", registry=self.registry)
        Gauge(
            "bizzan_publisher_lag_seconds", "Since all that was durable was published", registry=self.registry
        ).set_function(lag)
        Gauge("bizzan_publisher_promise_seconds", "What the lag must not exceed", registry=self.registry).set(
            PROMISE_SECONDS
        )


class Publisher:
    """Publishes the journal in `journal` to `folder`, and tells the database."""

    def __init__(self, journal: Path, folder: Path, notary: Notary, database: AsyncEngine) -> None:
        self._journal = journal
        self._folder = folder
        self._notary = notary
        self._database = database
        self._told = 0
        self._current_at = time.time()
        self.metrics = PublisherMetrics(self.lag)

    def lag(self) -> float:
        """Seconds since everything that was durable was published; from the start, before the first time."""
        return max(0.0, time.time() - self._current_at)

    def problem(self) -> str | None:
        """Why the promise is broken, or None."""
        if (lag := self.lag()) <= PROMISE_SECONDS:
            return None
        return f"nothing was published for {lag:.0f} s, {PROMISE_SECONDS} are promised"

    async def run(self, every_seconds: float) -> None:
        """Publish for ever. PublicationError when the journal is not the one that was published."""
        while True:
            try:
                await self.once()
            except (OSError, SQLAlchemyError) as error:
                self.metrics.failures.inc()
                _log.warning("publishing failed", error=str(error)[:500])
            await asyncio.sleep(every_seconds)

    async def once(self) -> list[Piece]:
        """Publish what is durable by now and tell the database; the new pieces."""
        began = time.time()
        pieces = await asyncio.to_thread(self._publish, int(began * 1_000))
        self._current_at = began
        await self._tell(int(began * 1_000))
        return pieces

    def _publish(self, now_ms: int) -> list[Piece]:
        notary, pieces = self._notary, []
        for piece in publish(self._journal, self._folder, notary.domain, notary.key.sign, now_ms):
            self.metrics.pieces.inc()
            self.metrics.sequence.set(piece.last_seq)
            _log.info("published", first_seq=piece.first_seq, last_seq=piece.last_seq, head=piece.head)
            pieces.append(piece)
        return pieces

    async def _tell(self, current_ms: int) -> None:
        """Add what the database does not know yet: after a start, or a renewal of it, perhaps everything."""
        async with self._database.begin() as connection:
            told = await rows.last_seq(connection)
            pieces = await asyncio.to_thread(read_index, self._folder, told)
            await rows.add(connection, [asdict(piece) for piece in pieces])
            await rows.set_current(connection, current_ms)


def run(settings: Settings) -> None:
    """Run the publisher until it is told to stop. SystemExit with a message when it cannot run."""
    configure_logs(settings.log_level, "publisher")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except (JournalError, SeedError, SettingsError) as error:
        _log.error("publisher cannot run", error=str(error))
        raise SystemExit(str(error)) from None


async def _run(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    notary = notary_of(settings, load_deployment(settings.deployment_file))
    host, port = settings.metrics.host, settings.metrics.publisher
    database = create_engine(settings.database_url(), pool_size=2)
    try:
        publisher = Publisher(settings.journal_dir, settings.published_dir, notary, database) if notary else None
        registry = publisher.metrics.registry if publisher else CollectorRegistry()
        published = settings.published_dir if publisher else None
        archivist = Archivist(settings.journal_dir, settings.archive_dir, published, database, registry)
        parts: list[Coroutine[Any, Any, Any]] = [stopped.wait()]
        if publisher is not None:
            parts.append(publisher.run(settings.publication.every_seconds))
        else:
            _log.warning("nothing is published: this deployment has no bond, and so no receipt key")
        if settings.archive.enabled:
            parts.append(archivist.run(settings.archive.every_seconds))
        health = publisher.problem if publisher else lambda: None
        async with serve_health(host, port, registry, health, lambda: health() or archivist.problem):
            await _until_stopped(parts)
    finally:
        await database.dispose()


async def _until_stopped(parts: list[Coroutine[Any, Any, Any]]) -> None:
    """Run the parts until one of them ends: the one that waits for a signal, or one that fails."""
    done, pending = await asyncio.wait(map(asyncio.create_task, parts), return_when=asyncio.FIRST_COMPLETED)
    await end(pending)
    for task in done:
        task.result()
