"""Plays a stream through order books from PyPI, in their own environment; prints one JSON line. See peers.py.

The stream is a JSON list: [side, price, lots] places a limit order (0 buy, 1 sell), [n] cancels the n-th one placed.
"""

import gc
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

Played = tuple[float, list[tuple[int, int]]]


def play_akhil4n(stream: list[list[int]]) -> Played:
    """akhil4n-orderbook: seconds, and trades as (price, lots)."""
    orderbook = importlib.import_module("orderbook")

    orders: list[Any] = []
    book, sides = orderbook.OrderBook(), (orderbook.OrderSide.BID, orderbook.OrderSide.ASK)
    started = time.process_time()
    for step in stream:
        if len(step) == 1:
            book.cancel_order(orders[step[0]].order_id)
        else:
            order = orderbook.Order(sides[step[0]], step[1], step[2])
            orders.append(order)
            book.add_limit_order(order)
    seconds = time.process_time() - started
    return seconds, [(trade.price, trade.quantity_filled) for trade in book.trade_log]


def play_light(stream: list[list[int]]) -> Played:
    """lightmatchingengine: likewise; of its trades those of the passive side, one per fill."""
    light = importlib.import_module("lightmatchingengine.lightmatchingengine")

    orders: list[Any] = []
    trades: list[Any] = []
    engine, sides = light.LightMatchingEngine(), (light.Side.BUY, light.Side.SELL)
    started = time.process_time()
    for step in stream:
        if len(step) == 1:
            engine.cancel_order(orders[step[0]].order_id, "BTC")
        else:
            order, made = engine.add_order("BTC", step[1], step[2], sides[step[0]])
            orders.append(order)
            trades += [trade for trade in made if trade.order_id != order.order_id]
    seconds = time.process_time() - started
    return seconds, [(trade.trade_price, trade.trade_qty) for trade in trades]


def main() -> None:
    """Play each peer three times; the best time and the trades."""
    stream = json.loads(Path(sys.argv[1]).read_text())
    gc.disable()
    answers = {}
    for name, play in (("akhil4n-orderbook 0.1.1", play_akhil4n), ("lightmatchingengine 2019.1.4", play_light)):
        runs = [play(stream) for _ in range(3)]
        answers[name] = {"seconds": min(seconds for seconds, _ in runs), "trades": runs[0][1]}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
