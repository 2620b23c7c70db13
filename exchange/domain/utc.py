"""A time in milliseconds as people read it, without a clock or a calendar of the system's: `2026-11-27T08:40:00Z`."""

_DAYS = 146_097
"""Days of 400 years."""
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def utc(at_ms: int) -> str:
    """The second of a time, from 1970 on, in UTC and by ISO 8601."""
    days, second = divmod(at_ms // 1_000, 86_400)
    year = 1970 + days * 400 // _DAYS
    while _days_before(year) > days:
        year -= 1
    while _days_before(year + 1) <= days:
        year += 1
    month, day = 0, days - _days_before(year)
    while day >= (length := _MONTHS[month] + (month == 1 and _is_leap(year))):
        month, day = month + 1, day - length
    hour, minute = second // 3_600, second // 60 % 60
    return f"{year:04}-{month + 1:02}-{day + 1:02}T{hour:02}:{minute:02}:{second % 60:02}Z"


def _days_before(year: int) -> int:
    """Days from 1970 to a year's first."""
    last = year - 1
    return 365 * (year - 1970) + (last // 4 - last // 100 + last // 400) - (1969 // 4 - 1969 // 100 + 1969 // 400)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
