"""Candles: trades summed by interval, in UTC.

A week starts on Monday, a month on its first day; every other interval divides the day. Volumes are lots and quote
ledger units.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE_MS = 60_000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
FIRST_MONDAY_MS = 4 * DAY_MS  # 1970-01-05

FIXED_INTERVALS: dict[str, int] = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "1d": DAY_MS,
}
WEEK = "1w"
MONTH = "1M"
INTERVALS = (*FIXED_INTERVALS, WEEK, MONTH)


@dataclass(slots=True)
class Candle:
    """What was traded in one market during one interval."""

    market_id: int
    interval: str
    start_ms: int
    open: int
    high: int
    low: int
    close: int
    base_volume: int = 0
    quote_volume: int = 0
    trades: int = 0

    def add(self, price: int, quantity: int, quote: int) -> None:
        """A later trade of the same interval."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.base_volume += quantity
        self.quote_volume += quote
        self.trades += 1


class Candles:
    """The candles that a run of trades touches."""

    def __init__(self) -> None:
        self._candles: dict[tuple[int, str, int], Candle] = {}
        self._starts: dict[int, tuple[tuple[str, int], ...]] = {}

    def add(self, market: int, at_ms: int, price: int, quantity: int, quote: int) -> None:
        """Count one trade in every interval; trades come in order."""
        minute = at_ms - at_ms % MINUTE_MS
        starts = self._starts.get(minute)
        if starts is None:
            starts = self._starts[minute] = interval_starts(minute)
        for interval, start_ms in starts:
            key = (market, interval, start_ms)
            candle = self._candles.get(key)
            if candle is None:
                candle = self._candles[key] = Candle(market, interval, start_ms, price, price, price, price)
            candle.add(price, quantity, quote)

    def all(self) -> list[Candle]:
        """The candles, in order of first trade."""
        return list(self._candles.values())


def interval_starts(at_ms: int) -> tuple[tuple[str, int], ...]:
    """Each interval with the start of the one that holds `at_ms`."""
    fixed = tuple((name, at_ms - at_ms % length) for name, length in FIXED_INTERVALS.items())
    week = at_ms - (at_ms - FIRST_MONDAY_MS) % WEEK_MS
    return (*fixed, (WEEK, week), (MONTH, month_start(at_ms)))


def month_start(at_ms: int) -> int:
    """The first millisecond of the month that holds `at_ms`."""
    moment = datetime.fromtimestamp(at_ms // 1_000, UTC)
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
