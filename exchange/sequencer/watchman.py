"""The surveillance process: follows the journal with an engine of its own, looks at windows of it, and keeps cases.

run(settings)    blocks; SIGTERM and SIGINT stop it; it may be killed at any moment

Windows end at whole steps of the journal's time, so the same journal and links give the same cases, whenever it runs.
Cases and the position they lead to are written in one transaction.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import structlog
import uvloop
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import surveillance as rows
from exchange.database.engine import create_engine
from exchange.domain.order import Terms
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.journal.errors import JournalError
from exchange.journal.marker import MARKER_NAME
from exchange.journal.reader import Reader, Record
from exchange.journal.recovery import Recovered, recover
from exchange.sequencer.ending import end
from exchange.sequencer.engines import implementation
from exchange.sequencer.health import serve_health
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.seed import SeedError, load_deployment
from exchange.settings import Settings, SettingsError, SurveillanceSettings
from exchange.surveillance.detect import detect, unknown
from exchange.surveillance.relations import MOST_LINKED, Relations, relations_of
from exchange.surveillance.tape import BUY, SELL, Case, Ended, Fact, Link, Placed, Stopped, Traded
from exchange.surveillance.thresholds import Thresholds

MAX_RUN = 2_000
POLL_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_BUY_QUOTE = 2

_log = structlog.get_logger("surveillance")


def thresholds_of(settings: SurveillanceSettings) -> Thresholds:
    """The thresholds that the settings give."""
    same = {field.name: getattr(settings, field.name) for field in fields(Thresholds) if field.name != "window_ms"}
    return Thresholds(window_ms=settings.window_seconds * 1_000, **same)


class WatchMetrics:
    """What the process tells about itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.cases = Counter("bizzan_surveillance_cases_total", "Cases found", ["pattern"], registry=self.registry)
        self.sequence = Gauge("bizzan_surveillance_sequence", "Last sequence read", registry=self.registry)
        self.failures = Counter(
            "bizzan_surveillance_failures_total", "Failures of the database that were retried", registry=self.registry
        )


