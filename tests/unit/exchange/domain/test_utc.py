"""Times in words are those that the calendar of the system says."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from exchange.domain.utc import utc

LAST = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(st.integers(min_value=0, max_value=LAST))
@example(LAST)
@example(951_782_400_000)
@example(951_868_799_999)
@example(4_107_542_400_000)
def test_time_is_the_calendars(at_ms: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_ms // 1_000)
    assert utc(at_ms) == expected.isoformat().replace("+00:00", "Z")


def test_every_day_of_800_years_is_the_calendars() -> None:
    first = datetime(1970, 1, 1, tzinfo=UTC)
    for day in range(2 * 146_097):
        assert utc(day * 86_400_000)[:10] == (first + timedelta(days=day)).date().isoformat(), day


def test_time_after_all_calendars_is_told_all_the_same() -> None:
    assert utc(2**63 - 1).endswith("Z")
