"""Plays streams through an order book from PyPI, in its own environment; prints one JSON line. See peers.py.

    peer_worker.py NAME STREAMS OUTPUT

STREAMS is a JSON object of the steps of steps.py by name. To OUTPUT goes, by name, the CPU seconds and the trades as
(price, lots, maker, taker), where orders count from 0 as they were placed.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CANCEL = 2

Steps = list[list[int]]
Played = tuple[float, list[tuple[int, int, int, int]]]


def play_akhil4n(steps: Steps) -> Played:
    """akhil4n-orderbook."""
    orderbook = importlib.import_module("orderbook")

    orders: list[Any] = []
    book, sides = orderbook.OrderBook(), (orderbook.OrderSide.BID, orderbook.OrderSide.ASK)
    started = time.process_time()
    for side, price, lots in steps:
        if side == CANCEL:
            book.cancel_order(orders[price].order_id)
        else:
            order = orderbook.Order(sides[side], price, lots)
            orders.append(order)
            book.add_limit_order(order)
    seconds = time.process_time() - started
    numbers = {order.order_id: number for number, order in enumerate(orders)}
    return seconds, [
        (int(trade.price), trade.quantity_filled, numbers[trade.filler_id], numbers[trade.aggressor_id])
        for trade in book.trade_log
    ]


def play_light(steps: Steps) -> Played:
    """lightmatchingengine; of its trades those of the passive side, one per fill."""
    light = importlib.import_module("lightmatchingengine.lightmatchingengine")

    orders: list[Any] = []
    answers: list[Any] = []
    engine, sides = light.LightMatchingEngine(), (light.Side.BUY, light.Side.SELL)
    started = time.process_time()
    for side, price, lots in steps:
        if side == CANCEL:
            engine.cancel_order(orders[price].order_id, "BTC")
        else:
            order, made = engine.add_order("BTC", price, lots, sides[side])
            orders.append(order)
            if made:
                answers.append((order, made))
    seconds = time.process_time() - started
    numbers = {order.order_id: number for number, order in enumerate(orders)}
    return seconds, [
        (trade.trade_price, trade.trade_qty, numbers[trade.order_id], numbers[taker.order_id])
        for taker, made in answers
        for trade in made
        if trade.order_id != taker.order_id
    ]


def play_pyorderbook(steps: Steps) -> Played:
    """pyorderbook."""
    pyorderbook = importlib.import_module("pyorderbook")

    logging.disable(logging.CRITICAL)
    orders: list[Any] = []
    blotters: list[Any] = []
    book, sides = pyorderbook.Book(), (pyorderbook.bid, pyorderbook.ask)
    started = time.process_time()
    for side, price, lots in steps:
        if side == CANCEL:
            book.cancel(orders[price])
        else:
            order = sides[side]("BTC", price, lots)
            orders.append(order)
            blotters.append(book.match(order))
    seconds = time.process_time() - started
    numbers = {order.id: number for number, order in enumerate(orders)}
    return seconds, [
        (
            int(trade.fill_price),
            trade.fill_quantity,
            numbers[trade.standing_order_id],
            numbers[trade.incoming_order_id],
        )
        for blotter in blotters
        for trade in blotter.trades
    ]


PLAYERS: dict[str, Callable[[Steps], Played]] = {
    "akhil4n-orderbook": play_akhil4n,
    "lightmatchingengine": play_light,
    "pyorderbook": play_pyorderbook,
}


def main() -> None:
    """Play each stream once."""
    name, streams, output = sys.argv[1:]
    gc.disable()
    answers = {stream: PLAYERS[name](steps) for stream, steps in json.loads(Path(streams).read_text()).items()}
    Path(output).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
