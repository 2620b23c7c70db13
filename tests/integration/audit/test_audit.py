"""The audit is clean on an honest exchange, and says where each kind of tampering is."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bizzan.audit.demands import OBEY_BLOCKS
from bizzan.audit.evidence import gather
from bizzan.audit.main import audit, report_of
from bizzan.cli.app import app
from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.wallet import Wallet
from exchange.chain.rpc import Rpc
from exchange.database import engine_inbox
from exchange.database.engine import create_engine
from exchange.journal.record import SEGMENT_HEADER_SIZE, list_segments
from exchange.settings import LOCAL_KEYS
from tests.integration.audit.world import World
from tests.utils.local_stack import open_folder
from tests.utils.program import Program
from tests.utils.storage import entry, slot_of
from tests.utils.waiting import wait_for

TOLD = {"ObeyCancel": 2, "ObeyRevocation": 2, "AllowDelegate": 1, "SetFrozen": 3, "ReserveForced": 3}
FAST = {"BIZZAN_CHAIN__CREDIT_CONFIRMATIONS": "1", "BIZZAN_CHAIN__FINAL_CONFIRMATIONS": "3"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An exchange with two final trades."""
    with open_folder() as folder:
        program = Program(folder)
        program.succeed("up", "--detach", "--no-demo", **FAST)
        world = World.of(program)

        async def prepare() -> None:
            await world.open_accounts()
            await world.trade()
            await world.trade()
            await world.wait_final()

        asyncio.run(prepare())
        yield world
        program.succeed("down")
        program.succeed("reset", "--yes")


def test_honest_exchange_is_clean_while_it_runs(world: World) -> None:
    report = json.loads(world.program.succeed("audit", "--json").splitlines()[-1])
    assert report["clean"], report["findings"]
    assert len(report["checks"]) == 10
    assert any("4 limits, 3 approvers" in check["compared"] for check in report["checks"])
    assert any("4 executions" in check["compared"] for check in report["checks"])


def test_orders_signed_in_bulk_settle_and_the_audit_is_clean(world: World) -> None:
    """Five that the account signed at once and five that its delegated key did, from the API to the chain."""

    async def trade() -> None:
        await world.trade_in_bulk()
        await world.wait_final()

    asyncio.run(trade())
    report = json.loads(world.program.succeed("audit", "--json").splitlines()[-1])
    assert report["clean"], report["findings"]
    assert any("15 executions" in check["compared"] for check in report["checks"])


def test_buying_for_an_amount_of_quote_settles_and_the_audit_is_clean(world: World) -> None:
    async def trade() -> None:
        await world.buy_for("80")
        await world.wait_final()

    asyncio.run(trade())
    report = json.loads(world.program.succeed("audit", "--json").splitlines()[-1])
    assert report["clean"], report["findings"]


@pytest.mark.parametrize("offset", [0, 4, 30, 60], ids=["length", "seq", "payload", "head"])
def test_flipped_byte_in_the_journal_is_named(world: World, tmp_path: Path, offset: int) -> None:
    copy = tmp_path / "journal"
    shutil.copytree(world.sources.journal_dir, copy)
    segment = list_segments(copy)[0]
    data = bytearray(segment.read_bytes())
    data[SEGMENT_HEADER_SIZE + offset] ^= 1
    segment.write_bytes(data)

    report = asyncio.run(audit(replace(world.sources, journal_dir=copy)))
    first = report.findings[0]
    assert first.where.startswith(f"{segment}, offset {SEGMENT_HEADER_SIZE}, sequence 1")
    assert "corrupt" in first.message


@pytest.mark.parametrize(
    ("change", "restore", "where"),
    [
        (
            "update balance set available = available + 1 where account_id = 1 and asset_id = 0",
            "update balance set available = available - 1 where account_id = 1 and asset_id = 0",
            "table balance, account 1 ",
        ),
        (
            "update trade set quote = quote + 1 where trade_id = 1",
            "update trade set quote = quote - 1 where trade_id = 1",
            "table trade, trade 1",
        ),
        (
            "update orders set filled = filled + 1 where order_id = (select min(order_id) from orders)",
            "update orders set filled = filled - 1 where order_id = (select min(order_id) from orders)",
            "table orders, order ",
        ),
        (
            "update batch set new_head = sha256(new_head) where batch = 1",
            "update batch set new_head = (select new_head from batch_settled where seq = 1) where batch = 1",
            "table batch, batch 1",
        ),
        (
            "update chain_balance set trading = trading + 1 where token_id = 2",
            "update chain_balance set trading = trading - 1 where token_id = 2",
            "table chain_balance",
        ),
        (
            "update deposit set amount = amount + 1",
            "update deposit set amount = amount - 1",
            "table deposit",
        ),
        (
            "update fee_schedule set floor = floor + 1 where market_id = 1",
            "update fee_schedule set floor = floor - 1 where market_id = 1",
            "table fee_schedule, seq ",
        ),
    ],
    ids=["balance", "trade", "order", "batch", "chain_balance", "deposit", "fee_schedule"],
)
def test_changed_row_is_named(world: World, change: str, restore: str, where: str) -> None:
    asyncio.run(world.execute(change))
    try:
        report = world.audit()
    finally:
        asyncio.run(world.execute(restore))
    assert report.findings
    assert {finding.check for finding in report.findings} == {"AUD-2 mirror"}
    assert report.findings[0].where.startswith(where)


