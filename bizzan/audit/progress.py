"""What a long audit is doing, and how far it is: a line to standard error every few seconds, and what it took."""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

EVERY_SECONDS = 5.0


class Progress:
    """Tells a person who waits. An audit that is over before the first line tells nothing."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, done: str = "replayed"
    ) -> None:
        self._done = done
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._due = self._started + EVERY_SECONDS
        self._told = False

    def begin(self) -> None:
        """What is counted begins now."""
        self._started = self._clock()
        self._due = self._started + EVERY_SECONDS
        self._told = False

    @contextmanager
    def during(self, doing: str) -> Iterator[None]:
        """Meanwhile something is done of which nobody knows how much is left."""
        over = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(doing, over), name="audit-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _repeat(self, doing: str, over: threading.Event) -> None:
        seconds = 0.0
        while not over.wait(EVERY_SECONDS):
            seconds += EVERY_SECONDS
            self._tell(f"{doing}: {seconds:,.0f} s so far")

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
        print(line, file=self._stream or sys.stderr, flush=True)  # a live console puts its own in place of it
