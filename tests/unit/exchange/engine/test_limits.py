"""What the operator bounds for one account in all markets, what the exchange bounds for all, and a market's band."""

from __future__ import annotations

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.order import SINGLE_FILL, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.engine.exposure import MAX_BAND_BPS
from tests.utils.engine import BTC, BTC_USDC, ETH, ETH_BTC, ETH_USDC, MAKER, OTHER, TAKER, USDC, EngineHarness

PRICE = 5_000_000
ETH_PRICE = 3_000_000
MANY, FEW = ErrorCode.too_many_open_orders, ErrorCode.too_much_open


def limit(x: EngineHarness, account: bytes, orders: int = 0, notional: int = 0, asset: int = USDC) -> list[e.Event]:
    return x.apply(c.SetAccountLimits(next(x.inbox_ids), account, orders, asset, notional))


def band(x: EngineHarness, band_bps: int | None) -> list[e.Event]:
    return x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 0, 0, 0, 0, band_bps))


def test_limits_are_told_kept_and_lifted(x: EngineHarness) -> None:
    account = x.engine.state.by_address[MAKER].account_id
    assert limit(x, MAKER, 5, 70) == [e.AccountLimitsChanged(account, 5, USDC, 70)]
    limit(x, MAKER, 4, 80, BTC)
    copy = Engine.load(x.engine.dump())
    assert copy.state_hash() == x.engine.state_hash()
    own = copy.state.limited[account]
    assert (own.max_open_orders, own.max_open_notional) == (4, {USDC: 70, BTC: 80}), "of each asset what was set last"
    limit(x, MAKER, 0, 0)
    assert x.engine.state.limited[account].max_open_notional == {BTC: 80}
    limit(x, MAKER, 0, 0, BTC)
    assert x.engine.state.limited == {}


def test_an_asset_that_is_not_listed_is_refused(x: EngineHarness) -> None:
    refusal = x.refuse(c.SetAccountLimits(next(x.inbox_ids), MAKER, 1, 9, 1), ErrorCode.unknown_asset)
    assert (refusal.field, refusal.params) == ("asset", {"asset": 9})


def test_an_account_has_its_own_number_of_open_orders_in_all_markets(x: EngineHarness) -> None:
    limit(x, MAKER, 2)
    x.sell(MAKER, PRICE, 10)
    x.sell(MAKER, ETH_PRICE, 10, market=ETH_USDC)
    refusal = x.refuse(x.order(MAKER, Side.sell, PRICE, 10), MANY)
    assert refusal.params == {"limit": 2, "open": 2}
    assert refusal.message == "at most 2 open orders, 2 are open: cancel some first"
    x.sell(OTHER, PRICE, 10)
    x.apply(x.order(MAKER, Side.sell, PRICE, 10, tif=TimeInForce.ioc))
    limit(x, MAKER, 0)
    x.sell(MAKER, PRICE, 10)


def test_its_own_number_may_be_above_the_exchanges(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 1, 200))
    limit(x, MAKER, 2)
    x.sell(MAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 10)
    x.refuse(x.order(MAKER, Side.sell, PRICE, 10), MANY)
    x.sell(OTHER, PRICE, 10)
    x.refuse(x.order(OTHER, Side.sell, PRICE, 10), MANY)


def test_a_limit_below_what_is_open_leaves_it_and_takes_no_more(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 10)
    limit(x, MAKER, 1, PRICE)
    assert len(x.engine.open_orders(MAKER)) == 2
    assert x.refuse(x.order(MAKER, Side.sell, PRICE, 1), MANY).params == {"limit": 1, "open": 2}


def test_what_an_account_has_open_in_all_markets_of_one_quote_has_a_limit(x: EngineHarness) -> None:
    limit(x, MAKER, 0, 100 * PRICE)
    x.sell(MAKER, PRICE, 40)
    x.sell(MAKER, ETH_PRICE, 100, market=ETH_USDC)
    refusal = x.refuse(x.order(MAKER, Side.sell, PRICE, 1), FEW)
    there = 40 * PRICE + 100 * ETH_PRICE
    assert refusal.params == {"max_open_notional": str(100 * PRICE), "open_notional": str(there + PRICE), "asset": USDC}
    assert f"{there} is open, this makes {there + PRICE}" in refusal.message
    x.sell(MAKER, 6_000, 500, market=ETH_BTC)
    x.sell(OTHER, PRICE, 200)


