"""A frozen contract settles nothing more, so the engine matches nothing more."""

from __future__ import annotations

from tests.integration.indexer.conftest import DEPTHS, OpenMirror
from tests.integration.indexer.helpers import catch_up, check_inbox, compare, query
from tests.utils.traffic import Traffic


async def statuses(database_url: str) -> dict[int, str]:
    """What the engine was told last of each market."""
    rows = await query(database_url, "select payload from engine_inbox where kind = 'set_market_status' order by id")
    return {row.payload["market"]: row.payload["status"] for row in rows}


async def test_freeze_halts_every_market_at_the_first_block_and_a_reorg_opens_them_again(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        traffic.block(0)
        await catch_up(mirror)
        markets = {row.market_id for row in await query(database_url, "select market_id from market_listed")}
        assert markets
        assert await statuses(database_url) == {}
        traffic.node.rpc("evm_increaseTime", traffic.deployment.windows.silence + 1)
        traffic.block(0)
        traffic.block(0)
        traffic._send(traffic.users[1], "freeze")
        traffic.block(0)
        await catch_up(mirror)
        assert len(await query(database_url, "select 1 from chain_status where kind = 'frozen'")) == 1
        assert await statuses(database_url) == dict.fromkeys(markets, "halted")
        traffic.go_back(2)
        traffic.block(0)
        traffic.block(0)
        await catch_up(mirror)
        assert await statuses(database_url) == dict.fromkeys(markets, "open")
        traffic._send(traffic.users[1], "freeze")
        traffic.block(0)
        for _ in range(DEPTHS.final):
            traffic.block(0)
        await catch_up(mirror)
        assert await statuses(database_url) == dict.fromkeys(markets, "halted")
    await check_inbox(traffic, database_url, DEPTHS.credit)
    assert await compare(traffic, database_url) == []
