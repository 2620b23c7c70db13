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
    feed._flushed_at = 0.0
    for seq in range(1, 6):
        feed._apply(seq, 0, [LevelChanged(1, 0, 1_000 * seq, 7)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert sink.bids == [[["1000", "7"]]], "with the turn in which it came"
    async with asyncio.timeout(60):
        while len(sink.bids) == 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [price for price, _ in sink.bids[1]] == ["2000", "3000", "4000", "5000"]
