"""The one price of an auction, from what is bid and asked at each limit.

Call auctions of exchanges (Euronext, Xetra, Nasdaq's crosses) look for it by the same steps, in slightly other words:

    1  most lots can trade: the smaller of what buyers would take and sellers would give at the price
    2  fewest lots are left over: the difference of the two
    3  nearest to the last price, or to the reference price before any trade
    4  the lower

Any multiple of the tick may be the price, not only somebody's limit: between two limits nothing changes but how far it
is from the last price.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

Interest = tuple[int, int]
"""A limit (quote ledger units per lot) and the lots at it."""


class Clearing(NamedTuple):
    """The price of an auction, and the lots that are bid and asked at it: the fewer of both trade."""

    price: int
    bids: int
    asks: int

    @property
    def volume(self) -> int:
        """The lots that trade."""
        return min(self.bids, self.asks)

    @property
    def surplus(self) -> int:
        """The lots that are left over: above zero bids, below it asks."""
        return self.bids - self.asks


def clearing(bids: Iterable[Interest], asks: Iterable[Interest], last_price: int, tick_size: int) -> Clearing | None:
    """The price at which an auction of these orders trades; None when no bid meets an ask. Limits are on the tick."""
    demand, supply = dict(bids), dict(asks)
    if not demand or not supply or max(demand) < min(supply):
        return None
    found = (Clearing(*candidate) for candidate in _candidates(demand, supply, last_price, tick_size))
    return min(found, key=lambda c: (-c.volume, abs(c.surplus), abs(c.price - last_price), c.price))


def _candidates(
    demand: dict[int, int], supply: dict[int, int], last_price: int, tick_size: int
) -> Iterator[tuple[int, int, int]]:
    """Prices that can be best, with the lots wanted and given at them: each limit, and between two what is nearest."""
    limits = sorted(demand.keys() | supply.keys())
    wanted, given, before = sum(demand.values()), 0, 0
    for limit in limits:
        if before:
            for price in _between(before + tick_size, limit - tick_size, last_price, tick_size):
                yield price, wanted, given
        given += supply.get(limit, 0)
        yield limit, wanted, given
        wanted -= demand.get(limit, 0)
        before = limit


def _between(lowest: int, highest: int, last_price: int, tick_size: int) -> Iterator[int]:
    """The prices from one to another, both on the tick, that are nearest to the last price."""
    if lowest <= highest:
        below = last_price - last_price % tick_size
        for price in (below, below + tick_size):
            yield min(max(price, lowest), highest)
