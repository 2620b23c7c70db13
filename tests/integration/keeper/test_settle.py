"""The settle duty against the real contract: trades become batches that are final, and the impossible is reversed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.anvil import Anvil
from exchange.chain.rpc import InvalidAnswer
from exchange.chain.signing import Key
from exchange.chain.submission import Job, JobState
from exchange.database.jobs import JobStore
from exchange.database.tables import engine_inbox, trade
from keeper.custody import GAS_CAP, OUT_OF_GAS, Custody, SettleCall
from keeper.main import open_keeper
from keeper.settle import Cut
from tests.integration.keeper.world import World, build_world, call_data, running_keeper, until

PRICE = 6_000_000  # quote units per lot of 0.0001 BTC: 60,000 USDC per BTC


async def settle_jobs(world: World) -> list[Job]:
    operator = Key(world.settings.key("operator"))
    store = JobStore(world.engine, 31_337, operator.address, "settle", 0)
    found = []
    for number in range(1, await world.batch_seq() + 2):
        found += await store.generations(f"settle/{number}")
    return found


async def mined_in(world: World, job: Job) -> int:
    """The block in which a job's transaction stands, whichever of its attempts it is."""
    receipts = [await world.rpc.receipt(attempt.tx_hash) for attempt in job.attempts]
    (block,) = (receipt.block_number for receipt in receipts if receipt is not None)
    return block


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


async def test_a_reorg_that_takes_batches_away_brings_them_back_in_order(world: World) -> None:
    seller, buyer = await world.add_trader(), await world.add_trader()
    world.node.rpc("anvil_mine", 5)
    async with running_keeper(world):
        for number in (1, 2):
            await world.match(seller, buyer, PRICE, 10 * number)

            async def settled(number: int = number) -> bool:
                return await world.batch_seq() == number

            await until(settled, f"batch {number}")
        second = (await settle_jobs(world))[-1]
        await asyncio.to_thread(world.reorganise, await mined_in(world, second))
        assert await world.batch_seq() < 2
        world.start_blocks()
        await until(settled, "the same batches")
    assert await world.balance(buyer, 2) == 1_000_000_000 + 30 * 10_000
    assert [job.key for job in await settle_jobs(world)] == ["settle/1/0", "settle/2/0"]


async def test_a_batch_whose_money_a_reorg_took_away_is_reversed_and_settles_empty(world: World) -> None:
    buyer = await world.add_trader()
    async with running_keeper(world):
        seller = await world.add_trader({2: 1_000_000})
        deposited = world.last_block
        trade_id = await world.match(seller, buyer, PRICE, 10)

        async def settled() -> bool:
            return await world.batch_seq() == 1

        await until(settled, "the batch")
        await asyncio.to_thread(world.reorganise, deposited)
        assert await world.balance(seller, 2) == 0
        assert not await settled()
        world.start_blocks()

        async def reversed_() -> bool:
            async with world.engine.connect() as conn:
                cause = await conn.scalar(select(trade.c.reversed_cause).where(trade.c.trade_id == trade_id))
            return cause is not None

        await until(reversed_, "the reversal")
        await until(settled, "the empty batch")
    assert await world.balance(buyer, 2) == 1_000_000_000
    jobs = await settle_jobs(world)
    assert [job.key for job in jobs] == ["settle/1/0", "settle/1/1"]
    assert jobs[0].state is JobState.reverted


async def test_all_that_a_reorg_took_from_many_batches_is_reversed_after_one_wait(world: World) -> None:
    """Three batches spend one deposit; what else is in them settles."""
    buyer, rich = await world.add_trader(), await world.add_trader()
    async with running_keeper(world):
        seller = await world.add_trader({2: 1_000_000})
        deposited = world.last_block
        lost = []
        for number in (1, 2, 3):
            lost.append(await world.match(seller, buyer, PRICE, 10))
            await world.match(rich, buyer, PRICE, number)

            async def settled(number: int = number) -> bool:
                return await world.batch_seq() >= number

            await until(settled, f"batch {number}")
        batches = await world.batch_seq()
        await asyncio.to_thread(world.reorganise, deposited)
        assert await world.batch_seq() == 0
        world.start_blocks()

        async def all_settled() -> bool:
            return await world.batch_seq() == batches

        await until(all_settled, "what can settle")
    assert await world.balance(buyer, 2) == 1_000_000_000 + 6 * 10_000
    async with world.engine.connect() as conn:
        rows = (await conn.execute(select(trade).where(trade.c.reversed_cause.is_not(None)))).all()
    assert [row.trade_id for row in rows] == lost
    assert len({row.reversed_cause for row in rows}) == 1, "one block proves all"


