"""Momentum ignition: a burst of takings that moves the price, and then the other way at the price that it made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from exchange.surveillance.tape import BUY, Case, Fact, Pattern, Traded, case_of, of_kind
from exchange.surveillance.thresholds import Thresholds

BPS = 10_000


def momentum_ignition(tape: Sequence[Fact], limits: Thresholds) -> Iterator[Case]:
    """Accounts that did so in a market, once for each burst."""
    by_market: defaultdict[int, list[Traded]] = defaultdict(list)
    for trade in of_kind(tape, Traded):
        by_market[trade.market].append(trade)
    for market, trades in by_market.items():
        takings: defaultdict[tuple[bytes, int], list[Traded]] = defaultdict(list)
        for trade in trades:
            takings[trade.taker, trade.taker_side].append(trade)
        for (account, side), own in takings.items():
            yield from _bursts(market, account, side, own, trades, limits)


def _bursts(
    market: int, account: bytes, side: int, own: list[Traded], trades: list[Traded], limits: Thresholds
) -> Iterator[Case]:
    start = 0
    while start < len(own):
        burst = [trade for trade in own[start:] if trade.at_ms - own[start].at_ms <= limits.ignition_burst_ms]
        found = _ignited(account, side, burst, trades, limits)
        if found is None:
            start += 1
            continue
        start += len(burst)
        back, moved, share = found
        lots = sum(trade.quantity for trade in burst)
        returned = sum(trade.quantity for trade in back)
        yield case_of(
            Pattern.momentum_ignition,
            market,
            [account],
            [*burst, *back],
            {"trades": len(burst), "lots": lots, "moved_bps": moved, "share_percent": share, "lots_back": returned},
            [trade.trade_id for trade in (*burst, *back)],
            f"{len(burst)} takings of {lots} lots, {share} % of all, moved the price by {moved} bps; then {returned} "
            "lots went the other way at a better price",
        )


def _ignited(
    account: bytes, side: int, burst: list[Traded], trades: list[Traded], limits: Thresholds
) -> tuple[list[Traded], int, int] | None:
    """What the account traded the other way, the move in basis points and its share, when all thresholds are met."""
    if len(burst) < limits.ignition_trades:
        return None
    first, last = burst[0], burst[-1]
    sign = 1 if side == BUY else -1
    moved = sign * (last.price - first.price) * BPS // first.price
    lots = sum(trade.quantity for trade in burst)
    of_all = sum(trade.quantity for trade in trades if first.seq <= trade.seq <= last.seq)
    share = 100 * lots // of_all
    if moved < limits.ignition_move_bps or share < limits.ignition_share_percent:
        return None
    paid = sum(trade.quote for trade in burst)
    back = [
        trade
        for trade in trades
        if trade.seq > last.seq
        and trade.at_ms - last.at_ms <= limits.ignition_reversal_ms
        and account in (trade.maker, trade.taker)
        and trade.side_of(account) != side
        and sign * (trade.quote * lots - paid * trade.quantity) > 0  # better than the burst's average
    ]
    if 100 * sum(trade.quantity for trade in back) < limits.ignition_reversal_percent * lots:
        return None
    return back, moved, share
