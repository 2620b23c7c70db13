"""The audit's own price of an auction."""

import random
from typing import NamedTuple

from bizzan.audit.auctioning import Auctions, Depth
from exchange.domain.auction import clearing


class Order(NamedTuple):
    """One lot in the book."""

    book_side: int
    price: int
    remaining: int = 1


def test_lots_at_a_price_are_those_of_each_order_that_takes_it() -> None:
    chance = random.Random(7)
    for _ in range(50):
        bids, asks = ([(chance.randint(1, 20), chance.randint(1, 9)) for _ in range(n)] for n in (12, 9))
        depth = Depth(bids, asks)
        for price in range(1, 22):
            wanted = sum(lots for limit, lots in bids if limit >= price)
            assert depth.at(price) == (wanted, sum(lots for limit, lots in asks if limit <= price))


def test_the_price_of_a_large_auction_is_checked_in_a_moment() -> None:
    """20,000 orders, all at limits of their own: 10^9 steps if each price looked at each order."""
    orders = [Order(side, 10 * (1_000 + number)) for number in range(10_000) for side in (0, 1)]
    bids, asks = ([(o.price, o.remaining) for o in orders if o.book_side == side] for side in (0, 1))
    found = clearing(bids, asks, 20_000, 10)
    assert found is not None
    told = (found.price, found.bids, found.asks)
    auctions = Auctions(ticks={1: 10})
    assert list(auctions.priced(1, told, orders, 20_000)) == []
    other = found.price + 10
    (text,) = auctions.priced(1, (other, *Depth(bids, asks).at(other)), orders, 20_000)
    assert f"at {found.price} it is" in text
