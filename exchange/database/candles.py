"""Reads of candles."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import candle

INTERVALS = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1M")
DAY_MS = 86_400_000


async def of_market(
    conn: AsyncConnection,
    market_id: int,
    interval: str,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Candles that start in [start_ms, end_ms), the latest `limit` of them, oldest first."""
    query = select(candle).where(candle.c.market_id == market_id, candle.c.interval == interval)
    if start_ms is not None:
        query = query.where(candle.c.start_ms >= start_ms)
    if end_ms is not None:
        query = query.where(candle.c.start_ms < end_ms)
    rows = (await conn.execute(query.order_by(candle.c.start_ms.desc()).limit(limit))).all()
    return rows[::-1]


async def day(conn: AsyncConnection, market_id: int, now_ms: int) -> Row[*tuple[Any, ...]]:
    """The last 24 hours in one row: open, high, low, close (null without a trade), volumes and trades."""
    recent = (
        select(candle)
        .where(
            candle.c.market_id == market_id,
            candle.c.interval == "1m",
            candle.c.start_ms > now_ms - DAY_MS,
        )
        .subquery("recent")
    )
    first = select(recent.c.open).order_by(recent.c.start_ms).limit(1).scalar_subquery()
    last = select(recent.c.close).order_by(recent.c.start_ms.desc()).limit(1).scalar_subquery()
    return (
        await conn.execute(
            select(
                first.label("open"),
                func.max(recent.c.high).label("high"),
                func.min(recent.c.low).label("low"),
                last.label("close"),
                func.coalesce(func.sum(recent.c.base_volume), 0).label("base_volume"),
                func.coalesce(func.sum(recent.c.quote_volume), 0).label("quote_volume"),
                func.coalesce(func.sum(recent.c.trades), 0).label("trades"),
            )
        )
    ).one()
