"""What an order must satisfy before it is accepted: a list of rules, each of which refuses or is silent.

Nothing here changes anything, so a refused order leaves no trace. Signatures and the scope of delegates are
checked before an order reaches the engine.
"""

from collections.abc import Callable
from typing import NoReturn

from exchange.domain.amount import BPS, MAX_AMOUNT
from exchange.domain.bulk import BulkSignature
from exchange.domain.eip712 import Scheme
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import PPM, cap_for, cap_for_floor, most_of
from exchange.domain.order import (
    MAX_DELEGATED_SECONDS,
    MAX_ORDER_SECONDS,
    NONCE_LIMIT,
    SINGLE_FILL,
    Order,
    Terms,
    TimeInForce,
    TriggerType,
)
from exchange.engine.accounts import Account
from exchange.engine.book import Book
from exchange.engine.commands import AmendOrder, PlaceGroup, PlaceOrder
from exchange.engine.exposure import check_bounds, check_limits
from exchange.engine.orders import (
    BUY,
    BUY_QUOTE,
    KINDS,
    MAX_PARTS,
    SELL,
    Kind,
    OpenOrder,
    displayed_of,
    group_of,
    hold_for,
    needed_hold,
    notional_of,
    plain_terms,
    trigger_bits,
)
from exchange.engine.state import State
from exchange.engine.triggers import Trigger, check_terms, trigger_of

DELEGATE = int(Scheme.delegate)
BULK = int(Scheme.bulk)
SCHEMES = DELEGATE | BULK
SIDES = (BUY, SELL, BUY_QUOTE)

CLOCK_MARGIN_SECONDS = 120
"""The contract compares with the time of a block, which may be behind the engine's clock by so much."""


MAX_AMENDS = 256
"""How often one order after another is replaced on a nonce: all their hashes are remembered while the last is open."""


class Candidate:
    """An order on its way in, with what the rules look at.

    A seller needs the base of the whole order; a buyer its notional, the highest fee on it and the floor of its takes.
    `partner` is the other leg of its group, if that is there; `beside` the one that comes before it in its record.
    """

    __slots__ = (
        "account",
        "at_ms",
        "beside",
        "book",
        "buyer_needs",
        "cap_bps",
        "kind",
        "notional",
        "order",
        "partner",
        "placed",
        "rates",
        "replaces",
        "seller_needs",
        "state",
        "waits_for",
    )

    def __init__(self, state: State, at_ms: int, placed: PlaceOrder, replaces: OpenOrder | None = None) -> None:
        order = placed.order
        self.replaces = replaces
        self.state = state
        self.at_ms = at_ms
        self.placed = placed
        self.order = order
        self.book: Book = state.book(order.market)
        self.account: Account = state.account(order.account)
        self.waits_for: Trigger | None = None
        self.partner: OpenOrder | None = None
        self.beside: Candidate | None = None
        kind = KINDS.get(order.terms)
        if kind is None:
            kind = kind_of(order.terms)
            self._await_trigger()
        self.kind: Kind = kind
        self.rates = self.book.rates_at(at_ms, self.account.tier(at_ms), kind)
        self.cap_bps = min(order.max_fee_bps, state.fee_rules.fee_cap_bps)
        self.notional = notional = notional_of(order.side, order.price, order.quantity)
        self.buyer_needs = notional + notional * self.rates[2] // PPM + self.rates[3]
        self.seller_needs = order.quantity * self.book.lot_size

    def _await_trigger(self) -> None:
        trigger = trigger_of(self.order, self.book.last_price)
        if trigger is not None and (self.book.in_call or not trigger.reached(self.book.last_price)):
            self.waits_for = trigger

    @property
    def stays(self) -> bool:
        """Whether it may be open when its record is done."""
        return self.kind.rests or self.waits_for is not None

    @property
    def used(self) -> int:
        """What of the quantity an order that is replaced has used up: filled, or lost to its own account."""
        replaced = self.replaces
        return 0 if replaced is None else replaced.placed.order.quantity - replaced.remaining


def kind_of(word: int) -> Kind:
    """What packed terms say, apart from displayed quantity, trigger and group; Refusal for terms not supported."""
    kind = KINDS.get(plain_terms(word))
    if kind is None:
        refuse_terms(plain_terms(word))
    if trigger_bits(word):
        check_trigger(word)
    if displayed_of(word) and not kind.rests:
        raise Refusal(ErrorCode.terms_conflict, "displayed_quantity goes with gtc and gtd only", "displayed_quantity")
    if group_of(word) and not (kind.rests or trigger_bits(word)):
        raise Refusal(ErrorCode.terms_conflict, "a leg of a group rests (gtc, gtd) or has a trigger", "group")
    return kind


