"""Which accounts asked for their deposit address: the keeper looks at those."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import NOW_MS, deposit_address


async def watch(conn: AsyncConnection, chain_id: int, account: bytes) -> None:
    """Look at the account's deposit address from now on; again is harmless."""
    row = upsert(deposit_address).values(chain_id=chain_id, account=account)
    same = row.on_conflict_do_update(index_elements=["chain_id", "account"], set_={"asked_at": NOW_MS})
    await conn.execute(same)


async def watched(conn: AsyncConnection, chain_id: int, after: bytes, limit: int) -> list[bytes]:
    """The next `limit` accounts after one, in the order of their bytes; empty bytes begin."""
    query = (
        select(deposit_address.c.account)
        .where(deposit_address.c.chain_id == chain_id, deposit_address.c.account > after)
        .order_by(deposit_address.c.account)
        .limit(limit)
    )
    return list(await conn.scalars(query))


async def count(conn: AsyncConnection, chain_id: int) -> int:
    """How many accounts asked."""
    query = select(func.count()).select_from(deposit_address).where(deposit_address.c.chain_id == chain_id)
    return int(await conn.scalar(query) or 0)
