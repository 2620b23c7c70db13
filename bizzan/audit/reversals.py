"""Reversals against the chain: the block that each cites is there, and does not contradict the reason that it gives.

A trade may be reversed because it can no longer settle, and the command cites the block since which it fails and the
contract's reason. What is held against it here never blames an honest operator: the block must be on chain, the trade's
batch must not have been mined before it, and for the reasons that logs and clocks decide, these must allow it.

    order: expired                the block is later than the expiry of one of its orders, plus the contract's grace
    ledger: too little trading    an account had less than all that it was to pay by then
    order: account exited, frozen, cancelled, delegate: revoked    the account had said so on chain by then
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bizzan.audit.chain_ledger import ChainLedger
from bizzan.audit.comparing import Problem
from bizzan.audit.journal_replay import Replay, ReplayedTrade
from exchange.chain.rpc import Rpc
from exchange.domain.deployment import checksum
from exchange.domain.order import Side
from exchange.engine.commands import ReverseTrades

CAUSE = re.compile(r"^block (0x[0-9a-f]{64}): (\S.*)$", re.DOTALL)
_SAID: Mapping[str, tuple[str, ...]] = {
    "order: account exited": ("ExitRequested",),
    "order: account frozen": ("AccountFrozen",),
    "order: cancelled": ("NonceCancelled", "NoncesCancelled"),
    "delegate: revoked": ("DelegateRevoked",),
}
"""Events of which the account must have one by the cited block, by reason."""
SLACK_SECONDS = 60
"""What a trial's clock may be ahead of the block on whose state it was made."""
EXPIRED, POOR = "order: expired", "ledger: too little trading"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the chain: height, and time in seconds since 1970."""

    number: int
    timestamp: int


def cited_hashes(replay: Replay) -> set[str]:
    """The blocks that the journal's reversals cite."""
    found = (CAUSE.match(told.command.cause) for told in replay.told if isinstance(told.command, ReverseTrades))
    return {match[1] for match in found if match}


async def read_cited(rpc: Rpc, replay: Replay) -> dict[str, Block]:
    """Those of the cited blocks that are on the node's chain, by hash. Raises ChainError."""
    blocks: dict[str, Block] = {}
    for cited in sorted(cited_hashes(replay)):
        header = await rpc.header(bytes.fromhex(cited[2:]))
        canonical = None if header is None else await rpc.header(header.number)
        if header is not None and canonical is not None and canonical.hash == cited:
            blocks[cited] = Block(header.number, header.timestamp)
    return blocks


def reversals(replay: Replay, chain: ChainLedger, blocks: Mapping[str, Block]) -> Iterator[Problem]:
    """Reversals whose cause the chain does not bear out."""
    judge = _Judge(replay, chain)
    for told in replay.told:
        if not isinstance(told.command, ReverseTrades):
            continue
        match = CAUSE.match(told.command.cause)
        if match is None:  # told by `uncaused`
            continue
        cited, reason = match[1], match[2]
        where = f"journal sequence {told.seq}"
        trades = [replay.trades[each] for each in told.command.trade_ids if each in replay.trades]
        what = f"reverses trades {', '.join(map(str, told.command.trade_ids))} and cites block {cited}"
        block = blocks.get(cited)
        if block is None:
            yield where, f"{what} for {reason!r}: the chain has no such block"
            continue
        for trade in trades:
            for text in judge.against(block, reason, trade):
                yield where, f"{what} ({block.number}) for {reason!r}: {text}"


class _Sums:
    """Amounts that come in a fixed order, and how much they are up to a place in it."""

    __slots__ = ("places", "sums")

    def __init__(self) -> None:
        self.places: list[int] = []
        self.sums: list[int] = []

    def add(self, place: int, amount: int) -> None:
        """An amount, at no earlier place than the last."""
        self.places.append(place)
        self.sums.append(amount + (self.sums[-1] if self.sums else 0))

    def until(self, place: int) -> int:
        """The sum of what is at or before a place."""
        found = bisect_right(self.places, place)
        return self.sums[found - 1] if found else 0


