"""How many individually signed orders a second the exchange acknowledges after fdatasync, and how soon.

    signed_single    orders per second: four WebSocket connections, 256 orders under way on each, one order and one
                     signature per message, limit orders of many wallets that partly match
    p99_ms_at_500    99th percentile of the time from when an order was due to its acknowledgement, at 500 a second

All services run on this machine and work: chain node, PostgreSQL, engine, projector, indexer, API, keeper. Orders are
signed beforehand; the client's messages are framed beforehand too, because it shares the machine with what it measures.
The limits per account and address are raised, nothing else. Run: `bizzan bench intake --json`, or
`python -m benchmarks.intake --running` against a stack that is up (with its own limits).
"""

import argparse
import asyncio
import base64
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bizzan.client.api import BizzanClient
from bizzan.client.wallet import Wallet
from bizzan.faucet import faucet_client
from bizzan.supervisor.ports import free_port
from exchange.domain.order import Side
from exchange.settings import Settings, load_settings

WALLETS = 48
CONNECTIONS = 4
WINDOW = 256
ORDERS = 30_000
PACED_ORDERS = 5_000
PACED_PER_SECOND = 500
SYMBOL = "BTC-USDC"
DEPOSITS = {"USDC": 2_000_000, "BTC": 100}
"""Whole coins per wallet."""
SPREAD_TICKS = 200
LOTS = 20
SERVICES = ("engine", "projector", "indexer", "api", "keeper")
CREDIT_SECONDS = 120


def run(as_json: bool = False, running: bool = False) -> dict[str, float]:
    """Measure, on a stack of its own unless `running`; one figure per name."""
    if running:
        return asyncio.run(measure(load_settings(), quiet=as_json))
    with own_stack(quiet=as_json) as settings:
        return asyncio.run(measure(settings, quiet=as_json))


@contextmanager
def own_stack(quiet: bool, demo: bool = False) -> Iterator[Settings]:
    """A whole exchange in a temporary folder, on free ports, by default without demo traffic."""
    with tempfile.TemporaryDirectory(prefix="bzn-intake-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        changes = {
            "BIZZAN_PATHS__STATE_DIR": str(Path(name) / "state"),
            "BIZZAN_LOCAL__CHAIN_PORT": str(free_port()),
            "BIZZAN_LOCAL__DATABASE_PORT": str(free_port()),
            "BIZZAN_API__PORT": str(free_port()),
            "BIZZAN_ENTRY__PORT": str(free_port()),
            **{
                f"BIZZAN_METRICS__{part}": str(free_port())
                for part in ("ENGINE", "PROJECTOR", "INDEXER", "KEEPER", "ENTRY", "PUBLISHER", "SURVEILLANCE")
            },
            **{
                f"BIZZAN_API__LIMITS__{limit}": "1000000"
                for limit in ("WRITES_PER_SECOND", "WRITES_BURST", "ADDRESS_WRITES_PER_SECOND", "ADDRESS_WRITES_BURST")
            },
        }
        before = dict(os.environ)
        os.environ.update(changes)
        command = [str(Path(sys.executable).with_name("bizzan"))]
        output = subprocess.DEVNULL if quiet else None
        try:
            subprocess.run([*command, "up", "--demo" if demo else "--no-demo", "--detach"], check=True, stdout=output)
            yield load_settings()
        finally:
            subprocess.run([*command, "down"], check=False, stdout=output)
            os.environ.clear()
            os.environ.update(before)


