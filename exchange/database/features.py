"""How much of custody was used: what was settled, swept and paid out, by the way it was authorised.

Each reads a whole history, for a person who asks now and then.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import LargeBinary, any_, bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import (
    delegate,
    deposit,
    deposit_address,
    order_executed,
    orders,
    withdrawal_approval,
    withdrawal_event,
)


async def executions(conn: AsyncConnection, chain_id: int) -> Mapping[tuple[bytes, int], int]:
    """Executions that are mined, by account and signature scheme."""
    query = (
        select(order_executed.c.account, orders.c.scheme, func.count().label("number"))
        .join(orders, orders.c.order_hash == order_executed.c.order_hash)
        .where(order_executed.c.chain_id == chain_id)
        .group_by(order_executed.c.account, orders.c.scheme)
    )
    return {(row.account, row.scheme): row.number for row in await conn.execute(query)}


async def triggered_executions(conn: AsyncConnection, chain_id: int) -> int:
    """Executions that are mined, of orders that had waited for a price."""
    query = (
        select(func.count())
        .select_from(order_executed.join(orders, orders.c.order_hash == order_executed.c.order_hash))
        .where(order_executed.c.chain_id == chain_id, orders.c.triggered_at.is_not(None))
    )
    return int(await conn.scalar(query) or 0)


async def amends(conn: AsyncConnection) -> int:
    """Orders that another took the place of."""
    return int(await conn.scalar(select(func.count()).where(orders.c.close_reason == "amended")) or 0)


async def withdrawals(conn: AsyncConnection, chain_id: int) -> Mapping[bytes, int]:
    """Signed withdrawals that are mined, by account."""
    column = withdrawal_event.c.account
    query = (
        select(column, func.count().label("number"))
        .where(withdrawal_event.c.chain_id == chain_id, withdrawal_event.c.kind == "withdrawn")
        .group_by(column)
    )
    return {row.account: row.number for row in await conn.execute(query)}


async def approved_withdrawals(conn: AsyncConnection, chain_id: int) -> int:
    """Signed withdrawals that are mined and had approvals."""
    approved = exists().where(withdrawal_approval.c.withdrawal_hash == withdrawal_event.c.withdrawal_hash)
    query = select(func.count()).select_from(withdrawal_event).where(withdrawal_event.c.chain_id == chain_id, approved)
    return int(await conn.scalar(query) or 0)


async def delegators(conn: AsyncConnection, chain_id: int) -> Sequence[bytes]:
    """The accounts that ever named a delegated key."""
    query = select(delegate.c.account).where(delegate.c.chain_id == chain_id).distinct()
    return list(await conn.scalars(query))


async def deposit_accounts(conn: AsyncConnection, chain_id: int) -> Sequence[bytes]:
    """The accounts that asked for their deposit address."""
    return list(await conn.scalars(select(deposit_address.c.account).where(deposit_address.c.chain_id == chain_id)))


async def deposits_from(conn: AsyncConnection, chain_id: int, senders: Collection[bytes]) -> int:
    """Deposits that these addresses paid."""
    paid = bindparam("senders", list(senders), ARRAY(LargeBinary))
    query = (
        select(func.count())
        .select_from(deposit)
        .where(deposit.c.chain_id == chain_id, deposit.c.kind == "deposit", deposit.c.sender == any_(paid))
    )
    return int(await conn.scalar(query) or 0)
