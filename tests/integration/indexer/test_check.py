"""The check names what is wrong with a mirror."""

from __future__ import annotations

import pytest

from exchange.chain.rpc import Rpc
from indexer.check import CheckError, compare_with_fresh_index
from indexer.main import contract_of
from tests.integration.indexer.conftest import OpenMirror
from tests.integration.indexer.helpers import catch_up, compare, query
from tests.utils.traffic import Traffic


@pytest.mark.parametrize(
    ("damage", "table", "kinds"),
    [
        ("update chain_balance set trading = trading + 1 where trading > 0 and token_id = 0", "chain_balance", 2),
        ("delete from deposit where not to_funding", "deposit", 1),
        ("update block set timestamp = timestamp + 1 where number = (select max(number) from block)", "block", 2),
        ("update log set data = data || '\\x00'::bytea where log_index = 0", "log", 2),
    ],
)
async def test_damage_is_found_and_named(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror, damage: str, table: str, kinds: int
) -> None:
    traffic.blocks(5)
    async with open_mirror() as mirror:
        await catch_up(mirror)
    await query(database_url, damage)
    found = await compare(traffic, database_url)
    assert {item.table for item in found} == {table}
    assert len({item.kind for item in found}) == kinds


async def test_mirror_that_does_not_exist_cannot_be_checked(traffic: Traffic, database_url: str) -> None:
    async with Rpc(traffic.node.url) as rpc:
        with pytest.raises(CheckError, match="has no mirror"):
            await compare_with_fresh_index(rpc, database_url, contract_of(traffic.deployment))


async def test_check_leaves_no_schema_behind(traffic: Traffic, database_url: str, open_mirror: OpenMirror) -> None:
    async with open_mirror() as mirror:
        await catch_up(mirror)
    assert await compare(traffic, database_url) == []
    assert await query(database_url, "select 1 from pg_namespace where nspname like 'check_%'") == []
