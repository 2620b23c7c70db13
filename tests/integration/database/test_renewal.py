"""A database made anew keeps what nothing else remembers, and a renewal that stops midway loses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import engine_inbox, operator_log, renewal
from exchange.database.engine import create_engine, migrate_async
from exchange.database.tables import asset, job, session

ROW = {"token_hash": b"\x01" * 32, "address": b"\x02" * 20, "expires_at": 7}
JOB = {"chain_id": 1, "sender": b"\x03" * 20, "duty": "settle", "state": "queued", "payload": {}}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with a sign-in, a job and an asset."""
    engine = create_engine(database_url, pool_size=1)
    async with engine.begin() as conn:
        await conn.execute(insert(session).values(ROW))
        await conn.execute(insert(job).values(JOB | {"key": "first"}))
        await conn.execute(insert(asset).values(asset_id=0, symbol="USDC", decimals=6))
    yield engine
    await engine.dispose()


async def renew(database: AsyncEngine, url: str) -> None:
    """All but the last step."""
    async with database.begin() as conn:
        await renewal.put_aside(conn)
    await migrate_async(url)
    async with database.begin() as conn:
        await renewal.copy_kept(conn)


@pytest.mark.parametrize("killed", [0, 1, 2])
async def test_kept_tables_are_copied_and_others_empty_however_often_it_was_killed(
    database: AsyncEngine, database_url: str, killed: int
) -> None:
    for _ in range(killed):
        await renew(database, database_url)
    await renew(database, database_url)
    async with database.begin() as conn:
        await renewal.drop_old(conn)
    async with database.begin() as conn:
        assert (await conn.execute(select(session.c.token_hash))).scalars().all() == [ROW["token_hash"]]
        assert (await conn.execute(select(asset))).all() == []
        await conn.execute(insert(job).values(JOB | {"key": "second"}))
        assert (await conn.execute(select(job.c.job_id, job.c.key).order_by(job.c.job_id))).all() == [
            (1, "first"),
            (2, "second"),
        ]


async def test_outcomes_that_the_old_inbox_knows_are_logged_before_it_goes(
    database: AsyncEngine, database_url: str
) -> None:
    async def halt() -> tuple[operator_log.Entry, str, dict[str, object]]:
        return operator_log.Entry(b"", "halt_market", "BTC-USDC", ""), "set_market_status", {"market": 1}

    async with database.begin() as conn:
        _, number = await operator_log.ask(conn, halt)
        await engine_inbox.mark_applied(conn, number, 7)
        await operator_log.ask(conn, halt)
    await renew(database, database_url)
    async with database.begin() as conn:
        await operator_log.close_all(conn)
        entries = await operator_log.page(conn, None, 10)
        assert [entry.outcome for entry in entries] == ["unknown", "applied", "asked", "asked"]
        assert await operator_log.breaks(conn) == []


async def test_a_database_that_is_too_old_for_the_log_is_renewed(database: AsyncEngine, database_url: str) -> None:
    async with database.begin() as conn:
        await conn.execute(text("drop table operator_log"))
    await renew(database, database_url)
    async with database.begin() as conn:
        assert await operator_log.head(conn) == (0, operator_log.GENESIS)


async def test_given_up_renewal_leaves_the_old_tables(database: AsyncEngine, database_url: str) -> None:
    await renew(database, database_url)
    async with database.begin() as conn:
        await renewal.bring_back(conn)
    async with database.begin() as conn:
        assert (await conn.execute(select(asset.c.symbol))).scalars().all() == ["USDC"]
    await renew(database, database_url)


async def test_other_clients_are_counted(database: AsyncEngine, database_url: str) -> None:
    other = create_engine(database_url, pool_size=1)
    async with database.connect() as conn:
        assert await renewal.other_connections(conn) == 0
    try:
        async with other.connect(), database.connect() as conn:
            assert await renewal.other_connections(conn) == 1
    finally:
        await other.dispose()
