"""Where the replay of the price series is, and what the demo therefore believes a coin is worth.

The position (an hour of the series, and how much of it has passed) is kept in a file, so that a restart goes on
where it stopped. Beliefs move on straight lines between the hours, and never further from the last trade than
`MAX_STEP`, so that they stay inside the exchange's price band also where the series starts again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bizzan.demo.prices import Prices, start_near

MAX_STEP = Decimal("0.05")


@dataclass(slots=True)
class Replay:
    """A cursor over the series: `position` counts hours, with the part of the present one as its fraction."""

    series: Sequence[Prices]
    position: Decimal

    def advance(self, hours: Decimal) -> None:
        """Move on; past the end the series starts again."""
        self.position = (self.position + hours) % (len(self.series) - 1)

    @property
    def hour(self) -> Prices:
        """The hour of the series that is being replayed."""
        return self.series[int(self.position)]

    def believed(self) -> dict[str, Decimal]:
        """The price of each market by symbol, between this hour's and the next's."""
        now, then = self.series[int(self.position)], self.series[int(self.position) + 1]
        part = self.position - int(self.position)
        btc = now.btc + (then.btc - now.btc) * part
        eth_btc = now.eth_btc + (then.eth_btc - now.eth_btc) * part
        return {"BTC-USDC": btc, "ETH-USDC": btc * eth_btc, "ETH-BTC": eth_btc}


def near_last(believed: Decimal, last: Decimal) -> Decimal:
    """The believed price, at most `MAX_STEP` away from the last trade's."""
    return min(max(believed, last * (1 - MAX_STEP)), last * (1 + MAX_STEP))


def resume(series: Sequence[Prices], file: Path, btc: Decimal | None, eth_btc: Decimal | None) -> Replay:
    """The replay where `file` says it stopped; else at the hour nearest to these prices, or at its start."""
    try:
        position = Decimal(json.loads(file.read_text())["position"])
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        position = Decimal(start_near(series, btc, eth_btc) if btc and eth_btc else 0)
    replay = Replay(series, Decimal(0))
    replay.advance(position)
    return replay


def save(replay: Replay, file: Path) -> None:
    """Keep the position."""
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps({"position": str(replay.position), "hour": replay.hour.at.isoformat()}) + "\n")
    partial.replace(file)