def refuse_terms(word: int) -> NoReturn:
    """Say what is wrong with terms that are not in `KINDS`."""
    try:
        terms = Terms.unpack(word)
    except ValueError as error:
        raise Refusal(ErrorCode.unsupported_terms, str(error), "terms") from None
    if terms.post_only and terms.time_in_force in (TimeInForce.ioc, TimeInForce.fok):
        raise Refusal(ErrorCode.terms_conflict, "post_only does not go with ioc or fok: choose one", "post_only")
    raise Refusal(
        ErrorCode.terms_conflict, "self-trade mode decrement does not go with fok: choose another", "self_trade"
    )


def check_trigger(word: int) -> None:
    """Refuse a trigger that this engine cannot watch for."""
    try:
        terms = Terms.unpack(word)
    except ValueError as error:
        raise Refusal(ErrorCode.unsupported_terms, str(error), "trigger_type") from None
    if terms.trigger_type == TriggerType.none:
        raise Refusal(
            ErrorCode.terms_conflict, "trigger_source and trail_bps go with a trigger: leave them 0", "trigger_type"
        )
    if terms.trigger_source:
        raise Refusal(
            ErrorCode.unsupported_terms, "trigger_source must be 0, the price of the last trade", "trigger_source"
        )
    if (terms.trigger_type == TriggerType.trailing) != bool(terms.trail_bps):
        raise Refusal(ErrorCode.terms_conflict, "trail_bps goes with trailing, and trailing with it", "trail_bps")
    if terms.trail_bps >= BPS:
        raise Refusal(ErrorCode.unsupported_terms, f"trail_bps must be below {BPS}", "trail_bps")


def check_market(c: Candidate) -> None:
    """The market takes orders; side and scheme are ones that it can settle."""
    if c.book.in_call:
        check_call(c)
    elif not c.book.is_open:
        status = c.book.market.status.value
        raise Refusal(ErrorCode.market_halted, f"the market is {status}: it takes cancels only", "market")
    if c.order.side not in SIDES:
        raise Refusal(ErrorCode.unsupported_terms, "side must be 0 (buy), 1 (sell) or 2 (buy_quote)", "side")
    if c.placed.scheme & ~SCHEMES:
        raise Refusal(ErrorCode.unknown_scheme, "scheme must be account or delegate (1), plus 2 in bulk", "scheme")
    if c.placed.scheme & BULK:
        check_path(c.placed.signature)
    if c.order.trigger_price or trigger_bits(c.order.terms):
        check_terms(c.order, c.book.tick_size)


def check_call(c: Candidate) -> None:
    """In the call of an auction orders gather: those that rest and may take, and those that wait for a price."""
    auction = c.state.auctions[c.order.market]
    if 0 < auction.ends_at * 1_000 <= c.at_ms and not c.state.is_behind(c.at_ms):
        raise Refusal(ErrorCode.unavailable, "the auction trades first: a Tick is due")
    if c.waits_for is None and (c.kind.post_only or not c.kind.rests):
        raise Refusal(
            ErrorCode.auction_call, "an auction takes gtc and gtd orders that are not post_only", "time_in_force"
        )


def check_path(signature: bytes) -> None:
    """The signature of an order signed in bulk has a path that the contract can follow."""
    try:
        BulkSignature.unpack(signature)
    except ValueError as error:
        raise Refusal(ErrorCode.wrong_signature, f"the signature is wrong: {error}", "signature") from None


def check_account(c: Candidate) -> None:
    """The account may trade, and the signer may sign for it."""
    account = c.account
    check_may_trade(account, c.placed.signer)
    others = len(account.orders) - (c.replaces is not None) + (c.beside is not None and c.beside.stays)
    limit = c.state.most_open_orders(c.account)
    if c.stays and others >= limit:
        raise Refusal(
            ErrorCode.too_many_open_orders,
            f"at most {limit} open orders, {others} are open: cancel some first",
            None,
            {"limit": limit, "open": others},
        )


