"""Seeded streams of limit orders and cancels that every order book understands, one step each.

A step (side, price, lots) places an order: side 0 buys, 1 sells. A step (2, number, 0) cancels an earlier one, if it is
open; orders count from 0 in the order in which they are placed.

mixed    quotes around a price that stands still: of 10 steps about 5 rest, 3 cancel and 2 cross
static   a deep book, thousands of orders on some dozen levels, which hardly ever trades: orders come and go inside it
swing    the price wanders over thousands of levels, and quotes and takers follow it
crash    the price falls through everything and comes back, swept a dozen levels at a time
"""

from __future__ import annotations

import random
from collections.abc import Callable

MIDDLE, TICK = 5_000_000, 10

CANCEL = 2

Step = tuple[int, int, int]


class Writer:
    """Writes steps and knows what may be open."""

    def __init__(self, number: int) -> None:
        self.rng = random.Random(number)
        self.steps: list[Step] = []
        self.open: list[int] = []
        self.placed = 0

    def place(self, side: int, price: int, lots: int) -> None:
        """Somebody's order."""
        self.steps.append((side, price, lots))
        self.open.append(self.placed)
        self.placed += 1

    def quote(self, middle: int, width: int, crosses: bool = False) -> None:
        """An order at most `width` ticks beside the middle, or as far on the other side of it."""
        side, away = self.rng.randrange(2), self.rng.randrange(1, width) * TICK
        self.place(side, middle + (away if crosses == (side == 0) else -away), self.rng.randrange(1, 50))

    def cancel(self, latest: int) -> None:
        """One of the latest orders is cancelled."""
        at = len(self.open) - 1 - self.rng.randrange(min(latest, len(self.open)))
        self.open[at], self.open[-1] = self.open[-1], self.open[at]
        self.steps.append((CANCEL, self.open.pop(), 0))


def mixed(count: int) -> list[Step]:
    """See above; its cancels name one of the last 100 orders, open or not."""
    w = Writer(7)
    for _ in range(count):
        draw = w.rng.random()
        if draw < 0.3 and w.placed > 100:
            w.steps.append((CANCEL, w.placed - 1 - w.rng.randrange(100), 0))
        else:
            w.quote(MIDDLE, 200, crosses=draw > 0.8)
    return w.steps


def static(count: int) -> list[Step]:
    """See above: a fifth of the steps builds the book, then as many orders come as go."""
    w = Writer(11)
    for number in range(count):
        draw = w.rng.random()
        if number > count // 5 and draw < 0.5:
            w.cancel(len(w.open))
        else:
            w.quote(MIDDLE, 40, crosses=draw > 0.995)
    return w.steps


def swing(count: int) -> list[Step]:
    """See above."""
    w, middle = Writer(13), MIDDLE
    for _ in range(count):
        draw = w.rng.random()
        if draw < 0.3 and w.open:
            w.cancel(200)
        else:
            w.quote(middle, 100, crosses=draw > 0.7)
        middle = max(middle + w.rng.randrange(-3, 4) * TICK, MIDDLE // 2)
    return w.steps


def crash(count: int) -> list[Step]:
    """See above: one step of 8 sweeps, and the others quote around where the price has come to."""
    w, depth, way = Writer(17), 0, 1
    levels = max(min(count // 20, 4_000), 60)
    for step in range(1, levels):
        for side in (0, 1):
            w.place(side, MIDDLE + (1 if side else -1) * step * TICK, 20)
    for number in range(count - len(w.steps)):
        if number % 8 == 0:
            depth += 12 * way
            way = -1 if depth >= levels - 30 else 1 if depth <= 0 else way
            w.place(1 if way > 0 else 0, MIDDLE - depth * TICK, 400)
        elif w.rng.random() < 0.3:
            w.cancel(50)
        else:
            w.quote(MIDDLE - depth * TICK, 200)
    return w.steps


STREAMS: dict[str, Callable[[int], list[Step]]] = {"mixed": mixed, "static": static, "swing": swing, "crash": crash}
