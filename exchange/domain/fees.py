"""Fees: what a schedule asks of a fill. Integers only; every division rounds down, in favour of who pays.

A rate counts *parts per million* of a fill's quote, hundredths of a basis point; the cap that a user signs and the
contract's own count basis points. A schedule has one pair of rates per tier and one floor:

    tiers    (maker, taker) from tier 0, which is everybody's until told otherwise; they never rise with the tier
    floor    what one order pays at least for all it takes, in quote ledger units; its rate's fees count towards it

No fill pays above the cap of its order, floor or not. No rate is negative: a rebate would be a payment that no
execution on chain can express.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from exchange.domain.amount import BPS, MAX_AMOUNT

PPM = 1_000_000
"""Parts per million in one."""

PPM_PER_BPS = PPM // BPS

MAX_TIERS = 16

Rates = tuple[int, int]
"""Maker's and taker's rate in parts per million."""


@dataclass(frozen=True, slots=True)
class FeeRules:
    """What binds every schedule: no rate is above `fee_cap_bps`, no rise counts before `notice_ms` have passed."""

    fee_cap_bps: int
    notice_ms: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The fees of one market: `tiers` from tier 0, and the floor in quote ledger units."""

    tiers: tuple[Rates, ...]
    floor: int = 0

    def rates(self, tier: int) -> Rates:
        """The rates of a tier; a tier beyond the last has the last one's."""
        return self.tiers[min(tier, len(self.tiers) - 1)]

    def raises(self, before: Self) -> bool:
        """Whether anybody pays more than under `before`."""
        tiers = range(max(len(self.tiers), len(before.tiers)))
        return self.floor > before.floor or any(
            new > old for tier in tiers for new, old in zip(self.rates(tier), before.rates(tier), strict=True)
        )

    def flaws(self, fee_cap_bps: int) -> Iterator[str]:
        """What keeps this from being a schedule, in words."""
        if not 1 <= len(self.tiers) <= MAX_TIERS:
            yield f"a schedule has 1 to {MAX_TIERS} tiers"
        highest = fee_cap_bps * PPM_PER_BPS
        if not all(0 <= rate <= highest for rates in self.tiers for rate in rates):
            yield f"a rate must be 0 to {highest} parts per million ({fee_cap_bps} bps)"
        if any(higher[n] > lower[n] for lower, higher in zip(self.tiers, self.tiers[1:], strict=False) for n in (0, 1)):
            yield "rates must not rise with the tier"
        if not 0 <= self.floor <= fee_cap_bps * MAX_AMOUNT:
            yield "the floor must not be negative, and there is none where the cap is 0"


def fee_of(quote: int, rate_ppm: int) -> int:
    """The fee of a fill of `quote` at a rate, in quote ledger units; rounds down."""
    return quote * rate_ppm // PPM


def most_of(quote: int, cap_bps: int) -> int:
    """The highest fee that a cap allows for a fill of `quote`, in quote ledger units; rounds down."""
    return quote * cap_bps // BPS


def cap_for(rate_ppm: int) -> int:
    """The lowest cap in basis points that covers a rate."""
    return -(-rate_ppm // PPM_PER_BPS)


def cap_for_floor(floor: int, notional: int) -> int:
    """The lowest cap in basis points under which an order of `notional` can pay `floor`; may exceed `BPS`."""
    return -(-floor * BPS // notional)


class TakerFees:
    """The fees of one order's fills as the taker, in their order.

    In sum an order pays its rate's fees or the floor, whichever is more; each fill pays what is still due, up to what
    the cap allows for it. So the floor is paid by the first fills, and counts towards the rate's fees of later ones.
    """

    __slots__ = ("cap_bps", "charged", "earned", "floor", "rate_ppm")

    def __init__(self, rate_ppm: int, floor: int, cap_bps: int) -> None:
        self.rate_ppm = rate_ppm
        self.floor = floor
        self.cap_bps = cap_bps
        self.earned = 0
        self.charged = 0

    def charge(self, quote: int) -> int:
        """The fee of the next fill."""
        self.earned += fee_of(quote, self.rate_ppm)
        fee = min(max(self.earned, self.floor) - self.charged, most_of(quote, self.cap_bps))
        self.charged += fee
        return fee
