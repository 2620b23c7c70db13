"""What an operator does to a running exchange, and to a stopped one: markets, and the database made anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from bizzan.client.api import BizzanClient
from bizzan.client.errors import ApiError
from bizzan.supervisor.local import build_postgres
from exchange.database.engine import create_engine
from exchange.domain.order import Side
from exchange.journal.record import SEGMENT_HEADER_SIZE, list_segments
from exchange.settings import load_settings
from tests.integration.audit.world import MARKET, PRICE, QUANTITY, World
from tests.utils.local_stack import open_folder
from tests.utils.program import Program
from tests.utils.waiting import wait_for

FAST = {"BIZZAN_CHAIN__CREDIT_CONFIRMATIONS": "1", "BIZZAN_CHAIN__FINAL_CONFIRMATIONS": "3"}
LASTING = {
    "balance": "account_id, asset_id, available, held, reserved, unsettled, deficit, seq",
    "orders": "order_id, status, filled, remaining, close_reason, created_at, closed_at",
    "trade": "trade_id, seq, price, quantity, maker_fee, taker_fee, batch, at_ms",
    "batch": "batch, from_seq, to_seq, new_head, status",
    "candle": "market_id, interval, start_ms, open, high, low, close, base_volume, trades",
    "engine_inbox": "id, kind, payload::text, applied_seq",
    "deposit": "block_hash, log_index, amount, credit_inbox_id",
    "chain_balance": "account, token_id, trading, funding",
}
KEPT = {
    "job": "job_id, key, nonce",
    "attempt": "tx_hash, job_id, nonce, raw",
    "session": "token_hash, address",
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An exchange with a final trade."""
    with open_folder() as folder:
        program = Program(folder)
        program.succeed("up", "--detach", "--no-demo", **FAST)
        world = World.of(program)

        async def prepare() -> None:
            await world.open_accounts()
            await world.trade()
            await world.wait_final()

        asyncio.run(prepare())
        yield world
        program.succeed("down")
        program.succeed("reset", "--yes")


@dataclass(frozen=True)
class Before:
    """What there was when the exchange stopped: rows before and after the damage, and what it said of itself."""

    lasting: dict[str, list[Any]]
    kept: dict[str, list[Any]]
    damaged: dict[str, list[Any]]
    status: dict[str, Any]


@pytest.fixture(scope="module")
def before(world: World) -> Before:
    """Damage the database, and stop the exchange."""
    asyncio.run(world.wait_final())
    lasting, kept, status = contents(world, LASTING), contents(world, KEPT), world.program.status()
    asyncio.run(world.execute("update balance set available = available + 1"))
    asyncio.run(world.execute("delete from trade"))
    damaged = contents(world, LASTING)
    world.program.succeed("down")
    return Before(lasting, kept, damaged, status)


@contextmanager
def database_alone(world: World) -> Iterator[None]:
    """The database of the stopped exchange."""
    local = {"database_port": world.program.database_port}
    server = build_postgres(load_settings(paths={"state_dir": world.program.state_dir}, local=local))
    assert server is not None
    server.start()
    try:
        server.wait_ready()
        yield
    finally:
        server.stop()


def set_aside(world: World, *statements: str) -> None:
    """Change the database of the stopped exchange."""
    with database_alone(world):
        for statement in statements:
            asyncio.run(world.execute(statement))


def sell(world: World, market: str = MARKET) -> str:
    """Place an order and cancel it: the code of the refusal, or nothing."""

    async def place() -> str:
        async with BizzanClient(world.program.api_url, world.seller) as client:
            try:
                await client.place(market, Side.sell, PRICE, QUANTITY)
            except ApiError as error:
                return error.code
            await client.cancel_all()
            return ""

    return asyncio.run(place())


async def rows(world: World, table: str, columns: str) -> list[Any]:
    """Columns of a table, in some fixed order; of the inbox, what the engine did not refuse."""
    engine = create_engine(world.sources.database_url, pool_size=1)
    try:
        async with engine.connect() as conn:
            applied = "where applied_seq is not null" if table == "engine_inbox" else ""
            found = (await conn.execute(text(f"select {columns} from {table} {applied}"))).all()
            return sorted(found, key=repr)
    finally:
        await engine.dispose()


