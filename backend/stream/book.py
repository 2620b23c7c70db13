"""One market's aggregated book in an API worker: a replica of the engine's, fed by its events."""

from collections.abc import Iterable

Level = tuple[int, int]
"""Price (quote ledger units per lot) and total open quantity (lots)."""

BID = 0
ASK = 1


class Book:
    """Price levels of both sides. `seq` is the journal sequence of the last change."""

    __slots__ = ("_sorted", "seq", "sides")

    def __init__(self, seq: int, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        self.seq = seq
        self.sides: tuple[dict[int, int], dict[int, int]] = (dict(bids), dict(asks))
        self._sorted: list[list[Level] | None] = [None, None]

    def change(self, seq: int, side: int, price: int, quantity: int) -> None:
        """A level has `quantity` lots now; 0 removes it."""
        self.seq = seq
        self._sorted[side] = None
        if quantity:
            self.sides[side][price] = quantity
        else:
            self.sides[side].pop(price, None)

    def levels(self, side: int, depth: int | None = None) -> list[Level]:
        """The best `depth` levels of a side, best first."""
        levels = self._sorted[side]
        if levels is None:
            levels = sorted(self.sides[side].items(), reverse=side == BID)
            self._sorted[side] = levels
        return levels if depth is None else levels[:depth]

    def best(self, side: int) -> Level | None:
        """The best level of a side."""
        prices = self.sides[side]
        if not prices:
            return None
        price = max(prices) if side == BID else min(prices)
        return price, prices[price]

    def walk(self, side: int, limit: int, quantity: int) -> tuple[int, int]:
        """Lots that an order of `quantity` lots takes from `side` at `limit` or better, and their quote."""
        lots = quote = 0
        for price, there in self.levels(side):
            if (price > limit) if side == ASK else (price < limit):
                break
            take = min(there, quantity - lots)
            lots += take
            quote += take * price
            if lots == quantity:
                break
        return lots, quote


def as_strings(levels: Iterable[Level]) -> list[tuple[str, str]]:
    """Levels as JSON carries them."""
    return [(str(price), str(quantity)) for price, quantity in levels]
