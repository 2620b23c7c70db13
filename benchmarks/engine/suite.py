"""What `bizzan bench engine` does: every stream of steps.py through every contestant, in turns.

A stream becomes commands of accounts that only buy and accounts that only sell, so that nobody meets an own order; an
order's id in the engines is the record that placed it. Whatever is made of the stream is made before the clock starts,
and the trades are compared after it stops. Each figure is all steps of all streams by the sum of the best CPU times.

Everybody plays in a process of its own, own books and peers alike: a memory that others have used before costs half as
much again.

    python -m benchmarks.engine.suite CONTESTANT STREAMS OUTPUT

is such a process, as peer_worker.py is for the peers.
"""

from __future__ import annotations

import gc
import json
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from benchmarks.engine import peers
from benchmarks.engine.books import Trade, play_reference, without_idle
from benchmarks.engine.steps import CANCEL, STREAMS, TICK, Step
from benchmarks.engine.streams import EXPIRY, START_MS, address, finished, seed
from benchmarks.engine.tapes import CANCEL as CANCEL_MESSAGE
from benchmarks.engine.tapes import NEW, TRADED, packed
from exchange.domain.order import Order, Terms
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.events import TradeMatched
from exchange.engine.fast.packing import COMMAND_SIZE, EVENT_SIZE, pack_all

try:
    from exchange.engine.fast.core import BookAlone
    from exchange.engine.fast.engine import FastEngine
    from exchange.engine.fast.state import ArrayState
except ImportError:
    IS_COMPILED = False
else:
    IS_COMPILED = True

STEPS = 60_000
COMMANDS = 500_000
RUNS = 3
BATCH = 4_096
ACCOUNTS = 50
GTC = Terms().pack()

MATCHED = 2
TRADE = struct.Struct("=9q3iBB2x")
EVENT = struct.Struct(f"={EVENT_SIZE // 8}q")
REPORT = struct.Struct("=BBxxIIIqq")

Played = tuple[float, list[Trade]]


