"""The stream: snapshots and diffs without a gap, account events, pipelined orders, and clients that misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine
from websockets.exceptions import ConnectionClosed, InvalidStatus

from exchange.database.tables import session
from exchange.domain.auction import clearing
from exchange.domain.order import SINGLE_FILL, Side, TimeInForce
from exchange.engine.commands import SetMarketStatus, StartAuction
from tests.utils.api_stack import ETH_BTC, UNLIMITED, ApiStack, cancel_body, mirrored, new_wallet, signed_body
from tests.utils.sign_in import sign_in
from tests.utils.stream import StreamClient, open_stream
from tests.utils.waiting import wait_for

BOOK = "book.BTC-USDC"
SMALL_BOOK = "book.ETH-BTC"

OPEN_ORDERS = 900  # each a level of the book, so that a snapshot of it is large
CUT_OFF_SECONDS = 120


class BookCopy:
    """A client's book, built from a snapshot and the diffs after it."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.seq = snapshot["seq"]
        self.sides = {side: dict(snapshot[side]) for side in ("bids", "asks")}

    def apply(self, diff: dict[str, Any]) -> None:
        """Apply one diff; it must follow on the last one."""
        assert diff["prev_seq"] == self.seq, "a diff is missing"
        self.seq = diff["seq"]
        for side, levels in self.sides.items():
            levels.update(diff[side])
            self.sides[side] = {price: quantity for price, quantity in levels.items() if quantity != "0"}


async def test_diffs_after_a_snapshot_rebuild_the_book(api: httpx.AsyncClient, stack: ApiStack) -> None:
    trader = await stack.trader()
    async with open_stream(stack.base_url) as client:
        await client.ask("subscribe", channels=[BOOK])
        book = BookCopy(await client.next(BOOK, "snapshot"))
        for step in range(40):
            body = signed_body(trader, Side.buy, 520_000 + 10 * (step % 7), 5 + step)
            ack = await client.ask("place", order=body)
            if step % 3 == 0:
                ack = await client.ask("cancel", cancel=cancel_body(trader, int(body["nonce"])))
        while book.seq < ack["ack"]["seq"]:
            book.apply(await client.next(BOOK, "diff"))
        live = (await api.get("/v1/markets/1/book", params={"depth": 1000})).json()
        while book.seq < live["seq"]:
            book.apply(await client.next(BOOK, "diff"))
        assert book.sides == {"bids": dict(live["bids"]), "asks": dict(live["asks"])}


async def test_the_book_tells_what_an_auction_would_do_from_its_start_to_its_end(
    api: httpx.AsyncClient, stack: ApiStack
) -> None:
    buyer, seller = [await stack.trader() for _ in range(2)]
    last = int((await api.get("/v1/markets/ETH-BTC/ticker")).json()["last_price"] or 50)
    async with open_stream(stack.base_url) as client:
        await client.ask("subscribe", channels=[SMALL_BOOK])
        book = BookCopy(await client.next(SMALL_BOOK, "snapshot"))
        await stack.submit(StartAuction(stack.inbox_id(), ETH_BTC, 0))
        assert await auction_told(client, book) == would_do(book, last), "nothing changed but that it began"
        bid = signed_body(buyer, Side.buy, 55, 30_000, market=ETH_BTC)
        for body in (bid, signed_body(seller, Side.sell, 45, 20_000, market=ETH_BTC)):
            assert "ack" in (placed := await client.ask("place", order=body)), placed
            assert await auction_told(client, book) == would_do(book, last)
        would = would_do(book, last)
        assert int(would["volume"]) >= 20_000
        async with open_stream(stack.base_url) as late:
            await late.ask("subscribe", channels=[SMALL_BOOK])
            assert (await late.next(SMALL_BOOK, "snapshot"))["auction"] == would
        await stack.submit(SetMarketStatus(stack.inbox_id(), ETH_BTC, "open"))
        while await auction_told(client, book) is not None:
            pass
        assert would_do(book, last)["volume"] == "0", "all that met has traded"
        last = int(would["price"])
        await stack.submit(StartAuction(stack.inbox_id(), ETH_BTC, 0))
        assert await auction_told(client, book) == would_do(book, last)
        await stack.submit(SetMarketStatus(stack.inbox_id(), ETH_BTC, "open"))
        assert await auction_told(client, book) is None, "one without a trade is over too"
        await client.ask("cancel", cancel=cancel_body(buyer, int(bid["nonce"])))


async def auction_told(client: StreamClient, book: BookCopy) -> dict[str, Any] | None:
    """What the next diff says of the auction."""
    diff = await client.next(SMALL_BOOK, "diff")
    book.apply(diff)
    told: dict[str, Any] | None = diff.get("auction")
    return told


