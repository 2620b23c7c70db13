"""The mirror: one contract of one chain in one database schema, moved forwards and backwards, a transaction each.

Blocks, logs, derived rows, balances, the position and what the engine is told commit together or not at
all. The position is locked and compared first, so a second indexer, or one that lost its connection while
committing, can do no harm: it finds the position elsewhere and starts again from there.

    PositionMoved   somebody else moved the position; load it again
"""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.chain.rpc import Rpc
from exchange.chain.types import Log
from exchange.database import mirror
from exchange.database.mirror import CATCHING_UP, LIVE, NEW, Position
from indexer.effects import Advance, Effects
from indexer.fold import Fold, fold_headers, fold_logs
from indexer.follower import FollowerError, Forked, Inconsistent, Reader, Span, Tip, common_ancestor
from indexer.handlers import HANDLERS

log = structlog.get_logger(__name__)

NAME = "custody"
ANCESTOR_PAGE = 64
LONG_SPAN = 1_000
"""Logs in a span that is worth a thread."""


class PositionMoved(FollowerError):
    """The position is not where it was."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What is mirrored: a contract and the block that made it."""

    chain_id: int
    address: str
    first_block: int


@dataclass(frozen=True, slots=True)
class Depths:
    """Confirmations (a block at the head has one) that make a deposit creditable and a block final.

    A reorg deeper than `retained` blocks takes the mirror out of service until it has caught up.
    """

    credit: int
    final: int
    retained: int
    finalized_tag: bool = False
    history_headers: bool = True


@dataclass(slots=True)
class Stats:
    """What a mirror has done since it started, for the metrics."""

    events: int = 0
    blocks: int = 0
    reorgs: int = 0
    deepest_reorg: int = 0
    unknown_events: int = 0
    last_commit: float = 0.0


