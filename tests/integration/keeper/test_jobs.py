"""The job store: what is written is what is read, and a requeued job leaves its old attempts behind."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.chain.submission import Attempt, Call, Fees, Inclusion, Job, JobState, Kind
from exchange.database.jobs import WALLET_KEYS, JobStore
from exchange.database.leaders import Leadership
from exchange.database.tables import attempt as attempts

SENDER = b"\x11" * 20
CALL = Call(b"\x22" * 20, b"\x01", 50_000, 2**70)


@pytest.fixture
async def store(engine: AsyncEngine) -> AsyncIterator[JobStore]:
    """The store of a leader, with two jobs queued."""
    leadership = Leadership(engine, "test", "here")
    token = await leadership.try_acquire()
    assert token is not None
    made = JobStore(engine, 31_337, SENDER, "test", token)
    await made.enqueue("a/0", "test", CALL)
    await made.enqueue("a/1", "test", CALL)
    yield made
    await leadership.resign()


def signed(nonce: int, fee: int, kind: Kind = Kind.call) -> Attempt:
    tx_hash = bytes((nonce, fee, kind is Kind.call)).ljust(32)
    return Attempt(tx_hash, nonce, kind, Fees(fee, 1), 50_000, b"raw" + tx_hash, 1_000 + fee)


def mined(attempt: Attempt, succeeded: bool = True) -> Inclusion:
    return Inclusion(attempt.tx_hash, 9, b"\x09" * 32, succeeded, 10**20)


async def the(store: JobStore, key: str) -> Job:
    job = await store.find(key)
    assert job is not None
    return job


async def test_job_is_read_back_with_its_attempts_and_its_block(store: JobStore) -> None:
    first, second = signed(0, 1), signed(0, 2)
    for each in (first, second):
        await store.add_attempt(await the(store, "a/0"), each)
    await store.set_mined(await the(store, "a/0"), mined(second))
    job = await the(store, "a/0")
    assert (job.state, job.nonce, job.call) == (JobState.mined, 0, CALL)
    assert job.attempts == (first, second)
    assert job.inclusion == mined(second)
    assert [each.key for each in await store.unresolved(5)] == ["a/0"]
    assert [each.key for each in await store.queued(5)] == ["a/1"]
    assert await store.cost_since(1_000) == 10**20


async def test_two_jobs_never_hold_one_nonce(store: JobStore) -> None:
    await store.add_attempt(await the(store, "a/0"), signed(0, 1))
    with pytest.raises(IntegrityError, match="ix_job_nonce"):
        await store.add_attempt(await the(store, "a/1"), signed(0, 2))


async def test_requeued_job_starts_with_no_attempts(store: JobStore, engine: AsyncEngine) -> None:
    cancel = signed(0, 2, Kind.cancel)
    for each in (signed(0, 1), cancel):
        await store.add_attempt(await the(store, "a/0"), each)
    await store.set_mined(await the(store, "a/0"), mined(cancel))
    await store.requeue(await the(store, "a/0"), "cancelled")
    job = await the(store, "a/0")
    assert (job.state, job.nonce, job.attempts, job.inclusion) == (JobState.queued, None, (), None)
    async with engine.connect() as conn:
        assert set((await conn.execute(select(attempts.c.outcome))).scalars()) == {"cancelled"}


async def test_same_transaction_signed_again_is_the_same_attempt(store: JobStore) -> None:
    await store.add_attempt(await the(store, "a/0"), signed(0, 1))
    await store.requeue(await the(store, "a/0"), "superseded")
    await store.add_attempt(await the(store, "a/0"), signed(0, 1))
    assert (await the(store, "a/0")).attempts == (signed(0, 1),)


async def test_ended_job_is_unresolved_again_when_its_nonce_is_not_mined(store: JobStore) -> None:
    await store.add_attempt(await the(store, "a/0"), signed(3, 1))
    await store.set_mined(await the(store, "a/0"), mined(signed(3, 1)))
    await store.end(await the(store, "a/0"), JobState.final)
    assert await store.unresolved(4) == []
    assert [job.key for job in await store.unresolved(3)] == ["a/0"]
    await store.set_unmined(await the(store, "a/0"))
    assert (await the(store, "a/0")).state is JobState.sent


async def test_last_calls_leave_out_what_a_contract_wallet_can_make_fail(store: JobStore) -> None:
    await store.enqueue(f"{WALLET_KEYS}12/0", "test", CALL)
    for key, nonce in (("a/0", 0), (f"{WALLET_KEYS}12/0", 1)):
        each = signed(nonce, nonce + 1)
        await store.add_attempt(await the(store, key), each)
        await store.set_mined(await the(store, key), mined(each, False))
        await store.end(await the(store, key), JobState.reverted)
    assert await store.last_calls(5) == [(False, 1_001)]


async def test_last_calls_tell_failures_from_successes(store: JobStore) -> None:
    for key, nonce, succeeded in (("a/0", 0, True), ("a/1", 1, False)):
        each = signed(nonce, nonce + 1)
        await store.add_attempt(await the(store, key), each)
        await store.set_mined(await the(store, key), mined(each, succeeded))
        await store.end(await the(store, key), JobState.final if succeeded else JobState.reverted)
    assert await store.last_calls(5) == [(False, 1_002), (True, 1_001)]


async def test_generations_are_those_of_one_subject(store: JobStore) -> None:
    await store.enqueue("ab/0", "test", CALL)
    assert [job.key for job in await store.generations("a")] == ["a/0", "a/1"]


async def test_calls_of_a_day_are_read_back_with_their_times(store: JobStore) -> None:
    await store.enqueue("c/0", "other", CALL)
    rows = await store.calls_since("test", 0)
    assert [(key, call) for _, key, call in rows] == [("a/0", CALL), ("a/1", CALL)]
    assert await store.calls_since("test", rows[-1][0] + 1) == []
