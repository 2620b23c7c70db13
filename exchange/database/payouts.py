"""What the withdraw duty and the co-signer read: held withdrawals, and what an account still has to pay."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, LargeBinary, Row, all_, and_, bindparam, case, delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.chain.submission import JobState
from exchange.database.jobs import MAX_GENERATIONS
from exchange.database.tables import (
    NOW_MS,
    account,
    forced_withdrawal,
    job,
    market,
    payout_rest,
    trade,
    withdrawal,
    withdrawal_approval,
    withdrawal_event,
)


@dataclass(frozen=True, slots=True)
class HeldWithdrawal:
    """A signed withdrawal the engine holds `amount` (ledger units) for. `message` as signed, integers as strings."""

    withdrawal_hash: bytes
    account: bytes
    asset_id: int
    amount: int
    deadline: int
    message: Mapping[str, Any]
    signature: bytes
    seq: int


RestReason = Literal["gas_budget", "given_up", "wallet_rests", "unsigned"]
REST_NOTED_MS = 60_000
"""A note that the keeper has not renewed for so long after its end says nothing any more."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Why the keeper does not send a withdrawal now, and when it looks again, in milliseconds.

    gas_budget     its account used up the gas that the keeper pays for in a day
    given_up       what its contract wallet signed failed on chain
    wallet_rests   another one of its contract wallet failed a short time ago
    unsigned       its contract wallet does not stand by its signature now
    """

    because: RestReason
    until_ms: int


async def held(conn: AsyncConnection, now: int, limit: int, paused: Collection[bytes] = ()) -> list[HeldWithdrawal]:
    """Held withdrawals whose deadline is after the unix second `now`, that are not mined and not `paused` (digests).

    Every account's oldest comes before any account's second: no account can fill `limit` while another waits.
    """
    turn = func.row_number().over(partition_by=withdrawal.c.account_id, order_by=withdrawal.c.seq)
    # one array, because a statement has room for 32,767 parameters only
    resting = bindparam("paused", list(paused), ARRAY(LargeBinary))
    query = (
        select(withdrawal, account.c.address)
        .join(account, account.c.account_id == withdrawal.c.account_id)
        .where(
            withdrawal.c.status == "held",
            withdrawal.c.deadline > now,
            withdrawal.c.withdrawal_hash != all_(resting),
            ~_mined(),
        )
        .order_by(turn, withdrawal.c.seq)
        .limit(limit)
    )
    return [_held(row) for row in await conn.execute(query)]


async def find_held(conn: AsyncConnection, withdrawal_hash: bytes) -> HeldWithdrawal | None:
    """The held withdrawal with this digest."""
    query = (
        select(withdrawal, account.c.address)
        .join(account, account.c.account_id == withdrawal.c.account_id)
        .where(withdrawal.c.status == "held", withdrawal.c.withdrawal_hash == withdrawal_hash)
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _held(row)


async def given_up(conn: AsyncConnection, digests: Collection[bytes] | None = None) -> set[bytes]:
    """Held withdrawals, all or those of `digests`, for which the keeper sends nothing any more.

    As many transactions as it makes for the present number of approvals had no effect.
    """
    approvals = (
        select(func.count())
        .where(withdrawal_approval.c.withdrawal_hash == withdrawal.c.withdrawal_hash)
        .correlate(withdrawal)
        .scalar_subquery()
    )
    subject = func.concat("withdraw/", func.encode(withdrawal.c.withdrawal_hash, "hex"))
    counted = case((approvals > 0, func.concat("/", approvals, "-approvals")), else_="")
    last = func.concat(subject, counted, f"/{MAX_GENERATIONS - 1}")
    over = exists().where(job.c.key == last, or_(job.c.state == JobState.cancelled, job.c.succeeded.is_(False)))
    query = select(withdrawal.c.withdrawal_hash).where(withdrawal.c.status == "held", ~_mined(), over)
    if digests is not None:
        query = query.where(withdrawal.c.withdrawal_hash.in_(digests))
    return set((await conn.execute(query)).scalars())


async def note_rests(conn: AsyncConnection, rests: Mapping[bytes, Rest]) -> None:
    """Say why these withdrawals (by digest) are not sent now; what is said of those not held any more is forgotten."""
    rows = [{"withdrawal_hash": key, "because": rest.because, "until_ms": rest.until_ms} for key, rest in rests.items()]
    row = insert(payout_rest).values(rows)
    new = {"because": row.excluded.because, "until_ms": row.excluded.until_ms}
    await conn.execute(row.on_conflict_do_update(index_elements=["withdrawal_hash"], set_=new))
    held = exists().where(withdrawal.c.withdrawal_hash == payout_rest.c.withdrawal_hash, withdrawal.c.status == "held")
    await conn.execute(delete(payout_rest).where(~held))


async def rests(conn: AsyncConnection, digests: Collection[bytes]) -> Mapping[bytes, Rest]:
    """Why those of these withdrawals are not sent now of which the keeper says so."""
    query = (
        select(payout_rest)
        .join(withdrawal, withdrawal.c.withdrawal_hash == payout_rest.c.withdrawal_hash)
        .where(
            withdrawal.c.status == "held",
            ~_mined(),
            payout_rest.c.withdrawal_hash.in_(digests),
            payout_rest.c.until_ms + REST_NOTED_MS > NOW_MS,
        )
    )
    return {row.withdrawal_hash: Rest(row.because, row.until_ms) for row in await conn.execute(query)}


async def outflow(conn: AsyncConnection, payout: HeldWithdrawal, settled_batch: int) -> int:
    """Ledger units that leave the account's settled balance besides this withdrawal.

    What its trades after batch `settled_batch` pay, the withdrawals held before this one that are not mined,
    and what is reserved for forced ones.
    """
    owner = await conn.scalar(select(account.c.account_id).where(account.c.address == payout.account))
    if owner is None:
        return 0
    return (
        await _paid_by_trades(conn, owner, payout.asset_id, settled_batch)
        + await _sum(
            conn,
            withdrawal.c.amount,
            and_(
                withdrawal.c.account_id == owner,
                withdrawal.c.asset_id == payout.asset_id,
                withdrawal.c.status == "held",
                withdrawal.c.seq < payout.seq,
                ~_mined(),
            ),
        )
        + await _sum(
            conn,
            forced_withdrawal.c.reserved,
            and_(
                forced_withdrawal.c.account_id == owner,
                forced_withdrawal.c.asset_id == payout.asset_id,
                forced_withdrawal.c.status == "reserved",
            ),
        )
    )


async def _paid_by_trades(conn: AsyncConnection, owner: int, asset_id: int, settled_batch: int) -> int:
    """What the account's standing trades after `settled_batch` pay in this asset."""
    total = 0
    for role, fee, buying in (("maker", trade.c.maker_fee, 1), ("taker", trade.c.taker_fee, 0)):
        pays = case(
            (and_(trade.c.taker_side == buying, market.c.quote_asset == asset_id), trade.c.quote + fee),
            (and_(trade.c.taker_side != buying, market.c.base_asset == asset_id), trade.c.quantity * market.c.lot_size),
            else_=0,
        )
        query = (
            select(func.coalesce(func.sum(pays), 0))
            .join(market, market.c.market_id == trade.c.market_id)
            .where(
                trade.c[f"{role}_account_id"] == owner,
                trade.c.reversed_cause.is_(None),
                or_(trade.c.batch.is_(None), trade.c.batch > settled_batch),
            )
        )
        total += int(await conn.scalar(query) or 0)
    return total


async def _sum(conn: AsyncConnection, column: ColumnElement[int], condition: ColumnElement[bool]) -> int:
    return int(await conn.scalar(select(func.coalesce(func.sum(column), 0)).where(condition)) or 0)


def _mined() -> ColumnElement[bool]:
    return exists().where(withdrawal_event.c.withdrawal_hash == withdrawal.c.withdrawal_hash)


def _held(row: Row[Any]) -> HeldWithdrawal:
    return HeldWithdrawal(
        withdrawal_hash=row.withdrawal_hash,
        account=row.address,
        asset_id=row.asset_id,
        amount=row.amount,
        deadline=row.deadline,
        message=row.message,
        signature=row.signature,
        seq=row.seq,
    )
