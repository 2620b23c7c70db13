"""The fee formulas: down, per fill and in sum, never above the cap; what raises fees and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.fees import MAX_TIERS, Schedule, TakerFees, cap_for, cap_for_floor, fee_of, most_of

PLAIN = Schedule(((200, 500),))
TIERED = Schedule(((200, 500), (100, 400)), 7)

quotes = st.lists(st.integers(1, 10**9), min_size=1, max_size=12)
rates = st.integers(0, 10_000)


@pytest.mark.parametrize(("quote", "ppm", "fee"), [(10_000, 500, 5), (9_999, 500, 4), (1, 999_999, 0), (7, 0, 0)])
def test_fees_round_down(quote: int, ppm: int, fee: int) -> None:
    assert fee_of(quote, ppm) == fee


def test_a_rate_is_finer_than_a_basis_point() -> None:
    assert [fee_of(1_000_000, ppm) for ppm in (25, 50, 100)] == [25, 50, 100]
    assert [cap_for(ppm) for ppm in (0, 1, 100, 101)] == [0, 1, 1, 2]


@given(quotes, rates, st.integers(0, 10**6), st.integers(0, 10_000))
def test_a_taker_pays_rate_or_floor_and_no_fill_more_than_its_cap(
    fills: list[int], ppm: int, floor: int, cap_bps: int
) -> None:
    cap_bps = max(cap_bps, cap_for(ppm))
    fees = TakerFees(ppm, floor, cap_bps)
    charged = [fees.charge(quote) for quote in fills]
    assert all(0 <= fee <= most_of(quote, cap_bps) for fee, quote in zip(charged, fills, strict=True))
    assert sum(charged) * 10_000 <= sum(fills) * cap_bps
    due = max(sum(fee_of(quote, ppm) for quote in fills), floor)
    assert sum(charged) <= due
    if most_of(fills[0], cap_bps) >= floor:
        assert sum(charged) == due


def test_the_floor_counts_towards_the_fees_of_later_fills() -> None:
    fees = TakerFees(500, 100, 10)
    assert [fees.charge(quote) for quote in (60_000, 60_000, 60_000, 400_000)] == [60, 40, 0, 190]
    assert sum((60, 40, 0, 190)) == fee_of(580_000, 500)


@given(st.integers(1, 10**6), st.integers(1, 10**9))
def test_the_cap_for_a_floor_is_the_lowest_that_pays_it(floor: int, notional: int) -> None:
    cap = cap_for_floor(floor, notional)
    assert most_of(notional, cap) >= floor > most_of(notional, cap - 1)


def test_a_tier_beyond_the_last_has_the_last_ones_rates() -> None:
    assert [TIERED.rates(tier) for tier in (0, 1, 2, 15)] == [(200, 500), (100, 400), (100, 400), (100, 400)]


@pytest.mark.parametrize(
    ("new", "old", "raises"),
    [
        (PLAIN, PLAIN, False),
        (Schedule(((200, 499),)), PLAIN, False),
        (Schedule(((201, 0),)), PLAIN, True),
        (Schedule(((200, 500), (100, 100))), PLAIN, False),
        (PLAIN, TIERED, True),
        (Schedule(((100, 400),), 7), TIERED, False),
        (Schedule(((200, 500),), 1), PLAIN, True),
    ],
)
def test_a_schedule_raises_when_anybody_pays_more(new: Schedule, old: Schedule, raises: bool) -> None:
    assert new.raises(old) is raises


@pytest.mark.parametrize(
    ("schedule", "flaw"),
    [
        (Schedule(()), "1 to 16 tiers"),
        (Schedule(((0, 0),) * (MAX_TIERS + 1)), "1 to 16 tiers"),
        (Schedule(((0, 10_001),)), "0 to 10000 parts per million"),
        (Schedule(((-1, 0),)), "0 to 10000 parts per million"),
        (Schedule(((1, 1), (1, 2))), "must not rise with the tier"),
        (Schedule(((1, 1),), -1), "floor must not be negative"),
    ],
)
def test_what_is_no_schedule_says_why(schedule: Schedule, flaw: str) -> None:
    assert [text for text in schedule.flaws(100) if flaw in text]
    assert not list(TIERED.flaws(100))
    assert list(TIERED.flaws(0))
