"""How many commands a second the fast engine applies, beside the reference, with holds, fees and self-trade prevention.

    python -m benchmarks.engine.fast [--commands 500000] [--streams mixed crash million cancels] [--alone] [--json]

The streams are those of benchmarks/engine/streams.py. The fast engine takes packed commands in batches of 64, 512 and
4,096. Where nobody follows it leaves outcomes and records of trades (`batch_…`), as it does with frames then; where
an API follows while nobody listens to an account, packed events of trades and levels as well (`selective_…`); where
somebody follows everything, all packed events (`followed_…`). It has lived, as in suite.py: before the clock starts it
has played the stream once under other nonces, nothing of that is open any more, and its trades are final. An engine in
service has touched its tables, and uses again what orders and trades leave; a new one pays the system for every page
that it clears. The reference takes the first commands of the same stream one by one. Each figure is the best of three
runs by CPU time, the system's in it, without the garbage collector.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from functools import partial

from benchmarks.engine.streams import COMMAND_SIZE, START_MS, STREAMS, Stream, accepted, again, finished, seed
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.fast.engine import FastEngine
from exchange.engine.fast.packing import pack_all
from exchange.engine.telling import Telling

BATCHES = (64, 512, 4_096)
REFERENCE_COMMANDS = 50_000
RUNS = 3
WAYS = {Telling.nothing: "batch", Telling.followed: "selective", Telling.everything: "followed"}


class Packed:
    """A stream in packed commands, and what an engine that plays it has lived before."""

    def __init__(self, stream: Stream) -> None:
        later = again(stream)
        self.accounts = stream.accounts
        self.life, _ = pack_all((*stream.before, *stream.commands))
        orders = (command.order for command in (*stream.before, *stream.commands) if isinstance(command, c.PlaceOrder))
        self.placed = [(order.account, order.nonce) for order in orders]
        self.before, self.commands = pack_all(later.before)[0], pack_all(later.commands)[0]

    def engine(self) -> FastEngine:
        """An engine to play the commands."""
        engine = FastEngine()
        seed(engine, self.accounts)
        engine.run_brief(START_MS, self.life)
        finished(engine, self.placed)
        engine.run_brief(START_MS, self.before)
        return engine


def fast_seconds(packed: Packed, batch: int, telling: Telling) -> tuple[float, int]:
    """CPU seconds and trades for the whole stream in batches, with the events that are told."""
    engine = packed.engine()
    run = engine.run_packed if telling is Telling.everything else partial(engine.run_brief, blob=b"", telling=telling)
    first, view, size = engine.state.last_trade, memoryview(packed.commands), batch * COMMAND_SIZE
    parts = [view[at : at + size] for at in range(0, len(view), size)]
    gc.collect()
    gc.disable()
    started = time.process_time()
    for part in parts:
        run(START_MS, part)
    seconds = time.process_time() - started
    gc.enable()
    return seconds, engine.state.last_trade - first


def reference_seconds(stream: Stream) -> float:
    """CPU seconds for the first commands of the stream."""
    engine = seed(Engine(), stream.accounts)
    engine.apply_batch(START_MS, stream.before)
    commands = stream.commands[:REFERENCE_COMMANDS]
    seq = engine.seq
    gc.collect()
    gc.disable()
    started = time.process_time()
    for number, command in enumerate(commands, seq + 1):
        engine.apply(number, START_MS, command)
    seconds = time.process_time() - started
    gc.enable()
    return seconds / len(commands)


def measure(stream: Stream, with_reference: bool) -> dict[str, int]:
    """Commands a second by batch size, and the reference's."""
    packed = Packed(stream)
    figures: dict[str, int] = {"commands": len(stream.commands)}
    for batch in BATCHES:
        for telling, name in WAYS.items():
            seconds, figures["trades"] = min(fast_seconds(packed, batch, telling) for _ in range(RUNS))
            figures[f"{name}_{batch}"] = round(len(stream.commands) / seconds)
    if with_reference:
        figures["reference"] = round(1 / min(reference_seconds(stream) for _ in range(RUNS)))
    return figures


def main() -> None:
    """Measure each stream and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=500_000)
    parser.add_argument("--streams", nargs="*", default=list(STREAMS), choices=list(STREAMS))
    parser.add_argument("--json", action="store_true", help="print the last line only")
    parser.add_argument("--alone", action="store_true", help="without the reference")
    arguments = parser.parse_args()
    results: dict[str, dict[str, int]] = {}
    for name in arguments.streams:
        stream = accepted(STREAMS[name](arguments.commands))
        results[name] = measure(stream, with_reference=name != "million" and not arguments.alone)
        if not arguments.json:
            print(name, "  ".join(f"{key} {value:,}" for key, value in results[name].items()))
    summary: dict[str, object] = {"streams": results}
    for name, prefix in zip(WAYS.values(), ("", "selective_", "followed_"), strict=True):
        rates = [max(figures[f"{name}_{batch}"] for batch in BATCHES) for figures in results.values()]
        summary |= {f"{prefix}best": max(rates), f"{prefix}worst": min(rates)}
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
