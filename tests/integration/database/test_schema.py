"""The database as migrations make it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from exchange.database import engine_inbox
from exchange.database.engine import MIGRATIONS, create_engine, migrate, migrate_async
from exchange.database.tables import MIRROR, metadata, order_executed
from exchange.database.tables import engine_inbox as inbox_table
from exchange.database.tables.columns import Uint


def test_migrations_make_exactly_the_tables(empty_database_url: str) -> None:
    migrate(empty_database_url)
    migrate(empty_database_url)
    command.check(_config(empty_database_url))


def test_migrations_can_be_taken_back(empty_database_url: str) -> None:
    migrate(empty_database_url)
    command.downgrade(_config(empty_database_url), "base")
    migrate(empty_database_url)


def test_processes_that_migrate_at_once_do_not_collide(empty_database_url: str) -> None:
    code = "import sys; from exchange.database.engine import migrate; migrate(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", code, empty_database_url]) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    asyncio.run(migrate_async(empty_database_url))
    command.check(_config(empty_database_url))


def test_every_table_and_column_has_a_comment() -> None:
    for table in (*metadata.tables.values(), order_executed):
        assert table.comment, table.name
        for column in table.c:
            assert column.comment, f"{table.name}.{column.name}"


def test_readme_names_every_table() -> None:
    readme = (Path(MIGRATIONS).parent / "README.md").read_text()
    for table in (*metadata.tables.values(), order_executed):
        assert f"`{table.name}`" in readme


def test_every_row_of_the_mirror_carries_its_chain() -> None:
    assert all("chain_id" in table.c for table in MIRROR)


@pytest.mark.parametrize("value", [0, 1, 2**64 - 1])
async def test_nonces_of_64_bits_stay_integers(database_url: str, value: int) -> None:
    engine = create_engine(database_url)
    async with engine.begin() as conn:
        table = metadata.tables["account"]
        await conn.execute(table.insert().values(account_id=1, address=b"a", status="active", min_nonce=value))
        found = await conn.scalar(table.select().with_only_columns(table.c.min_nonce))
    await engine.dispose()
    assert isinstance(table.c.min_nonce.type, Uint)
    assert (found, type(found)) == (value, int)


async def test_inbox_gives_ids_in_the_order_of_commits(database_url: str) -> None:
    engine = create_engine(database_url, pool_size=8)

    async def post(number: int) -> None:
        async with engine.begin() as conn:
            await engine_inbox.post(conn, "finalize_batch", {"batch": number}, f"key {number}")
            await asyncio.sleep(0)

    await asyncio.gather(*(post(number) for number in range(40)))
    async with engine.connect() as conn:
        rows = await engine_inbox.pending(conn, 0)
    await engine.dispose()
    assert [row.id for row in rows] == list(range(1, 41))


async def test_inbox_takes_a_command_once(database_url: str) -> None:
    engine = create_engine(database_url)
    async with engine.begin() as conn:
        first = await engine_inbox.post(conn, "credit", {"account": b"\x01" * 20, "amount": 2**62}, "a")
        second = await engine_inbox.post(conn, "credit", {"account": b"\x02" * 20, "amount": 1}, "b")
        assert await engine_inbox.post(conn, "credit", {}, "a") == first
        assert second == first + 1
        rows = await engine_inbox.pending(conn, first - 1)
        assert rows[0].payload == {"account": "0x" + "01" * 20, "amount": 2**62}
        await engine_inbox.mark_applied(conn, first, 9)
        await engine_inbox.mark_refused(conn, second, {"code": "unknown_asset"})
        assert await engine_inbox.pending(conn, 0) == []
        refusal = inbox_table.c.refusal
        assert await conn.scalar(inbox_table.select().with_only_columns(refusal).where(inbox_table.c.id == second))
    await engine.dispose()


async def test_rolled_back_command_leaves_no_hole(database_url: str) -> None:
    engine = create_engine(database_url)
    async with engine.connect() as conn:
        await engine_inbox.post(conn, "tick", {}, "lost")
        await conn.rollback()
        assert await engine_inbox.post(conn, "tick", {}, "kept") == 1
        await conn.commit()
    await engine.dispose()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config
