"""Trades without a change of owner: between related accounts, back and forth in a pair, and with oneself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from exchange.surveillance.relations import Relations
from exchange.surveillance.tape import BUY, Case, Ended, Fact, Pattern, Stopped, Traded, case_of, of_kind
from exchange.surveillance.thresholds import Thresholds

Pair = tuple[bytes, bytes]


def wash_trades(tape: Sequence[Fact], relations: Relations, limits: Thresholds) -> Iterator[Case]:
    """Trades between accounts that belong together."""
    for (market, pair), trades in _by_pair(tape).items():
        if len(trades) < limits.wash_trades or not relations.related(*pair):
            continue
        quote = sum(trade.quote for trade in trades)
        yield case_of(
            Pattern.wash_trades,
            market,
            pair,
            trades,
            {"trades": len(trades), "quote": quote},
            (trade.trade_id for trade in trades),
            f"{len(trades)} trades over {quote} quote units between two accounts that belong together",
        )


def round_trips(tape: Sequence[Fact], limits: Thresholds) -> Iterator[Case]:
    """Pairs that trade mostly with one another, and end where they began."""
    turnover: defaultdict[tuple[int, bytes], int] = defaultdict(int)
    for trade in of_kind(tape, Traded):
        for account in (trade.maker, trade.taker):
            turnover[trade.market, account] += trade.quantity
    for (market, pair), trades in _by_pair(tape).items():
        gross = sum(trade.quantity for trade in trades)
        bought = sum(trade.quantity for trade in trades if trade.side_of(pair[0]) == BUY)
        net = abs(2 * bought - gross)
        share = min(100 * gross // turnover[market, account] for account in pair)
        if (
            len(trades) < limits.round_trip_trades
            or 100 * net > limits.round_trip_net_percent * gross
            or share < limits.round_trip_share_percent
        ):
            continue
        yield case_of(
            Pattern.round_trips,
            market,
            pair,
            trades,
            {"trades": len(trades), "gross": gross, "net": net, "share_percent": share},
            (trade.trade_id for trade in trades),
            f"{len(trades)} trades of {gross} lots in both directions leave {net}; at least {share} % of what "
            "each of the two traded was with the other",
        )


def self_trades(tape: Sequence[Fact], limits: Thresholds) -> Iterator[Case]:
    """Accounts whose orders met one another again and again, and were stopped."""
    attempts: defaultdict[tuple[int, bytes], list[Ended | Stopped]] = defaultdict(list)
    for fact in tape:
        if isinstance(fact, Stopped) or (isinstance(fact, Ended) and fact.reason == "self_trade"):
            attempts[fact.market, fact.account].append(fact)
    for (market, account), facts in attempts.items():
        orders = dict.fromkeys(fact.order_id for fact in facts)
        if len(orders) >= limits.self_trades:
            yield case_of(
                Pattern.self_trades,
                market,
                [account],
                facts,
                {"orders": len(orders)},
                orders,
                f"{len(orders)} orders of one account met its own and were stopped",
            )


def _by_pair(tape: Sequence[Fact]) -> dict[tuple[int, Pair], list[Traded]]:
    """Trades of two different accounts, by market and pair."""
    pairs: defaultdict[tuple[int, Pair], list[Traded]] = defaultdict(list)
    for trade in of_kind(tape, Traded):
        if trade.maker != trade.taker:
            pair = (min(trade.maker, trade.taker), max(trade.maker, trade.taker))
            pairs[trade.market, pair].append(trade)
    return pairs