class Mirror:
    """Follows a node. Without `effects` it only mirrors, which is how the audit builds a second one."""

    def __init__(
        self, rpc: Rpc, engine: AsyncEngine, contract: Contract, depths: Depths, effects: Effects | None = None
    ) -> None:
        self._rpc = rpc
        self._engine = engine
        self._contract = contract
        self._depths = depths
        self._effects = effects
        self._reader = Reader(rpc, contract.address)
        self._position: Position | None = None
        self._markets: dict[int, tuple[int, int, int]] = {}
        self.head = 0
        self.stats = Stats()

    @property
    def position(self) -> Position | None:
        """Where the mirror stands, None before it was loaded."""
        return self._position

    async def load(self) -> None:
        """Read the position from the database; at the very first time, make one before the contract's first block.

        Raises Inconsistent while the node has no such block.
        """
        async with self._engine.begin() as conn:
            self._position = await mirror.position(conn, self._contract.chain_id, NAME)
            if self._position is None:
                self._position = await self._origin()
                await mirror.move(conn, self._contract.chain_id, NAME, self._position)
            self._markets = await mirror.listed_markets(conn, self._contract.chain_id)

    async def step(self, limit: int | None = None) -> bool:
        """Follow the node up to its head (or to height `limit`); False when there was nothing to do.

        Raises ChainError, Inconsistent or PositionMoved; all of them may be tried again after a pause.
        """
        if self._position is None:
            await self.load()
        head = await self._rpc.header("latest")
        if head is None:
            raise Inconsistent("the node has no head")
        self.head = head.number
        if limit is not None and limit < head.number:
            head = await self._rpc.header(limit) or head
        target = Tip(head.number, head.hash)
        try:
            return await self._follow(target)
        except Forked:
            await self._go_back()
            return True
        except PositionMoved:
            self._position = None
            raise

    async def _follow(self, target: Tip) -> bool:
        position = self._at()
        if target.number <= position.number:
            await self._check_late(target)
            return False
        finalized = await self._finalized()
        ahead = self._start_reading(Tip(position.number, position.hash), target, finalized)
        try:
            while ahead is not None:
                span = await ahead
                ahead = self._start_reading(span.end, target, finalized)
                await self._write(span, finalized)
        finally:
            if ahead is not None:
                await _abandon(ahead)
        return True

    def _start_reading(self, after: Tip, target: Tip, finalized: int) -> asyncio.Task[Span] | None:
        """Read the next span while the one before it is written; None at the target."""
        if after.number >= target.number:
            return None
        return asyncio.create_task(self._read(after, target, finalized))

    async def _read(self, after: Tip, target: Tip, finalized: int) -> Span:
        """The next span; history that is final may be read without headers, by itself."""
        old = min(finalized, self.head - self._depths.retained)
        if self._depths.history_headers or after.number >= old:
            return await self._reader.read(after, target)
        return await self._reader.read(after, Tip(old, ""), with_headers=False)

    async def _check_late(self, target: Tip) -> None:
        """The node is not ahead: it must at least be on the mirror's chain. Raises Forked."""
        position = self._at()
        if (target.number, target.hash) == (position.number, position.hash):
            return
        async with self._engine.connect() as conn:
            stored = await mirror.stored_hashes(conn, self._contract.chain_id, target.number, 1)
        if stored and stored[0] != (target.number, target.hash):
            raise Forked(f"block {target.number} is not the node's")
        if not stored and target.number >= self._contract.first_block:
            raise Forked(f"block {target.number} is unknown")
        if target.number < self._contract.first_block:
            raise Inconsistent(f"the node's chain ends at {target.number}, before the contract was made")

    async def _finalized(self) -> int:
        """The height up to which the node's chain is final."""
        if not self._depths.finalized_tag:
            return self.head - self._depths.final + 1
        header = await self._rpc.header("finalized")
        return header.number if header is not None else 0

    async def _write(self, span: Span, finalized: int) -> Position:
        """Write a span and move the position to its end."""
        before = self._at()
        fold = await self._fold(span)
        after = Position(
            span.end.number,
            span.end.hash,
            max(before.confirmed_number, min(span.end.number, self.head - self._depths.credit + 1)),
            max(before.finalized_number, min(span.end.number, finalized)),
            LIVE if span.end.number >= self.head else before.status,
        )
        async with self._engine.begin() as conn:
            await self._lock(conn, before)
            await self._insert(conn, fold)
            if self._effects is not None:
                await self._tell(conn, self._effects, before, after)
            await mirror.move(conn, self._contract.chain_id, NAME, after)
        self._position = after
        self._markets = fold.markets
        self.stats.blocks += after.number - before.number
        self.stats.events += len(span.logs)
        self.stats.unknown_events += fold.unknown
        self.stats.last_commit = time.monotonic()
        return after

    async def _fold(self, span: Span) -> Fold:
        """The span's rows; a long one is folded beside the loop, which meanwhile reads and writes others."""
        fold = Fold(self._contract.chain_id, self._markets)
        fold_headers(fold, span.headers)
        if len(span.logs) < LONG_SPAN:
            fold_logs(fold, span.logs, HANDLERS)
        else:
            await asyncio.to_thread(fold_logs, fold, span.logs, HANDLERS)
        return fold

    async def _insert(self, conn: AsyncConnection, fold: Fold) -> None:
        await mirror.copy_logs(conn, fold.logs)
        for table, rows in fold.rows.items():
            await mirror.copy(conn, table, rows)
        await mirror.add_balances(conn, self._contract.chain_id, fold.trading, fold.funding)

    async def _tell(self, conn: AsyncConnection, effects: Effects, before: Position, after: Position) -> None:
        """Let the engine know what is new; of a new index all at once at its end, for the past is over."""
        final_timestamp = await mirror.timestamp(conn, self._contract.chain_id, after.finalized_number)
        if before.status != NEW:
            indexed, confirmed, final = before.number, before.confirmed_number, before.finalized_number
        else:
            indexed = confirmed = final = self._contract.first_block - 1
        step = Advance(
            (indexed, after.number),
            (confirmed, after.confirmed_number),
            (final, after.finalized_number),
            final_timestamp,
        )
        if before.status != NEW:
            await effects.advance(conn, step)
        elif after.status == LIVE:
            await effects.restate(conn, step)

    async def _go_back(self) -> None:
        """Leave a dead branch: find the common ancestor and take back everything above it."""
        ancestor = await self._ancestor()
        before = self._at()
        depth = before.number - ancestor.number
        after = replace(
            ancestor,
            confirmed_number=min(before.confirmed_number, ancestor.number),
            finalized_number=min(before.finalized_number, ancestor.number),
            status=before.status if before.status == NEW or depth <= self._depths.retained else CATCHING_UP,
        )
        async with self._engine.begin() as conn:
            await self._lock(conn, before)
            await self._take_back(conn, before, after)
            await mirror.move(conn, self._contract.chain_id, NAME, after)
            self._markets = await mirror.listed_markets(conn, self._contract.chain_id)
        self._position = after
        self.stats.reorgs += 1
        self.stats.deepest_reorg = max(self.stats.deepest_reorg, depth)
        log.warning("reorg", depth=depth, ancestor=ancestor.number, was=before.number)

    async def _take_back(self, conn: AsyncConnection, before: Position, after: Position) -> None:
        chain_id = self._contract.chain_id
        effects = self._effects if before.status != NEW else None
        subjects = await effects.withdraw(conn, after.number) if effects else None
        fold = Fold(chain_id, self._markets)
        fold_logs(fold, [_as_log(row) for row in await mirror.logs_above(conn, chain_id, after.number)], HANDLERS)
        await mirror.add_balances(conn, chain_id, fold.trading, fold.funding, sign=-1)
        await mirror.delete_above(conn, chain_id, after.number)
        if effects and subjects:
            final_timestamp = await mirror.timestamp(conn, chain_id, after.finalized_number)
            await effects.restore(conn, subjects, before.hash, after.finalized_number, final_timestamp)

    async def _ancestor(self) -> Position:
        """The last block of the mirror that is on the node's chain, or the place before the contract's first."""
        up_to = self._at().number
        while True:
            async with self._engine.connect() as conn:
                stored = await mirror.stored_hashes(conn, self._contract.chain_id, up_to, ANCESTOR_PAGE)
            if not stored:
                return await self._origin()
            tip = await common_ancestor(self._rpc, stored)
            if tip is not None:
                return Position(tip.number, tip.hash, 0, 0)
            up_to = stored[-1][0] - 1

    async def _origin(self) -> Position:
        first = await self._rpc.header(self._contract.first_block)
        if first is None:
            raise Inconsistent(f"the node has no block {self._contract.first_block}, the one that made the contract")
        number = self._contract.first_block - 1
        return Position(number, first.parent_hash, number, number)

    async def _lock(self, conn: AsyncConnection, expected: Position) -> None:
        found = await mirror.position(conn, self._contract.chain_id, NAME, lock=True)
        if found != expected:
            raise PositionMoved(f"the position is {found}, not {expected}")

    def _at(self) -> Position:
        if self._position is None:
            raise PositionMoved("the position is not loaded")
        return self._position


async def _abandon(task: asyncio.Task[Span]) -> None:
    """Stop reading ahead; whatever went wrong there will go wrong again when it matters."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _as_log(row: Any) -> Log:
    """A stored log as the node gave it."""
    topics = tuple(f"0x{row.topics[start : start + 32].hex()}" for start in range(0, len(row.topics), 32))
    return Log(
        address="0x" + row.address.hex(),
        topics=topics,
        data="0x" + row.data.hex(),
        block_number=hex(row.number),
        block_hash="0x" + row.block_hash.hex(),
        transaction_hash="0x" + row.tx_hash.hex(),
        transaction_index=hex(row.tx_index),
        log_index=hex(row.log_index),
    )
