"""How much processor time the host of a machine gave to others: with much of it, latencies say little."""

from pathlib import Path
from typing import NamedTuple

STAT = Path("/proc/stat")
STOLEN, COUNTED = 7, 8
"""The place of stolen time in the first line of `/proc/stat`, and how many kinds before guests' make up all time."""


class Clock(NamedTuple):
    """Ticks of all processors since the machine started."""

    stolen: int = 0
    total: int = 0

    def share_since(self, before: "Clock") -> float:
        """What share of the time since then was stolen, between 0 and 1."""
        return round((self.stolen - before.stolen) / max(self.total - before.total, 1), 3)


def clock() -> Clock:
    """Now; nothing where the system does not tell."""
    if not STAT.exists():
        return Clock()
    ticks = [int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:]]
    return Clock(ticks[STOLEN], sum(ticks[:COUNTED])) if len(ticks) >= COUNTED else Clock()