class Watchman:
    """Looks at the journal in `folder` and keeps cases in `database`."""

    def __init__(
        self,
        folder: Path,
        database: AsyncEngine,
        chain_id: int,
        limits: Thresholds,
        every_ms: int,
        engine: type[Engine] = Engine,
    ) -> None:
        """`engine` is the implementation of the replica."""
        self.metrics = WatchMetrics()
        self.problem: str | None = None
        self._folder = folder
        self._database = database
        self._chain_id = chain_id
        self._limits = limits
        self._every_ms = every_ms
        self._engine = engine
        self._tape: deque[Fact] = deque()
        self._done_ms = 0
        """The end of the last window that was looked at."""

    async def run(self, clock: Callable[[], int]) -> None:
        """Look for ever; `clock` gives milliseconds since 1970. JournalError for a journal that cannot be read."""
        while not await asyncio.to_thread((self._folder / MARKER_NAME).exists):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        replica = await self._retry(self.start)
        follower = Reader(self._folder).follow(replica.seq + 1)
        while True:
            records = await asyncio.to_thread(follower.poll, MAX_RUN)
            for record in records:
                await self.read(replica, record)
            if not records:
                await self.look_before(clock())
                await asyncio.sleep(POLL_SECONDS)
            else:
                await asyncio.sleep(0)

    async def start(self) -> Recovered:
        """A replica of the engine just before the window that was looked at last."""
        async with self._database.connect() as connection:
            position = await rows.position(connection)
        self._done_ms = position.until_ms
        replica = await asyncio.to_thread(recover, self._folder, position.from_seq - 1, engine=self._engine)
        _log.info("surveillance starts", seq=replica.seq)
        return replica

    async def read(self, replica: Recovered, record: Record) -> None:
        """Take one record; a window that ends before it is looked at first."""
        await self.look_before(record.at_ms)
        self._tape.extend(facts_of(replica, record, replica.advance(record)))
        self.metrics.sequence.set(record.seq)

    async def look_before(self, now_ms: int) -> None:
        """Look at the window that ends with the step of the last fact, once that step is over, unless it was done."""
        if not self._tape:
            return
        until_ms = (self._tape[-1].at_ms // self._every_ms + 1) * self._every_ms
        if self._done_ms < until_ms <= now_ms:
            await self._retry(lambda: self._look(until_ms))
            self._done_ms = until_ms

    async def _look(self, until_ms: int) -> None:
        while self._tape and self._tape[0].at_ms < until_ms - self._limits.window_ms:
            self._tape.popleft()
        if not self._tape:
            return
        tape = list(self._tape)
        async with self._database.begin() as connection:
            relations = await self._relations(connection, tape)
            found = await asyncio.to_thread(detect, tape, relations, self._limits, until_ms)
            known = await rows.known(connection, {case.subject for case in found})
            fresh = unknown(found, known)
            await rows.add(connection, [_row(case) for case in fresh])
            await rows.move(connection, rows.Position(tape[0].seq, until_ms))
        for case in fresh:
            self.metrics.cases.labels(case.pattern.value).inc()
            _log.warning("case", pattern=case.pattern.value, market=case.market, first_seq=case.first_seq)

    async def _relations(self, connection: Any, tape: list[Fact]) -> Relations:
        accounts = {account for fact in tape if isinstance(fact, Traded) for account in (fact.maker, fact.taker)}
        found = await rows.links(connection, self._chain_id, accounts, MOST_LINKED)
        return relations_of(Link(*link) for link in found)

    async def _retry(self, action: Callable[[], Any]) -> Any:
        """The result of `action`, again and again while the database fails."""
        while True:
            try:
                result = await action()
            except (SQLAlchemyError, OSError) as error:
                self.problem = f"the database cannot be used ({type(error).__name__})"
                self.metrics.failures.inc()
                _log.warning("database failed", error=str(error)[:500])
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.problem = None
                return result


def watchman_of(settings: Settings, database: AsyncEngine, chain_id: int) -> Watchman:
    """The watchman that the settings ask for."""
    limits, every_ms = thresholds_of(settings.surveillance), settings.surveillance.every_seconds * 1_000
    replica = implementation(settings.engine.replica)
    return Watchman(settings.journal_dir, database, chain_id, limits, every_ms, replica)


def facts_of(replica: Recovered, record: Record, events: list[e.Event]) -> Iterator[Fact]:
    """What surveillance looks at, of what a record did."""
    accounts, seq, at_ms = replica.engine.state.accounts, record.seq, record.at_ms

    def address(account_id: int) -> bytes:
        return accounts[account_id - 1].address

    left = {event.order_id: event.remaining for event in events if isinstance(event, e.OrderAmended)}
    for event in events:
        match event:
            case e.OrderAccepted():
                quantity = left.get(event.order_id, event.quantity)
                placed = _placed(record, event, address(event.account), quantity)
                if placed is not None:
                    yield placed
            case e.TradeMatched():
                yield Traded(
                    seq,
                    at_ms,
                    event.trade_id,
                    event.market,
                    event.price,
                    event.quantity,
                    event.quote,
                    event.taker_side,
                    event.maker_order,
                    event.taker_order,
                    address(event.maker_account),
                    address(event.taker_account),
                )
            case e.OrderClosed():
                account = address(event.account)
                reason = event.reason.value
                yield Ended(seq, at_ms, event.order_id, account, event.market, reason, event.remaining)
            case e.OrderReduced():
                yield Stopped(seq, at_ms, event.order_id, address(event.account), event.market, event.quantity)
            case _:
                pass


def _placed(record: Record, event: e.OrderAccepted, account: bytes, quantity: int) -> Placed | None:
    """An order as the book shows it, of so many lots; None for one that waits for a price, and that nobody sees."""
    terms = Terms.unpack(event.terms)
    if terms.trigger_type:
        return None
    side = SELL if event.side == SELL else BUY
    lots = quantity // max(event.price, 1) if event.side == _BUY_QUOTE else quantity
    shown = min(lots, terms.displayed_quantity) if terms.displayed_quantity else lots
    order_id, market = event.order_id, event.market
    return Placed(record.seq, record.at_ms, order_id, account, event.signer, market, side, event.price, shown)


def _row(case: Case) -> dict[str, Any]:
    return {
        "pattern": case.pattern.value,
        "subject": case.subject,
        "market": case.market,
        "accounts": ["0x" + account.hex() for account in case.accounts],
        "first_seq": case.first_seq,
        "last_seq": case.last_seq,
        "began_at": case.began_ms,
        "ended_at": case.ended_ms,
        "figures": dict(case.figures),
        "evidence": list(case.evidence),
        "text": case.text,
    }


def run(settings: Settings) -> None:
    """Run surveillance until it is told to stop. SystemExit with a message when it cannot run."""
    configure_logs(settings.log_level, "surveillance")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except (JournalError, SeedError, SettingsError) as error:
        _log.error("surveillance cannot run", error=str(error))
        raise SystemExit(str(error)) from None


async def _run(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    deployment = load_deployment(settings.deployment_file)
    database = create_engine(settings.database_url(), pool_size=1)
    try:
        watchman = watchman_of(settings, database, deployment.chain_id)
        async with serve_health(
            settings.metrics.host, settings.metrics.surveillance, watchman.metrics.registry, lambda: watchman.problem
        ):
            tasks = [
                asyncio.create_task(watchman.run(lambda: time.time_ns() // 1_000_000)),
                asyncio.create_task(stopped.wait()),
            ]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await end(pending)
            for task in done:
                task.result()
    finally:
        await database.dispose()
