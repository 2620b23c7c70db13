"""Placing an order: accept, match by price, then time, and rest or close what remains.

A trade is at the maker's price. The buyer pays quote and fee, the seller receives quote less fee; both fees
go to the market's fee account. What comes in can be traded at once and counts as unsettled until it is final.
"""

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import PPM, TakerFees
from exchange.domain.order import SINGLE_FILL, SelfTrade
from exchange.domain.order_id import order_id, seq_of
from exchange.domain.settlement import MAX_PROOFS
from exchange.engine import events as e
from exchange.engine.auctions import end_calls, trade_auction
from exchange.engine.book import Book, Half, Level
from exchange.engine.commands import PlaceGroup, PlaceOrder
from exchange.engine.events import CloseReason
from exchange.engine.exposure import reach
from exchange.engine.groups import decide, reseat
from exchange.engine.orders import BUY, BUY_QUOTE, Kind, OpenOrder, by_age, displayed_of, group_of, trigger_bits
from exchange.engine.risk import Candidate, check, check_legs, kind_of
from exchange.engine.settling import limited_by
from exchange.engine.state import State, Trade
from exchange.engine.triggers import next_due, notice, wait

# looking a member up in its enumeration costs more than a fill's arithmetic
FILLED = CloseReason.filled
UNFILLED = CloseReason.unfilled
FOK_UNFILLED = CloseReason.fok_unfilled
POST_ONLY_WOULD_TAKE = CloseReason.post_only_would_take
SELF_TRADE = CloseReason.self_trade
TOO_MANY_FILLS = CloseReason.too_many_fills
UNSETTLED_LIMIT = CloseReason.unsettled_limit
AMENDED = CloseReason.amended
PRICE_COLLAR = CloseReason.price_collar
GROUP = CloseReason.group

CANCEL_TAKER = int(SelfTrade.cancel_taker)
CANCEL_MAKER = int(SelfTrade.cancel_maker)
DECREMENT = int(SelfTrade.decrement)


def place(state: State, number: int, at_ms: int, placed: PlaceOrder) -> None:
    """Accept and match an order, whose id is `number`; Refusal if a rule is against it."""
    check_turn(state, at_ms)
    enter(state, number, at_ms, placed)


def check_turn(state: State, at_ms: int) -> None:
    """Refuse whoever comes before an auction that trades, or a triggered order."""
    if state.has_turn(at_ms):
        raise Refusal(ErrorCode.unavailable, "an auction or a triggered order works first: a Tick is due")


def enter(state: State, number: int, at_ms: int, placed: PlaceOrder) -> None:
    """Accept and match an order, whoever waits for a turn: the orders of a frame are one record."""
    candidate = check(state, at_ms, placed)
    state.expire(at_ms)
    taker = _accept(state, number, candidate)
    _start(state, seq_of(number), at_ms, taker, candidate)


def place_group(state: State, seq: int, at_ms: int, command: PlaceGroup) -> None:
    """Accept both legs of a new group and match the one, then the other; Refusal if a rule is against either.

    If the first decides the group as it comes, or ends, so does the second. If the second ends as it comes,
    without any fill, so does the first.
    """
    check_turn(state, at_ms)
    first, second = check_legs(state, at_ms, command)
    state.expire(at_ms)
    leg = _accept(state, order_id(seq, 0), first)
    group, legs = leg.group, leg.account.groups
    _start(state, seq, at_ms, leg, first)
    if legs.get(group) is not leg:
        late = _accept(state, order_id(seq, 1), second)
        account, market = late.account.account_id, late.book.market.market_id
        state.events.append(e.OrderClosed(late.order_id, account, market, GROUP, late.remaining))
        return
    second.partner = leg
    _start(state, seq, at_ms, _accept(state, order_id(seq, 1), second), second)
    if legs.get(group) is leg:
        state.close(leg, GROUP)


def amend(state: State, seq: int, at_ms: int, placed: PlaceOrder) -> None:
    """Put a new signed order in the place of the open one on its nonce; Refusal if a rule is against it."""
    check_turn(state, at_ms)
    take_over(state, seq, at_ms, placed)


