"""Reorgs: whatever branch the chain takes, the tables equal those of a fresh index, and the engine is told."""

from __future__ import annotations

import asyncio

import pytest

from exchange.database.tables import MIRROR, chain_effect
from indexer.mirror import Mirror, PositionMoved
from tests.integration.indexer.conftest import DEPTHS, OpenMirror
from tests.integration.indexer.helpers import catch_up, check_balances, check_inbox, compare, query, told
from tests.utils.traffic import Traffic


async def test_mirror_of_plain_history_equals_a_fresh_index(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    traffic.blocks(40)
    async with open_mirror() as mirror:
        await catch_up(mirror)
        assert mirror.position is not None
        assert mirror.position.number == traffic.height
        assert mirror.position.status == "live"
    assert await compare(traffic, database_url) == []
    await check_balances(traffic, database_url)
    await check_inbox(traffic, database_url, DEPTHS.credit)


async def test_view_of_executions_balances_per_batch(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    traffic.blocks(30)
    async with open_mirror() as mirror:
        await catch_up(mirror)
    batches = {row.seq: row.executions for row in await query(database_url, "select * from batch_settled")}
    rows = await query(database_url, "select * from order_executed")
    assert rows
    for seq, executions in batches.items():
        mine = [row for row in rows if row.batch == seq]
        assert len(mine) == executions
        bought, sold = [row for row in mine if row.side == 0], [row for row in mine if row.side == 1]
        assert sum(row.lots for row in bought) == sum(row.lots for row in sold)
        assert sum(row.quote for row in bought) == sum(row.quote for row in sold)
    users = {user.address for user in traffic.users}
    assert {row.account for row in rows} <= users
    assert {row.market_id for row in rows} == {2}


@pytest.mark.parametrize("depths", [(1, 2, 5, 16), (17, 33, 64)])
async def test_tables_and_inbox_follow_reorgs(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror, depths: tuple[int, ...]
) -> None:
    async with open_mirror() as mirror:
        for depth in depths:
            await _branch(traffic, mirror, depth)
            assert await compare(traffic, database_url) == []
        assert mirror.stats.reorgs == len(depths)
        assert mirror.stats.deepest_reorg == max(depths)
        await check_balances(traffic, database_url)
        if max(depths) < DEPTHS.final:
            await check_inbox(traffic, database_url, DEPTHS.credit)


@pytest.mark.deep
async def test_tables_follow_reorgs_of_every_depth(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        for depth in range(1, 65):
            await _branch(traffic, mirror, depth)
            assert await compare(traffic, database_url) == []
        await check_balances(traffic, database_url)


async def test_reorg_while_the_indexer_is_down_is_seen_at_its_start(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    traffic.blocks(20)
    async with open_mirror() as mirror:
        await catch_up(mirror)
    traffic.go_back(12)
    traffic.blocks(3)  # a shorter chain: the head went back and has another hash
    async with open_mirror() as mirror:
        await catch_up(mirror)
        assert mirror.stats.reorgs == 1
    assert await compare(traffic, database_url) == []
    await check_inbox(traffic, database_url, DEPTHS.credit)


async def test_node_whose_head_went_back_on_the_same_chain_is_late_not_reorganised(
    traffic: Traffic, open_mirror: OpenMirror
) -> None:
    traffic.blocks(10)
    async with open_mirror() as mirror:
        await catch_up(mirror)
        before = mirror.position
        traffic.go_back(4)
        assert await mirror.step() is False
        assert mirror.position == before
        assert mirror.stats.reorgs == 0


async def test_deposit_that_comes_back_in_another_block_is_another_credit(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    traffic.block(0)
    async with open_mirror() as mirror:
        for _ in range(3):
            traffic.deposit_to_trading(traffic.users[1])
            for _ in range(4):
                traffic.block(0)
            await catch_up(mirror)
            before = len((await told(database_url)).credits)
            traffic.go_back(4)
            for _ in range(5):
                traffic.block(0)
            await catch_up(mirror)
            assert len((await told(database_url)).credits) == before - 1
    kinds = await query(database_url, "select kind, count(*) as n from engine_inbox where kind = 'uncredit' group by 1")
    assert kinds[0].n == 3
    await check_inbox(traffic, database_url, DEPTHS.credit)


async def test_same_block_back_again_is_credited_again(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        traffic.deposit_to_trading(traffic.users[1])
        traffic.block(0)
        traffic.blocks(4)
        await catch_up(mirror)
        state = traffic.node.rpc("anvil_dumpState")
        height = traffic.height
        credits = set((await told(database_url)).credits)
        traffic.go_back(5)
        for _ in range(2):
            traffic.block(0)
        await catch_up(mirror)
        assert len((await told(database_url)).credits) < len(credits)
        traffic.node.rpc("anvil_reset")
        traffic.node.rpc("anvil_loadState", state)
        assert traffic.height == height
        await catch_up(mirror)
    again = set((await told(database_url)).credits)
    assert {cause.rsplit(":", 1)[0] for cause in again} == {cause.rsplit(":", 1)[0] for cause in credits}
    assert again != credits  # the same logs, under names of their own
    assert await compare(traffic, database_url) == []


async def test_second_indexer_on_the_same_tables_does_no_harm(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as one, open_mirror() as other:
        for _ in range(6):
            traffic.blocks(3)
            done = await asyncio.gather(one.step(), other.step(), return_exceptions=True)
            assert all(isinstance(item, bool | PositionMoved) for item in done)
        for mirror in (one, other):
            await mirror.load()
            await catch_up(mirror)
    assert await compare(traffic, database_url) == []
    await check_inbox(traffic, database_url, DEPTHS.credit)


async def _branch(traffic: Traffic, mirror: Mirror, depth: int) -> None:
    """Mine, follow, leave `depth` blocks behind, mine another branch of about that length, follow."""
    traffic.blocks(depth + 2)
    await catch_up(mirror)
    traffic.go_back(depth)
    traffic.blocks(traffic.random.choice((1, depth, depth + 2)))
    await catch_up(mirror)


async def test_lost_effects_are_not_done_twice_nor_under_a_name_that_was_undone(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    """The inbox comes back from the journal after a loss of the database; what it says must be found again."""
    traffic.deposit_to_trading(traffic.users[1])
    traffic.block(0)
    async with open_mirror() as mirror:
        traffic.blocks(8)
        await catch_up(mirror)
        traffic.go_back(8)
        traffic.blocks(9)
        await catch_up(mirror)
    before = (await told(database_url)).credits
    tables = ", ".join(table.name for table in (*MIRROR, chain_effect))
    await query(database_url, f"truncate {tables}")
    async with open_mirror() as mirror:
        await catch_up(mirror)
        assert (await told(database_url)).credits == before
        traffic.go_back(9)
        traffic.blocks(9)
        await catch_up(mirror)
    await check_inbox(traffic, database_url, DEPTHS.credit)
