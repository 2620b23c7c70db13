"""Fixtures of the keeper's tests: connections to a migrated database, and a world on it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.anvil import Anvil
from exchange.database.engine import create_engine
from tests.integration.keeper.world import World, build_world


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections to a fresh database with all tables."""
    made = create_engine(database_url)
    yield made
    await made.dispose()


@pytest.fixture
async def world(
    make_anvil: Callable[..., Anvil], engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[World]:
    """A chain with the contract, which mines at once until a keeper runs, and a database that knows its markets."""
    made = await build_world(make_anvil(), engine, database_url, tmp_path)
    yield made
    await made.rpc.close()