def take_over(state: State, number: int, at_ms: int, placed: PlaceOrder) -> None:
    """The same, whoever waits for a turn: it goes on with what the old one has not used up.

    It keeps its place in the queue if nothing but quantity, expiry or fee cap differs, and it asks for no more.
    """
    candidate = check(state, at_ms, placed)
    state.expire(at_ms)
    old = candidate.replaces
    assert old is not None
    taker = _accept(state, number, candidate)
    taker.remaining -= candidate.used
    reseat(old, taker)
    state.replaced[number] = (*state.replaced.pop(old.order_id, ()), old.placed.order_hash)
    keeps = stands_still(old, taker)
    account, market = taker.account.account_id, taker.book.market.market_id
    state.events.append(e.OrderAmended(number, account, market, old.order_id, taker.remaining, keeps))
    if keeps:
        state.swap(old, taker)
    else:
        state.close(old, AMENDED)
        _start(state, seq_of(number), at_ms, taker, candidate)


def stands_still(old: OpenOrder, new: OpenOrder) -> bool:
    """Whether an order takes over the place of the one that it replaces."""
    same = (old.price, old.placed.order.terms) == (new.price, new.placed.order.terms)
    return old.level is not None and same and new.remaining <= old.remaining


def _start(state: State, seq: int, at_ms: int, taker: OpenOrder, candidate: Candidate) -> None:
    """Let an accepted order work, now or when its price has come."""
    if candidate.waits_for is not None:
        return wait(state, taker, candidate.waits_for)
    if trigger_bits(taker.placed.order.terms):
        if taker.group:
            decide(state, taker)
        _tell_triggered(state, taker)
    return _finish(state, seq, at_ms, taker, candidate.kind)


def tick(state: State, seq: int, at_ms: int) -> None:
    """What has expired ends; then comes the next turn."""
    state.expire(at_ms)
    take_turn(state, seq, at_ms)


def take_turn(state: State, seq: int, at_ms: int) -> None:
    """An auction trades, or the triggered order works whose turn it is, backed by its hold; neither while settlement is
    behind."""
    if state.is_behind(at_ms):
        return
    if state.auctions:
        end_calls(state, at_ms)
        if trade_auction(state, seq, at_ms):
            return
    order = next_due(state)
    if order is not None:
        _tell_triggered(state, order)
        _finish(state, seq, at_ms, order, kind_of(order.placed.order.terms))


def _tell_triggered(state: State, order: OpenOrder) -> None:
    account, market = order.account.account_id, order.book.market.market_id
    state.events.append(e.OrderTriggered(order.order_id, account, market, order.book.last_price))


def _finish(state: State, seq: int, at_ms: int, taker: OpenOrder, kind: Kind) -> None:
    """Match the order, and rest or close what remains; then see what its trades trigger."""
    if state.finish(seq, at_ms, taker):
        return
    since = len(state.events)
    reason = _work(state, seq, at_ms, taker, kind)
    if reason is None:
        displayed = displayed_of(taker.placed.order.terms)
        if displayed:
            taker.hidden = max(taker.remaining - displayed, 0)
        state.rest(taker)
    else:
        account, market = taker.account.account_id, taker.book.market.market_id
        state.events.append(e.OrderClosed(taker.order_id, account, market, reason, taker.remaining))
        state.replaced.pop(taker.order_id, None)
        if taker.held:
            state.release(taker, 0)
    if state.watches:
        notice(state, taker.book, since)


def _accept(state: State, number: int, candidate: Candidate) -> OpenOrder:
    """Record the order as taken: its nonce, its hash and its client's id are used from now on."""
    placed, order, account, book = candidate.placed, candidate.order, candidate.account, candidate.book
    taker = OpenOrder(number, placed, account, book, candidate.rates, candidate.cap_bps)
    if taker_group := group_of(order.terms):
        taker.group, taker.partner = taker_group, candidate.partner
        account.used_groups.add(taker_group)
    account.used_nonces.add(order.nonce)
    if placed.signer == order.account:
        account.top_nonce = max(account.top_nonce, order.nonce & ~SINGLE_FILL)
    account.order_hashes.put(placed.order_hash, number)
    if placed.client_order_id:
        account.client_order_ids.put(placed.client_order_id, placed.order_hash)
    state.events.append(
        e.OrderAccepted(
            number,
            account.account_id,
            order.market,
            order.side,
            order.price,
            order.quantity,
            order.nonce,
            order.expiry,
            order.max_fee_bps,
            order.terms,
            placed.order_hash,
            placed.client_order_id,
            placed.scheme,
            placed.signature,
            placed.signer,
            taker.maker_ppm,
            taker.taker_ppm,
            taker.floor,
        )
    )
    return taker


