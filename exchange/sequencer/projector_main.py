"""The projector process: the journal into the database, and the inbox into the engine, until it is told to stop.

run(settings)    blocks; SIGTERM and SIGINT stop it; it may be killed at any moment
"""

import asyncio
import gc
import signal
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog
import uvloop

from exchange.database.engine import create_engine
from exchange.domain.errors import Refusal
from exchange.journal.errors import JournalError
from exchange.sequencer.client import EngineClient
from exchange.sequencer.emptied import EmptiedDatabase, check_not_emptied
from exchange.sequencer.ending import end
from exchange.sequencer.engines import implementation
from exchange.sequencer.forwarder import Forwarder
from exchange.sequencer.health import serve_health
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.metrics import ProjectorMetrics
from exchange.sequencer.projector import ForeignJournal, Projector
from exchange.sequencer.retry import Retry
from exchange.settings import Settings

_POOL_SIZE = 3

_log = structlog.get_logger("projector")


def run(settings: Settings) -> None:
    """Run the projector until it is told to stop. SystemExit with a message when it cannot run."""
    configure_logs(settings.log_level, "projector")
    gc.set_threshold(200_000, 20, 100)  # a run is many objects, and none of them forms a cycle
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except (JournalError, ForeignJournal, EmptiedDatabase) as error:
        _log.error("projector cannot run", error=str(error))
        raise SystemExit(str(error)) from None


async def _run(settings: Settings) -> None:
    metrics = ProjectorMetrics()
    database = create_engine(settings.database_url(), pool_size=_POOL_SIZE)
    retry = Retry(metrics)
    replica = implementation(settings.engine.replica)
    projector = Projector(settings.journal_dir, database, retry, metrics, replica)
    client = EngineClient(settings.engine_socket())
    forwarder = Forwarder(database, client, lambda: projector.seq, retry, metrics)
    try:
        async with serve_health(
            settings.metrics.host, settings.metrics.projector, metrics.registry, lambda: retry.problem
        ):
            await retry.until_done("read", partial(check_not_emptied, settings.journal_dir, database))
            await _until_stopped(projector.run(), _forward(client, forwarder))
    finally:
        await client.close()
        await database.dispose()


async def _forward(client: EngineClient, forwarder: Forwarder) -> None:
    while not client.connected:
        try:
            await client.connect()
        except Refusal as refusal:
            _log.warning("engine is away", reason=refusal.message)
    await forwarder.run()


async def _until_stopped(*parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts until a signal comes, or one of them fails."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(part) for part in (*parts, stopped.wait())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await end(pending)
    for task in done:
        task.result()