def would_do(book: BookCopy, last: int) -> dict[str, Any]:
    """What an auction of the orders in the book would do."""
    bids, asks = ([(int(p), int(lots)) for p, lots in book.sides[side].items()] for side in ("bids", "asks"))
    found = clearing(bids, asks, last, 1)
    price, volume, surplus = (found.price, found.volume, found.surplus) if found else (0, 0, 0)
    return {"ends_at": 0, "price": str(price), "volume": str(volume), "surplus": str(surplus)}


async def test_a_late_subscriber_joins_without_a_gap(stack: ApiStack) -> None:
    trader = await stack.trader()
    async with open_stream(stack.base_url) as writer, open_stream(stack.base_url) as reader:
        pending = [asyncio.create_task(_place_many(writer, trader, 30))]
        await reader.ask("subscribe", channels=[BOOK])
        book = BookCopy(await reader.next(BOOK, "snapshot"))
        (last,) = await asyncio.gather(*pending)
        while book.seq < last:
            book.apply(await reader.next(BOOK, "diff"))


async def _place_many(client: StreamClient, trader: Any, count: int) -> int:
    last = 0
    for step in range(count):
        answer = await client.ask("place", order=signed_body(trader, Side.buy, 530_000 + 10 * step))
        last = answer["ack"]["seq"]
    return last


async def test_trades_and_ticker_follow_a_trade(api: httpx.AsyncClient, stack: ApiStack) -> None:
    maker, taker = await stack.trader(), await stack.trader()
    async with open_stream(stack.base_url) as client:
        await client.ask("subscribe", channels=["trades.BTC-USDC", "ticker.BTC-USDC", "candles.BTC-USDC.1m"])
        snapshot = await client.next("trades.BTC-USDC", "snapshot")
        await client.next("ticker.BTC-USDC", "snapshot")
        await client.next("candles.BTC-USDC.1m", "snapshot")
        await client.ask("place", order=signed_body(maker, Side.sell, 602_000, 4))
        body = signed_body(taker, Side.buy, 602_000, 4, time_in_force=TimeInForce.ioc, nonce=SINGLE_FILL | 1)
        ack = await client.ask("place", order=body)
        tape = await client.next("trades.BTC-USDC", "trades")
        assert tape["prev_seq"] == snapshot["seq"]
        assert [(trade["price"], trade["quantity"]) for trade in tape["trades"]] == [("602000", "4")]
        await mirrored(api, ack["ack"]["seq"])
        while (await client.next("ticker.BTC-USDC"))["ticker"]["last_price"] != "602000":
            pass
        while (await client.next("candles.BTC-USDC.1m"))["candles"][-1]["close"] != "602000":
            pass


async def test_an_account_sees_its_orders_fills_and_balances(api: httpx.AsyncClient, stack: ApiStack) -> None:
    maker, taker = await stack.trader(), await stack.trader()
    headers = await sign_in(api, maker)
    async with open_stream(stack.base_url) as client, open_stream(stack.base_url) as other:
        assert (await client.ask("subscribe", channels=["account"]))["error"]["code"] == "unauthenticated"
        await client.ask("login", token=headers["authorization"].removeprefix("Bearer "))
        await client.ask("subscribe", channels=["account"])
        snapshot = await client.next("account", "snapshot")
        assert snapshot["account"] == maker.text_address
        assert snapshot["orders"] == []
        placed = await client.ask("place", order=signed_body(maker, Side.sell, 600_700, 3))
        body = signed_body(taker, Side.buy, 600_700, 3, time_in_force=TimeInForce.ioc, nonce=SINGLE_FILL | 1)
        answer = await other.ask("place", order=body)
        assert "ack" in answer, answer
        events: list[dict[str, Any]] = []
        seq = snapshot["seq"]
        while not any(event["event"] == "order_closed" for event in events):
            message = await client.next("account", "account")
            assert message["prev_seq"] == seq
            seq = message["seq"]
            events += message["events"]
        kinds = {event["event"] for event in events}
        assert {"order_accepted", "fill", "order_closed"} <= kinds
        fill = next(event for event in events if event["event"] == "fill")
        assert (fill["order_id"], fill["role"], fill["remaining"]) == (placed["ack"]["order_id"], "maker", "0")


