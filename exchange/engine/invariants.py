"""What must hold between any two commands, as a list of checks. Each says what is wrong, or nothing.

ENG-1  conservation      per asset: sum of available + held + reserved - deficit = credits - debits
ENG-2  no_negative       no part of a balance is negative or beyond 63 bits; who owes has nothing available
ENG-3  backed_orders     held = what the open orders hold, each exactly what its remaining lots need
ENG-4  backed_outflows   reserved = fast withdrawals held + what forced withdrawals reserved
ENG-5  unsettled         unsettled = the proceeds of all trades that are not final
ENG-6  books             sorted, linked, summed, in order of arrival and, but for auctions, never crossed
ENG-7  stopped_accounts  who is blocked, leaving or stopped has no open order; nobody has one below the minimum nonce
ENG-8  schedules         fee schedules are in order of time, within the cap, and no rate rises with the tier
ENG-9  triggers          who waits is open, in no book, and its price has not come; who is due is open and in no book
ENG-10 groups            a leg whose group is not decided is open and unused; of two legs one waits, and they are a pair
ENG-11 auctions          in an auction orders gather, or trade at its price; no account crosses itself
ENG-12 records           a record trades for no more orders than one and all that it may meet: they settle together
"""

from collections import Counter
from collections.abc import Callable, Iterator

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.instrument import MarketStatus
from exchange.domain.order import SINGLE_FILL
from exchange.domain.order_id import id_of, rank_of
from exchange.domain.settlement import MAX_EXECUTIONS
from exchange.engine.accounts import Account, Balance
from exchange.engine.book import Book, Half
from exchange.engine.orders import OpenOrder, by_age, displayed_of, group_of, needed_hold
from exchange.engine.settling import proceeds
from exchange.engine.state import State
from exchange.engine.triggers import FALLING, RISING, Watch


def violations(state: State) -> list[str]:
    """Everything that is wrong with the state; empty when all is well."""
    return [f"{check.__name__}: {text}" for check in CHECKS for text in check(state)]


def conservation(state: State) -> Iterator[str]:
    """ENG-1."""
    totals: Counter[int] = Counter()
    for balance in _balances(state):
        totals[balance.asset] += balance.total
    for asset, issued in state.issued.items():
        if totals[asset] != issued:
            yield f"asset {asset} sums to {totals[asset]}, credits less debits are {issued}"


def no_negative(state: State) -> Iterator[str]:
    """ENG-2."""
    for b in _balances(state):
        if min(b.available, b.held, b.reserved, b.unsettled, b.deficit, b.owed) < 0:
            yield f"{_name(b)} has a negative part"
        if max(b.available, b.held, b.reserved, b.unsettled, b.deficit, b.owed) > MAX_AMOUNT:
            yield f"{_name(b)} has a part beyond what the ledger counts"
        if b.available and (b.deficit or b.owed):
            yield f"{_name(b)} has {b.available} available and owes {b.deficit + b.owed}"
    for account in state.accounts:
        if account.deficits != sum(b.deficit > 0 for b in account.balances.values()):
            yield f"account {account.account_id} counts {account.deficits} deficits"


def backed_orders(state: State) -> Iterator[str]:
    """ENG-3."""
    held: Counter[Balance] = Counter()
    for order in state.orders.values():
        held[order.pays] += order.held
        needed, partner = needed_hold(order), order.partner
        if partner is not None and (order.held < needed or needed_hold(partner) > partner.held):
            needed = max(needed, needed_hold(partner)) - partner.held
        if order.held != needed:
            yield f"order {order.order_id} holds {order.held} and needs {needed}"
    for order_id in sorted(state.replaced.keys() - state.orders.keys()):
        yield f"order {order_id} is closed, and what it replaced is remembered"
    for balance in _balances(state):
        if balance.held != held[balance]:
            yield f"{_name(balance)} holds {balance.held}, its orders {held[balance]}"


def backed_outflows(state: State) -> Iterator[str]:
    """ENG-4."""
    reserved: Counter[Balance] = Counter()
    owed: Counter[Balance] = Counter()
    holds: Counter[Account] = Counter()
    for withdrawal in state.withdrawals.values():
        reserved[withdrawal.balance] += withdrawal.amount
        holds[withdrawal.balance.account] += 1
    for account in state.accounts:
        if account.holds != holds[account]:
            yield f"account {account.account_id} counts {account.holds} held withdrawals, there are {holds[account]}"
    for forced in state.forced.values():
        reserved[forced.balance] += forced.reserved
        owed[forced.balance] += forced.requested - forced.reserved
    for balance in _balances(state):
        if balance.reserved != reserved[balance] or balance.owed != owed[balance]:
            yield (
                f"{_name(balance)} reserves {balance.reserved} and owes {balance.owed}, "
                f"its withdrawals say {reserved[balance]} and {owed[balance]}"
            )


