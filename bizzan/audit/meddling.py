"""What a delegate's signatures did to orders that it did not sign.

An operator can make up a delegate, say that a reorganisation took its naming, and end an account's orders with it. So
a delegate of whom that is said must have done nothing but place and end its own orders (SIG-2). Here is counted what
ends or lowers an order for the sake of another key:

    cancelled, mass_cancelled   the key that signed the command
    amended                     the key that signed the order in its place
    group                       the key that signed the other leg: in whatever record, and whatever became of that leg;
                                unless it ended with all orders of the account or market, or both were due to expire
    self_trade, a reduction     the keys of the account's orders that it could meet
    a countdown, a cancel-all   the key that signed it, whatever it ends: it lasts on what comes later
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from bizzan.audit.pairs import Name, group_of
from exchange.domain.order import Side
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.events import CloseReason
from exchange.journal.reader import Record

Pair = tuple[bytes, bytes]
"""An account and the key that signs for it."""

CANCELS = (c.CancelOrder, c.CancelAll, c.MassCancel)
FOR_ALL = frozenset(
    {
        CloseReason.account_exiting,
        CloseReason.account_frozen,
        CloseReason.countdown,
        CloseReason.market_delisted,
        CloseReason.mass_cancelled,
        CloseReason.trading_stopped,
    }
)
"""Reasons that end the other leg just as well."""


@dataclass(slots=True)
class Meddling:
    """Counts by record. `placed` says what stands behind an order's id, also of the record that is counted."""

    placed: Callable[[int], c.PlaceOrder]
    _legs: dict[Name, list[int]] = field(default_factory=dict)
    _delegated: dict[bytes, dict[int, c.PlaceOrder]] = field(default_factory=dict)
    """The open orders that delegates signed, by account."""

    def pairs(self, record: Record, happened: Iterable[e.Event]) -> Iterator[Pair]:
        """Whose orders were touched in a record for the sake of which delegate's key."""
        command, events = record.command, list(happened)
        if isinstance(command, c.CancelAll | c.SetCountdown) and command.signer != command.account:
            yield command.account, command.signer
        closed: dict[int, CloseReason] = {}
        for event in events:
            if isinstance(event, e.OrderAccepted):
                self._came(event.order_id)
            elif isinstance(event, e.OrderAmended):
                self._replaced(event)
            elif isinstance(event, e.OrderClosed):
                closed[event.order_id] = event.reason
        for event in events:
            for order_id, key in self._touched(record, event, closed):
                placed = self.placed(order_id)
                if key not in (placed.signer, placed.order.account):
                    yield placed.order.account, key
        for order_id in closed:
            self._delegated.get(self.placed(order_id).order.account, {}).pop(order_id, None)

    def _came(self, order_id: int) -> None:
        placed = self.placed(order_id)
        order = placed.order
        if placed.signer != order.account:
            self._delegated.setdefault(order.account, {})[order_id] = placed
        if group_of(order.terms):
            self._legs.setdefault((order.account, group_of(order.terms)), []).append(order_id)

    def _replaced(self, event: e.OrderAmended) -> None:
        order = self.placed(event.replaced).order
        legs = self._legs.get((order.account, group_of(order.terms)), [])
        if event.replaced in legs:
            legs.remove(event.replaced)
        self._delegated.get(order.account, {}).pop(event.replaced, None)

    def _touched(self, record: Record, event: e.Event, closed: dict[int, CloseReason]) -> Iterator[tuple[int, bytes]]:
        """The order that an event touches, and the keys for whose sake."""
        if isinstance(event, e.OrderAmended):
            yield event.replaced, self.placed(event.order_id).signer
        elif isinstance(event, e.OrderReduced):
            yield from self._met(event.order_id)
        elif isinstance(event, e.OrderClosed):
            if event.reason == CloseReason.self_trade:
                yield from self._met(event.order_id)
            elif isinstance(record.command, CANCELS):
                yield event.order_id, record.command.signer
            elif event.reason == CloseReason.group:
                yield from self._partner(record, event.order_id, closed)

    def _met(self, order_id: int) -> Iterator[tuple[int, bytes]]:
        order = self.placed(order_id).order
        for other in self._delegated.get(order.account, {}).values():
            buys, sells = (other.order, order) if order.side == Side.sell else (order, other.order)
            opposite = (order.side == Side.sell) != (other.order.side == Side.sell)
            if opposite and order.market == other.order.market and buys.price >= sells.price:
                yield order_id, other.signer

    def _partner(self, record: Record, order_id: int, closed: dict[int, CloseReason]) -> Iterator[tuple[int, bytes]]:
        order = self.placed(order_id).order
        for other in self._legs.get((order.account, group_of(order.terms)), ()):
            reason = closed.get(other)
            expired = reason == CloseReason.expired and order.expiry * 1_000 <= record.at_ms
            if other != order_id and reason not in FOR_ALL and not expired:
                yield order_id, self.placed(other).signer
