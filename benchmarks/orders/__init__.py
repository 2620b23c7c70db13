"""How many orders a second the exchange takes at its binary entry, durable, and how soon it says so.

    signed_single     orders with a signature each, 64 to a message
    signed_single_16  the same, 16 to a message: a client chooses
    signed_frames_64  orders in frames of 64 under one signature, judged before they are journaled
    mac_frames_256    orders in frames of 256 with a session's MAC: acknowledged when they are durable
    mac_matched       the same, until the last of them is matched
    p50_ms, p99_ms    from when a message was due to its acknowledgement, at a tenth of each rate: the slowest kind.
                      Messages are due at even distances, the connections in turn. A pace begins once the database has
                      all of the rush, or 3 s after it: frames it follows as fast as it can all the while
    live, replay      orders of the whole run a second: as they came in, and as the run's journal is replayed
    matched_share     two for each trade, of all orders
    stolen            the share of the processors' time that the machine's host gave to others meanwhile, also by kind

Entry, engine (the fast one) and projector run as processes of their own, with PostgreSQL, a journal on this disk and
receipts, started as `bizzan up` starts them. With `--followed` an API's live view follows the engine, as each worker of
the API does. With `--waiting N` so many stop orders wait meanwhile, at prices that are never reached. The client asks
for short turns as entry does, because it stands for machines of others. Everything is signed beforehand. In each frame
some orders rest, as many take what others left, and the rest are immediate orders that meet nobody; so what a frame
fills stays within one batch's room.
Run: `bizzan bench orders --json [--followed] [--waiting N]`.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.orders.client import Connection, Lane, Trader, drive
from benchmarks.orders.stack import cpu_seconds, follower, lag, own_stack, stop
from benchmarks.stolen import clock
from bizzan.client.wallet import Wallet
from exchange.engine.commands import Credit
from exchange.engine.fast.engine import FastEngine
from exchange.journal.recovery import recover
from exchange.sequencer.client import EngineClient
from exchange.sequencer.protocol import Ack
from exchange.sequencer.slices import take_short_turns
from exchange.settings import Settings

CONNECTIONS = 4
SINGLE_ORDERS, FRAMES_64, FRAMES_256 = 24_000, 3_000, 2_000
PACED_SECONDS = 8.0
PACED_MESSAGES = 1_000
"""At least: of fewer, one stall of the disk would be more than a hundredth."""
FOLLOWED_SECONDS = 3.0


def run(as_json: bool = False, followed: bool = False, waiting: int = 0) -> dict[str, float]:
    """Measure on processes of its own; one figure per name. `followed` by an API's live view, while so many orders are
    `waiting` for a price."""
    import uvloop

    with own_stack() as settings, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        take_short_turns()
        with follower(settings) if followed else nullcontext():
            figures = runner.run(measure(settings, as_json, waiting))
        journal = settings.journal_dir
        stop()
        orders = figures.pop("_orders")
        seconds, trades = replay_seconds(journal)
        figures["replay"] = round(orders / seconds)
        figures["matched_share"] = round(2 * trades / orders, 3)
    return figures


def replay_seconds(journal: Path) -> tuple[float, int]:
    """How long the whole journal takes, without any snapshot; and its trades."""
    for snapshot in journal.glob("*.snapshot"):
        snapshot.unlink()
    started = time.perf_counter()
    engine = recover(journal, engine=FastEngine).engine
    return time.perf_counter() - started, engine.state.last_trade


async def measure(settings: Settings, quiet: bool, waiting: int) -> dict[str, float]:
    """All figures; signing is outside of what is timed."""
    lanes = await open_lanes(settings)
    await place_stops(settings, lanes, waiting)
    figures: dict[str, float] = {}
    totals = [0, 0.0, 0]
    began = clock()
    for kind in KINDS:
        await measure_kind(settings, lanes, kind, figures, totals, quiet)
    for name in ("p50_ms", "p99_ms"):
        figures[name] = max(value for key, value in figures.items() if key.startswith(f"{name}_"))
    figures["stolen"] = clock().share_since(began)
    figures["live"] = round(totals[0] / totals[1])
    figures["_orders"] = totals[0] + totals[2]
    figures["projector_lag"] = await lag(settings)
    for lane in lanes:
        assert lane.connection.transport is not None
        lane.connection.transport.close()
    return figures


async def open_lanes(settings: Settings) -> list["Lane"]:
    """Credited traders, each with a session of its own.

    The projector is waited for: what comes before it has begun, and through no inbox, looks like an emptied database.
    """
    traders = [Trader(Wallet((7_000 + n).to_bytes(32)), sells=bool(n % 2)) for n in range(CONNECTIONS)]
    async with EngineClient(settings.engine_socket()) as client:
        while await lag(settings):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        pairs = [(trader, asset) for trader in traders for asset in (0, 2)]
        credits = [Credit(n + 1, t.wallet.address, a, 10**17, f"deposit {n}") for n, (t, a) in enumerate(pairs)]
        await client.submit_many(credits)
    lanes, loop = [], asyncio.get_running_loop()
    for trader in traders:
        _, connection = await loop.create_connection(Connection, settings.entry.host, settings.entry.port)
        lanes.append(Lane(connection, trader, await connection.open(trader)))
    return lanes


async def place_stops(settings: Settings, lanes: Sequence["Lane"], count: int) -> None:
    """So many orders that wait for a price far above and far below all trades, of all traders in turn."""
    async with EngineClient(settings.engine_socket()) as client:
        placed = [lanes[n % len(lanes)].trader.stop() for n in range(count)]
        for outcome in await client.submit_many(placed):
            if not isinstance(outcome, Ack):
                raise RuntimeError(f"a stop order was refused: {outcome}")


@dataclass(frozen=True, slots=True)
class Load:
    """One way of sending orders: how many in a message, how many messages in the rush, and how a lane makes them."""

    name: str
    size: int
    messages: int
    early: bool
    make: Callable[["Lane", int], list[bytes]]


KINDS = (
    Load("signed_single", 64, SINGLE_ORDERS // 64, False, lambda lane, n: lane.singles(n, 64)),
    Load("signed_single_16", 16, SINGLE_ORDERS // 16, False, lambda lane, n: lane.singles(n, 16)),
    Load("signed_frames_64", 64, FRAMES_64, False, lambda lane, n: lane.frames(n, 64, with_mac=False)),
    Load("mac_frames_256", 256, FRAMES_256, True, lambda lane, n: lane.frames(n, 256, with_mac=True)),
)


async def measure_kind(
    settings: Settings, lanes: Sequence["Lane"], load: Load, figures: dict[str, float], totals: list[float], quiet: bool
) -> None:
    """A rush, then a pace at a tenth of its rate. `totals` are orders and seconds of rushes, and orders of paces."""
    messages = [load.make(lane, load.messages // len(lanes)) for lane in lanes]
    before, began = cpu_seconds(), clock()
    rush = await drive(lanes, messages, load.early)
    sent = load.size * sum(map(len, messages))
    spent = {key: value - before.get(key, 0) for key, value in cpu_seconds().items()}
    figures[load.name] = round(sent / rush.acked)
    if load.early:
        figures["mac_matched"] = round(sent / rush.matched)
    costs = ", ".join(f"{key} {value / sent * 1e6:.2f}" for key, value in sorted(spent.items()))
    behind = await lag(settings)
    say(quiet, f"{load.name}: {sent / rush.acked:.0f}/s acknowledged, {sent / rush.matched:.0f}/s matched")
    say(quiet, f"  {rush.refused} refused; microseconds per order: {costs}; projector {behind} records behind")
    per_second = sent / rush.acked / load.size / 10
    paced = [load.make(lane, max(int(per_second * PACED_SECONDS), PACED_MESSAGES) // len(lanes)) for lane in lanes]
    await followed(settings)
    pace = await drive(lanes, paced, load.early, per_second)
    totals[0], totals[1] = totals[0] + sent, totals[1] + rush.matched
    totals[2] += load.size * sum(map(len, paced))
    times = sorted(pace.latencies or [])
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    say(quiet, f"  at {per_second * load.size:.0f}/s: median {p50:.1f} ms, p99 {p99:.1f} ms")
    figures[f"p50_ms_{load.name}"], figures[f"p99_ms_{load.name}"] = round(p50, 1), round(p99, 1)
    figures[f"stolen_{load.name}"] = clock().share_since(began)


async def followed(settings: Settings) -> None:
    """Wait until the database has what the rush brought, if that is soon: of frames it is not."""
    until = time.perf_counter() + FOLLOWED_SECONDS
    while await lag(settings) and time.perf_counter() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.2)


def say(quiet: bool, text: str) -> None:
    """Progress, for people."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Print the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print nothing else")
    parser.add_argument("--followed", action="store_true", help="by an API's live view")
    parser.add_argument("--waiting", type=int, default=0, help="so many orders wait for a price")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.json, arguments.followed, arguments.waiting)))
