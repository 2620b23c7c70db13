"""How long the console waits for the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from backend.context import Api
from backend.operator import commands
from exchange.database import engine_inbox


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
