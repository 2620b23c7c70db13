"""What the owner closes on chain takes no new orders in the engine: a market, or the markets of a closed token."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from exchange.chain.signing import Key
from exchange.database import engine_inbox
from exchange.database.engine import create_engine
from exchange.domain.eip712 import keccak
from exchange.settings import load_settings
from tests.integration.indexer.conftest import OpenMirror
from tests.integration.indexer.helpers import catch_up, compare, query
from tests.integration.indexer.test_freeze import statuses
from tests.utils.traffic import Traffic

USDC, ETHER, BTC = range(3)


class Owner:
    """Schedules calls, lets the timelock pass, and makes them."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.key = Key(load_settings().key("owner"))

    def does(self, *calls: tuple[Any, ...]) -> None:
        """In one block, all of them."""
        for function, *arguments in calls:
            data = self.traffic.custody.encode_abi(function, args=arguments)
            self.traffic._send(self.key, "schedule", keccak(bytes.fromhex(data[2:])))
        self.traffic.node.rpc("evm_mine")
        self.traffic.node.rpc("evm_increaseTime", self.traffic.deployment.windows.timelock + 1)
        self.traffic.node.rpc("evm_mine")
        for function, *arguments in calls:
            self.traffic._send(self.key, function, *arguments)
        self.traffic.block(0)


@pytest.fixture
def owner(traffic: Traffic) -> Owner:
    return Owner(traffic)


async def markets_with(database_url: str, token_id: int) -> set[int]:
    rows = await query(database_url, "select market_id, base_token_id, quote_token_id from market_listed")
    return {row.market_id for row in rows if token_id in (row.base_token_id, row.quote_token_id)}


