"""Order entry's binary protocol on the stream: the same answers as on its own port, beside JSON messages."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect

from bizzan.client.entry import EntryClient, EntryLost, EntryRefused
from bizzan.client.wallet import Wallet
from bizzan.supervisor.ports import free_port
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import code_of
from exchange.domain.order import Order, Side
from exchange.sequencer.client import EngineClient
from tests.utils.api_stack import BTC_USDC, DOMAIN, PRICE, ApiStack
from tests.utils.dead_man import check_dead_man
from tests.utils.waiting import wait_for


@pytest.fixture(scope="module")
def entry(stack: ApiStack) -> Iterator[ApiStack]:
    """Order entry beside the API."""
    ports = {"BIZZAN_ENTRY__PORT": str(free_port()), "BIZZAN_METRICS__ENTRY": str(free_port())}
    stack.spawn("entry", "backend.entry.main", {**ports, "BIZZAN_ENTRY__WORKERS": "1"})
    wait_for((stack.folder / "entry.sock").exists, "order entry")
    yield stack
    stack.kill("entry")


def orders(wallet: Wallet, first: int, count: int) -> list[Order]:
    expiry = int(time.time()) + 3_600
    return [
        Order(wallet.address, BTC_USDC, Side.buy, PRICE - 10 * n, 2, first + n, expiry, 0, 10, 0) for n in range(count)
    ]


async def test_frames_and_single_orders_on_the_stream(entry: ApiStack) -> None:
    wallet = await entry.trader()
    async with EntryClient.on_stream(entry.base_url, DOMAIN, wallet) as client:
        outcome = await client.place_frame(orders(wallet, 1, 64))
        assert outcome.codes == bytes(64)
        assert outcome.receipt is not None
        early, later = await client.place_frame_early(orders(wallet, 100, 128))
        assert (await later).codes == bytes(128)
        assert early.receipt is not None
        assert [single.code for single in await client.place_orders(orders(wallet, 300, 5))] == [0] * 5
        again = await client.place_frame(orders(wallet, 1, 4))
        assert set(again.codes) == {14}, "nonce_used"
        results = await asyncio.gather(
            *(client.place_frame(orders(wallet, 1_000 + 2 * n, 2)) for n in range(100)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, EntryRefused)]
        assert {(one.code, one.retry_ms > 0) for one in refused} <= {(ErrorCode.too_many_requests, True)}
        assert len(results) - len(refused) >= 64


async def test_both_kinds_of_messages_share_a_connection(entry: ApiStack) -> None:
    async with connect(entry.base_url.replace("http", "ws", 1) + "/v1/stream") as socket:
        await socket.send(wire.message(wire.Kind.ping, (7).to_bytes(8)))
        assert await socket.recv() == wire.message(wire.Kind.pong, (7).to_bytes(8))
        await socket.send(json.dumps({"op": "ping", "id": "a"}))
        assert json.loads(await socket.recv()) == {"type": "done", "id": "a", "op": "pong"}
        await socket.send(json.dumps({"op": "ping", "id": "b"}).encode())
        assert json.loads(await socket.recv())["id"] == "b", "JSON in a binary message is JSON"
        for wrong in (b"\0", b"\0\0\0\x09\x05", wire.message(wire.Kind.ping, bytes(8)) + b"\0"):
            await socket.send(wrong)
            answer = await socket.recv()
            assert isinstance(answer, bytes)
            refused = wire.Refused.unpack(answer[5:])
            assert code_of(refused.code) == ErrorCode.malformed
            assert "one message" in refused.text


async def test_client_of_the_stream_that_is_killed_leaves_no_orders_behind(entry: ApiStack) -> None:
    wallet = await entry.trader()
    async with EngineClient(entry.folder / "engine.sock") as watcher:
        await check_dead_man(watcher, wallet.key.hex(), wallet.address, entry.base_url, BTC_USDC, PRICE - 10_000)


async def test_end_of_order_entry_is_told_and_a_new_session_opens(entry: ApiStack) -> None:
    wallet = await entry.trader()
    async with connect(entry.base_url.replace("http", "ws", 1) + "/v1/stream") as socket:
        await socket.send(wire.hello(wallet.address))
        await socket.recv()
        entry.kill("entry")
        answer = await socket.recv()
        assert isinstance(answer, bytes)
        assert "say hello again" in wire.Refused.unpack(answer[5:]).text
        await socket.send(wire.message(wire.Kind.ping, (9).to_bytes(8)))
        answer = await socket.recv()
        assert isinstance(answer, bytes)
        refused = wire.Refused.unpack(answer[5:])
        assert (refused.number, code_of(refused.code), refused.retry_ms) == (9, ErrorCode.unavailable, 500)
    ports = {"BIZZAN_ENTRY__PORT": str(free_port()), "BIZZAN_METRICS__ENTRY": str(free_port())}
    entry.spawn("entry", "backend.entry.main", {**ports, "BIZZAN_ENTRY__WORKERS": "1"})

    async def place() -> bool:
        try:
            async with EntryClient.on_stream(entry.base_url, DOMAIN, wallet) as client:
                return (await client.place_frame(orders(wallet, 1, 2))).codes == bytes(2)
        except (EntryRefused, EntryLost):
            return False

    for _ in range(600):
        if await place():
            return
        await asyncio.sleep(0.2)
    raise AssertionError("no session after order entry came back")
