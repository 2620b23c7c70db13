"""Orders as people think of them: a price per coin and a quantity of coins, made into what is signed.

A market counts `quantity` in lots and `price` in quote ledger units per lot. `OrderBuilder` converts exactly or
refuses: nothing is rounded behind the user's back, unless asked with `floor_price` or `floor_quantity`.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypedDict, Unpack

from exchange.domain.amount import BPS
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import Schedule, cap_for, cap_for_floor
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce, TriggerType

DEFAULT_ORDER_SECONDS = 3_600
MAX_DIGITS = 28
"""As many as decimals are multiplied with exactly; more than any price or quantity has."""


class TermChoices(TypedDict, total=False):
    """What the terms of an order say; what is left out is as in `Terms`."""

    time_in_force: TimeInForce
    post_only: bool
    self_trade: SelfTrade
    displayed_quantity: int
    trigger_type: TriggerType
    trail_bps: int
    group: int


class Choices(TermChoices, total=False):
    """What an order can say besides: the price for which it waits, in quote units per lot (`OrderBuilder.price`)."""

    trigger_price: int


@dataclass(frozen=True, slots=True)
class OrderBuilder:
    """Converts and builds for one market; `base` and `quote` are its assets.

    `schedules` are the fees in force and those announced; without any, the rates at hand in `market`.
    """

    market: Market
    base: Asset
    quote: Asset
    schedules: tuple[Schedule, ...] = ()
    fee_cap_bps: int = BPS

    def price(self, text: str | Decimal) -> int:
        """A price per whole base coin, in quote units per lot. Refuses one that is not a multiple of the tick."""
        exact = _number(text) * self._price_scale
        if exact <= 0 or exact != exact.to_integral_value() or int(exact) % self.market.tick_size:
            tick = self.price_text(self.market.tick_size)
            raise Refusal(
                ErrorCode.price_off_tick, f"price must be a positive multiple of {tick}", "price", {"tick_size": tick}
            )
        return int(exact)

    def quantity(self, text: str | Decimal) -> int:
        """A quantity of base coins, in lots. Refuses one that is not a multiple of the lot."""
        exact = _number(text).scaleb(self.base.decimals) / self.market.lot_size
        if exact <= 0 or exact != exact.to_integral_value():
            lot = self.quantity_text(1)
            raise Refusal(
                ErrorCode.quantity_off_lot,
                f"quantity must be a positive multiple of {lot}",
                "quantity",
                {"lot_size": lot},
            )
        return int(exact)

    def quote_amount(self, text: str | Decimal) -> int:
        """An amount of quote coins, in quote units: the quantity of a `buy_quote` order."""
        exact = _number(text).scaleb(self.quote.decimals)
        if exact <= 0 or exact != exact.to_integral_value():
            raise Refusal(
                ErrorCode.quantity_off_lot,
                f"an amount of {self.quote.symbol} must be positive, with at most {self.quote.decimals} digits",
                "quantity",
                {"decimals": self.quote.decimals},
            )
        return int(exact)

    def measure(self, side: Side, text: str | Decimal) -> int:
        """The quantity of an order of `side`: an amount of quote coins for `buy_quote`, else of base coins."""
        return self.quote_amount(text) if side is Side.buy_quote else self.quantity(text)

    def floor_price(self, price: Decimal) -> int:
        """The nearest valid price at or below `price`, at least one tick."""
        ticks = int(price * self._price_scale) // self.market.tick_size
        return max(ticks, 1) * self.market.tick_size

    def floor_quantity(self, quantity: Decimal) -> int:
        """The whole lots in `quantity` coins, possibly 0."""
        return int(quantity.scaleb(self.base.decimals)) // self.market.lot_size

    def price_text(self, price: int) -> str:
        """A price in quote units per lot as a person reads it: per whole base coin."""
        return f"{(Decimal(price) / self._price_scale).normalize():f}"

    def quantity_text(self, lots: int) -> str:
        """Lots as a person reads them: base coins."""
        return f"{Decimal(lots * self.market.lot_size).scaleb(-self.base.decimals).normalize():f}"

    def least_quantity(self, price: int) -> int:
        """The fewest lots that meet the market's minimum notional at `price`."""
        return -(-self.market.min_notional // price)

    def fee_cap(self, price: int, quantity: int, *, post_only: bool = False) -> int:
        """The cap to sign, in basis points: it covers the rates of tier 0 and the floor, in force or announced.

        That is the headroom: whatever the account's tier, and should an announced change come first, the order is
        taken; a fill still pays no more than its schedule. Never above the exchange's own cap.
        """
        rates = ((self.market.maker_fee_ppm, self.market.taker_fee_ppm),)
        needed = [
            max(cap_for(max(schedule.rates(0))), 0 if post_only else cap_for_floor(schedule.floor, price * quantity))
            for schedule in self.schedules or (Schedule(rates),)
        ]
        return min(max(needed), self.fee_cap_bps)

    def order(
        self,
        account: bytes,
        side: Side,
        price: int,
        quantity: int,
        nonce: int,
        *,
        expiry: int,
        max_fee_bps: int | None = None,
        trigger_price: int = 0,
        **choices: Unpack[TermChoices],
    ) -> Order:
        """An order ready to be signed; prices and quantities in the market's units, `expiry` in unix seconds.

        `max_fee_bps` defaults to `fee_cap`. With a `trigger_type` the order waits for `trigger_price`
        (`docs/orders.md`).
        """
        terms = Terms(**choices)
        worth = 1 if side is Side.buy_quote else price
        cap = self.fee_cap(worth, quantity, post_only=terms.post_only) if max_fee_bps is None else max_fee_bps
        return Order(
            account=account,
            market=self.market.market_id,
            side=int(side),
            price=price,
            quantity=quantity,
            nonce=nonce,
            expiry=expiry,
            trigger_price=trigger_price,
            max_fee_bps=cap,
            terms=terms.pack(),
        )

    @property
    def _price_scale(self) -> Decimal:
        """Quote units per lot in one quote coin per base coin."""
        return Decimal(self.market.lot_size).scaleb(self.quote.decimals - self.base.decimals)


def _number(text: str | Decimal) -> Decimal:
    """A number that a person wrote; 0, which is refused everywhere, for what is none, or too long to be exact."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    is_short = number.is_finite() and len(number.as_tuple().digits) <= MAX_DIGITS >= abs(number.adjusted())
    return number if is_short else Decimal(0)
