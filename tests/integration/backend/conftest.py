"""One running exchange for all tests of the API; each test brings wallets of its own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.postgres import Postgres
from exchange.database.engine import create_engine
from tests.conftest import start_anvil
from tests.utils.api_stack import ApiStack, api_stack


@pytest.fixture(scope="session")
def stack(postgres: Postgres, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStack]:
    """Engine, projector and API on a fresh database and chain."""
    url = postgres.create_database("api", template=template_database)
    node = start_anvil(tmp_path_factory)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bzn-", dir="/tmp") as folder,
            api_stack(Path(folder), url, node.url) as running,
        ):
            yield running
    finally:
        node.kill()
    postgres.drop_database("api")


@pytest.fixture
async def api(stack: ApiStack) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the API."""
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=30) as client:
        yield client


@pytest.fixture
async def database_of_stack(stack: ApiStack) -> AsyncIterator[AsyncEngine]:
    """Connections to the database behind the API."""
    engine = create_engine(stack.database_url, pool_size=1)
    yield engine
    await engine.dispose()
