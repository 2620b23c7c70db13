"""Orders as people think of them: a price per coin and a quantity of coins, made into what is signed.

A market counts `quantity` in lots and `price` in quote ledger units per lot. `OrderBuilder` converts exactly or
refuses: nothing is rounded behind the user's back, unless asked with `floor_price` or `floor_quantity`.
"""

from dataclasses import dataclass
from decimal import Decimal

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import cap_for
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, Side, Terms, TimeInForce

DEFAULT_ORDER_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class OrderBuilder:
    """Converts and builds for one market; `base` and `quote` are its assets."""

    market: Market
    base: Asset
    quote: Asset

    def price(self, text: str | Decimal) -> int:
        """A price per whole base coin, in quote units per lot. Refuses one that is not a multiple of the tick."""
        exact = Decimal(text) * self._price_scale
        if exact != exact.to_integral_value() or int(exact) % self.market.tick_size or exact <= 0:
            tick = self.price_text(self.market.tick_size)
            raise Refusal(
                ErrorCode.price_off_tick, f"price must be a positive multiple of {tick}", "price", {"tick_size": tick}
            )
        return int(exact)

    def quantity(self, text: str | Decimal) -> int:
        """A quantity of base coins, in lots. Refuses one that is not a multiple of the lot."""
        exact = Decimal(text).scaleb(self.base.decimals) / self.market.lot_size
        if exact != exact.to_integral_value() or exact <= 0:
            lot = self.quantity_text(1)
            raise Refusal(
                ErrorCode.quantity_off_lot,
                f"quantity must be a positive multiple of {lot}",
                "quantity",
                {"lot_size": lot},
            )
        return int(exact)

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

    def order(
        self,
        account: bytes,
        side: Side,
        price: int,
        quantity: int,
        nonce: int,
        *,
        expiry: int,
        time_in_force: TimeInForce = TimeInForce.gtc,
        post_only: bool = False,
        max_fee_bps: int | None = None,
    ) -> Order:
        """An order ready to be signed; prices and quantities in the market's units, `expiry` in unix seconds.

        `max_fee_bps` defaults to the market's higher rate: the most it charges now.
        """
        rate = cap_for(max(self.market.maker_fee_ppm, self.market.taker_fee_ppm))
        return Order(
            account=account,
            market=self.market.market_id,
            side=int(side),
            price=price,
            quantity=quantity,
            nonce=nonce,
            expiry=expiry,
            trigger_price=0,
            max_fee_bps=rate if max_fee_bps is None else max_fee_bps,
            terms=Terms(time_in_force=time_in_force, post_only=post_only).pack(),
        )

    @property
    def _price_scale(self) -> Decimal:
        """Quote units per lot in one quote coin per base coin."""
        return Decimal(self.market.lot_size).scaleb(self.quote.decimals - self.base.decimals)
