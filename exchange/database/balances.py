"""Reads of balances: the engine's, the contract's, and what is on its way between the two."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import account, balance, chain_balance, deposit


async def account_row(conn: AsyncConnection, address: bytes) -> Row[Any] | None:
    """The account of an address: id, status, minimum nonce; None before its first credit or order."""
    return (await conn.execute(select(account).where(account.c.address == address))).one_or_none()


async def of_account(conn: AsyncConnection, owner: int) -> Sequence[Row[Any]]:
    """The engine's balances of account `owner`, one row per asset, as projected."""
    return (await conn.execute(select(balance).where(balance.c.account_id == owner))).all()


async def on_chain(conn: AsyncConnection, chain_id: int, address: bytes) -> Sequence[Row[Any]]:
    """What the contract holds for an address at the indexed block, one row per token."""
    query = select(chain_balance).where(chain_balance.c.chain_id == chain_id, chain_balance.c.account == address)
    return (await conn.execute(query)).all()


async def uncredited(conn: AsyncConnection, chain_id: int, address: bytes) -> dict[int, int]:
    """Per token id: deposits to trading that are mined and not yet credited, in ledger units."""
    query = (
        select(deposit.c.token_id, func.sum(deposit.c.amount))
        .where(
            deposit.c.chain_id == chain_id,
            deposit.c.account == address,
            deposit.c.credit_inbox_id.is_(None),
            deposit.c.to_funding.is_(False),
        )
        .group_by(deposit.c.token_id)
    )
    return {token_id: int(amount) for token_id, amount in await conn.execute(query)}


async def owned(conn: AsyncConnection, chain_id: int) -> dict[int, tuple[int, int]]:
    """Per token id: what all accounts have in trading and in funding at the indexed block, in ledger units."""
    query = (
        select(chain_balance.c.token_id, func.sum(chain_balance.c.trading), func.sum(chain_balance.c.funding))
        .where(chain_balance.c.chain_id == chain_id)
        .group_by(chain_balance.c.token_id)
    )
    return {token_id: (int(trading), int(funding)) for token_id, trading, funding in await conn.execute(query)}
