"""When changes of a book leave: the first at once, those that follow together, a moment after it."""

import asyncio
import json
from typing import cast

import pytest

from backend.stream import feed as module
from backend.stream.account_feed import Load
from backend.stream.feed import Feed
from exchange.domain.instrument import Market
from exchange.engine.events import LevelChanged
from exchange.sequencer.client import EngineClient

MARKET = Market(1, "BTC/USDC", 2, 0, 10, 1, 1, 2_000, 200, 500, 1_000)


class Sink:
    """Keeps the levels of each message."""

    def __init__(self) -> None:
        self.bids: list[list[list[str]]] = []

    def push(self, message: bytes) -> None:
        self.bids.append(json.loads(message)["bids"])


async def test_a_change_leaves_at_once_and_those_after_it_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 1.0)
    feed = Feed(cast(EngineClient, None), {1: MARKET}, {1: "BTC-USDC"}, cast(Load, None), lambda: 0)
    sink = Sink()
    feed.listen_book(1, sink)
    feed._flush_at = 0.0
    for seq in range(1, 6):
        feed._apply(seq, 0, [LevelChanged(1, 0, 1_000 * seq, 7)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert sink.bids == [[["1000", "7"]]], "with the turn in which it came"
    async with asyncio.timeout(60):
        while len(sink.bids) == 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [price for price, _ in sink.bids[1]] == ["2000", "3000", "4000", "5000"]


class Loop:
    """A clock that stands still, and when calls are due by it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[float] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, _: object) -> None:
        self.due.append(when)


def test_changes_that_leave_late_do_not_delay_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 1.0)
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    feed = Feed(cast(EngineClient, None), {1: MARKET}, {1: "BTC-USDC"}, cast(Load, None), lambda: 0)
    for seq, late_at in ((1, 100.5), (2, 101.25), (3, 105.0), (4, 105.0)):
        feed._apply(seq, 0, [LevelChanged(1, 0, 1_000 * seq, 7)])
        loop.now = late_at
        feed._flush()
    assert loop.due == [100.0, 101.0, 102.0, 105.0], "each a second after the one before was due, and none in the past"
