"""After a loss of the database the engine is told only what it does not know: nothing twice, and what a reorg changed.

What is lost here is what a rebuild cannot copy: the mirror and `chain_effect`. The inbox comes back from the journal.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange.database.tables import MIRROR, chain_effect
from exchange.domain.deployment import checksum
from exchange.sequencer.inbox import dedup_key, to_command
from tests.integration.indexer.conftest import DEPTHS, OpenMirror
from tests.integration.indexer.helpers import catch_up, check_balances, check_inbox, compare, query
from tests.utils.traffic import DELEGATES, Traffic

INBOX = "select id, kind, payload from engine_inbox order by id"
CREDITED = "select block_hash, log_index, credit_inbox_id from deposit order by block_number, log_index"


async def lose_database(url: str) -> None:
    """Empty what a rebuild cannot copy, and name the inbox's commands as the journal does."""
    for row in await query(url, INBOX):
        name = dedup_key(to_command(row.id, row.kind, row.payload))
        await query(url, f"update engine_inbox set dedup_key = '{name}', applied_seq = id where id = {row.id}")
    tables = ", ".join(table.name for table in (*MIRROR, chain_effect))
    await query(url, f"truncate {tables}")


async def told_since(url: str, before: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Commands beyond those that were there."""
    rows = await query(url, INBOX)
    assert rows[: len(before)] == before
    return [(row.kind, row.payload) for row in rows[len(before) :]]


def mine(traffic: Traffic, count: int = 1, seconds: int = 1) -> None:
    """Blocks without random actions, `seconds` apart."""
    for _ in range(count):
        traffic.node.rpc("evm_increaseTime", seconds)
        traffic.block(0)


async def test_new_index_tells_nothing_that_the_journal_has(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    user, usdc = traffic.users[1], traffic.deployment.token(0).address
    async with open_mirror() as mirror:
        traffic._send(user, "request_withdraw", usdc, 10, checksum(user.address))
        mine(traffic)
        await catch_up(mirror)
        traffic._send(user, "cancel_withdraw_request", usdc)
        mine(traffic)
        for _ in range(25):
            traffic.blocks(2)
            await catch_up(mirror)
    before, credited = await query(database_url, INBOX), await query(database_url, CREDITED)
    kinds = {row.kind for row in before}
    assert {"credit", "reserve_forced", "release_forced", "set_exiting", "obey_cancel", "obey_revocation"} <= kinds
    await lose_database(database_url)
    async with open_mirror() as mirror:
        await catch_up(mirror)
        assert await told_since(database_url, before) == []
        assert await query(database_url, CREDITED) == credited
        traffic.blocks(5)
        await catch_up(mirror)
        traffic.go_back(5)
        traffic.blocks(6)
        await catch_up(mirror)
    await check_inbox(traffic, database_url, DEPTHS.credit)
    assert await compare(traffic, database_url) == []


async def test_exit_that_ended_before_does_not_stop_the_account_again(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    user = traffic.users[1]
    async with open_mirror() as mirror:
        traffic._send(user, "request_exit")
        mine(traffic)
        await catch_up(mirror)
        traffic._send(user, "cancel_exit")
        mine(traffic)
        await catch_up(mirror)
        mine(traffic, DEPTHS.final + 1)
        await catch_up(mirror)
    before = await query(database_url, INBOX)
    assert [row.payload["exiting"] for row in before if row.kind == "set_exiting"] == [True, False]
    await lose_database(database_url)
    async with open_mirror() as mirror:
        await catch_up(mirror)
    assert await told_since(database_url, before) == []


async def test_freezes_that_stand_are_remembered_and_those_that_fell_out_end(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    stays, falls = traffic.users[1:3]
    async with open_mirror() as mirror:
        traffic._send(stays, "freeze_account")
        mine(traffic, 3)
        traffic._send(falls, "freeze_account")
        mine(traffic)
        await catch_up(mirror)
    before = await query(database_url, INBOX)
    await lose_database(database_url)
    traffic.go_back(1)
    mine(traffic, 2)
    async with open_mirror() as mirror:
        await catch_up(mirror)
    since = await told_since(database_url, before)
    assert since == [("set_frozen", {"account": "0x" + falls.address.hex(), "frozen": False})]


@pytest.mark.parametrize("depth", [3, 18])
async def test_reorg_while_the_database_is_lost_is_undone(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror, depth: int
) -> None:
    leaver, requester, owner = traffic.users[1:4]
    async with open_mirror() as mirror:
        traffic.blocks(20)
        await catch_up(mirror)
        for user in traffic.users:
            traffic.deposit_to_trading(user)
        traffic._send(leaver, "request_exit")
        traffic._send(requester, "request_withdraw", traffic.deployment.token(0).address, 10, checksum(owner.address))
        traffic._send(owner, "revoke_delegate", checksum(DELEGATES[0]))
        mine(traffic)
        mine(traffic, depth - 1)
        await catch_up(mirror)
    before = await query(database_url, INBOX)
    assert {"set_exiting", "reserve_forced", "obey_revocation"} <= {row.kind for row in before}
    await lose_database(database_url)
    traffic.go_back(depth)
    traffic.blocks(depth + 1)
    async with open_mirror() as mirror:
        await catch_up(mirror)
    since = await told_since(database_url, before)
    assert sum(kind == "uncredit" for kind, _ in since) >= len(traffic.users)
    assert {kind for kind, _ in since} >= {"release_forced"}
    assert ("set_exiting", {"account": "0x" + leaver.address.hex(), "exiting": False}) in since
    await check_inbox(traffic, database_url, DEPTHS.credit)
    await check_balances(traffic, database_url)
    assert await compare(traffic, database_url) == []


async def test_what_happens_while_the_database_is_lost_is_told(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    user = traffic.users[2]
    async with open_mirror() as mirror:
        traffic.blocks(10)
        await catch_up(mirror)
    await lose_database(database_url)
    before = await query(database_url, INBOX)
    traffic.deposit_to_trading(user)
    traffic._send(user, "cancel", checksum(user.address), 77, b"")
    mine(traffic, DEPTHS.credit)
    async with open_mirror() as mirror:
        await catch_up(mirror)
    since = await told_since(database_url, before)
    account = "0x" + user.address.hex()
    assert ("obey_cancel", {"account": account, "nonce": 77, "min_nonce": 0}) in since
    assert [kind for kind, payload in since if payload.get("account") == account].count("credit") == 1
    await check_inbox(traffic, database_url, DEPTHS.credit)
    assert json.dumps(since).count(account) == 2
