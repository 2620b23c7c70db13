"""The engine's state over the core's arrays: what `exchange.engine.state.State` is, for the same rules.

The core asks it for the little that only Python knows: forced withdrawals, revoked delegates, clients' ids.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import cast

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.fees import MAX_TIERS, FeeRules, Schedule
from exchange.domain.instrument import Market
from exchange.domain.order_id import seq_of
from exchange.engine import events as e
from exchange.engine.accounts import Account, Balance
from exchange.engine.book import Book, Half
from exchange.engine.events import CloseReason
from exchange.engine.fast.core import Core
from exchange.engine.fast.packing import pack_order
from exchange.engine.fast.records import (
    ArrayAccount,
    ArrayBalance,
    ArrayBook,
    ArrayLevel,
    ArrayOrder,
    OpenOrders,
    Trades,
)
from exchange.engine.orders import KINDS, OpenOrder
from exchange.engine.state import ForcedRequest, State, Trade, Withdrawal

Done = tuple[list[int], list[int], list[int], list[int]]
"""What Python did for the core: events by their place in `told`, then levels, balances and accounts touched."""

KIND_COUNT = 6
"""Kinds of orders by what they may be charged: the lowest three bits of their terms, but post-only that takes."""

MAX_ASSETS = 16
"""Assets in markets that the core has columns for."""


class ArrayState(State):
    """The engine's memory, its hot part in the core."""

    def __init__(self) -> None:
        self.core = Core(self)
        self.failure: BaseException | None = None
        self.halves: dict[tuple[int, int], Half] = {}
        self.tiered: dict[int, ArrayAccount] = {}
        self.fees_until = 0
        self.told: list[e.Event] = []
        self._balances: dict[int, Balance] = {}
        self._order_numbers: tuple[int, dict[int, int]] = (-1, {})
        self._nonce_words: tuple[int, dict[int, dict[int, int]]] = (-1, {})
        super().__init__()
        self.orders = cast("dict[int, OpenOrder]", OpenOrders(self))
        self.trades = cast("dict[int, Trade]", Trades(self))

    # what lives in the core

    @property
    def seq(self) -> int:
        """The last record applied."""
        return self.core.seq

    @seq.setter
    def seq(self, value: int) -> None:
        self.core.seq = value

    @property
    def at_ms(self) -> int:
        """Its time."""
        return self.core.at_ms

    @at_ms.setter
    def at_ms(self, value: int) -> None:
        self.core.at_ms = value

    @property
    def last_trade(self) -> int:
        """The last trade's id."""
        return self.core.last_trade

    @last_trade.setter
    def last_trade(self, value: int) -> None:
        self.core.last_trade = value

    @property
    def oldest_unsettled_at(self) -> int | None:
        """When the oldest trade that is not final was matched."""
        return None if self.core.oldest < 0 else self.core.oldest

    @oldest_unsettled_at.setter
    def oldest_unsettled_at(self, value: int | None) -> None:
        self.core.oldest = -1 if value is None else value

    @property
    def limits(self) -> e.LimitsChanged:
        """The limits that commands obey."""
        return self._limits

    @limits.setter
    def limits(self, value: e.LimitsChanged) -> None:
        self._limits = value
        self.core.set_limits(*(min(limit, MAX_AMOUNT) for limit in astuple(value)))

    @property
    def fee_rules(self) -> FeeRules:
        """What binds every schedule."""
        return self._fee_rules

    @fee_rules.setter
    def fee_rules(self, value: FeeRules) -> None:
        self._fee_rules = value
        self.core.set_fee_cap(value.fee_cap_bps)

    # records as objects

    def new_account(self, account_id: int, address: bytes) -> Account:
        """An account in the core."""
        assert self.core.open_account(address) == account_id, "accounts: numbered in order"
        return ArrayAccount(self, account_id, address)

    def new_book(self, market: Market, fee_account: Account, schedules: list[tuple[int, Schedule]]) -> Book:
        """A book in the core."""
        return ArrayBook(self, market, fee_account, schedules)

    def balance_of(self, number: int) -> Balance:
        """The balance in a record; always the same object."""
        balance = self._balances.get(number)
        if balance is None:
            account_id, asset = self.core.owner_of(number)
            balance = ArrayBalance(self, self.account_by_id(account_id), asset, number)
            self._balances[number] = balance
        return balance

    def order_at(self, number: int) -> OpenOrder:
        """A copy of the order in a record."""
        return ArrayOrder(self, number)

    def order_numbers(self) -> dict[int, int]:
        """The records of the open orders by id, in order of acceptance."""
        if self._order_numbers[0] != self.core.changes:
            self._order_numbers = (self.core.changes, dict(self.core.open_orders()))
        return self._order_numbers[1]

    def nonce_words(self) -> dict[int, dict[int, int]]:
        """Every account's used nonces."""
        if self._nonce_words[0] != self.core.changes:
            self._nonce_words = (self.core.changes, self.core.nonce_words())
        return self._nonce_words[1]

    # moves that touch the core's books

    def close(self, order: OpenOrder, reason: CloseReason) -> None:
        """Take a resting order out of its book and release its hold."""
        assert isinstance(order, ArrayOrder)
        assert order.level is not None
        self.touched_levels[order.level] = None
        market, account = order.book.market.market_id, order.account.account_id
        self.events.append(e.OrderClosed(order.order_id, account, market, reason, order.remaining))
        self.core.drop_order(order.number)
        order.pays.held -= order.held
        self.give(order.pays, order.held)

    def watch_countdown(self, account: Account) -> None:
        """Have a countdown end in its time."""
        if account.countdown:
            self.core.watch_countdown(account.account_id)

    def next_expiry(self) -> int | None:
        """When the next open order expires, in unix seconds."""
        expiry = self.core.next_expiry()
        return None if expiry < 0 else expiry

    def flush(self) -> list[e.Event]:
        """The events of a rare command that ends."""
        events = super().flush()
        self.core.forget_changes()
        return events

    def refresh(self, at_ms: int) -> None:
        """Tell the core which fees hold at a time, if they may have changed."""
        if at_ms < self.fees_until:
            return
        changes = [MAX_AMOUNT]
        for book in self.books.values():
            changes += [from_ms for from_ms, _ in book.schedules.entries if from_ms > at_ms]
            self._push_rates(cast("ArrayBook", book), at_ms)
        for account in self.tiered.values():
            changes += [from_ms for from_ms, _ in (account.tiers.entries if account.tiers else ()) if from_ms > at_ms]
            self.core.set_tier(account.account_id, account.tier(at_ms))
        self.fees_until = min(changes)

    def _push_rates(self, book: ArrayBook, at_ms: int) -> None:
        for terms in range(KIND_COUNT):
            for tier in range(MAX_TIERS):
                maker, taker, highest, floor = book.rates_at(at_ms, tier, KINDS[terms])
                self.core.set_rates(book.number, tier, terms, maker, taker, highest, min(floor, MAX_AMOUNT))

    # what the core asks for

    def cover_forced(self, balance: int) -> Done:
        """Set money aside for forced withdrawals."""
        self.reserve_owed(self.balance_of(balance))
        return self._hand_back()

    def end_countdown(self, account: int) -> Done:
        """End the orders of an account that was silent for too long."""
        self._end_countdown(self.account_by_id(account))
        return self._hand_back()

    def _hand_back(self) -> Done:
        """Where what was told stands in `told`, and the records of what was touched."""
        first = len(self.told)
        self.told += self.events
        self.events = []
        levels = [cast("ArrayLevel", level).number for level in self.touched_levels]
        balances = [cast("ArrayBalance", balance).number for balance in self.touched_balances]
        accounts = [account.account_id for account in self.touched_accounts]
        self.touched_levels.clear()
        self.touched_balances.clear()
        self.touched_accounts.clear()
        return list(range(first, len(self.told))), levels, balances, accounts

    def is_revoked(self, account: int, signer: bytes) -> bool:
        """Whether the signer is a revoked delegate."""
        return signer in self.account_by_id(account).revoked

    def knows_client_id(self, account: int, client_order_id: bytes) -> bool:
        """Whether the client's id names another order."""
        known = self.account_by_id(account).client_order_ids
        return known.get(client_order_id.decode("utf-8", "surrogatepass")) is not None

    def note_client_id(self, account: int, client_order_id: bytes, order_hash: bytes) -> None:
        """Remember the client's id."""
        self.account_by_id(account).client_order_ids.put(client_order_id.decode("utf-8", "surrogatepass"), order_hash)


