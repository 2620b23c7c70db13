"""Rate limits: token buckets by key, in bounded memory.

A bucket holds at most `burst` tokens and gains `rate` a second; a request takes one. Keys that were
not used longest are forgotten first: a forgotten key starts with a full bucket, which is what an
idle one holds anyway.
"""

import math
from collections import OrderedDict
from collections.abc import Callable

from backend.errors import RateLimited

MAX_KEYS = 100_000


class RateLimiter:
    """Buckets of one kind; `name` is what the refusal calls the key. `clock` is in seconds, monotonic."""

    def __init__(self, name: str, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._name = name
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str | bytes, tuple[float, float]] = OrderedDict()

    def take(self, key: str | bytes, count: int = 1) -> None:
        """Take `count` tokens of `key`; RateLimited when they are not there."""
        now = self._clock()
        tokens, since = self._buckets.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        if tokens < count:
            raise RateLimited(max(1, math.ceil((count - tokens) / self._rate)), self._name)
        self._buckets[key] = (tokens - count, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)


class Connections:
    """Counts open connections by address; at most `limit` each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Whether one more connection of `address` is allowed; if so it is counted until `leave`."""
        count = self._open.get(address, 0)
        if count >= self._limit:
            return False
        self._open[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """A connection of `address` is closed."""
        count = self._open[address] - 1
        if count:
            self._open[address] = count
        else:
            del self._open[address]

    @property
    def total(self) -> int:
        """Open connections."""
        return sum(self._open.values())
