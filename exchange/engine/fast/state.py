"""The engine's state over the core's arrays: what `exchange.engine.state.State` is, for the same rules.

The core asks it for the little that only Python knows: forced withdrawals, revoked delegates, clients' ids, and what
orders wait for. Whatever Python tells and touches is told to the core at once, so that all events of a command stand in
one row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple
from operator import attrgetter
from typing import NamedTuple, cast

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.fees import MAX_TIERS, FeeRules, Schedule
from exchange.domain.instrument import Market
from exchange.domain.order_id import order_id, seq_of
from exchange.engine import events as e
from exchange.engine import groups, snapshot
from exchange.engine.accounts import Account, AccountLimits, Balance
from exchange.engine.book import Book, Half, Level
from exchange.engine.commands import PlaceOrder
from exchange.engine.events import CloseReason
from exchange.engine.exposure import sizes
from exchange.engine.fast.core import Core
from exchange.engine.fast.packing import Longer, pack_longer
from exchange.engine.fast.records import (
    ArrayAccount,
    ArrayBalance,
    ArrayBook,
    ArrayOrder,
    OpenOrders,
    Touched,
    Trades,
)
from exchange.engine.fast.refusals import number_in_core
from exchange.engine.frames import OrdersOf, place_mixed
from exchange.engine.matcher import take_turn
from exchange.engine.orders import KINDS, OpenOrder, needed_hold
from exchange.engine.risk import MAX_AMENDS
from exchange.engine.state import ForcedRequest, State, Trade, Withdrawal
from exchange.engine.triggers import Watch, forget_trigger, triggered

HOOKED, GROUPED = 4, 8
"""Flags of an order in the core (longer.pxi): Python is told when it is dropped; it is a leg of a group."""

KIND_COUNT = 6
"""Kinds of orders by what they may be charged: the lowest three bits of their terms, but post-only that takes."""

_U64 = (1 << 64) - 1

Rates = tuple[int, int, int, int, int]
"""An order's maker's and taker's rate, the highest that it can meet, the floor of what it takes, and its cap."""

Quiet = tuple[bool, int, int]
"""Whether somebody waits for a price in a market, and between which prices nobody is triggered."""

LATEST_SECOND = 1 << 50
"""An auction that ends later never ends by itself, for the core."""

MAX_ASSETS = 16
"""Assets in markets that the core has columns for."""


class Framed(NamedTuple):
    """A mixed frame at work: its record, and its orders."""

    seq: int
    at_ms: int
    orders: OrdersOf | list[PlaceOrder]


