"""All that the engine knows, and the few moves from which every command is made.

Money moves only through `give`, `take_available` and the matcher's fill; an order ends only through
`close`. What a command touched is collected and told once, at the command's end, as absolute values.
"""

from collections import OrderedDict, deque
from heapq import heapify, heappop, heappush

from exchange.domain.amount import BPS
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import FeeRules, Schedule
from exchange.domain.instrument import Asset, Market
from exchange.engine import events as e
from exchange.engine import groups
from exchange.engine.accounts import NO_LIMITS, Account, AccountLimits, Balance
from exchange.engine.book import Book, Half, Level
from exchange.engine.orders import OpenOrder, by_age, displayed_of, hold_for, needed_hold, waiting_hold
from exchange.engine.triggers import Trigger, Watch, forget_trigger

DEFAULT_LIMITS = e.LimitsChanged(max_unsettled_ms=0, max_open_orders=1_000, max_fills=200)
DEFAULT_FEE_RULES = FeeRules(fee_cap_bps=BPS, notice_ms=0)


class Trade:
    """A matched trade that is not final: the event, and when its taker came (`seq`, `at_ms`)."""

    __slots__ = ("at_ms", "match", "seq")

    def __init__(self, seq: int, at_ms: int, match: e.TradeMatched) -> None:
        self.seq = seq
        self.at_ms = at_ms
        self.match = match


class Batch:
    """A batch that is cut and not final. `last_trade` is the highest trade id up to its end."""

    __slots__ = ("batch", "from_seq", "last_trade", "to_seq")

    def __init__(self, batch: int, from_seq: int, to_seq: int, last_trade: int) -> None:
        self.batch = batch
        self.from_seq = from_seq
        self.to_seq = to_seq
        self.last_trade = last_trade


class Auction:
    """A market whose orders gather until `ends_at` (unix seconds; 0: until it opens); then they trade at `price`."""

    __slots__ = ("ends_at", "market", "price")

    def __init__(self, market: int, ends_at: int, price: int = 0) -> None:
        self.market = market
        self.ends_at = ends_at
        self.price = price


class Withdrawal:
    """The hold of a signed fast withdrawal."""

    __slots__ = ("amount", "balance", "deadline", "nonce")

    def __init__(self, balance: Balance, amount: int, nonce: int, deadline: int) -> None:
        self.balance = balance
        self.amount = amount
        self.nonce = nonce
        self.deadline = deadline


class ForcedRequest:
    """A forced withdrawal: of `requested`, `reserved` is already set aside."""

    __slots__ = ("balance", "request", "requested", "reserved")

    def __init__(self, request: str, balance: Balance, requested: int) -> None:
        self.request = request
        self.balance = balance
        self.requested = requested
        self.reserved = 0


