"""From when on something is a case. Documented, with reasons and sources, in `docs/surveillance.md`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Times in milliseconds; percents and basis points are integers."""

    window_ms: int = 600_000
    """What is looked at at a time."""
    wash_trades: int = 2
    """Trades between related accounts in a market."""
    round_trip_trades: int = 4
    """Trades of a pair with one another in a market."""
    round_trip_net_percent: int = 10
    """Of all that the pair turned over, what at most stays moved from one to the other."""
    round_trip_share_percent: int = 50
    """Of what each of the two traded in the market, what was with the other."""
    layering_episodes: int = 3
    layering_ratio: int = 5
    """How many times what was traded, and what stood on its own side, stood against it and was taken back."""
    layering_before_ms: int = 60_000
    """How long before the trade such an order was placed, at most."""
    layering_after_ms: int = 5_000
    """How soon after the trade it is taken back."""
    ignition_trades: int = 5
    """Takings of one account in one direction that make a burst."""
    ignition_burst_ms: int = 5_000
    ignition_move_bps: int = 50
    """How far the price moves in the burst."""
    ignition_share_percent: int = 60
    """The account's part of what the burst traded."""
    ignition_reversal_ms: int = 60_000
    """Within which the account trades the other way."""
    ignition_reversal_percent: int = 50
    """Of what it took in the burst."""
    self_trades: int = 10
    """Orders that met their own account."""