class ArrayState(State):
    """The engine's memory, its hot part in the core."""

    def __init__(self) -> None:
        self.core = Core(self)
        self.failure: BaseException | None = None
        self.halves: dict[tuple[int, int], Half] = {}
        self.tiered: dict[int, ArrayAccount] = {}
        self.fees_until = 0
        self.told: list[e.Event] = []
        self.late_trades: dict[int, int] = {}
        """The records of those trades whose takers came in earlier ones."""
        self.waiting: dict[int, int] = {}
        """The records of the open orders in no book, by id."""
        self.legs: dict[int, tuple[OpenOrder, int]] = {}
        """The legs of groups that are not decided, by id, and their records. There is one object for each."""
        self.frame: Framed | None = None
        """The mixed frame at work, or the last one."""
        self._worked: OpenOrder | None = None
        self._pushed: dict[int, Quiet] = {}
        self._calls: dict[int, int] = {}
        self._bounds: dict[int, e.MarketBoundsChanged] = {}
        self._balances: dict[int, Balance] = {}
        self._order_numbers: tuple[int, dict[int, int]] = (-1, {})
        self._nonce_words: tuple[int, dict[int, dict[int, int]]] = (-1, {})
        super().__init__()
        self.orders = cast("dict[int, OpenOrder]", OpenOrders(self))
        self.trades = cast("dict[int, Trade]", Trades(self))
        core, numbered = self.core, attrgetter("number")
        self.touched_levels = cast("dict[Level, None]", Touched(core.touch_level, numbered))
        self.touched_balances = cast("dict[Balance, None]", Touched(core.touch_balance, numbered))
        self.touched_accounts = cast("dict[Account, None]", Touched(core.touch_account, attrgetter("account_id")))

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
        book = ArrayBook(self, market, fee_account, schedules)
        for account, limits in self.limited.items():
            self._push_limits(account, limits, market.quote_asset)
        return book

    def limit(self, account: Account, limits: AccountLimits) -> None:
        """Give an account limits of its own, in the core too."""
        super().limit(account, limits)
        self._push_limits(account.account_id, limits)

    def _push_limits(self, account: int, limits: AccountLimits, listed: int | None = None) -> None:
        """Tell the core an account's limits in the assets that markets are quoted in, and in one that is listed now."""
        quotes = {book.quote_asset for book in self.books.values()} | {listed}
        by_asset = [(asset, min(most, _U64)) for asset, most in limits.max_open_notional.items() if asset in quotes]
        self.core.limit_account(account, min(limits.max_open_orders, MAX_AMOUNT), by_asset)

    def balance_of(self, number: int) -> Balance:
        """The balance in a record; always the same object."""
        balance = self._balances.get(number)
        if balance is None:
            account_id, asset = self.core.owner_of(number)
            balance = ArrayBalance(self, self.account_by_id(account_id), asset, number)
            self._balances[number] = balance
        return balance

    def order_at(self, number: int) -> OpenOrder:
        """A copy of the order in a record; a leg of a group itself."""
        leg = self.legs.get(self.core.order_id(number)) if self.legs else None
        return ArrayOrder(self, number) if leg is None else leg[0]

    def number_of(self, order: OpenOrder) -> int:
        """The record of an open order."""
        leg = self.legs.get(order.order_id)
        if leg is not None:
            return leg[1]
        assert isinstance(order, ArrayOrder)
        return order.number

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
        number = self.number_of(order)
        self.legs.pop(order.order_id, None)
        if order.level is not None:
            self.touched_levels[order.level] = None
        market, account = order.book.market.market_id, order.account.account_id
        self.events.append(e.OrderClosed(order.order_id, account, market, reason, order.remaining))
        self.core.drop_order(number)
        order.ended = True
        self.release(order, 0)
        if order.group:
            groups.end(self, order)

    def enlist(self, order: OpenOrder) -> None:
        """Keep an order that waits."""
        self.touched_balances[order.pays] = None
        self.keep(order)
        if order.group:
            groups.join(order)
            self.legs[order.order_id] = order, self.waiting[order.order_id]

    def keep(self, order: OpenOrder) -> None:
        """Enter an order that waits; its hold is in the balances."""
        rates, longer = _rates(order), _longer(order)
        flags = HOOKED | (GROUPED if order.group else 0)
        self.waiting[order.order_id] = self.core.keep(order.order_id, order.remaining, rates, *longer, flags)

    def find_waiting(self, order_id: int) -> OpenOrder | None:
        """The open order with this id, if it waits."""
        number = self.waiting.get(order_id)
        return self.order_at(number) if number else None

    def take_out(self, order: OpenOrder) -> None:
        """Have an order that waited be open no more."""
        self.legs.pop(order.order_id, None)
        self.core.take_out(self.waiting.pop(order.order_id))

    def take_place(self, old: OpenOrder, new: OpenOrder) -> None:
        """Put an order into the place of a resting one."""
        number, rates, longer = self.number_of(old), _rates(new), _longer(new)
        flags = HOOKED | (GROUPED if new.group else 0)
        self.core.replace_order(number, new.order_id, new.remaining, new.hidden, rates, *longer, flags)
        new.level = old.level
        self.legs.pop(old.order_id, None)
        if new.group:
            self.legs[new.order_id] = new, number

    def set_lots(self, order: OpenOrder, remaining: int, hidden: int) -> None:
        """Write what remains of a resting order, and how much of it is hidden."""
        assert order.level is not None
        self.core.set_lots(self.number_of(order), remaining, hidden)
        order.remaining, order.hidden = remaining, hidden
        self.touched_levels[order.level] = None

    def decided(self, order: OpenOrder) -> OpenOrder:
        """The order as one of no group, or of one that is decided now: then a copy like others."""
        return self.order_at(self._decide(order.order_id)) if order.group else order

    def finish(self, seq: int, at_ms: int, order: OpenOrder) -> bool:
        """Have the core match an order that is accepted, and rest or close what remains."""
        self.tell()
        first, rates, longer = self.core.last_trade + 1, _rates(order), _longer(order)
        flags = (HOOKED if order.order_id in self.replaced else 0) | (GROUPED if order.group else 0)
        self._worked = order
        number = self.core.work(order.order_id, at_ms, order.remaining, order.held, rates, *longer, flags)
        if not number:
            self.replaced.pop(order.order_id, None)
        elif order.group:
            self._seat(order, number)
        if seq_of(order.order_id) != seq:
            self.late_trades.update(dict.fromkeys(range(first, self.core.last_trade + 1), seq))
        return True

    def _seat(self, leg: OpenOrder, number: int) -> None:
        """A leg of a group rests."""
        copy = ArrayOrder(self, number)
        leg.level, leg.hidden = copy.level, copy.hidden
        self.back(leg, needed_hold(leg))
        self.touched_balances[leg.pays] = None
        groups.join(leg)
        self.legs[leg.order_id] = leg, number

    def open_in(self, account: Account, book: Book, besides: OpenOrder | None) -> tuple[int, int]:
        """How many orders an account has open in a market, but for one, and the sum of their notionals."""
        number = 0 if besides is None else self.number_of(besides)
        return self.core.open_in(account.account_id, cast("ArrayBook", book).number, number)

    @property
    def has_due(self) -> bool:
        """Whether an auction is to trade, or a triggered order waits for its turn."""
        has_due = super().has_due
        self.core.set_due(has_due, bool(self.auctions))
        return has_due

    def expire(self, at_ms: int) -> None:
        """End what has expired."""
        self.tell()
        self.core.expire(at_ms)

    def watch_countdown(self, account: Account) -> None:
        """Have a countdown end in its time."""
        if account.countdown:
            self.core.watch_countdown(account.account_id)

    def next_end(self) -> int | None:
        """When the next open order expires, or the next countdown ends, in unix seconds."""
        expiry = self.core.next_expiry()
        return None if expiry < 0 else expiry

    def begin(self) -> None:
        """Begin a command that Python runs."""
        self.told = []
        self.core.begin()

    def flush(self) -> list[e.Event]:
        """The events of such a command, which ends."""
        self.tell()
        self.push_bounds()
        self.push_turns()
        self.core.end()
        return self.core.decoded((), self.told).get(0) or []

    def tell(self) -> None:
        """Tell the core what Python told, in its place among what the core tells."""
        first, count = len(self.told), len(self.events)
        self.told += self.events
        self.events = []
        self.core.tell(first, count)

    def push_turns(self) -> None:
        """Tell the core until when orders gather, which prices trigger nobody, and whether a turn is due."""
        self.core.set_due(super().has_due, bool(self.auctions))
        calls = {market: auction.ends_at for market, auction in self.auctions.items()} if self.auctions else {}
        if calls != self._calls:
            for market, ends_at in calls.items():
                self.core.set_call_end(cast("ArrayBook", self.books[market]).number, min(ends_at, LATEST_SECOND))
            self._calls = calls
        for market in self._pushed.keys() | self.watches.keys():
            quiet = quiet_of(self.watches.get(market))
            if self._pushed.get(market) != quiet:
                self._pushed[market] = quiet
                self.core.set_quiet(cast("ArrayBook", self.books[market]).number, *quiet)

    def push_bounds(self) -> None:
        """Tell the core the markets' bounds, if they changed."""
        if self.bounds == self._bounds:
            return
        for market in self._bounds.keys() | self.bounds.keys():
            bounds = self.bounds.get(market)
            most = [min(size, _U64) for size in sizes(bounds)] if bounds else [0] * 4
            collar_bps = bounds.collar_bps if bounds else 0
            self.core.set_bounds(cast("ArrayBook", self.books[market]).number, collar_bps, *most)
        self._bounds = dict(self.bounds)

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

    def cover_forced(self, balance: int) -> None:
        """Set money aside for forced withdrawals."""
        self.reserve_owed(self.balance_of(balance))
        self.tell()

    def end_countdown(self, account: int) -> None:
        """End the orders of an account that was silent for too long."""
        self._end_countdown(self.account_by_id(account))
        self.tell()

    def notice(self, market: int, prices: list[int]) -> None:
        """See what trades at these prices trigger."""
        triggered(self, market, prices)
        self.push_turns()

    def take_turn(self, seq: int, at_ms: int) -> None:
        """An auction trades, or the triggered order works whose turn it is."""
        take_turn(self, seq, at_ms)
        self.tell()
        self.push_turns()

    def place_mixed(self, index: int) -> int:
        """Place the order at a place of the frame at work; the core's number for what became of it."""
        assert self.frame is not None
        seq, at_ms, orders = self.frame
        code = place_mixed(self, order_id(seq, index), at_ms, orders[index])
        self.tell()
        self.push_turns()
        return number_in_core(code)

    def note_amend(
        self,
        old: int,
        new: int,
        account: int,
        market: int,
        remaining: int,
        old_hash: bytes,
        new_hash: bytes,
        keeps: bool,
        tells: bool,
    ) -> int:
        """An order replaces a resting one, whose place it `keeps` or not: remember that, unless it stood on the nonce
        before, or too many did (-1).

        Where it is told among the events of Python, counted from 1; 0 if nobody is told.
        """
        replaced = self.replaced.get(old, ())
        if new_hash in replaced or len(replaced) >= MAX_AMENDS:
            return -1
        self.replaced.pop(old, None)
        self.replaced[new] = (*replaced, old_hash)
        if not tells:
            return 0
        self.told.append(e.OrderAmended(new, account, market, old, remaining, keeps))
        return len(self.told)

    def close_leg(self, number: int, reason: CloseReason) -> None:
        """End a leg of a group, and the other with it."""
        self.close(self.order_at(number), reason)
        self.tell()

    def decide_leg(self, order_id: int) -> None:
        """A resting leg trades, or is decremented: the other ends."""
        self._decide(order_id)
        self.tell()

    def _decide(self, order_id: int) -> int:
        leg, number = self.legs.pop(order_id)
        groups.decide(self, leg)
        self.core.ungroup(number)
        return number

    def decide_taker(self) -> int:
        """The leg that works trades, or is decremented: the other ends; what backs it now."""
        assert self._worked is not None
        groups.decide(self, self._worked)
        self.tell()
        return self._worked.held

    def forget(self, order_id: int, market: int) -> None:
        """Forget what is known of an order that has ended: what it replaced, and what it waited for."""
        self.replaced.pop(order_id, None)
        if self.waiting.pop(order_id, None):
            forget_trigger(self, market, order_id)
            self.push_turns()

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
    _check_sums(reference)
    state = ArrayState()
    state.replaced, state.bounds, state.due = reference.replaced, reference.bounds, reference.due
    state.seq, state.at_ms, state.inbox_id = reference.seq, reference.at_ms, reference.inbox_id
    state.limits, state.fee_rules = reference.limits, reference.fee_rules
    state.assets, state.issued = reference.assets, reference.issued
    for account in reference.accounts:
        _adopt_account(state, account)
    for market, book in reference.books.items():
        fee_account = state.account_by_id(book.fee_account.account_id)
        state.books[market] = state.new_book(book.market, fee_account, book.schedules.entries)
        state.books[market].last_price = book.last_price
    for account_id, limits in reference.limited.items():
        state.limit(state.account_by_id(account_id), limits)
    state.watches, state.auctions = reference.watches, reference.auctions
    for order in snapshot.standing(reference):
        _adopt_order(state, order)
    _adopt_legs(state, reference)
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


