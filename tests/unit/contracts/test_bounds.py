"""settle: price, fee and quantity at the ends of their ranges, against the same rules in unbounded integers."""

import itertools
from collections.abc import Iterator

import boa
import pytest
from boa import BoaError

from exchange.domain.order import Side
from exchange.domain.settlement import Execution
from tests.utils.contracts import FEE_CAP_BPS, World, revert_reason
from tests.utils.signing import Signer

TOP = 2**64 - 1
PRICES = (0, 1, 6_000_000, 2**32, TOP)
LOTS = (0, 1, 2**32 - 1, 2**63, TOP)
CAPS = (0, 1, FEE_CAP_BPS, FEE_CAP_BPS + 1, 65_535)
# What comes after the order's terms: nobody has so much, and there is no other side.
LATER = {"order: overfilled", "ledger: too little trading", "ledger: balance overflow", "settle: sums differ"}


def quotes(price: int, lots: int) -> list[int]:
    """Around the worst that the order allows, and the ends."""
    return sorted({quote for at in (0, price * lots, TOP) for quote in (at - 1, at, at + 1) if 0 <= quote <= TOP})


def fees(quote: int, cap: int) -> list[int]:
    """Around the most that the order allows, and the end."""
    most = quote * min(cap, FEE_CAP_BPS) // 10_000
    return sorted({fee for fee in (0, most, most + 1, TOP) if fee <= TOP})


def cases() -> Iterator[tuple[int, int, int, int, int]]:
    for price, lots, cap in itertools.product(PRICES, LOTS, CAPS):
        for quote in quotes(price, lots):
            yield from ((price, lots, cap, quote, fee) for fee in fees(quote, cap))


def expected(side: Side, price: int, lots: int, cap: int, quote: int, fee: int) -> str | None:
    """Why the terms refuse; None if they do not."""
    if not lots or not quote:
        return "order: nothing filled"
    if side == Side.sell and quote < price * lots:
        return "order: price too low"
    if side == Side.buy and quote > price * lots:
        return "order: price too high"
    return "order: fee over the cap" if fee * 10_000 > quote * min(cap, FEE_CAP_BPS) else None


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.deep)])
@pytest.mark.parametrize("side", [Side.buy, Side.sell])
def test_terms_are_exact_at_the_ends_of_their_ranges(world: World, seller: Signer, side: Side, step: int) -> None:
    with boa.env.anchor():
        for price, lots, cap, quote, fee in itertools.islice(cases(), side % step, None, step):
            order = world.order(seller, side, price=price, quantity=TOP, max_fee_bps=cap)
            execution = Execution(order, 0, bytes(65)[:64] + b"\x1b", lots, quote, fee)
            reason = expected(side, price, lots, cap, quote, fee)
            found = refusal(world, execution)
            # terms that refuse nothing leave the signature, which is none, to be looked at next
            assert found == (reason or "signature: invalid"), (price, lots, cap, quote, fee)


def test_what_the_terms_allow_comes_to_the_ledger(world: World, seller: Signer) -> None:
    """Signed at the ends of the ranges: no product wraps into something that settles."""
    for side, lots in itertools.product((Side.buy, Side.sell), (1, 2**63, TOP)):
        for price, quote in ((0, TOP), (1, min(lots, TOP)), (TOP, TOP)):
            order = world.order(seller, side, price=price, quantity=TOP, max_fee_bps=65_535)
            signed = world.execution(seller, order, lots, quote, quote * FEE_CAP_BPS // 10_000)
            reason = expected(side, price, lots, 65_535, quote, signed.fee)
            assert refusal(world, signed) in ({reason} if reason else LATER)


def refusal(world: World, execution: Execution) -> str:
    try:
        world.settle([execution])
    except BoaError as error:
        return revert_reason(bytes(error.call_trace.output))
    raise AssertionError("one side alone settled")
