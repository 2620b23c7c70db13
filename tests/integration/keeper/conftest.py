"""Fixtures of the keeper's tests: connections to a migrated database."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database.engine import create_engine


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections to a fresh database with all tables."""
    made = create_engine(database_url)
    yield made
    await made.dispose()