def contents(world: World, tables: Mapping[str, str]) -> dict[str, list[Any]]:
    """Of each table these columns."""
    return {table: asyncio.run(rows(world, table, columns)) for table, columns in tables.items()}


def test_halted_market_refuses_orders_until_it_is_opened(world: World) -> None:
    assert sell(world) == ""
    halted = world.program.succeed("market", "halt", "btc-usdc", "--reason", "the price feed is wrong")
    assert "BTC/USDC is halted from journal sequence" in halted
    assert sell(world) == "market_halted"
    assert "BTC/USDC is open" in world.program.succeed("market", "open", "1")
    assert sell(world) == ""
    logged = asyncio.run(rows(world, "operator_log", "action, reason, outcome"))
    assert ("halt_market", "the price feed is wrong", "asked") in logged
    assert ("open_market", "", "asked") in logged


def test_market_gathers_orders_in_an_auction_until_it_is_opened(world: World) -> None:
    told = world.program.succeed("market", "auction", "btc-usdc")
    assert "BTC/USDC gathers orders until it is opened from journal sequence" in " ".join(told.split())
    assert sell(world) == ""
    assert "BTC/USDC is open" in world.program.succeed("market", "open", "btc-usdc")


@pytest.mark.parametrize(
    ("kind", "params", "why"),
    [
        ("market_status_changed", {"market_id": "1", "halted": True}, "its owner halted the market"),
        ("token_status_changed", {"token_id": "0", "deposits_open": False}, "one of its tokens takes no deposits"),
        ("frozen", {}, "the contract is frozen for ever"),
    ],
)
def test_a_market_that_the_contract_halts_is_not_opened(
    world: World, kind: str, params: dict[str, object], why: str
) -> None:
    """The chain's word is written into its mirror as if it were old, so that the indexer says nothing about it."""
    chain_id, empty = world.sources.deployment.chain_id, "'\\x00'"
    columns = "chain_id, block_hash, log_index, block_number, tx_hash, kind, params"
    values = f"{chain_id}, {empty}, 0, 1, {empty}, '{kind}', '{json.dumps(params)}'"
    asyncio.run(world.execute(f"insert into chain_status ({columns}) values ({values})"))
    try:
        told = world.program.refusal("market", "open", "BTC/USDC")
    finally:
        asyncio.run(world.execute(f"delete from chain_status where block_hash = {empty}"))
    assert f"BTC/USDC is halted on chain: {why} (block 1)" in " ".join(told.split())
    assert "BTC/USDC is open" in world.program.succeed("market", "open", "1")


def test_fees_are_those_of_the_orders_to_come(world: World) -> None:
    spoken = world.program.succeed("fees", "announce", "BTC/USDC", "--tier", "1:4.5", "--tier", "0.25:3")
    assert "BTC/USDC: 1:4.5 0.25:3 bps, floor 0, at once" in spoken

    fill = asyncio.run(world.trade())

    assert int(fill.fee) == int(fill.quote) * 450 // 1_000_000


def test_a_tier_has_its_own_fees(world: World) -> None:
    spoken = world.program.succeed("fees", "tier", world.buyer.text_address, "1")
    assert f"{world.buyer.text_address} has tier 1 at once" in spoken

    fill = asyncio.run(world.trade())

    assert int(fill.fee) == int(fill.quote) * 300 // 1_000_000
    assert "account must be 0x and 40 hexadecimal digits" in world.program.refusal("fees", "tier", "0x77", "1")
    assert world.buyer.text_address in world.program.succeed("fees", "tiers")
    refusal = world.program.refusal("fees", "tier", world.buyer.text_address, "0")
    assert "the engine refuses (fee_notice_too_short)" in refusal


def test_fees_are_shown_beside_what_batches_cost(world: World) -> None:
    asyncio.run(world.wait_final())
    shown = world.program.succeed("fees", "show")
    assert "cap 100 bps, notice 7200 s" in shown
    assert "0.25" in shown
    batches = world.program.succeed("fees", "batches")
    assert "final" in batches
    assert "USDC" in batches
    floor = world.program.succeed("fees", "floor", "BTC/USDC", "--coin-price", "2500", "--gas-price", "1000000000")
    assert "a trade costs 30000000000000 wei to settle: a floor of 0.075 USDC (75000 ledger units) pays for it" in floor
    assert "pays for it" in world.program.succeed("fees", "floor", "BTC/USDC", "--coin-price", "2500")
    status = world.program.status()
    assert int(status["fees_collected"]["USDC"]) > 0
    assert int(status["settlement_gas_wei"]) > 0