def _work(state: State, seq: int, at_ms: int, taker: OpenOrder, kind: Kind) -> CloseReason | None:
    """Match the order as its terms say. Returns why it ends now, or None when it rests."""
    half = taker.book.opposite(taker.side)
    if taker.book.in_call:
        return _gather(state, taker, kind, half)
    if half.crosses(taker.price):
        if kind.post_only:
            return POST_ONLY_WOULD_TAKE
        if kind.all_or_none:
            obstacle = _obstacle(state, half, taker, kind)
            if obstacle is not None:
                return obstacle
        reason = _match(state, seq, at_ms, taker, kind, half)
        if reason is not None:
            return reason
    if kind.rests:
        return None
    return FOK_UNFILLED if kind.all_or_none else UNFILLED


def _gather(state: State, taker: OpenOrder, kind: Kind, half: Half) -> CloseReason | None:
    """Let an order rest in the call of an auction, apart from all of its own account that it could meet later."""
    if not half.crosses(taker.price):
        return None
    own = [order for order in by_age(taker.account.orders.values()) if order.level and order.level.half is half]
    for maker in sorted(own, key=lambda order: -half.sign * order.price):
        while not maker.ended and half.sign * maker.price >= half.sign * taker.price:
            if _meet_own(state, taker, maker, kind.self_trade, 1):
                return SELF_TRADE
    return None


