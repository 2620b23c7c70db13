"""Order entry through real sockets and processes: sessions, frames with and without a MAC, single orders, bounds."""

import asyncio
import struct
import time
from dataclasses import replace

import pytest

from bizzan.client.entry import EntryClient, EntryLost, EntryRefused
from bizzan.client.wallet import Wallet
from exchange.domain import entry as wire
from exchange.domain.eip712 import Domain
from exchange.domain.errors import ErrorCode
from exchange.domain.order import Order, Side, Terms
from exchange.engine.commands import PlaceFrame, PlaceMixedFrame
from exchange.journal.reader import Reader
from exchange.journal.recovery import verify
from exchange.sequencer.client import EngineClient
from tests.integration.entry.entry_process import DOMAIN, WALLETS, EntryProcess, client_of, fund, orders
from tests.integration.sequencer.engine_process import BTC_USDC, PRICE, EngineProcess
from tests.utils.dead_man import check_dead_man


async def test_whole_way_of_frames_and_single_orders(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    async with client_of(entry) as maker, client_of(entry, WALLETS[1]) as taker:
        plain = await maker.place_frame(orders(WALLETS[0], 1, 64))
        assert plain.codes == bytes(64)
        assert plain.receipt is not None
        early, later = await taker.place_frame_early(orders(WALLETS[1], 1, 256, seed=2))
        outcome = await later
        assert (early.seq, early.at_ms) == (outcome.seq, outcome.at_ms)
        assert early.receipt is not None
        assert outcome.codes == bytes(256)
        singles = await taker.place_orders(orders(WALLETS[1], 1_000, 5))
        assert [single.code for single in singles] == [0] * 5
        assert [single.seq for single in singles] == list(range(outcome.seq + 1, outcome.seq + 6))
        assert all(single.receipt is not None for single in singles)
        again = await maker.place_frame(orders(WALLETS[0], 1, 64))
        assert set(again.codes) == {14}, "nonce_used"
        await check_metrics(entry)
    async with EngineClient(engine.socket) as client:
        live = await client.state_hash()
    engine.stop()
    frames = [r.command for r in Reader(engine.journal_dir).read() if isinstance(r.command, PlaceFrame)]
    assert [frame.count for frame in frames] == [64, 256, 64]
    assert verify(engine.journal_dir).engine.state_hash() == live[1]
    await refused_without_engine(entry)


async def test_quotes_move_by_amends_with_and_without_a_mac(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    quotes = [replace(one, side=Side.buy, price=PRICE - 500) for one in orders(WALLETS[0], 1, 8)]
    shown = Terms(displayed_quantity=2).pack()
    moved = [replace(one, price=PRICE - 600, quantity=21, terms=shown) for one in quotes]
    again = [replace(one, price=PRICE - 700) for one in moved]
    async with client_of(entry) as client:
        assert (await client.place_frame(quotes)).codes == bytes(8)
        early, later = await client.place_frame_early(moved, amends=range(8))
        assert early.receipt is not None
        assert (await later).codes == bytes(8), "each takes the place of the one before"
        outcome = await client.place_frame(again, amends=range(8))
        assert (outcome.codes, outcome.receipt is not None) == (bytes(8), True)
        assert set((await client.place_frame(again, amends=range(8))).codes) == {14}, "nonce_used"
        flipped = client._frame(again, range(7))[0]
        bad = replace(flipped, number=50, amends=b"\xff\x01").pack()
        with pytest.raises(EntryRefused, match="the frame at"):
            await client._send(bad, 50, [b""], []).outcome
    async with EngineClient(engine.socket) as engine_client:
        live = await engine_client.state_hash()
        books = await engine_client.books()
    bids = next(book.bids for book in books.markets if book.market == BTC_USDC)
    assert bids == [(PRICE - 700, 16)], "two lots of each are shown"
    engine.stop()
    frames = [r.command for r in Reader(engine.journal_dir).read() if isinstance(r.command, PlaceFrame)]
    assert [type(frame) for frame in frames] == [PlaceFrame, *[PlaceMixedFrame] * 3]
    assert verify(engine.journal_dir).engine.state_hash() == live[1]


async def check_metrics(entry: EntryProcess) -> None:
    found = await entry.metrics()
    for kind, accepted, messages in (("frame", 64, 2), ("mac_frame", 256, 1), ("orders", 5, 1)):
        assert found[f'bizzan_entry_accepted_orders_total{{kind="{kind}"}}'] == accepted
        assert found[f'bizzan_entry_messages_total{{kind="{kind}"}}'] == messages
        assert found[f'bizzan_entry_ack_seconds_count{{kind="{kind}"}}'] == messages
    assert found['bizzan_entry_refused_orders_total{kind="frame",reason="nonce_used"}'] == 64
    assert found["bizzan_entry_judge_seconds_count"] == 3 + 2, "and two sessions"
    assert (found["bizzan_entry_sessions"], found["bizzan_entry_orders_under_way"]) == (2, 0)


async def refused_without_engine(entry: EntryProcess) -> None:
    async with client_of(entry) as client:
        with pytest.raises(EntryRefused) as caught:
            await client.place_frame(orders(WALLETS[0], 5_000, 2))
        assert caught.value.code == ErrorCode.unavailable
        assert caught.value.retry_ms > 0


async def test_wrong_input_of_every_kind_is_refused_by_name(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    async with client_of(entry) as client:
        good, _ = client._frame(orders(WALLETS[0], 1, 4))
        for frame, code, words in (
            (wire.FrameMessage(10, good.root, bytes(65), good.orders), ErrorCode.wrong_signature, "signature"),
            (wire.FrameMessage(11, bytes(32), good.signature, good.orders), ErrorCode.wrong_signature, "root"),
            (wire.FrameMessage(11, good.root, good.signature, good.orders), ErrorCode.malformed, "must rise"),
            (wire.FrameMessage(12, good.root, good.signature, good.orders[:80]), ErrorCode.malformed, "2 to 1024"),
            (wire.FrameMessage(13, good.root, good.signature, bytes(160)), ErrorCode.forbidden, "session's account"),
        ):
            answer = client._send(frame.pack(), frame.number, [b""], []).outcome
            with pytest.raises(EntryRefused, match=words) as caught:
                await answer
            assert caught.value.code == code
        longer = wire.FrameMessage(14, good.root, good.signature, good.orders).pack()[4:] + bytes(16)
        answer = client._send(wire.LENGTH.pack(len(longer)) + longer, 14, [b""], []).outcome
        with pytest.raises(EntryRefused, match="end at byte"):
            await answer
        with_a_wrong_mac = good.pack(bytes(32)).replace(good.number.to_bytes(8), (20).to_bytes(8), 1)
        answer = client._send(with_a_wrong_mac, 20, [b""], []).outcome
        with pytest.raises(EntryRefused, match="MAC"):
            await answer
        answer = client._send(wire.message(wire.Kind.orders, struct.pack(">QH", 21, 3)), 21, [b""], []).outcome
        with pytest.raises(EntryRefused, match="1 to 512"):
            await answer
        single = orders(WALLETS[0], 900, 1)[0]
        answer = client._send(
            wire.pack_orders(22, [single.pack() + bytes(65)]), 22, [b""], [wire.Kind.orders_outcome]
        ).outcome
        assert [outcome.code for outcome in await answer] == [6]
        client._number = 30
        assert (await client.place_frame(orders(WALLETS[0], 50, 4))).codes == bytes(4), "the session goes on"
    async with EngineClient(engine.socket) as engine_client:
        seq, _ = await engine_client.journal_head()
    assert seq == 7 + 6 + 1, "nothing of that was journaled"


async def test_length_that_cannot_be_believed_ends_the_connection(stack: tuple[EngineProcess, EntryProcess]) -> None:
    _, entry = stack
    for data in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        reader, writer = await asyncio.open_connection("127.0.0.1", entry.port)
        writer.write(data)
        answer = await reader.read()
        assert b"nothing after it can be read" in answer
        writer.close()
        await writer.wait_closed()
    reader, writer = await asyncio.open_connection("127.0.0.1", entry.port)
    writer.write(wire.message(wire.Kind.frame, bytes(500)) + wire.message(wire.Kind(4), b"") + b"\0\0\0\x01\x63")
    answer = b""
    while b"no message of kind 99" not in answer:
        answer += await asyncio.wait_for(reader.read(400), 60)
    assert b"open a session first" in answer
    writer.close()
    await writer.wait_closed()


async def test_bad_signature_under_a_mac_is_void_and_costs_the_session(
    stack: tuple[EngineProcess, EntryProcess],
) -> None:
    engine, entry = stack
    await fund(engine)
    async with client_of(entry) as client:
        frame, subject = client._frame(orders(WALLETS[0], 1, 4))
        forged = wire.FrameMessage(frame.number, frame.root, b"\x01" * 64 + b"\x1b", frame.orders)
        sent = client._send(forged.pack(client._mac_key), frame.number, [subject], [wire.Kind.journaled])
        assert (await sent.early).seq > 0, "it was journaled"
        with pytest.raises(EntryRefused, match="session ends") as caught:
            await sent.outcome
        assert caught.value.code == ErrorCode.wrong_signature
        with pytest.raises(EntryLost):
            await client.place_frame(orders(WALLETS[0], 10, 2))
    with pytest.raises(EntryRefused, match="bad signature was journaled") as caught:
        await client_of(entry).open()
    assert caught.value.retry_ms > 1_000
    async with client_of(entry, WALLETS[1]) as other:
        assert (await other.place_frame(orders(WALLETS[1], 1, 2))).codes == bytes(2)
    async with EngineClient(engine.socket) as engine_client:
        live = await engine_client.state_hash()
        assert await engine_client.open_orders(WALLETS[0].address) == []
    engine.stop()
    assert verify(engine.journal_dir).engine.state_hash() == live[1]


async def test_account_of_no_deposit_gets_no_session(stack: tuple[EngineProcess, EntryProcess]) -> None:
    _, entry = stack
    with pytest.raises(EntryRefused, match="no deposit") as caught:
        await client_of(entry, Wallet(b"\x77" * 32)).open()
    assert caught.value.code == ErrorCode.unknown_account


async def test_sessions_and_frames_in_flight_are_bounded(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    async with client_of(entry) as first, client_of(entry):
        with pytest.raises(EntryRefused, match="at most 2 sessions"):
            await client_of(entry).open()
        frames = [orders(WALLETS[0], 10 * n + 1, 2) for n in range(40)]
        results = await asyncio.gather(*(first.place_frame(frame) for frame in frames), return_exceptions=True)
        refused = [result for result in results if isinstance(result, EntryRefused)]
        assert refused
        assert {(one.code, one.retry_ms > 0) for one in refused} == {(ErrorCode.too_many_requests, True)}
        assert len(results) - len(refused) >= 4
    async with client_of(entry):
        pass
    with pytest.raises(EntryLost, match="another exchange"):
        await client_of(entry, domain=Domain("Bizzan", 1, b"\xcc" * 20)).open()
    stranger = EntryClient("127.0.0.1", entry.port, DOMAIN, WALLETS[1], account=WALLETS[0].address)
    with pytest.raises(EntryRefused) as caught:
        await stranger.open()
    assert caught.value.code == ErrorCode.unknown_delegate


async def test_orders_are_taken_back_over_the_session(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    bids = [replace(order, side=0, price=PRICE - 10 * n) for n, order in enumerate(orders(WALLETS[0], 1, 6))]
    async with EngineClient(engine.socket) as watcher:

        async def left() -> list[int]:
            return [Order.unpack(view.packed).nonce for view in await watcher.open_orders(WALLETS[0].address)]

        async with client_of(entry) as client:
            await client.place_frame(bids)
            done = await client.cancel(2)
            assert (await watcher.journal_head())[0] == done.seq
            assert done.receipt is not None
            assert await left() == [1, 3, 4, 5, 6]
            await client.mass_cancel(BTC_USDC, side=1)
            assert await left() == [1, 3, 4, 5, 6], "these are bids"
            await client.mass_cancel()
            assert await left() == []
            with pytest.raises(EntryRefused) as caught:
                await client.cancel(2)
            assert caught.value.code == ErrorCode.order_closed
            brake = wire.Brake(wire.Kind.countdown, 90, {"seconds": 5, "nonce": int(time.time() * 1_000)})
            sent = client._send(brake.pack(), 90, [b""], [])
            with pytest.raises(EntryRefused, match="not the account's"):
                await sent.outcome


async def test_client_that_is_killed_leaves_no_orders_behind(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    key = WALLETS[0].key.hex()
    async with EngineClient(engine.socket) as watcher:
        await check_dead_man(watcher, key, WALLETS[0].address, str(entry.port), BTC_USDC, PRICE)
    engine.stop()
    assert verify(engine.journal_dir)