def quiet_of(watch: Watch | None) -> Quiet:
    """What the core knows of a market's waiting orders."""
    return (False, 0, 0) if watch is None else (True, *watch.quiet())


def _check_sums(reference: State) -> None:
    """What an asset's balances add up to is what the core counts."""
    deficits: Counter[int] = Counter()
    for account in reference.accounts:
        for balance in account.balances.values() if account.deficits else ():
            deficits[balance.asset] += balance.deficit
    for asset, issued in reference.issued.items():
        if issued + deficits[asset] > MAX_AMOUNT:
            raise ValueError(f"the balances of asset {asset} are more than the core counts")


def _rates(order: OpenOrder) -> Rates:
    return order.maker_ppm, order.taker_ppm, order.hold_ppm, order.floor, order.cap_bps


def _longer(order: OpenOrder) -> Longer:
    longer = pack_longer(order.placed)
    if longer is None:
        raise ValueError(f"order {order.order_id} has no packed form")
    return longer


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
        for order_hash, number in generation.items():
            new.order_hashes.put(order_hash, number)
    for asset, balance in account.balances.items():
        own = new.balance(asset)
        own.available, own.held, own.reserved = balance.available, balance.held, balance.reserved
        own.unsettled, own.deficit, own.owed = balance.unsettled, balance.deficit, balance.owed


def _adopt_order(state: ArrayState, order: OpenOrder) -> None:
    if order.level is None:
        state.keep(order)
        return
    flags = (HOOKED if order.order_id in state.replaced else 0) | (GROUPED if order.group else 0)
    state.core.adopt_order(order.order_id, order.remaining, order.hidden, _rates(order), *_longer(order), flags)


def _adopt_legs(state: ArrayState, reference: State) -> None:
    legs = [order for order in reference.orders.values() if order.group]
    for order in legs:
        number = state.core.order_on(order.account.account_id, order.placed.order.nonce)
        leg = ArrayOrder(state, number)
        leg.held, leg.group = order.held, order.group
        state.legs[order.order_id] = leg, number
    for order in legs:
        leg = cast("ArrayOrder", state.legs[order.order_id][0])
        if order.partner is None:
            leg.account.groups[leg.group] = leg
        else:
            leg.partner = state.legs[order.partner.order_id][0]


def _adopt_trades(state: ArrayState, reference: State) -> None:
    for trade_id, trade in reference.trades.items():
        state.trades[trade_id] = trade
    state.last_trade = reference.last_trade
    state.oldest_unsettled_at = reference.oldest_unsettled_at
    state.core.end_adoption()
