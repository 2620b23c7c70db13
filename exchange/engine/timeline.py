"""What holds from when: values with the times from which they hold, the later ones announced ahead.

A value in force and those to come are all there is; nothing happens when a time comes but that the answer to
`at` changes. So whoever was told of an announcement knows what holds at any time without being told again.
"""

from typing import Generic, TypeVar

T = TypeVar("T")

MAX_ANNOUNCED = 8
"""Changes that may wait for their time."""


class Timeline(Generic[T]):
    """`entries` are (from when, in milliseconds, value), oldest first; there is always one."""

    __slots__ = ("entries",)

    def __init__(self, entries: list[tuple[int, T]]) -> None:
        self.entries = entries

    def index(self, at_ms: int) -> int:
        """Where the entry in force at a time stands; the first one has no beginning."""
        entries = self.entries
        last = len(entries) - 1
        while last and entries[last][0] > at_ms:
            last -= 1
        return last

    def at(self, at_ms: int) -> T:
        """The value in force at a time."""
        return self.entries[self.index(at_ms)][1]

    def between(self, start_ms: int, end_ms: int) -> list[T]:
        """The values in force at some time from `start_ms` on and before `end_ms`."""
        if end_ms <= start_ms:
            return []
        first, last = self.index(start_ms), self.index(end_ms - 1)
        return [value for _, value in self.entries[first : last + 1]]

    def announced(self, at_ms: int) -> int:
        """How many changes wait for their time."""
        return len(self.entries) - 1 - self.index(at_ms)

    def announce(self, at_ms: int, from_ms: int, value: T) -> None:
        """From `from_ms` on `value` holds, whatever was announced for that time or later; what is past is forgotten."""
        first = self.index(at_ms)
        kept = [entry for entry in self.entries[first:] if entry[0] < from_ms]
        self.entries = [*kept, (from_ms, value)]
