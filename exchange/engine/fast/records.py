"""Balances, accounts, orders, levels and books as the reference's rules know them, over the core's arrays.

Each is a thin subclass whose hot fields live in the core, so that the rare commands run the reference's own code.
Orders are copies, good until the next command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Mapping
from typing import TYPE_CHECKING, Any, cast

from exchange.domain.auction import Interest
from exchange.domain.fees import Schedule
from exchange.domain.instrument import Market
from exchange.domain.order import Order
from exchange.domain.order_id import seq_of
from exchange.engine import events as e
from exchange.engine.accounts import Account, Balance, NonceSet, Recent
from exchange.engine.book import Book, Half, Level
from exchange.engine.commands import PlaceOrder
from exchange.engine.orders import OpenOrder
from exchange.engine.state import Trade
from exchange.engine.timeline import Timeline

if TYPE_CHECKING:
    from exchange.engine.fast.state import ArrayState

_U64 = 1 << 64


def _part(number: int) -> property:
    """A part of a balance, which lives in the core."""

    def read(self: ArrayBalance) -> int:
        return self.state.core.part(self.number, number)

    def write(self: ArrayBalance, value: int) -> None:
        self.state.core.set_part(self.number, number, value)

    return property(read, write)


class ArrayBalance(Balance):
    """A balance whose parts live in the core. There is one object for each."""

    __slots__ = ("number", "state")

    def __init__(self, state: ArrayState, account: Account, asset: int, number: int) -> None:
        self.state = state
        self.number = number
        self.account = account
        self.account_id = account.account_id
        self.asset = asset

    available = _part(0)
    held = _part(1)
    reserved = _part(2)
    unsettled = _part(3)
    deficit = _part(4)
    owed = _part(5)


class ArrayNonces(NonceSet):
    """An account's used nonces."""

    __slots__ = ("account_id", "state")

    def __init__(self, state: ArrayState, account_id: int) -> None:
        self.state = state
        self.account_id = account_id

    def __contains__(self, nonce: int) -> bool:
        return 0 <= nonce < _U64 and self.state.core.nonce_used(self.account_id, nonce)

    def add(self, nonce: int) -> None:
        """Mark `nonce` as used."""
        self.state.core.use_nonce(self.account_id, nonce)

    @property
    def words(self) -> dict[int, int]:  # type: ignore[override]
        """The used nonces, 64 to a word."""
        return self.state.nonce_words().get(self.account_id, {})


class ArrayHashes(Recent[bytes, int]):
    """An account's latest order hashes."""

    __slots__ = ("account_id", "state")

    def __init__(self, state: ArrayState, account_id: int) -> None:
        self.state = state
        self.account_id = account_id

    def get(self, key: bytes) -> int | None:
        """The order of this hash, or None when it was never taken or is forgotten."""
        return self.state.core.order_of_hash(self.account_id, key) or None

    def put(self, key: bytes, value: int) -> None:
        """Remember `value` for `key`."""
        self.state.core.remember_hash(self.account_id, key, value)

    @property
    def young(self) -> dict[bytes, int]:  # type: ignore[override]
        """The younger generation."""
        return self.state.core.hashes(self.account_id, False)

    @property
    def old(self) -> dict[bytes, int]:  # type: ignore[override]
        """The older generation."""
        return self.state.core.hashes(self.account_id, True)


class Revoked(set[bytes]):
    """The revoked delegates of an account, of which the core knows whether there are any."""

    def __init__(self, state: ArrayState, account_id: int) -> None:
        super().__init__()
        self.state = state
        self.account_id = account_id

    def add(self, element: bytes) -> None:
        """Revoke a delegate."""
        super().add(element)
        self.state.core.set_revokes(self.account_id, True)

    def discard(self, element: object) -> None:
        """Allow a delegate again."""
        super().discard(element)
        self.state.core.set_revokes(self.account_id, bool(self))


