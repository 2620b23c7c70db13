"""The keeper as a process: it serves its health, stops when told, and says why when it cannot run."""

import asyncio
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import func, select

from bizzan.supervisor.ports import free_port
from exchange.database.tables import batch
from exchange.sequencer.seed import SeedError
from exchange.settings import LOCAL_KEYS, SettingsError, SweepSettings, load_settings
from keeper.main import Keys, open_keeper
from tests.integration.keeper.world import World, until

PRICE = 6_000_000


async def start_process(world: World, port: int) -> Process:
    variables = {
        "BIZZAN_CHAIN__RPC_URL": world.node.url,
        "BIZZAN_CHAIN__DEPLOYMENT_FILE": str(world.settings.deployment_file),
        "BIZZAN_DATABASE__URL": world.settings.database_url(),
        "BIZZAN_METRICS__KEEPER": str(port),
    }
    code = "from exchange.settings import load_settings; from keeper.main import run; run(load_settings())"
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=os.environ | variables, stdout=PIPE)


async def test_process_shows_that_it_leads_and_stops_cleanly(world: World) -> None:
    port = free_port()
    process = await start_process(world, port)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def leading() -> bool:
            try:
                async with session.get("/metrics") as answer:
                    text = await answer.text()
            except aiohttp.ClientError:
                return False
            return all(f'keeper_leading{{duty="{duty}"}} 1.0' in text for duty in ("settle", "withdraw", "sweep"))

        await until(leading, "leadership")
        async with session.get("/healthz") as answer:
            assert answer.status == 200
    process.terminate()
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"keeper runs" in out


async def test_missing_deployment_is_named(tmp_path: Path) -> None:
    settings = load_settings(chain={"deployment_file": tmp_path / "none.json"})
    with pytest.raises(SeedError, match="none.json does not exist: deploy the contract first"):
        async with open_keeper(settings):
            pass


def test_one_key_for_two_duties_is_refused() -> None:
    settings = load_settings(keys={"keeper": LOCAL_KEYS["operator"]})
    with pytest.raises(SettingsError, match="BIZZAN_KEYS__KEEPER must not be the key of BIZZAN_KEYS__OPERATOR"):
        Keys.load(settings)
    settings = load_settings(keys={"sweeper": LOCAL_KEYS["keeper"]})
    with pytest.raises(SettingsError, match="BIZZAN_KEYS__SWEEPER must not be the key of BIZZAN_KEYS__KEEPER"):
        Keys.load(settings)


async def test_a_floor_of_no_asset_is_named(world: World) -> None:
    settings = world.settings.model_copy(update={"sweep": SweepSettings(floors={"DOGE": 1})})
    with pytest.raises(SettingsError, match="BIZZAN_SWEEP__FLOORS: the floor of DOGE is the floor of nothing"):
        async with open_keeper(settings):
            pass


@pytest.mark.deep
@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_keepers_settle_each_trade_once(world: World, seed: int) -> None:
    """Two processes; at random moments one is killed and started again, while trades keep coming."""
    chance = random.Random(seed)
    seller, buyer = await world.add_trader(), await world.add_trader()
    world.start_blocks()
    scribe = asyncio.create_task(world.keep_answering())
    processes = [await start_process(world, free_port()) for _ in range(2)]
    lots = 0
    for _ in range(12):
        for _ in range(chance.randint(1, 5)):
            await world.match(seller, buyer, PRICE, 1)
            lots += 1
        await asyncio.sleep(chance.uniform(0, 4))
        victim = processes.pop(chance.randrange(2))
        victim.kill()
        await victim.communicate()
        processes.append(await start_process(world, free_port()))

    async def sold() -> bool:
        return await world.balance(buyer, 2) >= 1_000_000_000 + lots * 10_000

    await until(sold, "settlement", seconds=120)
    for process in processes:
        process.kill()
        await process.communicate()
    scribe.cancel()
    await asyncio.gather(scribe, return_exceptions=True)
    assert await world.balance(buyer, 2) == 1_000_000_000 + lots * 10_000
    async with world.engine.connect() as conn:
        cut = await conn.scalar(select(func.max(batch.c.batch)))
    assert await world.batch_seq() == cut
