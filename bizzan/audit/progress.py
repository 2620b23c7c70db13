"""How far a long audit is: a line to standard error every few seconds, and what it took at the end."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import TextIO

EVERY_SECONDS = 5.0


class Progress:
    """Tells a person who waits. An audit that is over before the first line tells nothing."""

    def __init__(
        self, stream: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic, done: str = "replayed"
    ) -> None:
        self._done = done
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._due = self._started + EVERY_SECONDS
        self._told = False

    def __call__(self, seq: int, last: int) -> None:
        """A sequence is done, of so many."""
        now = self._clock()
        if now < self._due:
            return
        self._due, self._told = now + EVERY_SECONDS, True
        rate = seq / (now - self._started)
        left = (last - seq) / rate
        self._tell(f"{self._done} {seq:,} of {last:,} records, {rate:,.0f} a second, about {left:,.0f} s left")

    def end(self, seq: int) -> None:
        """All that can be read is done."""
        if not self._told:
            return
        seconds = self._clock() - self._started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024
        self._tell(
            f"{self._done} {seq:,} records in {seconds:,.0f} s, {seq / seconds:,.0f} a second, with {memory:,} MB"
        )

    def _tell(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
