"""The archivist: it moves no further than the database stands, and a failure is told until it is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.ports import answers, free_port
from exchange.database.engine import create_engine
from exchange.domain.deployment import checksum
from exchange.journal.archive_index import Index
from exchange.journal.reader import Reader
from exchange.journal.record import list_segments
from exchange.journal.recovery import recover, take_snapshot
from exchange.sequencer.archivist import Archivist
from tests.integration.sequencer.engine_process import DEPLOYMENT, Service, short_folder
from tests.integration.sequencer.mirror import project_all
from tests.unit.exchange.journal.test_publication import _append
from tests.utils.waiting import wait_for

NOBODY = checksum(bytes(20))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A fresh database with all tables."""
    engine = create_engine(database_url, pool_size=2)
    yield engine
    await engine.dispose()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of several segments with a snapshot at its end."""
    folder = tmp_path / "journal"
    for first in range(0, 43, 8):
        _append(folder, first, min(first + 8, 43))
    take_snapshot(folder, recover(folder))
    return folder


def _value(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value(name)


async def test_nothing_moves_that_is_not_projected(journal: Path, tmp_path: Path, database: AsyncEngine) -> None:
    registry, folder = CollectorRegistry(), tmp_path / "archive"
    archivist = Archivist(journal, folder, None, database, registry)
    records, closed = list(Reader(journal).read()), list_segments(journal)[:-2]
    assert await archivist.once() == []
    assert _value(registry, "bizzan_archive_sequence") == 0
    await project_all(database, journal)
    moved = await archivist.once()
    assert [entry.first_seq for entry in moved] == [int(path.stem) for path in closed]
    assert _value(registry, "bizzan_archive_sequence") == moved[-1].last_seq
    assert _value(registry, "bizzan_archive_segments_total") == len(closed)
    assert _value(registry, "bizzan_archive_live_segments") == 2
    assert list(Reader(journal).read()) == records
    assert await Archivist(tmp_path / "none", folder, None, database, CollectorRegistry()).once() == []


async def test_a_failure_is_told_until_it_is_over(journal: Path, tmp_path: Path, database: AsyncEngine) -> None:
    registry, folder = CollectorRegistry(), tmp_path / "archive"
    await project_all(database, journal)
    folder.write_text("no folder")
    archivist = Archivist(journal, folder, None, database, registry)
    running = asyncio.create_task(archivist.run(0.01))
    try:
        async with asyncio.timeout(60):
            while not _value(registry, "bizzan_archive_failures_total"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert "the journal is not archived: [Errno 17] File exists" in str(archivist.problem)
            folder.unlink()
            while archivist.problem is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert len(Index(folder)) > 0
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("enabled", [True, False])
async def test_the_publisher_archives_without_a_bond_and_not_where_it_is_turned_off(
    enabled: bool, database: AsyncEngine, database_url: str
) -> None:
    """Nothing is published there, so nothing waits for that."""
    with short_folder() as state:
        folder, port = state / "journal", free_port()
        for first in range(0, 43, 8):
            _append(folder, first, min(first + 8, 43))
        take_snapshot(folder, recover(folder))
        await project_all(database, folder)
        bondless = replace(DEPLOYMENT, operator_bond=NOBODY, receipt_signer=NOBODY)
        (state / "deployment.json").write_text(json.dumps(bondless.to_json()))
        environment = {
            "DATABASE_URL": database_url,
            "BIZZAN_METRICS__PUBLISHER": str(port),
            "BIZZAN_ARCHIVE__ENABLED": str(enabled),
        }
        name = "exchange.sequencer.publisher"
        publisher = Service(state, "publisher", name, "nothing is published", environment)
        publisher.start()
        try:
            if enabled:
                wait_for(lambda: len(list_segments(folder)) == 2, "the segments to be archived")
                assert len(Index(state / "archive")) > 0
            wait_for(lambda: answers(port), "the metrics")
            async with httpx.AsyncClient(timeout=30) as client:
                assert (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
            await asyncio.sleep(0 if enabled else 2)
            assert (state / "archive").exists() == enabled
        finally:
            assert publisher.stop() == 0
