"""Counts that cost a scan: read at most every two seconds, once for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from sqlalchemy import Row

PERIOD_SECONDS = 2.0

Counts = tuple[Row[Any], int]
"""The totals of `exchange.database.trades.totals`, and its mismatches."""


class Totals:
    """`load` reads the counts from the database."""

    def __init__(self, load: Callable[[], Awaitable[Counts]]) -> None:
        self._load = load
        self._lock = asyncio.Lock()
        self._kept: tuple[float, Counts] | None = None

    async def read(self) -> Counts:
        """The counts, at most two seconds old."""
        async with self._lock:
            if self._kept is None or monotonic() - self._kept[0] >= PERIOD_SECONDS:
                self._kept = monotonic(), await self._load()
            return self._kept[1]
