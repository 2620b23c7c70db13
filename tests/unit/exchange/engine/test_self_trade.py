"""What happens when an order meets another of its own account: four modes, chosen by the order that comes in."""

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.order import SelfTrade, Side, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import BTC, MAKER, OTHER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000
ALL_USDC = 10_000_000_000
ALL_BTC = 1_000_000_000


def between(x: EngineHarness, own: int = 5) -> int:
    """Asks of another, of the taker itself, and of another, at one price; the taker's order id."""
    x.sell(MAKER, PRICE, 5)
    x.sell(TAKER, PRICE, own, self_trade=SelfTrade.cancel_taker)
    order_id = x.engine.seq
    x.sell(OTHER, PRICE, 5)
    return order_id


def lots(events: list[e.Event]) -> list[int]:
    return [trade.quantity for trade in only(events, e.TradeMatched)]


def test_cancel_maker_takes_the_own_order_away_and_goes_on(x: EngineHarness) -> None:
    own = between(x)
    events = x.buy(TAKER, PRICE, 10, self_trade=SelfTrade.cancel_maker)
    assert lots(events) == [5, 5]
    assert reasons(events) == [(own - 1, "filled"), (own, "self_trade"), (own + 1, "filled"), (x.engine.seq, "filled")]
    assert x.book() == ([], [])
    assert x.parts(TAKER, BTC)[:2] == (ALL_BTC + 100_000, 0)


def test_cancel_both_ends_both(x: EngineHarness) -> None:
    own = between(x)
    events = x.buy(TAKER, PRICE, 10, self_trade=SelfTrade.cancel_both)
    assert lots(events) == [5]
    assert reasons(events)[1:] == [(own, "self_trade"), (x.engine.seq, "self_trade")]
    assert x.book() == ([], [(PRICE, 5)])
    assert x.parts(TAKER, BTC)[:2] == (ALL_BTC + 50_000, 0)


def test_decrement_lowers_both_by_the_smaller(x: EngineHarness) -> None:
    own = between(x, own=3)
    events = x.buy(TAKER, PRICE, 20, self_trade=SelfTrade.decrement)
    assert lots(events) == [5, 5]
    assert [(r.order_id, r.quantity, r.remaining) for r in only(events, e.OrderReduced)] == [
        (own, 3, 0),
        (x.engine.seq, 3, 12),
    ]
    assert (own, "self_trade") in reasons(events)
    assert x.book() == ([(PRICE, 7)], [])


def test_decrement_ends_the_smaller_taker_and_the_maker_keeps_its_place(x: EngineHarness) -> None:
    own = between(x, own=8)
    events = x.buy(TAKER, PRICE, 9, self_trade=SelfTrade.decrement)
    assert reasons(events) == [(own - 1, "filled"), (x.engine.seq, "self_trade")]
    assert x.book() == ([], [(PRICE, 9)])
    assert x.parts(TAKER, BTC)[:2] == (ALL_BTC + 50_000 - 40_000, 40_000)
    assert [t.maker_order for t in only(x.buy(MAKER, PRICE, 5), e.TradeMatched)] == [own, own + 1]


def test_decrement_releases_what_a_bid_holds_for_what_it_loses(x: EngineHarness) -> None:
    x.buy(TAKER, PRICE, 100)
    x.sell(TAKER, PRICE, 60, self_trade=SelfTrade.decrement)
    assert x.parts(TAKER, USDC) == (ALL_USDC - 200_100_000, 200_100_000, 0, 0, 0)
    assert x.parts(TAKER, BTC) == (ALL_BTC, 0, 0, 0, 0)
    assert x.book() == ([(PRICE, 40)], [])


def test_equal_orders_that_are_decremented_both_end(x: EngineHarness) -> None:
    x.sell(TAKER, PRICE, 5)
    events = x.buy(TAKER, PRICE, 5, self_trade=SelfTrade.decrement)
    assert reasons(events) == [(x.engine.seq - 1, "self_trade"), (x.engine.seq, "self_trade")]
    assert x.book() == ([], [])


def test_the_mode_is_that_of_the_order_that_comes_in(x: EngineHarness) -> None:
    x.sell(TAKER, PRICE, 5, self_trade=SelfTrade.cancel_maker)
    assert reasons(x.buy(TAKER, PRICE, 5)) == [(x.engine.seq, "self_trade")]
    assert x.book() == ([], [(PRICE, 5)])


def test_own_orders_cost_none_of_the_fills_of_an_order(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 1_000, 2))
    for account in (TAKER, MAKER, TAKER, TAKER, MAKER):
        x.sell(account, PRICE, 1)
    events = x.buy(TAKER, PRICE, 2, self_trade=SelfTrade.cancel_maker)
    assert lots(events) == [1, 1]
    assert x.book() == ([], [])


def test_a_fok_sees_past_own_orders_only_if_it_cancels_them(x: EngineHarness) -> None:
    own = between(x)
    for mode in (SelfTrade.cancel_taker, SelfTrade.cancel_both):
        assert reasons(x.buy(TAKER, PRICE, 10, tif=TimeInForce.fok, self_trade=mode)) == [(x.engine.seq, "self_trade")]
    eleven = x.buy(TAKER, PRICE, 11, tif=TimeInForce.fok, self_trade=SelfTrade.cancel_maker)
    assert reasons(eleven) == [(x.engine.seq, "fok_unfilled")]
    assert x.book() == ([], [(PRICE, 15)])
    events = x.buy(TAKER, PRICE, 10, tif=TimeInForce.fok, self_trade=SelfTrade.cancel_maker)
    assert (own, "self_trade") in reasons(events)
    assert lots(events) == [5, 5]


def test_decrement_does_not_go_with_fok(x: EngineHarness) -> None:
    order = x.order(TAKER, Side.buy, PRICE, 10, tif=TimeInForce.fok, self_trade=SelfTrade.decrement)
    assert x.refuse(order, ErrorCode.terms_conflict).field == "self_trade"


@pytest.mark.parametrize("mode", SelfTrade)
def test_post_only_never_takes_from_its_own_account_either(x: EngineHarness, mode: SelfTrade) -> None:
    x.sell(TAKER, PRICE, 5)
    assert reasons(x.buy(TAKER, PRICE, 5, post_only=True, self_trade=mode)) == [(x.engine.seq, "post_only_would_take")]
    assert x.book() == ([], [(PRICE, 5)])


@pytest.mark.parametrize("mode", SelfTrade)
def test_a_preview_meets_what_the_order_then_meets(x: EngineHarness, mode: SelfTrade) -> None:
    between(x, own=3)
    order = x.order(TAKER, Side.buy, PRICE, 12, self_trade=mode)
    said = x.engine.preview(x.at_ms, order.order)
    trades = only(x.apply(order), e.TradeMatched)
    assert said.fills == sum(trade.quantity for trade in trades)
    assert said.fee == sum(trade.taker_fee for trade in trades)
