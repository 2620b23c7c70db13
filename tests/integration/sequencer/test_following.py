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
from exchange.journal.plain import pack_plain
from exchange.journal.reader import Reader
from exchange.sequencer.client import EngineClient, Feed, FeedLost
from exchange.sequencer.protocol import (
    Committed,
    OrdersPlaced,
    PlaceOrders,
    decode_from_engine,
    encode_frame,
    read_frame,
)
from tests.integration.sequencer.engine_process import BTC, BTC_USDC, DEPLOYMENT, PRICE, USDC
from tests.integration.sequencer.test_server import Bench, serving
from tests.utils.frames import frame_of
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

    def _orders(self, wallet: Signer, count: int) -> list[Order]:
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
            orders = self._orders(wallet, 6)
            packed = [
                pack_plain(o.pack(), DEPLOYMENT.domain.order_hash(o), 0, b"\x07" * 65, wallet.raw) for o in orders
            ]
            outcomes = await self._singles([*packed, packed[0][:-1]])
            assert outcomes[-1][0] != 0, "that was no order"
            await self._client.submit_frame(frame_of(wallet, self._orders(wallet, 8)))
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
        async with asyncio.timeout(10):
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
        await feed.follow(ids[0])
        await change(ids[0])
        await feed.follow(ids[2])
        if beside:
            async with following(client, selective=False) as (_, whole):
                await change(ids[0], ids[2])
                seq, _ = await client.journal_head()
                await whole.until(seq)
        feed.leave(ids[0])
        await feed.follow(ids[3])
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
async def test_who_goes_away_follows_no_more_and_nobody_follows_what_there_is_not(engine: type[Engine]) -> None:
    async with serving(engine=engine) as bench, EngineClient(bench.socket) as client:
        traffic = Traffic(bench, client)
        await traffic.fund()
        ids = [(await client.account(wallet.raw)).account for wallet in WALLETS]
        async with following(client) as (feed, _):
            for unknown in (0, -1, 10_000):
                with pytest.raises(Refusal) as caught:
                    await feed.follow(unknown)
                assert caught.value.code == ErrorCode.unknown_account
            await feed.follow(ids[0])
        with pytest.raises(FeedLost):
            await feed.follow(ids[1])
        async with following(client) as (feed, seen):
            await feed.follow(ids[1])
            await traffic.run()
            last, _ = await client.journal_head()
            await seen.until(last)
        told = {getattr(event, "account", ids[1]) for events in seen.records.values() for event in events}
        assert told == {ids[1]}
