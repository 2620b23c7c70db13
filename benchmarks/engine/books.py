"""Books alone: limit orders, cancels and trades, without accounts, money and events.

The reference's is `exchange.engine.book.Half`, driven here as the matcher drives it.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.engine.steps import CANCEL, Step
from exchange.engine.book import Half

Trade = tuple[int, int, int, int]
"""Price, lots, and the numbers of maker and taker."""


class Resting:
    """What the book needs to know of an order.

    Whoever makes one sets its price and lots there and then: a constructor in Python costs as much as queueing it.
    """

    __slots__ = ("hidden", "level", "next", "prev", "price", "remaining")


def take(half: Any, limit: int, missing: int, taker: int, trades: list[tuple[int, int, Any, int]]) -> int:
    """Fill an order from the other half, best price first, and there whoever came first; what is missing then."""
    keys, levels = half.keys, half.levels
    while keys and keys[-1] >= limit:
        level = levels[keys[-1]]
        price, maker = level.price, level.head
        while maker is not None:
            lots = maker.remaining
            if lots > missing:
                maker.remaining = lots - missing
                level.quantity -= missing
                trades.append((price, missing, maker, taker))
                return 0
            trades.append((price, lots, maker, taker))
            following = maker.next
            level.remove(maker)
            missing -= lots
            if not missing:
                return 0
            maker = following
    return missing


def play_reference(steps: list[Step]) -> tuple[float, list[Trade]]:
    """The reference's book: CPU seconds, and the trades."""
    bids, asks = Half(1, 0), Half(1, 1)
    own, others = (bids, asks), (asks, bids)
    order: Any
    orders: list[Any] = []
    trades: list[tuple[int, int, Any, int]] = []
    started = time.process_time()
    for side, price, lots in steps:
        if side == CANCEL:
            order = orders[price]
            level = order.level
            if level is not None:
                level.remove(order)
            continue
        other = others[side]
        keys, limit = other.keys, other.sign * price
        if keys and keys[-1] >= limit:
            lots = take(other, limit, lots, len(orders), trades)
            if not lots:
                orders.append(None)
                continue
        order = Resting()
        order.price, order.remaining, order.hidden = price, lots, 0
        own[side].append(order)
        orders.append(order)
    seconds = time.process_time() - started
    numbers = {order: number for number, order in enumerate(orders) if order is not None}
    return seconds, [(price, lots, numbers[maker], taker) for price, lots, maker, taker in trades]


def without_idle(steps: list[Step]) -> list[Step]:
    """The steps without cancels of orders that are gone by then."""
    halves = Half(1, 0), Half(1, 1)
    order: Any
    orders: list[Any] = []
    kept: list[Step] = []
    for step in steps:
        side, price, lots = step
        if side == CANCEL:
            order = orders[price]
            if order is None or order.level is None:
                continue
            order.level.remove(order)
        else:
            opposite = halves[1 - side]
            missing = take(opposite, opposite.sign * price, lots, 0, [])
            orders.append(None)
            if missing:
                order = Resting()
                order.price, order.remaining, order.hidden = price, missing, 0
                halves[side].append(order)
                orders[-1] = order
        kept.append(step)
    return kept
