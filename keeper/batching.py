"""Which trades go into a batch, and how they become executions. Pure.

A batch ends at a journal sequence, so the trades of one record always stay together. Room is counted in
executions: one per order, because fills of an order are added up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exchange.database.batches import MatchedTrade, SignedOrder
from exchange.domain.order import Order
from exchange.domain.settlement import Execution, Fill, aggregate

MAX_EXECUTIONS = 512
"""Executions the contract takes in one batch."""

MAX_FILLS = 200
"""Fills of one taker order at most: the engine closes it after that many."""


@dataclass(frozen=True, slots=True)
class GasModel:
    """Gas of a batch, before a node is asked: fixed, and per execution that is not the account's first ever."""

    fixed: int = 150_000
    per_execution: int = 40_000
    cap: int = 16_777_216

    def executions(self, margin: int) -> int:
        """How many executions usually fit `cap` less `margin`; whether these do, a trial shows."""
        return min(MAX_EXECUTIONS, max(1, (self.cap - margin - self.fixed) // self.per_execution))


def executions_of(trades: Iterable[MatchedTrade]) -> tuple[Execution, ...]:
    """The executions that settle these trades, as the contract wants them sorted."""
    return tuple(aggregate([fill for trade in trades for fill in _fills(trade)]))


def records(trades: Sequence[MatchedTrade]) -> list[list[MatchedTrade]]:
    """The trades grouped by the journal record that matched them, in order."""
    groups: list[list[MatchedTrade]] = []
    for trade in trades:
        if not groups or groups[-1][0].seq != trade.seq:
            groups.append([])
        groups[-1].append(trade)
    return groups


def fitting(groups: Sequence[Sequence[MatchedTrade]], room: int) -> int:
    """How many of the first records have at most `room` orders together; at least one if there is one."""
    orders: set[int] = set()
    for count, group in enumerate(groups):
        orders.update(order.order_id for trade in group for order in (trade.maker, trade.taker))
        if count and len(orders) > room:
            return count
    return len(groups)


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
