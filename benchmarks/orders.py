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

Entry, engine (the fast one) and projector run as processes of their own, with PostgreSQL, a journal on this disk and
receipts, started as `bizzan up` starts them; no API follows the engine. The client asks for short turns as entry does,
because it stands for machines of others. Everything is signed beforehand. In each frame some orders rest, as many take
what others left, and the rest are immediate orders that meet nobody; so what a frame fills stays within one batch's
room.
Run: `bizzan bench orders --json`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from coincurve import PrivateKey

from bizzan.client.wallet import Wallet
from bizzan.supervisor.local import build_entry, build_postgres, build_service
from bizzan.supervisor.ports import free_port
from bizzan.supervisor.postgres import Postgres
from bizzan.supervisor.service import Service
from exchange.database.engine import create_engine, migrate
from exchange.database.projection import position
from exchange.domain import entry as wire
from exchange.domain.bulk import bulk_digest
from exchange.domain.deployment import Deployment, Windows, checksum
from exchange.domain.frame import unfold
from exchange.domain.instrument import Asset, Market, Token
from exchange.domain.order import Order, Side, TimeInForce
from exchange.engine.commands import Credit
from exchange.engine.fast.engine import FastEngine
from exchange.journal.recovery import recover
from exchange.sequencer.client import EngineClient
from exchange.sequencer.slices import take_short_turns
from exchange.settings import Settings, load_settings

SERVICES = ("engine", "entry", "projector")
CONNECTIONS = 4
IN_FLIGHT = 24
PRICE = 600_000
SINGLE_ORDERS, FRAMES_64, FRAMES_256 = 24_000, 3_000, 2_000
PACED_SECONDS = 8.0
PACED_MESSAGES = 1_000
"""At least: of fewer, one stall of the disk would be more than a hundredth."""
FOLLOWED_SECONDS = 3.0
ROOM = {16: 4, 64: 16, 256: 24}
"""How many orders of a frame rest, and how many take."""

DEPLOYMENT = Deployment(
    chain_id=31_337,
    custody=checksum(b"\xcc" * 20),
    deposit_addresses=checksum(b"\xda" * 20),
    block_number=1,
    block_hash="0x" + "11" * 32,
    commit="benchmark",
    domain_name="Bizzan",
    windows=Windows(86_400, 86_400, 86_400, 259_200, 3_600, 259_200),
    fee_cap_bps=100,
    fee_account=checksum(b"\xfe" * 20),
    operator=checksum(b"\x01" * 20),
    co_signer=checksum(b"\x02" * 20),
    assets=(Asset(0, "USDC", 6), Asset(1, "ETH", 8), Asset(2, "BTC", 8)),
    tokens=(
        Token(31_337, 0, checksum(b"\x03" * 20), 0, 6, 1),
        Token(31_337, 1, checksum(bytes(20)), 1, 18, 10**10),
        Token(31_337, 2, checksum(b"\x04" * 20), 2, 8, 1),
    ),
    markets=(Market(1, "BTC/USDC", 2, 0, 10_000, 10, 1_000_000, 2_000, 200, 500, PRICE),),
    operator_bond=checksum(b"\xbb" * 20),
    receipt_signer="0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
)
DOMAIN = DEPLOYMENT.domain


@dataclass(slots=True)
class Trader:
    """An account that buys or sells, and its next nonce."""

    wallet: Wallet
    sells: bool
    nonce: int = 1

    def orders(self, count: int, room: int, expiry: int) -> list[Order]:
        """Of each message the first rest, as many then take, and the others meet nobody."""
        side = Side.sell if self.sells else Side.buy
        rest, take = (PRICE, PRICE - 10) if self.sells else (PRICE - 10, PRICE)
        away = PRICE + 1_000 if self.sells else PRICE - 1_000
        made = []
        for index in range(count):
            price = rest if index < room else take if index < 2 * room else away
            tif = TimeInForce.gtc if index < room else TimeInForce.ioc
            made.append(Order(self.wallet.address, 1, side, price, 2, self.nonce + index, expiry, 0, 10, int(tif)))
        self.nonce += count
        return made


def run(as_json: bool = False) -> dict[str, float]:
    """Measure on processes of its own; one figure per name."""
    import uvloop

    with own_stack() as settings, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        take_short_turns()
        figures = runner.run(measure(settings, quiet=as_json))
        journal = settings.journal_dir
        stop()
        orders = figures.pop("_orders")
        seconds, trades = replay_seconds(journal)
        figures["replay"] = round(orders / seconds)
        figures["matched_share"] = round(2 * trades / orders, 3)
    return figures