def adopt(reference: State) -> ArrayState:
    """The same state over arrays. ValueError or OverflowError for what the core cannot hold."""
    if reference.replaced:
        raise ValueError("an order replaces another, as the core knows none")
    if any(order.group for order in reference.orders.values()):
        raise ValueError("an order is a leg of a group, as the core knows none")
    if reference.bounds:
        raise ValueError("a market has bounds, of which the core knows none")
    state = ArrayState()
    state.seq, state.at_ms, state.inbox_id = reference.seq, reference.at_ms, reference.inbox_id
    state.limits, state.fee_rules = reference.limits, reference.fee_rules
    state.assets, state.issued = reference.assets, reference.issued
    for account in reference.accounts:
        _adopt_account(state, account)
    for market, book in reference.books.items():
        fee_account = state.account_by_id(book.fee_account.account_id)
        state.books[market] = state.new_book(book.market, fee_account, book.schedules.entries)
        state.books[market].last_price = book.last_price
    for order in reference.orders.values():
        _adopt_order(state, order)
    for account in state.accounts:
        state.watch_countdown(account)
    _adopt_trades(state, reference)
    state.batches, state.last_batch = reference.batches, reference.last_batch
    state.cut_seq, state.cut_trade = reference.cut_seq, reference.cut_trade
    for key, held in reference.withdrawals.items():
        state.withdrawals[key] = Withdrawal(_same(state, held.balance), held.amount, held.nonce, held.deadline)
    for request, forced in reference.forced.items():
        state.forced[request] = ForcedRequest(request, _same(state, forced.balance), forced.requested)
        state.forced[request].reserved = forced.reserved
    state.flush()
    return state