async def measure(settings: Settings, quiet: bool) -> dict[str, float]:
    """Fund the wallets, sign the orders, then measure both figures."""
    url = f"http://{settings.api.host}:{settings.api.port}"
    wallets = [Wallet(secrets.token_bytes(32)) for _ in range(WALLETS)]
    started = time.perf_counter()
    async with BizzanClient(url, wallets[0]) as client:
        await fund(settings, client, wallets)
        say(quiet, f"funded {WALLETS} wallets in {time.perf_counter() - started:.0f} s")
        started = time.perf_counter()
        frames = sign(client, wallets, ORDERS + PACED_ORDERS)
        say(quiet, f"signed {len(frames)} orders in {time.perf_counter() - started:.1f} s")
    connections = [await connect(url) for _ in range(CONNECTIONS)]
    before = cpu_seconds(settings.state_dir)
    rate = await measure_rate(connections, frames[:ORDERS])
    spent = {name: seconds - before.get(name, 0) for name, seconds in cpu_seconds(settings.state_dir).items()}
    costs = ", ".join(f"{name} {seconds / ORDERS * 1e6:.0f}" for name, seconds in sorted(spent.items()))
    say(quiet, f"{rate:.0f} orders/s; CPU microseconds per order: {costs}; waiting until the rest has caught up")
    await asyncio.sleep(5)
    latencies = await measure_latency(connections, frames[ORDERS:])
    refused = sum(connection.refused for connection in connections)
    for connection in connections:
        connection.close()
    say(quiet, f"median {latencies[len(latencies) // 2]:.1f} ms; refused {refused}")
    if refused:
        raise RuntimeError(
            f"{refused} orders were refused, so the figures mean nothing: {connections[0].last_refusal.decode()}"
        )
    return {"signed_single": round(rate), "p99_ms_at_500": round(latencies[int(len(latencies) * 0.99)], 1)}


def cpu_seconds(state_dir: Path) -> dict[str, float]:
    """CPU time so far of this client and of each service, where /proc tells: it shows what limits the rate."""
    found = {"client": time.process_time()}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(state_dir).encode() not in (process / "environ").read_bytes() + (process / "cmdline").read_bytes():
                continue
            name = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")[-1].decode()
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended, or is somebody else's
            continue
        service = name if name in SERVICES else "chain node and database"
        found[service] = found.get(service, 0.0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def say(quiet: bool, text: str) -> None:
    """Progress, for people."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


async def fund(settings: Settings, client: BizzanClient, wallets: list[Wallet]) -> None:
    """Deposit for every wallet from the faucet's account, and wait until all of it is credited."""
    exchange = client.exchange
    async with faucet_client(settings.rpc_url, exchange.custody, settings.key("faucet")) as custody:
        for symbol, coins in DEPOSITS.items():
            token = exchange.tokens[symbol]
            amount = coins * 10**token.decimals
            await custody.send(token.address, "faucet(uint256)", amount * len(wallets))
            await custody.approve(token.address)
            deposits = (custody.deposit(token.address, amount, account=wallet.text_address) for wallet in wallets)
            await asyncio.gather(*deposits)
    for wallet in wallets:
        async with BizzanClient(client.base_url, wallet) as owner:
            await owner.login()
            await wait_until_credited(owner)


async def wait_until_credited(owner: BizzanClient) -> None:
    """Return when the engine knows of every deposit."""
    for _ in range(CREDIT_SECONDS * 5):
        balances = [(await owner.balances()).balance(symbol) for symbol in DEPOSITS]
        if all(balance is not None and balance.available for balance in balances):
            return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"deposits were not credited within {CREDIT_SECONDS} s")


def sign(client: BizzanClient, wallets: list[Wallet], count: int) -> list[bytes]:
    """Framed messages, each with one signed order: both sides, around one price, so that about half of them match."""
    chance = random.Random(1)
    builder = client.market(SYMBOL)
    tick, middle = builder.market.tick_size, builder.market.reference_price
    expiry = int(time.time()) + 3_600
    frames = []
    for number in range(count):
        wallet = wallets[number % len(wallets)]
        side = chance.choice((Side.buy, Side.sell))
        price = middle // tick * tick + chance.randint(-SPREAD_TICKS, SPREAD_TICKS) * tick
        order = builder.order(
            wallet.address, side, price, chance.randint(1, 20) * LOTS, 1 + number // len(wallets), expiry=expiry
        )
        body = client.order_body(wallet.sign_order(client.exchange.domain, order))
        frames.append(frame(json.dumps({"op": "place", "id": str(number), "order": body}).encode()))
    return frames


def frame(payload: bytes) -> bytes:
    """One masked WebSocket text frame; the mask is zero, which leaves the payload as it is."""
    if len(payload) < 126:
        raise ValueError("an order is longer than that")
    return b"\x81\xfe" + len(payload).to_bytes(2) + bytes(4) + payload


