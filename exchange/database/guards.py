"""What protects money against stolen keys, as the mirror knows it: freezes, allow-lists, outflow limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import account_freeze, allow_list

_RECIPIENTS = """
select recipient, effective_at from (
    select distinct on (recipient) recipient, effective_at, kind from allow_list
    where chain_id = :chain_id and account = :account and recipient > :after
    order by recipient, block_number desc, log_index desc
) as last where kind = 'allowed' order by recipient limit :limit
"""
_LIMITS = """
select distinct on (params ->> 'token_id')
       (params ->> 'token_id')::int as token_id, (params ->> 'limit')::bigint as limit
from chain_status where chain_id = :chain_id and kind = 'outflow_limit_changed'
order by params ->> 'token_id', block_number desc, log_index desc
"""


@dataclass(frozen=True, slots=True)
class Freeze:
    """An account's last freeze: settlement ends at `effective_at`, everything goes on from `until`; None for no end.

    Times are in seconds since 1970. An account that was never frozen went on from 0.
    """

    effective_at: int = 0
    until: int | None = 0
    next_nonce: int = 0

    def stands(self, now: int) -> bool:
        """Whether the account is frozen at a time."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class AllowList:
    """Whether an account's list binds: until when; None for no end."""

    until: int | None = 0

    def stands(self, now: int) -> bool:
        """Whether the list binds at a time."""
        return self.until is None or now < self.until


async def freeze(conn: AsyncConnection, chain_id: int, account: bytes) -> Freeze:
    """The last freeze of an account by its owner, and whether it thaws."""
    c = account_freeze.c
    query = select(c.kind, c.effective_at, c.nonce).where(c.chain_id == chain_id, c.account == account)
    last = (await conn.execute(_latest(query, c))).first()
    began = (await conn.execute(_latest(query.where(c.kind == "frozen"), c))).first()
    if last is None or began is None:
        return Freeze()
    return Freeze(began.effective_at, None if last.kind == "frozen" else last.effective_at, int(began.nonce) + 1)


async def allow_list_of(conn: AsyncConnection, chain_id: int, account: bytes) -> AllowList:
    """Whether an account's allow-list binds."""
    c = allow_list.c
    query = select(c.enabled, c.effective_at).where(c.chain_id == chain_id, c.account == account, c.kind == "switched")
    switch = (await conn.execute(_latest(query, c))).first()
    if switch is None:
        return AllowList()
    return AllowList(None if switch.enabled else switch.effective_at)


async def recipients(
    conn: AsyncConnection, chain_id: int, account: bytes, *, after: bytes | None, limit: int
) -> Sequence[Row[Any]]:
    """Entries of an account's allow-list by recipient, whether it is on or off: `recipient`, `effective_at`."""
    values = {"chain_id": chain_id, "account": account, "after": after or b"", "limit": limit}
    return (await conn.execute(text(_RECIPIENTS), values)).all()


async def outflow_limits(conn: AsyncConnection, chain_id: int) -> Mapping[int, int]:
    """Outflow limits by token, in ledger units; 0 where one was ended."""
    rows = await conn.execute(text(_LIMITS), {"chain_id": chain_id})
    return {row.token_id: row.limit for row in rows}


async def frozen(conn: AsyncConnection, chain_id: int, account: bytes, now: int) -> bool:
    """Whether the owner's freeze of an account stands at the unix second `now`."""
    return (await freeze(conn, chain_id, account)).stands(now)


async def allowed(conn: AsyncConnection, chain_id: int, account: bytes, recipient: bytes, now: int) -> bool:
    """Whether the account may pay the recipient at the unix second `now`."""
    if not (await allow_list_of(conn, chain_id, account)).stands(now):
        return True
    c = allow_list.c
    query = select(c.kind, c.effective_at).where(c.chain_id == chain_id, c.account == account, c.recipient == recipient)
    entry = (await conn.execute(_latest(query, c))).first()
    return entry is not None and entry.kind == "allowed" and now >= entry.effective_at


def _latest(query: Select[Any], c: Any) -> Select[Any]:
    return query.order_by(c.block_number.desc(), c.log_index.desc()).limit(1)