class ArrayAccount(Account):
    """An account whose counters, nonces, hashes, balances and orders live in the core."""

    __slots__ = ("_stops", "_tiers", "state")

    def __init__(self, state: ArrayState, account_id: int, address: bytes) -> None:
        self.state = state
        self.account_id = account_id
        self.address = address
        self.holds = 0
        self.used_nonces = ArrayNonces(state, account_id)
        self.used_withdrawals = NonceSet()
        self.used_groups = NonceSet()
        self.groups = {}
        self.revoked = Revoked(state, account_id)
        self._tiers: Timeline[int] | None = None
        self._stops = 0
        self.owner_brake_nonce = 0
        self.brake_nonce = 0
        self.order_hashes = ArrayHashes(state, account_id)
        self.client_order_ids = Recent()

    def _set(self, place: int, value: int) -> None:
        fields = list(self.state.core.account(self.account_id))
        fields[place] = value
        min_nonce, top_nonce, deficits, exiting, frozen, _ = fields
        self.state.core.set_account(self.account_id, min_nonce, top_nonce, deficits, bool(exiting), bool(frozen))

    @property
    def min_nonce(self) -> int:
        """The lowest sequence that is taken."""
        return self.state.core.account(self.account_id)[0]

    @min_nonce.setter
    def min_nonce(self, value: int) -> None:
        self._set(0, value)

    @property
    def top_nonce(self) -> int:
        """The highest sequence of the account's own key."""
        return self.state.core.account(self.account_id)[1]

    @top_nonce.setter
    def top_nonce(self, value: int) -> None:
        self._set(1, value)

    @property
    def deficits(self) -> int:
        """How many balances have a deficit."""
        return self.state.core.account(self.account_id)[2]

    @deficits.setter
    def deficits(self, value: int) -> None:
        self._set(2, value)

    @property
    def exiting(self) -> bool:
        """Whether the account is leaving."""
        return bool(self.state.core.account(self.account_id)[3])

    @exiting.setter
    def exiting(self, value: bool) -> None:
        self._set(3, value)

    @property
    def frozen(self) -> bool:
        """Whether its owner froze it."""
        return bool(self.state.core.account(self.account_id)[4])

    @frozen.setter
    def frozen(self, value: bool) -> None:
        self._set(4, value)

    @property
    def stops(self) -> int:
        """Who stopped its trading."""
        return self._stops

    @stops.setter
    def stops(self, value: int) -> None:
        self._stops = value
        self.state.core.set_stops(self.account_id, bool(value))

    @property
    def countdown(self) -> int:
        """When its orders end, in unix seconds; 0 for never by this."""
        return self.state.core.countdown(self.account_id)

    @countdown.setter
    def countdown(self, value: int) -> None:
        self.state.core.set_countdown(self.account_id, value)

    @property
    def tiers(self) -> Timeline[int] | None:
        """Which fee tier the account has from when."""
        return self._tiers

    @tiers.setter
    def tiers(self, value: Timeline[int] | None) -> None:
        self._tiers = value
        self.state.tiered[self.account_id] = self
        self.state.fees_until = 0

    @property
    def balances(self) -> dict[int, Balance]:  # type: ignore[override]
        """The balances that there are, by asset."""
        found = self.state.core.balances_of(self.account_id)
        return {asset: self.state.balance_of(number) for asset, number in found}

    def balance(self, asset: int) -> Balance:
        """The balance in `asset`, made at its first use."""
        return self.state.balance_of(self.state.core.open_balance(self.account_id, asset))

    @property
    def orders(self) -> dict[int, OpenOrder]:  # type: ignore[override]
        """The open orders by nonce, in order of acceptance."""
        return cast("dict[int, OpenOrder]", OrdersOfAccount(self.state, self.account_id))


