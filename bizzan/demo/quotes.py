"""What a market maker wants in the book, and what it must change to get there. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bizzan.client.orders import OrderBuilder
from exchange.domain.order import Side

BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Style:
    """How a maker quotes: `levels` per side, the first `spread_bps` from the middle, the others `step_bps` apart.

    `share_bps` of the maker's own money in an asset is offered per level.
    """

    levels: int = 3
    spread_bps: int = 8
    step_bps: int = 12
    share_bps: int = 200


@dataclass(frozen=True, slots=True)
class Quote:
    """A price (quote units per lot) and a quantity (lots) to offer."""

    side: Side
    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Resting:
    """An own order in the book."""

    nonce: int
    side: Side
    price: int
    quantity: int


def ladder(builder: OrderBuilder, middle: Decimal, style: Style, base: Decimal, quote: Decimal) -> list[Quote]:
    """Quotes around `middle`, sized by what the maker owns: `base` and `quote` in whole coins.

    A level too small for the market's minimum notional is left out.
    """
    share = Decimal(style.share_bps) / BPS
    quotes = []
    for level in range(style.levels):
        distance = Decimal(style.spread_bps + level * style.step_bps) / BPS
        for side in (Side.buy, Side.sell):
            price = builder.floor_price(middle * (1 - distance if side is Side.buy else 1 + distance))
            coins = quote * share / middle if side is Side.buy else base * share
            lots = builder.floor_quantity(coins)
            if lots >= builder.least_quantity(price):
                quotes.append(Quote(side, price, lots))
    return quotes


def changes(
    resting: Sequence[Resting], wanted: Sequence[Quote], middle: int, style: Style
) -> tuple[list[Resting], list[Quote]]:
    """Orders to cancel, and quotes to place, so that the book shows `wanted`.

    An order stays while it is within a third of a step of a wanted price; `middle` is in units per lot.
    """
    tolerance = middle * style.step_bps // (3 * int(BPS))
    missing = list(wanted)
    stale = []
    for order in resting:
        match = next((q for q in missing if q.side is order.side and abs(q.price - order.price) <= tolerance), None)
        if match is None:
            stale.append(order)
        else:
            missing.remove(match)
    return stale, missing
