"""An order on its way in: what it holds, and every rule that refuses it."""

from typing import Any

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.order import MAX_DELEGATED_SECONDS, MAX_ORDER_SECONDS, SINGLE_FILL, SelfTrade, Side, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.risk import CLOCK_MARGIN_SECONDS
from tests.utils.engine import (
    BTC,
    BTC_USDC,
    DELEGATE,
    MAKER,
    TAKER,
    USDC,
    EngineHarness,
    only,
    reasons,
)

PRICE = 5_000_000
LATEST = 1_700_000_000 - CLOCK_MARGIN_SECONDS
FAR_FOR_A_DELEGATE = LATEST + 1 + MAX_DELEGATED_SECONDS
IN_BULK = bytes(65 + 2 + 32)  # as an order of a tree of two is signed


def test_a_buy_order_holds_its_notional_and_the_higher_fee(x: EngineHarness) -> None:
    events = x.buy(MAKER, PRICE, 100)
    accepted = only(events, e.OrderAccepted)[0]
    assert (accepted.order_id, accepted.maker_fee_ppm, accepted.taker_fee_ppm) == (x.engine.seq, 200, 500)
    assert x.parts(MAKER, USDC) == (10_000_000_000 - 500_250_000, 500_250_000, 0, 0, 0)
    assert x.book() == ([(PRICE, 100)], [])


def test_a_post_only_order_holds_the_maker_fee(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 100, post_only=True)
    assert x.parts(MAKER, USDC)[1] == 500_100_000


def test_a_sell_order_holds_base(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 100)
    assert x.parts(MAKER, BTC)[1] == 1_000_000
    assert x.book() == ([], [(PRICE, 100)])


def test_the_events_of_a_resting_order_end_with_absolute_values(x: EngineHarness) -> None:
    events = x.buy(MAKER, PRICE, 100)
    account = x.engine.account(MAKER)
    assert account is not None
    assert [type(event).__name__ for event in events] == ["OrderAccepted", "LevelChanged", "BalanceChanged"]
    assert events[1] == e.LevelChanged(BTC_USDC, 0, PRICE, 100)
    assert events[2] == e.BalanceChanged(account.account_id, USDC, 9_499_750_000, 500_250_000, 0, 0, 0)


@pytest.mark.parametrize(
    ("code", "field", "options"),
    [
        (ErrorCode.unknown_market, "market", {"market": 9}),
        (ErrorCode.unknown_account, "account", {"account": b"\x09" * 20}),
        (ErrorCode.unsupported_terms, "side", {"side": 3}),
        (ErrorCode.terms_conflict, "self_trade", {"self_trade": SelfTrade.decrement, "tif": TimeInForce.fok}),
        (ErrorCode.price_off_tick, "trigger_price", {"terms": 1 << 5}),
        (ErrorCode.unsupported_terms, "terms", {"terms": 1 << 10}),
        (ErrorCode.unsupported_terms, "trigger_type", {"terms": 7 << 5}),
        (ErrorCode.terms_conflict, "displayed_quantity", {"terms": 100 << 16}),
        (ErrorCode.terms_conflict, "displayed_quantity", {"terms": 5 << 16 | TimeInForce.ioc}),
        (ErrorCode.terms_conflict, "group", {"terms": 1 << 96 | TimeInForce.ioc}),
        (ErrorCode.below_min_notional, "displayed_quantity", {"terms": 1 << 16, "price": 500_000, "side": Side.buy}),
        (ErrorCode.terms_conflict, "post_only", {"post_only": True, "tif": TimeInForce.ioc}),
        (ErrorCode.terms_conflict, "trigger_price", {"trigger_price": 1}),
        (ErrorCode.terms_conflict, "nonce", {"nonce": SINGLE_FILL | 5}),
        (ErrorCode.unknown_scheme, "scheme", {"scheme": 4}),
        (ErrorCode.wrong_signature, "signature", {"scheme": 2}),
        (ErrorCode.wrong_signature, "signature", {"scheme": 3, "signature": bytes(65 + 2 + 32 * 11)}),
        (ErrorCode.expiry_too_far, "expiry", {"expiry": FAR_FOR_A_DELEGATE, "scheme": 3, "signature": IN_BULK}),
        (ErrorCode.nonce_out_of_range, "nonce", {"nonce": 1 << 48}),
        (ErrorCode.expired, "expiry", {"expiry": 1_700_000_000}),
        (ErrorCode.expiry_too_far, "expiry", {"expiry": LATEST + 1 + MAX_ORDER_SECONDS}),
        (ErrorCode.expiry_too_far, "expiry", {"expiry": LATEST + 1 + MAX_DELEGATED_SECONDS, "scheme": 1}),
        (ErrorCode.price_off_tick, "price", {"price": 4_999_999}),
        (ErrorCode.price_off_tick, "price", {"price": 0}),
        (ErrorCode.quantity_off_lot, "quantity", {"quantity": 0}),
        (ErrorCode.below_min_notional, "quantity", {"price": 10, "quantity": 1}),
        (ErrorCode.amount_out_of_range, "quantity", {"quantity": 1 << 62}),
        (ErrorCode.price_out_of_band, "price", {"price": 6_000_010}),
        (ErrorCode.price_out_of_band, "price", {"side": Side.sell, "price": 3_999_990}),
        (ErrorCode.fee_cap_too_low, "max_fee_bps", {"max_fee_bps": 4}),
        (ErrorCode.fee_cap_out_of_range, "max_fee_bps", {"max_fee_bps": 10_001}),
        (ErrorCode.insufficient_balance, "quantity", {"quantity": 2_000}),
        (ErrorCode.insufficient_balance, "quantity", {"side": Side.sell, "quantity": 100_001}),
    ],
)
def test_an_order_is_refused_and_changes_nothing(
    x: EngineHarness, code: ErrorCode, field: str, options: dict[str, Any]
) -> None:
    options = {"account": MAKER, "side": Side.buy, "price": PRICE, "quantity": 100, **options}
    assert x.refuse(x.order(**options), code).field == field


