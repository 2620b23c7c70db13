"""Reads of trades and fills. A fill is one side of a trade, with how far its settlement is."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import batch, batch_settled, cursor, order_executed, reversal, trade

CHECKED_BATCHES = 500
"""How many of the latest batches `mismatches` looks at."""


async def of_market(
    conn: AsyncConnection, market_id: int, *, before: int | None = None, limit: int = 100
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Trades of a market, latest first; `before` is a trade id to page on from."""
    query = select(trade).where(trade.c.market_id == market_id).order_by(trade.c.trade_id.desc()).limit(limit)
    if before is not None:
        query = query.where(trade.c.trade_id < before)
    return (await conn.execute(query)).all()


async def last_price(conn: AsyncConnection, market_id: int) -> int | None:
    """Price of a market's latest trade."""
    return await conn.scalar(
        select(trade.c.price).where(trade.c.market_id == market_id).order_by(trade.c.trade_id.desc()).limit(1)
    )


async def fills_of_account(
    conn: AsyncConnection,
    chain_id: int,
    owner: int,
    *,
    market_id: int | None = None,
    order_id: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Fills of account `owner`, latest first; `before` is a trade id to page on from.

    `status` is matched, submitted (in a batch that is cut), settled (mined), final or reversed. What was final is so
    only while its settlement stands in a final block: a reorganisation past finality sends it back.
    """
    sides = [_one_side(role, owner, market_id, order_id, before, limit) for role in ("maker", "taker")]
    fill = sides[0].union_all(sides[1]).subquery("fill")
    settled = _settled(chain_id)
    status = case(
        (fill.c.reversed_cause.is_not(None), "reversed"),
        (and_(batch.c.status == "final", settled.c.block_number <= _finalized(chain_id)), "final"),
        (settled.c.tx_hash.is_not(None), "settled"),
        (fill.c.batch.is_not(None), "submitted"),
        else_="matched",
    )
    query = (
        select(
            fill,
            status.label("status"),
            settled.c.tx_hash,
            settled.c.block_number,
            settled.c.block_hash,
            reversal.c.because_of,
        )
        .select_from(
            fill.outerjoin(batch, batch.c.batch == fill.c.batch)
            .outerjoin(settled, settled.c.seq == fill.c.batch)
            .outerjoin(reversal, reversal.c.trade_id == fill.c.trade_id)
        )
        .order_by(fill.c.trade_id.desc())
        .limit(limit)
    )
    return (await conn.execute(query)).all()


def _one_side(
    role: str, owner: int, market_id: int | None, order_id: int | None, before: int | None, limit: int
) -> Any:
    """The fills in which `owner` was the maker, or the taker; each side is read from its own index."""
    taken = trade.c.taker_side if role == "taker" else 1 - trade.c.taker_side
    query = (
        select(
            trade.c.trade_id,
            trade.c.seq,
            trade.c.market_id,
            trade.c.price,
            trade.c.quantity,
            trade.c.quote,
            trade.c.batch,
            trade.c.reversed_cause,
            trade.c.at_ms,
            literal(role).label("role"),
            taken.label("side"),
            trade.c[f"{role}_order_id"].label("order_id"),
            trade.c[f"{role}_fee"].label("fee"),
        )
        .where(trade.c[f"{role}_account_id"] == owner)
        .order_by(trade.c.trade_id.desc())
        .limit(limit)
    )
    if market_id is not None:
        query = query.where(trade.c.market_id == market_id)
    if order_id is not None:
        query = query.where(trade.c[f"{role}_order_id"] == order_id)
    if before is not None:
        query = query.where(trade.c.trade_id < before)
    return select(query.subquery())


def _settled(chain_id: int) -> Any:
    columns = [batch_settled.c[name] for name in ("seq", "tx_hash", "block_number", "block_hash")]
    return select(*columns).where(batch_settled.c.chain_id == chain_id).subquery("settled")


def _finalized(chain_id: int) -> Any:
    return select(func.max(cursor.c.finalized_number)).where(cursor.c.chain_id == chain_id).scalar_subquery()


async def totals(conn: AsyncConnection, chain_id: int) -> Row[*tuple[Any, ...]]:
    """`batches` cut, `batches_settled`, `batches_final`, `trades`, `trades_settled`, `trades_reversed`."""
    mined = select(batch_settled.c.seq).where(batch_settled.c.chain_id == chain_id)

    def count(table: Any, *conditions: ColumnElement[bool]) -> Any:
        return select(func.count()).select_from(table).where(*conditions).scalar_subquery()

    standing = trade.c.reversed_cause.is_(None)
    return (
        await conn.execute(
            select(
                count(batch).label("batches"),
                count(batch_settled, batch_settled.c.chain_id == chain_id).label("batches_settled"),
                count(batch, batch.c.status == "final").label("batches_final"),
                count(trade).label("trades"),
                count(trade, standing, trade.c.batch.in_(mined)).label("trades_settled"),
                count(trade, trade.c.reversed_cause.is_not(None)).label("trades_reversed"),
            )
        )
    ).one()


async def mismatches(conn: AsyncConnection, chain_id: int) -> int:
    """Batches on chain, among the latest, whose heads or totals are not those of the journal; 0 is healthy.

    Batches that are not yet projected are left out: they are not known to differ.
    """
    recent = (
        select(batch_settled.c.seq, batch_settled.c.block_hash, batch_settled.c.prev_head, batch_settled.c.new_head)
        .where(batch_settled.c.chain_id == chain_id)
        .order_by(batch_settled.c.seq.desc())
        .limit(CHECKED_BATCHES)
        .cte("recent")
    )
    executed = (
        select(
            order_executed.c.batch,
            func.sum(order_executed.c.lots).label("lots"),
            func.sum(order_executed.c.quote).label("quote"),
            func.sum(order_executed.c.fee).label("fee"),
        )
        .join(recent, and_(recent.c.block_hash == order_executed.c.block_hash, recent.c.seq == order_executed.c.batch))
        .group_by(order_executed.c.batch)
        .subquery("executed")
    )
    matched = (
        select(
            trade.c.batch,
            (2 * func.sum(trade.c.quantity)).label("lots"),
            (2 * func.sum(trade.c.quote)).label("quote"),
            func.sum(trade.c.maker_fee + trade.c.taker_fee).label("fee"),
        )
        .where(trade.c.batch.in_(select(recent.c.seq)), trade.c.reversed_cause.is_(None))
        .group_by(trade.c.batch)
        .subquery("matched")
    )
    differs = [
        func.coalesce(executed.c[name], 0) != func.coalesce(matched.c[name], 0) for name in ("lots", "quote", "fee")
    ]
    heads = (batch.c.prev_head != recent.c.prev_head) | (batch.c.new_head != recent.c.new_head)
    query = (
        select(func.count())
        .select_from(
            recent.join(batch, batch.c.batch == recent.c.seq)
            .outerjoin(executed, executed.c.batch == recent.c.seq)
            .outerjoin(matched, matched.c.batch == recent.c.seq)
        )
        .where(heads | differs[0] | differs[1] | differs[2])
    )
    return int(await conn.scalar(query) or 0)
