"""How often the demo acts: so many actions a second, whoever takes them."""

import asyncio
from collections.abc import Callable


class Pace:
    """Gives turns `per_second` times a second, evenly spaced, in the order in which they are asked for."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._next = clock()

    async def turn(self) -> None:
        """Wait for the next turn. Turns that nobody took are not made up for."""
        now = self._clock()
        self._next = max(self._next + self._interval, now)
        await asyncio.sleep(self._next - now)
