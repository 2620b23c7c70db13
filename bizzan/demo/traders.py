"""The demo's actors: a maker keeps a ladder of quotes in the book, a taker takes from it now and then.

Both know only what the public API tells them. What they remember of their orders and balances is asked again
every `REFRESH_SECONDS`, and after anything unexpected, so they survive restarts of any part.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from bizzan.client.api import BizzanClient
from bizzan.client.errors import ApiError
from bizzan.client.orders import OrderBuilder
from bizzan.client.schemas import Account
from bizzan.client.wallet import SignedOrder
from bizzan.demo.pace import Pace
from bizzan.demo.quotes import Quote, Resting, Style, changes, ladder
from exchange.domain.order import Order, Side, TimeInForce, TriggerType

REFRESH_SECONDS = 10.0
QUOTE_SECONDS = 900
TAKE_SECONDS = 60
MAX_OPEN = 200
CARELESS_SECONDS = 20
STOP_SECONDS = 300
STOPS = 0.1
"""How often a taker protects what it took by a stop, and how far from the believed price that waits."""
STOP_BPS = 8
AMENDS = 0.5
"""How often a maker moves an order on its nonce instead of cancelling it."""
REACH_BPS = 40
"""How far past the believed price a taker is ready to go."""

Beliefs = Mapping[str, Decimal]


class Trader(ABC):
    """One wallet, its client, and its balances as last asked."""

    def __init__(self, client: BizzanClient, pace: Pace, clock: Callable[[], float]) -> None:
        self.client = client
        self.account: Account | None = None
        self.placed = 0
        """Orders placed so far."""
        self._pace = pace
        self._clock = clock
        self._asked_at = float("-inf")

    async def refresh(self) -> None:
        """Ask for the balances again, if it is time; signs in when the session is over."""
        if self._clock() - self._asked_at < REFRESH_SECONDS:
            return
        try:
            await self._ask()
        except ApiError as error:
            if error.status != 401:
                raise
            await self.client.login()
            await self._ask()
        self._asked_at = self._clock()

    def doubt(self) -> None:
        """Ask again before the next action: what is remembered may be wrong."""
        self._asked_at = float("-inf")

    @abstractmethod
    async def act(self, beliefs: Beliefs, chance: random.Random) -> None:
        """Do something sensible at these prices. Raises ApiError, Unreachable."""

    async def _ask(self) -> None:
        self.account = await self.client.balances()

    def owned(self, symbol: str) -> Decimal:
        """Whole coins that the account can trade, whether held by its orders or not."""
        balance = self.account.balance(symbol) if self.account else None
        return _coins(self.client, symbol, balance.available + balance.held) if balance else Decimal(0)

    def solvent(self, symbols: Iterable[str]) -> bool:
        """Whether the account has, or is about to have, something of each asset; True while it is not known."""
        if self.account is None:
            return True
        balances = [self.account.balance(symbol) for symbol in symbols]
        return all(balance is not None and (balance.total > 0 or balance.uncredited) for balance in balances)

    def available(self, symbol: str) -> Decimal:
        """Whole coins that no order holds."""
        balance = self.account.balance(symbol) if self.account else None
        return _coins(self.client, symbol, balance.available) if balance else Decimal(0)


class Maker(Trader):
    """Quotes a ladder in every market, and moves it when its belief moves.

    With `bulk` one signature covers all that it places at a time.
    """

    def __init__(
        self, client: BizzanClient, pace: Pace, clock: Callable[[], float], style: Style, *, bulk: bool = False
    ) -> None:
        super().__init__(client, pace, clock)
        self._style = style
        self._bulk = bulk
        self._resting: dict[int, dict[int, Resting]] = {}

    async def _ask(self) -> None:
        await super()._ask()
        self._resting = {}
        for order in await self.client.orders(status="open", limit=MAX_OPEN):
            resting = Resting(order.nonce, Side[order.side], order.price, order.remaining)
            self._resting.setdefault(order.market, {})[order.nonce] = resting

    async def act(self, beliefs: Beliefs, chance: random.Random) -> None:
        """Bring the quotes of one market up to date."""
        symbol = chance.choice(sorted(beliefs))
        builder, middle = self.client.market(symbol), beliefs[symbol]
        wanted = ladder(builder, middle, self._style, self.owned(builder.base.symbol), self.owned(builder.quote.symbol))
        resting = self._resting.setdefault(builder.market.market_id, {})
        stale, fresh = changes(tuple(resting.values()), wanted, builder.floor_price(middle), self._style)
        for order in stale:
            moved = next((quote for quote in fresh if quote.side is order.side), None)
            if (
                moved is None
                or self._bulk
                or chance.random() > AMENDS
                or not await self._amend(builder, resting, order, moved)
            ):
                await self._cancel(resting, order)
            else:
                fresh = [quote for quote in fresh if quote is not moved]
        for signed in self._sign([self._order(builder, quote) for quote in fresh]):
            await self._pace.turn()
            await self.client.place_signed(signed)
            self.placed += 1
            placed = signed.order
            resting[placed.nonce] = Resting(placed.nonce, Side(placed.side), placed.price, placed.quantity)

    async def _amend(self, builder: OrderBuilder, resting: dict[int, Resting], order: Resting, quote: Quote) -> bool:
        """Move an order to another price on its own nonce; whether it was still there."""
        await self._pace.turn()
        signed = self.client.wallet.sign_order(
            self.client.exchange.domain,
            builder.order(
                self.client.account,
                quote.side,
                quote.price,
                quote.quantity,
                order.nonce,
                expiry=int(time.time()) + QUOTE_SECONDS,
                time_in_force=TimeInForce.gtd,
                post_only=True,
            ),
        )
        try:
            await self.client.amend_signed(signed)
        except ApiError as error:
            if error.code not in ("unknown_order", "order_closed", "amount_out_of_range"):  # filled in the meantime
                raise
            return False
        resting[order.nonce] = Resting(order.nonce, quote.side, quote.price, quote.quantity)
        return True

    async def _cancel(self, resting: dict[int, Resting], order: Resting) -> None:
        await self._pace.turn()
        resting.pop(order.nonce, None)
        try:
            await self.client.cancel(order.nonce)
        except ApiError as error:
            if error.code not in ("unknown_order", "order_closed"):  # filled in the meantime
                raise

    def _order(self, builder: OrderBuilder, quote: Quote) -> Order:
        return self.client.build(
            builder,
            quote.side,
            quote.price,
            quote.quantity,
            time_in_force=TimeInForce.gtd,
            post_only=True,
            seconds=QUOTE_SECONDS,
        )

    def _sign(self, orders: list[Order]) -> list[SignedOrder]:
        if self._bulk:
            return self.client.sign_all(orders)
        return [self.client.wallet.sign_order(self.client.exchange.domain, order) for order in orders]


class Taker(Trader):
    """Takes small amounts, rather of what it has less of."""

    async def act(self, beliefs: Beliefs, chance: random.Random) -> None:
        """Send one order that is filled at once or not at all."""
        symbol = chance.choice(sorted(beliefs))
        builder, middle = self.client.market(symbol), beliefs[symbol]
        base, quote = self.available(builder.base.symbol), self.available(builder.quote.symbol)
        worth = base * middle
        if not worth + quote:
            return
        side = Side.buy if chance.random() < quote / (worth + quote) else Side.sell
        reach = Decimal(REACH_BPS) / 10_000
        price = builder.floor_price(middle * (1 + reach if side is Side.buy else 1 - reach))
        share = Decimal(chance.randint(5, 60)) / 10_000
        lots = builder.floor_quantity((quote / middle if side is Side.buy else base) * share)
        lots = max(lots, builder.least_quantity(price))
        await self._pace.turn()
        signed = self.client.sign(builder, side, price, lots, time_in_force=TimeInForce.ioc, seconds=TAKE_SECONDS)
        await self.client.place_signed(signed)
        self.placed += 1
        if chance.random() < STOPS:
            await self._stop(builder, side, middle, lots)

    async def _stop(self, builder: OrderBuilder, side: Side, middle: Decimal, lots: int) -> None:
        """A stop against what was just taken: it takes that back when the price goes the other way."""
        away = Decimal(STOP_BPS if side is Side.sell else -STOP_BPS) / 10_000
        other = Side.buy if side is Side.sell else Side.sell
        worst = builder.floor_price(middle * (1 + 4 * away))
        lots = max(lots, builder.least_quantity(worst))
        await self._pace.turn()
        signed = self.client.sign(
            builder,
            other,
            worst,
            lots,
            time_in_force=TimeInForce.ioc,
            trigger_type=TriggerType.stop_loss,
            trigger_price=builder.floor_price(middle * (1 + away)),
            seconds=STOP_SECONDS,
        )
        await self.client.place_signed(signed)
        self.placed += 1


class Careless(Trader):
    """Sells to itself, again and again, so that surveillance has something to find; self-trade prevention stops it."""

    def __init__(self, client: BizzanClient, pace: Pace, clock: Callable[[], float]) -> None:
        super().__init__(client, pace, clock)
        self._next_at = float("-inf")

    async def act(self, beliefs: Beliefs, chance: random.Random) -> None:
        """Offer a little just below all others, above all bids, and take it."""
        if not beliefs or self._clock() < self._next_at:
            return
        self._next_at = self._clock() + CARELESS_SECONDS
        symbol = min(beliefs)
        builder = self.client.market(symbol)
        there = await self.client.ticker(symbol)
        if there.best_bid is None or there.best_ask is None:
            return
        price = there.best_ask[0] - builder.market.tick_size
        if price <= there.best_bid[0]:
            return
        lots = builder.least_quantity(price)
        resting = self.client.sign(builder, Side.sell, price, lots, time_in_force=TimeInForce.gtd, seconds=TAKE_SECONDS)
        taking = self.client.sign(builder, Side.buy, price, lots, time_in_force=TimeInForce.ioc, seconds=TAKE_SECONDS)
        for signed in (resting, taking):
            await self._pace.turn()
            await self.client.place_signed(signed)
            self.placed += 1


def _coins(client: BizzanClient, symbol: str, amount: int) -> Decimal:
    return Decimal(amount).scaleb(-client.exchange.assets[symbol].decimals)
