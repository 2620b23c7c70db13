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
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
            yield where, f"{what} for '{reason}': the chain has no such block"
            continue
        for trade in trades:
            for text in _against(replay, chain, block, reason, trade):
                yield where, f"{what} ({block.number}) for '{reason}': {text}"


def _against(replay: Replay, chain: ChainLedger, block: Block, reason: str, trade: ReplayedTrade) -> Iterator[str]:
    """What on chain speaks against the reversal of one trade."""
    number = f"trade {trade.match.trade_id}"
    mined = {batch.seq: batch.place for batch in chain.batches}.get(trade.batch) if trade.batch else None
    if mined is not None and mined.block_number <= block.number:
        yield f"batch {trade.batch}, with {number}, was settled before, in {mined}"
    if reason == EXPIRED:
        yield from _not_expired(replay, chain, block, trade)
    elif reason == POOR:
        yield from _not_poor(replay, chain, block, trade)
    elif reason in _SAID:
        accounts = _accounts(replay, trade)
        kinds = _SAID[reason]
        said = [kept for kept in chain.kept if kept.name in kinds and kept.values.get("account") in accounts]
        if not any(kept.place.block_number <= block.number for kept in said):
            who = " and ".join(map(checksum, accounts))
            yield f"{number} is between {who}, of whom neither has {' or '.join(kinds)} on chain by then"


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


def _not_poor(replay: Replay, chain: ChainLedger, block: Block, trade: ReplayedTrade) -> Iterator[str]:
    """Both accounts had, at the block, all that their unsettled trades up to this one could take."""
    had = _balances(chain, block.number)
    lines = []
    for account, asset, due in _due(replay, chain, block, trade):
        token_id = chain.deployment.token_of_asset(asset).token_id
        if had[account, token_id] < due:
            return
        lines.append(f"{checksum(account)} had {had[account, token_id]} of asset {asset}, and owed at most {due}")
    yield f"trade {trade.match.trade_id}: {'; '.join(lines)}"


def _due(replay: Replay, chain: ChainLedger, block: Block, trade: ReplayedTrade) -> Iterator[tuple[bytes, int, int]]:
    """For maker and taker of a trade: the asset that it pays, and all that it was to pay of it by then."""
    settled = {batch.seq for batch in chain.batches if batch.place.block_number <= block.number}
    before = [
        other
        for other in replay.trades.values()
        if other.match.trade_id <= trade.match.trade_id and other.batch not in settled
    ]
    for account, asset, _ in _payments(replay, trade):
        paid = [p for other in before for p in _payments(replay, other) if p[:2] == (account, asset)]
        yield account, asset, sum(amount for _, _, amount in paid)


def _payments(replay: Replay, trade: ReplayedTrade) -> Sequence[tuple[bytes, int, int]]:
    """Who pays what in a trade: account, asset, amount. A seller's fee is taken from what it receives."""
    match = trade.match
    market = replay.markets[match.market].market
    maker, taker = _accounts(replay, trade)
    lots = match.quantity * market.lot_size
    if match.taker_side == Side.buy:
        return (maker, market.base_asset, lots), (taker, market.quote_asset, match.quote + match.taker_fee)
    return (taker, market.base_asset, lots), (maker, market.quote_asset, match.quote + match.maker_fee)


def _balances(chain: ChainLedger, until: int) -> defaultdict[tuple[bytes, int], int]:
    """Trading balances by account and token id after a block."""
    had: defaultdict[tuple[bytes, int], int] = defaultdict(int)
    for movement in chain.movements:
        if movement.place.block_number <= until:
            had[movement.account, movement.token_id] += movement.amount
    for batch in chain.batches:
        if batch.place.block_number > until:
            continue
        for done in batch.executed:
            base, quote = chain.tokens_of(done.market)
            sign = -1 if done.side == Side.sell else 1
            had[done.account, base] += sign * done.lots * chain.deployment.market(done.market).lot_size
            had[done.account, quote] -= sign * done.quote + done.fee
        for market_id, fee in batch.fees.items():
            had[chain.fee_account, chain.tokens_of(market_id)[1]] += fee
    return had
