"""What the operator bounds in a market: the size of an order, what an account has open, how far an order takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode
from exchange.domain.order import SINGLE_FILL, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from tests.utils.engine import BTC_USDC, ETH_USDC, MAKER, OTHER, TAKER, EngineHarness, only, reasons

PRICE = 5_000_000
NAMES = ("collar_bps", "max_quantity", "max_notional", "max_open_orders", "max_open_notional")


def bound(x: EngineHarness, **bounds: int) -> list[e.Event]:
    return x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, *(bounds.get(name, 0) for name in NAMES)))


def test_bounds_are_told_kept_and_lifted(x: EngineHarness) -> None:
    assert bound(x, collar_bps=100, max_quantity=5) == [e.MarketBoundsChanged(BTC_USDC, 100, 5, 0, 0, 0, 2_000)]
    copy = Engine.load(x.engine.dump())
    assert copy.state_hash() == x.engine.state_hash()
    assert copy.state.bounds == x.engine.state.bounds != {}
    bound(x)
    assert x.engine.state.bounds == {}


@pytest.mark.parametrize("market", [BTC_USDC, 9])
def test_what_bounds_nothing_sensible_is_refused(x: EngineHarness, market: int) -> None:
    code = ErrorCode.amount_out_of_range if market == BTC_USDC else ErrorCode.unknown_market
    x.refuse(c.SetMarketBounds(next(x.inbox_ids), market, 10_000, 0, 0, 0, 0), code)


def test_an_order_is_at_most_so_large(x: EngineHarness) -> None:
    bound(x, max_quantity=100)
    refusal = x.refuse(x.order(MAKER, Side.sell, PRICE, 101), ErrorCode.order_too_large)
    assert (refusal.field, refusal.params) == ("quantity", {"max_quantity": "100"})
    x.sell(MAKER, PRICE, 100)
    x.sell(MAKER, 3_000_000, 200, market=ETH_USDC)
    bound(x, max_notional=100 * PRICE)
    refusal = x.refuse(x.order(MAKER, Side.sell, PRICE + 10, 100), ErrorCode.order_too_large)
    assert refusal.params == {"max_notional": str(100 * PRICE)}
    quote: dict[str, Any] = {"tif": TimeInForce.ioc, "nonce": SINGLE_FILL | 7}
    x.refuse(x.order(TAKER, Side.buy_quote, PRICE, 100 * PRICE + 1, **quote), ErrorCode.order_too_large)
    x.apply(x.order(TAKER, Side.buy_quote, PRICE, 100 * PRICE, **quote))


def test_an_account_has_so_many_orders_open_in_a_market(x: EngineHarness) -> None:
    bound(x, max_open_orders=1)
    x.sell(MAKER, PRICE, 10)
    nonce = x.engine.open_orders(MAKER)[0].placed.order.nonce
    assert x.refuse(x.order(MAKER, Side.sell, PRICE, 10), ErrorCode.too_many_open_orders).params == {
        "limit": 1,
        "open": 1,
    }
    x.sell(OTHER, PRICE, 10)
    x.sell(MAKER, 3_000_000, 10, market=ETH_USDC)
    x.buy(MAKER, PRICE - 10, 10, tif=TimeInForce.ioc)
    amend = x.order(MAKER, Side.sell, PRICE + 10, 10, nonce=nonce)
    x.apply(c.AmendOrder(amend.order, amend.order_hash, 0, amend.signature, MAKER))


def test_an_account_has_so_much_open_in_a_market(x: EngineHarness) -> None:
    bound(x, max_open_notional=100 * PRICE)
    x.sell(MAKER, PRICE, 60)
    refusal = x.refuse(x.order(MAKER, Side.sell, PRICE, 41), ErrorCode.too_much_open)
    assert refusal.params == {"max_open_notional": str(100 * PRICE), "open_notional": str(101 * PRICE)}
    x.sell(MAKER, PRICE, 40)
    x.buy(TAKER, PRICE, 30)
    x.sell(MAKER, PRICE, 30)
    waits = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
    stop = x.order(MAKER, Side.sell, PRICE - 1_000, 1, terms=waits, trigger_price=PRICE - 100)
    x.refuse(stop, ErrorCode.too_much_open)


@pytest.mark.parametrize("tif", [TimeInForce.gtc, TimeInForce.ioc])
def test_an_order_takes_no_further_than_the_collar(x: EngineHarness, tif: TimeInForce) -> None:
    bound(x, collar_bps=100)
    for price in (PRICE, 5_050_000, 5_050_010):
        x.sell(MAKER, price, 10)
    events = x.buy(TAKER, 5_500_000, 30, tif=tif)
    assert [t.price for t in only(events, e.TradeMatched)] == [PRICE, 5_050_000]
    assert reasons(events)[-1] == (x.engine.seq, "price_collar")
    assert x.book() == ([], [(5_050_010, 10)])
    events = x.buy(TAKER, 5_500_000, 10, tif=tif)
    assert reasons(events)[-1] == (x.engine.seq, "filled")


def test_the_collar_of_a_sale_is_below(x: EngineHarness) -> None:
    bound(x, collar_bps=100)
    x.buy(MAKER, 4_950_000, 10)
    x.buy(MAKER, 4_949_990, 10)
    events = x.sell(TAKER, 4_500_000, 20)
    assert [t.price for t in only(events, e.TradeMatched)] == [4_950_000]
    assert reasons(events)[-1][1] == "price_collar"


def test_an_order_within_its_own_limit_rests_as_ever(x: EngineHarness) -> None:
    bound(x, collar_bps=100)
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, 5_500_000, 20)
    assert x.book() == ([(5_500_000, 10)], [])


def test_a_fok_that_the_collar_stops_trades_nothing(x: EngineHarness) -> None:
    bound(x, collar_bps=100)
    x.sell(MAKER, PRICE, 10)
    x.sell(MAKER, 5_060_000, 10)
    assert reasons(x.buy(TAKER, 5_500_000, 20, tif=TimeInForce.fok)) == [(x.engine.seq, "price_collar")]
    assert reasons(x.buy(TAKER, 5_040_000, 20, tif=TimeInForce.fok)) == [(x.engine.seq, "fok_unfilled")]


def test_a_stop_meets_the_collar_around_the_price_of_its_turn(x: EngineHarness) -> None:
    bound(x, collar_bps=100)
    waits = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
    x.sell(TAKER, 4_000_000, 30, terms=waits, trigger_price=4_900_000)
    for price in (4_900_000, 4_851_000, 4_850_000):
        x.buy(MAKER, price, 10)
    x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 0, 0, 0, 0))
    x.sell(OTHER, 4_900_000, 5)
    bound(x, collar_bps=100)
    events = x.turns()
    assert [t.price for t in only(events, e.TradeMatched)] == [4_900_000, 4_851_000]
    assert reasons(events)[-1][1] == "price_collar"


def test_a_preview_sees_no_further_than_the_collar(x: EngineHarness) -> None:
    bound(x, collar_bps=100)
    x.sell(MAKER, PRICE, 10)
    x.sell(MAKER, 5_060_000, 10)
    assert x.engine.preview(x.at_ms, x.order(TAKER, Side.buy, 5_500_000, 20).order).fills == 10


def test_an_order_beyond_new_bounds_may_be_made_smaller(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 10)
    bound(x, max_quantity=2, max_notional=2 * PRICE, max_open_orders=1, max_open_notional=PRICE)
    signed = x.engine.open_orders(MAKER)[0].placed.order
    for more in (replace(signed, quantity=11), replace(signed, price=PRICE + 10)):
        x.refuse(c.AmendOrder(more, keccak(repr(more).encode()), 0, b"\x07" * 65, MAKER), ErrorCode.order_too_large)
    less = replace(signed, quantity=4)
    x.apply(c.AmendOrder(less, keccak(repr(less).encode()), 0, b"\x07" * 65, MAKER))
    assert x.book() == ([], [(PRICE, 14)])
