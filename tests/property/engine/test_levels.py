"""The core's live prices beside a sorted list: order and best, wherever prices stand and however they come and go."""

import random
import struct
from bisect import insort

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.order import Order, Terms
from exchange.engine import commands as c
from exchange.engine.fast.core import BookAlone, Core
from exchange.engine.fast.packing import pack_order
from exchange.engine.fast.state import ArrayState

HIGHEST = (1 << 63) - 1
OWNER = b"\x01" * 20
MESSAGE = struct.Struct("=BBBBIqqqq")
REPORT = struct.Struct("=BBxxIIIqq")
NEW, CANCEL = 0, 1
TAKEN, TRADED, DROPPED, NOT_DROPPED = 0, 1, 2, 4

near = st.integers(1_000, 1_200)
far = st.integers(0, 62).flatmap(lambda bits: st.integers(1 << bits, (2 << bits) - 1))
edges = st.sampled_from([1, 2, 63, 64, 65, 4_095, 4_096, HIGHEST - 64, HIGHEST - 63, HIGHEST - 1, HIGHEST])
prices = st.one_of(near, far, edges)


class Levels:
    """A book of the core's with single orders, and what it should be."""

    def __init__(self, tick: int = 1) -> None:
        self.core = Core(ArrayState())
        self.account = self.core.open_account(OWNER)
        self.core.set_limits(0, 1 << 40, 100)
        assert self.core.add_book(1, 2, 0, 1, tick, 1, 0, 0, 0) == 1
        self.nonce = 0
        self.open: dict[tuple[int, int], list[int]] = {}

    def add(self, side: int, price: int) -> None:
        """An order rests."""
        self.nonce += 1
        order = Order(OWNER, 1, side, price, 1, self.nonce, 2_000_000_000, 0, 10, Terms().pack())
        placed = c.PlaceOrder(order, self.nonce.to_bytes(32), 0, bytes(65), OWNER)
        packed = pack_order(placed, bytearray())
        assert packed is not None
        self.core.adopt_order(self.nonce, 1, 0, (0, 0, 0, 0, 0), 0, 0, packed, b"", 0)
        self.open.setdefault((side, price), []).append(self.nonce)

    def drop(self, side: int, price: int) -> None:
        """The first order at a price goes."""
        nonces = self.open[side, price]
        self.core.drop_order(self.core.order_on(self.account, nonces.pop(0)))
        self.core.end()
        if not nonces:
            del self.open[side, price]

    def check(self) -> None:
        """Both sides list their prices best first, each with as many orders as there are."""
        for side in (0, 1):
            found = [(price, lots) for _, _, price, lots in self.core.levels(1, side)]
            expected = sorted((price for at, price in self.open if at == side), reverse=side == 0)
            assert found == [(price, len(self.open[side, price])) for price in expected]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), prices, st.booleans()), max_size=120))
def test_prices_stay_sorted(steps: list[tuple[int, int, bool]]) -> None:
    levels = Levels()
    for side, price, drops in steps:
        if drops and levels.open:
            levels.drop(*sorted(levels.open)[price % len(levels.open)])
        else:
            levels.add(side, price)
        levels.check()


@pytest.mark.parametrize("tick", [1, 7, 1 << 40])
def test_many_far_prices_do_not_disturb(tick: int) -> None:
    """Thousands of prices with nothing between them, among which a market goes on and wanders."""
    rng, levels, middle = random.Random(tick), Levels(tick), 4_000
    for _ in range(3_000):
        levels.add(rng.randrange(2), rng.randrange(1, HIGHEST // tick) * tick)
    for step in range(3_000):
        middle = max(middle + rng.randrange(-40, 42), 200)
        levels.add(rng.randrange(2), (middle + rng.randrange(-100, 100)) * tick)
        if step % 3:
            levels.drop(*rng.choice(list(levels.open)) if step % 30 == 1 else next(reversed(levels.open)))
        if step % 500 == 0:
            levels.check()
    for key in rng.sample(list(levels.open), len(levels.open)):
        while key in levels.open:
            levels.drop(*key)
    levels.check()


def test_prices_between_ticks_are_none() -> None:
    levels = Levels(10)
    levels.add(0, 100)
    with pytest.raises(ValueError, match="between two ticks"):
        levels.add(0, 101)
    levels.check()


class Sides:
    """Two sides as sorted lists: what a book alone should do."""

    def __init__(self) -> None:
        self.sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self.lots: dict[int, int] = {}
        self.at: dict[int, tuple[int, int]] = {}

    def place(self, number: int, side: int, price: int, lots: int) -> list[tuple[int, int, int, int]]:
        """The trades of an order; what remains rests."""
        trades, other = [], self.sides[1 - side]
        while lots and other:
            key, maker = other[0]
            best = abs(key)
            if best > price if side == 0 else best < price:
                break
            filled = min(lots, self.lots[maker])
            trades.append((maker, best, filled, number))
            lots -= filled
            self.lots[maker] -= filled
            if not self.lots[maker]:
                self.drop(maker)
        if lots:
            self.lots[number] = lots
            self.at[number] = side, -price if side == 0 else price
            insort(self.sides[side], (self.at[number][1], number))
        return trades

    def drop(self, number: int) -> None:
        """An order leaves."""
        side, key = self.at.pop(number)
        self.sides[side].remove((key, number))
        del self.lots[number]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), prices, st.integers(1, 9)), min_size=1, max_size=120))
