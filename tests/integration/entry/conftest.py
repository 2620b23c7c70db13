"""An engine with order entry in front of it."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.integration.entry.entry_process import EntryProcess, know_accounts
from tests.integration.sequencer.engine_process import EngineProcess, engine_process


@pytest.fixture
def stack(database_url: str) -> Iterator[tuple[EngineProcess, EntryProcess]]:
    asyncio.run(know_accounts(database_url))
    with engine_process() as engine:
        entry = EntryProcess(engine, database_url)
        entry.start()
        yield engine, entry
        entry.kill()