async def test_an_account_is_watched_from_before_its_first_deposit(api: httpx.AsyncClient, stack: ApiStack) -> None:
    wallet = new_wallet()
    headers = await sign_in(api, wallet)
    async with open_stream(stack.base_url) as client:
        await client.ask("login", token=headers["authorization"].removeprefix("Bearer "))
        await client.ask("subscribe", channels=["account"])
        assert (await client.next("account", "snapshot"))["status"] == "unknown"
        await stack.fund(wallet)
        message = await client.next("account", "account")
        assert "credited" in {event["event"] for event in message["events"]}


@pytest.mark.parametrize("end", ["logout", "age"])
async def test_an_account_is_not_heard_of_after_its_session(
    api: httpx.AsyncClient, stack: ApiStack, database_of_stack: AsyncEngine, end: str
) -> None:
    wallet = await stack.trader()
    headers = await sign_in(api, wallet)
    token = headers["authorization"].removeprefix("Bearer ")
    async with open_stream(stack.base_url) as client:
        await client.ask("login", token=token)
        await client.ask("subscribe", channels=["account", BOOK])
        await client.next("account", "snapshot")
        if end == "logout":
            assert (await api.post("/v1/auth/logout", headers=headers)).status_code == 200
        else:
            async with database_of_stack.begin() as conn:
                digest = sha256(token.encode()).digest()
                await conn.execute(update(session).where(session.c.token_hash == digest).values(expires_at=1))
        while "" not in client.answers:
            await client.receive()
        assert client.answers.pop("")["error"]["code"] == "unauthenticated"
        await client.ask("place", order=signed_body(wallet, Side.buy, 500_000, 3))
        while not (await client.next(BOOK, "diff"))["bids"]:
            pass
        assert not [message for message in client.messages if message["channel"] == "account"]
        assert (await client.ask("subscribe", channels=["account"]))["error"]["code"] == "unauthenticated"
        again = await sign_in(api, wallet)
        await client.ask("login", token=again["authorization"].removeprefix("Bearer "))
        await client.ask("subscribe", channels=["account"])
        assert (await client.next("account", "snapshot"))["account"] == wallet.text_address


async def test_orders_are_pipelined_and_answered_by_id(stack: ApiStack) -> None:
    trader = await stack.trader()
    async with open_stream(stack.base_url) as client:
        bodies = [signed_body(trader, Side.buy, 540_000) for _ in range(300)]
        for number, body in enumerate(bodies):
            await client.connection.send(json.dumps({"op": "place", "id": str(number), "order": body}))
        while len(client.answers) < len(bodies):
            await client.receive()
        sequences = [client.answers[str(number)]["ack"]["seq"] for number in range(len(bodies))]
        assert sequences == sorted(sequences)


async def test_refusals_carry_the_id_and_the_code(stack: ApiStack) -> None:
    trader = await stack.trader()
    async with open_stream(stack.base_url) as client:
        answer = await client.ask("place", order=signed_body(trader) | {"leverage": "2"})
        assert (answer["error"]["code"], answer["error"]["field"]) == ("unknown_field", "leverage")
        answer = await client.ask("place", order=signed_body(trader) | {"price": "600010"})
        assert (answer["error"]["code"], answer["error"]["field"]) == ("wrong_signature", "signature")
        assert (await client.ask("dance"))["error"]["code"] == "malformed"
        assert (await client.ask("subscribe", channels=["book.DOGE"]))["error"]["code"] == "unknown_market"
        assert (await client.ask("subscribe", channels=["weather"]))["error"]["code"] == "not_found"
        await client.connection.send("{")
        await client.receive()
        assert client.answers[""]["error"]["code"] == "malformed"
        assert (await client.ask("ping"))["op"] == "pong"


async def test_one_bad_channel_subscribes_to_none(stack: ApiStack) -> None:
    async with open_stream(stack.base_url) as client:
        for bad, code in (("book.DOGE", "unknown_market"), ("weather", "not_found"), ("account", "unauthenticated")):
            answer = await client.ask("subscribe", channels=[BOOK, bad])
            assert answer["error"]["code"] == code
        await client.ask("ping")
        assert client.messages == []
        assert "error" not in await client.ask("subscribe", channels=[BOOK, BOOK])
        assert (await client.next(BOOK))["type"] == "snapshot"
        assert (await client.ask("unsubscribe", channels=[BOOK, "weather"]))["error"]["code"] == "not_found"


async def test_text_that_is_not_utf8_is_counted_and_not_logged(api: httpx.AsyncClient, stack: ApiStack) -> None:
    log = stack.folder / "api.log"
    await asyncio.to_thread(wait_for, lambda: "sign_in_is_prepared" in log.read_text(), "the end of its start", 300)
    before = log.stat().st_size
    for _ in range(3):
        async with open_stream(stack.base_url) as client:
            await client.connection.send(b"\xff", text=True)
            with pytest.raises(ConnectionClosed) as closed:
                await client.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
    assert "bizzan_api_stream_not_text_total 3.0" in (await api.get("/metrics")).text
    assert log.stat().st_size == before


