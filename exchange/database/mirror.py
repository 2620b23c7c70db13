"""The mirror of the chain: where it stands, how a chunk of blocks enters it and how blocks leave it.

Every function takes part in the caller's transaction. Rows go in by COPY. Derived rows are text lines
without their newline. Raw logs are COPY's binary format written in hexadecimal: the node gives hexadecimal,
so a row is put together from its pieces without reading any of them, and becomes bytes in one call.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import DERIVED, block, chain_balance, cursor, log

COPY_BYTES = 1 << 18
NULL = "\\N"
NEW = "new"
"""Status of an index that has not reached the node's head yet: nobody was told anything of it."""
LIVE = "live"
CATCHING_UP = "catching_up"

COLUMNS: Mapping[str, tuple[str, ...]] = {table.name: tuple(table.c.keys()) for table in (block, log, *DERIVED)}
"""Columns of each table in the order of its rows."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far an index is. `hash` is 0x hex; deposits are credited up to `confirmed_number`."""

    number: int
    hash: str
    confirmed_number: int
    finalized_number: int
    status: str = NEW


Deltas = Mapping[tuple[str, int], int]
"""Changes of balances by account (hex without 0x) and token id, in ledger units."""


async def position(conn: AsyncConnection, chain_id: int, name: str, *, lock: bool = False) -> Position | None:
    """Where the index stands, None before its first block; `lock` keeps others from moving it."""
    query = select(cursor).where(cursor.c.chain_id == chain_id, cursor.c.name == name)
    row = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        return None
    return Position(row.number, "0x" + row.hash.hex(), row.confirmed_number, row.finalized_number, row.status)


async def move(conn: AsyncConnection, chain_id: int, name: str, to: Position) -> None:
    """Move the index to `to`."""
    values = {
        "number": to.number,
        "hash": bytes.fromhex(to.hash[2:]),
        "confirmed_number": to.confirmed_number,
        "finalized_number": to.finalized_number,
        "status": to.status,
    }
    query = insert(cursor).values(chain_id=chain_id, name=name, **values)
    await conn.execute(query.on_conflict_do_update(index_elements=["chain_id", "name"], set_=values))


async def copy(conn: AsyncConnection, table: str, rows: Sequence[str]) -> None:
    """Append rows in COPY's text format, columns as in `COLUMNS`."""
    if rows:
        driver = await _driver(conn)
        await driver.copy_to_table(table, source=_pieces(rows), columns=COLUMNS[table], format="text")


async def copy_logs(conn: AsyncConnection, rows: Sequence[str]) -> None:
    """Append raw logs, each as `log_row` put it together."""
    if rows:
        driver = await _driver(conn)
        await driver.copy_to_table("log", source=_binary(rows), columns=COLUMNS["log"], format="binary")


def log_prefix(chain_id: int, block_hash: str) -> str:
    """What all rows of a block's logs begin with. All texts here and below are digits without 0x."""
    return f"0008{word(8)}{chain_id:016x}{word(32)}{block_hash}{word(4)}"


def transaction_part(tx_index: int, tx_hash: str, address: str) -> str:
    """What rows of one contract's logs in one transaction share after the log index."""
    return f"{word(4)}{word(tx_index)}{word(32)}{tx_hash}{word(20)}{address}"


def log_row(prefix: str, log_index: int, transaction: str, topics: str, data: str) -> str:
    """A row of `log` from its parts."""
    return f"{prefix}{word(log_index)}{transaction}{word(len(topics) >> 1)}{topics}{word(len(data) >> 1)}{data}"


@lru_cache(1 << 14)
def word(number: int) -> str:
    """Four bytes in hexadecimal; log indexes and lengths are few, and formatting is slow."""
    return f"{number:08x}"


