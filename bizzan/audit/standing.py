"""The audit's own books: the orders that were accepted and have not ended, and how they queue."""

from __future__ import annotations

from dataclasses import dataclass, field

BUY, SELL, BUY_QUOTE = 0, 1, 2


@dataclass(slots=True)
class Standing:
    """An order that was accepted and has not ended. `price` in quote units per lot, `remaining` in lots (or quote)."""

    order_id: int
    account: bytes
    account_id: int
    market: int
    side: int
    price: int
    remaining: int
    quantity: int
    nonce: int
    expiry: int
    terms: int
    trigger_price: int
    hidden: int = 0
    """Of what remains, the lots that are not shown yet."""

    @property
    def displayed(self) -> int:
        """How many lots it shows at a time; 0: all."""
        return self.terms // 2**16 % 2**64

    @property
    def shown(self) -> int:
        """What another order can meet of it now."""
        return self.remaining - self.hidden

    @property
    def book_side(self) -> int:
        """Where it would rest: 0 with the bids, 1 with the asks."""
        return SELL if self.side == SELL else BUY

    def crosses(self, price: int) -> bool:
        """Whether its limit allows a trade at a price."""
        return price >= self.price if self.side == SELL else price <= self.price


Queue = dict[int, Standing]
"""Orders at one price by id, in the order in which they came to rest."""


@dataclass(slots=True)
class Books:
    """Queues by price, of each market and side."""

    _halves: dict[tuple[int, int], dict[int, Queue]] = field(default_factory=dict)

    def half(self, market: int, side: int) -> dict[int, Queue]:
        """The queues of a side by price; empty where nothing stands."""
        return self._halves.get((market, side), {})

    def queue(self, order: Standing) -> Queue:
        """The queue at an order's price on its side; empty where nothing stands."""
        return self.half(order.market, order.book_side).get(order.price, {})

    def rest(self, order: Standing) -> None:
        """An order stands behind all others at its price."""
        half = self._halves.setdefault((order.market, order.book_side), {})
        half.setdefault(order.price, {})[order.order_id] = order

    def swap(self, old: Standing, new: Standing) -> None:
        """An order takes the place of another."""
        queue = self.queue(old)
        for key in list(queue):
            standing = queue.pop(key)
            queue[new.order_id if key == old.order_id else key] = new if key == old.order_id else standing

    def show(self, order: Standing) -> None:
        """When all that was shown is used up, the next part stands behind all others at its price."""
        if order.remaining != order.hidden or not order.hidden:
            return
        order.hidden -= min(order.hidden, order.displayed)
        queue = self.queue(order)
        queue[order.order_id] = queue.pop(order.order_id)

    def leave(self, order: Standing) -> None:
        """An order stands no more, if it did."""
        half = self.half(order.market, order.book_side)
        queue = half.get(order.price, {})
        queue.pop(order.order_id, None)
        if not queue:
            half.pop(order.price, None)

    def best(self, market: int, side: int) -> Standing | None:
        """The first order at the best price of a side."""
        half = self.half(market, side)
        if not half:
            return None
        return next(iter(half[max(half) if side == BUY else min(half)].values()))
