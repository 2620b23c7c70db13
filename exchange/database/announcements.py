"""What the operator tells everybody, from when until when: queries."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import announcement

_C = announcement.c


async def post(conn: AsyncConnection, severity: str, texts: Mapping[str, str], from_ms: int, until_ms: int) -> int:
    """Add an announcement; its id."""
    values = {"severity": severity, "texts": dict(texts), "from_ms": from_ms, "until_ms": until_ms}
    query = announcement.insert().values(values).returning(_C.announcement_id)
    return int((await conn.execute(query)).scalar_one())


async def withdraw(conn: AsyncConnection, announcement_id: int, now_ms: int) -> bool:
    """Show it no more; False when there is none that could still be shown."""
    query = (
        update(announcement)
        .where(_C.announcement_id == announcement_id, _C.withdrawn_at.is_(None), _C.until_ms > now_ms)
        .values(withdrawn_at=now_ms)
        .returning(_C.announcement_id)
    )
    return (await conn.execute(query)).first() is not None


async def shown(conn: AsyncConnection, now_ms: int) -> Sequence[Row[Any]]:
    """Those that everybody is shown now, or will be, latest first."""
    query = (
        select(announcement).where(_C.until_ms > now_ms, _C.withdrawn_at.is_(None)).order_by(_C.announcement_id.desc())
    )
    return (await conn.execute(query)).all()


async def standing(conn: AsyncConnection, now_ms: int) -> int:
    """How many are shown now, or will be."""
    query = select(func.count()).where(_C.until_ms > now_ms, _C.withdrawn_at.is_(None))
    return int(await conn.scalar(query) or 0)


async def page(conn: AsyncConnection, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """All there were, latest first."""
    query = select(announcement).order_by(_C.announcement_id.desc()).limit(limit)
    query = query if before is None else query.where(_C.announcement_id < before)
    return (await conn.execute(query)).all()
