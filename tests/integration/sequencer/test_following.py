"""A selective feed: what everybody wants, what the followed accounts want, and nothing else; through each way in."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order, Side
from exchange.engine.commands import CancelOrder, Credit
from exchange.engine.engine import Engine
from exchange.engine.events import Event
from exchange.engine.fast.engine import FastEngine
from exchange.engine.telling import of_followed
from exchange.journal.codec import encode_command
from exchange.journal.plain import pack_plain
from exchange.journal.reader import Reader
from exchange.sequencer.client import EngineClient, Feed, FeedLost
from exchange.sequencer.protocol import (
    Answer,
    Ask,
    Committed,
    OrdersPlaced,
    Outcomes,
    PlaceOrders,
    Question,
    Submit,
    decode_from_engine,
    encode_frame,
    read_frame,
)
from tests.integration.sequencer.engine_process import BTC, BTC_USDC, DEPLOYMENT, PRICE, USDC
from tests.integration.sequencer.test_server import Bench, serving
from tests.utils.frames import frame_of, submit_frame
from tests.utils.signing import Signer

WALLETS = [Signer(f"follower {n}") for n in range(4)]


class Traffic:
    """Orders of four accounts, by commands, by themselves and in frames."""

    def __init__(self, bench: Bench, client: EngineClient) -> None:
        self._socket = str(bench.socket)
        self._client = client
        self._chance = random.Random(5)
        self._nonce = 0

    async def fund(self) -> None:
        pairs = [(wallet, asset) for wallet in WALLETS for asset in (USDC, BTC)]
        credits = [Credit(n + 1, wallet.raw, asset, 10**15, f"deposit {n}") for n, (wallet, asset) in enumerate(pairs)]
        await self._client.submit_many(credits)

    @staticmethod
    def packed(order: Order) -> bytes:
        """An order as entry passes it on."""
        return pack_plain(order.pack(), DEPLOYMENT.domain.order_hash(order), 0, b"\x07" * 65, order.account)

    def orders(self, wallet: Signer, count: int) -> list[Order]:
        made = []
        for _ in range(count):
            self._nonce += 1
            side, price = self._chance.choice((Side.buy, Side.sell)), PRICE + 10 * self._chance.randint(-4, 4)
            lots, terms = self._chance.randint(2, 9), self._chance.choice((0, 0, 2, 4, 8))
            expiry = int(time.time()) + 3_600
            made.append(Order(wallet.raw, BTC_USDC, side, price, lots, self._nonce, expiry, 0, 10, terms))
        return made

    async def run(self) -> None:
        """Each wallet in each way, and cancels."""
        for wallet in WALLETS:
            orders = self.orders(wallet, 6)
            packed = [self.packed(order) for order in orders]
            outcomes = await self._singles([*packed, packed[0][:-1]])
            assert outcomes[-1][0] != 0, "that was no order"
            await submit_frame(self._socket, frame_of(wallet, self.orders(wallet, 8)))
            await self._client.submit_many([CancelOrder(wallet.raw, o.nonce, b"", wallet.raw) for o in orders[:3]])

    async def _singles(self, payloads: list[bytes]) -> Sequence[bytes]:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        writer.write(encode_frame(PlaceOrders(1, payloads)))
        answer = decode_from_engine(await read_frame(reader, 1 << 24))
        writer.close()
        assert isinstance(answer, OrdersPlaced)
        return answer.outcomes


class Seen:
    """What a feed has told."""

    def __init__(self, feed: Feed) -> None:
        self.records: dict[int, list[Event]] = {}
        self.last = 0
        self._task = asyncio.create_task(self._read(feed))

    async def _read(self, feed: Feed) -> None:
        async for committed in feed:
            self._keep(committed)

    def _keep(self, committed: Committed) -> None:
        assert committed.seq > self.last
        self.last = committed.seq
        self.records[committed.seq] = committed.events

    async def until(self, seq: int) -> None:
        async with asyncio.timeout(60):
            while self.last < seq:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def following(client: EngineClient, selective: bool = True) -> AsyncIterator[tuple[Feed, Seen]]:
    async with client.subscribe(selective=selective) as feed:
        seen = Seen(feed)
        try:
            yield feed, seen
        finally:
            await seen.end()


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside one who is told everything"])
@pytest.mark.parametrize("engine", [Engine, FastEngine])
async def test_a_selective_feed_tells_what_the_followed_accounts_want(engine: type[Engine], beside: bool) -> None:
    async with serving(engine=engine) as bench, EngineClient(bench.socket) as client, following(client) as (feed, seen):
        traffic = Traffic(bench, client)
        await traffic.fund()
        ids = [(await client.account(wallet.raw)).account for wallet in WALLETS]
        changes: list[tuple[int, frozenset[int]]] = []
        whole: Seen | None = None

        async def change(*followed: int) -> None:
            seq, _ = await client.journal_head()
            changes.append((seq, frozenset(followed)))
            await traffic.run()

        await change()
        await feed.follow(WALLETS[0].raw)
        await change(ids[0])
        await feed.follow(WALLETS[2].raw)
        if beside:
            async with following(client, selective=False) as (_, whole):
                await change(ids[0], ids[2])
                seq, _ = await client.journal_head()
                await whole.until(seq)
        feed.leave(WALLETS[0].raw)
        await feed.follow(WALLETS[3].raw)
        await change(ids[2], ids[3])
        last, _ = await client.journal_head()
        await seen.until(last)
        replica = Engine()
        for record in Reader(bench.socket.parent / "journal").read():
            events = replica.apply(record.seq, record.at_ms, record.command)
            if whole is not None and record.seq in whole.records:
                assert whole.records[record.seq] == events
            if record.seq > changes[0][0]:
                followed = [accounts for seq, accounts in changes if seq < record.seq][-1]
                assert seen.records.get(record.seq, []) == of_followed(events, followed), record.seq
        assert whole is None or len(whole.records) > 30
        assert len(seen.records) < last


@pytest.mark.parametrize("engine", [Engine, FastEngine])
async def test_who_goes_away_follows_no_more_and_nobody_follows_what_is_no_address(engine: type[Engine]) -> None:
    async with serving(engine=engine) as bench, EngineClient(bench.socket) as client:
        traffic = Traffic(bench, client)
        await traffic.fund()
        ids = [(await client.account(wallet.raw)).account for wallet in WALLETS]
        async with following(client) as (feed, _):
            for wrong in (b"", bytes(19), bytes(21)):
                with pytest.raises(Refusal) as caught:
                    await feed.follow(wrong)
                assert caught.value.code == ErrorCode.malformed
            await feed.follow(WALLETS[0].raw)
        with pytest.raises(FeedLost):
            await feed.follow(WALLETS[1].raw)
        async with following(client) as (feed, seen):
            await feed.follow(WALLETS[1].raw)
            await traffic.run()
            last, _ = await client.journal_head()
            await seen.until(last)
        told = {getattr(event, "account", ids[1]) for events in seen.records.values() for event in events}
        assert told == {ids[1]}


@pytest.mark.parametrize("engine", [Engine, FastEngine])
async def test_an_account_that_opens_later_is_told_of_from_its_first_record_on(engine: type[Engine]) -> None:
    async with serving(engine=engine) as bench, EngineClient(bench.socket) as client, following(client) as (feed, seen):
        late = Signer("late")
        await feed.follow(late.raw)
        await feed.follow(WALLETS[0].raw)
        feed.leave(WALLETS[0].raw)
        opening = [
            Credit(n + 1, wallet.raw, asset, 10**15, f"deposit {n} {asset}")
            for n, (wallet, asset) in enumerate([(late, USDC), (late, BTC), (WALLETS[0], USDC)])
        ]
        await client.submit_many(opening)
        seq, _ = await client.journal_head()
        await seen.until(seq)
        account = (await client.account(late.raw)).account
        replica = Engine()
        for record in Reader(bench.socket.parent / "journal").read():
            events = of_followed(replica.apply(record.seq, record.at_ms, record.command), {account})
            if record.seq > seq - 3:
                assert seen.records[record.seq] == events
        told = [type(event).__name__ for event in seen.records[seq - 2]]
        assert told == ["AccountOpened", "Credited", "BalanceChanged"]
        assert {type(event).__name__ for event in seen.records[seq]} == {"AccountOpened", "Credited"}


async def test_orders_commands_and_questions_of_one_moment_are_one_group() -> None:
    async with serving(engine=FastEngine) as bench, EngineClient(bench.socket) as client:
        traffic = Traffic(bench, client)
        await traffic.fund()
        reader, writer = await asyncio.open_unix_connection(str(bench.socket))
        orders = traffic.orders(WALLETS[0], 120)
        packed = [
            pack_plain(o.pack(), DEPLOYMENT.domain.order_hash(o), 0, b"\x07" * 65, WALLETS[0].raw) for o in orders
        ]
        cancel = encode_command(CancelOrder(WALLETS[0].raw, orders[0].nonce, b"", WALLETS[0].raw))
        before = bench.groups()
        for number in range(30):
            writer.write(encode_frame(PlaceOrders(2 * number, packed[4 * number : 4 * number + 4])))
            writer.write(encode_frame(Submit(2 * number + 1, [cancel])))
            writer.write(encode_frame(Ask(1_000 + number, Question.status)))
        answers = [decode_from_engine(await read_frame(reader, 1 << 24)) for _ in range(90)]
        writer.close()
        assert [type(one) for one in answers] == [OrdersPlaced, Outcomes, Answer] * 30
        placed = [one for answer in answers if isinstance(answer, OrdersPlaced) for one in answer.outcomes]
        assert len(placed) == 120
        assert [one[0] for one in placed].count(0) > 100
        assert bench.groups() - before < 45
