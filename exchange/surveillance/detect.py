"""All detectors over one window of the tape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exchange.surveillance.ignition import momentum_ignition
from exchange.surveillance.layering import layering
from exchange.surveillance.relations import Relations
from exchange.surveillance.tape import Case, Fact
from exchange.surveillance.thresholds import Thresholds
from exchange.surveillance.washing import round_trips, self_trades, wash_trades


def detect(tape: Sequence[Fact], relations: Relations, limits: Thresholds, until_ms: int | None = None) -> list[Case]:
    """Every case in `tape`, in the order of their last facts: the same tape and links give the same cases.

    `until_ms` says where a tape ends that goes on.
    """
    found = [
        *wash_trades(tape, relations, limits),
        *round_trips(tape, limits),
        *layering(tape, limits, until_ms),
        *momentum_ignition(tape, limits),
        *self_trades(tape, limits),
    ]
    return sorted(found, key=lambda case: (case.last_seq, case.subject))


def unknown(cases: Sequence[Case], known: Mapping[str, int]) -> list[Case]:
    """Those that begin after what is known of the same conduct: `known` has the last sequence of it by subject."""
    return [case for case in cases if case.first_seq > known.get(case.subject, 0)]
