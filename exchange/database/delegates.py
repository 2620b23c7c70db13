"""Reads of delegated keys."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import delegate


async def latest(conn: AsyncConnection, chain_id: int, account: bytes, key: bytes) -> Row[Any] | None:
    """The last word on a delegated key: its row `added` or `revoked`; None if the key was never added."""
    query = (
        select(delegate)
        .where(delegate.c.chain_id == chain_id, delegate.c.account == account, delegate.c.delegate == key)
        .order_by(delegate.c.block_number.desc(), delegate.c.log_index.desc())
        .limit(1)
    )
    return (await conn.execute(query)).first()