def _same(state: ArrayState, balance: Balance) -> Balance:
    return state.account_by_id(balance.account_id).balance(balance.asset)


def _adopt_account(state: ArrayState, account: Account) -> None:
    new = state.open_account(account.address)
    new.min_nonce, new.top_nonce, new.exiting = account.min_nonce, account.top_nonce, account.exiting
    new.frozen, new.deficits, new.holds = account.frozen, account.deficits, account.holds
    new.owner_brake_nonce, new.brake_nonce = account.owner_brake_nonce, account.brake_nonce
    new.countdown, new.stops = account.countdown, account.stops
    for delegate in account.revoked:
        new.revoked.add(delegate)
    if account.tiers is not None:
        new.tiers = account.tiers
    new.used_withdrawals, new.client_order_ids = account.used_withdrawals, account.client_order_ids
    new.used_groups = account.used_groups
    for number, word in account.used_nonces.words.items():
        state.core.set_nonce_word(account.account_id, number, word)
    for generation in (account.order_hashes.old, account.order_hashes.young):
        for order_hash, order_id in generation.items():
            new.order_hashes.put(order_hash, order_id)
    for asset, balance in account.balances.items():
        own = new.balance(asset)
        own.available, own.held, own.reserved = balance.available, balance.held, balance.reserved
        own.unsettled, own.deficit, own.owed = balance.unsettled, balance.deficit, balance.owed


def _adopt_order(state: ArrayState, order: OpenOrder) -> None:
    blob = bytearray()
    packed = pack_order(order.placed, blob)
    if packed is None:
        raise ValueError(f"order {order.order_id} has terms that the core does not know")
    rates = (order.maker_ppm, order.taker_ppm, order.hold_ppm, order.floor, order.cap_bps)
    state.core.adopt_order(order.order_id, order.remaining, *rates, packed, bytes(blob))


def _adopt_trades(state: ArrayState, reference: State) -> None:
    for trade_id, trade in reference.trades.items():
        match = trade.match
        if trade.seq != seq_of(match.taker_order):
            raise ValueError(f"trade {trade_id} was matched later than its taker came, as the core knows none")
        state.core.adopt_trade(
            trade_id,
            trade.at_ms,
            cast("ArrayBook", state.books[match.market]).number,
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
    state.last_trade = reference.last_trade
    state.oldest_unsettled_at = reference.oldest_unsettled_at
    state.core.end_adoption()
