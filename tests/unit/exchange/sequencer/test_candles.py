"""Candles start where the calendar says, in UTC."""

from datetime import UTC, datetime

import pytest

from exchange.sequencer.candles import INTERVALS, Candles, interval_starts


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        ("1m", "2024-02-29T23:59"),
        ("5m", "2024-02-29T23:55"),
        ("15m", "2024-02-29T23:45"),
        ("30m", "2024-02-29T23:30"),
        ("1h", "2024-02-29T23:00"),
        ("4h", "2024-02-29T20:00"),
        ("1d", "2024-02-29"),
        ("1w", "2024-02-26"),
        ("1M", "2024-02-01"),
    ],
)
def test_interval_starts(interval: str, start: str) -> None:
    assert dict(interval_starts(_ms("2024-02-29T23:59:59")))[interval] == _ms(start)


def test_week_starts_on_monday() -> None:
    for day in range(4, 11):
        assert dict(interval_starts(_ms(f"2024-03-{day:02}T12:00")))["1w"] == _ms("2024-03-04")
    assert dict(interval_starts(_ms("2024-03-11")))["1w"] == _ms("2024-03-11")


def test_trades_of_one_interval_are_one_candle() -> None:
    candles = Candles()
    for at_ms, price in ((60_000, 10), (60_500, 30), (119_999, 5), (120_000, 7)):
        candles.add(1, at_ms, price, 2, price * 2)
    minutes = [candle for candle in candles.all() if candle.interval == "1m"]
    assert [(c.start_ms, c.open, c.high, c.low, c.close, c.trades) for c in minutes] == [
        (60_000, 10, 30, 5, 5, 3),
        (120_000, 7, 7, 7, 7, 1),
    ]
    assert (minutes[0].base_volume, minutes[0].quote_volume) == (6, 90)
    assert {candle.interval for candle in candles.all()} == set(INTERVALS)
