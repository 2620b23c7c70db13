"""Jobs and attempts of one sender: the store behind the submitter.

Every write is one transaction that first checks, and locks against change, the fencing token: a former
leader that wakes up late writes nothing.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.chain.submission import Attempt, Call, Fees, Inclusion, Job, JobState, Kind
from exchange.database.leaders import check_token
from exchange.database.tables import attempt as attempts
from exchange.database.tables import job as jobs
from exchange.database.tables.columns import NOW_MS

WALLET_KEYS = "wallet-withdraw/"
"""How the keys of jobs begin that a contract wallet can make fail at will."""
MAX_GENERATIONS = 32
"""Jobs that may be made for the same thing before a person has to look."""

HOLDING = (JobState.sent, JobState.mined)
LIVE = (JobState.queued, *HOLDING)


class JobStore:
    """The rows of one sender on one chain, written under the token of one leader of `leader_duty`."""

    def __init__(self, engine: AsyncEngine, chain_id: int, sender: bytes, leader_duty: str, token: int) -> None:
        self._engine = engine
        self._chain_id = chain_id
        self._sender = sender
        self._leader_duty = leader_duty
        self._token = token

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as conn:
            await check_token(conn, self._leader_duty, self._token)
            yield conn

    def _mine(self) -> ColumnElement[bool]:
        return and_(jobs.c.chain_id == self._chain_id, jobs.c.sender == self._sender)

    async def unresolved(self, mined_nonce: int) -> list[Job]:
        """Jobs that hold a nonce and have not ended, or ended on a nonce that is not mined; by nonce."""
        return await self._load(
            and_(jobs.c.nonce.is_not(None), or_(jobs.c.state.in_(HOLDING), jobs.c.nonce >= mined_nonce))
        )

    async def queued(self, limit: int) -> list[Job]:
        """The oldest jobs without a nonce."""
        return await self._load(jobs.c.state == JobState.queued, limit)

    async def find(self, key: str) -> Job | None:
        """The job `key`, in any state."""
        found = await self._load(jobs.c.key == key)
        return found[0] if found else None

    async def live(self, duty: str) -> list[Job]:
        """The jobs of a duty that have not ended."""
        return await self._load(and_(jobs.c.duty == duty, jobs.c.state.in_(LIVE)))

    async def calls_since(self, duty: str, since_ms: int) -> list[tuple[int, str, Call]]:
        """When each of a duty's jobs since then was made, its key and its call; oldest first."""
        query = (
            select(jobs.c.created_at, jobs.c.key, jobs.c.payload)
            .where(self._mine(), jobs.c.duty == duty, jobs.c.created_at >= since_ms)
            .order_by(jobs.c.created_at)
        )
        async with self._engine.connect() as conn:
            return [(row.created_at, row.key, decode_call(row.payload)) for row in await conn.execute(query)]

    async def generations(self, subject: str) -> list[Job]:
        """The jobs made one after the other for the same thing: `subject`/0, `subject`/1, ..."""
        keys = [f"{subject}/{number}" for number in range(MAX_GENERATIONS)]
        return sorted(await self._load(jobs.c.key.in_(keys)), key=lambda job: job.job_id)

    async def enqueue(self, key: str, duty: str, call: Call) -> bool:
        """Add a job; False (and no change) if the key exists."""
        row = {
            "chain_id": self._chain_id,
            "sender": self._sender,
            "key": key,
            "duty": duty,
            "state": JobState.queued.value,
            "payload": encode_call(call),
        }
        async with self._write() as conn:
            done = await conn.execute(
                upsert(jobs).values(row).on_conflict_do_nothing(index_elements=["key"]).returning(jobs.c.job_id)
            )
            return done.first() is not None

    async def add_attempt(self, job: Job, attempt: Attempt) -> None:
        """Write down a signed transaction: the job is `sent` on its nonce."""
        row = {
            "tx_hash": attempt.tx_hash,
            "job_id": job.job_id,
            "chain_id": self._chain_id,
            "sender": self._sender,
            "kind": attempt.kind.value,
            "nonce": attempt.nonce,
            "max_fee": attempt.fees.max_fee,
            "priority_fee": attempt.fees.priority_fee,
            "gas_limit": attempt.gas,
            "raw": attempt.raw,
            "sent_at": attempt.sent_at,
            "outcome": "live",
            "fencing_token": self._token,
        }
        async with self._write() as conn:
            # after a reorg beyond finality the same call may be signed on the same nonce again: the same transaction
            await conn.execute(upsert(attempts).values(row).on_conflict_do_update(index_elements=["tx_hash"], set_=row))
            await self._change(conn, job, state=JobState.sent, nonce=attempt.nonce, attempts=jobs.c.attempts + 1)

    async def set_mined(self, job: Job, inclusion: Inclusion) -> None:
        """The job stands in a block; its other attempts were replaced."""
        place = {"block_number": inclusion.block_number, "block_hash": inclusion.block_hash}
        async with self._write() as conn:
            await self._change(
                conn, job, state=JobState.mined, succeeded=inclusion.succeeded, tx_hash=inclusion.tx_hash, **place
            )
            await self._outcome(conn, job, "replaced")
            outcome = "mined" if inclusion.succeeded else "reverted"
            await conn.execute(
                update(attempts)
                .where(attempts.c.tx_hash == inclusion.tx_hash)
                .values(outcome=outcome, cost=inclusion.cost, **place)
            )

    async def set_unmined(self, job: Job) -> None:
        """A reorg put the job back to `sent`."""
        nothing = {"block_number": None, "block_hash": None}
        async with self._write() as conn:
            await self._change(conn, job, state=JobState.sent, succeeded=None, tx_hash=None, **nothing)
            await self._outcome(conn, job, "live", cost=None, **nothing)

    async def end(self, job: Job, state: JobState) -> None:
        """The job is over: final, reverted or cancelled."""
        async with self._write() as conn:
            await self._change(conn, job, state=state)
            mined = job.inclusion.tx_hash if job.inclusion else b""
            await conn.execute(update(attempts).where(attempts.c.tx_hash == mined).values(outcome=state.value))

    async def requeue(self, job: Job, outcome: str) -> None:
        """The nonce is gone without the call: the job waits for another; its attempts end with `outcome`."""
        async with self._write() as conn:
            await self._outcome(conn, job, outcome)
            await self._change(
                conn,
                job,
                state=JobState.queued,
                nonce=None,
                succeeded=None,
                tx_hash=None,
                block_number=None,
                block_hash=None,
            )

    async def request_cancel(self, job_id: int) -> None:
        """Cancel a queued job at once, mark one that was sent."""
        async with self._write() as conn:
            same = jobs.c.job_id == job_id
            await conn.execute(
                update(jobs).where(same, jobs.c.state.in_(LIVE)).values(cancel_requested=True, updated_at=NOW_MS)
            )
            await conn.execute(
                update(jobs).where(same, jobs.c.state == JobState.queued).values(state=JobState.cancelled.value)
            )

    async def cost_since(self, since_ms: int) -> int:
        """Wei paid for gas by transactions signed since `since_ms`."""
        async with self._engine.connect() as conn:
            total = await conn.scalar(
                select(func.coalesce(func.sum(attempts.c.cost), 0)).where(
                    attempts.c.chain_id == self._chain_id,
                    attempts.c.sender == self._sender,
                    attempts.c.sent_at >= since_ms,
                )
            )
        return int(total or 0)

    async def last_calls(self, limit: int) -> list[tuple[bool, int]]:
        """Of the latest mined calls, newest first: whether each succeeded, and when it was signed.

        Those that a contract wallet can make fail at will are left out.
        """
        async with self._engine.connect() as conn:
            rows = await conn.execute(
                select(attempts.c.outcome, attempts.c.sent_at)
                .join(jobs, jobs.c.job_id == attempts.c.job_id)
                .where(
                    ~jobs.c.key.startswith(WALLET_KEYS),
                    attempts.c.chain_id == self._chain_id,
                    attempts.c.sender == self._sender,
                    attempts.c.kind == Kind.call,
                    attempts.c.outcome.in_(("mined", "final", "reverted")),
                )
                .order_by(attempts.c.sent_at.desc())
                .limit(limit)
            )
            return [(row.outcome != "reverted", row.sent_at) for row in rows]

    async def _change(self, conn: AsyncConnection, job: Job, **values: Any) -> None:
        await conn.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(updated_at=NOW_MS, **values))

    async def _outcome(self, conn: AsyncConnection, job: Job, outcome: str, **values: Any) -> None:
        present = and_(attempts.c.job_id == job.job_id, attempts.c.nonce == job.nonce)
        await conn.execute(update(attempts).where(present).values(outcome=outcome, **values))

    async def _load(self, condition: ColumnElement[bool], limit: int | None = None) -> list[Job]:
        query = (
            select(jobs)
            .where(self._mine(), condition)
            .order_by(jobs.c.nonce.asc().nulls_last(), jobs.c.job_id)
            .limit(limit)
        )
        async with self._engine.connect() as conn:
            rows = (await conn.execute(query)).all()
            held = [row.job_id for row in rows if row.nonce is not None]
            tries = await _attempts(conn, held) if held else []
        by_job: dict[int, list[Row[Any]]] = {}
        for row in tries:
            by_job.setdefault(row.job_id, []).append(row)
        return [_job(row, by_job.get(row.job_id, [])) for row in rows]


