"""Leadership: one at a time, and who was leader writes no more."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.chain.submission import Call, Fenced
from exchange.database.jobs import JobStore
from exchange.database.leaders import Leadership

SENDER = b"\x11" * 20
CALL = Call(b"\x22" * 20, b"\x01\x02", 21_000, 5)


def store(engine: AsyncEngine, token: int) -> JobStore:
    return JobStore(engine, 31_337, SENDER, "settle", token)


async def test_second_process_waits_until_the_first_resigns(engine: AsyncEngine) -> None:
    first, second = Leadership(engine, "settle", "first"), Leadership(engine, "settle", "second")
    assert await first.try_acquire() == 1
    assert await second.try_acquire() is None
    assert await first.holds()
    await first.resign()
    assert not await first.holds()
    assert await second.try_acquire() == 2
    await second.resign()


async def test_duties_are_led_apart(engine: AsyncEngine) -> None:
    settle, withdraw = Leadership(engine, "settle", "a"), Leadership(engine, "withdraw", "b")
    assert await settle.try_acquire() == 1
    assert await withdraw.try_acquire() == 1
    await settle.resign()
    await withdraw.resign()


async def test_former_leader_writes_nothing(engine: AsyncEngine) -> None:
    first = Leadership(engine, "settle", "first")
    token = await first.try_acquire()
    assert token is not None
    former = store(engine, token)
    assert await former.enqueue("a", "settle", CALL)
    await first.resign()
    second = Leadership(engine, "settle", "second")
    later = await second.try_acquire()
    assert later is not None
    with pytest.raises(Fenced):
        await former.enqueue("b", "settle", CALL)
    assert await store(engine, later).find("b") is None
    await second.resign()


async def test_the_same_key_is_the_same_job(engine: AsyncEngine) -> None:
    leadership = Leadership(engine, "settle", "first")
    token = await leadership.try_acquire()
    assert token is not None
    jobs = store(engine, token)
    assert await jobs.enqueue("a", "settle", CALL)
    assert not await jobs.enqueue("a", "settle", Call(SENDER, b"", 1))
    found = await jobs.find("a")
    assert found is not None
    assert found.call == CALL
    await leadership.resign()
