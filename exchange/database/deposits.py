"""Reads of deposits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import deposit


async def of_account(
    conn: AsyncConnection,
    chain_id: int,
    address: bytes,
    *,
    before: tuple[int, int] | None = None,
    limit: int = 100,
) -> Sequence[Row[Any]]:
    """Deposits of an address, latest first; `before` is a block number and log index to page on from."""
    place = (deposit.c.block_number, deposit.c.log_index)
    query = (
        select(deposit)
        .where(deposit.c.chain_id == chain_id, deposit.c.account == address)
        .order_by(place[0].desc(), place[1].desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(tuple_(*place) < tuple_(*before))
    return (await conn.execute(query)).all()
