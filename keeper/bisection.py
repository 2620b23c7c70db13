"""Finding what makes a batch fail, with few trials. Pure but for the trial that is passed in.

Per market, what is bought must equal what is sold, so a batch can only be tried with whole trades, never
with single executions. Trades are tried in journal order: whatever a trade spends came from before it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Trial = Callable[[Sequence[T]], Awaitable[str | None]]
"""Why these items would fail together, None if they would not."""


async def longest_passing(items: Sequence[T], trial: Trial[T]) -> int:
    """How many of the first items pass together; the search assumes that what follows a failure fails."""
    if await trial(items) is None:
        return len(items)
    low, high = 0, len(items)
    while high - low > 1:
        middle = (low + high) // 2
        if await trial(items[:middle]) is None:
            low = middle
        else:
            high = middle
    return low


async def culprits(items: Sequence[T], trial: Trial[T], limit: int) -> list[tuple[T, str]]:
    """The items without which the rest passes, each with the reason it fails after those before it.

    At most `limit` are looked for. Nothing must be wrong with the empty batch: try it first.
    """
    found: list[tuple[T, str]] = []
    good: list[T] = []
    rest = list(items)
    while rest and len(found) < limit:
        base = list(good)

        async def after_the_good(some: Sequence[T], base: list[T] = base) -> str | None:
            return await trial([*base, *some])

        passing = await longest_passing(rest, after_the_good)
        good += rest[:passing]
        if passing < len(rest):
            reason = await trial([*good, rest[passing]])
            if reason is not None:
                found.append((rest[passing], reason))
            else:  # the chain moved between two trials
                good.append(rest[passing])
        rest = rest[passing + 1 :]
    return found