@pytest.mark.parametrize(
    "options",
    [
        {"price": 6_000_000},
        {"side": Side.sell, "price": 4_000_000},
        {"expiry": LATEST + MAX_ORDER_SECONDS},
        {"expiry": LATEST + MAX_DELEGATED_SECONDS, "scheme": 1, "signer": DELEGATE},
        {"max_fee_bps": 5},
        {"post_only": True, "max_fee_bps": 2},
        {"quantity": 1},
        {"nonce": (1 << 48) - 1},
        {"nonce": SINGLE_FILL | 5, "tif": TimeInForce.fok},
        {"side": Side.sell, "quantity": 100_000},
    ],
)
def test_an_order_at_the_edge_is_accepted(x: EngineHarness, options: dict[str, Any]) -> None:
    events = x.apply(x.order(**{"account": MAKER, "side": Side.buy, "price": PRICE, "quantity": 100, **options}))
    assert only(events, e.OrderAccepted)


def test_a_buy_is_refused_when_only_the_fee_is_missing(empty: EngineHarness) -> None:
    empty.credit(MAKER, USDC, 500_249_999)
    refusal = empty.refuse(empty.order(MAKER, Side.buy, PRICE, 100), ErrorCode.insufficient_balance)
    assert refusal.params == {"asset": USDC, "needed": "500250000", "available": "500249999"}
    empty.credit(MAKER, USDC, 1)
    empty.buy(MAKER, PRICE, 100)


def test_a_nonce_is_used_once_and_single_fill_nonces_are_apart(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1, nonce=7)
    x.refuse(x.order(MAKER, Side.buy, PRICE, 2, nonce=7), ErrorCode.nonce_used)
    x.buy(MAKER, PRICE, 1, nonce=SINGLE_FILL | 7, tif=TimeInForce.ioc)
    x.refuse(x.order(MAKER, Side.buy, PRICE, 2, nonce=SINGLE_FILL | 7, tif=TimeInForce.ioc), ErrorCode.nonce_used)
    x.buy(TAKER, PRICE, 1, nonce=7)


def test_the_band_follows_the_last_trade(x: EngineHarness) -> None:
    x.sell(MAKER, 6_000_000, 1)
    x.buy(TAKER, 6_000_000, 1)
    x.buy(TAKER, 7_200_000, 1)
    x.refuse(x.order(TAKER, Side.buy, 7_200_010, 1), ErrorCode.price_out_of_band)


