"""Writes of the projector: the rows of one run of journal records, in one transaction with its end.

Rows come as mappings of columns. New rows are copied in; every other statement carries all its rows as one array per
column, so its text and its plan stay the same whatever their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Table, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import (
    account,
    account_tier,
    asset,
    balance,
    batch,
    candle,
    engine_inbox,
    fee_schedule,
    forced_withdrawal,
    market,
    orders,
    projection,
    reversal,
    trade,
    withdrawal,
)

NAME = "journal"
PROJECTION_LOCK = 0x70726F6A

_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
_ADD_CANDLE = """
    high = greatest(candle.high, excluded.high), low = least(candle.low, excluded.low), close = excluded.close,
    base_volume = candle.base_volume + excluded.base_volume, quote_volume = candle.quote_volume + excluded.quote_volume,
    trades = candle.trades + excluded.trades"""

Row = Mapping[str, Any]


class Position(NamedTuple):
    """How far the journal is projected; (0, empty) when nothing is."""

    seq: int
    head: bytes


async def lock(conn: AsyncConnection) -> None:
    """Wait until no other projector writes; holds until the transaction ends."""
    await conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": PROJECTION_LOCK})


async def position(conn: AsyncConnection) -> Position:
    """The end of the last run that was written."""
    query = select(projection.c.seq, projection.c.head).where(projection.c.name == NAME)
    row = (await conn.execute(query)).one_or_none()
    return Position(row.seq, row.head) if row is not None else Position(0, b"")


async def move(conn: AsyncConnection, seq: int, head: bytes, at_ms: int) -> None:
    """Move the position to the end of the run that this transaction writes."""
    await upsert(conn, projection, [{"name": NAME, "seq": seq, "head": head, "at_ms": at_ms}])


async def put_instruments(conn: AsyncConnection, assets: Iterable[Row], markets: Iterable[Row]) -> None:
    """New assets and markets."""
    await upsert(conn, asset, list(assets))
    await upsert(conn, market, list(markets))


async def put_accounts(conn: AsyncConnection, opened: Iterable[Row], changed: Iterable[Row]) -> None:
    """New accounts, then changes of status."""
    await upsert(conn, account, list(opened))
    await update(conn, account, list(changed))


async def change_markets(conn: AsyncConnection, changed: Iterable[Row], bands: Iterable[Row]) -> None:
    """Changes of status and of bands."""
    await update(conn, market, list(changed))
    await update(conn, market, list(bands))


async def put_fees(conn: AsyncConnection, schedules: Sequence[Row], tiers: Sequence[Row]) -> None:
    """Announced fees and tiers; the markets and accounts must be written before."""
    await upsert(conn, fee_schedule, schedules)
    await upsert(conn, account_tier, tiers)


async def put_balances(conn: AsyncConnection, rows: Iterable[Row]) -> None:
    """Balances after the run."""
    await upsert(conn, balance, list(rows))


async def put_orders(
    conn: AsyncConnection,
    accepted: Iterable[Row],
    triggered: Iterable[Row],
    filled: Iterable[Row],
    closed: Iterable[Row],
) -> None:
    """New orders as they are after the run; triggers, fills and closes of older ones."""
    await insert(conn, orders, list(accepted))
    await update(conn, orders, list(triggered))
    await update(conn, orders, list(filled), added="filled")
    await update(conn, orders, list(closed))


async def put_trades(conn: AsyncConnection, matched: Sequence[Row], reversed_: Sequence[Row]) -> None:
    """New trades, then reversals of trades."""
    await insert(conn, trade, matched)
    await insert(conn, reversal, reversed_)
    causes = [{"trade_id": row["trade_id"], "reversed_cause": row["cause"]} for row in reversed_]
    await update(conn, trade, causes)


async def put_batches(conn: AsyncConnection, cut: Sequence[Row], final: Sequence[int]) -> None:
    """New batches with the trades they bind, then batches that became final. Trades must be written before."""
    await insert(conn, batch, cut)
    bind = "update trade set batch = :batch where seq > :from_seq and seq <= :to_seq and batch is null"
    for row in cut:
        await conn.execute(text(bind), {key: row[key] for key in ("batch", "from_seq", "to_seq")})
    await update(conn, batch, [{"batch": number, "status": "final"} for number in final])


async def put_withdrawals(conn: AsyncConnection, held: Iterable[Row], ended: Iterable[Row]) -> None:
    """New holds, then the ends of older ones."""
    await upsert(conn, withdrawal, list(held))
    await update(conn, withdrawal, list(ended))


async def put_forced(conn: AsyncConnection, reserved: Iterable[Row], released: Iterable[Row]) -> None:
    """Forced withdrawals and how far they are covered, then releases."""
    await upsert(conn, forced_withdrawal, list(reserved))
    await update(conn, forced_withdrawal, list(released))


async def add_candles(conn: AsyncConnection, rows: Sequence[Row]) -> None:
    """Add the run's trades to the candles they fall into."""
    await merge(conn, candle, rows, on_conflict=f"(market_id, interval, start_ms) do update set {_ADD_CANDLE}")


