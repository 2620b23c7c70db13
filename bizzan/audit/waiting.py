"""Orders that wait for a price, as the audit counts them: who waits for what, and whose turn it is.

Written from `docs/orders.md`. Slow on purpose: every trade is held against every order that waits in its market.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Protocol

from exchange.domain.order_id import age

SELL = 1
STOP_LOSS, TAKE_PROFIT, TRAILING = 1, 2, 3
WHOLE = 10_000


class Order(Protocol):
    """What is asked of an order."""

    @property
    def order_id(self) -> int: ...
    @property
    def market(self) -> int: ...
    @property
    def side(self) -> int: ...
    @property
    def terms(self) -> int: ...
    @property
    def trigger_price(self) -> int: ...


@dataclass(slots=True)
class Waiting:
    """An order that waits for the last price to be at `price` or beyond: above it if it `rises`, else below."""

    order_id: int
    market: int
    rises: bool
    price: int
    trail: int = 0
    best: int = 0

    def reached(self, last: int) -> bool:
        """Whether a last price is enough."""
        return last >= self.price if self.rises else last <= self.price

    def follow(self, last: int) -> None:
        """A trailing trigger keeps its distance from the best price there was."""
        if self.trail and (not self.best or (last < self.best if self.rises else last > self.best)):
            self.best = last
            if self.rises:
                self.price = -(last * (WHOLE + self.trail) // -WHOLE)
            else:
                self.price = max(1, last * (WHOLE - self.trail) // WHOLE)


@dataclass(slots=True)
class WaitingRoom:
    """All who wait, and in `turns` those whose price has come. `last` is each market's last price, 0 before any."""

    last: dict[int, int] = field(default_factory=dict)
    halted: set[int] = field(default_factory=set)
    waits: dict[int, Waiting] = field(default_factory=dict)
    turns: list[Waiting] = field(default_factory=list)
    started: set[int] = field(default_factory=set)

    def must_wait(self, order: Order) -> bool:
        """Whether an order has a price to wait for that has not come."""
        if order.order_id in self.started:
            return False
        waiting = self._of(order)
        if waiting is not None and order.market in self.halted:  # in an auction nobody starts to work
            return True
        return waiting is not None and not (self.last[order.market] and waiting.reached(self.last[order.market]))

    def starts_at_once(self, order: Order) -> bool:
        """Whether an order that comes now has waited for nothing."""
        if self._of(order) is None or self.must_wait(order):
            return False
        self.started.add(order.order_id)
        return True

    def add(self, order: Order) -> None:
        """An order that came and waits."""
        waiting = self._of(order)
        if waiting is not None:
            self.waits[order.order_id] = waiting

    def leave(self, order_id: int) -> None:
        """An order waits no more: it works, or it ended."""
        if self.waits.pop(order_id, None) is not None or any(w.order_id == order_id for w in self.turns):
            self.turns = [waiting for waiting in self.turns if waiting.order_id != order_id]
            self.started.add(order_id)

    def due(self, open_orders: Container[int]) -> int:
        """The order whose turn it is, 0 if nobody's."""
        return next((waiting.order_id for waiting in self.turns if waiting.order_id in open_orders), 0)

    def traded(self, market: int, price: int) -> None:
        """A trade: those whose price it brings are next, the nearest first; trailing triggers follow it."""
        self.last[market] = price
        here = [waiting for waiting in self.waits.values() if waiting.market == market]
        for rises in (True, False):
            came = [waiting for waiting in here if waiting.rises == rises and waiting.reached(price)]
            came.sort(key=lambda waiting: (waiting.price if waiting.rises else -waiting.price, age(waiting.order_id)))
            for waiting in came:
                del self.waits[waiting.order_id]
            self.turns += came
        for waiting in here:
            waiting.follow(price)

    def changed(self, market: int, status: str) -> None:
        """A market opened, or stopped."""
        if status != "open":  # nobody works there: who was to, waits again
            self.halted.add(market)
            stopped = [waiting for waiting in self.turns if waiting.market == market]
            self.turns = [waiting for waiting in self.turns if waiting.market != market]
            self.waits.update((waiting.order_id, waiting) for waiting in stopped)
            return
        self.halted.discard(market)
        if self.last[market]:
            self.traded(market, self.last[market])

    def _of(self, order: Order) -> Waiting | None:
        kind = order.terms >> 5 & 7
        if not kind:
            return None
        sells = order.side == SELL
        rises = sells if kind == TAKE_PROFIT else not sells
        waiting = Waiting(order.order_id, order.market, rises, order.trigger_price)
        if kind == TRAILING:
            waiting.trail = order.terms >> 80 & 0xFFFF
            waiting.price = 0 if not rises else 1 << 64
            if self.last[order.market]:
                waiting.follow(self.last[order.market])
        return waiting
