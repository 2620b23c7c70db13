"""Reads of withdrawals: fast ones the engine holds money for, forced ones, and what left on chain."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import account, withdrawal, withdrawal_event, withdrawal_request


async def fast(
    conn: AsyncConnection, chain_id: int, owner: int, *, before: int | None = None, limit: int = 100
) -> Sequence[Row[Any]]:
    """Signed withdrawals of account `owner`, latest first, with the transaction that paid each, if any."""
    paid = (
        select(withdrawal_event)
        .where(withdrawal_event.c.chain_id == chain_id, withdrawal_event.c.withdrawal_hash.is_not(None))
        .subquery("paid")
    )
    query = (
        select(withdrawal, paid.c.tx_hash, paid.c.block_number, paid.c.fee)
        .outerjoin(paid, paid.c.withdrawal_hash == withdrawal.c.withdrawal_hash)
        .where(withdrawal.c.account_id == owner)
        .order_by(withdrawal.c.seq.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(withdrawal.c.seq < before)
    return (await conn.execute(query)).all()


async def held_at(conn: AsyncConnection, address: bytes, withdrawal_hash: bytes) -> int | None:
    """The sequence at which money was held for a signed withdrawal of this address; None when it has no such one."""
    query = (
        select(withdrawal.c.seq)
        .join(account, account.c.account_id == withdrawal.c.account_id)
        .where(withdrawal.c.withdrawal_hash == withdrawal_hash, account.c.address == address)
    )
    return await conn.scalar(query)


async def nonce_used(conn: AsyncConnection, chain_id: int, address: bytes, nonce: int) -> bool:
    """Whether a signed withdrawal of the address with this nonce is mined."""
    query = select(withdrawal_event.c.log_index).where(
        withdrawal_event.c.chain_id == chain_id,
        withdrawal_event.c.account == address,
        withdrawal_event.c.nonce == nonce,
    )
    return (await conn.execute(query.limit(1))).first() is not None


async def paid(conn: AsyncConnection, chain_id: int, address: bytes, limit: int = 100) -> Sequence[Row[Any]]:
    """What left for an address without a signed withdrawal: claims, exits and funding, latest first."""
    query = (
        select(withdrawal_event)
        .where(
            withdrawal_event.c.chain_id == chain_id,
            withdrawal_event.c.account == address,
            withdrawal_event.c.withdrawal_hash.is_(None),
        )
        .order_by(withdrawal_event.c.block_number.desc(), withdrawal_event.c.log_index.desc())
        .limit(limit)
    )
    return (await conn.execute(query)).all()


async def requests(conn: AsyncConnection, chain_id: int, address: bytes) -> Sequence[Row[Any]]:
    """The latest forced-withdrawal request or cancellation of an address per token."""
    place = (withdrawal_request.c.block_number.desc(), withdrawal_request.c.log_index.desc())
    query = (
        select(withdrawal_request)
        .where(withdrawal_request.c.chain_id == chain_id, withdrawal_request.c.account == address)
        .distinct(withdrawal_request.c.token_id)
        .order_by(withdrawal_request.c.token_id, *place)
    )
    return (await conn.execute(query)).all()
