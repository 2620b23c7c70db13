"""What takes orders back over order entry: at its place among frames, for one account, with everything else stopped."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

import httpx
import pytest

from bizzan.client.entry import EntryClient, EntryRefused
from exchange.domain import entry as wire
from exchange.domain.deployment import Windows
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order, Side, TimeInForce
from exchange.journal.recovery import verify
from exchange.sequencer.client import EngineClient
from exchange.sequencer.protocol import Ack
from tests.integration.entry.entry_process import DOMAIN, WALLETS, EntryProcess, client_of, fund, orders
from tests.integration.sequencer.engine_process import BTC_USDC, DEPLOYMENT, PRICE, EngineProcess, place
from tests.utils.waiting import wait_for

OWNER, OTHER = WALLETS[0], WALLETS[1]
STOPPED, TOO_LOW = 27, 13
FULL_AT = 6 << 20
BEHIND_AFTER_MS = 2_000


def bids(first: int, count: int, account: int = 0) -> list[Order]:
    """Orders that rest."""
    return [replace(one, side=Side.buy, price=PRICE - 500) for one in orders(WALLETS[account], first, count)]


@asynccontextmanager
async def trading(engine: EngineProcess, entry: EntryProcess) -> AsyncIterator[tuple[EntryClient, EngineClient]]:
    """A session of the owner, and a look at the engine."""
    async with client_of(entry) as client, EngineClient(engine.socket) as watcher:
        yield client, watcher


async def restart(engine: EngineProcess, entry: EntryProcess) -> None:
    """The engine starts again, and order entry has found it, and it the accounts."""
    engine.start()
    health = f"http://127.0.0.1:{entry.metrics_port}/healthz"
    wait_for(lambda: httpx.get(health, timeout=60).status_code == 200, "order entry finds the engine")
    await fund(engine)


async def left(watcher: EngineClient, account: int = 0) -> list[int]:
    """The nonces of an account's open orders."""
    return [Order.unpack(view.packed).nonce for view in await watcher.open_orders(WALLETS[account].address)]


async def refusal_of(answer: "asyncio.Future[object]") -> ErrorCode | None:
    with pytest.raises(EntryRefused) as caught:
        await answer
    return caught.value.code


async def test_a_brake_keeps_its_place_among_frames_under_way(stack: tuple[EngineProcess, EntryProcess]) -> None:
    """Nothing waits for an answer: what was sent before ends, what was sent behind goes by what the brake left."""
    engine, entry = stack
    await fund(engine)
    async with trading(engine, entry) as (client, watcher), client_of(entry, OTHER) as other:
        await other.place_frame(bids(1, 4, account=1))
        before, done, behind = await asyncio.gather(
            client.place_frame(bids(1, 64)), client.mass_cancel(BTC_USDC, Side.buy), client.place_frame(bids(101, 64))
        )
        assert before.seq < done.seq < behind.seq
        assert await left(watcher) == list(range(101, 165))

        (early, matched), done, later = await asyncio.gather(
            client.place_frame_early(bids(201, 64)), client.cancel_all(300), client.place_frame(bids(290, 20))
        )
        assert early.seq < done.seq < later.seq
        assert (await matched).codes == bytes(64)
        assert later.codes == bytes([TOO_LOW] * 10 + [0] * 10)
        assert await left(watcher) == list(range(300, 310))

        (early, matched), done, refused, again, taken = await asyncio.gather(
            client.place_frame_early(bids(401, 8)),
            client.stop_trading(),
            client.place_orders(bids(501, 4)),
            client.stop_trading(False),
            client.place_orders(bids(601, 4)),
        )
        assert early.seq < done.seq < again.seq < taken[0].seq
        assert done.receipt is not None
        assert (await matched).codes == bytes(8)
        assert [one.code for one in refused] == [STOPPED] * 4
        assert await left(watcher) == [601, 602, 603, 604]

        assert await left(watcher, account=1) == [1, 2, 3, 4], "nobody else's"
        live = await watcher.state_hash()
    engine.stop()
    assert verify(engine.journal_dir).engine.state_hash() == live[1]


