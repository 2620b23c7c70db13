"""Bisection finds exactly what fails, with few trials."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from keeper.bisection import longest_passing, part


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


def always() -> bool:
    return True


@given(count=st.integers(0, 60), bad=st.sets(st.integers(0, 59), max_size=6))
def test_items_are_parted_exactly_with_their_reasons(count: int, bad: set[int]) -> None:
    present = sorted(number for number in bad if number < count)
    parted = asyncio.run(part(range(count), Trial(bad), always))
    assert parted.bad == [(number, f"item {number}") for number in present]
    assert parted.good == [number for number in range(count) if number not in bad]
    assert parted.rest == []


async def test_one_trial_is_enough_for_each_where_all_fail() -> None:
    trial = Trial(set(range(100)))
    assert len((await part(range(100), trial, always)).bad) == 100
    assert trial.asked == 100


async def test_one_failure_among_many_takes_few_trials() -> None:
    trial = Trial({700})
    assert [item for item, _ in (await part(range(1_000), trial, always)).bad] == [700]
    assert trial.asked < 4 * (1_000).bit_length()


async def test_what_there_was_no_time_for_is_told_apart() -> None:
    trial = Trial({3, 5, 7})
    parted = await part(range(10), trial, iter([True, False]).__next__)
    assert (parted.good, [item for item, _ in parted.bad], parted.rest) == ([0, 1, 2, 4], [3, 5], [6, 7, 8, 9])


async def test_what_spends_the_proceeds_of_a_culprit_is_a_culprit() -> None:
    """Item 3 needs item 1, which fails."""

    async def trial(items: Sequence[int]) -> str | None:
        if 1 in items:
            return "cannot settle"
        return "too little" if 3 in items else None

    assert [item for item, _ in (await part(range(5), trial, always)).bad] == [1, 3]
