"""The check: index the chain again into a schema of its own, and compare.

Used by the audit and by the tests of reorgs and kills. The live position is locked while the tables are
compared, so a running indexer waits for a moment; it may be stopped as well.

    CheckError   the comparison could not be made; the message says why
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.chain.rpc import Rpc
from exchange.database import mirror
from exchange.database.engine import create_engine
from exchange.database.mirror import Position
from exchange.database.tables import MIRROR, cursor, metadata
from indexer.follower import FollowerError
from indexer.mirror import NAME, Contract, Depths, Mirror

TRIES = 20
PAUSE_SECONDS = 0.5
NOT_COMPARED = frozenset({"credit_inbox_id"})
"""Columns that say what was done with a row, not what the chain says."""


class CheckError(Exception):
    """The comparison could not be made."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is in one of the two only: `missing` from the live table, or `extra` in it."""

    table: str
    kind: str
    row: str


async def compare_with_fresh_index(
    rpc: Rpc, database_url: str, contract: Contract, *, limit: int = 20
) -> list[Difference]:
    """Rows in which the live mirror differs from a fresh one at the same block, `limit` per table at most.

    Raises CheckError when the chain has no mirror yet, or the node and the mirror never agree on a block.
    """
    live = create_engine(database_url, pool_size=1)
    try:
        async with _scratch(live, database_url) as (schema, engine):
            depths = Depths(credit=1, final=1, retained=1)
            fresh = Mirror(rpc, engine, contract, depths)
            return await _compare(live, fresh, contract, schema, limit)
    finally:
        await live.dispose()


async def _compare(live: AsyncEngine, fresh: Mirror, contract: Contract, schema: str, limit: int) -> list[Difference]:
    trouble = ""
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(PAUSE_SECONDS)
        async with live.connect() as conn:
            before = await mirror.position(conn, contract.chain_id, NAME)
        if before is None:
            raise CheckError(f"chain {contract.chain_id} has no mirror in this database")
        trouble = await _advance(fresh, before) or f"mirror at block {before.number}, node at {fresh.head}"
        async with live.begin() as conn:
            position = await mirror.position(conn, contract.chain_id, NAME, lock=True)
            if position is not None and await _meet(fresh, position):
                return await differences(conn, schema, contract.chain_id, limit)
    raise CheckError(
        f"the node and the mirror do not agree on a block; check again once the indexer is well ({trouble})"
    )


async def _advance(fresh: Mirror, to: Position) -> str | None:
    """Bring the fresh mirror towards a block; what hindered it, if anything did: the next attempt looks again."""
    try:
        await fresh.step(to.number)
    except FollowerError as error:
        return str(error)
    return None


async def _meet(fresh: Mirror, position: Position) -> bool:
    """Bring the fresh mirror to exactly the live one's block; False if that cannot be done now."""
    await _advance(fresh, position)
    at = fresh.position
    return at is not None and (at.number, at.hash) == (position.number, position.hash)


async def differences(conn: AsyncConnection, schema: str, chain_id: int, limit: int) -> list[Difference]:
    """Rows in which the live tables and those in `schema` differ."""
    found: list[Difference] = []
    for table in MIRROR:
        if table is not cursor:
            found += await _rows(conn, table, "missing", f"{schema}.{table.name}", table.name, chain_id, limit)
            found += await _rows(conn, table, "extra", table.name, f"{schema}.{table.name}", chain_id, limit)
    return found


async def _rows(
    conn: AsyncConnection, table: Table, kind: str, one: str, other: str, chain_id: int, limit: int
) -> Sequence[Difference]:
    columns = ", ".join(column.name for column in table.c if column.name not in NOT_COMPARED)
    query = text(
        f"select row_to_json(d)::text from ("
        f"select {columns} from {one} where chain_id = :chain_id except all "
        f"select {columns} from {other} where chain_id = :chain_id limit :limit) d"
    )
    rows = await conn.scalars(query, {"chain_id": chain_id, "limit": limit})
    return [Difference(table.name, kind, row) for row in rows]


@asynccontextmanager
async def _scratch(live: AsyncEngine, database_url: str) -> AsyncIterator[tuple[str, AsyncEngine]]:
    """A schema with empty tables of the mirror, dropped afterwards."""
    schema = f"check_{secrets.token_hex(6)}"
    engine = create_engine(database_url, pool_size=1, schema=schema)
    try:
        async with live.begin() as conn:
            await conn.execute(text(f"create schema {schema}"))
        async with engine.begin() as conn:
            await conn.run_sync(lambda sync: metadata.create_all(sync, tables=list(MIRROR)))
        yield schema, engine
    finally:
        await engine.dispose()
        async with live.begin() as conn:
            await conn.execute(text(f"drop schema if exists {schema} cascade"))