async def _binary(rows: Sequence[str]) -> AsyncIterator[bytes]:
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    step = max(1, 2 * COPY_BYTES // len(rows[0]))
    for start in range(0, len(rows), step):
        yield bytes.fromhex("".join(rows[start : start + step]))
    yield b"\xff\xff"


async def _pieces(rows: Sequence[str]) -> AsyncIterator[bytes]:
    step = max(1, COPY_BYTES // (len(rows[0]) + 1))
    for start in range(0, len(rows), step):
        yield ("\n".join(rows[start : start + step]) + "\n").encode("ascii")


_ADD = """
insert into chain_balance (chain_id, account, token_id, trading, funding)
select $1, decode(account, 'hex'), token_id, trading, funding
from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) as delta (account, token_id, trading, funding)
order by account, token_id
on conflict (chain_id, account, token_id) do update
set trading = chain_balance.trading + excluded.trading, funding = chain_balance.funding + excluded.funding
"""


async def add_balances(conn: AsyncConnection, chain_id: int, trading: Deltas, funding: Deltas, sign: int = 1) -> None:
    """Add (`sign` 1) or take back (-1) changes of balances."""
    keys = sorted(trading.keys() | funding.keys())
    if not keys:
        return
    driver = await _driver(conn)
    await driver.execute(
        _ADD,
        chain_id,
        [account for account, _ in keys],
        [token_id for _, token_id in keys],
        [sign * trading.get(key, 0) for key in keys],
        [sign * funding.get(key, 0) for key in keys],
    )
    empty = (chain_balance.c.trading == 0) & (chain_balance.c.funding == 0)
    await conn.execute(delete(chain_balance).where(chain_balance.c.chain_id == chain_id, empty))


async def stored_hashes(conn: AsyncConnection, chain_id: int, up_to: int, limit: int) -> list[tuple[int, str]]:
    """Heights and hashes (0x hex) of the last `limit` indexed blocks up to height `up_to`, highest first."""
    query = (
        select(block.c.number, block.c.hash)
        .where(block.c.chain_id == chain_id, block.c.number <= up_to)
        .order_by(block.c.number.desc())
        .limit(limit)
    )
    return [(row.number, "0x" + row.hash.hex()) for row in await conn.execute(query)]


async def timestamp(conn: AsyncConnection, chain_id: int, up_to: int) -> int:
    """Time of the last indexed block up to height `up_to`, in seconds since 1970; 0 when there is none."""
    query = (
        select(block.c.timestamp)
        .where(block.c.chain_id == chain_id, block.c.number <= up_to)
        .order_by(block.c.number.desc())
        .limit(1)
    )
    return int(await conn.scalar(query) or 0)


async def logs_above(conn: AsyncConnection, chain_id: int, number: int) -> Sequence[Any]:
    """Raw logs in the blocks above height `number`, in order, with their `number`."""
    query = (
        select(log, block.c.number)
        .join(block, block.c.hash == log.c.block_hash)
        .where(block.c.chain_id == chain_id, block.c.number > number)
        .order_by(block.c.number, log.c.log_index)
    )
    return (await conn.execute(query)).all()


async def delete_above(conn: AsyncConnection, chain_id: int, number: int) -> int:
    """Delete the blocks above height `number` with all their rows but balances; returns how many blocks."""
    gone = select(block.c.hash).where(block.c.chain_id == chain_id, block.c.number > number)
    hashes = list(await conn.scalars(gone))
    for table in (*DERIVED, log):
        await conn.execute(
            text(f"delete from {table.name} where block_hash = any(:hashes)"),
            {"hashes": hashes},
        )
    await conn.execute(delete(block).where(block.c.chain_id == chain_id, block.c.number > number))
    return len(hashes)


async def listed_markets(conn: AsyncConnection, chain_id: int) -> dict[int, tuple[int, int, int]]:
    """Base token, quote token and lot size of each market the contract has listed."""
    query = text(
        "select market_id, base_token_id, quote_token_id, lot_size from market_listed where chain_id = :chain_id"
    )
    rows: Iterable[Any] = await conn.execute(query, {"chain_id": chain_id})
    return {row.market_id: (row.base_token_id, row.quote_token_id, row.lot_size) for row in rows}


async def _driver(conn: AsyncConnection) -> Any:
    """The asyncpg connection below, for COPY and arrays; SQLAlchemy's transaction must have begun."""
    if not conn.in_transaction():
        await conn.begin()
    await conn.execute(text("select 1"))
    raw = await conn.get_raw_connection()
    return raw.driver_connection
