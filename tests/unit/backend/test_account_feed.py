"""An account's events after its snapshot: none twice, none missing, whatever overtakes what."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from backend.stream.account_feed import AccountFeed, AccountState
from exchange.engine.events import AccountOpened, BalanceChanged, CountdownSet, Credited, TradeReversed

OWNER = b"\x01" * 20
OTHER = b"\x02" * 20


class Listener:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def push(self, message: bytes) -> None:
        self.messages.append(msgspec.json.decode(message))


class SlowEngine:
    """Answers a question about an account when the test says so, and keeps what was done with it."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[AccountState]] = asyncio.Queue()
        self.done: list[str] = []

    async def follow(self, address: bytes) -> None:
        await asyncio.sleep(0)
        self.done.append(f"follow {address[0]}")

    def leave(self, address: bytes) -> None:
        self.done.append(f"leave {address[0]}")

    async def load(self, address: bytes) -> AccountState:
        self.done.append("ask")
        future: asyncio.Future[AccountState] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(future)
        return await future

    async def answer(self, seq: int, account_id: int | None) -> None:
        future = await self.asked.get()
        future.set_result(AccountState(seq, account_id, {"balances": [], "orders": []}))


def balance(account: int, available: int) -> BalanceChanged:
    """A balance after a change."""
    return BalanceChanged(account, 0, available, 0, 0, 0, 0)


async def test_events_that_the_snapshot_holds_are_dropped_and_later_ones_follow() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OWNER, listener))
    await engine.answer(4, 7)
    snapshot = await engine.asked.get()
    feed.apply(5, 0, balance(7, 50))
    feed.apply(6, 0, balance(7, 60))
    feed.apply(6, 0, balance(8, 1))
    feed.flush()
    assert listener.messages == []
    snapshot.set_result(AccountState(5, 7, {"balances": [], "orders": []}))
    await listening
    feed.flush()
    first, second = listener.messages
    assert (first["type"], first["seq"]) == ("snapshot", 5)
    assert (second["prev_seq"], second["seq"]) == (5, 6)
    assert [event["available"] for event in second["events"]] == ["60"]


async def test_an_account_that_opens_while_it_is_asked_for_misses_nothing() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OWNER, listener))
    question = await engine.asked.get()
    feed.apply(5, 0, AccountOpened(7, OWNER))
    feed.apply(5, 0, balance(7, 50))
    question.set_result(AccountState(4, None, {"balances": [], "orders": []}))
    await listening
    feed.flush()
    assert [message["type"] for message in listener.messages] == ["snapshot", "account"]
    assert listener.messages[1]["events"][0]["available"] == "50"


async def test_an_account_that_opens_later_sends_its_events_from_the_first_on() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OWNER, listener))
    await engine.answer(4, None)
    await listening
    feed.apply(5, 0, AccountOpened(7, OWNER))
    feed.apply(5, 0, Credited(7, 0, 50, "deposit"))
    feed.apply(5, 0, balance(7, 50))
    feed.flush()
    assert engine.done == ["follow 1", "ask"]
    first, second = listener.messages
    assert (first["type"], second["type"], second["prev_seq"], second["seq"]) == ("snapshot", "account", 4, 5)
    assert [event["event"] for event in second["events"]] == ["credited", "balance"]


async def test_an_answer_from_before_a_restart_is_no_snapshot_after_it() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OWNER, listener))
    await engine.answer(1, 7)
    late = await engine.asked.get()
    feed.restart()
    again = await engine.asked.get()
    late.set_result(AccountState(3, 7, {"balances": [], "orders": []}))
    await listening
    feed.apply(8, 0, balance(7, 8))
    feed.flush()
    assert listener.messages == []
    again.set_result(AccountState(9, 7, {"balances": [], "orders": []}))
    for _ in range(10):
        await asyncio.sleep(0)
    feed.flush()
    assert [(message["type"], message["seq"]) for message in listener.messages] == [("snapshot", 9)]


async def test_who_leaves_while_it_begins_is_forgotten() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OWNER, listener))
    question = await engine.asked.get()
    feed.leave(listener)
    question.set_result(AccountState(1, 7, {"balances": [], "orders": []}))
    await listening
    feed.apply(2, 0, balance(7, 1))
    feed.flush()
    assert listener.messages == []
    assert (feed._by_id, feed._watches, feed._dirty, engine.done[-1]) == ({}, {}, set(), "leave 1")


async def test_an_account_is_followed_before_it_is_asked_for_until_its_last_listener_leaves() -> None:
    engine, listeners = SlowEngine(), [Listener(), Listener()]
    feed = AccountFeed(engine.load, engine)
    for listener in listeners:
        listening = asyncio.create_task(feed.listen(OWNER, listener))
        await engine.answer(1, 7)
        await engine.answer(1, 7)
        await listening
    assert engine.done == ["follow 1", "ask", "ask"] * 2
    feed.leave(listeners[0])
    feed.leave(listeners[0])
    assert len(engine.done) == 6
    feed.leave(listeners[1])
    assert engine.done[6:] == ["leave 1"]


async def test_a_listener_that_left_gets_nothing_more() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OWNER, listener))
    await engine.answer(1, 7)
    await engine.answer(1, 7)
    await listening
    feed.leave(listener)
    feed.apply(2, 0, balance(7, 1))
    feed.flush()
    assert len(listener.messages) == 1


async def test_after_a_restart_there_is_a_new_snapshot() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OTHER, listener))
    await engine.answer(1, 7)
    await engine.answer(1, 7)
    await listening
    feed.restart()
    feed.apply(9, 0, balance(7, 9))
    await engine.answer(9, 7)
    await asyncio.sleep(0)
    feed.apply(10, 0, balance(7, 10))
    for _ in range(10):
        await asyncio.sleep(0)
    feed.flush()
    assert [(message["type"], message["seq"]) for message in listener.messages] == [
        ("snapshot", 1),
        ("snapshot", 9),
        ("account", 10),
    ]


async def test_both_sides_are_told_why_their_trade_was_reversed() -> None:
    engine, listeners = SlowEngine(), {OWNER: Listener(), OTHER: Listener()}
    feed = AccountFeed(engine.load, engine)
    for account_id, (address, listener) in enumerate(listeners.items(), 7):
        listening = asyncio.create_task(feed.listen(address, listener))
        await engine.answer(1, account_id)
        await engine.answer(1, account_id)
        await listening
    feed.apply(2, 0, TradeReversed(5, 7, 8, "block 0xab: ledger: too little trading", 0))
    feed.flush()
    for listener in listeners.values():
        (told,) = listener.messages[1]["events"]
        assert (told["event"], told["trade_id"], told["because_of"]) == ("trade_reversed", 5, None)
        assert told["reason"] == "block 0xab: ledger: too little trading"
        assert told["code"] == "insufficient_balance"


async def test_a_countdown_says_when_it_ends_beside_when_it_was_set() -> None:
    engine, listener = SlowEngine(), Listener()
    feed = AccountFeed(engine.load, engine)
    listening = asyncio.create_task(feed.listen(OWNER, listener))
    await engine.answer(4, 7)
    await engine.answer(4, 7)
    await listening
    feed.apply(5, 1_000_500, CountdownSet(7, 1_031))
    feed.flush()
    (event,) = listener.messages[1]["events"]
    assert event == {"event": "countdown", "countdown_at": 1_031, "seq": 5, "at": 1_000_500}
