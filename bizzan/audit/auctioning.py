"""The one price of an auction, as the audit finds it: every price that could be better is tried.

Written from `docs/orders.md`, without the engine's formula. It is told what stands in a book, and says what is wrong
with the price that was fixed, by a price that would have been better.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol


class Order(Protocol):
    """What is asked of an order that stands in the book."""

    @property
    def book_side(self) -> int: ...
    @property
    def price(self) -> int: ...
    @property
    def remaining(self) -> int: ...


@dataclass(slots=True)
class Auctions:
    """Which markets gather orders, until when (seconds, 0: until they open), and which trade at what price."""

    ticks: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    prices: dict[int, int] = field(default_factory=dict)
    left: dict[int, int] = field(default_factory=dict)
    """Of markets that trade, the lots that are still to trade at the price."""

    def started(self, market: int, ends_at: int) -> None:
        """A market gathers orders."""
        self.ends[market] = ends_at
        self.prices.pop(market, None)

    def stopped(self, market: int) -> None:
        """A market is open, or halted."""
        for there in (self.ends, self.prices, self.left):
            there.pop(market, None)

    def over(self, at_ms: int, halted: Iterable[int]) -> int:
        """A market whose time had come, or that was trading, before anything else could happen; 0 if there is none."""
        for market, ends_at in self.ends.items():
            if market in self.prices or (0 < ends_at * 1_000 <= at_ms and market not in halted):
                return market
        return 0

    def priced(self, market: int, told: tuple[int, int, int], orders: Iterable[Order], last: int) -> Iterator[str]:
        """A price is fixed; `told` is it, and how many lots are bid and asked at it."""
        price, *lots_told = told
        bids, asks = _sides(orders)
        self.left[market] = min(lots_told)
        depth = Depth(bids, asks)
        if price:
            self.prices[market] = price
            if price % self.ticks.get(market, 1):
                yield f"the auction's price {price} is off the tick"
        wanted, given = depth.at(price) if price else (0, 0)
        if [wanted, given] != lots_told:
            yield f"the auction is told to have {lots_told} lots bid and asked at {price}: it is {wanted} and {given}"
        found, over = min(wanted, given), wanted - given
        rank = (-found, abs(over), abs(price - last), price)
        for other in sorted(_tries(bids + asks, last, self.ticks.get(market, 1))):
            wanted, given = depth.at(other)
            lots, rest = min(wanted, given), wanted - given
            if lots and (not price or (-lots, abs(rest), abs(other - last), other) < rank):
                yield (
                    f"the auction's price is {price} for {found} lots, {over} left over; at {other} it is {lots} lots, "
                    f"{rest} left over, and the last price is {last}"
                )
                return


def _sides(orders: Iterable[Order]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    there = [(order.book_side, order.price, order.remaining) for order in orders]
    return [(p, lots) for side, p, lots in there if not side], [(p, lots) for side, p, lots in there if side]


class Depth:
    """How many lots are bid and asked at any price, from sums over the limits in order."""

    def __init__(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        bids, asks = sorted(bids), sorted(asks)
        self._bids, self._asks = [limit for limit, _ in bids], [limit for limit, _ in asks]
        self._below = list(accumulate((lots for _, lots in bids), initial=0))
        self._above = list(accumulate((lots for _, lots in asks), initial=0))

    def at(self, price: int) -> tuple[int, int]:
        """Lots of bids at the price or higher, and of asks at it or lower."""
        wanted = self._below[-1] - self._below[bisect_left(self._bids, price)]
        return wanted, self._above[bisect_right(self._asks, price)]


def _tries(there: list[tuple[int, int]], last: int, tick: int) -> set[int]:
    """Every price that can be the best: limits, their neighbours, and those next to the last price."""
    near = {last // tick * tick, -(-last // tick) * tick}
    return {price for limit, _ in there for price in (limit - tick, limit, limit + tick)} | near - {0}