class Connection(asyncio.Protocol):
    """A WebSocket client that does nothing but send frames and time acknowledgements, as cheaply as it can."""

    def __init__(self) -> None:
        self.upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_answer: Callable[[bytes], None] = lambda _: None
        self.refused = 0
        self.last_refusal = b""
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("peername")[:2]
        transport.write(
            f"GET /v1/stream HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def send(self, frames: list[bytes]) -> None:
        """Send frames at once."""
        assert self._transport is not None
        self._transport.write(b"".join(frames))

    def close(self) -> None:
        """End the connection."""
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take answers in."""
        self._data += data
        if not self.upgraded.done():
            head, separator, rest = bytes(self._data).partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.upgraded.set_exception(RuntimeError(head.decode()))
                return
            self._data = bytearray(rest)
            self.upgraded.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        data, start = bytes(self._data), 0
        while len(data) - start >= 2:
            size, header = data[start + 1], 2
            if size == 126:
                size, header = int.from_bytes(data[start + 2 : start + 4]), 4
            if len(data) - start < header + size:
                break
            if data[start] == 0x81:
                self._answer(data[start + header : start + header + size])
            elif data[start] == 0x89:  # a ping: its pong carries the same bytes
                self.send([bytes((0x8A, 0x80 | size)) + bytes(4) + data[start + header : start + header + size]])
            else:
                raise RuntimeError(f"the API closed the connection: {data[start + header :]!r}")
            start += header + size
        del self._data[:start]

    def _answer(self, text: bytes) -> None:
        if not text.startswith(b'{"type":"ack"'):
            self.refused += 1
            self.last_refusal = text
        self.on_answer(text)


async def connect(url: str) -> Connection:
    """An upgraded connection to the stream."""
    address = urlsplit(url)
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, address.hostname or "127.0.0.1", address.port or 80
    )
    await connection.upgraded
    return connection


async def measure_rate(connections: list[Connection], frames: list[bytes]) -> float:
    """Orders per second with `WINDOW` orders under way on each connection, from the first sent to the last acked."""
    done = asyncio.gather(*(_keep_window_full(c, frames[i :: len(connections)]) for i, c in enumerate(connections)))
    started = time.perf_counter()
    await done
    return len(frames) / (time.perf_counter() - started)


async def _keep_window_full(connection: Connection, frames: list[bytes]) -> None:
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = iter(frames)
    left = len(frames)
    free: list[bytes] = []

    def refill() -> None:
        connection.send(free)
        free.clear()

    def answered(_: bytes) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            finished.set_result(None)
        following = next(waiting, None)
        if following is not None:
            if not free:
                asyncio.get_running_loop().call_soon(refill)
            free.append(following)

    connection.on_answer = answered
    connection.send([text for _, text in zip(range(WINDOW), waiting, strict=False)])
    await finished


async def measure_latency(connections: list[Connection], frames: list[bytes]) -> list[float]:
    """Sorted milliseconds from when each order was due to its acknowledgement, at `PACED_PER_SECOND`.

    An order that is sent late counts from when it was due, so a stall is not hidden by the orders that it holds up.
    """
    due: dict[bytes, float] = {}
    latencies: list[float] = []
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(text: bytes) -> None:
        latencies.append((time.perf_counter() - due.pop(_id_of(text))) * 1_000)
        if len(latencies) == len(frames):
            finished.set_result(None)

    for connection in connections:
        connection.on_answer = answered
    started = time.perf_counter()
    for number, text in enumerate(frames):
        moment = started + number / PACED_PER_SECOND
        pause = moment - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        due[_id_of(text[8:])] = moment
        connections[number % len(connections)].send([text])
    await finished
    return sorted(latencies)


def _id_of(text: bytes) -> bytes:
    """The request's id, in a request or an answer: the text between the first `"id"` and the next quotes."""
    start = text.index(b'"', text.index(b'"id"') + 4) + 1
    return text[start : text.index(b'"', start)]


def main() -> None:
    """Print the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--running", action="store_true", help="measure the stack that is up")
    parser.add_argument("--json", action="store_true", help="print nothing else")
    options = parser.parse_args()
    print(json.dumps(run(options.json, options.running)))


if __name__ == "__main__":
    main()