def unsettled(state: State) -> Iterator[str]:
    """ENG-5."""
    expected: Counter[Balance] = Counter()
    for trade in state.trades.values():
        for balance, amount in proceeds(state, trade):
            expected[balance] += amount
    for balance in _balances(state):
        if balance.unsettled != expected[balance]:
            yield f"{_name(balance)} has {balance.unsettled} unsettled, its trades {expected[balance]}"


def books(state: State) -> Iterator[str]:
    """ENG-6."""
    resting = 0
    for book in state.books.values():
        if book.market.market_id not in state.auctions:
            yield from _crossed(book)
        for half in (book.bids, book.asks):
            yield from _half(state, half)
            resting += sum(1 for level in half.levels.values() for _ in level)
    waiting = sum(order.level is None for order in state.orders.values())
    if resting + waiting != len(state.orders):
        yield f"{resting} orders rest and {waiting} wait, {len(state.orders)} are open"


def stopped_accounts(state: State) -> Iterator[str]:
    """ENG-7."""
    listed = 0
    for account in state.accounts:
        listed += len(account.orders)
        if account.orders and account.status != "active":
            yield f"account {account.account_id} is {account.status} and has open orders"
        if account.orders and account.stops:
            yield f"account {account.account_id} has its trading stopped and has open orders"
        for nonce, order in account.orders.items():
            if order.placed.order.nonce != nonce or state.orders.get(order.order_id) is not order:
                yield f"order {order.order_id} is listed wrongly"
            if nonce & ~SINGLE_FILL < account.min_nonce:
                yield f"order {order.order_id} is below the minimum nonce"
    if listed != len(state.orders):
        yield f"accounts list {listed} orders, {len(state.orders)} are open"


def schedules(state: State) -> Iterator[str]:
    """ENG-8."""
    for book in state.books.values():
        times = [from_ms for from_ms, _ in book.schedules.entries]
        if not times or times != sorted(set(times)):
            yield f"market {book.market.market_id} has fee schedules from {times}"
        for _, schedule in book.schedules.entries:
            for flaw in schedule.flaws(state.fee_rules.fee_cap_bps):
                yield f"market {book.market.market_id}: {flaw}"


def triggers(state: State) -> Iterator[str]:
    """ENG-9."""
    watched = {key: trigger for watch in state.watches.values() for key, trigger in watch.triggers.items()}
    due = list(state.due)
    outside = {order.order_id for order in state.orders.values() if order.level is None}
    if outside != watched.keys() | set(due) or len(set(due)) != len(due) or watched.keys() & set(due):
        yield f"orders {sorted(outside)} are in no book, {sorted(watched)} wait and {due} are due"
    for market, watch in state.watches.items():
        keys = sorted((t.direction, t.direction * t.price, -rank_of(order_id)) for order_id, t in watch.fixed.items())
        if keys != [(sign, *key) for sign in (RISING, FALLING) for key in watch.keys[sign]] or not watch:
            yield f"market {market} does not list its triggers in order"
        yield from _trails(market, watch)
    for order_id, trigger in watched.items():
        order = state.orders.get(order_id)
        if order is None or (order.book.is_open and trigger.reached(order.book.last_price)):
            yield f"order {order_id} waits for {trigger}"


def _trails(market: int, watch: Watch) -> Iterator[str]:
    homes = {}
    for sign, trails in watch.trails.items():
        for best, trail in trails.items():
            homes.update({id_of(rank): (trail, trail_bps) for trail_bps, rank in trail.orders})
            if trail.orders != sorted(trail.orders) or (trail.direction, sign * trail.best) != (sign, best):
                yield f"market {market} does not list who trails {trail.best} in order"
        heads = sorted((trail.key, best) for best, trail in trails.items())
        if (watch.heads[sign], watch.bests[sign]) != (heads, sorted(trails)):
            yield f"market {market} does not list what trails in order"
    if homes != watch.homes:
        yield f"market {market} knows wrongly which orders trail"


