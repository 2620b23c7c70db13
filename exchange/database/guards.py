"""What protects an account against the theft of its key, as the mirror knows it: its freeze and its allow-list."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import account_freeze, allow_list


async def frozen(conn: AsyncConnection, chain_id: int, account: bytes, now: int) -> bool:
    """Whether the owner's freeze of an account stands at the unix second `now`."""
    c = account_freeze.c
    query = select(c.kind, c.effective_at).where(c.chain_id == chain_id, c.account == account)
    last = (await conn.execute(query.order_by(c.block_number.desc(), c.log_index.desc()).limit(1))).first()
    return last is not None and (last.kind == "frozen" or now < last.effective_at)


async def allowed(conn: AsyncConnection, chain_id: int, account: bytes, recipient: bytes, now: int) -> bool:
    """Whether the account may pay the recipient at the unix second `now`."""
    c = allow_list.c
    query = select(c.kind, c.enabled, c.effective_at).where(c.chain_id == chain_id, c.account == account)
    latest = query.order_by(c.block_number.desc(), c.log_index.desc()).limit(1)
    switch = (await conn.execute(latest.where(c.kind == "switched"))).first()
    if switch is None or (not switch.enabled and now >= switch.effective_at):
        return True
    entry = (await conn.execute(latest.where(c.recipient == recipient))).first()
    return entry is not None and entry.kind == "allowed" and now >= entry.effective_at
