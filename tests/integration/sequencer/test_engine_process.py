"""The engine process through its socket: acks, questions, refusals, subscriptions, stops."""

import asyncio
import itertools
import json
import stat
import time

import httpx
import pytest

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order, Side, TimeInForce
from exchange.engine import commands as c
from exchange.engine.events import LevelChanged, OrderClosed
from exchange.journal.journal import Journal
from exchange.journal.reader import Reader
from exchange.journal.recovery import recover
from exchange.journal.snapshot import list_snapshots
from exchange.sequencer.client import EngineClient, FeedLost
from exchange.sequencer.protocol import MAX_FRAME, Ack, Books
from tests.integration.sequencer.engine_process import (
    BTC,
    DEPLOYMENT,
    PRICE,
    SEED_COMMANDS,
    USDC,
    EngineProcess,
    funding,
    place,
    trader,
)

MAKER, TAKER = trader(0), trader(1)


async def _refusal(client: EngineClient, command: c.Command) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await client.submit(command)
    return caught.value


async def test_first_start_lists_the_deployment(client: EngineClient, engine: EngineProcess) -> None:
    books = await client.books()
    assert books.seq == SEED_COMMANDS
    assert [book.market for book in books.markets] == [market.market_id for market in DEPLOYMENT.markets]
    commands = [record.command for record in Reader(engine.journal_dir).read()]
    assert commands[:2] == [c.SetFeeRules(100, 3_600_000), c.ListAsset(DEPLOYMENT.assets[0])]
    assert isinstance(commands[-1], c.SetLimits)


async def test_acked_order_is_in_the_journal_with_its_sequence(client: EngineClient, engine: EngineProcess) -> None:
    await client.submit_many(funding(2))
    command = place(MAKER, 1)
    ack = await client.submit(command)
    assert (ack.order_id, ack.duplicate) == (ack.seq, False)
    (record,) = Reader(engine.journal_dir).read(ack.seq)
    assert (record.seq, record.at_ms, record.command) == (ack.seq, ack.at_ms, command)
    assert await client.journal_head() == (record.seq, record.head)


async def test_trade_shows_in_live_balances_and_orders(client: EngineClient) -> None:
    await client.submit_many(funding(2))
    await client.submit(place(MAKER, 1, Side.sell, quantity=10, client_order_id="mine"))
    await client.submit(place(TAKER, 1, Side.buy, quantity=4))
    (order,) = await client.open_orders(MAKER)
    assert (order.remaining, order.client_order_id) == (6, "mine")
    assert Order.unpack(order.packed).quantity == 10
    view = await client.account(TAKER)
    balances = {balance.asset: balance for balance in view.balances}
    assert (view.status, balances[BTC].unsettled) == ("active", 4 * 10_000)
    assert balances[USDC].available == 10**15 - 4 * PRICE - 4 * PRICE * 5 // 10_000
    assert balances[BTC].withdrawable == 10**15
    book = (await client.books()).markets[0]
    assert (book.bids, book.asks, book.last_price) == ([], [(PRICE, 6)], PRICE)


async def test_same_order_again_is_a_duplicate_and_not_journaled(client: EngineClient) -> None:
    await client.submit_many(funding(1))
    command = place(MAKER, 1)
    first, again = await client.submit_many([command, command])
    assert isinstance(first, Ack)
    assert isinstance(again, Ack)
    assert (again.order_id, again.seq, again.duplicate) == (first.order_id, first.seq, True)
    assert (await client.status()).seq == first.seq


async def test_refused_command_changes_nothing(client: EngineClient) -> None:
    await client.submit_many(funding(1))
    before = await client.state_hash()
    assert (await _refusal(client, place(TAKER, 1))).code is ErrorCode.unknown_account
    assert (await _refusal(client, place(MAKER, 1, price=PRICE + 1))).code is ErrorCode.price_off_tick
    assert (await _refusal(client, funding(1)[0])).code is ErrorCode.inbox_out_of_order
    assert await client.state_hash() == before


