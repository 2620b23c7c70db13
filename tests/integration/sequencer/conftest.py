"""One engine process per test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from exchange.sequencer.client import EngineClient
from tests.integration.sequencer.engine_process import EngineProcess, engine_process


@pytest.fixture
def engine() -> Iterator[EngineProcess]:
    """A running engine with an empty journal."""
    with engine_process() as process:
        yield process


@pytest.fixture
async def client(engine: EngineProcess) -> AsyncIterator[EngineClient]:
    """A client that is connected to it."""
    async with EngineClient(engine.socket) as connected:
        yield connected
