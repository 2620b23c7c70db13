"""The published pieces of the journal, as the publisher tells of them: queries."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import published_piece

_C = published_piece.c
_HEX = ("head", "root", "signature", "raw_sha256", "public_sha256")


class Published(NamedTuple):
    """How far the journal is published, and when all that was durable was, in milliseconds; 0 before that."""

    seq: int
    current_at: int


async def last_seq(conn: AsyncConnection) -> int:
    """The last sequence of which a row tells."""
    return int(await conn.scalar(select(func.max(_C.last_seq))) or 0)


async def published(conn: AsyncConnection) -> Published:
    """How far everything is published."""
    row = (await conn.execute(select(_C.last_seq, _C.current_at).order_by(_C.first_seq.desc()).limit(1))).first()
    return Published(*row) if row else Published(0, 0)


async def add(conn: AsyncConnection, pieces: Sequence[Mapping[str, Any]]) -> None:
    """Add pieces, as the index has them; what is there stays."""
    rows = [
        {"first_seq": piece["first_seq"], "last_seq": piece["last_seq"]}
        | {name: bytes.fromhex(piece[name]) for name in _HEX}
        | {"published_at": piece["published_at_ms"], "current_at": piece["published_at_ms"]}
        for piece in pieces
    ]
    if rows:
        await conn.execute(insert(published_piece).on_conflict_do_nothing(), rows)


async def set_current(conn: AsyncConnection, current_ms: int) -> None:
    """All that was durable at a time is published: note it in the last piece."""
    last = select(func.max(_C.first_seq)).scalar_subquery()
    await conn.execute(update(published_piece).where(_C.first_seq == last).values(current_at=current_ms))


async def page(conn: AsyncConnection, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """Pieces, latest first; with `before` those that start before a sequence."""
    query = select(published_piece).order_by(_C.first_seq.desc()).limit(limit)
    return (await conn.execute(query if before is None else query.where(_C.first_seq < before))).all()


async def page_after(conn: AsyncConnection, after: int, limit: int) -> Sequence[Row[Any]]:
    """Pieces that start after a sequence, earliest first."""
    query = select(published_piece).where(_C.first_seq > after).order_by(_C.first_seq).limit(limit)
    return (await conn.execute(query)).all()