def test_what_the_engine_refuses_is_told(world: World) -> None:
    assert "there is no market DOGE/USDC: choose one of BTC/USDC, ETH/USDC" in world.program.refusal(
        "market", "halt", "DOGE/USDC"
    )
    refusal = world.program.refusal("fees", "announce", "ETH/BTC", "--tier", "2:101")
    assert "the engine refuses (fee_cap_out_of_range): a rate must be 0 to 10000 parts per million" in refusal
    refusal = world.program.refusal("fees", "announce", "ETH/BTC", "--tier", "2:6", "--after", "60")
    assert "the engine refuses (fee_notice_too_short): somebody would pay more before" in refusal


def test_limits_of_an_account_are_said_as_they_hold(world: World) -> None:
    account = world.buyer.text_address
    told = world.program.succeed("account", "limit", account, "--max-open-orders", "50", "--asset", "1")
    assert f"{account} may have 50 open orders, any number of ledger units of asset 1 in them, from journal" in told
    told = world.program.succeed("account", "limit", account, "--lift")
    assert "may have as many open orders as the exchange lets all have, any number of ledger units of asset 0" in told


def test_delisted_market_stays_so(world: World) -> None:
    world.program.succeed("market", "delist", "ETH/BTC", "--yes")

    assert sell(world, "ETH-BTC") == "market_halted"
    assert "delisted for ever" in world.program.refusal("market", "open", "ETH/BTC")


def test_rebuild_is_refused_while_the_stack_runs(world: World) -> None:
    assert "is already running" in world.program.refusal("rebuild")


def test_rebuild_from_a_corrupt_journal_leaves_the_database_as_it_was(world: World, before: Before) -> None:
    segment = list_segments(world.sources.journal_dir)[0]
    whole = segment.read_bytes()
    segment.write_bytes(whole[: SEGMENT_HEADER_SIZE + 30] + b"?" + whole[SEGMENT_HEADER_SIZE + 31 :])

    refusal = world.program.refusal("rebuild")
    segment.write_bytes(whole)

    assert "nothing was changed, because the journal cannot be replayed" in refusal
    assert str(segment) in refusal
    with database_alone(world):
        assert contents(world, LASTING) == before.damaged


def test_emptied_database_is_refused_with_the_command_that_mends_it(world: World, before: Before) -> None:
    set_aside(world, "alter schema public rename to aside", "create schema public")

    refusal = world.program.refusal("up", "--detach", "--no-demo", **FAST)

    set_aside(world, "drop schema public cascade", "alter schema aside rename to public")
    assert "the database is empty, and the journal in" in refusal
    assert "run 'bizzan rebuild'" in " ".join(refusal.split())


def test_rebuilt_database_is_the_old_one_without_its_damage(world: World, before: Before) -> None:
    status = before.status
    assert f"up to journal sequence {status['engine_seq']}" in world.program.succeed("rebuild")
    world.program.succeed("up", "--detach", "--no-demo", **FAST)

    wait_for(lambda: world.program.status()["indexed_block"] or 0, "the mirror", 120)
    wait_for(lambda: world.program.status()["indexed_block"] > status["indexed_block"], "the chain read again", 120)
    assert contents(world, LASTING) == before.lasting
    assert all(set(before.kept[table]) <= set(there) for table, there in contents(world, KEPT).items())
    assert world.program.status()["engine_seq"] == status["engine_seq"]
    report = json.loads(world.program.succeed("audit", "--json").splitlines()[-1])
    assert report["clean"], report["findings"]


def test_fees_and_status_are_still_in_force_after_a_restart(world: World) -> None:
    assert sell(world, "ETH-BTC") == "market_halted"

    fill = asyncio.run(world.trade())

    assert int(fill.fee) == int(fill.quote) * 300 // 1_000_000