class _Judge:
    """What chain and journal say of any reversal. Each is gone through once, when it is first asked."""

    def __init__(self, replay: Replay, chain: ChainLedger) -> None:
        self._replay = replay
        self._chain = chain
        self._mined = {batch.seq: batch.place for batch in chain.batches}

    def against(self, block: Block, reason: str, trade: ReplayedTrade) -> Iterator[str]:
        """What on chain speaks against the reversal of one trade."""
        number = f"trade {trade.match.trade_id}"
        mined = self._mined.get(trade.batch) if trade.batch else None
        if mined is not None and mined.block_number <= block.number:
            yield f"batch {trade.batch}, with {number}, was settled before, in {mined}"
        if reason == EXPIRED:
            yield from _not_expired(self._replay, self._chain, block, trade)
        elif reason == POOR:
            yield from self._not_poor(block, trade)
        elif reason in _SAID:
            accounts = _accounts(self._replay, trade)
            first = (self._first_said.get((kind, account)) for kind in _SAID[reason] for account in accounts)
            if not any(said is not None and said <= block.number for said in first):
                who = " and ".join(map(checksum, accounts))
                yield f"{number} is between {who}, of whom neither has {' or '.join(_SAID[reason])} on chain by then"

    def _not_poor(self, block: Block, trade: ReplayedTrade) -> Iterator[str]:
        """Both accounts had, at the block, all that their unsettled trades up to this one could take."""
        settled = self._last_settled(block)
        lines = []
        for account, asset, _ in _payments(self._replay, trade):
            payments = self._paid[account, asset]
            due = payments.until(trade.match.trade_id) - payments.until(min(settled, trade.match.trade_id))
            token_id = self._chain.deployment.token_of_asset(asset).token_id
            had = self._balances[account, token_id].until(block.number)
            if had < due:
                return
            lines.append(f"{checksum(account)} had {had} of asset {asset}, and owed at most {due}")
        yield f"trade {trade.match.trade_id}: {'; '.join(lines)}"

    def _last_settled(self, block: Block) -> int:
        """The last trade of the batches that were mined by a block: batches are cut, and mined, in order."""
        mined = max((seq for seq, place in self._mined.items() if place.block_number <= block.number), default=0)
        found = bisect_right(self._batches, mined, key=lambda ends: ends[0])
        return self._batches[found - 1][1] if found else 0

    @cached_property
    def _batches(self) -> list[tuple[int, int]]:
        """Each batch that has trades, with the last of them."""
        last = {trade.batch: trade.match.trade_id for trade in self._replay.trades.values() if trade.batch}
        return sorted(last.items())

    @cached_property
    def _paid(self) -> defaultdict[tuple[bytes, int], _Sums]:
        """What every account was to pay of an asset, by trade."""
        paid: defaultdict[tuple[bytes, int], _Sums] = defaultdict(_Sums)
        for trade in self._replay.trades.values():
            for account, asset, amount in _payments(self._replay, trade):
                paid[account, asset].add(trade.match.trade_id, amount)
        return paid

    @cached_property
    def _balances(self) -> defaultdict[tuple[bytes, int], _Sums]:
        """What moved every trading balance, by account and token id, in order of blocks."""
        had: defaultdict[tuple[bytes, int], _Sums] = defaultdict(_Sums)
        for number, account, token_id, amount in sorted(_moves(self._chain), key=lambda move: move[0]):
            had[account, token_id].add(number, amount)
        return had

    @cached_property
    def _first_said(self) -> dict[tuple[str, bytes], int]:
        """The block in which an account first said something, by the event's name."""
        first: dict[tuple[str, bytes], int] = {}
        for kept in self._chain.kept:
            key = kept.name, kept.values.get("account", b"")
            first[key] = min(kept.place.block_number, first.get(key, kept.place.block_number))
        return first


def _accounts(replay: Replay, trade: ReplayedTrade) -> tuple[bytes, bytes]:
    return replay.accounts[trade.match.maker_account], replay.accounts[trade.match.taker_account]


def _not_expired(replay: Replay, chain: ChainLedger, block: Block, trade: ReplayedTrade) -> Iterator[str]:
    orders = [replay.orders[each] for each in (trade.match.maker_order, trade.match.taker_order)]
    grace = chain.deployment.windows.grace
    first = min(orders, key=lambda order: order.accepted.expiry)
    if block.timestamp + SLACK_SECONDS <= first.accepted.expiry + grace:
        yield (
            f"trade {trade.match.trade_id}: its orders settle until {first.accepted.expiry + grace} s "
            f"(order {first.accepted.order_id}, expiry and {grace} s of grace), the block is of {block.timestamp} s"
        )


def _payments(replay: Replay, trade: ReplayedTrade) -> Sequence[tuple[bytes, int, int]]:
    """Who pays what in a trade: account, asset, amount. A seller's fee is taken from what it receives."""
    match = trade.match
    market = replay.markets[match.market].market
    maker, taker = _accounts(replay, trade)
    lots = match.quantity * market.lot_size
    if match.taker_side == Side.buy:
        return (maker, market.base_asset, lots), (taker, market.quote_asset, match.quote + match.taker_fee)
    return (taker, market.base_asset, lots), (maker, market.quote_asset, match.quote + match.maker_fee)


def _moves(chain: ChainLedger) -> Iterator[tuple[int, bytes, int, int]]:
    """Every change of a trading balance: block, account, token id, amount."""
    for movement in chain.movements:
        yield movement.place.block_number, movement.account, movement.token_id, movement.amount
    for batch in chain.batches:
        number = batch.place.block_number
        for done in batch.executed:
            base, quote = chain.tokens_of(done.market)
            sign = -1 if done.side == Side.sell else 1
            yield number, done.account, base, sign * done.lots * chain.deployment.market(done.market).lot_size
            yield number, done.account, quote, -(sign * done.quote + done.fee)
        for market_id, fee in batch.fees.items():
            yield number, chain.fee_account, chain.tokens_of(market_id)[1], fee
