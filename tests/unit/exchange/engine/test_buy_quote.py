"""A market buy for an amount of quote: whole lots as far as it goes, the fee on top, one fill on chain."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.order import SINGLE_FILL, SelfTrade, Side, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import BTC, MAKER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000
ALL_USDC = 10_000_000_000
ALL_BTC = 1_000_000_000


def order(x: EngineHarness, amount: int, price: int = PRICE, **options: Any) -> c.PlaceOrder:
    """A buy for `amount` of quote; ioc unless said otherwise."""
    options = {"tif": TimeInForce.ioc, "nonce": next(x.nonces) | SINGLE_FILL, **options}
    return x.order(TAKER, Side.buy_quote, price, amount, **options)


def bought(events: list[e.Event]) -> list[tuple[int, int, int]]:
    return [(t.price, t.quantity, t.taker_remaining) for t in only(events, e.TradeMatched)]


def test_it_buys_whole_lots_from_the_best_price_on_and_pays_the_fee_on_top(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 3)
    x.sell(MAKER, PRICE + 10, 10)
    events = x.apply(order(x, 4 * PRICE + 9, PRICE + 10))
    assert bought(events) == [(PRICE, 3, PRICE + 9)]
    assert reasons(events)[-1] == (x.engine.seq, "filled")
    assert x.parts(TAKER, USDC)[0] == ALL_USDC - 3 * PRICE - 3 * PRICE * 500 // 10**6
    assert x.parts(TAKER, BTC)[0] == ALL_BTC + 30_000
    assert x.book() == ([], [(PRICE + 10, 10)])


def test_its_trades_are_a_buyers(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 3)
    events = x.apply(order(x, 2 * PRICE))
    assert only(events, e.OrderAccepted)[0].side == Side.buy_quote
    assert only(events, e.TradeMatched)[0].taker_side == Side.buy
    assert only(events, e.OrderClosed)[0].remaining == 0


def test_what_is_left_buys_no_lot(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 3)
    events = x.apply(order(x, 2 * PRICE + PRICE - 1))
    assert bought(events) == [(PRICE, 2, PRICE - 1)]
    assert only(events, e.OrderClosed)[-1] == e.OrderClosed(x.engine.seq, 3, 1, e.CloseReason.filled, PRICE - 1)


def test_it_ends_unfilled_when_the_book_does(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 3)
    assert reasons(x.apply(order(x, 4 * PRICE)))[-1] == (x.engine.seq, "unfilled")
    assert reasons(x.apply(order(x, 4 * PRICE))) == [(x.engine.seq, "unfilled")]


def test_a_fok_spends_all_that_buys_a_lot_or_nothing(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 3)
    events = x.apply(order(x, 4 * PRICE, tif=TimeInForce.fok))
    assert (bought(events), reasons(events)) == ([], [(x.engine.seq, "fok_unfilled")])
    x.sell(MAKER, PRICE + 10, 1)
    events = x.apply(order(x, 3 * PRICE + PRICE, PRICE + 10, tif=TimeInForce.fok))
    assert bought(events) == [(PRICE, 3, PRICE)]
    assert reasons(events)[-1] == (x.engine.seq, "filled")


@pytest.mark.parametrize(
    ("code", "field", "options"),
    [
        (ErrorCode.terms_conflict, "nonce", {"nonce": 7}),
        (ErrorCode.terms_conflict, "nonce", {"tif": TimeInForce.gtc}),
        (ErrorCode.terms_conflict, "post_only", {"post_only": True}),
        (ErrorCode.quantity_off_lot, "quantity", {"amount": PRICE - 1}),
        (ErrorCode.below_min_notional, "quantity", {"amount": 999_999, "price": 500_000}),
        (ErrorCode.price_out_of_band, "price", {"price": 6_000_010, "amount": 6_000_010}),
        (ErrorCode.insufficient_balance, "quantity", {"amount": 9_995_002_500}),
        (ErrorCode.amount_out_of_range, "quantity", {"amount": (1 << 63) - 1}),
    ],
)
def test_it_is_refused(x: EngineHarness, code: ErrorCode, field: str, options: dict[str, Any]) -> None:
    assert x.refuse(order(x, **{"amount": 10 * PRICE, **options}), code).field == field


def test_the_whole_balance_can_be_spent_but_for_the_fee(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 2_000)
    events = x.apply(order(x, 9_995_002_499))
    assert bought(events) == [(PRICE, 1_999, 2_499)]


def test_its_own_orders_are_met_as_its_mode_says(x: EngineHarness) -> None:
    x.sell(TAKER, PRICE, 2)
    x.sell(MAKER, PRICE, 5)
    events = x.apply(order(x, 4 * PRICE + 5, self_trade=SelfTrade.decrement))
    assert [(r.quantity, r.remaining) for r in only(events, e.OrderReduced)] == [(2, 0), (2 * PRICE, 2 * PRICE + 5)]
    assert bought(events) == [(PRICE, 2, 5)]
    x.sell(TAKER, PRICE - 10, 9)
    events = x.apply(order(x, 2 * PRICE, self_trade=SelfTrade.decrement))
    assert reasons(events) == [(x.engine.seq, "self_trade")]


@pytest.mark.parametrize("tif", [TimeInForce.ioc, TimeInForce.fok])
@pytest.mark.parametrize("amount", [3 * PRICE - 1, 3 * PRICE, 4 * PRICE, 9 * PRICE])
def test_a_preview_says_what_it_then_pays(x: EngineHarness, tif: TimeInForce, amount: int) -> None:
    x.sell(MAKER, PRICE, 3)
    x.sell(MAKER, PRICE + 10, 1)
    placed = order(x, amount, PRICE + 20, tif=tif)
    said = x.engine.preview(x.at_ms, placed.order)
    trades = only(x.apply(placed), e.TradeMatched)
    assert (said.notional, said.fills) == (amount, sum(trade.quantity for trade in trades))
    assert (said.quote, said.fee) == (sum(t.quote for t in trades), sum(t.taker_fee for t in trades))


def test_what_is_unsettled_stays_within_what_the_ledger_counts(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 1_000, 1))
    x.sell(MAKER, PRICE, 1)
    x.sell(MAKER, PRICE, 1)
    assert reasons(x.apply(order(x, 2 * PRICE)))[-1] == (x.engine.seq, "too_many_fills")
