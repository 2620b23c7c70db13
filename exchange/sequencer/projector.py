"""The projector: follows the journal with an engine of its own and folds what happens into the database.

The engine never waits for it. A run of records and the position they lead to are written in one transaction, so a kill
at any moment loses and repeats nothing. The replica starts where the database stands, from a snapshot at or before it.

    ForeignJournal   the database was filled from another journal
"""

import asyncio
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.database import projection
from exchange.engine.commands import PlaceFrame
from exchange.engine.engine import Engine
from exchange.journal.errors import CorruptJournal
from exchange.journal.marker import MARKER_NAME
from exchange.journal.reader import POLL_SECONDS, Follower, Reader
from exchange.journal.recovery import Recovered, take_snapshot
from exchange.sequencer.fold import Fold, Rows
from exchange.sequencer.helpers import Helpers
from exchange.sequencer.metrics import ProjectorMetrics
from exchange.sequencer.replaying import Replaying
from exchange.sequencer.retry import Retry

MAX_RUN = 2_000
MAX_RUN_ORDERS = 8_192
"""Of frames, which bring up to 1,024 in a record: a run is begun before so many, so that no transaction is a burst."""
SNAPSHOT_EVERY = 100_000
SNAPSHOT_SECONDS = 20.0
"""A snapshot comes after so many records, or when applying them took so long: a start does not take much longer."""
SMALL_RUN = 200
REST_SECONDS = 0.03
"""After a small run: what comes meanwhile goes into one transaction, which costs far more than its rows."""
HEADS_REMEMBERED = 50_000
_JOURNAL_SECONDS = 0.1
_READ_AT_ONCE = 16

_log = structlog.get_logger("projector")


class ForeignJournal(Exception):
    """The database does not belong to this journal; the message says what to do."""


class PositionMoved(Exception):
    """Somebody else has moved the database's position: the replica must start again from there."""