def test_what_only_takes_is_not_counted(x: EngineHarness) -> None:
    limit(x, TAKER, 0, PRICE)
    x.sell(MAKER, PRICE, 10)
    x.apply(x.order(TAKER, Side.buy, PRICE, 5, tif=TimeInForce.ioc))
    x.apply(x.order(TAKER, Side.buy_quote, PRICE, 5 * PRICE, tif=TimeInForce.ioc, nonce=SINGLE_FILL | 7))
    x.refuse(x.order(TAKER, Side.buy, PRICE, 2), FEW)


def test_orders_that_wait_for_a_price_count(x: EngineHarness) -> None:
    limit(x, MAKER, 0, 100 * PRICE)
    stop = Terms(trigger_type=TriggerType.stop_loss).pack()
    x.sell(MAKER, PRICE - 100, 100, terms=stop, trigger_price=PRICE - 50)
    x.refuse(x.order(MAKER, Side.sell, PRICE, 1), FEW)


def test_an_amend_that_asks_for_no_more_is_taken_above_the_limit(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 100)
    placed = x.engine.open_orders(MAKER)[0].placed
    limit(x, MAKER, 0, PRICE)

    def amended(quantity: int) -> c.AmendOrder:
        order = x.order(MAKER, Side.sell, PRICE, quantity, nonce=placed.order.nonce)
        return c.AmendOrder(order.order, order.order_hash, 0, order.signature, order.signer)

    x.refuse(amended(101), FEW)
    x.apply(amended(90))


def test_both_legs_of_a_group_count(x: EngineHarness) -> None:
    limit(x, MAKER, 0, 30 * PRICE)
    group = {
        "first": Terms(group=7).pack(),
        "second": Terms(TimeInForce.gtc, trigger_type=TriggerType.stop_loss, group=7).pack(),
    }
    first = x.order(MAKER, Side.sell, PRICE + 10, 20, terms=group["first"])
    second = x.order(MAKER, Side.sell, PRICE - 100, 20, terms=group["second"], trigger_price=PRICE - 50)
    x.refuse(c.PlaceGroup(first, second), FEW)
    limit(x, MAKER, 0, 41 * PRICE)
    x.apply(c.PlaceGroup(first, second))


def test_a_market_that_is_listed_later_counts_for_a_quote_that_is_bounded_already() -> None:
    from tests.utils.engine import MARKETS  # the first market's quote has no market when it is bounded

    x = EngineHarness(())
    x.credit(MAKER, BTC, 10**12)
    x.credit(MAKER, ETH, 10**12)
    limit(x, MAKER, 0, 100 * PRICE)
    x.apply(c.ListMarket(MARKETS[0], b"\xfe" * 20))
    x.sell(MAKER, PRICE, 100)
    x.refuse(x.order(MAKER, Side.sell, PRICE, 1), FEW)
    x.apply(c.ListMarket(MARKETS[1], b"\xfe" * 20))
    x.refuse(x.order(MAKER, Side.sell, ETH_PRICE, 1, market=ETH_USDC), FEW)
    assert x.engine.violations() == []


def test_limits_outlast_an_auction(x: EngineHarness) -> None:
    limit(x, MAKER, 1, 50 * PRICE)
    x.apply(c.StartAuction(next(x.inbox_ids), BTC_USDC, 0))
    x.sell(MAKER, PRICE, 50)
    x.refuse(x.order(MAKER, Side.sell, PRICE, 1), MANY)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    x.turns()
    x.refuse(x.order(MAKER, Side.sell, PRICE, 1), MANY)


def test_a_band_is_set_lifted_and_left_alone(x: EngineHarness) -> None:
    assert x.engine.books()[0].market.band_bps == 2_000
    assert band(x, 100) == [e.MarketBoundsChanged(BTC_USDC, 0, 0, 0, 0, 0, 100)]
    x.refuse(x.order(MAKER, Side.sell, PRICE * 98 // 100, 10), ErrorCode.price_out_of_band)
    assert band(x, None) == [e.MarketBoundsChanged(BTC_USDC, 0, 0, 0, 0, 0, 100)]
    assert Engine.load(x.engine.dump()).books()[0].market.band_bps == 100
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "halted"))
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    x.refuse(x.order(MAKER, Side.sell, PRICE * 98 // 100, 10), ErrorCode.price_out_of_band)
    band(x, 0)
    x.sell(MAKER, PRICE // 2, 10)


@pytest.mark.parametrize("band_bps", [MAX_BAND_BPS + 1, 2**62])
def test_a_band_that_bounds_nothing_is_refused(x: EngineHarness, band_bps: int) -> None:
    command = c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 0, 0, 0, 0, band_bps)
    assert x.refuse(command, ErrorCode.amount_out_of_range).field == "band_bps"
