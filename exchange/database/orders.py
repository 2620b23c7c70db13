"""Reads of orders."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, literal, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import account, orders
from exchange.domain.order_id import SEQ_LIMIT, seq_of

_AGE = orders.c.order_id.bitwise_and(literal_column(str(SEQ_LIMIT - 1)))
_LATEST_FIRST = (_AGE.desc(), orders.c.order_id.desc())
"""By age: above the sequence, an id has the place in the record, so that a larger one is not always later."""


async def account_id(conn: AsyncConnection, address: bytes) -> int | None:
    """The engine's id of an address; None for an address it has never seen."""
    return await conn.scalar(select(account.c.account_id).where(account.c.address == address))


async def of_account(
    conn: AsyncConnection,
    owner: int,
    *,
    market_id: int | None = None,
    status: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[Row[Any]]:
    """Orders of account `owner`, latest first; `before` is an order id to page on from."""
    query = select(orders).where(orders.c.account_id == owner).order_by(*_LATEST_FIRST)
    if market_id is not None:
        query = query.where(orders.c.market_id == market_id)
    if status is not None:
        query = query.where(orders.c.status == status)
    if before is not None:
        query = query.where(tuple_(_AGE, orders.c.order_id) < tuple_(literal(seq_of(before)), literal(before)))
    return (await conn.execute(query.limit(limit))).all()


async def by_id(conn: AsyncConnection, owner: int, order_id: int) -> Row[Any] | None:
    """One order of `owner` by its id."""
    return (
        await conn.execute(select(orders).where(orders.c.order_id == order_id, orders.c.account_id == owner))
    ).one_or_none()


async def by_hash(conn: AsyncConnection, owner: int, order_hash: bytes) -> Row[Any] | None:
    """One order of `owner` by its EIP-712 digest."""
    return (
        await conn.execute(select(orders).where(orders.c.order_hash == order_hash, orders.c.account_id == owner))
    ).first()


async def by_client_order_id(conn: AsyncConnection, owner: int, client_order_id: str) -> Row[Any] | None:
    """The latest order of `owner` under its own name for it."""
    query = (
        select(orders)
        .where(
            orders.c.account_id == owner, orders.c.client_order_id == client_order_id, orders.c.client_order_id != ""
        )
        .order_by(*_LATEST_FIRST)
    )
    return (await conn.execute(query.limit(1))).first()