class RecentHeads:
    """The journal's heads after recent sequences, at hand; older ones are looked up. A batch is cut near the end."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._young: dict[int, bytes] = {}
        self._old: dict[int, bytes] = {}

    def add(self, seq: int, head: bytes) -> None:
        """Remember a head; at least the last `HEADS_REMEMBERED` are."""
        if len(self._young) == HEADS_REMEMBERED:
            self._old, self._young = self._young, {}
        self._young[seq] = head

    def at(self, seq: int) -> bytes:
        """The head after record `seq`, which must be durable."""
        return self._young.get(seq) or self._old.get(seq) or self._reader.head_at(seq)


class Projector:
    """Projects the journal in `folder` into `database`. `seq` is the last sequence that is in the database."""

    def __init__(
        self,
        folder: Path,
        database: AsyncEngine,
        retry: Retry,
        metrics: ProjectorMetrics,
        engine: type[Engine] = Engine,
    ) -> None:
        """`engine` is the implementation of the replica."""
        self.seq = 0
        self._folder = folder
        self._engine = engine
        self._reader = Reader(folder)
        self._database = database
        self._helpers = Helpers(database)
        self._retry = retry
        self._metrics = metrics
        self._heads = RecentHeads(self._reader)
        self._snapshot_seq = 0
        self._worked_seconds = 0.0
        """Since the last snapshot, on applying records."""

    async def run(self) -> None:
        """Project for ever. Ends with ForeignJournal, or CorruptJournal, when it cannot be right to go on."""
        await self._wait_for_journal()
        while True:
            try:
                await self._follow(await self._start())
            except PositionMoved as moved:
                _log.warning("position moved", reason=str(moved))

    async def _wait_for_journal(self) -> None:
        """Wait for the engine's very first start."""
        while not await asyncio.to_thread((self._folder / MARKER_NAME).exists):  # noqa: ASYNC110
            await asyncio.sleep(_JOURNAL_SECONDS)

    async def _start(self) -> Recovered:
        """A replica of the engine as it was at the database's position."""
        position = await self._retry.until_done("position", self._position)
        durable = self._reader.durable()
        if position.seq > durable.seq or (position.seq and self._reader.head_at(position.seq) != position.head):
            raise ForeignJournal(
                f"the database stands at sequence {position.seq} of another journal than {self._folder} (which ends at "
                f"{durable.seq}): restore that journal, or stop every service and run 'bizzan rebuild'"
            )
        replaying = Replaying(self._folder, _log)
        recovered = await asyncio.to_thread(replaying.recover, position.seq, self._engine)
        _log.info("projector starts", seq=recovered.seq, replayed=recovered.replayed)
        replaying.keep_if_long(recovered)
        self._snapshot_seq = recovered.snapshot_seq
        self._moved_to(recovered.seq)
        return recovered

    async def _position(self) -> projection.Position:
        async with self._database.connect() as conn:
            return await projection.position(conn)

    async def _follow(self, replica: Recovered) -> None:
        follower = self._reader.follow(replica.seq + 1)
        while True:
            rows = self._fold(replica, follower)
            if rows is None:
                await asyncio.sleep(POLL_SECONDS)
                continue
            started = time.perf_counter()
            await self._retry.until_done("write", partial(self._write, rows, self.seq))
            self._metrics.write_seconds.observe(time.perf_counter() - started)
            self._moved_to(rows.seq)
            if rows.seq - self._snapshot_seq >= SNAPSHOT_EVERY or self._worked_seconds >= SNAPSHOT_SECONDS:
                self._snapshot(replica)
            if rows.records < SMALL_RUN:
                await asyncio.sleep(REST_SECONDS)

    def _fold(self, replica: Recovered, follower: Follower) -> Rows | None:
        """The rows of the next run of records, or None while there is none."""
        fold = Fold(self._heads.at)
        orders, began = 0, time.thread_time()
        while fold.rows.records < MAX_RUN and orders < MAX_RUN_ORDERS:
            records = follower.poll(min(_READ_AT_ONCE, MAX_RUN - fold.rows.records))
            for record in records:
                self._heads.add(record.seq, record.head)
                fold.add(record, replica.advance(record))
                orders += record.command.count if isinstance(record.command, PlaceFrame) else 1
            if not records:
                break
        self._worked_seconds += time.thread_time() - began
        return fold.finish() if fold.rows.records else None

    async def _write(self, rows: Rows, first: int) -> None:
        """Write a run that starts after `first`, unless it is there already (its answer was lost)."""
        async with self._database.begin() as conn:
            self._helpers.keep_up()
            await projection.lock(conn)
            position = await projection.position(conn)
            if (position.seq, position.head) == (rows.seq, rows.head):
                return
            if position.seq != first:
                raise PositionMoved(f"the database stands at {position.seq}, expected {first}")
            await write_rows(conn, rows)

    def _snapshot(self, replica: Recovered) -> None:
        """Store the replica's state: the engine's own, but taken where nobody waits for it."""
        self._snapshot_seq, self._worked_seconds = replica.seq, 0.0
        try:
            path = take_snapshot(self._folder, replica)
        except OSError as error:
            _log.warning("no snapshot taken", error=str(error))
        else:
            _log.info("snapshot taken", file=path.name)

    def _moved_to(self, seq: int) -> None:
        self.seq = seq
        self._metrics.sequence.set(seq)
        try:
            self._metrics.lag.set(self._reader.durable().seq - seq)
        except CorruptJournal:
            self._metrics.lag.set(-1)


async def write_rows(conn: AsyncConnection, rows: Rows) -> None:
    """Write a run and its end, in the caller's transaction."""
    await projection.put_instruments(conn, rows.assets.values(), rows.markets.values())
    await projection.change_markets(conn, rows.market_changes.values(), rows.market_bands.values())
    await projection.put_accounts(conn, rows.accounts.values(), rows.account_changes.values())
    await projection.put_fees(conn, rows.fee_schedules, rows.account_tiers)
    await projection.put_balances(conn, rows.balances.values())
    changes = (rows.order_triggers.values(), rows.order_fills.values(), rows.order_closes.values())
    await projection.put_orders(conn, rows.orders.values(), *changes)
    await projection.put_trades(conn, rows.trades, rows.reversals)
    await projection.put_batches(conn, rows.batches, rows.final_batches)
    await projection.put_withdrawals(conn, rows.withdrawals.values(), rows.withdrawal_ends.values())
    await projection.put_forced(conn, rows.forced.values(), rows.forced_ends.values())
    await projection.add_candles(conn, [asdict(candle) for candle in rows.candles])
    await projection.put_inbox(conn, list(rows.inbox.values()))
    await projection.move(conn, rows.seq, rows.head, rows.at_ms)