def test_the_best_is_met_first(steps: list[tuple[int, int, int]]) -> None:
    book, model, messages, expected = BookAlone(), Sides(), [], []
    for number, (side, price, lots) in enumerate(steps):
        if side == 2 and model.lots:
            gone = sorted(model.lots)[price % len(model.lots)]
            model.drop(gone)
            messages.append(MESSAGE.pack(CANCEL, 0, 0, 0, 1, number, gone, 1, 0))
            continue
        messages.append(MESSAGE.pack(NEW, side & 1, 0, 0, lots, number, number, price, 0))
        expected += model.place(number, side & 1, price, lots)
    told = list(REPORT.iter_unpack(book.play(b"".join(messages))))
    trades = [(maker, price, lots, taker) for kind, _, lots, maker, taker, _, price in told if kind == TRADED]
    assert trades == expected


ORDER = (NEW, 0, 0, 0, 1, 0, 0, 120, 0)


@pytest.mark.parametrize("tick", [1, 3, 12, 120])
@pytest.mark.parametrize("price", [1, 3, 12, 119, 120, 121, 1 << 62, HIGHEST, HIGHEST - 7])
def test_a_book_alone_counts_ticks(tick: int, price: int) -> None:
    book, order = BookAlone(tick), MESSAGE.pack(*ORDER[:7], price, 0)
    if price % tick == 0:
        assert len(book.play(order)) == REPORT.size
        return
    with pytest.raises(ValueError, match="message 0 is none"):
        book.play(order)
    assert len(book.play(MESSAGE.pack(CANCEL, *ORDER[1:7], price, 0))) == REPORT.size


@pytest.mark.parametrize(
    ("at", "value", "error"),
    [
        (0, 3, "message 1 is none"),
        (0, 255, "message 1 is none"),
        (1, 2, "message 1 is none"),
        (4, 0, "message 1 is none"),
        (6, -1, "message 1 has an id beyond"),
        (6, 1 << 28, "message 1 has an id beyond"),
        (7, 0, "message 1 is none"),
        (7, -120, "message 1 is none"),
        (7, -1 << 63, "message 1 is none"),
    ],
)
def test_a_book_alone_plays_nothing_of_what_is_wrong(at: int, value: int, error: str) -> None:
    wrong = list(ORDER)
    wrong[at] = value
    book = BookAlone(1)
    with pytest.raises(ValueError, match=error):
        book.play(MESSAGE.pack(*ORDER) + MESSAGE.pack(*wrong))
    cancel = MESSAGE.pack(CANCEL, *ORDER[1:])
    assert [words[0] for words in REPORT.iter_unpack(book.play(cancel))] == [NOT_DROPPED]


@pytest.mark.parametrize("room", [1, 1 << 16])
def test_a_book_alone_grows(room: int) -> None:
    """More open orders than it has room for, and then one that meets them all."""
    book, count = BookAlone(1, room), 70_000 if room > 1 else 1_000
    told = book.play(b"".join(MESSAGE.pack(NEW, 1, 0, 0, 1, n, n, 1 + n % 7, 0) for n in range(count)))
    assert len(told) == count * REPORT.size
    told = book.play(MESSAGE.pack(NEW, 0, 1, 0, count + 1, count, count, 7, 0))
    kinds = [words[0] for words in REPORT.iter_unpack(told)]
    assert kinds == [TAKEN, *[TRADED] * count, DROPPED]