def groups(state: State) -> Iterator[str]:
    """ENG-10."""
    alone = {leg.order_id for account in state.accounts for leg in account.groups.values()}
    for order in state.orders.values():
        word, partner = order.placed.order.terms, order.partner
        if not order.group:
            if partner is not None or order.order_id in alone:
                yield f"order {order.order_id} is a leg of no group, and is one"
            continue
        if order.group != group_of(word) or order.group not in order.account.used_groups:
            yield f"order {order.order_id} is a leg of group {order.group}, and signed {group_of(word)}"
        if (partner is None) != (order.order_id in alone):
            yield f"order {order.order_id} is alone in its group, and another is there, or none waits for one"
        if partner is not None:
            yield from _pair(state, order, partner)
    if not alone <= state.orders.keys():
        yield f"orders {sorted(alone - state.orders.keys())} are legs, and not open"


def _pair(state: State, order: OpenOrder, partner: OpenOrder) -> Iterator[str]:
    same = (order.account, order.book, order.side, order.group)
    if partner.partner is not order or same != (partner.account, partner.book, partner.side, partner.group):
        yield f"orders {order.order_id} and {partner.order_id} are no pair"
    if state.orders.get(partner.order_id) is not partner or (order.level and partner.level):
        yield f"orders {order.order_id} and {partner.order_id} rest both, or are not open both"


def auctions(state: State) -> Iterator[str]:
    """ENG-11."""
    for market, auction in state.auctions.items():
        status = state.books[market].market.status
        if status not in (MarketStatus.auction, MarketStatus.halted) or (auction.price and status != "auction"):
            yield f"market {market} is {status} and in an auction at {auction.price}"
    for market, book in state.books.items():
        if book.in_call and market not in state.auctions:
            yield f"market {market} gathers orders, for no auction"
        if market in state.auctions:
            yield from _self_crossed(book)


def records(state: State) -> Iterator[str]:
    """ENG-12. The limit that the last record had is known; before, it was within what a batch takes."""
    orders: dict[int, set[int]] = {}
    for trade in state.trades.values():
        orders.setdefault(trade.seq, set()).update((trade.match.maker_order, trade.match.taker_order))
    for seq, there in orders.items():
        most = state.limits.max_fills + 1 if seq == state.seq else MAX_EXECUTIONS
        if len(there) > most:
            yield f"record {seq} trades for {len(there)} orders, and may for {most}"


def _self_crossed(book: Book) -> Iterator[str]:
    """Each account's best bid and best ask."""
    best: dict[tuple[int, int], int] = {}
    for half in (book.bids, book.asks):
        for level in half:
            for order in level:
                best.setdefault((half.side, order.account.account_id), level.price)
    for (side, account), bid in best.items():
        if side == 0 and best.get((1, account), bid + 1) <= bid:
            yield f"account {account} bids {bid} in market {book.market.market_id} and asks for no more"


CHECKS: tuple[Callable[[State], Iterator[str]], ...] = (
    conservation,
    no_negative,
    backed_orders,
    backed_outflows,
    unsettled,
    books,
    stopped_accounts,
    schedules,
    triggers,
    groups,
    auctions,
    records,
)


def _crossed(book: Book) -> Iterator[str]:
    if book.bids.keys and book.asks.keys and book.bids.keys[-1] >= -book.asks.keys[-1]:
        yield f"market {book.market.market_id} is crossed: {book.bids.keys[-1]} bid, {-book.asks.keys[-1]} asked"


def _half(state: State, half: Half) -> Iterator[str]:
    name = f"market {half.market_id} side {half.side}"
    if half.keys != sorted(half.levels):
        yield f"{name} does not list its prices in order"
    for level in half.levels.values():
        orders = list(level)
        if not orders or level.tail is not orders[-1]:
            yield f"{name} level {level.price} is not linked from head to tail"
        if level.quantity != sum(order.remaining - order.hidden for order in orders):
            yield f"{name} level {level.price} does not sum to {level.quantity}"
        unmoved = [o for o in orders if not o.placed.order.terms >> 5 and o.order_id not in state.replaced]
        if unmoved != by_age(unmoved):
            yield f"{name} level {level.price} is not in order of arrival"
        for order in orders:
            if order.level is not level or order.price != level.price or order.remaining <= 0:
                yield f"order {order.order_id} does not belong at {name} level {level.price}"
            displayed = displayed_of(order.placed.order.terms)
            if order.hidden < 0 or not (order.remaining - order.hidden <= displayed if displayed else not order.hidden):
                yield f"order {order.order_id} hides {order.hidden} of {order.remaining} lots, and shows {displayed}"
            if state.orders.get(order.order_id) is not order:
                yield f"order {order.order_id} rests and is not open"


def _balances(state: State) -> Iterator[Balance]:
    for account in state.accounts:
        yield from account.balances.values()


def _name(balance: Balance) -> str:
    return f"account {balance.account.account_id} asset {balance.asset}"
