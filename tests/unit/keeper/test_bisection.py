"""Bisection finds exactly what fails, with few trials."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from keeper.bisection import culprits, longest_passing


class Trial:
    """Fails when one of `bad` is among the items; counts how often it was asked."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.asked = 0

    async def __call__(self, items: Sequence[int]) -> str | None:
        self.asked += 1
        wrong = self.bad.intersection(items)
        return f"item {min(wrong)}" if wrong else None


async def test_everything_passes_with_one_trial() -> None:
    trial = Trial(set())
    assert await longest_passing(range(100), trial) == 100
    assert trial.asked == 1


@given(count=st.integers(1, 200), bad=st.integers(0, 199))
def test_longest_passing_ends_before_the_first_failure(count: int, bad: int) -> None:
    trial = Trial({bad})
    assert asyncio.run(longest_passing(range(count), trial)) == min(count, bad)
    assert trial.asked <= 1 + count.bit_length()


@given(count=st.integers(0, 60), bad=st.sets(st.integers(0, 59), max_size=6))
def test_culprits_are_exactly_the_bad_ones_with_their_reasons(count: int, bad: set[int]) -> None:
    present = sorted(number for number in bad if number < count)
    found = asyncio.run(culprits(range(count), Trial(bad), 10))
    assert found == [(number, f"item {number}") for number in present]


async def test_culprits_are_bounded() -> None:
    assert len(await culprits(range(50), Trial(set(range(50))), 4)) == 4


async def test_what_spends_the_proceeds_of_a_culprit_is_a_culprit() -> None:
    """Item 3 needs item 1, which fails."""

    async def trial(items: Sequence[int]) -> str | None:
        if 1 in items:
            return "cannot settle"
        return "too little" if 3 in items else None

    assert [item for item, _ in await culprits(range(5), trial, 10)] == [1, 3]
