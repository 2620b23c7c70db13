"""What an order would meet and pay if it were accepted now; nothing changes.

What is said here is what is charged, as long as the book and the schedule are the same when the order comes.
"""

from dataclasses import dataclass

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import TakerFees, cap_for, cap_for_floor, fee_of, most_of
from exchange.domain.order import Order, SelfTrade
from exchange.engine.book import Book
from exchange.engine.exposure import collar
from exchange.engine.orders import BUY, BUY_QUOTE, SELL, Kind, hold_for, notional_of
from exchange.engine.risk import SIDES, check_floor, kind_of
from exchange.engine.state import State
from exchange.engine.triggers import check_terms, trigger_of

_GOES_ON = (SelfTrade.cancel_maker, SelfTrade.decrement)
"""Modes in which an order that met its own account may fill further."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Rates in parts per million, caps in basis points, amounts in quote ledger units unless said otherwise.

    `needed_fee_bps` is the lowest cap under which the order is taken. `maker_fee`, `taker_fee` and `worst_fee` are
    for the whole order at its own price; more fills never pay more, and a sale at a better price pays on more quote.
    `fills` lots for `quote` would be taken at once, at `fee` exactly: nothing by an order that waits. `needs` is
    what must be available, in the quote asset (buy) or the base asset.
    """

    tier: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    floor: int
    needed_fee_bps: int
    fee_cap_bps: int
    notional: int
    maker_fee: int
    taker_fee: int
    worst_fee: int
    needs: int
    fills: int
    quote: int
    fee: int


def preview(state: State, at_ms: int, order: Order) -> Preview:
    """What `order` would meet at a time, signed with the cap that it needs or its own, whichever is higher."""
    book, kind = state.book(order.market), kind_of(order.terms)
    if order.side not in SIDES:
        raise Refusal(ErrorCode.unsupported_terms, "side must be buy, sell or buy_quote", "side")
    if order.price <= 0 or order.quantity <= 0:
        raise Refusal(ErrorCode.quantity_off_lot, "price and quantity must be positive", "quantity")
    check_terms(order, book.tick_size)
    account = state.by_address.get(order.account)
    tier = account.tier(at_ms) if account is not None else 0
    maker_ppm, taker_ppm, hold_ppm, floor = book.rates_at(at_ms, tier, kind)
    notional, highest = notional_of(order.side, order.price, order.quantity), state.fee_rules.fee_cap_bps
    if order.side == SELL:
        needs = order.quantity * book.lot_size
    else:
        needs = hold_for(BUY, 1, notional, book.lot_size, hold_ppm) + floor
    if max(notional, needs) > MAX_AMOUNT:
        raise Refusal(ErrorCode.amount_out_of_range, "price x quantity exceeds what the ledger counts", "quantity")
    check_floor(notional, floor, highest)
    needed = max(cap_for(hold_ppm), cap_for_floor(floor, notional))
    cap = min(max(order.max_fee_bps, needed), highest)
    trigger = trigger_of(order, book.last_price)
    if book.in_call or (trigger is not None and not trigger.reached(book.last_price)):
        lots = quote = fee = 0
    else:
        lots, quote, fee = _walk(state, book, kind, order, TakerFees(taker_ppm, floor, cap))
    return Preview(
        tier=tier,
        maker_fee_ppm=maker_ppm,
        taker_fee_ppm=taker_ppm,
        floor=floor,
        needed_fee_bps=needed,
        fee_cap_bps=highest,
        notional=notional,
        maker_fee=fee_of(notional, maker_ppm),
        taker_fee=TakerFees(taker_ppm, floor, cap).charge(notional),
        worst_fee=min(fee_of(notional, hold_ppm) + floor, most_of(notional, cap)),
        needs=needs,
        fills=lots,
        quote=quote,
        fee=fee,
    )


def _walk(state: State, book: Book, kind: Kind, order: Order, fees: TakerFees) -> tuple[int, int, int]:
    """Lots, quote and fee of what the order would take at once. `missing` is in the order's own measure.

    The parts of the account's own orders cost no fills: the look ends when there are too many of them.
    """
    half = book.opposite(order.side)
    limit, missing, unit = half.sign * order.price, order.quantity, 1
    if order.market in state.bounds:
        side = SELL if order.side == SELL else BUY
        worst = collar(state.bounds[order.market].collar_bps, side, book.last_price, order.price)
        limit = max(limit, half.sign * worst)
    lots = quote = count = visited = 0
    most = state.limits.max_fills + state.limits.max_open_orders
    for level in half if not kind.post_only else ():
        unit = level.price if order.side == BUY_QUOTE else 1
        if level.key < limit or missing < unit:
            break
        for maker, shown in level.visits():
            own = maker.placed.order.account == order.account
            visited += 1
            ended = missing < unit or count == state.limits.max_fills or visited > most
            if ended or (own and kind.self_trade not in _GOES_ON):
                break
            taken = min(missing // unit, shown)
            if own:
                missing -= taken * unit if kind.self_trade == SelfTrade.decrement else 0
                continue
            missing -= taken * unit
            lots, quote, count = lots + taken, quote + taken * maker.price, count + 1
            fees.charge(taken * maker.price)
        else:
            continue
        break
    if kind.all_or_none and missing >= unit:
        return 0, 0, 0
    return lots, quote, fees.charged
