"""Which trades go into a batch, and how they become executions. Pure.

A batch ends at a journal sequence, so the trades of one record always stay together. Fills of an order are added
up, so room is counted in executions; how many there are depends on the layout:

    by_market   one section per market. Least gas, but what a trade in one market brought may be spent in
                another, whose section comes first
    in_order    sections as in the journal. Always in the order of spending, at up to two executions per trade
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from exchange.database.batches import MatchedTrade, SignedOrder
from exchange.domain.order import Order
from exchange.domain.settlement import (
    MAX_EXECUTIONS,
    MAX_PROOFS,
    Execution,
    Fill,
    aggregate,
    in_order,
    pack,
    path_length,
)

MAX_FILLS = 200
"""Fills of one taker order at most: the engine closes it after that many."""


class Layout(Enum):
    """How a batch's executions are arranged. The first that the contract takes is used."""

    by_market = "by_market"
    in_order = "in_order"


@dataclass(frozen=True, slots=True)
class GasModel:
    """Gas of a batch, before a node is asked: fixed, and per execution that is not the account's first ever."""

    fixed: int = 150_000
    per_execution: int = 40_000
    cap: int = 16_777_216

    def executions(self, margin: int) -> int:
        """How many executions usually fit `cap` less `margin`; whether these do, a trial shows."""
        return min(MAX_EXECUTIONS, max(1, (self.cap - margin - self.fixed) // self.per_execution))


def executions_of(trades: Iterable[MatchedTrade], layout: Layout = Layout.by_market) -> tuple[Execution, ...]:
    """The executions that settle these trades, which are in journal order."""
    fills = [fill for trade in trades for fill in _fills(trade)]
    return tuple(aggregate(fills) if layout is Layout.by_market else in_order(fills))


def layouts_of(trades: Sequence[MatchedTrade]) -> list[tuple[Execution, ...]]:
    """The executions in each layout, without repetition."""
    return list(dict.fromkeys(executions_of(trades, layout) for layout in Layout))


def records(trades: Sequence[MatchedTrade]) -> list[list[MatchedTrade]]:
    """The trades grouped by the journal record that matched them, in order."""
    groups: list[list[MatchedTrade]] = []
    for trade in trades:
        if not groups or groups[-1][0].seq != trade.seq:
            groups.append([])
        groups[-1].append(trade)
    return groups


def fitting(groups: Sequence[Sequence[MatchedTrade]], room: int, layout: Layout = Layout.by_market) -> int:
    """How many of the first records fit in a batch: at most `room` executions, and paths that the contract takes.
    At least one if there is one.
    """
    executions: set[tuple[int, int]] = set()
    paths: dict[int, int] = {}
    section, market = 0, 0
    for count, group in enumerate(groups):
        its_market = Order.unpack(group[0].taker.packed).market  # a record is one taker's
        if layout is Layout.in_order and its_market != market:
            section, market = section + 1, its_market
        orders = [order for trade in group for order in (trade.maker, trade.taker)]
        executions.update((section, order.order_id) for order in orders)
        paths.update((order.order_id, path_length(order.scheme, order.signature)) for order in orders)
        if count and (len(executions) > room or sum(paths.values()) > MAX_PROOFS):
            return count
    return len(groups)


def is_one_batch(executions: Sequence[Execution]) -> bool:
    """Whether the contract takes so many executions, with so many paths, at once."""
    return len(executions) <= MAX_EXECUTIONS and len(pack(executions)[1]) <= MAX_PROOFS


def _fills(trade: MatchedTrade) -> list[Fill]:
    return [_fill(trade, trade.maker, trade.maker_fee), _fill(trade, trade.taker, trade.taker_fee)]


def _fill(trade: MatchedTrade, order: SignedOrder, fee: int) -> Fill:
    return Fill(
        order_id=order.order_id,
        order=Order.unpack(order.packed),
        scheme=order.scheme,
        signature=order.signature,
        lots=trade.quantity,
        quote=trade.quote,
        fee=fee,
    )
