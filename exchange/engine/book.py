"""The order book of one market: price levels, and in each a queue in order of arrival.

A side keeps its live prices sorted with the best at the end, so that the best is looked at and dropped
without moving anything. The asks keep negated prices; so on both sides the better key is the larger.
Orders of a level are linked into one another, so that a cancel costs the same anywhere in the queue.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from exchange.domain.instrument import Market, MarketStatus
from exchange.engine.accounts import Account
from exchange.engine.orders import BUY, KINDS, Kind, OpenOrder


class Level:
    """All open orders at one price, first come first served; `quantity` is their sum in lots."""

    __slots__ = ("half", "head", "key", "price", "quantity", "tail")

    def __init__(self, half: "Half", key: int, price: int) -> None:
        self.half = half
        self.key = key
        self.price = price
        self.quantity = 0
        self.head: OpenOrder | None = None
        self.tail: OpenOrder | None = None

    def __iter__(self) -> Iterator[OpenOrder]:
        order = self.head
        while order is not None:
            yield order
            order = order.next


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

    def append(self, order: OpenOrder) -> Level:
        """Queue `order` at the end of its level; returns the level."""
        key = self.sign * order.price
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level(self, key, order.price)
            insort(self.keys, key)
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.prev = tail
        level.tail = order
        level.quantity += order.remaining
        order.level = level
        return level

    def remove(self, order: OpenOrder, level: Level) -> None:
        """Take `order`, with whatever remains of it, out of `level`."""
        before, after = order.prev, order.next
        if before is None:
            level.head = after
        else:
            before.next = after
        if after is None:
            level.tail = before
        else:
            after.prev = before
        order.prev = order.next = order.level = None
        level.quantity -= order.remaining
        if level.head is None:
            self._drop(level.key)

    def _drop(self, key: int) -> None:
        del self.levels[key]
        keys = self.keys
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]


class Book:
    """A market and its two sides. `last_price` is that of the last trade, before it the reference price."""

    __slots__ = (
        "asks",
        "band_bps",
        "base_asset",
        "bids",
        "fee_account",
        "fees",
        "is_open",
        "last_price",
        "lot_size",
        "market",
        "min_notional",
        "quote_asset",
        "rates",
        "tick_size",
    )

    def __init__(self, market: Market, fee_account: Account) -> None:
        self.fee_account = fee_account
        self.fees = fee_account.balance(market.quote_asset)
        self.base_asset = market.base_asset
        self.quote_asset = market.quote_asset
        self.lot_size = market.lot_size
        self.last_price = market.reference_price
        self.bids = Half(market.market_id, 0)
        self.asks = Half(market.market_id, 1)
        self.change(market)

    def change(self, market: Market) -> None:
        """Adopt the market's status and fees; what orders are checked against is kept at hand."""
        self.market = market
        self.is_open = market.status is MarketStatus.open
        self.tick_size = market.tick_size
        self.min_notional = market.min_notional
        self.band_bps = market.band_bps
        self.rates = {kind: _rates(market, kind) for kind in KINDS.values()}

    def half(self, side: int) -> Half:
        """The side on which orders of `side` rest."""
        return self.bids if side == BUY else self.asks

    def opposite(self, side: int) -> Half:
        """The side that orders of `side` take from."""
        return self.asks if side == BUY else self.bids


def _rates(market: Market, kind: Kind) -> tuple[int, int, int]:
    """Maker and taker fee rates, and the higher of those that an order of `kind` can meet."""
    maker, taker = market.maker_fee_bps, market.taker_fee_bps
    if kind.post_only:
        return maker, taker, maker
    return maker, taker, max(maker, taker) if kind.rests else taker
