"""Judges in processes of their own: right verdicts, in order, the accounts in turn, and their end."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from backend.entry.court import AT_HAND, Court, JudgesLost
from backend.entry.judges import JUDGED_SIZE
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Order
from exchange.engine.commands import PlaceOrder
from exchange.journal.codec import encode_command
from exchange.journal.plain import signer_of
from tests.utils.frames import DOMAIN, frame_of
from tests.utils.signing import Signer

OWNER, KEY = Signer("owner"), Signer("key")
PARTY = ("10.0.0.1", OWNER.raw)


def orders(count: int) -> list[Order]:
    return [Order(OWNER.raw, 1, 0, 600_000, 2, n + 1, 2_000_000_000, 0, 10, 0) for n in range(count)]


def signed(chosen: list[Order], by: Signer = OWNER) -> bytes:
    return b"".join(order.pack() + by.key.sign(DOMAIN.order_hash(order)) for order in chosen)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def court() -> AsyncIterator[Court]:
    court = Court(2)
    await court.open()
    yield court
    await court.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_judge() -> AsyncIterator[Court]:
    """A court whose work ends in the order in which it was given out."""
    court = Court(1)
    await court.open()
    yield court
    await court.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_judges_do_not_share_a_processor_while_there_are_others(court: Court) -> None:
    if not hasattr(os, "sched_getaffinity"):  # only Linux lets processors be chosen
        return
    places = [os.sched_getaffinity(process.pid or 0) for process in court._processes]
    assert all(len(place) == 1 for place in places)
    assert len(set().union(*places)) == min(len(places), len(os.sched_getaffinity(0)))


@pytest.mark.asyncio(loop_scope="module")
async def test_every_judge_stands_alone(court: Court) -> None:
    numbers = [process.pid or 0 for process in court._processes]
    assert [os.getsid(number) for number in numbers] == numbers


@pytest.mark.asyncio(loop_scope="module")
async def test_the_judge_on_this_processor_is_given_work_last(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    for here in processors(court):
        monkeypatch.setattr("backend.entry.court.current_processor", lambda here=here: here)
        pieces = court.judge_orders(PARTY, DOMAIN.separator, signed(orders(64)))
        waiting = [judge for judge in court._judges if judge.load]
        assert len(waiting) == 2, "one piece each"
        await asyncio.gather(*pieces)
        piece = court.judge_orders(PARTY, DOMAIN.separator, signed(orders(8)))
        assert [judge.processor == here for judge in court._judges if judge.load] == [len(processors(court)) == 1]
        await asyncio.gather(*piece)


def processors(court: Court) -> set[int]:
    return {judge.processor for judge in court._judges}


@pytest.mark.asyncio(loop_scope="module")
async def test_single_orders_come_back_as_records_in_order(court: Court) -> None:
    chosen = orders(70)
    data = bytearray(signed(chosen[:35]) + signed(chosen[35:], KEY))
    data[145 * 3 + 80 + 32] |= 0x80  # a high s is nobody's
    pieces = court.judge_orders(PARTY, DOMAIN.separator, bytes(data))
    assert len(pieces) == 3, "of at most 32"
    judged = b"".join([await piece for piece in pieces])
    assert len(judged) == 70 * JUDGED_SIZE
    for index, order in enumerate(chosen):
        verdict = judged[JUDGED_SIZE * index : JUDGED_SIZE * (index + 1)]
        if index == 3:
            assert verdict == bytes(JUDGED_SIZE)
            continue
        signer, scheme = (OWNER.raw, Scheme.account) if index < 35 else (KEY.raw, Scheme.delegate)
        signature = bytes(data[145 * index + 80 : 145 * (index + 1)])
        command = PlaceOrder(order, DOMAIN.order_hash(order), int(scheme), signature, signer)
        assert verdict == b"\x01" + encode_command(command)
        assert signer_of(verdict[1:]) == signer


@pytest.mark.asyncio(loop_scope="module")
async def test_frames_are_judged_by_their_bytes(court: Court) -> None:
    frame = frame_of(OWNER, orders(5))
    parts = (frame.separator, frame.scheme, frame.signer, frame.root, frame.signature, frame.orders)
    assert await court.judge_frame(PARTY, *parts) == b""
    assert b"root" in await court.judge_frame(PARTY, *parts[:3], bytes(32), *parts[4:])


@pytest.mark.asyncio(loop_scope="module")
async def test_signer_of_a_digest_is_found(court: Court) -> None:
    digest = DOMAIN.hash("Cancel", {"account": OWNER.raw, "nonce": 7})
    assert await court.find_signer(PARTY, digest, KEY.key.sign(digest)) == KEY.raw
    assert await court.find_signer(PARTY, digest, bytes(65)) == b""


@pytest.mark.asyncio(loop_scope="module")
async def test_account_that_sends_little_waits_for_no_other(one_judge: Court) -> None:
    finished: list[str] = []
    many = one_judge.judge_orders(("x", b"much"), DOMAIN.separator, signed(orders(32)) * 40)
    few = one_judge.judge_orders(("x", b"little"), DOMAIN.separator, signed(orders(8)))
    assert one_judge.waiting > 30
    for future in many:
        future.add_done_callback(lambda _: finished.append("much"))
    for future in few:
        future.add_done_callback(lambda _: finished.append("little"))
    await asyncio.gather(*many, *few)
    assert finished.index("little") <= AT_HAND // 32 + 1


@pytest.mark.asyncio(loop_scope="module")
async def test_address_of_many_accounts_has_no_more_turns_than_one_of_one(one_judge: Court) -> None:
    finished: list[str] = []
    one = signed(orders(32))
    many = [one_judge.judge_orders(("x", bytes([n])), DOMAIN.separator, one)[0] for n in range(40)]
    few = one_judge.judge_orders(("y", b"one"), DOMAIN.separator, one)
    for future in many:
        future.add_done_callback(lambda _: finished.append("many"))
    for future in few:
        future.add_done_callback(lambda _: finished.append("one"))
    await asyncio.gather(*many, *few)
    assert finished.index("one") <= AT_HAND // 32 + 1


async def test_judge_that_dies_is_noticed_and_loses_what_waits() -> None:
    lost: list[bool] = []
    court = Court(1, lost=lambda: lost.append(True))
    await court.open()
    try:
        waiting = court.judge_orders(PARTY, DOMAIN.separator, signed(orders(8)) * 40)
        os.kill(court._processes[0].pid or 0, signal.SIGKILL)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[-1], JudgesLost)
        assert lost == [True]
        later = court.judge_orders(PARTY, DOMAIN.separator, signed(orders(8)))
        with pytest.raises(JudgesLost):
            await later[0]
    finally:
        await court.close()