async def test_the_engines_own_commands_are_forbidden(client: EngineClient) -> None:
    for command in (c.Tick(), c.ListAsset(DEPLOYMENT.assets[0]), c.SetLimits(1, 1, 1)):
        assert (await _refusal(client, command)).code is ErrorCode.forbidden


async def test_malformed_commands_and_unknown_accounts_are_refused(client: EngineClient) -> None:
    assert (await _refusal(client, c.CancelAll(b"short", 1, b"", MAKER))).code is ErrorCode.malformed
    with pytest.raises(Refusal) as caught:
        await client.account(trader(9))
    assert caught.value.code is ErrorCode.unknown_account
    assert await client.open_orders(trader(9)) == []


async def test_client_that_speaks_another_protocol_is_dropped(client: EngineClient, engine: EngineProcess) -> None:
    too_large, unknown = (MAX_FRAME + 1).to_bytes(4), b"\0\0\0\3\x93\x09\x01"
    for frame in (b"\0\0\0\1\xff", too_large, unknown, b"GET / HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_unix_connection(str(engine.socket))
        writer.write(frame)
        assert await reader.read() == b""
        writer.close()
    assert (await client.status()).seq == SEED_COMMANDS
    assert stat.S_IMODE(engine.socket.stat().st_mode) == 0o600


async def test_expired_order_leaves_the_book_by_a_tick(client: EngineClient, engine: EngineProcess) -> None:
    await client.submit_many(funding(1))
    async with client.subscribe() as feed:
        ack = await client.submit(place(MAKER, 1, expiry=int(time.time()) + 5))
        async for done in feed:
            closed = [event for event in done.events if isinstance(event, OrderClosed)]
            if closed:
                assert (closed[0].order_id, closed[0].reason.value) == (ack.order_id, "expired")
                break
    (tick,) = Reader(engine.journal_dir).read(ack.seq + 1)
    assert tick.command == c.Tick()


async def test_feed_continues_the_books_without_a_gap(client: EngineClient) -> None:
    await client.submit_many(funding(2))
    await client.submit(place(MAKER, 1, Side.sell, PRICE + 10))
    async with client.subscribe() as feed:
        orders = [
            place(MAKER if n % 2 else TAKER, n, Side(n % 2), PRICE + 10 * (n % 5) * (1 if n % 2 else -1))
            for n in range(2, 300)
        ]
        outcomes = await client.submit_many(orders)
        last = max(ack.seq for ack in outcomes if isinstance(ack, Ack))
        levels = _levels(feed.books)
        seen: list[int] = []
        async for done in feed:
            seen.append(done.seq)
            for event in done.events:
                if isinstance(event, LevelChanged):
                    levels[event.market, event.side, event.price] = event.quantity
            if done.seq == last:
                break
    assert seen == list(range(feed.books.seq + 1, last + 1))
    assert {key: lots for key, lots in levels.items() if lots} == _levels(await client.books())


def _levels(books: Books) -> dict[tuple[int, int, int], int]:
    return {
        (book.market, side, price): lots
        for book in books.markets
        for side, half in enumerate((book.bids, book.asks))
        for price, lots in half
    }


async def test_feed_ends_when_the_engine_does(client: EngineClient, engine: EngineProcess) -> None:
    async with client.subscribe() as feed:
        engine.kill()
        with pytest.raises(FeedLost):
            async for _ in feed:
                pass
    with pytest.raises(FeedLost):
        await client.subscribe().__aenter__()


async def test_client_reconnects_and_refuses_meanwhile(client: EngineClient, engine: EngineProcess) -> None:
    await client.submit_many(funding(1))
    engine.kill()
    refusal = await _refusal(client, place(MAKER, 1))
    assert refusal.code is ErrorCode.unavailable
    assert refusal.params["retry_after_ms"]
    await asyncio.to_thread(engine.start)
    await client.connect()
    assert (await client.submit(place(MAKER, 1))).order_id == SEED_COMMANDS + 3


async def test_clean_stop_leaves_a_snapshot_and_the_same_state(client: EngineClient, engine: EngineProcess) -> None:
    await client.submit_many([*funding(2), place(MAKER, 1), place(TAKER, 1, Side.sell, quantity=3)])
    before = await client.state_hash()
    assert engine.stop() == 0
    assert not engine.socket.exists()
    assert len(list_snapshots(engine.journal_dir)) == 1
    recovered = recover(engine.journal_dir)
    assert (recovered.seq, recovered.engine.state_hash(), recovered.replayed) == (*before, 0)
    engine.start()
    async with EngineClient(engine.socket) as again:
        assert await again.state_hash() == before


async def test_metrics_and_health_are_served(client: EngineClient, engine: EngineProcess) -> None:
    await client.submit_many(funding(1))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{engine.metrics_port}", timeout=60) as http:
        assert (await http.get("/healthz")).json() == {"ok": True, "reason": None}
        text = (await http.get("/metrics")).text
    assert f"bizzan_engine_sequence {SEED_COMMANDS + 2}.0" in text
    assert 'bizzan_engine_commands_total{outcome="acked"} 2.0' in text


def test_second_engine_on_the_same_journal_is_refused(engine: EngineProcess) -> None:
    second = EngineProcess(engine.folder)
    second.spawn()
    assert second.wait() == 1
    assert "another process writes the journal" in second.log_text()


def test_engine_refuses_the_journal_of_another_contract(engine: EngineProcess) -> None:
    engine.stop()
    path = engine.folder / "deployment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"block_hash": "0x" + "22" * 32}))
    engine.spawn()
    assert engine.wait() == 1
    assert "is for contract" in engine.log_text()


def test_engine_without_a_deployment_says_what_to_do(engine: EngineProcess) -> None:
    engine.stop()
    (engine.folder / "deployment.json").unlink()
    engine.spawn()
    assert engine.wait() == 1
    assert "deploy the contract first" in engine.log_text()


def test_engine_refuses_a_corrupt_journal_and_names_the_place(engine: EngineProcess) -> None:
    engine.kill()
    segment = next(engine.journal_dir.glob("*.segment"))
    data = bytearray(segment.read_bytes())
    data[120] ^= 1
    segment.write_bytes(data)
    engine.spawn()
    assert engine.wait() == 1
    assert f"{segment.name} is corrupt at offset 80 (sequence 1)" in engine.log_text()


async def test_full_disk_refuses_new_commands_and_loses_none(engine: EngineProcess) -> None:
    """A limit on file sizes stands in for the disk's end; a larger one later is the disk with room again."""
    engine.stop()
    engine.prologue = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, 6 << 20))"
    engine.start()
    async with EngineClient(engine.socket) as client:
        await client.submit_many(funding(21))
        await client.submit_many([place(trader(20), nonce) for nonce in (1, 2)])
        acked: list[Ack] = []
        nonces = itertools.count(1)
        for traders in (range(20), range(1)):  # until not even one order fits
            refused: list[Refusal] = []
            while not refused:
                nonce = next(nonces)
                group = [place(trader(n), nonce, time_in_force=TimeInForce.ioc) for n in traders]
                outcomes = await client.submit_many(group)
                acked += [outcome for outcome in outcomes if isinstance(outcome, Ack)]
                refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        assert {refusal.code for refusal in refused} == {ErrorCode.unavailable}
        assert "no room" in refused[0].message
        assert (await client.status()).journal_full
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{engine.metrics_port}", timeout=60) as http:
            assert (await http.get("/healthz")).status_code == 503
        for nonce in (1, 2):
            assert isinstance(await client.submit(c.CancelOrder(trader(20), nonce, bytes(65), trader(20))), Ack)
        stop = c.StopTrading(trader(20), True, int(time.time() * 1_000), bytes(65))
        acked.append(await client.submit(stop))
        assert (await _refusal(client, place(trader(0), next(nonces)))).code == ErrorCode.unavailable
        before = await client.state_hash()
    engine.kill()
    engine.prologue = ""
    engine.start()
    async with EngineClient(engine.socket) as client:
        assert await client.state_hash() == before
        assert before[0] >= acked[-1].seq
        assert await client.open_orders(trader(20)) == []
        assert isinstance(await client.submit(place(trader(0), 200_000)), Ack)
    engine.stop()
    with Journal.open(engine.journal_dir) as journal:
        assert journal.seq == before[0] + 1
