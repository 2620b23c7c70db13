"""The price series that the demo replays: BTC hour by hour, ETH from the daily ratio of the two.

BTC is the hourly close. ETH/BTC is the daily close of one over the daily close of the other, joined by straight
lines, so that the three markets agree at every hour. Prices are exact decimals; the series starts with the
first day on which ETH has a price.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bizzan.demo.download import DAILY, HOURLY

RATIO_DIGITS = Decimal("0.00000001")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one hour: USD per BTC, and BTC per ETH."""

    at: datetime
    btc: Decimal
    eth_btc: Decimal

    @property
    def eth(self) -> Decimal:
        """USD per ETH, as the two others imply."""
        return (self.btc * self.eth_btc).quantize(CENT)


def load(folder: Path) -> list[Prices]:
    """The series in time order. Raises FileNotFoundError when it was not fetched."""
    ratios = _daily_ratios(folder / DAILY)
    closes = [at for at, _ in ratios]
    return [
        Prices(at, btc, _between(ratios, bisect_right(closes, at), at))
        for at, btc in _hourly_btc(folder / HOURLY)
        if closes[0] <= at < closes[-1]
    ]


def start_near(series: Sequence[Prices], btc: Decimal, eth_btc: Decimal) -> int:
    """The index of the hour whose prices are nearest, in relative terms, to those at which markets opened."""

    def distance(index: int) -> Decimal:
        hour = series[index]
        return abs(hour.btc / btc - 1) + abs(hour.eth_btc / eth_btc - 1)

    return min(range(len(series)), key=distance)


def _hourly_btc(path: Path) -> list[tuple[datetime, Decimal]]:
    with path.open(newline="") as lines:
        next(lines)  # a line on the source stands above the header
        rows = [
            (datetime.strptime(row["date"], "%Y-%m-%d %I-%p").replace(tzinfo=UTC), Decimal(row["close"]))
            for row in csv.DictReader(lines)
        ]
    return sorted(rows)


def _daily_ratios(path: Path) -> list[tuple[datetime, Decimal]]:
    """The ratio at each day's close, which is midnight of the next day."""
    with path.open(newline="") as lines:
        return [
            (
                datetime.strptime(row[""], "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1),
                Decimal(row["ETH:close"]) / Decimal(row["BTC:close"]),
            )
            for row in csv.DictReader(lines)
            if row["ETH:close"]
        ]


def _between(ratios: Sequence[tuple[datetime, Decimal]], after: int, at: datetime) -> Decimal:
    """The ratio on the straight line between two closes; `after` is the index of the first close past `at`."""
    (start, low), (end, high) = ratios[after - 1], ratios[after]
    share = Decimal(int((at - start).total_seconds())) / Decimal(int((end - start).total_seconds()))
    return (low + (high - low) * share).quantize(RATIO_DIGITS)