async def put_inbox(conn: AsyncConnection, rows: Sequence[Row]) -> None:
    """Record at which sequence inbox commands were applied; rows that an empty database lacks are put back."""
    await merge(conn, engine_inbox, rows, on_conflict="do nothing")
    applied = [{"id": row["id"], "applied_seq": row["applied_seq"]} for row in rows]
    await update(conn, engine_inbox, applied, also="refusal = null")


async def insert(conn: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Copy in rows that all have the columns of the first and are known to be new."""
    if not rows:
        return
    raw = await conn.get_raw_connection()
    driver: Any = raw.driver_connection
    records = [tuple(row.values()) for row in rows]
    await driver.copy_records_to_table(table.name, records=records, columns=list(rows[0]))


async def merge(conn: AsyncConnection, table: Table, rows: Sequence[Row], on_conflict: str) -> None:
    """Insert rows that all have the columns of the first; `on_conflict` says what happens to those that exist."""
    if not rows:
        return
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f"insert into {table.name} ({columns}) select * from {_source(table, names)} on conflict {on_conflict}"
    await _execute(conn, statement, names, rows)


async def upsert(conn: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or replace those with the same key; no two rows may share a key."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    change = ", ".join(f'"{name}" = excluded."{name}"' for name in rows[0] if name not in keys)
    await merge(conn, table, rows, on_conflict=f"({', '.join(keys)}) do update set {change}")


async def update(
    conn: AsyncConnection, table: Table, rows: Sequence[Row], also: str = "", added: str | None = None
) -> None:
    """Change the rows with these keys. `also` is one more assignment, with `target` and `source` in it; to the column
    `added` the value is added.
    """
    if not rows:
        return
    names = list(rows[0])
    keys = [column.name for column in table.primary_key]
    change = [f'"{name}" = source."{name}"' for name in names if name not in (*keys, added)]
    change += [f'"{added}" = target."{added}" + source."{added}"'] if added else []
    change += [also] if also else []
    match = " and ".join(f'target."{key}" = source."{key}"' for key in keys)
    columns = ", ".join(f'"{name}"' for name in names)
    statement = (
        f"update {table.name} as target set {', '.join(change)} "
        f"from {_source(table, names)} as source ({columns}) where {match}"
    )
    await _execute(conn, statement, names, rows)


def _source(table: Table, names: Sequence[str]) -> str:
    """The rows as a table: one typed array per column."""
    arrays = (f"${number}::{_sql_type(table, name)}[]" for number, name in enumerate(names, 1))
    return f"unnest({', '.join(arrays)})"


def _sql_type(table: Table, name: str) -> str:
    return table.c[name].type.compile(dialect=_DIALECT).split("(")[0]


async def _execute(conn: AsyncConnection, statement: str, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Run a statement on the driver itself: the array parameters need no more than it."""
    raw = await conn.get_raw_connection()
    driver: Any = raw.driver_connection
    await driver.execute(statement, *([row[name] for row in rows] for name in names))