async def test_whose_signature_it_is_not_stops_nothing(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    async with trading(engine, entry) as (client, watcher):
        await client.place_frame(bids(1, 4))
        head = await watcher.journal_head()
        now = int(time.time() * 1_000)
        meant = [
            wire.Brake(wire.Kind.cancel_all, 90, {"min_nonce": 50}),
            wire.Brake(wire.Kind.trading_stop, 91, {"stopped": 1, "nonce": now}),
            wire.Brake(wire.Kind.mass_cancel, 92, {"market": 0, "side": 2, "nonce": now}),
        ]
        for brake in meant:
            signatures = {
                "nobody's": bytes(65),
                "somebody else's": OTHER.sign_digest(brake.digest(DOMAIN, OWNER.address)),
                "for another account": OWNER.sign_digest(brake.digest(DOMAIN, OTHER.address)),
            }
            for whose, signature in signatures.items():
                packed = replace(brake, signature=signature).pack()
                code = await refusal_of(client._send(packed, brake.number, [b""], [wire.Kind.done]).outcome)
                assert code == ErrorCode.wrong_signature, whose
        out_of_shape = wire.Brake(wire.Kind.trading_stop, 93, {"stopped": 2, "nonce": now})
        sent = client._send(out_of_shape.pack(), 93, [b""], [wire.Kind.done])
        assert await refusal_of(sent.outcome) == ErrorCode.malformed
        assert await watcher.journal_head() == head, "nothing was journaled"
        assert await left(watcher) == [1, 2, 3, 4]


async def test_a_brake_that_is_sent_twice_works_once(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    await fund(engine)
    async with trading(engine, entry) as (client, watcher):
        now = int(time.time() * 1_000)
        for number, kind, fields in (
            (90, wire.Kind.mass_cancel, {"market": 0, "side": 2, "nonce": now}),
            (91, wire.Kind.trading_stop, {"stopped": 0, "nonce": now + 1}),
            (92, wire.Kind.cancel_all, {"min_nonce": 50}),
        ):
            await client.place_frame(bids(100 * number, 4))
            brake = wire.Brake(kind, number, fields)
            signed = replace(brake, signature=OWNER.sign_digest(brake.digest(DOMAIN, OWNER.address))).pack()
            subjects = [brake.subject(OWNER.address)]
            done = await client._send(signed, number, subjects, [wire.Kind.done]).outcome
            assert done.seq == (await watcher.journal_head())[0]
            standing = await left(watcher)
            again = client._send(signed, number, subjects, [wire.Kind.done])
            assert await refusal_of(again.outcome) == ErrorCode.nonce_too_low
            assert await left(watcher) == standing
        client._number = 100
        first, second = await client.stop_trading(), await client.stop_trading()
        assert first.seq < second.seq, "another one finds nothing left to do"
        assert await left(watcher) == []


async def test_brakes_work_while_settlement_is_behind(stack: tuple[EngineProcess, EntryProcess]) -> None:
    engine, entry = stack
    engine.stop()
    pause = 600 - 4 * BEHIND_AFTER_MS // 1_000
    late = replace(DEPLOYMENT, windows=Windows(600, 600, 600, 3_600, pause, 172_800))
    (engine.folder / "deployment.json").write_text(json.dumps(late.to_json()))
    await restart(engine, entry)
    async with trading(engine, entry) as (client, watcher), client_of(entry, OTHER) as other:
        await client.place_frame(bids(1, 8))
        hit = [replace(one, side=Side.sell, quantity=2, nonce=one.nonce + 50) for one in bids(1, 2, account=1)]
        assert (await other.place_frame(hit)).codes == bytes(2)
        await asyncio.sleep(BEHIND_AFTER_MS / 1_000 + 0.1)
        assert set((await client.place_frame(bids(101, 2))).codes) == {24}, "settlement_backlog"
        await client.mass_cancel(side=Side.sell)
        open_before = await left(watcher)
        assert len(open_before) >= 6
        await client.cancel_all(5)
        assert await left(watcher) == [nonce for nonce in open_before if nonce >= 5]
        await client.stop_trading()
        assert await left(watcher) == []
        await client.stop_trading(False)


async def fill_disk(watcher: EngineClient) -> None:
    """Have somebody trade until not even one order fits."""
    nonces = count(1)
    for together in (400, 1):
        outcomes: list[Ack | Refusal] = []
        while not any(isinstance(one, Refusal) for one in outcomes):
            orders = [place(WALLETS[2].address, next(nonces), time_in_force=TimeInForce.ioc) for _ in range(together)]
            outcomes = await watcher.submit_many(orders)


async def test_brakes_work_while_the_disk_is_full(stack: tuple[EngineProcess, EntryProcess]) -> None:
    """A limit on file sizes stands in for the disk's end."""
    engine, entry = stack
    engine.stop()
    engine.prologue = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({FULL_AT}, {FULL_AT}))"
    await restart(engine, entry)
    async with trading(engine, entry) as (client, watcher):
        await client.place_frame(bids(1, 4))
        await client.place_orders(bids(50, 2))
        await fill_disk(watcher)
        assert {one.code for one in await client.place_orders(bids(90, 1))} == {28}, "unavailable"
        await client.cancel_all(50)
        assert await left(watcher) == [50, 51]
        stopped = await client.stop_trading()
        assert stopped.receipt is not None
        assert await left(watcher) == []
        with pytest.raises(EntryRefused) as caught:
            await client.stop_trading(False)
        assert caught.value.code == ErrorCode.unavailable, "to go on waits for room"
        live = await watcher.state_hash()
    engine.kill()
    engine.prologue = ""
    engine.start()
    async with EngineClient(engine.socket) as watcher:
        assert await watcher.state_hash() == live
