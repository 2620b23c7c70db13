"""The database made anew while nothing runs: the journal is replayed here, the chain at the next start.

PostgreSQL is a mirror, so this mends whatever is wrong with it. The old tables go when the new ones are complete.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.errors import SupervisorError
from bizzan.supervisor.local import build_postgres
from bizzan.supervisor.lock import StateLock
from exchange.database import renewal
from exchange.database.engine import create_engine, migrate_async
from exchange.journal.errors import JournalError
from exchange.journal.marker import MARKER_NAME
from exchange.journal.reader import Reader
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.metrics import ProjectorMetrics
from exchange.sequencer.projector import Projector
from exchange.sequencer.retry import Retry
from exchange.settings import Settings

_POLL_SECONDS = 0.02


def rebuild(settings: Settings) -> int:
    """Make the database of a stopped stack anew from its journal; returns the sequence that it reaches.

    Raises SupervisorError, with the old tables in place, when something runs, or the journal or the database cannot
    be used.
    """
    if not (settings.journal_dir / MARKER_NAME).exists():
        raise SupervisorError(f"there is no journal in {settings.journal_dir}: nothing to rebuild from")
    configure_logs("critical", "rebuild")
    with ExitStack() as stack:
        stack.enter_context(StateLock(settings.state_dir))
        server = build_postgres(settings)
        if server is not None:
            server.start()
            stack.callback(server.stop)
            server.wait_ready()
            server.create_database("bizzan")
        try:
            return asyncio.run(_renew(settings.database_url(), settings.journal_dir))
        except JournalError as error:
            raise SupervisorError(f"nothing was changed, because the journal cannot be replayed: {error}") from None
        except (SQLAlchemyError, OSError) as error:
            raise SupervisorError(f"the database cannot be rebuilt: {_first_line(error)}") from None


async def _renew(url: str, journal: Path) -> int:
    database = create_engine(url, pool_size=1)
    try:
        async with database.begin() as conn:
            if others := await renewal.other_connections(conn):
                raise SupervisorError(f"{others} connections use the database: stop every service first")
            await renewal.put_aside(conn)
        try:
            seq = await _fill(database, url, journal)
        except BaseException:
            async with database.begin() as conn:
                await renewal.bring_back(conn)
            raise
        async with database.begin() as conn:
            await renewal.drop_old(conn)
        return seq
    finally:
        await database.dispose()


async def _fill(database: AsyncEngine, url: str, journal: Path) -> int:
    """Make the tables, and fill them with what is kept and with all that the journal says."""
    await migrate_async(url)
    async with database.begin() as conn:
        await renewal.copy_kept(conn)
    metrics = ProjectorMetrics()
    retry = Retry(metrics)
    projector = Projector(journal, database, retry, metrics)
    end = Reader(journal).durable().seq
    running = asyncio.create_task(projector.run())
    try:
        while projector.seq < end:
            if retry.problem is not None:
                raise SupervisorError(f"the database cannot be rebuilt: {retry.problem}")
            await asyncio.wait([running], timeout=_POLL_SECONDS)
            if running.done():
                running.result()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, JournalError):
            await running
    return projector.seq


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(cause).partition("\n")[0] or type(cause).__name__