class Translator:
    """Writes steps as commands. Every account counts its nonces, from one stream to the next."""

    def __init__(self) -> None:
        self.nonces: Counter[bytes] = Counter()
        self.placed: list[tuple[bytes, int]] = []

    def commands(self, steps: list[Step]) -> list[c.Command]:
        """The stream for an engine: order n is of one of the accounts of its side."""
        commands: list[c.Command] = []
        first = len(self.placed)
        for side, price, lots in steps:
            if side == CANCEL:
                commands.append(_cancel(*self.placed[first + price]))
            else:
                commands.append(self._order(len(self.placed) - first, side, price, lots))
        return commands

    def _order(self, number: int, side: int, price: int, lots: int) -> c.PlaceOrder:
        account = address(2 * (number % (ACCOUNTS // 2)) + side + 1)
        self.nonces[account] += 1
        self.placed.append((account, self.nonces[account]))
        order = Order(account, 1, side, price, lots, self.nonces[account], EXPIRY, 0, 10, GTC)
        order_hash = (len(self.placed) * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A1D5 % (1 << 255)).to_bytes(32)
        return c.PlaceOrder(order, order_hash, 0, b"\x07" * 65, account)


def _cancel(account: bytes, nonce: int) -> c.CancelOrder:
    return c.CancelOrder(account, nonce, b"", account)


def warmed(steps: list[Step], translator: Translator) -> FastEngine:
    """An engine that has played the stream before, and lived, as `finished` says."""
    engine = FastEngine()
    seed(engine, ACCOUNTS)
    engine.run_brief(START_MS, *pack_all(translator.commands(steps)))
    return finished(engine, translator.placed)


def numbers_of(steps: list[Step], first_seq: int) -> dict[int, int]:
    """The orders' numbers by the records that place them; every record of the stream is accepted."""
    records = [seq for seq, (side, _, _) in enumerate(steps, first_seq) if side != CANCEL]
    return {seq: number for number, seq in enumerate(records)}


def with_risk(steps: list[Step]) -> Played:
    """The reference as it is."""
    engine = seed(Engine(), ACCOUNTS)
    first, apply = engine.seq + 1, engine.apply
    commands = Translator().commands(steps)
    started = time.process_time()
    told = [apply(seq, START_MS, command) for seq, command in enumerate(commands, first)]
    seconds = time.process_time() - started
    numbers = numbers_of(steps, first)
    return seconds, [
        (event.price, event.quantity, numbers[event.maker_order], numbers[event.taker_order])
        for events in told
        for event in events
        if isinstance(event, TradeMatched)
    ]


def fast(steps: list[Step]) -> Played:
    """The fast engine's book alone."""
    messages, placed = [], 0
    for sequence, (side, price, lots) in enumerate(steps):
        if side == CANCEL:
            messages.append((CANCEL_MESSAGE, 0, 0, 1, sequence, price, 1, 0))
        else:
            messages.append((NEW, side, 0, lots, sequence, placed, price, 0))
            placed += 1
    data, book = packed(messages), BookAlone(TICK)
    started = time.process_time()
    told = book.play(data)
    seconds = time.process_time() - started
    return seconds, [
        (price, lots, maker, taker)
        for kind, _, lots, maker, taker, _, price in REPORT.iter_unpack(told)
        if kind == TRADED
    ]


def fast_with_risk(steps: list[Step]) -> Played:
    """The fast engine as it is where somebody follows: packed commands in batches, and packed events."""
    translator = Translator()
    engine = warmed(steps, translator)
    first, play = engine.seq + 1, engine.run_packed
    data = memoryview(pack_all(translator.commands(steps))[0])
    numbers = numbers_of(steps, first)
    seconds, trades = 0.0, cast("list[Trade]", [])
    for at in range(0, len(steps), BATCH):
        batch = data[at * COMMAND_SIZE : (at + BATCH) * COMMAND_SIZE]
        started = time.process_time()
        told = play(START_MS, batch)
        seconds += time.process_time() - started
        for words in EVENT.iter_unpack(told):
            if words[0] & 255 == MATCHED:
                trades.append((words[3], words[4], numbers[words[5]], numbers[first + at + (words[0] >> 8)]))
    return seconds, trades


def fast_with_risk_unfollowed(steps: list[Step]) -> Played:
    """The same where nobody follows: packed commands in batches, an outcome for each, and records of trades."""
    translator = Translator()
    engine = warmed(steps, translator)
    first, last_trade, play = engine.seq + 1, engine.state.last_trade, engine.run_brief
    data = memoryview(pack_all(translator.commands(steps))[0])
    batches = [data[at * COMMAND_SIZE : (at + BATCH) * COMMAND_SIZE] for at in range(0, len(steps), BATCH)]
    started = time.process_time()
    for batch in batches:
        play(START_MS, batch)
    seconds = time.process_time() - started
    numbers = numbers_of(steps, first)
    made = TRADE.iter_unpack(cast("ArrayState", engine.state).core.trade_records(last_trade + 1))
    return seconds, [(price, lots, numbers[maker], numbers[taker]) for taker, _, price, lots, maker, *_ in made]


FAST: dict[str, Callable[[list[Step]], Played]] = {
    "fast": fast,
    "fast_with_risk": fast_with_risk,
    "fast_with_risk_unfollowed": fast_with_risk_unfollowed,
}
CONTESTANTS = {"reference": play_reference, "reference_with_risk": with_risk, **(FAST if IS_COMPILED else {})}
NOT_COMPILED = "nothing was compiled when this was set up, so the reference and the peers play without the fast engine"


def measure(quiet: bool, steps: int = STEPS, runs: int = RUNS, commands: int = COMMANDS) -> dict[str, Any]:
    """Everybody's messages a second over all streams, and whether the trades were equal; and the fast engine's with
    risk on longer streams of `commands`, by batch size, around a million orders too."""
    if not IS_COMPILED:
        print(NOT_COMPILED, file=sys.stderr)
    streams = {name: without_idle(write(steps)) for name, write in STREAMS.items()}
    trades = {name: play_reference(stream)[1] for name, stream in streams.items()}
    best: dict[str, dict[str, float]] = {}
    equal = True
    for _ in range(runs):
        for contestant, played in one_round(streams).items():
            for name, (seconds, made) in played.items():
                equal = equal and made == trades[name]
                figures = best.setdefault(contestant, {})
                figures[name] = min(figures.get(name, seconds), seconds)
    counts = {name: len(stream) for name, stream in streams.items()}
    if not quiet:
        tell(counts, best)
    rates = {contestant: round(sum(counts.values()) / sum(spent.values())) for contestant, spent in best.items()}
    own = {contestant: rates[contestant] for contestant in CONTESTANTS}
    told = {peer.name: rates[peer.name] for peer in peers.PEERS}
    longer = {"fast_with_risk_longer": with_risk_on_longer_streams(commands)} if IS_COMPILED else {}
    return {**own, **longer, "peers": told, "times_best_peer": times_best_peer(best), "equal": equal}


def with_risk_on_longer_streams(commands: int) -> dict[str, Any]:
    """What `python -m benchmarks.engine.fast` says of the fast engine, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.engine.fast", "--alone", "--json", "--commands", str(commands)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    found: dict[str, Any] = json.loads(told)
    return found


def times_best_peer(best: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """How many times as fast as the best peer of a stream the fast engines are on it: its book alone, as peers are, and
    with everything."""
    told: dict[str, dict[str, float]] = {}
    for contestant in (name for name in FAST if name in best):
        for name, seconds in best[contestant].items():
            fastest = min((best[peer.name][name] for peer in peers.PEERS), default=seconds)
            told.setdefault(name, {})[contestant] = round(fastest / seconds, 1)
    return told


def one_round(streams: dict[str, list[Step]]) -> dict[str, dict[str, Played]]:
    """Every stream once through everybody."""
    played = {name: play_apart(name, streams) for name in CONTESTANTS}
    return played | {peer.name: peers.play(peer, streams) for peer in peers.PEERS}


def play_apart(contestant: str, streams: dict[str, list[Step]]) -> dict[str, Played]:
    """What one of the own makes of the streams, in a process of its own."""
    return peers.play_apart([sys.executable, "-m", "benchmarks.engine.suite", contestant], streams)


def tell(counts: dict[str, int], best: dict[str, dict[str, float]]) -> None:
    """Each stream's rates, for people."""
    for contestant, spent in best.items():
        rates = "  ".join(f"{name} {counts[name] / seconds:>12,.0f}" for name, seconds in spent.items())
        print(f"{contestant:<30}{rates}")


def main() -> None:
    """Play each stream once."""
    name, streams, output = sys.argv[1:]
    steps: dict[str, list[Step]] = json.loads(Path(streams).read_text())
    gc.collect()
    gc.disable()
    Path(output).write_text(json.dumps({stream: CONTESTANTS[name](played) for stream, played in steps.items()}))


if __name__ == "__main__":
    main()