def test_missing_trade_row_is_named(world: World) -> None:
    asyncio.run(world.execute("create table kept as select * from trade where trade_id = 2"))
    asyncio.run(world.execute("delete from trade where trade_id = 2"))
    try:
        report = world.audit()
    finally:
        asyncio.run(world.execute("insert into trade select * from kept"))
    assert [finding.where for finding in report.findings] == ["table trade, trade 2"]
    assert "is absent" in report.findings[0].message


def test_restored_exchange_is_clean_again(world: World) -> None:
    assert world.audit().findings == ()


async def until(world: World, owner: Wallet, status: str) -> None:
    """Wait until the exchange says this of an account."""
    async with BizzanClient(world.program.api_url, owner) as client:
        await client.login()
        for _ in range(600):
            if (await client.balances()).status == status:
                return
            await asyncio.sleep(0.2)
    raise AssertionError(f"the account is not {status}")


async def until_reserved(world: World, owner: Wallet, amount: int) -> None:
    """Wait until the exchange keeps so much BTC for the account's request on chain."""
    async with BizzanClient(world.program.api_url, owner) as client:
        await client.login()
        for _ in range(600):
            balance = (await client.balances()).balance("BTC")
            if balance is not None and balance.reserved == amount:
                return
            await asyncio.sleep(0.2)
    raise AssertionError(f"{amount} are not reserved")


async def stop_on_chain(world: World) -> int:
    """A new account freezes itself, cancels a nonce and leaves; the block by which that must be obeyed."""
    owner, there = Wallet.create(), world.sources.deployment
    async with CustodyClient(world.program.rpc_url, there.custody, Wallet.from_hex(LOCAL_KEYS["guardian"])) as rich:
        await rich.transact(owner.text_address, value=10**18)
    async with CustodyClient(world.program.rpc_url, there.custody, owner) as custody:
        await custody.freeze_account()
        await custody.cancel(5)
        last = await custody.request_exit()
    await until(world, owner, "exiting")
    async with Rpc(world.program.rpc_url) as rpc:
        await rpc.call("anvil_mine", hex(OBEY_BLOCKS + 1))
    return last.block_number + OBEY_BLOCKS


def test_stops_on_chain_are_found_obeyed_and_missed_if_they_were_not(world: World) -> None:
    due = asyncio.run(stop_on_chain(world))
    wait_for(lambda: world.program.status()["indexed_block"] >= due, "the blocks in the mirror", 120)
    evidence = asyncio.run(gather(world.sources))
    report = report_of(evidence)
    assert report.findings == ()
    assert [r.compared for r in report.results if r.check == "AUD-8 obedience"] == ["3 demands"]
    replay = evidence.replay
    assert replay is not None
    replay.obeyed.clear()
    replay.went_on_ms = 1 << 60
    found = report_of(evidence).findings
    assert [finding.check for finding in found] == ["AUD-8 obedience"] * 3
    assert [finding.where.split(" by ")[0] for finding in found] == ["freeze", "cancel of 5", "exit"]
    assert all("never told" in finding.message for finding in found)


async def demand_and_reorganise(world: World) -> None:
    """The seller asks for all that there is on chain; its last words are taken by a reorganisation, and said again."""
    owner, there = world.seller, world.sources.deployment
    revoked, key = Wallet.create().text_address, Wallet.create().text_address
    token = there.token_of_asset(2).address
    async with CustodyClient(world.program.rpc_url, there.custody, owner) as custody, Rpc(world.program.rpc_url) as rpc:
        await custody.cancel(5)
        await custody.cancel_all(1_000)
        await custody.add_delegate(revoked, await custody.chain_time() + 80_000)
        await custody.revoke_delegate(revoked)
        await custody.request_withdraw(token, 1_000)
        await until_reserved(world, owner, 1_000)  # one that is taken back in the same run of blocks is told to nobody
        await custody.cancel_withdraw_request(token)
        await rpc.call("anvil_mine", hex(5))
        first = await custody.add_delegate(key, await custody.chain_time() + 80_000)
        await custody.request_withdraw(token, 2_000)
        await custody.freeze_account()
        await until(world, owner, "frozen")
        await rpc.call("evm_setIntervalMining", 0)  # nothing comes between its height and the reorg
        height = await rpc.block_number()
        await rpc.call("anvil_reorg", height - first.block_number + 1, [], returns=Any)
        await rpc.call("evm_setIntervalMining", 1)
        await until(world, owner, "active")
        await custody.add_delegate(key, await custody.chain_time() + 80_000)
        await custody.request_withdraw(token, 2_000)
        await custody.freeze_account()
        await until(world, owner, "frozen")


