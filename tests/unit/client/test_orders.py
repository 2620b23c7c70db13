"""Prices and quantities convert exactly, or are refused with what would be right."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bizzan.client.nonces import Nonces
from bizzan.client.orders import OrderBuilder
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import Schedule
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import NONCE_LIMIT, SINGLE_FILL, SelfTrade, Side, Terms, TimeInForce

USDC = Asset(0, "USDC", 6)
ETH = Asset(1, "ETH", 8)
BTC = Asset(2, "BTC", 8)
BTC_USDC = OrderBuilder(Market(1, "BTC/USDC", 2, 0, 10_000, 10, 1_000_000, 2_000, 200, 500, 800_000), BTC, USDC)
ETH_BTC = OrderBuilder(Market(3, "ETH/BTC", 1, 2, 100_000, 1, 1_000, 2_000, 200, 500, 2_000), ETH, BTC)


def test_price_and_quantity_convert_both_ways() -> None:
    assert BTC_USDC.price("8000.1") == 800_010
    assert BTC_USDC.price_text(800_010) == "8000.1"
    assert BTC_USDC.quantity("0.0125") == 125
    assert BTC_USDC.quantity_text(125) == "0.0125"
    assert ETH_BTC.price("0.02") == 2_000
    assert ETH_BTC.price_text(2_000) == "0.02"


NO_NUMBERS = ["", "abc", "NaN", "Infinity", "1e400", "1e-400", "1.00000000000000000000000000000001"]


@pytest.mark.parametrize("price", ["8000.05", "0", "-1", *NO_NUMBERS])
def test_price_off_tick_is_refused_with_the_tick(price: str) -> None:
    with pytest.raises(Refusal) as refused:
        BTC_USDC.price(price)
    assert refused.value.code is ErrorCode.price_off_tick
    assert refused.value.params == {"tick_size": "0.1"}


@pytest.mark.parametrize("quantity", ["0.00005", "0", "-1", *NO_NUMBERS])
def test_quantity_off_lot_is_refused_with_the_lot(quantity: str) -> None:
    with pytest.raises(Refusal) as refused:
        BTC_USDC.quantity(quantity)
    assert refused.value.code is ErrorCode.quantity_off_lot
    assert refused.value.params == {"lot_size": "0.0001"}


def test_floors_go_down_to_what_is_valid() -> None:
    assert BTC_USDC.floor_price(Decimal("8000.19")) == 800_010
    assert BTC_USDC.floor_price(Decimal("0.0001")) == 10
    assert BTC_USDC.floor_quantity(Decimal("0.00019")) == 1


def test_least_quantity_meets_the_minimum_notional() -> None:
    price = BTC_USDC.price("8000")
    least = BTC_USDC.least_quantity(price)
    assert price * least >= BTC_USDC.market.min_notional > price * (least - 1)


def test_order_caps_its_fee_at_the_highest_rate_of_the_market() -> None:
    order = BTC_USDC.order(bytes(20), Side.sell, 800_000, 3, 1, expiry=99, time_in_force=TimeInForce.ioc)
    assert order.max_fee_bps == 5
    assert Terms.unpack(order.terms).time_in_force is TimeInForce.ioc


def test_nonces_follow_one_another_in_two_lanes() -> None:
    nonces = Nonces(100)
    assert [nonces.next(), nonces.next()] == [101, 102]
    assert nonces.next(single_fill=True) == 101 | SINGLE_FILL
    nonces.raise_to(500)
    assert nonces.next() == 500


def test_nonces_end_where_the_contract_ends() -> None:
    nonces = Nonces(NONCE_LIMIT - 1)
    with pytest.raises(ValueError, match="used up"):
        nonces.next()


def test_the_cap_covers_every_schedule_that_is_known_and_the_floor() -> None:
    known = (Schedule(((200, 500), (25, 350))), Schedule(((310, 900),)), Schedule(((200, 500),), 60_000))
    builder = replace(BTC_USDC, schedules=known, fee_cap_bps=100)
    assert builder.fee_cap(800_000, 1_000) == 9
    assert builder.fee_cap(800_000, 10) == 75
    assert builder.fee_cap(800_000, 10, post_only=True) == 9
    assert builder.fee_cap(800_000, 2) == 100
    order = builder.order(bytes(20), Side.buy, 800_000, 10, 1, expiry=99, max_fee_bps=3)
    assert order.max_fee_bps == 3


def test_an_amount_of_quote_is_measured_in_quote() -> None:
    assert BTC_USDC.measure(Side.buy_quote, "250.5") == 250_500_000
    assert BTC_USDC.measure(Side.buy, "0.0125") == 125
    for wrong in ("0.0000001", "0", "-1"):
        with pytest.raises(Refusal) as refused:
            BTC_USDC.measure(Side.buy_quote, wrong)
        assert refused.value.code is ErrorCode.quantity_off_lot
    builder = replace(BTC_USDC, schedules=(Schedule(((200, 500),), 60_000),), fee_cap_bps=100)
    assert builder.order(bytes(20), Side.buy_quote, 800_000, 8_000_000, 1, expiry=99).max_fee_bps == 75


def test_terms_are_named() -> None:
    order = BTC_USDC.order(bytes(20), Side.buy, 800_000, 3, 1, expiry=99, self_trade=SelfTrade.decrement)
    assert Terms.unpack(order.terms) == Terms(self_trade=SelfTrade.decrement)