async def test_refuses_too_many_subscriptions(stack: ApiStack) -> None:
    url = stack.start_api("api-few", UNLIMITED | {"BIZZAN_API__LIMITS__SUBSCRIPTIONS_PER_CONNECTION": "2"})
    try:
        async with open_stream(url) as client:
            assert "error" not in await client.ask("subscribe", channels=[BOOK, "trades.1"])
            answer = await client.ask("subscribe", channels=["ticker.1"])
            assert answer["error"]["code"] == "too_many_subscriptions"
            await client.ask("unsubscribe", channels=["trades.BTC-USDC"])
            assert "error" not in await client.ask("subscribe", channels=["ticker.1"])
    finally:
        stack.kill("api-few")


async def test_refuses_too_many_connections_and_large_frames(stack: ApiStack) -> None:
    url = stack.start_api("api-narrow", UNLIMITED | {"BIZZAN_API__LIMITS__CONNECTIONS_PER_ADDRESS": "1"})
    try:
        async with open_stream(url) as client:
            with pytest.raises(InvalidStatus) as refused:
                async with open_stream(url):
                    pass
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["retry-after"] == "1"
            with pytest.raises(ConnectionClosed) as closed:
                await client.ask("ping", padding="x" * 70_000)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
    finally:
        stack.kill("api-narrow")


async def test_a_client_that_does_not_read_is_cut_off(stack: ApiStack) -> None:
    """It asks for snapshots and reads none; when it looks again it finds why it was cut off."""
    limits = {"QUEUED_MESSAGES": "64", "STALLED_SECONDS": "1"}
    settings = UNLIMITED | {f"BIZZAN_API__LIMITS__{name}": value for name, value in limits.items()}
    url = stack.start_api("api-slow", settings)
    trader = await stack.trader()
    try:
        async with open_stream(url) as writer:
            for step in range(OPEN_ORDERS):
                await writer.ask("place", order=signed_body(trader, Side.buy, 550_000 + 10 * step))
        async with open_stream(url, sock=_narrow(url), max_queue=1) as client:
            await _ask_without_reading(client)
            await _cut_off(url)
            with pytest.raises(ConnectionClosed) as closed:
                await _read_to_the_end(client)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason[:11]) == (4008, "slow_reader")
    finally:
        stack.kill("api-slow")


def _narrow(url: str) -> socket.socket:
    """A connection that keeps little of what nobody reads; whoever says nothing on it is cut off after seconds."""
    address = urlsplit(url)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.connect((address.hostname, address.port))
    return narrow


async def _cut_off(url: str) -> None:
    """Wait until the API says that it cut one connection off."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as other, asyncio.timeout(CUT_OFF_SECONDS):
        metrics = ""
        while "bizzan_api_stream_slow_total 1.0" not in metrics:
            metrics = (await other.get("/metrics")).text
            await asyncio.sleep(0.05)


async def _read_to_the_end(client: StreamClient) -> None:
    while True:
        await client.connection.recv()


async def _ask_without_reading(client: StreamClient) -> None:
    """Few bytes out, some ten megabytes back: more than the buffers on the way hold."""
    for _ in range(400):
        for op in ("subscribe", "unsubscribe"):
            await client.connection.send(json.dumps({"op": op, "channels": [BOOK]}))


async def test_a_restarted_engine_brings_new_snapshots(api: httpx.AsyncClient, stack: ApiStack) -> None:
    trader = await stack.trader()
    async with open_stream(stack.base_url) as client:
        await client.ask("subscribe", channels=[BOOK])
        before = await client.next(BOOK, "snapshot")
        stack.kill("engine")
        refused = await api.post("/v1/orders", json=signed_body(trader, price=500_000))
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert "retry-after" in refused.headers
        assert (await api.get("/readyz")).status_code == 503
        stack.spawn("engine", "exchange.sequencer.main")
        after = await client.next(BOOK, "snapshot")
        assert (after["bids"], after["asks"]) == (before["bids"], before["asks"])
        refused = await api.post("/v1/orders", json=signed_body(trader, price=500_000))
        async with asyncio.timeout(60):
            while refused.status_code == 503:
                await asyncio.sleep(0.1)
                refused = await api.post("/v1/orders", json=signed_body(trader, price=500_000))
        assert refused.status_code == 200, refused.text
