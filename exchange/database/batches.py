"""What the settle duty reads: batches, the trades in them and before them, and what the inbox still holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import batch, engine_inbox, orders, projection, trade


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was cut: the trades of the journal sequences (from_seq, to_seq]."""

    batch: int
    from_seq: int
    to_seq: int
    prev_head: bytes
    new_head: bytes


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order as the contract takes it: packed (80 bytes), scheme and signature (65 bytes)."""

    order_id: int
    packed: bytes
    scheme: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class MatchedTrade:
    """A trade with both its orders. `quantity` in lots; `quote` and fees in quote ledger units."""

    trade_id: int
    seq: int
    at_ms: int
    quantity: int
    quote: int
    maker: SignedOrder
    taker: SignedOrder
    maker_fee: int
    taker_fee: int


async def find(conn: AsyncConnection, number: int) -> Batch | None:
    """The batch `number`, if it was cut and projected."""
    row = (await conn.execute(select(batch).where(batch.c.batch == number))).first()
    return None if row is None else _batch(row)


async def cut_from(conn: AsyncConnection, first: int, limit: int) -> list[Batch]:
    """At most `limit` batches that were cut and projected, from number `first` on, in order."""
    query = select(batch).where(batch.c.batch >= first).order_by(batch.c.batch).limit(limit)
    return [_batch(row) for row in await conn.execute(query)]


async def last_number(conn: AsyncConnection) -> int:
    """The number of the last batch cut, 0 before the first."""
    return int(await conn.scalar(select(func.coalesce(func.max(batch.c.batch), 0))) or 0)


async def trades_of(conn: AsyncConnection, number: int) -> list[MatchedTrade]:
    """The trades of a batch that stand, in journal order."""
    return await _trades(conn, trade.c.batch == number, None)


async def uncut_trades(conn: AsyncConnection, limit: int) -> list[MatchedTrade]:
    """The oldest trades that stand and are in no batch yet, in journal order; whole records only.

    The trades of a record (one journal sequence) belong to one batch, so one that `limit` would tear is left out.
    """
    found = await _trades(conn, trade.c.batch.is_(None), limit + 1)
    if len(found) <= limit:
        return found
    torn = found[-1].seq
    return [each for each in found if each.seq != torn]


async def waiting_commands(conn: AsyncConnection, kinds: Sequence[str]) -> int:
    """How many posted commands of these kinds are not refused and not yet visible in the projection."""
    seen = select(func.coalesce(func.max(projection.c.seq), 0)).scalar_subquery()
    query = (
        select(func.count())
        .select_from(engine_inbox)
        .where(
            engine_inbox.c.kind.in_(kinds),
            engine_inbox.c.refusal.is_(None),
            or_(engine_inbox.c.applied_seq.is_(None), engine_inbox.c.applied_seq > seen),
        )
    )
    return int(await conn.scalar(query) or 0)


async def refused_commands(conn: AsyncConnection, prefix: str) -> int:
    """How many posted commands whose dedup key starts with `prefix` the engine refused."""
    query = (
        select(func.count())
        .select_from(engine_inbox)
        .where(engine_inbox.c.dedup_key.startswith(prefix, autoescape=True), engine_inbox.c.refusal.is_not(None))
    )
    return int(await conn.scalar(query) or 0)


async def _trades(conn: AsyncConnection, which: ColumnElement[bool], limit: int | None) -> list[MatchedTrade]:
    maker, taker = orders.alias("maker"), orders.alias("taker")
    query = (
        select(
            trade,
            *(maker.c[name].label(f"maker_{name}") for name in ("packed", "scheme", "signature")),
            *(taker.c[name].label(f"taker_{name}") for name in ("packed", "scheme", "signature")),
        )
        .join(maker, maker.c.order_id == trade.c.maker_order_id)
        .join(taker, taker.c.order_id == trade.c.taker_order_id)
        .where(and_(which, trade.c.reversed_cause.is_(None)))
        .order_by(trade.c.seq, trade.c.trade_id)
        .limit(limit)
    )
    return [_trade(row) for row in await conn.execute(query)]


def _batch(row: Row[Any]) -> Batch:
    return Batch(row.batch, row.from_seq, row.to_seq, row.prev_head, row.new_head)


def _trade(row: Row[Any]) -> MatchedTrade:
    return MatchedTrade(
        trade_id=row.trade_id,
        seq=row.seq,
        at_ms=row.at_ms,
        quantity=row.quantity,
        quote=row.quote,
        maker=SignedOrder(row.maker_order_id, row.maker_packed, row.maker_scheme, row.maker_signature),
        taker=SignedOrder(row.taker_order_id, row.taker_packed, row.taker_scheme, row.taker_signature),
        maker_fee=row.maker_fee,
        taker_fee=row.taker_fee,
    )