def told_of_the_chain(world: World) -> Counter[str]:
    """How often the engine was told what in the chain's name."""
    replay = asyncio.run(gather(world.sources)).replay
    assert replay is not None
    commands = [each.command for each in replay.obeyed] + [each.command for each in replay.told]
    return Counter(type(command).__name__ for command in commands)


def test_demands_on_chain_and_a_reorganisation_are_clean(world: World) -> None:
    before = told_of_the_chain(world)
    asyncio.run(demand_and_reorganise(world))
    report = world.audit()
    assert report.findings == ()
    told = told_of_the_chain(world) - before
    assert {name: told[name] for name in TOLD} == TOLD


def test_changed_level_of_outflow_is_named(world: World) -> None:
    """As if the contract had counted otherwise than its logs say."""
    slot = entry(slot_of("outflow._words"), 0)
    custody = world.sources.deployment.custody

    async def flip() -> int:
        async with Rpc(world.program.rpc_url) as rpc:
            kept = int(await rpc.call("eth_getStorageAt", custody, hex(slot), "latest"), 16)
            await rpc.call("anvil_setStorageAt", custody, hex(slot), f"0x{kept ^ 1:064x}")
            await rpc.call("anvil_mine", "0x1")
            return await rpc.block_number()

    height = asyncio.run(flip())
    try:
        wait_for(lambda: world.program.status()["indexed_block"] >= height, "the block in the mirror", 120)
        report = world.audit()
    finally:
        height = asyncio.run(flip())
    assert [finding.check for finding in report.findings] == ["AUD-9 outflow"]
    assert report.findings[0].where == "outflow of token USDC"
    assert "limit is 500000000001, the logs say 500000000000" in report.findings[0].message
    wait_for(lambda: world.program.status()["indexed_block"] >= height, "the block in the mirror", 120)


def test_money_sent_to_a_deposit_address_is_swept_and_traded_though_the_keeper_is_killed(world: World) -> None:
    asyncio.run(world.fund_by_plain_transfers({"BTC": 10**7, "ETH": 2 * 10**8}))
    asyncio.run(world.trade())
    asyncio.run(world.wait_final())
    assert world.audit().findings == ()


def test_trade_that_a_batch_leaves_out_is_named(world: World) -> None:
    """Last in this file: what is settled on chain cannot be taken back."""
    settled = world.program.status()["batches_settled"]
    world.hold_keeper(True)

    async def cheat() -> str:
        await world.trade()
        left_out = await world.trade()
        return await world.settle_without(left_out.trade_id)

    try:
        tx_hash = asyncio.run(cheat())
        wait_for(lambda: world.program.status()["batches_settled"] > settled, "the batch in the mirror", 120)
        report = world.audit()
        findings = [finding for finding in report.findings if finding.check == "AUD-4 batches"]
        assert len(findings) == 2  # both sides of the trade
        assert all(tx_hash in finding.where and "is left out" in finding.message for finding in findings)
        refused = world.program.run("audit")
        assert refused.returncode == 1
        assert "is left out" in refused.stdout
    finally:
        world.hold_keeper(False)


FORGED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("obey_cancel", {"nonce": 11, "min_nonce": 0}, "no NonceCancelled of 11"),
    ("obey_cancel", {"nonce": 0, "min_nonce": (1 << 48) - 1}, "no NoncesCancelled of"),
    ("set_frozen", {"frozen": True}, "no AccountFrozen"),
    ("set_exiting", {"exiting": True}, "no ExitRequested"),
    ("reserve_forced", {"asset": 0, "amount": 10**15, "request": f"reserve:0x{'cd' * 32}:0:0"}, "no WithdrawalRequest"),
    ("allow_delegate", {"delegate": "0x" + "22" * 20}, "takes back what the journal never told"),
)


def test_demands_that_nobody_made_are_found_by_both_audits(world: World) -> None:
    """Whoever owns the database posts them as the indexer would."""
    account = "0x" + world.buyer.address.hex()

    async def forge() -> None:
        engine = create_engine(world.sources.database_url, pool_size=1)
        try:
            async with engine.begin() as conn:
                for number, (kind, payload, _) in enumerate(FORGED):
                    name = f"forged:0x{'11' * 32}:{number}"
                    await engine_inbox.post(conn, kind, {"account": account} | payload, name)
        finally:
            await engine.dispose()

    before = asyncio.run(gather(world.sources)).mirror.journal_seq
    asyncio.run(forge())
    wait_for(lambda: asyncio.run(gather(world.sources)).mirror.journal_seq >= before + len(FORGED), "the commands", 60)
    found = [finding for finding in world.audit().findings if finding.check == "AUD-8 obedience"]
    assert [text for (_, _, text), finding in zip(FORGED, found, strict=True) if text not in finding.message] == []
    deployment = world.program.state_dir / "deployments" / "31337.json"
    command = ["audit", "replay", str(world.sources.journal_dir), "--unsigned", "--deployment", str(deployment)]
    done = CliRunner().invoke(app, [*command, "--rpc", world.program.rpc_url])
    assert done.exit_code == 1
    said = " ".join(done.output.split())
    assert [text for _, _, text in FORGED if text not in said] == []
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
