"""One running exchange for all tests of the API; each test brings wallets of its own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from bizzan.supervisor.postgres import Postgres
from tests.utils.api_stack import ApiStack, api_stack


@pytest.fixture(scope="module")
def stack(postgres: Postgres, template_database: str, anvil: Anvil) -> Iterator[ApiStack]:
    """Engine, projector and API on a fresh database."""
    name = f"api_{next(_numbers)}"
    url = postgres.create_database(name, template=template_database)
    with (
        tempfile.TemporaryDirectory(prefix="bzn-", dir="/tmp") as folder,
        api_stack(Path(folder), url, anvil.url) as it,
    ):
        yield it
    postgres.drop_database(name)


@pytest.fixture
async def api(stack: ApiStack) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the API."""
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=30) as client:
        yield client
