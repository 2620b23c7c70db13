"""Reads for the operator's console: the keepers' jobs with what they cost, and accounts by how their address begins."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import account, account_tier, attempt, job, orders
from exchange.database.tables.columns import NOW_MS

JobsShown = Literal["all", "live", "stuck", "retried", "failed"]
LIVE = ("queued", "sent", "mined")
WAITING = ("queued", "sent")
STUCK_MS = 120_000
"""A job that waits for its transaction and has not changed for so long is stuck."""
DAY_MS = 86_400_000


async def jobs(conn: AsyncConnection, shown: JobsShown, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """Jobs, latest first, each with `cost`: wei paid for all its attempts."""
    cost = (
        select(func.coalesce(func.sum(attempt.c.cost), 0))
        .where(attempt.c.job_id == job.c.job_id)
        .correlate(job)
        .scalar_subquery()
    )
    query = select(job, cost.label("cost")).order_by(job.c.job_id.desc()).limit(limit)
    query = query if before is None else query.where(job.c.job_id < before)
    condition = _condition(shown)
    return (await conn.execute(query if condition is None else query.where(condition))).all()


def _condition(shown: JobsShown) -> ColumnElement[bool] | None:
    failed = (job.c.succeeded.is_(False)) | (job.c.state == "cancelled")
    return {
        "all": None,
        "live": job.c.state.in_(LIVE),
        "stuck": job.c.state.in_(WAITING) & (job.c.updated_at + STUCK_MS < NOW_MS),
        "retried": job.c.attempts > 1,
        "failed": failed,
    }[shown]


async def duties(conn: AsyncConnection) -> Sequence[Row[Any]]:
    """By duty and sender: how many jobs wait, are stuck, and what was paid in the last day, in wei."""
    waiting = job.c.state.in_(WAITING)
    query = (
        select(
            job.c.duty,
            job.c.sender,
            func.count().filter(waiting).label("waiting"),
            func.count().filter(waiting & (job.c.updated_at + STUCK_MS < NOW_MS)).label("stuck"),
        )
        .group_by(job.c.duty, job.c.sender)
        .order_by(job.c.duty, job.c.sender)
    )
    return (await conn.execute(query)).all()


async def costs(conn: AsyncConnection) -> dict[tuple[str, bytes], int]:
    """Wei paid by duty and sender for what was signed in the last day."""
    query = (
        select(job.c.duty, job.c.sender, func.sum(attempt.c.cost).label("cost"))
        .join(attempt, attempt.c.job_id == job.c.job_id)
        .where(attempt.c.sent_at + DAY_MS > NOW_MS, attempt.c.cost.is_not(None))
        .group_by(job.c.duty, job.c.sender)
    )
    return {(row.duty, bytes(row.sender)): int(row.cost) for row in await conn.execute(query)}


async def accounts(conn: AsyncConnection, prefix: bytes, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """Accounts whose address begins with `prefix`, the newest first."""
    query = select(account).order_by(account.c.account_id.desc()).limit(limit)
    if prefix:
        query = query.where(account.c.address >= prefix)
        following = _following(prefix)
        query = query if following is None else query.where(account.c.address < following)
    query = query if before is None else query.where(account.c.account_id < before)
    return (await conn.execute(query)).all()


def _following(prefix: bytes) -> bytes | None:
    """The first byte string after all that begin with `prefix`; None after the last."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None


async def open_orders(conn: AsyncConnection, account_id: int) -> dict[int, int]:
    """How many open orders an account has, by market."""
    query = (
        select(orders.c.market_id, func.count().label("open"))
        .where(orders.c.account_id == account_id, orders.c.status == "open")
        .group_by(orders.c.market_id)
    )
    return {row.market_id: row.open for row in await conn.execute(query)}


async def tiers_of(conn: AsyncConnection, account_id: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """The fee tiers that an account was given: `tier` and `effective_at`, in journal order."""
    query = select(account_tier.c.tier, account_tier.c.effective_at).where(account_tier.c.account_id == account_id)
    return (await conn.execute(query.order_by(account_tier.c.seq))).all()
