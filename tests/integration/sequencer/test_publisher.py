"""The publisher: what is durable is published at once, told to the database, and the promise is watched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.chain.signing import Key
from exchange.database import publication as rows
from exchange.database.engine import create_engine
from exchange.database.tables import published_piece
from exchange.domain.eip712 import Domain, keccak
from exchange.journal.publication import PROMISE_SECONDS, PublicationError, publish, read_index
from exchange.sequencer.notary import Notary
from exchange.sequencer.publisher import Publisher
from tests.unit.exchange.journal.test_publication import _append

DOMAIN = Domain("Bizzan", 31_337, b"\xbb" * 20)
KEY = Key(keccak(b"receipts"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A fresh database with all tables."""
    engine = create_engine(database_url, pool_size=1)
    yield engine
    await engine.dispose()


@pytest.fixture
def publisher(tmp_path: Path, database: AsyncEngine) -> Publisher:
    """A publisher of a journal with thirty records."""
    journal = tmp_path / "journal"
    _append(journal, 0, 30)
    return Publisher(journal, tmp_path / "published", Notary(DOMAIN, KEY, journal), database)


async def read_published(database: AsyncEngine) -> rows.Published:
    """How far it is, as the API reads it."""
    async with database.connect() as connection:
        return await rows.published(connection)


async def test_pieces_are_told_and_the_lag_stays_small(
    publisher: Publisher, database: AsyncEngine, tmp_path: Path
) -> None:
    assert await read_published(database) == (0, 0)
    began = int(time.time() * 1_000)
    assert [piece.last_seq for piece in await publisher.once()] == [30]
    first = await read_published(database)
    assert first.seq == 30
    assert began <= first.current_at
    await asyncio.sleep(0.002)  # it counts milliseconds
    assert await publisher.once() == []
    assert (await read_published(database)).current_at > first.current_at
    _append(tmp_path / "journal", 30, 43)
    assert [piece.first_seq for piece in await publisher.once()] == [31]
    async with database.connect() as connection:
        page = await rows.page(connection, None, 10)
        assert [row.first_seq for row in await rows.page(connection, 31, 10)] == [1]
    index = read_index(tmp_path / "published")
    assert [(row.first_seq, row.last_seq, row.head.hex(), row.signature.hex()) for row in reversed(page)] == [
        (piece.first_seq, piece.last_seq, piece.head, piece.signature) for piece in index
    ]
    assert publisher.problem() is None
    assert publisher.lag() < 60


async def test_a_database_made_anew_is_told_everything_again(publisher: Publisher, database: AsyncEngine) -> None:
    await publisher.once()
    async with database.begin() as connection:
        await connection.execute(delete(published_piece))
    assert await publisher.once() == []
    assert (await read_published(database)).seq == 30


async def test_a_broken_promise_is_told(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The disk refuses; the publisher goes on, and says so once the time is over."""
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "raw").write_text("no folder")
    with pytest.raises(OSError, match="File exists"):
        await publisher.once()
    assert publisher.problem() is None
    later = time.time() + PROMISE_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert "600 are promised" in str(publisher.problem())
    (tmp_path / "published" / "raw").unlink()
    await publisher.once()
    assert publisher.problem() is None


async def test_two_publishers_do_not_write_one_index(publisher: Publisher, tmp_path: Path) -> None:
    other = publish(tmp_path / "journal", tmp_path / "published", DOMAIN, KEY.sign, 1)
    next(other)
    with pytest.raises(PublicationError, match="another process writes to"):
        await publisher.once()
    assert list(other) == []
    assert await publisher.once() == []


async def test_another_journal_ends_it(publisher: Publisher, tmp_path: Path) -> None:
    await publisher.once()
    for path in (tmp_path / "journal").iterdir():
        path.unlink()
    _append(tmp_path / "journal", 0, 20)
    with pytest.raises(PublicationError, match="restore the whole"):
        await publisher.run(0.01)