def check_may_trade(account: Account, signer: bytes) -> None:
    """Refusal of every order of an account by a signer."""
    if account.deficits:
        raise Refusal(ErrorCode.account_blocked, "the account has a deficit after a reorg: deposit to repay it")
    if account.exiting:
        raise Refusal(ErrorCode.account_exiting, "the account is leaving: cancel the exit to trade")
    if account.frozen:
        raise Refusal(ErrorCode.account_frozen, "its owner froze the account: unfreeze it, and wait for the thaw")
    if account.stops:
        raise Refusal(
            ErrorCode.trading_stopped, "the account's trading is stopped, by its owner or the operator: lift the stop"
        )
    if account.revoked and signer in account.revoked:
        raise Refusal(ErrorCode.unknown_delegate, "this delegate is revoked: sign with another key", "signature")


def check_nonce(c: Candidate) -> None:
    """The nonce is in range, new and not below the minimum; a single-fill order cannot rest."""
    nonce, account = c.order.nonce, c.account
    sequence = nonce & ~SINGLE_FILL
    if sequence >= NONCE_LIMIT:
        raise Refusal(ErrorCode.nonce_out_of_range, "the nonce without its top bit must be below 2**48", "nonce")
    if sequence < account.min_nonce:
        minimum = account.min_nonce
        raise Refusal(
            ErrorCode.nonce_too_low, f"the nonce must be at least {minimum}", "nonce", {"min_nonce": str(minimum)}
        )
    taken_beside = c.beside is not None and nonce == c.beside.order.nonce
    if c.replaces is None and (taken_beside or nonce in account.used_nonces):
        raise Refusal(ErrorCode.nonce_used, "an order with this nonce was taken before: use a new one", "nonce")
    if nonce & SINGLE_FILL and c.kind.rests:
        raise Refusal(ErrorCode.terms_conflict, "a single-fill nonce goes with ioc or fok only", "nonce")
    if c.order.side == BUY_QUOTE and not nonce & SINGLE_FILL:
        raise Refusal(ErrorCode.terms_conflict, "a buy_quote order needs a single-fill nonce: set its top bit", "nonce")


def check_client_order_id(c: Candidate) -> None:
    """The client's id does not name another order."""
    client_order_id = c.placed.client_order_id
    taken_beside = c.beside is not None and client_order_id == c.beside.placed.client_order_id
    if client_order_id and (taken_beside or c.account.client_order_ids.get(client_order_id) is not None):
        raise Refusal(
            ErrorCode.duplicate_client_order_id,
            "client_order_id names another order: use a new one",
            "client_order_id",
        )


def check_group(c: Candidate) -> None:
    """A leg finds its group as it is: new, or with one leg in the same market and on the same side."""
    group, replaced = group_of(c.order.terms), c.replaces
    if replaced is not None:
        if group != group_of(replaced.placed.order.terms):
            raise Refusal(ErrorCode.terms_conflict, "an order keeps its group: cancel it", "group")
        c.partner = replaced.partner
    elif group:
        c.partner = c.account.groups.get(group)
        if c.partner is None or _ends_now(c.partner, c.at_ms):
            if group in c.account.used_groups:
                raise Refusal(
                    ErrorCode.group_used, "the group has two legs, or one of them filled or ended: use a new", "group"
                )
            return
    if c.partner is not None:
        check_partner(c.order, c.partner.placed.order)


def check_partner(order: Order, other: Order) -> None:
    """Two legs of a group stand in one market on one side, and not in the book together."""
    if (order.market, order.side) != (other.market, other.side):
        raise Refusal(ErrorCode.terms_conflict, "both legs of a group are in one market and on one side", "group")
    if not (trigger_bits(order.terms) or trigger_bits(other.terms)):
        raise Refusal(ErrorCode.terms_conflict, "one leg of a group waits for a price: give it a trigger", "group")


def _ends_now(order: OpenOrder, at_ms: int) -> bool:
    """Whether the time of an open order, or of its account's countdown, has come."""
    return order.placed.order.expiry * 1_000 <= at_ms or 0 < order.account.countdown * 1_000 <= at_ms


def check_expiry(c: Candidate) -> None:
    """The order has not expired, and expires soon enough for the contract."""
    now, expiry = c.at_ms // 1_000, c.order.expiry
    if expiry <= now:
        raise Refusal(ErrorCode.expired, "expiry is past", "expiry", {"now": now})
    longest = (MAX_DELEGATED_SECONDS if c.placed.scheme & DELEGATE else MAX_ORDER_SECONDS) - CLOCK_MARGIN_SECONDS
    if expiry - now > longest:
        raise Refusal(
            ErrorCode.expiry_too_far, f"expiry must be within {longest} s", "expiry", {"latest": now + longest}
        )


