"""Answers to questions about the engine's present state, in the form in which they travel."""

import msgspec

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order
from exchange.engine.accounts import NO_LIMITS
from exchange.engine.engine import Engine
from exchange.engine.exposure import sizes
from exchange.engine.preview import Preview
from exchange.sequencer.protocol import (
    AccountView,
    BalanceView,
    Books,
    EngineStatus,
    MarketBook,
    OpenOrderView,
    Question,
    encode_body,
)


def books(engine: Engine, head: bytes) -> Books:
    """Every market's levels."""
    markets = [
        MarketBook(
            levels.market.market_id,
            levels.last_price,
            levels.bids,
            levels.asks,
            levels.market.status.value,
            [(from_ms, schedule.tiers, schedule.floor) for from_ms, schedule in levels.schedules],
            _bounds(engine, levels.market.market_id),
            _ends_at(engine, levels.market.market_id),
            levels.market.band_bps,
        )
        for levels in engine.books()
    ]
    rules = engine.state.fee_rules
    return Books(engine.seq, engine.at_ms, head, markets, rules.fee_cap_bps, rules.notice_ms)


def _bounds(engine: Engine, market: int) -> tuple[int, int, int, int, int]:
    found = engine.state.bounds.get(market)
    return (0, 0, 0, 0, 0) if found is None else (found.collar_bps, *sizes(found))


def _ends_at(engine: Engine, market: int) -> int:
    auction = engine.state.auctions.get(market)
    return 0 if auction is None else auction.ends_at


def status(engine: Engine, head: bytes, pending: int, journal_full: bool) -> EngineStatus:
    """Where the engine stands."""
    state = engine.state
    counts = len(state.accounts), len(state.orders), pending
    is_fast = getattr(engine, "is_fast", False)
    return EngineStatus(engine.seq, engine.at_ms, head, engine.inbox_id, *counts, journal_full, is_fast)


def account(engine: Engine, address: bytes) -> AccountView:
    """An account's balances; Refusal `unknown_account` when it never had any."""
    found = engine.account(address)
    if found is None:
        raise Refusal(ErrorCode.unknown_account, "this address never had a balance here; deposit first", "account")
    balances = [
        BalanceView(
            asset,
            balance.available,
            balance.held,
            balance.reserved,
            balance.unsettled,
            balance.deficit,
            engine.withdrawable(address, asset),
        )
        for asset, balance in sorted(found.balances.items())
    ]
    tiers = found.tiers.entries if found.tiers else [(0, 0)]
    number, status, min_nonce = found.account_id, found.status, found.min_nonce
    own = engine.state.limited.get(number, NO_LIMITS)
    return AccountView(
        engine.seq,
        number,
        address,
        status,
        min_nonce,
        balances,
        tiers,
        found.stops,
        found.countdown,
        engine.state.most_open_orders(found),
        own.max_open_orders,
        sorted(own.max_open_notional.items()),
    )


def open_orders(engine: Engine, address: bytes) -> list[OpenOrderView]:
    """An account's open orders, oldest first."""
    waiting = {order_id for watch in engine.state.watches.values() for order_id in watch.triggers}
    return [
        OpenOrderView(
            order.order_id,
            order.placed.order.pack(),
            order.placed.order_hash,
            order.placed.client_order_id,
            order.remaining,
            order.order_id in waiting,
        )
        for order in engine.open_orders(address)
    ]


def preview(engine: Engine, now_ms: int, packed: bytes) -> Preview:
    """What a packed order would meet and pay; Refusal for what is none."""
    try:
        order = Order.unpack(packed)
    except ValueError as error:
        raise Refusal(ErrorCode.malformed, str(error), "order") from None
    return engine.preview(now_ms, order)


def answer(
    question: Question, subject: bytes, engine: Engine, head: bytes, pending: int, full: bool, now_ms: int
) -> msgspec.Raw:
    """The body of the answer to a question; Refusal when it cannot be answered."""
    match question:
        case Question.books:
            return encode_body(books(engine, head))
        case Question.status:
            return encode_body(status(engine, head, pending, full))
        case Question.state_hash:
            return encode_body((engine.seq, engine.state_hash()))
        case Question.account:
            return encode_body(account(engine, subject))
        case Question.open_orders:
            return encode_body(open_orders(engine, subject))
        case Question.preview:
            return encode_body(preview(engine, now_ms, subject))
        case Question.receipt:
            raise Refusal(ErrorCode.internal, "the server answers for receipts, beside its queue")
