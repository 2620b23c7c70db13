"""Frames through a real engine: journaled whole, matched at their place, the same again after kill -9."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.audit.journal_replay import replay
from exchange.chain.signing import recover as recover_signer
from exchange.database import orders as order_rows
from exchange.database.engine import create_engine
from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import Domain
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame_codes import ACCEPTED
from exchange.domain.order import Order, Side, Terms, TriggerType
from exchange.domain.order_id import order_id, seq_of
from exchange.domain.receipt import Receipt, frame_subject
from exchange.engine.commands import Credit, PlaceFrame, PlaceMixedFrame, Tick
from exchange.engine.fast.engine import FastEngine
from exchange.engine.telling import Telling
from exchange.journal.codec import encode_command
from exchange.journal.reader import Reader
from exchange.journal.recovery import recover, verify
from exchange.sequencer.client import EngineClient
from exchange.sequencer.protocol import (
    FrameAck,
    FrameOutcomes,
    Frames,
    Journaled,
    Submit,
    decode_from_engine,
    encode_frame,
    read_frame,
)
from tests.integration.sequencer.engine_process import (
    BTC,
    BTC_USDC,
    DEPLOYMENT,
    PRICE,
    USDC,
    EngineProcess,
    place,
)
from tests.integration.sequencer.mirror import assert_equals_engine, project_all
from tests.utils.frames import frame_of, mixed_frame_of, submit_frame
from tests.utils.signing import Signer

DOMAIN = DEPLOYMENT.domain
WALLETS = [Signer(f"quoter {n}") for n in range(4)]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


def credits(first: int = 1) -> list[Credit]:
    wallets = [(wallet, asset) for wallet in WALLETS for asset in (USDC, BTC)]
    return [Credit(first + n, wallet.raw, asset, 10**15, f"deposit {n}") for n, (wallet, asset) in enumerate(wallets)]


def orders(wallet: Signer, first_nonce: int, count: int, chance: random.Random) -> list[Order]:
    expiry = int(time.time()) + 3_600
    return [
        Order(
            wallet.raw,
            BTC_USDC,
            chance.choice((Side.buy, Side.sell)),
            PRICE + 10 * chance.randint(-9, 9),
            chance.randint(2, 20),
            first_nonce + n,
            expiry,
            0,
            10,
            0,
        )
        for n in range(count)
    ]


def frame(wallet: Signer, first_nonce: int, count: int, chance: random.Random) -> PlaceFrame:
    return frame_of(wallet, orders(wallet, first_nonce, count, chance), DOMAIN)


async def test_frame_is_one_record_with_a_receipt_and_every_reader_sees_its_orders(
    engine: EngineProcess, database: AsyncEngine
) -> None:
    chance = random.Random(1)
    sent: list[tuple[FrameAck, PlaceFrame]] = []
    async with EngineClient(engine.socket) as client, client.subscribe() as feed:
        await client.submit_many(credits())
        for number in range(6):
            wallet = WALLETS[number % 4]
            request = frame(wallet, 1_000 * number + 1, 32, chance)
            sent.append((await submit_frame(engine.socket, request), request))
            await client.submit(place(wallet.raw, 500_000 + number))
        books = await client.books()
        live = await client.state_hash()
        committed_records = aiter(feed)
        seen = [await anext(committed_records) for _ in range(len(credits()) + 12)]
    assert [committed.seq for committed in seen] == list(range(8, live[0] + 1))
    assert sum(len(committed.events) for committed in seen if committed.seq == sent[0][0].seq) > 32
    for ack, request in sent:
        assert ack.codes == bytes([ACCEPTED] * 32)
        check_receipt(ack, request)
    engine.stop()
    records = list(Reader(engine.journal_dir).read())
    assert [r.command for r in records if isinstance(r.command, PlaceFrame)] == [request for _, request in sent]
    assert verify(engine.journal_dir).engine.state_hash() == live[1]
    assert recover(engine.journal_dir, engine=FastEngine).engine.state_hash() == live[1]
    audited = replay(engine.journal_dir, live[0])
    assert audited.priority.problems == []
    assert audited.fees.problems == []
    assert audited.priority.trades > 10
    assert {order_id(ack.seq, 31) for ack, _ in sent} <= set(audited.orders)
    replica = recover(engine.journal_dir).engine
    await project_all(database, engine.journal_dir)
    await assert_equals_engine(database, replica)
    assert books.seq == live[0]
    await check_listing(database)


async def test_mixed_frames_move_quotes_and_every_reader_sees_it(engine: EngineProcess, database: AsyncEngine) -> None:
    """Four accounts keep quotes that others meet, amended by frames; icebergs and stops come in the same ones."""
    chance = random.Random(6)
    iceberg, stop = Terms(displayed_quantity=5).pack(), Terms(trigger_type=TriggerType.stop_loss).pack()
    standing: dict[bytes, list[Order]] = {wallet.raw: [] for wallet in WALLETS}
    sent: list[tuple[FrameAck, PlaceFrame]] = []
    async with EngineClient(engine.socket) as client:
        await client.submit_many(credits())
        for number in range(40):
            wallet = WALLETS[number % 4]
            old = standing[wallet.raw]
            new = orders(wallet, 100 * number + 1, 4, chance)
            new.append(replace(new[0], nonce=100 * number + 50, quantity=20, terms=iceberg))
            trigger = PRICE + 10 * chance.randint(-6, 6)
            new.append(replace(new[1], nonce=100 * number + 51, terms=stop, trigger_price=trigger))
            amends = [
                replace(one, price=one.price + 10 * chance.randint(-5, 5), quantity=one.quantity + chance.randint(0, 9))
                for one in old
            ]
            request = mixed_frame_of(wallet, [*amends, *new], range(len(amends)), DOMAIN)
            sent.append((await submit_frame(engine.socket, request), request))
            standing[wallet.raw] = new
        live = await client.state_hash()
    for ack, mixed in sent:
        assert len(ack.codes) == mixed.count
        check_receipt(ack, mixed)
    engine.stop()
    records = list(Reader(engine.journal_dir).read())
    assert [r.command for r in records if isinstance(r.command, PlaceFrame)] == [mixed for _, mixed in sent]
    assert verify(engine.journal_dir).engine.state_hash() == live[1]
    assert recover(engine.journal_dir, engine=FastEngine).engine.state_hash() == live[1]
    audited = replay(engine.journal_dir, live[0])
    assert (audited.priority.problems, audited.fees.problems) == ([], [])
    assert audited.priority.trades > 10
    assert sum(order.closed == "amended" for order in audited.orders.values()) > 10
    assert any(isinstance(record.command, Tick) for record in records), "a stop worked"
    replica = recover(engine.journal_dir).engine
    await project_all(database, engine.journal_dir)
    await assert_equals_engine(database, replica)


def check_receipt(ack: FrameAck, request: PlaceFrame) -> None:
    there = ack.receipt
    assert there is not None
    receipt = Receipt(
        DEPLOYMENT.bond_domain,
        there.first_seq,
        there.last_seq,
        there.head,
        ack.seq,
        ack.at_ms,
        there.subject,
        there.record_head,
        tuple(there.path),
        there.signature,
    )
    amends = request.amends if isinstance(request, PlaceMixedFrame) else None
    subject = frame_subject(request.digest, request.orders, amends)
    receipt.check(address_bytes(DEPLOYMENT.receipt_signer), recover_signer, subject)


async def check_listing(database: AsyncEngine) -> None:
    """Orders are listed by age, also over pages."""
    async with database.connect() as conn:
        owner = await order_rows.account_id(conn, WALLETS[0].raw)
        assert owner is not None
        listed: list[int] = []
        while page := await order_rows.of_account(conn, owner, before=listed[-1] if listed else None, limit=7):
            listed += [row.order_id for row in page]
    assert listed == sorted(listed, key=lambda number: (seq_of(number), number), reverse=True)
    assert len(listed) == len(set(listed)) == 66


async def test_killed_engine_keeps_every_acknowledged_frame_whole(engine: EngineProcess) -> None:
    chance = random.Random(2)
    acked: dict[int, tuple[PlaceFrame, bytes]] = {}
    async with EngineClient(engine.socket) as client:
        await client.submit_many(credits())
    nonce = 1
    for _ in range(3):
        requests = [frame(wallet, nonce + at, 64, chance) for wallet in WALLETS for at in range(0, 640, 64)]
        nonce += 640
        async with EngineClient(engine.socket):  # it listens

            async def send(request: PlaceFrame) -> None:
                try:
                    ack = await submit_frame(engine.socket, request)
                except Refusal as refusal:
                    assert refusal.code == ErrorCode.unavailable  # noqa: PT017 - only what the kill cut off
                    return
                acked[ack.seq] = (request, ack.codes)

            sending = [asyncio.create_task(send(request)) for request in requests]
            if not acked:  # on a busy machine none comes in time by itself
                await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(chance.uniform(0.002, 0.05))
            engine.kill()
            await asyncio.gather(*sending)
        engine.start()
        async with EngineClient(engine.socket) as client:
            live = await client.state_hash()
        assert verify(engine.journal_dir).engine.state_hash() == live[1]
    engine.kill()
    assert acked
    replica = FastEngine()
    for record in Reader(engine.journal_dir).read():
        if not isinstance(record.command, PlaceFrame):
            replica.apply(record.seq, record.at_ms, record.command)
            continue
        outcome = replica.apply_frame(record.seq, record.at_ms, record.command, Telling.nothing)
        if record.seq in acked:
            assert (record.command, outcome.codes) == acked[record.seq]
    assert replica.state_hash() == live[1]


async def test_forged_frame_is_journaled_void_and_every_replay_agrees(engine: EngineProcess) -> None:
    good = frame(WALLETS[0], 1, 8, random.Random(3))
    forged = PlaceFrame(good.signer, good.scheme, good.separator, good.root, b"\x01" * 64 + b"\x1b", good.orders)
    async with EngineClient(engine.socket) as client:
        await client.submit_many(credits())
        ack = await submit_frame(engine.socket, forged)
        assert "signature" in ack.flaw
        assert ack.codes == b""
        after = await submit_frame(engine.socket, good)
        assert after.codes == bytes(8)
        live = await client.state_hash()
    engine.stop()
    assert verify(engine.journal_dir).engine.state_hash() == live[1]
    assert replay(engine.journal_dir, live[0]).priority.problems == []


async def test_what_is_no_frame_of_this_exchange_is_refused_and_not_journaled(engine: EngineProcess) -> None:
    good = frame(WALLETS[0], 1, 8, random.Random(4))
    parts = (good.signer, good.scheme, good.separator, good.root, good.signature)
    other = Domain("Bizzan", 31_337, b"\xcd" * 20)
    elsewhere = frame_of(WALLETS[0], orders(WALLETS[0], 1, 8, random.Random(4)), other)
    cases = {
        ErrorCode.malformed: PlaceFrame(*parts, good.orders[:-1]),
        ErrorCode.wrong_contract: elsewhere,
    }
    async with EngineClient(engine.socket) as client:
        before, _ = await client.journal_head()
        for code, request in cases.items():
            with pytest.raises(Refusal) as caught:
                await submit_frame(engine.socket, request)
            assert caught.value.code == code
        with pytest.raises(Refusal, match="message of its own kind"):
            await client.submit(good)
        assert (await client.journal_head())[0] == before


async def test_early_acknowledgement_comes_before_the_outcome(engine: EngineProcess, client: EngineClient) -> None:
    assert await client.journal_head()  # it listens
    request = frame(WALLETS[0], 1, 8, random.Random(5))
    reader, writer = await asyncio.open_unix_connection(str(engine.socket))
    credited = Submit(1, [encode_command(command) for command in credits()])
    writer.write(
        encode_frame(credited) + encode_frame(Frames(2, True, [encode_command(request), b"\x00\x05\x00\x01\x90"]))
    )
    answers = [decode_from_engine(await read_frame(reader, 1 << 20)) for _ in range(3)]
    writer.close()
    early, late = answers[1:]
    assert isinstance(early, Journaled)
    assert isinstance(late, FrameOutcomes)
    assert isinstance(late.outcomes[0], FrameAck)
    assert late.outcomes[0].seq == early.acks[0].seq  # type: ignore[union-attr]
    assert late.outcomes[0].codes == bytes(8)
    assert early.acks[1] == late.outcomes[1]
