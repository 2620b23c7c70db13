"""The order book of one market: price levels, and in each a queue in order of arrival.

A side keeps its live prices sorted with the best at the end, so that the best is looked at and dropped
without moving anything. The asks keep negated prices; so on both sides the better key is the larger.
Orders of a level are linked into one another, so that a cancel costs the same anywhere in the queue; the links are
theirs while they are in it.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator

from exchange.domain.auction import Interest
from exchange.domain.fees import Schedule
from exchange.domain.instrument import Market, MarketStatus
from exchange.engine.accounts import Account
from exchange.engine.orders import BUY, KINDS, SELL, Kind, OpenOrder, OrderRates, displayed_of
from exchange.engine.timeline import Timeline


class Level:
    """All open orders at one price, first come first served; `quantity` is the sum of the lots that they show.

    It is made with its first order and dropped with its last; `tail` means nothing once it is dropped.
    """

    __slots__ = ("half", "head", "key", "price", "quantity", "tail")

    def __init__(self, half: "Half", key: int, first: OpenOrder) -> None:
        self.half = half
        self.key = key
        self.price = first.price
        self.quantity = first.remaining - first.hidden
        self.head: OpenOrder | None = first
        self.tail = first
        first.level = self
        first.prev = first.next = None

    def __iter__(self) -> Iterator[OpenOrder]:
        order = self.head
        while order is not None:
            yield order
            order = order.next

    def remove(self, order: OpenOrder) -> None:
        """Take `order` out, with whatever remains of it. It is in no level after that, for ever."""
        self.quantity -= order.remaining - order.hidden
        order.level = None
        before, after = order.prev, order.next
        if before is not None:
            before.next = after
            if after is None:
                self.tail = before
            else:
                after.prev = before
        elif after is not None:
            self.head = after
            after.prev = None
        else:
            self.head = None
            self.half.drop(self.key)

    def requeue(self, order: OpenOrder) -> None:
        """Put an order of this level behind all others."""
        before, after, tail = order.prev, order.next, self.tail
        if after is None:
            return
        if before is None:
            self.head = after
        else:
            before.next = after
        after.prev = before
        tail.next, order.prev, order.next = order, tail, None
        self.tail = order

    def replace(self, old: OpenOrder, new: OpenOrder) -> None:
        """Put an order into the place of another of this level."""
        new.prev, new.next, new.level = old.prev, old.next, self
        if old.prev is None:
            self.head = new
        else:
            old.prev.next = new
        if old.next is None:
            self.tail = new
        else:
            old.next.prev = new
        old.prev = old.next = old.level = None
        self.quantity += (new.remaining - new.hidden) - (old.remaining - old.hidden)

    def visits(self, once: Account | None = None) -> Iterator[tuple[OpenOrder, int]]:
        """The orders with the lots that each shows, in the order in which they are met when all is taken.

        Whoever has more than it shows is met again, after all others; orders of the account `once` are not.
        """
        waiting: deque[tuple[OpenOrder, int, int]] = deque()
        for order in self:
            yield order, order.remaining - order.hidden
            if order.hidden and order.account is not once:
                waiting.append((order, order.hidden, displayed_of(order.placed.order.terms)))
        while waiting:
            order, hidden, displayed = waiting.popleft()
            shown = min(hidden, displayed)
            yield order, shown
            if hidden > shown:
                waiting.append((order, hidden - shown, displayed))


class Half:
    """One side of a book. `side` is 0 for bids and 1 for asks."""

    __slots__ = ("keys", "levels", "market_id", "side", "sign")

    def __init__(self, market_id: int, side: int) -> None:
        self.market_id = market_id
        self.side = side
        self.sign = 1 if side == BUY else -1
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}

    def __iter__(self) -> Iterator[Level]:
        """The levels, best first."""
        return (self.levels[key] for key in reversed(self.keys))

    def crosses(self, price: int) -> bool:
        """Whether an order of the other side at `price` would meet one here."""
        return bool(self.keys) and self.keys[-1] >= self.sign * price

    def first(self, price: int) -> OpenOrder | None:
        """The order that one of the other side at `price` would meet first, if any."""
        return self.levels[self.keys[-1]].head if self.crosses(price) else None

    def interest(self) -> list[Interest]:
        """The lots at each limit, hidden ones too, best first."""
        return [(level.price, sum(order.remaining for order in level)) for level in self]

    def append(self, order: OpenOrder) -> Level:
        """Queue `order` at the end of its level; returns the level."""
        key = self.sign * order.price
        levels = self.levels
        if key in levels:
            order.level = level = levels[key]
            order.prev = tail = level.tail
            order.next = None
            level.tail = tail.next = order
            level.quantity += order.remaining - order.hidden
        else:
            level = levels[key] = Level(self, key, order)
            insort(self.keys, key)
        return level

    def drop(self, key: int) -> None:
        """Forget a level, which has lost its last order."""
        del self.levels[key]
        keys = self.keys
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]


class Book:
    """A market and its two sides. `last_price` is that of the last trade, before it the reference price.

    `schedules` says which fees hold from when.
    """

    __slots__ = (
        "_tables",
        "asks",
        "band_bps",
        "base_asset",
        "bids",
        "fee_account",
        "fees",
        "in_call",
        "is_open",
        "last_price",
        "lot_size",
        "market",
        "min_notional",
        "quote_asset",
        "schedules",
        "tick_size",
    )

    def __init__(self, market: Market, fee_account: Account, schedules: list[tuple[int, Schedule]]) -> None:
        self.fee_account = fee_account
        self.fees = fee_account.balance(market.quote_asset)
        self.base_asset = market.base_asset
        self.quote_asset = market.quote_asset
        self.lot_size = market.lot_size
        self.last_price = market.reference_price
        self.bids = Half(market.market_id, 0)
        self.asks = Half(market.market_id, 1)
        self.change(market)
        self.schedules = Timeline(schedules)
        self._tables = [_table(schedule) for _, schedule in schedules]

    def change(self, market: Market) -> None:
        """Adopt the market's status and band; what orders are checked against is kept at hand."""
        self.market = market
        self.is_open = market.status is MarketStatus.open
        self.in_call = market.status is MarketStatus.auction
        self.tick_size = market.tick_size
        self.min_notional = market.min_notional
        self.band_bps = market.band_bps

    def announce(self, at_ms: int, from_ms: int, schedule: Schedule) -> None:
        """Fees that hold from a time on."""
        self.schedules.announce(at_ms, from_ms, schedule)
        self._tables = [_table(known) for _, known in self.schedules.entries]

    def rates_at(self, at_ms: int, tier: int, kind: Kind) -> OrderRates:
        """The rates of an order of `kind` that is accepted at a time."""
        table = self._tables[self.schedules.index(at_ms)]
        return table[tier if tier < len(table) else -1][kind]

    def half(self, side: int) -> Half:
        """The side on which orders of `side` rest."""
        return self.bids if side == BUY else self.asks

    def opposite(self, side: int) -> Half:
        """The side that orders of `side` take from."""
        return self.bids if side == SELL else self.asks


def _table(schedule: Schedule) -> list[dict[Kind, OrderRates]]:
    """By tier, the rates of each kind of order."""
    return [{kind: _rates(*rates, schedule.floor, kind) for kind in KINDS.values()} for rates in schedule.tiers]


def _rates(maker: int, taker: int, floor: int, kind: Kind) -> OrderRates:
    """What an order of `kind` can meet: one that is post-only takes nothing, so no floor is asked of it."""
    if kind.post_only:
        return maker, taker, maker, 0
    return maker, taker, max(maker, taker) if kind.rests else taker, floor