def _obstacle(state: State, half: Half, taker: OpenOrder, kind: Kind) -> CloseReason | None:
    """What keeps an all-or-none order from being filled at once; None if nothing does."""
    by_quote = taker.placed.order.side == BUY_QUOTE
    missing, taken, quote, unit = taker.remaining, 0, 0, 1
    fills_left, hashes_left = _room(state, taker)
    limit = reach(state, taker, half)
    for level in half:
        if level.key < limit:
            return PRICE_COLLAR if level.key >= half.sign * taker.price else FOK_UNFILLED
        unit = level.price if by_quote else 1
        if missing < unit:
            return None
        for maker, shown in level.visits(once=taker.account):
            if maker.account is taker.account:
                if kind.self_trade == CANCEL_MAKER:
                    continue
                return SELF_TRADE
            fills_left -= 1
            hashes_left -= maker.hashes
            if fills_left < 0 or hashes_left < 0:
                return TOO_MANY_FILLS
            lots = min(missing // unit, shown)
            taken += lots
            quote += lots * maker.price
            if limited_by(taker, maker, taken, quote) is not None:
                return UNSETTLED_LIMIT
            missing -= lots * unit
            if missing < unit:
                return None
    return FOK_UNFILLED


def _room(state: State, taker: OpenOrder) -> tuple[int, int]:
    """How many orders, and hashes of their paths, an order may still meet: its record settles in one batch."""
    return max(state.limits.max_fills - state.record_fills, 0), MAX_PROOFS - state.record_hashes - taker.hashes


def _count(state: State, taker: OpenOrder, maker: OpenOrder) -> None:
    """Note that they meet, for the orders that come later in the same record."""
    if not taker.met:
        taker.met = True
        state.record_fills += 1
        state.record_hashes += taker.hashes
    state.record_fills += 1
    state.record_hashes += maker.hashes


def _match(state: State, seq: int, at_ms: int, taker: OpenOrder, kind: Kind, half: Half) -> CloseReason | None:
    """Fill `taker` from the best levels on; None when it remains open and meets nobody any more.

    What it fills settles in one batch, so it meets no more orders, and paths of such, than a batch takes. A `unit` is
    what one lot takes off the order: of one for an amount of quote its price, and such an order is filled when what
    remains of it buys no lot at the best price.
    """
    limit = reach(state, taker, half)
    keys, levels, account = half.keys, half.levels, taker.account
    fills_left, hashes_left = _room(state, taker)
    fees = TakerFees(taker.taker_ppm, taker.floor, taker.cap_bps)
    by_quote, unit = taker.placed.order.side == BUY_QUOTE, 1
    while keys and keys[-1] >= limit:
        level = levels[keys[-1]]
        maker = level.head
        if by_quote:
            unit = level.price
            if taker.remaining < unit:
                return FILLED
        while maker is not None:
            if maker.account is account:
                if _meet_own(state, taker, maker, kind.self_trade, unit):
                    return SELF_TRADE
                maker = level.head
                continue
            if not fills_left or maker.hashes > hashes_left:
                return TOO_MANY_FILLS
            fills_left -= 1
            hashes_left -= maker.hashes
            _count(state, taker, maker)
            lots = min(taker.remaining // unit if by_quote else taker.remaining, maker.remaining - maker.hidden)
            beyond = limited_by(taker, maker, lots, lots * maker.price)
            if beyond is taker:
                return UNSETTLED_LIMIT
            if beyond is maker:
                state.close(maker, UNSETTLED_LIMIT)
                maker = level.head
                continue
            if taker.group:
                decide(state, taker)
            if maker.group:
                decide(state, maker)
            _fill(state, seq, at_ms, taker, maker, level, lots, unit, fees)
            if taker.remaining < unit:
                return FILLED
            maker = level.head
    return PRICE_COLLAR if half.crosses(taker.price) else None


def _meet_own(state: State, taker: OpenOrder, maker: OpenOrder, mode: int, unit: int) -> bool:
    """Keep an order from trading with its own account, in the way that the taker's terms say; whether it ends.

    What is closed or decremented here costs none of the fills that an order may have.
    """
    if mode == DECREMENT:
        lots = min(taker.remaining // unit, maker.remaining - maker.hidden)
        if taker.group:
            decide(state, taker)
        state.reduce(maker, lots)
        taker.remaining -= lots * unit
        state.tell_reduced(taker, lots * unit)
        if not maker.remaining:
            state.close(maker, SELF_TRADE)
        elif maker.hidden == maker.remaining:
            state.show_more(maker)
        return taker.remaining < unit
    if mode != CANCEL_TAKER:
        state.close(maker, SELF_TRADE)
    return mode != CANCEL_MAKER


def _fill(
    state: State,
    seq: int,
    at_ms: int,
    taker: OpenOrder,
    maker: OpenOrder,
    level: Level,
    lots: int,
    unit: int,
    fees: TakerFees,
) -> None:
    """One trade of `lots`, as many as the taker wants and the maker shows, at the maker's price."""
    book = taker.book
    price = maker.price
    quote = price * lots
    maker_fee = quote * maker.maker_ppm // PPM
    taker_fee = fees.charge(quote)
    taker.remaining -= lots * unit
    maker.remaining -= lots
    level.quantity -= lots
    state.touched_levels[level] = None
    book.last_price = price
    _pay(state, book, taker, maker, lots, quote, maker_fee, taker_fee)

    state.last_trade = trade_id = state.last_trade + 1
    match = e.TradeMatched(
        trade_id,
        book.market.market_id,
        price,
        lots,
        quote,
        taker.side,
        maker.order_id,
        taker.order_id,
        maker.account.account_id,
        taker.account.account_id,
        maker_fee,
        taker_fee,
        maker.remaining,
        taker.remaining,
    )
    state.events.append(match)
    state.trades[trade_id] = Trade(seq, at_ms, match)
    if state.oldest_unsettled_at is None:
        state.oldest_unsettled_at = at_ms
    if not maker.remaining:
        state.close(maker, FILLED)
    elif maker.hidden == maker.remaining:
        state.show_more(maker)


def _pay(
    state: State,
    book: Book,
    taker: OpenOrder,
    maker: OpenOrder,
    lots: int,
    quote: int,
    maker_fee: int,
    taker_fee: int,
) -> None:
    """Move the money of one trade; the sums of base and of quote stay what they were."""
    base = lots * book.lot_size
    pays = maker.pays
    spent = quote + taker_fee if taker.side == BUY else base
    if taker.held:  # it has waited, and its hold backs it
        taker.held -= spent
        taker.pays.held -= spent
    else:
        taker.pays.available -= spent
    if taker.side == BUY:
        taker_gets, maker_gets = base, quote - maker_fee
        maker.held -= base
        pays.held -= base
    else:
        taker_gets, maker_gets = quote - taker_fee, base
        notional = maker.price * maker.remaining
        held = notional + notional * maker.hold_ppm // PPM
        released = maker.held - held
        maker.held = held
        pays.held -= released
        rounding = released - quote - maker_fee
        if rounding:
            state.give(pays, rounding)
    touched = state.touched_balances
    touched[taker.pays] = touched[pays] = None
    state.receive(taker.gets, taker_gets)
    state.receive(maker.gets, maker_gets)
    state.receive(book.fees, maker_fee + taker_fee)
