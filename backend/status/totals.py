"""Counts that cost a scan: read once for all who ask, at most every two seconds, and more rarely as they grow."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy import Row

from exchange.database.fees import FeeTotals
from exchange.database.publication import Published

PERIOD_SECONDS = 2.0
LONGEST_PERIOD_SECONDS = 10.0
COUNTING_SHARE = 20
"""Counting takes one part in this many of the time, as long as the longest period allows it."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What all accounts have in trading and funding at `block`, in ledger units by token id."""

    block: int
    amounts: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Counts:
    """What `exchange.database` counts.

    Trades, mismatches, withdrawals given up, fees, the markets that divert them, how far the journal is published, and
    what users own.
    """

    trades: Row[Any]
    mismatches: int
    given_up: int
    fees: FeeTotals
    diverted: Sequence[str]
    published: Published
    owned: Owned


class Totals:
    """`load` reads the counts from the database."""

    def __init__(self, load: Callable[[], Awaitable[Counts]]) -> None:
        self._load = load
        self._lock = asyncio.Lock()
        self._kept: Counts | None = None
        self._until = 0.0

    async def read(self) -> Counts:
        """The counts, two seconds old at most, or up to ten when they have become slow to read."""
        async with self._lock:
            if self._kept is None or monotonic() >= self._until:
                began = monotonic()
                self._kept = await self._load()
                done = monotonic()
                pause = min(max(PERIOD_SECONDS, COUNTING_SHARE * (done - began)), LONGEST_PERIOD_SECONDS)
                self._until = done + pause
            return self._kept
