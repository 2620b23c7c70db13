"""Delegated keys: the engine refuses what the chain does not allow, and hears when a reorg changes its mind."""

from __future__ import annotations

from exchange.chain.signing import Key
from tests.integration.indexer.conftest import DEPTHS, OpenMirror
from tests.integration.indexer.helpers import catch_up, check_inbox, query, told
from tests.utils.traffic import DELEGATES, Traffic


def mine(traffic: Traffic, count: int = 1) -> None:
    """Blocks without random actions."""
    for _ in range(count):
        traffic.block(0)


async def posted(database_url: str) -> list[str]:
    """The commands about delegated keys, in order; each must change what the engine believes."""
    await told(database_url)
    kinds = "('obey_revocation', 'allow_delegate')"
    rows = await query(database_url, f"select kind from engine_inbox where kind in {kinds} order by id")
    return [row.kind for row in rows]


def owner(traffic: Traffic) -> Key:
    """The account that grants and revokes."""
    return traffic.users[1]


async def test_grant_needs_no_command_and_a_revocation_is_obeyed_at_the_first_block(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        traffic.grant(owner(traffic))
        mine(traffic)
        await catch_up(mirror)
        assert await posted(database_url) == []
        traffic.revoke(owner(traffic))
        mine(traffic)
        await catch_up(mirror)
    assert await posted(database_url) == ["obey_revocation"]
    assert (await told(database_url)).refused == {(owner(traffic).address, DELEGATES[0])}


async def test_revocation_of_a_key_that_was_never_granted_is_obeyed(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        traffic.revoke(owner(traffic))
        mine(traffic)
        await catch_up(mirror)
        traffic.grant(owner(traffic))  # the contract refuses it: revoked for ever
        mine(traffic)
        await catch_up(mirror)
    assert await posted(database_url) == ["obey_revocation"]
    assert (await told(database_url)).refused == {(owner(traffic).address, DELEGATES[0])}


async def test_revocation_that_a_reorg_removes_is_taken_back(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    traffic.grant(owner(traffic))
    mine(traffic)
    async with open_mirror() as mirror:
        for _ in range(2):
            traffic.revoke(owner(traffic))
            mine(traffic, 2)
            await catch_up(mirror)
            traffic.go_back(2)
            mine(traffic, 3)
            await catch_up(mirror)
            assert (await told(database_url)).refused == set()
            traffic.go_back(3)
    assert await posted(database_url) == ["obey_revocation", "allow_delegate"] * 2


async def test_key_whose_grant_a_reorg_removes_is_refused_until_it_is_granted_again(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    mine(traffic)
    async with open_mirror() as mirror:
        traffic.grant(owner(traffic))
        mine(traffic, 2)
        await catch_up(mirror)
        traffic.go_back(2)
        mine(traffic, 3)
        await catch_up(mirror)
        assert await posted(database_url) == ["obey_revocation"]
        traffic.grant(owner(traffic))
        mine(traffic)
        await catch_up(mirror)
        assert await posted(database_url) == ["obey_revocation", "allow_delegate"]
    await check_inbox(traffic, database_url, DEPTHS.credit)


async def test_same_revocation_back_again_is_obeyed_again(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    traffic.grant(owner(traffic))
    mine(traffic)
    async with open_mirror() as mirror:
        traffic.revoke(owner(traffic))
        mine(traffic, 2)
        await catch_up(mirror)
        state = traffic.node.rpc("anvil_dumpState")
        traffic.go_back(2)
        mine(traffic, 3)
        await catch_up(mirror)
        traffic.node.rpc("anvil_reset")
        traffic.node.rpc("anvil_loadState", state)
        await catch_up(mirror)
        mine(traffic, 2)
        await catch_up(mirror)
    assert await posted(database_url) == ["obey_revocation", "allow_delegate", "obey_revocation"]
