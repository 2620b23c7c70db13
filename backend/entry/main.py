"""The entry process: `run(settings)` serves the binary protocol until it is told to stop."""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, time

import structlog
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from backend.delegates import Delegate, Delegates
from backend.entry.bounds import Door
from backend.entry.court import Court
from backend.entry.exchange import Exchange
from backend.entry.link import EngineLink
from backend.entry.metrics import EntryMetrics
from backend.entry.server import Connection
from exchange.database import balances, positions
from exchange.database import delegates as delegate_rows
from exchange.database.engine import create_engine
from exchange.domain.deployment import Deployment
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import IS_COMPILED
from exchange.sequencer.health import serve_health
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.seed import unsettled_limit_ms
from exchange.sequencer.slices import take_short_turns
from exchange.settings import Settings

SWITCH_SECONDS = 0.0005
MAX_KNOWN = 100_000
_WATCH_SECONDS = 1.0

_log = structlog.get_logger("entry")


def run(settings: Settings) -> None:
    """Serve until it is told to stop."""
    configure_logs(settings.log_level, "entry")
    sys.setswitchinterval(SWITCH_SECONDS)
    take_short_turns()
    if not IS_COMPILED:
        _log.warning("orders are hashed in Python: there was no compiler")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))


async def _run(settings: Settings) -> None:
    deployment = Deployment.parse(json.loads(settings.deployment_file.read_bytes()))
    workers = settings.entry.workers or os.cpu_count() or 1
    metrics = EntryMetrics()
    async with AsyncExitStack() as stack:
        database = create_engine(settings.database_url(), 3)
        stack.push_async_callback(database.dispose)
        loop = asyncio.get_running_loop()
        silence = Silence(unsettled_limit_ms(deployment.windows) / 1_000)

        async def load(account: bytes, key: bytes) -> Delegate | None:
            async with database.connect() as conn:
                row = await delegate_rows.latest(conn, deployment.chain_id, account, key)
            return None if row is None or row.kind != "added" else Delegate(int(row.markets), int(row.expiry))

        async def is_account(account: bytes) -> bool:
            async with database.connect() as conn:
                return await balances.account_row(conn, account) is not None

        async def indexed_at() -> int:
            async with database.connect() as conn:
                return (await positions.read(conn, deployment.chain_id)).indexed_at

        delegates = Delegates(load, lambda: int(time() * 1_000))
        link = EngineLink(str(settings.engine_socket()))
        bounds = settings.entry
        court = Court(workers, metrics.judge_seconds.observe, lambda: exchange.break_off())
        scope_of = partial(_scope, delegates)
        door = Door(bounds, monotonic)
        known = Known(is_account)
        exchange = Exchange(
            bounds,
            deployment.domain,
            link,
            door,
            court,
            scope_of,
            known.has,
            silence.is_long,
            metrics=metrics,
            knows=known.knows,
        )
        metrics.watch(lambda: exchange.room.held, lambda: link.pending, lambda: court.waiting)
        stack.push_async_callback(court.close)
        await court.open()
        for task in (loop.create_task(link.keep()), loop.create_task(silence.watch(indexed_at))):
            stack.callback(task.cancel)
        health = lambda: None if link.connected else "the engine does not answer"  # noqa: E731
        await stack.enter_async_context(
            serve_health(settings.metrics.host, settings.metrics.entry, metrics.registry, lambda: None, health)
        )
        server = await loop.create_server(lambda: Connection(exchange), bounds.host, bounds.port)
        path = settings.entry_socket()
        with only_for_this_user(path):
            local = await loop.create_unix_server(lambda: Connection(exchange, is_local=True), str(path))
        gc.collect()
        gc.freeze()
        _log.info("entry listens", host=bounds.host, port=bounds.port, workers=workers)
        await _told_to_stop(exchange.stopped)
        server.close()
        local.close()
        path.unlink(missing_ok=True)
        for connection in list(exchange.connections):
            connection.close()
        if exchange.is_broken:
            raise RuntimeError("a process that checks signatures has died: start order entry again")


@contextmanager
def only_for_this_user(path: Path) -> Iterator[None]:
    """A Unix socket that is made at `path` meanwhile can be opened by this user alone."""
    path.unlink(missing_ok=True)
    previous = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(previous)


async def _scope(delegates: Delegates, account: bytes, signer: bytes) -> tuple[int, int]:
    """A delegated key's markets and expiry; Refusal for one that is none, or while the database is away."""
    try:
        delegate = await delegates.scope(account, signer)
    except (SQLAlchemyError, OSError, TimeoutError):
        raise Refusal(ErrorCode.unavailable, "the database is away: try again in a second") from None
    return delegate.markets, delegate.expiry


class Known:
    """Accounts that have had a deposit credited, as projected; one that is known stays so."""

    def __init__(self, is_account: Callable[[bytes], Awaitable[bool]]) -> None:
        self._is_account = is_account
        self._accounts: set[bytes] = set()

    def knows(self, account: bytes) -> bool:
        """Whether an account was found before."""
        return account in self._accounts

    async def has(self, account: bytes) -> bool:
        """Whether an account is known. While the database is away everyone is: traders are not to be kept out."""
        if self.knows(account):
            return True
        try:
            found = await self._is_account(account)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            _log.warning("database away", error=str(error)[:200])
            return True
        if found and len(self._accounts) < MAX_KNOWN:
            self._accounts.add(account)
        return found


class Silence:
    """For how long nothing was heard of the chain, looked at once a second."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._indexed_at = 0

    def is_long(self) -> bool:
        """Whether it is too long for orders that take; never before the first block."""
        return bool(self._indexed_at) and time() - self._indexed_at > self._limit_seconds

    async def watch(self, indexed_at: Callable[[], Awaitable[int]]) -> None:
        """Look for ever; while the database is away, the last block that was seen grows old."""
        while True:
            try:
                self._indexed_at = await indexed_at()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("database away", error=str(error)[:200])
            await asyncio.sleep(_WATCH_SECONDS)


async def _told_to_stop(stopped: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
