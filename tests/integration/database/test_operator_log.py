"""The operators' log and the engine's inbox, which are written together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bizzan import operator
from exchange.database import announcements, chain_events, engine_inbox, operator_log
from exchange.database.engine import create_engine
from exchange.database.operator_log import Entry
from exchange.database.tables import chain_status
from tests.integration.backend.test_withdrawals import log_row
from tests.integration.database.test_schema import _config

CHAIN, MARKET = 31_337, 1
HALT: Mapping[str, object] = {"market": MARKET, "status": "halted"}
OPEN: Mapping[str, object] = {"market": MARKET, "status": "open"}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url, pool_size=4)
    yield engine
    await engine.dispose()


async def ask(conn: AsyncConnection, values: Mapping[str, object], reason: str = "a test") -> tuple[Entry, int]:
    """A command about the market."""

    async def make() -> tuple[Entry, str, Mapping[str, object]]:
        return Entry(b"\1" * 20, "set", "BTC-USDC", reason), "set_market_status", values

    return await operator_log.ask(conn, make)


async def cut(conn: AsyncConnection, entries: int) -> None:
    """Take the last entries out, as who owns the database can."""
    last, _ = await operator_log.head(conn)
    await conn.execute(text("set session_replication_role = replica"))  # no triggers
    await conn.execute(text("delete from operator_log where entry_id > :last"), {"last": last - entries})
    await conn.execute(text("set session_replication_role = origin"))


async def test_what_is_asked_while_the_chain_halts_is_judged_after_the_halt(database: AsyncEngine) -> None:
    async def opened() -> str:
        async with database.begin() as conn:

            async def make() -> tuple[Entry, str, Mapping[str, object]]:
                if await chain_events.halting(conn, CHAIN, MARKET) is not None:
                    raise PermissionError
                return Entry(b"", "open_market", "BTC-USDC", ""), "set_market_status", OPEN

            try:
                await operator_log.ask(conn, make)
            except PermissionError:
                return "refused"
            return "posted"

    params = {"market_id": str(MARKET), "halted": True}
    async with database.begin() as conn:  # as the indexer does: what the chain says, and the halt, together
        await conn.execute(insert(chain_status).values(log_row(1, kind="market_status_changed", params=params)))
        await engine_inbox.post(conn, "set_market_status", HALT, "halted")
        opening = asyncio.create_task(opened())
        await until_somebody_waits(database)
    assert await opening == "refused"


async def until_somebody_waits(database: AsyncEngine) -> None:
    """Until another transaction waits for an advisory lock."""
    query = text(
        "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    async with asyncio.timeout(60):
        while True:
            async with database.connect() as conn:
                if await conn.scalar(query):
                    return
            await asyncio.sleep(0.01)


async def test_a_command_after_a_cut_is_another_and_the_cut_still_shows(database: AsyncEngine) -> None:
    async with database.begin() as conn:
        first, number = await ask(conn, HALT)
        await engine_inbox.mark_applied(conn, number, 7)
        await operator_log.close(conn, first.entry_id, "applied", {"seq": 7})
        assert await operator_log.breaks(conn) == []
        await cut(conn, 2)
        again, other = await ask(conn, HALT)
        assert again.entry_id == first.entry_id
        assert other == number + 1
        assert await engine_inbox.outcome(conn, other) == (None, None)
        await operator_log.close_all(conn)
        assert (await operator_log.head(conn))[0] == again.entry_id  # the old outcome is not taken for the new one's
        assert await operator_log.breaks(conn) == [
            f"command {operator_log.key_of(first)} of the engine's inbox has no entry"
        ]


@pytest.mark.parametrize("key", ["operator:hand", "operator:console:2"])
async def test_every_command_of_an_operator_has_an_entry(database: AsyncEngine, key: str) -> None:
    async with database.begin() as conn:
        await ask(conn, HALT)
        await engine_inbox.post(conn, "set_market_status", OPEN, "halted:1:0:undo")
        assert await operator_log.breaks(conn) == []
        await engine_inbox.post(conn, "set_market_status", OPEN, key)
        assert await operator_log.breaks(conn) == [f"command {key} of the engine's inbox has no entry"]


async def test_what_was_asked_comes_with_its_command_and_its_outcome(database: AsyncEngine) -> None:
    async with database.begin() as conn:
        halted, first = await ask(conn, HALT)
        waits, second = await ask(conn, OPEN)
        lost, _ = await ask(conn, HALT)
        await engine_inbox.mark_refused(conn, first, {"code": "x"})
        await operator_log.close(conn, halted.entry_id, "refused", {"code": "x"})
        await conn.execute(text("delete from engine_inbox where id = 3"))
        one, two, three = await operator_log.asked(conn)
        keys = await operator_log.command_keys(conn, ["set_market_status"])
    assert one.outcome is not None
    assert (one.entry, one.outcome.outcome, one.inbox_id) == (halted, "refused", first)
    assert (one.payload, one.refusal) == (dict(HALT), {"code": "x"})
    assert (two.entry, two.outcome, two.inbox_id, two.kind) == (waits, None, second, "set_market_status")
    assert (three.entry, three.outcome, three.inbox_id, three.payload) == (lost, None, None, {})
    assert keys == {first: operator_log.key_of(halted), second: operator_log.key_of(waits)}


async def test_announcements_are_what_entries_posted_and_withdrew(database: AsyncEngine) -> None:
    said: dict[str, Any] = {"severity": "info", "texts": {"en": "all is well"}, "from_ms": 1, "until_ms": 9}

    async def logged(conn: AsyncConnection, action: str, number: int, details: Mapping[str, Any]) -> None:
        await operator_log.append(conn, Entry(b"\1" * 20, action, str(number), "a test", details, "done"))

    async with database.begin() as conn:
        for _ in range(3):
            number = await announcements.post(conn, **said)
            await logged(conn, "post_announcement", number, said)
        await announcements.withdraw(conn, 1, 2)
        await logged(conn, "withdraw_announcement", 1, {})
        assert await operator_log.breaks(conn) == []
        await announcements.post(conn, **said)
        await announcements.withdraw(conn, 2, 2)
        await conn.execute(
            text("update announcement set severity = 'critical', withdrawn_at = null where 1 = announcement_id")
        )
        await conn.execute(text("delete from announcement where announcement_id = 3"))
        assert await operator_log.breaks(conn) == [
            "announcement 1 is not what entry 1 of the operators' log posted",
            "announcement 1 is logged as withdrawn, and its row says otherwise",
            "announcement 2 is logged not as withdrawn, and its row says otherwise",
            "announcement 4 has no entry in the operators' log",
            "announcement 3 of entry 3 of the operators' log is missing",
        ]


async def test_outcomes_are_closed_without_reading_the_log_again(database: AsyncEngine) -> None:
    async with database.begin() as conn:
        _, first = await ask(conn, HALT)
        waits, second = await ask(conn, OPEN)
        _, third = await ask(conn, HALT)
        await engine_inbox.mark_applied(conn, first, 7)
        await engine_inbox.mark_refused(conn, third, {"code": "x"})
        assert await operator_log.close_all(conn) == waits.entry_id - 1
        assert [entry.outcome for entry in await operator_log.page(conn, None, 2)] == ["refused", "applied"]
        await engine_inbox.mark_applied(conn, second, 8)
        decided = await operator_log.close_all(conn, waits.entry_id - 1)
        assert await operator_log.close_all(conn, decided) == decided + 1  # the outcome that was added
        assert len(await operator_log.page(conn, None, 10)) == 6
        await cut(conn, 6)
        again, number = await ask(conn, OPEN)
        await engine_inbox.mark_applied(conn, number, 9)
        assert await operator_log.close_all(conn, decided + 1) == again.entry_id
        assert (await operator_log.head(conn))[0] == 2


async def test_no_entry_is_given_the_command_of_another(database: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_log, "entry_hash", lambda _: bytes(32))
    async with database.begin() as conn:
        await ask(conn, HALT)
        await cut(conn, 1)
        with pytest.raises(operator_log.ReusedKey):
            await ask(conn, OPEN)


def test_a_log_with_entries_is_not_dropped_by_going_back(database_url: str) -> None:
    async def write() -> None:
        engine = create_engine(database_url, pool_size=1)
        async with engine.begin() as conn:
            await ask(conn, HALT)
        await engine.dispose()

    asyncio.run(write())
    with pytest.raises(RuntimeError, match="nothing else remembers it"):
        command.downgrade(_config(database_url), "0016")
    asyncio.run(check_unbroken(database_url))


async def check_unbroken(database_url: str) -> None:
    engine = create_engine(database_url, pool_size=1)
    async with engine.begin() as conn:
        assert (await operator_log.head(conn))[0] == 1
        assert await operator_log.breaks(conn) == []
    await engine.dispose()


async def test_commands_of_the_machine_are_logged(database: AsyncEngine, database_url: str, tmp_path: Path) -> None:
    account, reach = "0x" + "11" * 20, operator.Reach(database_url, tmp_path / "engine.sock")

    def change(kind: str, values: Mapping[str, object], seconds: float) -> int:
        return operator.change_account(reach, account, kind, values, seconds, "an account under inquiry")

    stopping = asyncio.create_task(asyncio.to_thread(change, "set_trading_stop", {"stopped": True}, 60))
    await obey(database, 12)
    assert await stopping == 12
    async with await asyncio.start_unix_server(lambda _, writer: writer.close(), reach.engine):
        with pytest.raises(operator.OperatorError, match="not applied within 0 s"):
            await asyncio.to_thread(change, "set_account_tier", {"tier": 1}, 0)
    async with database.connect() as conn:
        waiting, applied, asked = await operator_log.page(conn, None, 10)
        assert await operator_log.breaks(conn) == []
    assert (asked.operator, asked.action, asked.subject, asked.outcome) == (b"", "stop_account", account, "asked")
    assert (applied.follows, applied.outcome, applied.details) == (asked.entry_id, "applied", {"seq": 12})
    assert (waiting.action, waiting.details) == ("set_account_tier", {"tier": 1})
    assert (waiting.reason, asked.reason, applied.reason) == (
        "an account under inquiry",
        "an account under inquiry",
        "",
    )


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("set_trading_stop", {"stopped": False}),
        ("set_account_tier", {"tier": 1, "effective_at": 0}),
        ("set_market_status", {"market": 1, "status": "open"}),
        ("set_market_status", {"market": 1, "status": "delisted"}),
        ("start_auction", {"market": 1, "ends_at": 0}),
    ],
)
async def test_nothing_but_halts_and_stops_waits_for_an_engine_that_is_away(
    database: AsyncEngine, database_url: str, tmp_path: Path, kind: str, values: dict[str, object]
) -> None:
    engine = tmp_path / "engine.sock"
    engine.touch()
    with pytest.raises(operator.OperatorError, match="the engine is away, and would obey whenever it is back"):
        await asyncio.to_thread(
            operator.change_account, operator.Reach(database_url, engine), "0x" + "11" * 20, kind, values, 0
        )
    async with database.connect() as conn:
        assert (await operator_log.head(conn))[0] == await engine_inbox.last_id(conn) == 0


async def obey(database: AsyncEngine, seq: int) -> None:
    """Apply the first command that comes."""
    async with asyncio.timeout(60):
        while True:
            async with database.begin() as conn:
                if found := await engine_inbox.pending(conn, 0):
                    return await engine_inbox.mark_applied(conn, found[0].id, seq)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("kind", "values", "action", "details"),
    [
        ("set_market_status", {"market": 1, "status": "delisted"}, "delist_market", {}),
        ("start_auction", {"market": 1, "ends_at": 5}, "start_auction", {"ends_at": 5}),
        ("set_market_bounds", {"market": 1, "max_quantity": 2**62}, "bound_market", {"max_quantity": str(2**62)}),
        ("set_market_bounds", {"market": 1, "band_bps": None}, "bound_market", {}),
        ("set_market_bounds", {"market": 1, "band_bps": 500}, "bound_market", {"band_bps": "500"}),
        (
            "set_account_limits",
            {"account": b"\1" * 20, "max_open_orders": 5, "asset": 0, "max_open_notional": 2**62},
            "limit_account",
            {"max_open_orders": "5", "asset": 0, "max_open_notional": str(2**62)},
        ),
        ("announce_fees", {"tiers": [(1, 2)], "floor": 3}, "announce_fees", {"tiers": [[1, 2]], "floor": "3"}),
        ("set_trading_stop", {"account": b"\1" * 20, "stopped": True}, "stop_account", {}),
        ("set_trading_stop", {"account": b"\1" * 20, "stopped": False}, "resume_account", {}),
    ],
)
def test_the_log_calls_a_command_of_the_machine_as_the_console_does(
    kind: str, values: dict[str, Any], action: str, details: dict[str, Any]
) -> None:
    entry = operator.entry_of("BTC/USDC", kind, values)
    assert (entry.action, entry.subject, entry.details) == (action, "BTC-USDC", details)