def check_size(c: Candidate) -> None:
    """Price on tick, quantity and notional in range."""
    order, book = c.order, c.book
    if order.price <= 0 or order.price % book.tick_size:
        tick = book.tick_size
        raise Refusal(
            ErrorCode.price_off_tick, f"price must be a positive multiple of {tick}", "price", {"tick_size": str(tick)}
        )
    by_quote = order.side == BUY_QUOTE
    if order.quantity < (order.price if by_quote else 1):
        raise Refusal(ErrorCode.quantity_off_lot, "quantity must be, or buy at the price, at least one lot", "quantity")
    if c.notional < book.min_notional:
        minimum = str(book.min_notional)
        raise Refusal(
            ErrorCode.below_min_notional,
            f"the order must be of at least {minimum} quote units",
            "quantity",
            {"min_notional": minimum},
        )
    if order.terms >> 16:
        check_displayed(c)
    if c.buyer_needs > MAX_AMOUNT or (not by_quote and c.seller_needs > MAX_AMOUNT):
        raise Refusal(ErrorCode.amount_out_of_range, "price x quantity exceeds what the ledger counts", "quantity")


def check_displayed(c: Candidate) -> None:
    """What an order shows at a time is less than the whole, and large enough to be an order."""
    displayed, order = displayed_of(c.order.terms), c.order
    if not displayed:
        return
    if displayed >= order.quantity:
        raise Refusal(
            ErrorCode.terms_conflict, "displayed_quantity must be less than the quantity", "displayed_quantity"
        )
    if order.quantity > displayed * MAX_PARTS:
        raise Refusal(
            ErrorCode.terms_conflict,
            f"displayed_quantity must be at least a {MAX_PARTS}th of the quantity",
            "displayed_quantity",
        )
    if displayed * order.price < c.book.min_notional:
        minimum = str(c.book.min_notional)
        raise Refusal(
            ErrorCode.below_min_notional,
            f"price x displayed_quantity must be at least {minimum} quote units",
            "displayed_quantity",
            {"min_notional": minimum},
        )


