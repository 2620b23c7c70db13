"""The follower leads within five seconds, whether the leader is killed or merely hangs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.anvil import Anvil
from exchange.chain.submission import JobState
from exchange.database.tables import leader
from exchange.settings import LOCAL_KEYS
from tests.integration.keeper.test_chaos import count_of, queue_jobs
from tests.integration.keeper.worker import work
from tests.integration.keeper.world import until
from tests.utils.warm import WarmProcess

TAKEOVER_SECONDS = 5


@pytest.fixture
async def start_worker(make_anvil: Callable[..., Anvil], database_url: str) -> AsyncIterator[Callable[[], WarmProcess]]:
    """Start keepers of one duty."""
    node, started = make_anvil(), list[WarmProcess]()

    def start() -> WarmProcess:
        started.append(WarmProcess(work, database_url, node.url, LOCAL_KEYS["keeper"], environment=os.environ))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        await asyncio.to_thread(worker.wait)


async def leading(engine: AsyncEngine) -> int:
    """The process that leads, 0 before the first."""
    async with engine.connect() as conn:
        holder = await conn.scalar(select(leader.c.holder))
    return int(holder.rpartition("/")[2]) if holder else 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])
async def test_follower_leads_within_five_seconds(
    engine: AsyncEngine, start_worker: Callable[[], WarmProcess], end: signal.Signals
) -> None:
    first = start_worker()

    async def first_leads() -> bool:
        return await leading(engine) == first.pid

    async def second_leads() -> bool:
        return await leading(engine) == second.pid

    await until(first_leads, "the first leader")
    second = start_worker()
    await asyncio.sleep(1)
    assert await first_leads()

    first.send_signal(end)
    # counted by looks and not by the clock: on a machine that is late, each takes longer
    await until(second_leads, "the follower", TAKEOVER_SECONDS, pause=0.02)

    await queue_jobs(engine, range(1))

    async def sent() -> bool:
        return await count_of(engine, JobState.queued) == 0

    await until(sent, "the job of the new leader")
    if end == signal.SIGSTOP:
        first.send_signal(signal.SIGCONT)
        await asyncio.sleep(1)
        assert await second_leads()
