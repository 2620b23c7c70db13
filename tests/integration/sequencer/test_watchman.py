"""The surveillance process: cases are kept once, from whatever moment it is killed and starts again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import surveillance as rows
from exchange.database.engine import create_engine
from exchange.database.tables import delegate, deposit, surveillance_case
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.fast.engine import FastEngine
from exchange.journal.journal import Journal
from exchange.journal.reader import Reader
from exchange.journal.recovery import Recovered, recover
from exchange.sequencer.watchman import Watchman, facts_of, thresholds_of, watchman_of
from exchange.settings import SurveillanceSettings, load_settings
from exchange.surveillance.tape import Ended, Placed
from exchange.surveillance.thresholds import Thresholds
from tests.utils.engine import BTC, MAKER, OTHER, TAKER, USDC, EngineHarness

CHAIN_ID = 31_337
STEP_MS = 30_000
PRICE = 5_000_000


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A fresh database with all tables."""
    engine = create_engine(database_url, pool_size=1)
    yield engine
    await engine.dispose()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A day on which two accounts trade with one another three times, an hour apart, and a third does too."""
    x = EngineHarness()
    for account in (MAKER, OTHER, TAKER):
        for asset in (USDC, BTC):
            x.apply(c.Credit(next(x.inbox_ids), account, asset, 10**12, "log"))
    for _ in range(3):
        for _ in range(2):
            x.sell(MAKER, PRICE, 100)
            x.buy(TAKER, PRICE, 100)
            x.sell(MAKER, PRICE, 10)
            x.buy(OTHER, PRICE, 10)
            x.at_ms += 1_000
        x.at_ms += 3_600_000
    x.buy(OTHER, PRICE - 10, 1)
    with Journal.open(tmp_path) as journal:
        for _, at_ms, command in x.kept:
            journal.append([(at_ms, command)])
    return tmp_path


async def link(database: AsyncEngine, account: bytes, payer: bytes, log_index: int = 0) -> None:
    """The chain says that one paid for the other."""
    row: dict[str, Any] = {
        "chain_id": CHAIN_ID,
        "block_number": 1,
        "block_hash": b"\x01" * 32,
        "log_index": log_index,
        "tx_hash": b"\x02" * 32,
        "kind": "deposit",
        "account": account,
        "token_id": 1,
        "sender": payer,
        "amount": 5,
        "to_funding": False,
    }
    async with database.begin() as connection:
        await connection.execute(deposit.insert(), row)


async def watch(folder: Path, database: AsyncEngine, until: int | None = None) -> Watchman:
    """Read the journal as the process does, up to a sequence, and let a step pass in which nothing happens."""
    watchman = Watchman(folder, database, CHAIN_ID, Thresholds(), STEP_MS)
    await read_all(watchman, folder, until)
    return watchman


async def read_all(watchman: Watchman, folder: Path, until: int | None = None) -> Recovered:
    """Have a watchman read so; its replica."""
    replica = await watchman.start()
    at_ms = 0
    for record in Reader(folder).read(replica.seq + 1):
        if until is not None and record.seq > until:
            return replica
        await watchman.read(replica, record)
        at_ms = record.at_ms
    await watchman.look_before(at_ms + 2 * STEP_MS)
    return replica


async def kept(database: AsyncEngine) -> list[tuple[Any, ...]]:
    """All cases, without when they were found."""
    columns = [column for column in surveillance_case.c if column.name not in ("case_id", "found_at")]
    async with database.connect() as connection:
        found = await connection.execute(select(*columns).order_by(surveillance_case.c.case_id))
        return [tuple(row) for row in found]


async def test_wash_trades_are_kept_once_for_each_time(journal: Path, database: AsyncEngine) -> None:
    await link(database, TAKER, MAKER)
    await watch(journal, database)
    cases = await kept(database)
    assert [case[0] for case in cases] == ["wash_trades"] * 3
    assert {tuple(case[3]) for case in cases} == {tuple(sorted("0x" + each.hex() for each in (MAKER, TAKER)))}
    assert [case[8]["trades"] for case in cases] == [2, 2, 2]
    assert cases[0][5] < cases[1][4]


@pytest.mark.parametrize(("choice", "kind"), [("fast", FastEngine), ("reference", Engine)])
async def test_the_replica_is_the_one_of_the_settings_and_finds_the_same(
    journal: Path, database: AsyncEngine, monkeypatch: pytest.MonkeyPatch, choice: str, kind: type[Engine]
) -> None:
    await link(database, TAKER, MAKER)
    monkeypatch.setenv("BIZZAN_ENGINE__REPLICA", choice)
    monkeypatch.setenv("BIZZAN_PATHS__JOURNAL_DIR", str(journal))
    watchman = watchman_of(load_settings(), database, CHAIN_ID)
    replica = await read_all(watchman, journal)
    assert type(replica.engine) is kind
    assert getattr(replica.engine, "is_fast", False) is (choice == "fast")
    assert [(case[0], case[8]["trades"]) for case in await kept(database)] == [("wash_trades", 2)] * 3


async def test_a_payer_of_very_many_hides_no_other(database: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = b"\x00" * 19 + b"\x01"
    await link(database, TAKER, MAKER)
    for number in range(1, 23):
        await link(database, TAKER if number == 1 else number.to_bytes(20), bridge, number)
    monkeypatch.setattr(rows, "MOST_LINKS", 3)
    async with database.connect() as connection:
        assert await rows.links(connection, CHAIN_ID, {MAKER, TAKER}, 20) == [rows.Link("funder", TAKER, MAKER)]
        assert len(await rows.links(connection, CHAIN_ID, {MAKER, TAKER}, 22)) == 3


async def test_a_key_ties_accounts_as_a_payer_does(database: AsyncEngine) -> None:
    """Added twice is one link, and a revoked key is none of its own."""
    key, other = b"\x0d" * 20, b"\x0e" * 20
    for place, (account, kind) in enumerate(((MAKER, "added"), (MAKER, "added"), (TAKER, "added"), (other, "revoked"))):
        row = {"chain_id": CHAIN_ID, "block_number": 1, "block_hash": b"\x01" * 32, "log_index": place}
        row |= {"tx_hash": b"\x02" * 32, "kind": kind, "account": account, "delegate": key, "markets": 2}
        row |= {"expiry": 1, "effective_at": 0, "nonce": place}
        async with database.begin() as connection:
            await connection.execute(delegate.insert(), row)
    async with database.connect() as connection:
        found = await rows.links(connection, CHAIN_ID, {MAKER}, 20)
    assert found == [rows.Link("signer", account, key) for account in sorted((MAKER, TAKER))]


async def test_a_look_costs_by_what_it_finds_and_not_by_all_deposits(database: AsyncEngine) -> None:
    """Of a payer with ten thousand accounts a few are read, and of ten thousand others none."""
    everybody = """
    insert into deposit (chain_id, block_number, block_hash, log_index, tx_hash, kind, account, token_id, sender,
                         amount, to_funding)
    select :chain_id, 1, decode(repeat('ab', 32), 'hex'), n, decode(repeat('cd', 32), 'hex'), 'deposit',
           decode(lpad(to_hex(n), 40, '0'), 'hex'), 1,
           decode(case when n % 2 = 0 then repeat('ef', 20) else 'ff' || lpad(to_hex(n), 38, '0') end, 'hex'),
           5, false
    from generate_series(1, 20000) as n
    """
    accounts = [(2).to_bytes(20), (3).to_bytes(20)]
    asked = {"chain_id": CHAIN_ID, "accounts": accounts, "linked": 20, "most": 100}
    async with database.begin() as connection:
        await connection.execute(text(everybody), {"chain_id": CHAIN_ID})
        await connection.execute(text("analyze deposit"))
        found = await rows.links(connection, CHAIN_ID, accounts, 20)
        explain = text(f"explain (analyze, buffers, format json) {rows._LINKS}")
        (plan,) = (await connection.execute(explain, asked)).scalar_one()
    assert [(each.kind, each.account) for each in found] == [("funder", (3).to_bytes(20))]
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 400


async def test_without_the_link_they_are_no_case(journal: Path, database: AsyncEngine) -> None:
    await watch(journal, database)
    assert await kept(database) == []


async def test_a_kill_at_any_record_changes_nothing(journal: Path, database: AsyncEngine, database_url: str) -> None:
    await link(database, TAKER, MAKER)
    last = Reader(journal).durable().seq
    for until in range(1, last, 3):
        await watch(journal, database, until)
    await watch(journal, database)
    assert [case[0] for case in await kept(database)] == ["wash_trades"] * 3
    async with database.connect() as connection:
        position = await rows.position(connection)
    assert position.from_seq > 1


def test_an_amended_order_is_as_large_as_what_remains(tmp_path: Path) -> None:
    x = EngineHarness()
    for asset in (USDC, BTC):
        x.credit(MAKER, asset, 10**12)
        x.credit(TAKER, asset, 10**12)
    x.sell(MAKER, PRICE, 100)
    x.buy(TAKER, PRICE, 60)
    signed = x.engine.open_orders(MAKER)[0].placed.order
    less = replace(signed, quantity=70)
    x.apply(c.AmendOrder(less, b"\x09" * 32, 0, b"\x07" * 65, MAKER))
    with Journal.open(tmp_path) as journal:
        for _, at_ms, command in x.kept:
            journal.append([(at_ms, command)])
    replica = recover(tmp_path, 0)
    facts = [fact for record in Reader(tmp_path).read(1) for fact in facts_of(replica, record, replica.advance(record))]
    assert [fact.quantity for fact in facts if isinstance(fact, Placed)] == [100, 60, 10]
    assert [fact.reason for fact in facts if isinstance(fact, Ended)] == ["filled", "amended"]


def test_the_settings_are_the_thresholds() -> None:
    assert thresholds_of(SurveillanceSettings()) == Thresholds()
    assert thresholds_of(SurveillanceSettings(self_trades=3, window_seconds=60)) == Thresholds(
        self_trades=3, window_ms=60_000
    )
