"""Runs migrations, one process at a time: the advisory lock makes the others wait and then find nothing to do."""

import asyncio
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from exchange.database.tables import metadata
from exchange.database.tables.columns import Uint

MIGRATION_LOCK = 0x62697A7A


def _render_item(kind: str, item: Any, _: object) -> str | Literal[False]:
    """A migration names the database's types only, so that it never changes with the code."""
    return f"sa.Numeric({item.digits}, 0)" if kind == "type" and isinstance(item, Uint) else False


def _migrate(connection: Connection) -> None:
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=_render_item,
    )
    context.run_migrations()


async def _run() -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


asyncio.run(_run())