class ArrayLevel(Level):
    """A price level of the core's; equal to any other object for it."""

    __slots__ = ("number", "state")

    def __init__(self, state: ArrayState, number: int) -> None:
        self.state = state
        self.number = number
        book, side, price, _ = state.core.level(number)
        self.half = state.halves[book, side]
        self.price = price
        self.key = self.half.sign * price

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayLevel) and other.number == self.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __iter__(self) -> Iterator[OpenOrder]:
        for number in self.state.core.level_orders(self.number):
            yield self.state.order_at(number)

    @property
    def quantity(self) -> int:  # type: ignore[override]
        """The sum of its orders, in lots."""
        return self.state.core.level(self.number)[3]


class ArrayHalf(Half):
    """One side of a book in the core."""

    __slots__ = ("book", "state")

    def __init__(self, state: ArrayState, book: int, market_id: int, side: int) -> None:
        self.state = state
        self.book = book
        self.market_id = market_id
        self.side = side
        self.sign = 1 if side == 0 else -1

    def _levels(self) -> list[tuple[int, int, int, int]]:
        return self.state.core.levels(self.book, self.side)

    def __iter__(self) -> Iterator[Level]:
        for _, number, _, _ in self._levels():
            yield ArrayLevel(self.state, number)

    @property
    def keys(self) -> list[int]:  # type: ignore[override]
        """The live prices with their sign, the best at the end."""
        return [key for key, _, _, _ in reversed(self._levels())]

    def crosses(self, price: int) -> bool:
        """Whether an order of the other side at `price` would meet one here."""
        return self.state.core.best(self.book, self.side) >= self.sign * price

    def first(self, price: int) -> OpenOrder | None:
        """The order that one of the other side at `price` would meet first, if any."""
        return self.state.order_at(self.state.core.first_order(self.book, self.side)) if self.crosses(price) else None

    def interest(self) -> list[Interest]:
        """The lots at each limit, hidden ones too, best first."""
        return self.state.core.interest(self.book, self.side)

    @property
    def levels(self) -> dict[int, Level]:  # type: ignore[override]
        """The levels by key."""
        return {key: ArrayLevel(self.state, number) for key, number, _, _ in self._levels()}


class ArrayBook(Book):
    """A market's book in the core."""

    __slots__ = ("number", "state")

    def __init__(
        self, state: ArrayState, market: Market, fee_account: Account, schedules: list[tuple[int, Schedule]]
    ) -> None:
        self.state = state
        fees = cast("ArrayBalance", fee_account.balance(market.quote_asset))
        rules = (market.lot_size, market.tick_size, market.min_notional, market.band_bps, market.reference_price)
        self.number = state.core.add_book(market.market_id, market.base_asset, market.quote_asset, *rules, fees.number)
        super().__init__(market, fee_account, schedules)
        self.bids = ArrayHalf(state, self.number, market.market_id, 0)
        self.asks = ArrayHalf(state, self.number, market.market_id, 1)
        state.halves[self.number, 0], state.halves[self.number, 1] = self.bids, self.asks
        state.fees_until = 0

    @property
    def last_price(self) -> int:
        """The price of the last trade, before it the reference price."""
        return self.state.core.last_price(self.number)

    @last_price.setter
    def last_price(self, value: int) -> None:
        self.state.core.set_last_price(self.number, value)

    def change(self, market: Market) -> None:
        """Adopt the market's status and band."""
        super().change(market)
        self.state.core.set_status(self.number, self.is_open, self.in_call)
        self.state.core.set_band(self.number, self.band_bps)

    def announce(self, at_ms: int, from_ms: int, schedule: Schedule) -> None:
        """Fees that hold from a time on."""
        super().announce(at_ms, from_ms, schedule)
        self.state.fees_until = 0


