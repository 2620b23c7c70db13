"""Finding what makes a batch fail, with few trials. Pure but for the trial that is passed in.

Per market, what is bought must equal what is sold, so a batch can only be tried with whole trades, never
with single executions. Trades are tried in journal order: whatever a trade spends came from before it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Trial = Callable[[Sequence[T]], Awaitable[str | None]]
"""Why these items would fail together, None if they would not."""


@dataclass(frozen=True, slots=True)
class Parted(Generic[T]):
    """Items in their order: `good` pass together, each of `bad` fails after the good ones before it, and why.

    `rest` were not looked at.
    """

    good: list[T]
    bad: list[tuple[T, str]]
    rest: list[T]


async def longest_passing(items: Sequence[T], trial: Trial[T]) -> int:
    """How many of the first items pass together; the search assumes that what follows a failure fails."""
    if await trial(items) is None:
        return len(items)
    return (await _bisect(items, trial, 0, len(items), ""))[0]


async def part(items: Sequence[T], trial: Trial[T], more: Callable[[], bool]) -> Parted[T]:
    """Tell the items that fail from those that pass without them: the first, and others while there is `more` time.

    One trial for each item that fails where they stand close together; between them twice the logarithm of what
    passes. Nothing must be wrong with the empty batch: try it first.
    """
    good: list[T] = []
    bad: list[tuple[T, str]] = []
    rest = list(items)
    while rest and (not bad or more()):
        base = list(good)

        async def after_the_good(some: Sequence[T], base: list[T] = base) -> str | None:
            return await trial([*base, *some])

        passing, reason = await _gallop(rest, after_the_good)
        good += rest[:passing]
        bad += [(item, reason) for item in rest[passing : passing + 1]]
        rest = rest[passing + 1 :]
    return Parted(good, bad, rest)


async def _gallop(items: Sequence[T], trial: Trial[T]) -> tuple[int, str]:
    """How many of the first items pass, and why one more fails: tries 1, 2, 4 and so on, then bisects."""
    low, size = 0, 1
    while low < len(items):
        size = min(size, len(items))
        reason = await trial(items[:size])
        if reason is not None:
            return await _bisect(items, trial, low, size, reason)
        low, size = size, 2 * size
    return low, ""


async def _bisect(items: Sequence[T], trial: Trial[T], low: int, high: int, reason: str) -> tuple[int, str]:
    """The longest run between `low`, which passes, and `high`, which fails for `reason`, and why one more fails."""
    while high - low > 1:
        middle = (low + high) // 2
        refusal = await trial(items[:middle])
        if refusal is None:
            low = middle
        else:
            high, reason = middle, refusal
    return low, reason