async def test_calls_in_a_row_are_simulated_as_they_would_be_mined(world: World) -> None:
    custody, operator = Custody(world.rpc, world.custody), Key(world.settings.key("operator")).address
    first, second = SettleCall(1, bytes(32), b"\x01" * 32, ()), SettleCall(2, b"\x01" * 32, b"\x02" * 32, ())
    block = (await custody.state()).block
    assert await custody.refusal_after([first.data()], operator, second.data(), GAS_CAP, block) is None
    again = await custody.refusal_after([first.data()], operator, first.data(), GAS_CAP, block)
    assert again == await custody.refusal(operator, second.data()), "neither is the batch that comes next"
    assert await custody.refusal_after([first.data()], operator, second.data(), 30_000, block) == OUT_OF_GAS
    with pytest.raises(InvalidAnswer, match="another one now"):
        await custody.refusal_after([second.data()], operator, first.data(), GAS_CAP, block)


async def test_two_keepers_settle_each_batch_once(world: World) -> None:
    seller, buyer = await world.add_trader(), await world.add_trader()
    async with running_keeper(world), open_keeper(world.settings) as second:
        follower = asyncio.create_task(second.runners()[0].run())
        for number in (1, 2, 3):
            await world.match(seller, buyer, PRICE, 10)

            async def settled(number: int = number) -> bool:
                return await world.batch_seq() == number

            await until(settled, f"batch {number}")
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
    assert len(await settle_jobs(world)) == 3


async def test_money_that_moves_from_market_to_market_settles_in_one_batch(world: World) -> None:
    """A sale in market 2 pays for a purchase in market 1, in the same batch."""
    maker = await world.add_trader({0: 10**12, 2: 10**9})
    trader = await world.add_trader({1: 10**18})
    await world.match(trader, maker, 400_000, 100, market=2)
    await world.match(maker, trader, PRICE, 6)

    async def settled() -> bool:
        return await world.batch_seq() == 1

    async with running_keeper(world):
        await until(settled, "the batch")
    assert await world.balance(trader, 2) == 6 * 10_000


async def test_silence_is_broken_by_a_heartbeat(world: World) -> None:
    seen = call_data("last_seen()")
    before = int.from_bytes(await world.rpc.eth_call(world.custody, seen))
    world.node.rpc("evm_increaseTime", 3_700)

    async def heard() -> bool:
        return int.from_bytes(await world.rpc.eth_call(world.custody, seen)) > before

    async with running_keeper(world):
        await until(heard, "a heartbeat")
    assert await world.batch_seq() == 0


async def test_dry_run_says_what_it_would_do_and_does_nothing(world: World) -> None:
    seller, buyer = await world.add_trader(), await world.add_trader()
    await world.match(seller, buyer, PRICE, 10)
    await asyncio.sleep(0.2)
    async with open_keeper(world.settings) as keeper:
        plan = await keeper.settle_term(0).duty.plan()
    assert plan == Cut(1, 2, 1)
    async with world.engine.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(engine_inbox)) == 0


async def test_batches_stay_below_the_cap_on_the_gas_of_a_transaction(world: World) -> None:
    seller, buyer = await world.add_trader(), await world.add_trader()
    for _ in range(230):
        await world.match(seller, buyer, PRICE, 1)

    async def sold() -> bool:
        return await world.balance(buyer, 2) == 1_000_000_000 + 230 * 10_000

    async with running_keeper(world):
        await until(sold, "settlement")
    jobs = await settle_jobs(world)
    assert len(jobs) > 1
    assert all(job.call.gas <= GAS_CAP for job in jobs)
    for job in jobs:
        receipt = await world.rpc.receipt(job.attempts[0].tx_hash)
        assert receipt is not None
        assert receipt.gas_used < job.call.gas


async def test_a_killed_node_that_comes_back_without_its_last_blocks_loses_no_batch(
    make_anvil: Callable[..., Anvil], engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    node = make_anvil(state_file=tmp_path / "state.gz")
    world = await build_world(node, engine, database_url, tmp_path)
    seller, buyer = await world.add_trader(), await world.add_trader()
    await asyncio.to_thread(node.save)
    await world.match(seller, buyer, PRICE, 10)

    async def settled() -> bool:
        return await world.batch_seq() == 1

    async with running_keeper(world):
        await until(settled, "the batch")
        node.kill()
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(node.wait_ready)
        assert not await settled()
        world.start_blocks()
        await until(settled, "the same batch")
    assert [job.key for job in await settle_jobs(world)] == ["settle/1/0"]
    await world.rpc.close()


async def test_want_of_gas_is_told_from_a_refusal(world: World) -> None:
    custody, operator = Custody(world.rpc, world.custody), Key(world.settings.key("operator")).address
    data = SettleCall(1, bytes(32), b"\x01" * 32, ()).data()
    assert await custody.refusal(operator, data) is None
    assert await custody.refusal(operator, data, 30_000) == OUT_OF_GAS
    assert await custody.refusal(b"\x09" * 20, data) == "operator: not the operator"
