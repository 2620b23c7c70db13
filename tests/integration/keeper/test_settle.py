"""The settle duty against the real contract: trades become batches that are final, and the impossible is reversed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.anvil import Anvil
from exchange.chain.signing import Key
from exchange.chain.submission import Job, JobState
from exchange.database.jobs import JobStore
from exchange.database.tables import trade
from keeper.main import open_keeper
from tests.integration.keeper.world import World, build_world, until

PRICE = 6_000_000  # quote units per lot of 0.0001 BTC: 60,000 USDC per BTC


@pytest.fixture
async def world(
    make_anvil: Callable[..., Anvil], engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[World]:
    made = await build_world(make_anvil(), engine, database_url, tmp_path)
    yield made
    await made.rpc.close()


@asynccontextmanager
async def running_keeper(world: World) -> AsyncIterator[None]:
    """All duties in this process, and the scribe beside them."""
    world.start_blocks()
    async with open_keeper(world.settings) as keeper:
        tasks = [asyncio.create_task(runner.run()) for runner in keeper.runners()]
        tasks.append(asyncio.create_task(world.keep_answering()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def settle_jobs(world: World) -> list[Job]:
    operator = Key(world.settings.key("operator"))
    store = JobStore(world.engine, 31_337, operator.address, "settle", 0)
    found = []
    for number in range(1, await world.batch_seq() + 2):
        found += await store.generations(f"settle/{number}")
    return found


async def test_trades_are_settled_and_followed_until_they_are_final(world: World) -> None:
    seller, buyer = await world.add_trader(), await world.add_trader()
    before = await world.balance(seller, 0), await world.balance(buyer, 2)
    for lots in (10, 20, 30):
        await world.match(seller, buyer, PRICE, lots)

    async def final() -> bool:
        jobs = await settle_jobs(world)
        return bool(jobs) and all(job.state is JobState.final for job in jobs)

    async with running_keeper(world):
        await until(final, "finality")
    quotes = [PRICE * lots for lots in (10, 20, 30)]
    fees = sum(quote * 2 // 10_000 for quote in quotes)
    assert await world.balance(seller, 0) == before[0] + sum(quotes) - fees
    assert await world.balance(buyer, 2) == before[1] + 60 * 10_000
    assert await world.batch_seq() == 1


async def test_a_trade_that_cannot_settle_is_reversed_and_the_rest_settles(world: World) -> None:
    seller, buyer, pauper = await world.add_trader(), await world.add_trader(), await world.add_trader({})
    await world.match(seller, buyer, PRICE, 10)
    impossible = await world.match(seller, pauper, PRICE, 10)
    await world.match(seller, buyer, PRICE, 5)

    async def sold() -> bool:
        return await world.balance(buyer, 2) == 1_000_000_000 + 15 * 10_000

    async with running_keeper(world):
        await until(sold, "settlement")
    async with world.engine.connect() as conn:
        rows = (await conn.execute(select(trade).where(trade.c.reversed_cause.is_not(None)))).all()
    assert [row.trade_id for row in rows] == [impossible]
    assert rows[0].reversed_cause.startswith("block 0x")