class ArrayOrder(OpenOrder):
    """A copy of an open order."""

    __slots__ = ("number",)

    def __init__(self, state: ArrayState, number: int) -> None:
        (
            order_id, account_id, market, side, price, quantity, remaining, held, hidden, nonce, expiry, trigger_price,
            max_fee_bps, terms, scheme, maker, taker, highest, floor, cap_bps, level,
        ) = state.core.order(number)  # fmt: skip
        order_hash, signature, signer, client_id = state.core.paper(number)
        account = state.account_by_id(account_id)
        order = Order(account.address, market, side, price, quantity, nonce, expiry, trigger_price, max_fee_bps, terms)
        client_order_id = client_id.decode("utf-8", "surrogatepass")
        placed = PlaceOrder(order, order_hash, scheme, signature, signer, client_order_id)
        super().__init__(order_id, placed, account, state.books[market], (maker, taker, highest, floor), cap_bps)
        self.number = number
        self.remaining = remaining
        self.held = held
        self.hidden = hidden
        self.level = ArrayLevel(state, level) if level else None


class OpenOrders(Mapping[int, OpenOrder]):
    """All open orders by id, in order of acceptance."""

    def __init__(self, state: ArrayState) -> None:
        self.state = state

    def __getitem__(self, order_id: int) -> OpenOrder:
        return self.state.order_at(self.state.order_numbers()[order_id])

    def __contains__(self, order_id: object) -> bool:
        return order_id in self.state.order_numbers()

    def __iter__(self) -> Iterator[int]:
        return iter(self.state.order_numbers())

    def __len__(self) -> int:
        return self.state.core.open_count


class OrdersOfAccount(Mapping[int, OpenOrder]):
    """An account's open orders by nonce, in order of acceptance."""

    def __init__(self, state: ArrayState, account_id: int) -> None:
        self.state = state
        self.account_id = account_id

    def __getitem__(self, nonce: int) -> OpenOrder:
        number = self.state.core.order_on(self.account_id, nonce) if 0 <= nonce < _U64 else 0
        if not number:
            raise KeyError(nonce)
        return self.state.order_at(number)

    def __iter__(self) -> Iterator[int]:
        for _, number in self.state.core.orders_of(self.account_id):
            yield self.state.core.order(number)[9]

    def __len__(self) -> int:
        return self.state.core.account(self.account_id)[5]

    def keys(self) -> KeysView[int]:
        """The nonces."""
        return KeysView(self)


class Trades(Mapping[int, Trade]):
    """The trades that are not final, oldest first."""

    def __init__(self, state: ArrayState) -> None:
        self.state = state

    def __getitem__(self, trade_id: int) -> Trade:
        if trade_id not in self:
            raise KeyError(trade_id)
        fields, at_ms = self.state.core.trade(trade_id)
        match = e.TradeMatched(trade_id, *fields)
        return Trade(self.state.late_trades.get(trade_id) or seq_of(match.taker_order), at_ms, match)

    def __contains__(self, trade_id: object) -> bool:
        return isinstance(trade_id, int) and 0 < trade_id < _U64 >> 1 and self.state.core.has_trade(trade_id)

    def __iter__(self) -> Iterator[int]:
        return self.state.core.trade_ids()

    def __len__(self) -> int:
        return self.state.core.trade_count

    def __setitem__(self, trade_id: int, trade: Trade) -> None:
        """Enter a trade that comes after all that there are."""
        match = trade.match
        if trade.seq != seq_of(match.taker_order):
            self.state.late_trades[trade_id] = trade.seq
        self.state.core.adopt_trade(
            trade_id,
            trade.at_ms,
            cast("ArrayBook", self.state.books[match.market]).number,
            match.price,
            match.quantity,
            match.taker_side,
            match.maker_order,
            match.taker_order,
            match.maker_account,
            match.taker_account,
            match.maker_fee,
            match.taker_fee,
            match.maker_remaining,
            match.taker_remaining,
        )

    def pop(self, trade_id: int) -> Trade:
        """Take a trade out."""
        trade = self[trade_id]
        self.state.core.drop_trade(trade_id)
        self.state.late_trades.pop(trade_id, None)
        return trade


class Touched:
    """What a command touches, of which the core keeps the list: a mapping that only takes entries."""

    def __init__(self, touch: Callable[[int], None], number: Callable[[Any], int]) -> None:
        self._touch = touch
        self._number = number

    def __setitem__(self, key: object, value: None) -> None:
        self._touch(self._number(key))
