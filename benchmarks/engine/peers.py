"""The reference's book alone beside order books from PyPI, on one stream in one run, with the same trades.

    python -m benchmarks.engine.peers [--commands 100000] [--json]

The peers know neither accounts nor money, so what is compared is the book: limit orders and cancels. They are installed
into an environment of their own (build/venvs/peers), pinned. Best of three runs by CPU time, no garbage collector.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from exchange.engine.book import Half

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build/venvs/peers"
PEERS = ("akhil4n-orderbook==0.1.1", "lightmatchingengine==2019.1.4", "sortedcontainers==2.4.0")
MIDDLE, TICK = 5_000_000, 10

Steps = list[list[int]]


class Resting:
    """What the book needs to know of an order."""

    __slots__ = ("level", "next", "prev", "price", "remaining", "side")

    def __init__(self, side: int, price: int, lots: int) -> None:
        self.side = side
        self.price = price
        self.remaining = lots
        self.level: Any = None
        self.prev: Any = None
        self.next: Any = None


def write(count: int) -> Steps:
    """Of 10 commands about 5 rest, 3 cancel and 2 cross; cancels name an open order that was placed lately."""
    rng = random.Random(7)
    steps: Steps = []
    placed = 0
    for _ in range(count):
        draw = rng.random()
        if draw < 0.3 and placed > 100:
            steps.append([placed - 1 - rng.randrange(100)])
            continue
        side, away = rng.randrange(2), rng.randrange(1, 200) * TICK
        crosses = draw > 0.8
        price = MIDDLE + (away if crosses == (side == 0) else -away)
        steps.append([side, price, rng.randrange(1, 50)])
        placed += 1
    idle: set[int] = set()
    play(steps, idle)
    return [step for number, step in enumerate(steps) if number not in idle]


def play(steps: Steps, idle: set[int] | None = None) -> tuple[float, list[list[int]]]:
    """The two halves of the reference: seconds, and trades as price and lots. `idle` notes cancels of nothing."""
    halves = Half(1, 0), Half(1, 1)
    orders: list[Any] = []
    trades: list[list[int]] = []
    started = time.process_time()
    for number, step in enumerate(steps):
        if len(step) == 1:
            order = orders[step[0]]
            if order.level is not None:
                halves[order.side].remove(order, order.level)
            elif idle is not None:
                idle.add(number)
            continue
        order = cast("Any", Resting(*step))
        orders.append(order)
        take(order, halves[1 - order.side], trades)
        if order.remaining:
            halves[order.side].append(order)
    return time.process_time() - started, trades


def take(taker: Any, half: Half, trades: list[list[int]]) -> None:
    """Fill an order from the other half."""
    limit, keys, levels = half.sign * taker.price, half.keys, half.levels
    while keys and keys[-1] >= limit and taker.remaining:
        level = levels[keys[-1]]
        maker = level.head
        while maker is not None and taker.remaining:
            lots = min(taker.remaining, maker.remaining)
            taker.remaining -= lots
            maker.remaining -= lots
            level.quantity -= lots
            trades.append([level.price, lots])
            if not maker.remaining:
                half.remove(maker, level)
            maker = level.head


def install() -> Path:
    """The peers' Python, made now if it is missing."""
    python = ENVIRONMENT / "bin/python"
    if not (ENVIRONMENT / ".stamp").exists():
        uv = [str(ROOT / ".tools/bin/uv"), "--quiet"]
        subprocess.run([*uv, "venv", "--no-project", "--allow-existing", str(ENVIRONMENT)], check=True)
        subprocess.run([*uv, "pip", "install", "--python", str(python), *PEERS], check=True)
        (ENVIRONMENT / ".stamp").touch()
    return python


def play_peers(steps: Steps) -> dict[str, Any]:
    """What the peers say, by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream.json"
        path.write_text(json.dumps(steps))
        worker = str(Path(__file__).with_name("peer_worker.py"))
        done = subprocess.run([str(install()), worker, str(path)], check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    """Play the stream through all of them; trades that differ are an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    arguments = parser.parse_args()
    steps = write(arguments.commands)
    gc.disable()
    runs = [play(steps) for _ in range(3)]
    gc.enable()
    seconds, trades = min(run[0] for run in runs), runs[0][1]
    figures = {"reference's book": round(len(steps) / seconds)}
    ratios: dict[str, float] = {}
    for name, answer in play_peers(steps).items():
        if answer["trades"] != trades:
            raise SystemExit(f"{name} makes other trades")
        figures[name] = round(len(steps) / answer["seconds"])
        ratios[name] = round(answer["seconds"] / seconds, 2)
    if not arguments.json:
        print(f"{len(steps):,} commands, {len(trades):,} trades, the same in all")
    print(json.dumps({"commands_per_second": figures, "times_the_peer": ratios}))


if __name__ == "__main__":
    main()