def check_band(c: Candidate) -> None:
    """A buy is not far above the reference price, a sell not far below: the last price, or that of its trigger."""
    band, reference, price = c.book.band_bps, c.book.last_price, c.order.price
    if c.waits_for is not None and reference:
        reference = c.waits_for.price
    if not band or not reference:
        return
    if c.order.side != SELL:
        limit = reference * (BPS + band) // BPS
        beyond = price > limit
    else:
        limit = -(reference * (band - BPS) // BPS)
        beyond = price < limit
    if beyond:
        raise Refusal(
            ErrorCode.price_out_of_band,
            f"price must not be beyond {limit}, {band} bps from {'its trigger' if c.waits_for else 'the last price'}",
            "price",
            {"limit": str(limit), "reference": str(reference)},
        )


def check_floor(notional: int, floor: int, fee_cap_bps: int) -> None:
    """The order is large enough that the highest fee there is can pay the floor."""
    if most_of(notional, fee_cap_bps) >= floor:
        return
    smallest = str(-(-floor * BPS // fee_cap_bps))
    raise Refusal(
        ErrorCode.below_min_notional,
        f"an order below {smallest} quote units cannot pay the floor of {floor}: enlarge it, or make it post_only",
        "quantity",
        {"min_notional": smallest, "fee_floor": str(floor)},
    )


def check_fee_cap(c: Candidate) -> None:
    """The user has signed a cap that covers the schedule, its floor included."""
    cap, floor, notional = c.order.max_fee_bps, c.rates[3], c.notional
    if cap > BPS:
        raise Refusal(ErrorCode.fee_cap_out_of_range, "max_fee_bps must be at most 10000", "max_fee_bps")
    needed = cap_for(c.rates[2])
    if floor:
        check_floor(notional, floor, c.state.fee_rules.fee_cap_bps)
        needed = max(needed, cap_for_floor(floor, notional))
    if needed > cap:
        raise Refusal(
            ErrorCode.fee_cap_too_low, f"max_fee_bps must be at least {needed}", "max_fee_bps", {"max_fee_bps": needed}
        )


def check_backlog(c: Candidate) -> None:
    """Matching goes on only while settlement follows."""
    oldest = c.state.oldest_unsettled_at
    if oldest is not None and not c.kind.post_only and c.state.is_behind(c.at_ms):
        raise Refusal(
            ErrorCode.settlement_backlog,
            "settlement is behind: only post_only orders and cancels are taken",
            None,
            {"oldest_unsettled_ms": c.at_ms - oldest},
        )


def check_funds(c: Candidate) -> None:
    """What backs the whole order, fee included, is available."""
    order, book = c.order, c.book
    needed = c.seller_needs if order.side == SELL else c.buyer_needs
    if c.replaces is not None:
        remaining = order.quantity - c.used
        needed = hold_for(c.replaces.side, order.price, remaining, book.lot_size, c.rates[2])
        needed += 0 if order.side == SELL else c.rates[3]
    if c.partner is not None:
        needed = max(needed, needed_hold(c.partner)) - c.partner.held
    if c.replaces is not None:
        needed -= c.replaces.held
    asset = book.base_asset if order.side == SELL else book.quote_asset
    balance = c.account.balances.get(asset)
    available = balance.available if balance is not None else 0
    if needed > available:
        raise Refusal(
            ErrorCode.insufficient_balance,
            f"the order needs {needed} of asset {asset}, {available} is available",
            "quantity",
            {"asset": asset, "needed": str(needed), "available": str(available)},
        )


RULES: tuple[Callable[[Candidate], None], ...] = (
    check_market,
    check_account,
    check_nonce,
    check_client_order_id,
    check_group,
    check_expiry,
    check_size,
    check_band,
    check_bounds,
    check_limits,
    check_fee_cap,
    check_backlog,
    check_funds,
)


def find_replaced(state: State, at_ms: int, placed: PlaceOrder) -> OpenOrder:
    """The open order that a new one on its nonce replaces; Refusal if there is none any more, or it is another kind."""
    order = placed.order
    account = state.account(order.account)
    found = account.orders.get(order.nonce)
    if found is None or any(_ends_now(leg, at_ms) for leg in (found, found.partner) if leg is not None):
        if found is None and order.nonce not in account.used_nonces:
            raise Refusal(ErrorCode.unknown_order, "there is no order on this nonce", "nonce")
        raise Refusal(ErrorCode.order_closed, "the order on this nonce is closed already", "nonce")
    if (found.placed.order.market, found.placed.order.side) != (order.market, order.side):
        raise Refusal(ErrorCode.terms_conflict, "an order keeps its market and its side: cancel it", "side")
    used = found.placed.order.quantity - found.remaining
    if order.quantity <= used:
        raise Refusal(
            ErrorCode.amount_out_of_range,
            f"the quantity must be above {used}, which is used up on this nonce: or cancel the order",
            "quantity",
            {"used": str(used)},
        )
    check_replaced(state, found, placed.order_hash)
    return found


def check_replaced(state: State, found: OpenOrder, order_hash: bytes) -> None:
    """An order that stood on the nonce does not come back: what was settled of it shows its signature to everybody."""
    replaced = state.replaced.get(found.order_id, ())
    if order_hash == found.placed.order_hash or order_hash in replaced:
        raise Refusal(ErrorCode.nonce_used, "this very order stood on the nonce before: sign another", "nonce")
    if len(replaced) >= MAX_AMENDS:
        raise Refusal(
            ErrorCode.nonce_used, f"the order was amended {MAX_AMENDS} times: cancel it and use a new nonce", "nonce"
        )


def check(state: State, at_ms: int, placed: PlaceOrder) -> Candidate:
    """The order as a candidate that satisfies every rule; otherwise the first rule's refusal."""
    replaces = find_replaced(state, at_ms, placed) if placed.__class__ is AmendOrder else None
    candidate = Candidate(state, at_ms, placed, replaces)
    for rule in RULES:
        rule(candidate)
    return candidate


def check_legs(state: State, at_ms: int, command: PlaceGroup) -> tuple[Candidate, Candidate]:
    """Both legs of a new group as candidates; otherwise the first refusal of either, and neither is taken.

    The second is judged as it will be met: beside the first, which takes no fill with it. If the first fills, nothing
    of the second is ever open. What backs the dearer of the two backs both, so each needs what it needs alone.
    """
    first = check(state, at_ms, command.first)
    group = group_of(first.order.terms)
    if not group or group_of(command.second.order.terms) != group:
        raise Refusal(ErrorCode.terms_conflict, "both legs must name the same group", "group")
    if command.second.order.account != first.order.account:
        raise Refusal(ErrorCode.terms_conflict, "both legs must be of one account, in one market", "account")
    if first.partner is not None:
        raise Refusal(ErrorCode.group_used, "the group has a leg already: send the other alone, or use a new", "group")
    check_partner(command.second.order, first.order)
    second = Candidate(state, at_ms, command.second)
    second.beside = first
    for rule in RULES:
        rule(second)
    return first, second