class State:
    """The engine's memory. Only the modules of this package change it."""

    def __init__(self) -> None:
        self.seq = 0
        self.at_ms = 0
        self.inbox_id = 0
        self.limits = DEFAULT_LIMITS
        self.fee_rules = DEFAULT_FEE_RULES
        self.assets: dict[int, Asset] = {}
        self.issued: dict[int, int] = {}
        self.books: dict[int, Book] = {}
        self.accounts: list[Account] = []
        self.by_address: dict[bytes, Account] = {}
        self.orders: dict[int, OpenOrder] = {}
        self.expiries: list[tuple[int, int]] = []
        self.trades: dict[int, Trade] = {}
        self.last_trade = 0
        self.oldest_unsettled_at: int | None = None
        self.batches: deque[Batch] = deque()
        self.last_batch = 0
        self.cut_seq = 0
        self.cut_trade = 0
        self.withdrawals: dict[bytes, Withdrawal] = {}
        self.forced: dict[str, ForcedRequest] = {}
        self.bounds: dict[int, e.MarketBoundsChanged] = {}
        """Of the markets that have any."""
        self.limited: dict[int, AccountLimits] = {}
        """The accounts' own limits, by account id, of those that have any."""
        self.replaced: dict[int, tuple[bytes, ...]] = {}
        """By an open order that replaced others on its nonce, their hashes: none of them comes back."""
        self.auctions: dict[int, Auction] = {}
        """Of the markets whose orders have gathered and have not traded since."""
        self.watches: dict[int, Watch] = {}
        self.due: OrderedDict[int, Trigger] = OrderedDict()
        """Triggered orders that have not worked yet, in turn, with what triggered them."""

        # what the record's earlier orders have used of what a batch takes: see `exchange.engine.frames`
        self.record_fills = 0
        self.record_hashes = 0

        self.events: list[e.Event] = []
        self.touched_balances: dict[Balance, None] = {}
        self.touched_levels: dict[Level, None] = {}
        self.touched_accounts: dict[Account, None] = {}

    # looking up

    def account(self, address: bytes) -> Account:
        """The account of `address`, or a refusal."""
        account = self.by_address.get(address)
        if account is None:
            raise Refusal(ErrorCode.unknown_account, "this address never had a balance here; deposit first", "account")
        return account

    def account_by_id(self, account_id: int) -> Account:
        """The account with this id, which must exist."""
        return self.accounts[account_id - 1]

    def book(self, market: int) -> Book:
        """The book of `market`, or a refusal."""
        book = self.books.get(market)
        if book is None:
            raise Refusal(ErrorCode.unknown_market, f"there is no market {market}", "market", {"market": market})
        return book

    def open_account(self, address: bytes) -> Account:
        """The account of `address`, opened now if it is new."""
        account = self.by_address.get(address)
        if account is None:
            account = self.new_account(len(self.accounts) + 1, address)
            self.accounts.append(account)
            self.by_address[address] = account
            self.events.append(e.AccountOpened(account.account_id, address))
        return account

    def new_account(self, account_id: int, address: bytes) -> Account:
        """An account as this state keeps it."""
        return Account(account_id, address)

    def new_book(self, market: Market, fee_account: Account, schedules: list[tuple[int, Schedule]]) -> Book:
        """A book as this state keeps it."""
        return Book(market, fee_account, schedules)

    # limits

    def limit(self, account: Account, limits: AccountLimits) -> None:
        """Give an account limits of its own."""
        if limits != NO_LIMITS:
            self.limited[account.account_id] = limits
        else:
            self.limited.pop(account.account_id, None)

    def most_open_orders(self, account: Account) -> int:
        """How many open orders an account may have."""
        own = self.limited.get(account.account_id, NO_LIMITS)
        return own.max_open_orders or self.limits.max_open_orders

    def most_open_notional(self, account: Account, asset: int) -> int:
        """How much an account may have open in the markets that are quoted in an asset; 0: any amount."""
        return self.limited.get(account.account_id, NO_LIMITS).max_open_notional.get(asset, 0)

    # settlement

    def is_behind(self, at_ms: int) -> bool:
        """Whether the oldest unsettled trade is older than it may be at a time: then nobody trades."""
        oldest, limit = self.oldest_unsettled_at, self.limits.max_unsettled_ms
        return bool(limit) and oldest is not None and at_ms - oldest > limit

    # moving money

    def give(self, balance: Balance, amount: int) -> None:
        """`amount` becomes available, after it has repaid a deficit and filled what forced withdrawals wait for."""
        self.touched_balances[balance] = None
        if balance.deficit:
            repaid = min(balance.deficit, amount)
            balance.deficit -= repaid
            amount -= repaid
            if not balance.deficit:
                balance.account.deficits -= 1
                self.touched_accounts[balance.account] = None
        balance.available += amount
        if balance.owed and amount:
            self.reserve_owed(balance)

    def receive(self, balance: Balance, amount: int) -> None:
        """A trade that is not final brings in `amount`."""
        balance.unsettled += amount
        if balance.deficit or balance.owed:
            self.give(balance, amount)
        else:
            balance.available += amount
            self.touched_balances[balance] = None

    def reserve_owed(self, balance: Balance) -> None:
        """Set available money aside for the forced withdrawals of this balance, oldest request first."""
        for forced in self.forced.values():
            if forced.balance is not balance:
                continue
            moved = min(balance.available, forced.requested - forced.reserved)
            if moved:
                balance.available -= moved
                balance.reserved += moved
                balance.owed -= moved
                forced.reserved += moved
                self.tell_forced(forced)
        self.touched_balances[balance] = None

    def tell_forced(self, forced: ForcedRequest) -> None:
        """Emit how far a forced withdrawal is covered."""
        account = forced.balance.account.account_id
        self.events.append(
            e.ForcedReserved(account, forced.balance.asset, forced.requested, forced.reserved, forced.request)
        )

    def take_available(self, balance: Balance, amount: int) -> int:
        """Take up to `amount` of what is available; returns what is still missing."""
        taken = min(balance.available, amount)
        balance.available -= taken
        self.touched_balances[balance] = None
        return amount - taken

    def owe(self, balance: Balance, amount: int) -> None:
        """Write `amount` as a deficit, which blocks the account."""
        if not amount:
            return
        if not balance.deficit:
            balance.account.deficits += 1
            self.touched_accounts[balance.account] = None
        balance.deficit += amount
        self.touched_balances[balance] = None

    # orders

    def rest(self, order: OpenOrder) -> None:
        """Put what remains of an accepted order into its book, backed by its hold."""
        book = order.book
        held = hold_for(order.side, order.price, order.remaining, book.lot_size, order.hold_ppm)
        if order.held:
            self.release(order, held)
        else:
            self.back(order, held)
        self.touched_levels[book.half(order.side).append(order)] = None
        self.enlist(order)

    def wait(self, order: OpenOrder) -> None:
        """Let an accepted order wait for a price, in no book, backed by its hold."""
        self.back(order, waiting_hold(order))
        self.enlist(order)

    def back(self, order: OpenOrder, needed: int) -> None:
        """Hold what an order needs that holds nothing; of the second leg of a group what the first does not hold."""
        if order.partner is not None:
            needed = max(needed - order.partner.held, 0)
        order.held = needed
        order.pays.available -= needed
        order.pays.held += needed

    def enlist(self, order: OpenOrder) -> None:
        """Count an order with those that are open."""
        self.touched_balances[order.pays] = None
        self.orders[order.order_id] = order
        order.account.orders[order.placed.order.nonce] = order
        self.await_expiry(order)
        if order.group:
            groups.join(order)

    def find_waiting(self, order_id: int) -> OpenOrder | None:
        """The order with this id if it is open and stands in no book."""
        return self.orders.get(order_id)

    def take_out(self, order: OpenOrder) -> None:
        """Have an order that waited be open no more: it works now."""
        del self.orders[order.order_id]
        del order.account.orders[order.placed.order.nonce]

    def finish(self, seq: int, at_ms: int, order: OpenOrder) -> bool:
        """Whether whoever keeps the books has matched an accepted order; here it is the matcher that does."""
        return False

    def open_in(self, account: Account, book: Book, besides: OpenOrder | None) -> tuple[int, int]:
        """How many orders an account has open in a market, but for one, and the sum of their notionals."""
        found = [order for order in account.orders.values() if order.book is book and order is not besides]
        return len(found), sum(order.price * order.remaining for order in found)

    def open_notional(self, account: Account, asset: int, besides: OpenOrder | None) -> int:
        """The notionals of the orders that an account has open in all markets quoted in an asset, but for one."""
        quoted = (book for book in self.books.values() if book.quote_asset == asset)
        return sum(self.open_in(account, book, besides)[1] for book in quoted)

    def await_expiry(self, order: OpenOrder) -> None:
        """Have an open order end in its time."""
        heappush(self.expiries, (order.placed.order.expiry, order.order_id))
        if len(self.expiries) > 2 * len(self.orders) + 1_024:
            self._compact_expiries()

    def reduce(self, order: OpenOrder, lots: int) -> None:
        """Lower what remains of a resting order, and release what backed it. It keeps its place."""
        if order.group:
            groups.decide(self, order)
        level = order.level
        if level is not None:
            level.quantity -= lots
            self.touched_levels[level] = None
        order.remaining -= lots
        self.tell_reduced(order, lots)
        self.release(order, hold_for(order.side, order.price, order.remaining, order.book.lot_size, order.hold_ppm))

    def set_lots(self, order: OpenOrder, remaining: int, hidden: int) -> None:
        """Write what remains of a resting order, and how much of it is hidden; its hold is the caller's."""
        level = order.level
        assert level is not None
        level.quantity += (remaining - hidden) - (order.remaining - order.hidden)
        order.remaining, order.hidden = remaining, hidden
        self.touched_levels[level] = None

    def decided(self, order: OpenOrder) -> OpenOrder:
        """The order as one of no group, or of one that is decided now."""
        if order.group:
            groups.decide(self, order)
        return order

    def release(self, order: OpenOrder, held: int) -> None:
        """Lower an order's hold to `held`."""
        released, order.held = order.held - held, held
        order.pays.held -= released
        self.give(order.pays, released)

    def show_more(self, order: OpenOrder) -> None:
        """Show the next slice of a resting order whose last one is used up: it goes to the end of its level."""
        level = order.level
        shown = min(order.hidden, displayed_of(order.placed.order.terms))
        order.hidden -= shown
        if level is not None:
            level.quantity += shown
            level.requeue(order)
            self.touched_levels[level] = None

    def swap(self, old: OpenOrder, new: OpenOrder) -> None:
        """Put an order that asks for no more into the very place of a resting one, which ends as amended."""
        new.hidden = max(old.hidden - (old.remaining - new.remaining), 0)
        self.take_place(old, new)
        account, market = old.account.account_id, old.book.market.market_id
        self.events.append(e.OrderClosed(old.order_id, account, market, e.CloseReason.amended, old.remaining))
        held = needed_hold(new)
        new.held = old.held
        if new.group:
            held = max(held - new.partner.held, 0) if new.partner is not None else held
            groups.join(new)
        if held <= new.held:
            self.release(new, held)
        else:  # a schedule that came later asks for more
            new.pays.available -= held - new.held
            new.pays.held += held - new.held
            new.held = held
        old.held = 0
        self.touched_balances[new.pays] = None

    def take_place(self, old: OpenOrder, new: OpenOrder) -> None:
        """Put an order into the place of a resting one."""
        level = old.level
        assert level is not None
        level.replace(old, new)
        self.touched_levels[level] = None
        del self.orders[old.order_id]
        self.orders[new.order_id] = new.account.orders[new.placed.order.nonce] = new
        self.await_expiry(new)

    def tell_reduced(self, order: OpenOrder, quantity: int) -> None:
        """Emit by how much an order was lowered."""
        account, market = order.account.account_id, order.book.market.market_id
        self.events.append(e.OrderReduced(order.order_id, account, market, quantity, order.remaining))

    def close(self, order: OpenOrder, reason: e.CloseReason) -> None:
        """Take a resting order out of its book and release its hold."""
        level = order.level
        if level is not None:
            self.touched_levels[level] = None
            level.remove(order)
        else:
            forget_trigger(self, order.book.market.market_id, order.order_id)
        del self.orders[order.order_id]
        del order.account.orders[order.placed.order.nonce]
        self.replaced.pop(order.order_id, None)
        self.events.append(
            e.OrderClosed(
                order.order_id, order.account.account_id, order.book.market.market_id, reason, order.remaining
            )
        )
        order.ended = True
        self.release(order, 0)
        if order.group:
            groups.end(self, order)

    @property
    def has_due(self) -> bool:
        """Whether an auction is to trade, or a triggered order waits for its turn, when nothing keeps them from it."""
        if self.auctions and any(auction.price for auction in self.auctions.values()):
            return True
        return bool(self.due)

    def has_turn(self, at_ms: int) -> bool:
        """Whether one of them may at a time: then a `Tick` is the next that can."""
        return bool(self.due or self.auctions) and not self.is_behind(at_ms) and self.has_due

    def close_all(self, account: Account, reason: e.CloseReason, asset: int | None = None) -> None:
        """Close an account's open orders; with `asset`, only those that hold it."""
        for order in by_age(account.orders.values()):
            if (asset is None or order.pays.asset == asset) and not order.ended:
                self.close(order, reason)

    def watch_countdown(self, account: Account) -> None:
        """Have a countdown end in its time. It stands among the expiries under the account's id, made negative."""
        if account.countdown:
            heappush(self.expiries, (account.countdown, -account.account_id))
            if len(self.expiries) > 2 * len(self.orders) + 1_024:
                self._compact_expiries()

    def next_expiry(self) -> int | None:
        """When the next open order expires, or the next countdown or call ends, in unix seconds."""
        end = self.next_end()
        return min([*([] if end is None else [end]), *self.ends_of_calls()], default=None)

    def next_end(self) -> int | None:
        """The same but for calls."""
        expiries = self.expiries
        while expiries and not self._is_awaited(*expiries[0]):
            heappop(expiries)
        return expiries[0][0] if expiries else None

    def ends_of_calls(self) -> list[int]:
        """When the calls end that have a time."""
        return [auction.ends_at for auction in self.auctions.values() if self.calls_until(auction)]

    def calls_until(self, auction: Auction) -> bool:
        """Whether an auction gathers orders until a time; not while its market is halted."""
        return bool(auction.ends_at and not auction.price and self.books[auction.market].in_call)

    def expire(self, at_ms: int) -> None:
        """End every countdown, and close every order, whose time has come: in order of time; at one time the countdowns
        first, the youngest account's before, then the orders by id."""
        expiries = self.expiries
        while expiries and expiries[0][0] * 1_000 <= at_ms:
            due, number = heappop(expiries)
            if not self._is_awaited(due, number):
                continue
            if number > 0:
                self.close(self.orders[number], e.CloseReason.expired)
            else:
                self._end_countdown(self.account_by_id(-number))

    def _is_awaited(self, due: int, number: int) -> bool:
        return number in self.orders if number > 0 else self.account_by_id(-number).countdown == due

    def _end_countdown(self, account: Account) -> None:
        account.countdown = 0
        self.events.append(e.CountdownSet(account.account_id, 0))
        self.close_all(account, e.CloseReason.countdown)

    def _compact_expiries(self) -> None:
        """Forget the expiries of orders that are closed: they have become the majority."""
        self.expiries = [(order.placed.order.expiry, order.order_id) for order in self.orders.values()]
        self.expiries += [(account.countdown, -account.account_id) for account in self.accounts if account.countdown]
        heapify(self.expiries)

    # telling

    def flush(self) -> list[e.Event]:
        """The events of the command that ends, closing with what it changed."""
        events, self.events = self.events, []
        if self.touched_levels:
            for level in self.touched_levels:
                half: Half = level.half
                events.append(e.LevelChanged(half.market_id, half.side, level.price, level.quantity))
            self.touched_levels = {}
        if self.touched_balances:
            for b in self.touched_balances:
                events.append(
                    e.BalanceChanged(b.account_id, b.asset, b.available, b.held, b.reserved, b.unsettled, b.deficit)
                )
            self.touched_balances = {}
        if self.touched_accounts:
            for account in self.touched_accounts:
                events.append(e.AccountChanged(account.account_id, account.status, account.min_nonce))
            self.touched_accounts = {}
        self.record_fills = self.record_hashes = 0
        return events
