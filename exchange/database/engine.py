"""Connections: one SQLAlchemy engine per process, made in its `main` and passed down."""

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine as _create

MIGRATIONS = Path(__file__).parent / "migrations"


def create_engine(url: str, pool_size: int = 10, schema: str | None = None) -> AsyncEngine:
    """An engine for `url` (`postgresql+asyncpg://...`).

    Connections are checked before use, so a restarted server costs no error. `schema`, if given, is
    where unqualified table names are looked up.
    """
    server_settings = {"application_name": "bizzan"} | ({"search_path": schema} if schema else {})
    return _create(
        url,
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={"timeout": 10, "server_settings": server_settings},
    )


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`. Blocks; several processes may call it at once."""
    from alembic import command  # here: only the process that migrates need load it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, revision)


async def migrate_async(url: str) -> None:
    """`migrate()` for callers inside a running event loop; one at a time in a process."""
    await asyncio.to_thread(migrate, url)