async def test_markets_of_a_closed_token_are_halted_at_the_first_block_and_opened_with_it(
    traffic: Traffic, owner: Owner, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        owner.does(("set_token_status", BTC, False))
        await catch_up(mirror)
        closed = await markets_with(database_url, BTC)
        assert closed
        assert await statuses(database_url) == dict.fromkeys(closed, "halted")
        traffic.go_back(1)
        traffic.block(0)
        traffic.block(0)
        await catch_up(mirror)
        assert await statuses(database_url) == dict.fromkeys(closed, "open")
        traffic._send(owner.key, "set_token_status", BTC, False)
        traffic.block(0)
        await catch_up(mirror)
        assert await statuses(database_url) == dict.fromkeys(closed, "halted")
        owner.does(("set_token_status", BTC, True))
        await catch_up(mirror)
        assert await statuses(database_url) == dict.fromkeys(closed, "open")
    assert await compare(traffic, database_url) == []


async def test_market_stays_halted_until_nothing_halts_it(
    owner: Owner, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        owner.does(("set_token_status", BTC, False), ("set_token_status", USDC, False))
        await catch_up(mirror)
        both = await markets_with(database_url, BTC) & await markets_with(database_url, USDC)
        (market,) = both
        owner.does(("set_market_status", market, True), ("set_token_status", BTC, True))
        await catch_up(mirror)
        assert (await statuses(database_url))[market] == "halted"
        owner.does(("set_market_status", market, False))
        await catch_up(mirror)
        assert (await statuses(database_url))[market] == "halted", "the other token is closed still"
        owner.does(("set_token_status", USDC, True))
        await catch_up(mirror)
        assert set((await statuses(database_url)).values()) == {"open"}


async def say(database_url: str, market: int, status: str, key: str = "operator:") -> None:
    """An operator's own word about a market."""
    engine = create_engine(database_url, pool_size=1)
    async with engine.begin() as conn:
        payload = {"market": market, "status": status}
        await engine_inbox.post(conn, "set_market_status", payload, f"{key}{uuid.uuid4()}")
    await engine.dispose()


@pytest.mark.parametrize("first", [True, False], ids=["before the chain", "after the chain"])
async def test_market_that_an_operator_halts_too_waits_for_the_operator(
    owner: Owner, database_url: str, open_mirror: OpenMirror, first: bool
) -> None:
    async with open_mirror() as mirror:
        await catch_up(mirror)
        if first:
            await say(database_url, 1, "halted")
        owner.does(("set_market_status", 1, True), ("set_market_status", 2, True))
        await catch_up(mirror)
        if not first:
            await say(database_url, 1, "halted")
        owner.does(("set_market_status", 1, False), ("set_market_status", 2, False))
        await catch_up(mirror)
        assert await statuses(database_url) == {1: "halted", 2: "open"}
        await say(database_url, 1, "open")
        owner.does(("set_market_status", 1, True))
        await catch_up(mirror)
        assert (await statuses(database_url))[1] == "halted"
        owner.does(("set_market_status", 1, False))
        await catch_up(mirror)
        assert (await statuses(database_url))[1] == "open", "the operator's halt is over"


async def start_auction(database_url: str, market: int) -> None:
    """An operator starts an auction."""
    engine = create_engine(database_url, pool_size=1)
    async with engine.begin() as conn:
        payload = {"market": market, "ends_at": 0}
        await engine_inbox.post(conn, "start_auction", payload, f"operator:{uuid.uuid4()}")
    await engine.dispose()


async def test_an_auction_ends_an_operators_halt_and_not_a_later_one(
    owner: Owner, database_url: str, open_mirror: OpenMirror
) -> None:
    """A market that the chain halts in an auction opens, and trades; not one that the operator halts too."""
    async with open_mirror() as mirror:
        await catch_up(mirror)
        await say(database_url, 1, "halted")
        for market in (1, 2):
            await start_auction(database_url, market)
        await say(database_url, 2, "halted")
        owner.does(("set_market_status", 1, True), ("set_market_status", 2, True))
        await catch_up(mirror)
        assert await statuses(database_url) == {1: "halted", 2: "halted"}
        owner.does(("set_market_status", 1, False), ("set_market_status", 2, False))
        await catch_up(mirror)
        assert await statuses(database_url) == {1: "open", 2: "halted"}


async def test_of_two_halts_in_an_inbox_made_anew_one_was_the_operators(
    owner: Owner, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        await catch_up(mirror)
        await say(database_url, 1, "halted", "replayed:")
        owner.does(("set_market_status", 1, True), ("set_market_status", 2, True))
        await catch_up(mirror)
        renamed = "update engine_inbox set dedup_key = 'replayed:' || id where dedup_key like 'halted:%'"
        await query(database_url, renamed)
        owner.does(("set_market_status", 1, False), ("set_market_status", 2, False))
        await catch_up(mirror)
        assert await statuses(database_url) == {1: "halted", 2: "open"}


async def test_market_that_was_halted_before_the_engine_listed_it_is_halted_when_it_does(
    traffic: Traffic, owner: Owner, database_url: str, open_mirror: OpenMirror
) -> None:
    async with open_mirror() as mirror:
        owner.does(("set_market_status", 1, True))
        await catch_up(mirror)
        halts = "select id, dedup_key from engine_inbox where kind = 'set_market_status' order by id"
        await query(database_url, """update engine_inbox set refusal = '{"code": "unknown_market"}'""")
        traffic.block(0)
        await catch_up(mirror)
        assert [row.dedup_key for row in await query(database_url, halts)] == ["halted:1:0"], "nobody knows it yet"
        await list_market(database_url, 1)
        for _ in range(2):
            traffic.block(0)
            await catch_up(mirror)
        assert [row.dedup_key for row in await query(database_url, halts)] == ["halted:1:0", "halted:1:1"]
        owner.does(("set_market_status", 1, False))
        await catch_up(mirror)
        assert await statuses(database_url) == {1: "open"}


async def list_market(database_url: str, market_id: int) -> None:
    """The projector shows a market."""
    for asset_id, symbol in ((USDC, "USDC"), (BTC, "BTC")):
        await query(database_url, f"insert into asset (asset_id, symbol, decimals) values ({asset_id}, '{symbol}', 8)")
    names = (await query(database_url, _REQUIRED))[0].names
    given = {"market_id": market_id, "symbol": "'BTC/USDC'", "base_asset": BTC, "quote_asset": USDC}
    values = ", ".join(str(given.get(name, "'open'" if name == "status" else 0)) for name in names)
    await query(database_url, f"insert into market ({', '.join(names)}) values ({values})")


_REQUIRED = """
select array_agg(column_name::text) as names from information_schema.columns
where table_name = 'market' and is_nullable = 'NO' and column_default is null
"""
