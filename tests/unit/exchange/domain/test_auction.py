"""The price of an auction, beside one that tries every price by the words of the rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.auction import Clearing, clearing

TICK = 5
interest = st.lists(st.tuples(st.integers(1, 30).map(lambda n: n * TICK), st.integers(1, 9)), max_size=8)


def tried(bids: dict[int, int], asks: dict[int, int], last: int) -> Clearing | None:
    """Every price on the tick, each judged by the whole book."""
    best: tuple[tuple[int, int, int, int], Clearing] | None = None
    for price in range(TICK, 40 * TICK, TICK):
        wanted = sum(lots for limit, lots in bids.items() if limit >= price)
        given_ = sum(lots for limit, lots in asks.items() if limit <= price)
        volume = min(wanted, given_)
        rank = (-volume, abs(wanted - given_), abs(price - last), price)
        if volume and (best is None or rank < best[0]):
            best = rank, Clearing(price, wanted, given_)
    return best and best[1]


@given(interest, interest, st.integers(0, 200))
def test_the_price_is_the_best_of_all(bids: list[tuple[int, int]], asks: list[tuple[int, int]], last: int) -> None:
    assert clearing(dict(bids).items(), dict(asks).items(), last, TICK) == tried(dict(bids), dict(asks), last)


def test_nobody_meets() -> None:
    assert clearing([], [], 100, 5) is None
    assert clearing([(95, 3)], [(100, 3)], 100, 5) is None


def test_most_lots_trade() -> None:
    assert clearing([(110, 5), (100, 5)], [(90, 4), (105, 6)], 100, 5) == Clearing(105, 5, 10)


def test_fewest_are_left_over() -> None:
    assert clearing([(110, 5), (100, 3)], [(90, 5)], 100, 5) == Clearing(105, 5, 5)


def test_the_nearest_to_the_last_price_then_the_lower() -> None:
    assert clearing([(120, 5)], [(80, 5)], 101, 5) == Clearing(100, 5, 5)
    assert clearing([(120, 5)], [(80, 5)], 140, 5) == Clearing(120, 5, 5)
    assert clearing([(120, 5)], [(80, 5)], 0, 5) == Clearing(80, 5, 5)
    assert clearing([(110, 2), (90, 2)], [(110, 2), (90, 2)], 100, 10) == Clearing(100, 2, 2)
