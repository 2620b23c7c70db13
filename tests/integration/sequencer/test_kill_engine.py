"""kill -9 of the engine under load: whatever was acknowledged is in the journal, and the state is the same again."""

import asyncio
import random

import pytest

from exchange.domain.errors import Refusal
from exchange.domain.order import Side
from exchange.engine.commands import PlaceOrder
from exchange.journal.reader import Reader
from exchange.journal.recovery import recover, verify
from exchange.sequencer.client import EngineClient
from exchange.sequencer.protocol import Ack
from tests.integration.sequencer.engine_process import PRICE, EngineProcess, funding, place, trader

TRADERS = 20


class Load:
    """Clients that place orders as fast as they can, and remember what was acknowledged."""

    def __init__(self, engine: EngineProcess) -> None:
        self.engine = engine
        self.acked: dict[int, PlaceOrder] = {}
        self._nonce = 0

    async def run(self, seconds: float) -> None:
        """Place orders until the engine is killed, after about so many seconds."""
        async with EngineClient(self.engine.socket) as client:
            workers = [asyncio.create_task(self._work(client, number)) for number in range(4)]
            await asyncio.sleep(seconds)
            while not self.acked:  # noqa: ASYNC110 - on a busy machine none comes in time by itself
                await asyncio.sleep(0.01)
            self.engine.kill()
            await asyncio.gather(*workers)

    async def _work(self, client: EngineClient, number: int) -> None:
        while True:
            self._nonce += 1
            orders = [self._order(n) for n in range(number, TRADERS, 4)]
            for order, outcome in zip(orders, await client.submit_many(orders), strict=True):
                if isinstance(outcome, Ack):
                    self.acked[outcome.seq] = order
                elif outcome.code.value == "unavailable":
                    return

    def _order(self, number: int) -> PlaceOrder:
        side = Side((self._nonce + number) % 2)
        offset = 10 * (self._nonce % 7) * (1 if side is Side.sell else -1)
        return place(trader(number), self._nonce, side, PRICE + offset, 2 + number % 5)


async def _kill_rounds(engine: EngineProcess, rounds: int, seed: int) -> None:
    pauses = random.Random(seed)
    load = Load(engine)
    async with EngineClient(engine.socket) as client:
        await client.submit_many(funding(TRADERS))
    for _ in range(rounds):
        await load.run(pauses.uniform(0.02, 0.6))
        engine.start()
        async with EngineClient(engine.socket) as client:
            live = await client.state_hash()
        recovered = recover(engine.journal_dir)
        assert (recovered.seq, recovered.engine.state_hash()) == live
    engine.kill()
    journaled = {record.seq: record.command for record in Reader(engine.journal_dir).read()}
    assert load.acked
    assert all(journaled[seq] == order for seq, order in load.acked.items())
    assert verify(engine.journal_dir).engine.state_hash() == live[1]


async def test_killed_engine_keeps_everything_acknowledged(engine: EngineProcess) -> None:
    await _kill_rounds(engine, rounds=4, seed=1)


@pytest.mark.deep
async def test_engine_killed_forty_times_keeps_everything_acknowledged(engine: EngineProcess) -> None:
    await _kill_rounds(engine, rounds=40, seed=2)


async def test_order_in_flight_at_the_kill_is_acked_once_when_sent_again(engine: EngineProcess) -> None:
    async with EngineClient(engine.socket) as client:
        await client.submit_many(funding(TRADERS))
        orders = [place(trader(n), 1) for n in range(TRADERS)]
        sending = asyncio.create_task(client.submit_many(orders))
        await asyncio.sleep(0)
        engine.kill()
        first = await sending
        assert all(isinstance(outcome, Ack | Refusal) for outcome in first)
        engine.start()
        await client.connect()
        again = await client.submit_many(orders)
        ids = [outcome.order_id for outcome in again if isinstance(outcome, Ack)]
        assert len(set(ids)) == TRADERS
        for before, after in zip(first, again, strict=True):
            if isinstance(before, Ack):
                assert isinstance(after, Ack)
                assert (after.order_id, after.duplicate) == (before.order_id, True)
