"""Each job exactly once on the chain, whatever happens.

Two workers compete; both are killed at random. The network loses broadcasts and answers. The base fee jumps
tenfold. The chain is reorganised up to 20 blocks deep, which also empties the node's pool of transactions.
Every job pays one wei to an address of its own, so paying twice or never shows in its balance.
"""

import asyncio
import os
import random
from collections.abc import Callable

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.anvil import Anvil
from exchange.chain.rpc import Rpc
from exchange.chain.signing import Key
from exchange.chain.submission import Call, JobState
from exchange.database.jobs import encode_call
from exchange.database.tables import attempt, job, leader
from exchange.settings import LOCAL_KEYS
from tests.integration.keeper.proxy import bad_network
from tests.integration.keeper.worker import CHAIN_ID, DUTY, work
from tests.integration.keeper.world import until
from tests.utils.warm import WarmProcess

KEY = Key(LOCAL_KEYS["keeper"])
DEEPEST = 20


def payee(number: int) -> bytes:
    """The address of a job of its own."""
    return b"payee" + number.to_bytes(15)


async def queue_jobs(engine: AsyncEngine, numbers: range) -> None:
    """Jobs that each pay one wei."""
    rows = [
        {
            "chain_id": CHAIN_ID,
            "sender": KEY.address,
            "key": f"pay/{number}",
            "duty": DUTY,
            "state": JobState.queued.value,
            "payload": encode_call(Call(payee(number), b"", 21_000, 1)),
        }
        for number in numbers
    ]
    async with engine.begin() as conn:
        await conn.execute(insert(job), rows)


async def count_of(engine: AsyncEngine, state: JobState) -> int:
    async with engine.connect() as conn:
        return int(await conn.scalar(select(func.count()).where(job.c.state == state.value)) or 0)


class Chaos:
    """Bad luck, in the order that a seed gives."""

    def __init__(self, node: Anvil, engine: AsyncEngine, urls: tuple[str, str], seed: int) -> None:
        self._node = node
        self._engine = engine
        self._urls = urls
        self._chance = random.Random(seed)
        self._depths = random.Random(seed)
        """Apart, for how much one of a range uses up hangs on the range, and that on how far the chain has come."""
        self._workers: list[WarmProcess] = []
        self.happened: dict[str, int] = {}

    async def rpc(self, method: str, *params: object) -> object:
        return await asyncio.to_thread(self._node.rpc, method, *params)

    async def start_workers(self) -> None:
        while len(self._workers) < 2:
            self._workers.append(WarmProcess(work, *self._urls, LOCAL_KEYS["keeper"], environment=os.environ))

    async def kill(self, count: int) -> None:
        """End workers with SIGKILL, then wait for others to lead: a kill of what has not started proves nothing."""
        before = await self.term()
        for _ in range(count):
            worker = self._workers.pop(self._chance.randrange(len(self._workers)))
            await self.end(worker)
        await self.start_workers()
        if count == 2:

            async def led() -> bool:
                return await self.term() > before

            await until(led, "a new leader")

    async def term(self) -> int:
        """The fencing token of the present leader."""
        async with self._engine.connect() as conn:
            return int(await conn.scalar(select(leader.c.fencing_token)) or 0)

    async def stop(self) -> None:
        for worker in self._workers:
            await self.end(worker)

    async def end(self, worker: WarmProcess) -> None:
        worker.kill()
        await asyncio.to_thread(worker.wait)

    async def strike(self) -> None:
        """One piece of bad luck, and time to see it."""
        what = self._chance.choice(("kill one", "kill both", "reorg", "reorg", "fee", "quiet", "quiet"))
        self.happened[what] = self.happened.get(what, 0) + 1
        if what == "kill one":
            await self.kill(1)
        elif what == "kill both":
            await self.kill(2)
        elif what == "fee":
            header = await self.rpc("eth_getBlockByNumber", "latest", False)
            assert isinstance(header, dict)
            base_fee = min(10 * int(header["baseFeePerGas"], 16), 100 * 10**9)
            await self.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        elif what == "reorg":
            number = int(str(await self.rpc("eth_blockNumber")), 16)
            await self.rpc("anvil_reorg", self._depths.randint(1, min(DEEPEST, number - 1)), [])
        await asyncio.sleep(self._chance.uniform(0.1, 1.0))

    async def keep_mining(self) -> None:
        while True:
            await self.rpc("evm_mine")
            await asyncio.sleep(0.15)


async def survive(node: Anvil, engine: AsyncEngine, database_url: str, jobs: int, seed: int, strikes: int) -> None:
    """Send `jobs` through `strikes` pieces of bad luck, then check every payee and every nonce."""
    await asyncio.to_thread(node.rpc, "evm_setAutomine", False)
    for _ in range(2):
        await asyncio.to_thread(node.rpc, "evm_mine")
    async with bad_network(node.url, random.Random(seed), loss=0.2) as url, Rpc(node.url) as rpc:
        chaos = Chaos(node, engine, (database_url, url), seed)
        miner = asyncio.create_task(chaos.keep_mining())
        try:
            await chaos.start_workers()
            for done in range(strikes):
                await queue_jobs(engine, range(done * jobs // strikes, (done + 1) * jobs // strikes))
                await chaos.strike()

            async def all_final() -> bool:
                return await count_of(engine, JobState.final) == jobs

            await until(all_final, f"finality of {jobs} jobs after {chaos.happened}", seconds=300)
        finally:
            await chaos.stop()
            miner.cancel()
            await asyncio.gather(miner, return_exceptions=True)
        balances = [await rpc.balance(payee(number)) for number in range(jobs)]
        assert balances == [1] * jobs
        async with engine.connect() as conn:
            sent = int(await conn.scalar(select(func.max(attempt.c.nonce))) or 0)
        assert await rpc.transaction_count(KEY.address) == sent + 1
        assert await chaos.term() > 1, chaos.happened


@pytest.mark.parametrize("seed", [1])
async def test_every_job_is_on_the_chain_once_through_kills_losses_fees_and_reorgs(
    make_anvil: Callable[..., Anvil], engine: AsyncEngine, database_url: str, seed: int
) -> None:
    await survive(make_anvil(), engine, database_url, jobs=60, seed=seed, strikes=25)


@pytest.mark.deep
@pytest.mark.parametrize("seed", [2, 3])
async def test_a_thousand_jobs_are_on_the_chain_once(
    make_anvil: Callable[..., Anvil], engine: AsyncEngine, database_url: str, seed: int
) -> None:
    await survive(make_anvil(), engine, database_url, jobs=1_000, seed=seed, strikes=150)