@pytest.mark.parametrize("status", ["halted", "delisted"])
def test_a_market_that_is_not_open_refuses_orders_and_takes_cancels(x: EngineHarness, status: str) -> None:
    x.buy(MAKER, PRICE, 1, nonce=5)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, status))
    x.refuse(x.order(TAKER, Side.buy, PRICE, 1), ErrorCode.market_halted)
    cancel = c.CancelOrder(MAKER, 5, b"", MAKER)
    if status == "halted":
        assert reasons(x.apply(cancel))[0][1] == "cancelled"
    else:
        x.refuse(cancel, ErrorCode.order_closed)


def test_open_orders_are_limited_and_immediate_orders_go_on(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 2, 200))
    x.buy(MAKER, PRICE, 1)
    x.buy(MAKER, PRICE, 1)
    assert x.refuse(x.order(MAKER, Side.buy, PRICE, 1), ErrorCode.too_many_open_orders).params == {
        "limit": 2,
        "open": 2,
    }
    x.buy(MAKER, PRICE, 1, tif=TimeInForce.ioc)
    x.buy(TAKER, PRICE, 1)


def test_a_backlog_of_settlement_stops_taking_and_nothing_else(x: EngineHarness) -> None:
    x.apply(c.SetLimits(60_000, 1_000, 200))
    x.buy(MAKER, PRICE, 2, nonce=900)
    x.sell(TAKER, PRICE, 1)
    x.at_ms += 60_000
    x.sell(TAKER, PRICE + 10, 1)
    x.at_ms += 1
    refusal = x.refuse(x.order(TAKER, Side.sell, PRICE, 1), ErrorCode.settlement_backlog)
    assert refusal.params == {"oldest_unsettled_ms": 60_001}
    x.sell(TAKER, PRICE + 10, 1, post_only=True)
    x.apply(c.CancelOrder(MAKER, 900, b"", MAKER))
    x.cut(1)
    x.refuse(x.order(TAKER, Side.sell, PRICE, 1), ErrorCode.settlement_backlog)
    x.finalize(1)
    x.sell(TAKER, PRICE, 1)


def test_the_same_order_again_is_a_duplicate_and_not_a_second_order(x: EngineHarness) -> None:
    order = x.order(MAKER, Side.buy, PRICE, 1, client_order_id="one")
    assert x.engine.find_duplicate(order) is None
    x.apply(order)
    order_id = x.engine.seq
    assert x.engine.find_duplicate(order) == order_id
    x.apply(c.CancelOrder(MAKER, order.order.nonce, b"", MAKER))
    assert x.engine.find_duplicate(order) == order_id
    x.refuse(order, ErrorCode.nonce_used)


def test_a_client_order_id_names_one_order_per_account(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1, client_order_id="one")
    refusal = x.refuse(x.order(MAKER, Side.buy, PRICE, 2, client_order_id="one"), ErrorCode.duplicate_client_order_id)
    assert refusal.field == "client_order_id"
    x.buy(TAKER, PRICE, 2, client_order_id="one")


def test_the_last_thousand_client_order_ids_are_remembered(x: EngineHarness) -> None:
    first = x.order(MAKER, Side.buy, PRICE, 1, tif=TimeInForce.ioc, client_order_id="0")
    x.apply(first)
    for number in range(1, 1_000):
        x.buy(MAKER, PRICE, 1, tif=TimeInForce.ioc, client_order_id=str(number))
    x.refuse(x.order(MAKER, Side.buy, PRICE, 2, client_order_id="0"), ErrorCode.duplicate_client_order_id)
    assert x.engine.find_duplicate(first) is not None
    for number in range(1_000, 2_000):
        x.buy(MAKER, PRICE, 1, tif=TimeInForce.ioc, client_order_id=str(number))
    assert x.engine.find_duplicate(first) is None
    x.refuse(first, ErrorCode.nonce_used)


def test_an_order_of_the_longest_time_settles_at_a_block_that_is_behind(x: EngineHarness) -> None:
    """A block's time is behind the engine's by up to 120 s; what the contract refuses then holds up its whole batch."""
    order = x.order(MAKER, Side.buy, PRICE, 100, expiry=x.now + MAX_ORDER_SECONDS - CLOCK_MARGIN_SECONDS)
    x.apply(order)
    assert order.order.expiry <= (x.now - 120) + MAX_ORDER_SECONDS
    x.refuse(x.order(MAKER, Side.buy, PRICE, 100, expiry=x.now + MAX_ORDER_SECONDS - 119), ErrorCode.expiry_too_far)
