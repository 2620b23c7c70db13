"""What each of many may spend, by time."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")

MAX_SPENDERS = 10_000


class Budget(Generic[K]):
    """What each may spend: `at_once`, and then `per_second`. `clock` gives seconds."""

    def __init__(self, at_once: int, per_second: int, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._seconds = at_once / per_second
        self._clock = clock
        self._until: dict[K, float] = {}
        """When what one has spent will be forgotten."""
        self._clean_at = MAX_SPENDERS

    def wait_ms(self, key: K) -> int:
        """How long this one has to wait, 0 for not at all."""
        wait = self._until.get(key, 0.0) - self._clock()
        return int((wait - self._seconds) * 1_000) + 1 if wait > self._seconds else 0

    def spend(self, key: K, amount: int) -> None:
        """This one has spent so much, or gets it back where it is negative."""
        if amount < 0:
            if key in self._until:
                self._until[key] += amount / self._per_second
            return
        now = self._clock()
        if len(self._until) >= self._clean_at:
            self._until = {key: until for key, until in self._until.items() if until > now}
            self._clean_at = max(MAX_SPENDERS, 2 * len(self._until))
        self._until[key] = max(self._until.get(key, 0.0), now) + amount / self._per_second