@contextmanager
def own_stack() -> Iterator[Settings]:
    """Entry, engine, projector and a database in a temporary folder, on free ports."""
    with tempfile.TemporaryDirectory(prefix="bzn-ord-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        (Path(name) / "deployment.json").write_text(json.dumps(DEPLOYMENT.to_json()))
        changes = {
            "BIZZAN_PATHS__STATE_DIR": str(Path(name) / "state"),
            "BIZZAN_CHAIN__DEPLOYMENT_FILE": str(Path(name) / "deployment.json"),
            "BIZZAN_LOCAL__DATABASE_PORT": str(free_port()),
            "BIZZAN_ENTRY__PORT": str(free_port()),
            "BIZZAN_ENTRY__WASTED_AT_ONCE": str(10**9),
            "BIZZAN_ENGINE__IMPLEMENTATION": "fast",
            **{f"BIZZAN_METRICS__{part.upper()}": str(free_port()) for part in SERVICES},
        }
        before = dict(os.environ)
        os.environ.update(changes)
        settings = load_settings()
        database = build_postgres(settings)
        assert database is not None
        _database[:] = [database]
        try:
            database.start()
            database.wait_ready()
            database.create_database("bizzan")
            migrate(settings.database_url())
            start(settings)
            yield settings
        finally:
            stop()
            database.stop()
            database.remove()
            os.environ.clear()
            os.environ.update(before)


_services: list[Service] = []
_database: list[Postgres] = []


def start(settings: Settings) -> None:
    """Start the services as `bizzan up` does, and wait until they are there."""
    metrics = settings.metrics
    _services[:] = [
        build_service(settings, "engine", metrics=metrics.engine),
        build_entry(settings),
        build_service(settings, "projector", metrics=metrics.projector),
    ]
    for service in _services:
        service.start()
    for service in _services:
        service.wait_ready()


def stop() -> None:
    """End the services, entry before the engine."""
    for service in reversed(_services):
        service.stop()
    _services.clear()


def replay_seconds(journal: Path) -> tuple[float, int]:
    """How long the whole journal takes, without any snapshot; and its trades."""
    for snapshot in journal.glob("*.snapshot"):
        snapshot.unlink()
    started = time.perf_counter()
    engine = recover(journal, engine=FastEngine).engine
    return time.perf_counter() - started, engine.state.last_trade


class Connection(asyncio.Protocol):
    """A session that sends what is made and times what comes back, as cheaply as it can."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.handshake: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.on_message: Callable[[int, bytes], None] = lambda kind, body: self.handshake.put_nowait((kind, body))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take messages apart."""
        self.buffer += data
        at, view = 0, bytes(self.buffer)
        while len(view) - at >= 4:
            size = int.from_bytes(view[at : at + 4])
            if len(view) - at < 4 + size:
                break
            self.on_message(view[at + 4], view[at + 5 : at + 4 + size])
            at += 4 + size
        del self.buffer[:at]

    def send(self, data: bytes) -> None:
        """Send."""
        assert self.transport is not None
        self.transport.write(data)

    async def open(self, trader: Trader) -> bytes:
        """Open the session; the key of its MAC."""
        self.send(wire.hello(trader.wallet.address))
        kind, body = await self.handshake.get()
        assert kind == wire.Kind.challenge, body
        challenge, mine = wire.Challenge.unpack(body).challenge, PrivateKey()
        key = mine.public_key.format()
        digest = wire.session_digest(DOMAIN, trader.wallet.address, challenge, key)
        self.send(wire.message(wire.Kind.open, key + trader.wallet.sign_digest(digest)))
        kind, body = await self.handshake.get()
        assert kind == wire.Kind.opened, body
        return wire.shared_key(mine, wire.unpack_opened(body)[0], challenge)


@dataclass(slots=True)
class Lane:
    """One connection with its trader, and the number of its last message."""

    connection: Connection
    trader: Trader
    mac_key: bytes
    number: int = 0

    def frames(self, count: int, size: int, with_mac: bool) -> list[bytes]:
        """Signed frames, whole messages."""
        expiry, made = int(time.time()) + 3_600, []
        for _ in range(count):
            self.number += 1
            packed = b"".join(order.pack() for order in self.trader.orders(size, ROOM[size], expiry))
            tree = unfold(packed, DOMAIN.separator)
            signature = self.trader.wallet.sign_digest(bulk_digest(DOMAIN.separator, tree.root, tree.height))
            frame = wire.FrameMessage(self.number, tree.root, signature, packed)
            made.append(frame.pack(self.mac_key if with_mac else None))
        return made

    def singles(self, count: int, size: int) -> list[bytes]:
        """Messages of `size` single orders."""
        expiry, made = int(time.time()) + 3_600, []
        for _ in range(count):
            self.number += 1
            orders = self.trader.orders(size, ROOM[size], expiry)
            sign = self.trader.wallet.sign_digest
            made.append(wire.pack_orders(self.number, [o.pack() + sign(DOMAIN.order_hash(o)) for o in orders]))
        return made


@dataclass(slots=True)
class Rush:
    """What a rush or a pace found: seconds until all were acknowledged, and until all were matched; latencies in ms."""

    acked: float = 0.0
    matched: float = 0.0
    refused: int = 0
    latencies: list[float] | None = None


async def drive(lanes: Sequence[Lane], messages: Sequence[list[bytes]], early: bool, per_second: float = 0.0) -> Rush:
    """Send each lane's messages, as fast as a window allows or at a pace, and wait until all is matched."""
    found, total = Rush(latencies=[]), sum(map(len, messages))
    left, started = {"ack": total, "match": total}, time.perf_counter()
    done = asyncio.get_running_loop().create_future()
    due: list[dict[int, float]] = [{} for _ in lanes]
    queues = [iter(own) for own in messages]
    ack_kind = wire.Kind.journaled if early else None

    def receive(lane: int, kind: int, body: bytes) -> None:
        now = time.perf_counter()
        if kind in (wire.Kind.journaled, wire.Kind.outcome, wire.Kind.orders_outcome):
            number = int.from_bytes(body[:8])
            if ack_kind is None or kind == ack_kind:
                assert found.latencies is not None
                found.latencies.append((now - due[lane].pop(number, now)) * 1_000)
                left["ack"] -= 1
                found.acked = now - started
            if kind == wire.Kind.journaled:
                return
            codes = body[26:][: int.from_bytes(body[24:26])] if kind == wire.Kind.outcome else b""
            found.refused += len(codes) - codes.count(0)
        elif kind == wire.Kind.refused:
            raise RuntimeError(f"refused: {wire.Refused.unpack(body)}")
        left["match"] -= 1
        found.matched = now - started
        if not per_second and (following := next(queues[lane], None)) is not None:
            lanes[lane].connection.send(following)
        if not left["match"]:
            done.set_result(None)

    for index, lane in enumerate(lanes):
        lane.connection.on_message = lambda kind, body, index=index: receive(index, kind, body)  # type: ignore[misc]
    if not per_second:
        for index, lane in enumerate(lanes):
            for _, message in zip(range(IN_FLIGHT), queues[index], strict=False):
                lane.connection.send(message)
        await done
        return found
    for number in range(total):
        moment = started + number / per_second
        while (pause := moment - time.perf_counter()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(pause)
        index = number % len(lanes)
        message = next(queues[index])
        due[index][int.from_bytes(message[5:13])] = moment
        lanes[index].connection.send(message)
    await done
    return found


async def measure(settings: Settings, quiet: bool) -> dict[str, float]:
    """All figures; signing is outside of what is timed."""
    lanes = await open_lanes(settings)
    figures: dict[str, float] = {}
    totals = [0, 0.0, 0]
    for kind in KINDS:
        await measure_kind(settings, lanes, kind, figures, totals, quiet)
    for name in ("p50_ms", "p99_ms"):
        figures[name] = max(value for key, value in figures.items() if key.startswith(f"{name}_"))
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
    before = cpu_seconds()
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


async def followed(settings: Settings) -> None:
    """Wait until the database has what the rush brought, if that is soon: of frames it is not."""
    until = time.perf_counter() + FOLLOWED_SECONDS
    while await lag(settings) and time.perf_counter() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.2)


async def lag(settings: Settings) -> int:
    """How many records the database is behind the journal."""
    async with EngineClient(settings.engine_socket()) as client:
        seq, _ = await client.journal_head()
    database = create_engine(settings.database_url(), 1)
    try:
        async with database.connect() as conn:
            return seq - (await position(conn)).seq
    finally:
        await database.dispose()


def cpu_seconds() -> dict[str, float]:
    """CPU time so far of this client and of each service, with what each has started."""
    owners = {service.pid: service.name for service in _services} | {_database[0].pid: "database"}
    found: dict[str, float] = {"client": time.process_time()}
    fields: dict[int, list[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended
            fields[int(process.name)] = (process / "stat").read_text().rpartition(")")[2].split()
    for pid, (_, parent, *_) in fields.items():
        owner = owners.get(pid) or owners.get(int(parent))
        if owner is None:
            continue
        name = "judges" if owner == "entry" and pid not in owners else owner
        ticks = int(fields[pid][11]) + int(fields[pid][12])
        if owner == "database" and pid in owners:  # and those that have ended
            ticks += int(fields[pid][13]) + int(fields[pid][14])
        found[name] = found.get(name, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return found


def say(quiet: bool, text: str) -> None:
    """Progress, for people."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Print the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print nothing else")
    print(json.dumps(run(parser.parse_args().json)))


if __name__ == "__main__":
    main()
