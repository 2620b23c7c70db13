"""Which trades of batches in a row can no longer settle, as the chain is at one block.

The batches are tried one after the other, each as it would be sent, after those before it without the trades
that fail in them. A trade thus fails for what is on the chain, or because one before it does. What passes without
it is never blamed: the rest of its batch, and every batch behind.

How far one look goes is bounded in time, and by the gas that a node gives to one request. What it does not reach
is looked at when what is before it is settled or reversed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import structlog

from exchange.chain.rpc import RpcRefused
from exchange.chain.submission import Clock
from exchange.database.batches import Batch, MatchedTrade
from exchange.domain.settlement import Execution
from keeper.batching import is_one_batch, layouts_of
from keeper.bisection import part
from keeper.custody import OUT_OF_GAS, Block, SettleCall
from keeper.ports import SettlementChain

LOOK_MS = 8_000
"""A look ends after so long, well within the silence that makes a duty unwell."""

Row = Sequence[tuple[Batch, Sequence[MatchedTrade]]]
"""Batches that follow one another, each with its trades that stand."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Finding:
    """What a look found: trades that fail, each with its reason, among those `looked` at, in the journal's order.

    `blocked`: why not even an empty batch settles, and then nothing was looked at.
    """

    failing: list[tuple[MatchedTrade, str]] = field(default_factory=list)
    looked: list[int] = field(default_factory=list)
    blocked: str | None = None


class Judge:
    """Tries batches from one operator's address, each with at most `gas_cap`. Methods raise ChainError."""

    def __init__(self, operator: bytes, chain: SettlementChain, clock: Clock, gas_cap: int) -> None:
        self._operator = operator
        self._chain = chain
        self._clock = clock
        self._gas_cap = gas_cap

    async def look(self, block: Block, row: Row) -> Finding:
        """Try a row of batches at `block`, the latest. The contract waits for the first one."""
        end = self._clock.now_ms() + LOOK_MS
        finding, before = Finding(), list[bytes]()
        for batch, trades in row:
            try:
                passing = await self._look_at(_Place(block, tuple(before), batch), trades, finding, end)
            except RpcRefused as refused:
                if not before:
                    raise
                log.warning("batches_not_tried_in_a_row", batch=batch.batch, error=str(refused)[:200])
                break
            if passing is None or self._clock.now_ms() >= end:
                break
            before.append(passing)
        return finding

    async def refusal(self, block: Block, batch: Batch, trades: Sequence[MatchedTrade]) -> str | None:
        """Why the batch that the contract waits for fails in every layout, None if it passes."""
        return (await self._try(_Place(block, (), batch), trades))[1]

    async def _look_at(
        self, place: "_Place", trades: Sequence[MatchedTrade], finding: Finding, end: int
    ) -> bytes | None:
        """Add what is found in one batch; the call that settles the rest of it, None if the look ends here."""

        async def trial(some: Sequence[MatchedTrade]) -> str | None:
            return (await self._try(place, some))[1]

        data, reason = await self._try(place, trades)
        if reason is None:
            finding.looked += [trade.trade_id for trade in trades]
            return data
        wrong = await trial(())
        if wrong is not None:
            finding.blocked = None if place.before else wrong
            return None
        parted = await part(trades, trial, lambda: self._clock.now_ms() < end)
        good = [(trade, None) for trade in parted.good]
        so_far: list[MatchedTrade] = []
        for trade, reason in sorted([*good, *parted.bad], key=lambda entry: entry[0].trade_id):
            if reason is None:
                so_far.append(trade)
            elif self._clock.now_ms() < end:
                finding.failing.append((trade, await self._weigh(place, so_far, trade, reason)))
            else:
                finding.failing.append((trade, OUT_OF_GAS))
        finding.looked += [trade.trade_id for trade in trades[: len(trades) - len(parted.rest)]]
        return None if parted.rest else (await self._try(place, parted.good))[0]

    async def _try(self, place: "_Place", trades: Sequence[MatchedTrade]) -> tuple[bytes | None, str | None]:
        """The call of the first layout that passes; else the reason of the last that fails not for want of gas."""
        reason = None
        for executions in layouts_of(trades):
            data = place.call_data(executions)
            refusal = OUT_OF_GAS if data is None else await self._refusal(place, data)
            if refusal is None:
                return data, None
            reason = refusal if reason is None or refusal != OUT_OF_GAS else reason
        return None, reason

    async def _weigh(self, place: "_Place", good: Sequence[MatchedTrade], trade: MatchedTrade, reason: str) -> str:
        """Why a trade fails behind the good ones of its batch: `OUT_OF_GAS`, which blames nobody, if it has no room.

        Gathered by market, a batch may move what the trade spends behind it; in order, it may have no room for it. So
        where one layout gives a reason and the other wants gas, the trade is tried in a call of its own behind them.
        """
        if reason == OUT_OF_GAS or await self._in_order(place, [*good, trade]) != OUT_OF_GAS:
            return reason
        settled = (await self._try(place, good))[0]
        if settled is None:
            return OUT_OF_GAS
        try:
            alone = (await self._try(place.behind(settled), [trade]))[1]
        except RpcRefused as refused:
            log.warning("trade_not_tried_alone", trade_id=trade.trade_id, error=str(refused)[:200])
            return reason
        return alone or OUT_OF_GAS

    async def _in_order(self, place: "_Place", trades: Sequence[MatchedTrade]) -> str | None:
        """Why the trades fail as they were made, None if they pass."""
        data = place.call_data(layouts_of(trades)[-1])
        return OUT_OF_GAS if data is None else await self._refusal(place, data)

    async def _refusal(self, place: "_Place", data: bytes) -> str | None:
        if not place.before:
            return await self._chain.refusal(self._operator, data, self._gas_cap)
        return await self._chain.refusal_after(place.before, self._operator, data, self._gas_cap, place.block)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a batch is tried: at a block, after the calls `before`."""

    block: Block
    before: tuple[bytes, ...]
    batch: Batch

    def behind(self, settled: bytes) -> "_Place":
        """The next batch, which no journal has, behind this one as it was tried."""
        head = self.batch.new_head
        return _Place(
            self.block,
            (*self.before, settled),
            replace(self.batch, batch=self.batch.batch + 1, prev_head=head, new_head=sha256(head).digest()),
        )

    def call_data(self, executions: tuple[Execution, ...]) -> bytes | None:
        """The batch with these executions, None if the contract takes no such number at once."""
        batch = self.batch
        if not is_one_batch(executions):
            return None
        return SettleCall(batch.batch, batch.prev_head, batch.new_head, executions).data()