async def _attempts(conn: AsyncConnection, job_ids: list[int]) -> Sequence[Row[Any]]:
    """The attempts on the present nonces of these jobs, oldest first."""
    query = (
        select(attempts)
        .join(jobs, and_(jobs.c.job_id == attempts.c.job_id, jobs.c.nonce == attempts.c.nonce))
        .where(attempts.c.job_id.in_(job_ids))
        .order_by(attempts.c.max_fee, attempts.c.sent_at)
    )
    return (await conn.execute(query)).all()


def _job(row: Row[Any], tries: list[Row[Any]]) -> Job:
    costs = {t.tx_hash: t.cost for t in tries}
    inclusion = None
    if row.tx_hash is not None:
        inclusion = Inclusion(
            row.tx_hash, row.block_number, row.block_hash, row.succeeded, int(costs.get(row.tx_hash) or 0)
        )
    return Job(
        job_id=row.job_id,
        key=row.key,
        duty=row.duty,
        call=decode_call(row.payload),
        state=JobState(row.state),
        nonce=row.nonce,
        cancel_requested=row.cancel_requested,
        attempts=tuple(_attempt(t) for t in tries),
        inclusion=inclusion,
        created_at=row.created_at,
    )


def _attempt(row: Row[Any]) -> Attempt:
    fees = Fees(int(row.max_fee), int(row.priority_fee))
    return Attempt(row.tx_hash, row.nonce, Kind(row.kind), fees, row.gas_limit, row.raw, row.sent_at)


def encode_call(call: Call) -> dict[str, object]:
    """A call as the column `payload` holds it."""
    return {"to": "0x" + call.to.hex(), "data": "0x" + call.data.hex(), "gas": call.gas, "value": str(call.value)}


def decode_call(payload: dict[str, Any]) -> Call:
    """The call in a `payload`."""
    return Call(
        to=bytes.fromhex(payload["to"][2:]),
        data=bytes.fromhex(payload["data"][2:]),
        gas=payload["gas"],
        value=int(payload["value"]),
    )
