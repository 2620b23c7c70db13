"""Approvals of withdrawals above their token's outflow limit: who may give them, who did, and what waits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import LargeBinary, Row, any_, bindparam, delete, exists, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import NOW_MS, account, payout_wait, withdrawal, withdrawal_approval, withdrawal_event

_APPROVERS = """
select approver from (
    select distinct on (params ->> 'approver')
           decode(substr(params ->> 'approver', 3), 'hex') as approver, (params ->> 'approved')::bool as approved
    from chain_status where chain_id = :chain_id and kind = 'approver_changed'
    order by params ->> 'approver', block_number desc, log_index desc
) as last where approved order by approver
"""
_THRESHOLD = """
select (params ->> 'threshold')::int from chain_status
where chain_id = :chain_id and kind = 'approval_threshold_changed' order by block_number desc, log_index desc limit 1
"""


@dataclass(frozen=True, slots=True)
class Approvals:
    """How many approvals are `needed`, 0 while none are known to be, and which approvers have given theirs."""

    needed: int
    by: Sequence[bytes]


async def approvers(conn: AsyncConnection, chain_id: int) -> list[bytes]:
    """Who may approve, at the indexed block."""
    return list((await conn.execute(text(_APPROVERS), {"chain_id": chain_id})).scalars())


async def threshold(conn: AsyncConnection, chain_id: int) -> int:
    """How many must, at the indexed block."""
    return int((await conn.execute(text(_THRESHOLD), {"chain_id": chain_id})).scalar() or 0)


async def of(conn: AsyncConnection, chain_id: int, digests: Collection[bytes]) -> Mapping[bytes, Approvals]:
    """The approvals of each of these withdrawals."""
    if not digests:
        return {}
    known = await approvers(conn, chain_id)
    given = select(withdrawal_approval.c.withdrawal_hash, withdrawal_approval.c.approver).where(
        withdrawal_approval.c.chain_id == chain_id,
        withdrawal_approval.c.withdrawal_hash.in_(digests),
        withdrawal_approval.c.approver.in_(known),
    )
    waits = set(
        (await conn.execute(select(payout_wait.c.withdrawal_hash).where(payout_wait.c.withdrawal_hash.in_(digests))))
        .scalars()
        .all()
    )
    needed = await threshold(conn, chain_id) if waits else 0
    by: dict[bytes, list[bytes]] = {digest: [] for digest in digests}
    for row in await conn.execute(given.order_by(withdrawal_approval.c.block_number, withdrawal_approval.c.log_index)):
        by[row.withdrawal_hash].append(row.approver)
    return {digest: Approvals(needed if digest in waits else 0, by[digest]) for digest in digests}


async def counts(conn: AsyncConnection, digests: Collection[bytes]) -> Mapping[bytes, int]:
    """How many approvals each of these withdrawals was ever given, whoever may approve today."""
    given = bindparam("digests", list(digests), ARRAY(LargeBinary))
    column = withdrawal_approval.c.withdrawal_hash
    rows = await conn.execute(select(column, func.count().label("given")).where(column == any_(given)).group_by(column))
    return {row.withdrawal_hash: row.given for row in rows}


async def note(conn: AsyncConnection, digests: Collection[bytes]) -> None:
    """These withdrawals wait for approvals; what does not wait any more is forgotten."""
    row = insert(payout_wait).values([{"withdrawal_hash": digest} for digest in digests])
    await conn.execute(row.on_conflict_do_update(index_elements=["withdrawal_hash"], set_={"seen_at": NOW_MS}))
    held = exists().where(withdrawal.c.withdrawal_hash == payout_wait.c.withdrawal_hash, withdrawal.c.status == "held")
    await conn.execute(delete(payout_wait).where(~held))


async def waiting(conn: AsyncConnection) -> Sequence[Row[Any]]:
    """Held withdrawals that wait for approvals and are not mined, the first to lapse first."""
    mined = exists().where(withdrawal_event.c.withdrawal_hash == withdrawal.c.withdrawal_hash)
    query = (
        select(withdrawal, account.c.address, payout_wait.c.seen_at)
        .join(payout_wait, payout_wait.c.withdrawal_hash == withdrawal.c.withdrawal_hash)
        .join(account, account.c.account_id == withdrawal.c.account_id)
        .where(withdrawal.c.status == "held", ~mined)
        .order_by(withdrawal.c.deadline, withdrawal.c.seq)
    )
    return (await conn.execute(query)).all()
