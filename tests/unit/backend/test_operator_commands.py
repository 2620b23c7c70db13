"""What the console leaves for the engine, and how long it waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backend.context import Api
from backend.operator import commands
from exchange.database import engine_inbox
from exchange.database.operator_log import Entry
from exchange.domain.errors import ErrorCode, Refusal


class SlowDatabase:
    """Each look into it takes four seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        self.now += 4
        self.looks += 1
        yield None


async def test_the_wait_for_the_engine_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async def outcome(*_: Any) -> tuple[None, None]:
        return None, None

    database = SlowDatabase()
    monkeypatch.setattr(commands, "monotonic", lambda: database.now)
    monkeypatch.setattr(commands, "POLL_SECONDS", 0)
    monkeypatch.setattr(engine_inbox, "outcome", outcome)
    assert await commands._outcome(cast(Api, database), 1, commands.WAIT_SECONDS) == (None, None)
    assert database.looks == 3


class AwayEngine:
    """A worker that does not follow the engine, with a database that says when it is asked."""

    def __init__(self) -> None:
        self.feed = SimpleNamespace(ready=False)

    def writing(self) -> None:
        raise InterruptedError("posted")


async def test_while_the_engine_is_away_only_halts_and_stops_are_left_for_it() -> None:
    api, entry = cast(Api, AwayEngine()), Entry(b"\1" * 20, "open_market", "BTC-USDC", "a test")
    with pytest.raises(Refusal) as refused:
        await commands.tell_engine(api, entry, "set_market_status", {"market": 1, "status": "open"})
    assert refused.value.code is ErrorCode.unavailable
    with pytest.raises(InterruptedError, match="posted"):
        await commands.tell_engine(api, entry, "set_market_status", {"market": 1, "status": "halted"}, may_wait=True)
