"""Schedules, tiers and floors: announced before they count, fixed for an order when it is accepted, within its cap."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import Schedule
from exchange.domain.order import Side, TimeInForce
from exchange.domain.utc import utc
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.engine.timeline import Timeline
from tests.utils.engine import BTC, BTC_USDC, ETH_USDC, FEES, MAKER, START_MS, TAKER, USDC, EngineHarness, only

PRICE = 5_000_000
HOUR = 3_600_000
NOW = ((200, 500),)
LOWER = ((100, 400),)
HIGHER = ((300, 900),)


def rules(x: EngineHarness, fee_cap_bps: int = 100, notice_ms: int = HOUR) -> None:
    x.apply(c.SetFeeRules(fee_cap_bps, notice_ms))


def fees(
    x: EngineHarness, tiers: tuple[tuple[int, int], ...], at_ms: int = 0, floor: int = 0, market: int = BTC_USDC
) -> c.AnnounceFees:
    return c.AnnounceFees(next(x.inbox_ids), market, at_ms, tiers, floor)


def tier(x: EngineHarness, account: bytes, number: int, at_ms: int = 0) -> c.SetAccountTier:
    return c.SetAccountTier(next(x.inbox_ids), account, number, at_ms)


def rates(x: EngineHarness, account: bytes = MAKER, **options: object) -> tuple[int, int, int]:
    """What an order that is accepted now will pay: maker's rate, taker's rate, floor."""
    accepted = only(x.buy(account, PRICE, 100, max_fee_bps=100, **options), e.OrderAccepted)[0]
    return accepted.maker_fee_ppm, accepted.taker_fee_ppm, accepted.fee_floor


def paid(x: EngineHarness, quantity: int, cap: int = 100) -> list[int]:
    """The taker's fees of a buy of `quantity` lots."""
    events = x.buy(TAKER, PRICE, quantity, tif=TimeInForce.ioc, max_fee_bps=cap)
    return [trade.taker_fee for trade in only(events, e.TradeMatched)]


# announcements


def test_a_rise_counts_from_its_time_on(x: EngineHarness) -> None:
    rules(x)
    due = x.at_ms + HOUR
    assert x.apply(fees(x, HIGHER, due)) == [e.FeesAnnounced(BTC_USDC, due, HIGHER, 0)]
    assert rates(x) == (200, 500, 0)
    x.at_ms = due - 1
    assert rates(x) == (200, 500, 0)
    x.at_ms = due
    assert rates(x) == (300, 900, 0)
    x.validate_and_drain()


def test_a_rise_within_the_notice_is_refused_with_the_earliest_time(x: EngineHarness) -> None:
    rules(x)
    refusal = x.refuse(fees(x, HIGHER, x.at_ms + HOUR - 1), ErrorCode.fee_notice_too_short)
    assert refusal.params["earliest"] == str(x.at_ms + HOUR)
    assert f"before {utc(x.at_ms + HOUR)} ({x.at_ms + HOUR} ms)" in refusal.message
    assert "3600 s after it is announced" in refusal.message
    x.refuse(fees(x, NOW, floor=1), ErrorCode.fee_notice_too_short)
    x.refuse(fees(x, ((200, 501),)), ErrorCode.fee_notice_too_short)


def test_what_only_lowers_counts_at_once(x: EngineHarness) -> None:
    rules(x)
    assert x.apply(fees(x, LOWER)) == [e.FeesAnnounced(BTC_USDC, x.at_ms, LOWER, 0)]
    assert rates(x) == (100, 400, 0)
    x.refuse(fees(x, NOW), ErrorCode.fee_notice_too_short)


def test_an_announced_relief_is_not_taken_back_within_the_notice(x: EngineHarness) -> None:
    rules(x)
    x.apply(fees(x, LOWER, x.at_ms + HOUR // 2))
    x.refuse(fees(x, NOW), ErrorCode.fee_notice_too_short)
    x.apply(fees(x, LOWER))
    assert rates(x) == (100, 400, 0)


def test_a_later_relief_can_be_replaced_in_time(x: EngineHarness) -> None:
    rules(x)
    x.apply(fees(x, LOWER, x.at_ms + 2 * HOUR))
    x.apply(fees(x, HIGHER, x.at_ms + HOUR))
    x.at_ms += 3 * HOUR
    assert rates(x) == (300, 900, 0)


def test_an_announced_rise_can_be_taken_back(x: EngineHarness) -> None:
    rules(x)
    due = x.at_ms + HOUR
    x.apply(fees(x, HIGHER, due))
    x.at_ms += HOUR // 2
    x.apply(fees(x, NOW, due))
    x.at_ms = due
    assert rates(x) == (200, 500, 0)


def test_a_rise_below_an_announced_one_keeps_its_time(x: EngineHarness) -> None:
    rules(x)
    due = x.at_ms + HOUR
    x.apply(fees(x, HIGHER, due))
    x.at_ms += HOUR // 2
    x.apply(fees(x, ((250, 900),), due))
    x.refuse(fees(x, ((250, 900),), due - 1), ErrorCode.fee_notice_too_short)


def test_a_schedule_is_of_one_market(x: EngineHarness) -> None:
    x.apply(fees(x, LOWER, market=ETH_USDC))
    assert rates(x) == (200, 500, 0)


def test_what_waits_is_bounded(x: EngineHarness) -> None:
    for hours in range(1, 9):
        x.apply(fees(x, LOWER, x.at_ms + hours * HOUR))
    x.refuse(fees(x, LOWER, x.at_ms + 9 * HOUR), ErrorCode.amount_out_of_range)
    x.validate_and_drain()


@pytest.mark.parametrize("tiers", [(), ((0, 10_001),), ((1, 1), (2, 1))])
def test_no_schedule_is_beyond_the_cap(x: EngineHarness, tiers: tuple[tuple[int, int], ...]) -> None:
    rules(x, notice_ms=0)
    x.refuse(fees(x, tiers), ErrorCode.fee_cap_out_of_range)


def test_the_rules_are_only_tightened(x: EngineHarness) -> None:
    assert x.apply(c.SetFeeRules(50, HOUR)) == [e.FeeRulesChanged(50, HOUR)]
    x.refuse(c.SetFeeRules(51, HOUR), ErrorCode.fee_cap_out_of_range)
    x.refuse(c.SetFeeRules(-1, HOUR), ErrorCode.fee_cap_out_of_range)
    x.refuse(c.SetFeeRules(50, HOUR - 1), ErrorCode.fee_notice_too_short)
    x.refuse(c.SetFeeRules(4, HOUR), ErrorCode.fee_cap_out_of_range)
    x.apply(c.SetFeeRules(5, 2 * HOUR))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_within_the_notice_nobody_pays_more_than_was_announced(data: st.DataObject) -> None:
    x = EngineHarness()
    rules(x, notice_ms=100)
    schedules = x.engine.state.books[BTC_USDC].schedules
    for _ in range(data.draw(st.integers(1, 8))):
        x.at_ms += data.draw(st.integers(0, 120))
        rate, floor = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 1))
        command = fees(x, ((rate, rate),), x.at_ms + data.draw(st.integers(0, 250)), floor)
        before = Timeline(list(schedules.entries))
        with contextlib.suppress(Refusal):
            x.apply(command)
        for at_ms in range(x.at_ms, x.at_ms + 100):
            assert not schedules.at(at_ms).raises(before.at(at_ms))


# what an order pays


def test_rates_are_those_of_acceptance_for_the_orders_life(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 100)
    x.apply(fees(x, ((1_000, 900),)))
    trade = only(x.buy(TAKER, PRICE, 100), e.TradeMatched)[0]
    assert (trade.maker_fee, trade.taker_fee) == (100_000, 450_000)


def test_a_tier_has_its_own_rates_and_is_fixed_with_the_order(x: EngineHarness) -> None:
    x.apply(fees(x, ((200, 500), (25, 350))))
    assert x.apply(tier(x, TAKER, 1)) == [e.AccountTierSet(3, 1, x.at_ms)]
    assert (rates(x, TAKER), rates(x, MAKER)) == ((25, 350, 0), (200, 500, 0))
    x.apply(tier(x, MAKER, 9))
    assert rates(x, MAKER) == (25, 350, 0)
    x.validate_and_drain()


def test_a_lower_tier_needs_the_notice(x: EngineHarness) -> None:
    rules(x)
    x.apply(fees(x, ((200, 500), (25, 350))))
    x.apply(tier(x, MAKER, 1))
    x.refuse(tier(x, MAKER, 0), ErrorCode.fee_notice_too_short)
    due = x.at_ms + HOUR
    x.apply(tier(x, MAKER, 0, due))
    assert rates(x) == (25, 350, 0)
    x.at_ms = due
    assert rates(x) == (200, 500, 0)


def test_a_tier_is_of_a_known_account_and_in_range(x: EngineHarness) -> None:
    x.refuse(tier(x, b"\x99" * 20, 1), ErrorCode.unknown_account)
    x.refuse(tier(x, MAKER, 16), ErrorCode.amount_out_of_range)
    x.refuse(tier(x, MAKER, -1), ErrorCode.amount_out_of_range)


# the floor


def test_an_order_pays_the_floor_once_for_all_it_takes(x: EngineHarness) -> None:
    x.apply(fees(x, NOW, floor=60_000))
    for _ in range(3):
        x.sell(MAKER, PRICE, 10, post_only=True)
    assert paid(x, 30) == [60_000, 0, 15_000]
    assert x.parts(FEES, USDC)[0] == 75_000 + 30_000
    x.validate_and_drain()


def test_no_fill_pays_more_than_the_signed_cap_floor_or_not(x: EngineHarness) -> None:
    x.apply(fees(x, NOW, floor=60_000))
    for _ in range(3):
        x.sell(MAKER, PRICE, 10, post_only=True)
    assert paid(x, 30, cap=10) == [50_000, 10_000, 15_000]


def test_no_fill_pays_more_than_the_contracts_cap(x: EngineHarness) -> None:
    x.apply(fees(x, NOW, floor=60_000))
    rules(x, fee_cap_bps=10, notice_ms=0)
    x.sell(MAKER, PRICE, 10, post_only=True)
    x.sell(MAKER, PRICE, 10, post_only=True)
    assert paid(x, 20, cap=10_000) == [50_000, 10_000]


def test_a_partly_filled_order_pays_what_its_cap_allows_of_the_floor(x: EngineHarness) -> None:
    x.apply(fees(x, NOW, floor=60_000))
    x.sell(MAKER, PRICE, 1, post_only=True)
    assert paid(x, 50, cap=10) == [5_000]


def test_a_cap_that_cannot_pay_the_floor_is_refused_with_the_one_that_can(x: EngineHarness) -> None:
    x.apply(fees(x, NOW, floor=60_000))
    refusal = x.refuse(x.order(TAKER, Side.buy, PRICE, 10, max_fee_bps=11), ErrorCode.fee_cap_too_low)
    assert refusal.params == {"max_fee_bps": 12}
    x.buy(TAKER, PRICE, 10, max_fee_bps=12)
    x.buy(TAKER, PRICE, 10, max_fee_bps=2, post_only=True)


def test_an_order_too_small_for_the_floor_is_refused_with_the_least_notional(x: EngineHarness) -> None:
    x.apply(fees(x, NOW, floor=60_000))
    rules(x, fee_cap_bps=10, notice_ms=0)
    refusal = x.refuse(x.order(TAKER, Side.buy, PRICE, 11, max_fee_bps=10), ErrorCode.below_min_notional)
    assert refusal.params == {"min_notional": "60000000", "fee_floor": "60000"}
    x.buy(TAKER, PRICE, 12, max_fee_bps=10)


def test_a_maker_pays_no_floor(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10, post_only=True)
    x.apply(fees(x, NOW, floor=60_000))
    x.buy(TAKER, PRICE, 20, max_fee_bps=100)
    trade = only(x.sell(MAKER, PRICE, 10, max_fee_bps=100), e.TradeMatched)[0]
    assert (trade.maker_fee, trade.taker_fee) == (10_000, 60_000)
    x.validate_and_drain()


def test_a_buyer_needs_the_floor_too(empty: EngineHarness) -> None:
    empty.credit(MAKER, 2, 10_000_000)
    empty.sell(MAKER, PRICE, 10)
    empty.apply(fees(empty, NOW, floor=60_000))
    needed = 50_000_000 + 25_000 + 60_000
    empty.credit(TAKER, USDC, needed - 1)
    refusal = empty.refuse(empty.order(TAKER, Side.buy, PRICE, 10, max_fee_bps=100), ErrorCode.insufficient_balance)
    assert refusal.params["needed"] == str(needed)
    empty.credit(TAKER, USDC, 1)
    assert paid(empty, 10) == [60_000]
    assert empty.balance(TAKER, USDC).available == 25_000


def test_a_reversed_trade_gives_its_floor_back(x: EngineHarness) -> None:
    x.apply(fees(x, NOW, floor=60_000))
    x.sell(MAKER, PRICE, 10, post_only=True)
    x.sell(MAKER, PRICE, 10, post_only=True)
    before = x.parts(TAKER, USDC)
    events = x.buy(TAKER, PRICE, 20, max_fee_bps=100)
    x.reverse(*[trade.trade_id for trade in only(events, e.TradeMatched)])
    assert x.parts(TAKER, USDC) == before
    assert x.parts(FEES, USDC)[0] == 0


# what is kept


def test_a_snapshot_keeps_schedules_tiers_and_rules(x: EngineHarness) -> None:
    rules(x)
    x.apply(fees(x, ((200, 500), (25, 350)), floor=0))
    x.apply(fees(x, HIGHER, x.at_ms + HOUR, floor=9))
    x.apply(tier(x, MAKER, 1))
    copy = Engine.load(x.engine.dump())
    assert copy.state_hash() == x.engine.state_hash()
    assert copy.state.books[BTC_USDC].schedules.at(START_MS + HOUR) == Schedule(HIGHER, 9)
    assert copy.state.by_address[MAKER].tier(x.at_ms) == 1
    assert copy.state.fee_rules == x.engine.state.fee_rules


# what is said before


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_a_preview_says_is_what_is_charged(data: st.DataObject) -> None:
    x = EngineHarness()
    for account in (MAKER, TAKER):
        for asset in (USDC, BTC):
            x.credit(account, asset, 10**12)
    rules(x, notice_ms=0)
    x.apply(fees(x, ((200, 500), (25, 350)), floor=data.draw(st.integers(0, 80_000))))
    x.apply(tier(x, TAKER, data.draw(st.integers(0, 2))))
    for _ in range(data.draw(st.integers(0, 5))):
        lots, step = data.draw(st.integers(1, 30)), data.draw(st.integers(-3, 3))
        make = x.sell if data.draw(st.booleans()) else x.buy
        make(MAKER, PRICE + 10 * step, lots, max_fee_bps=100, post_only=True)
    placed = x.order(
        TAKER,
        data.draw(st.sampled_from([Side.buy, Side.sell])),
        PRICE,
        data.draw(st.integers(2, 60)),
        tif=data.draw(st.sampled_from(TimeInForce)),
        max_fee_bps=data.draw(st.integers(0, 100)),
    )
    said = x.engine.preview(x.at_ms, placed.order)
    assert x.engine.dump() == Engine.load(x.engine.dump()).dump()
    if said.needed_fee_bps > placed.order.max_fee_bps:
        refusal = x.refuse(placed, ErrorCode.fee_cap_too_low)
        assert refusal.params == {"max_fee_bps": said.needed_fee_bps}
        return
    before = x.balance(TAKER, USDC).available
    events = x.apply(placed)
    trades = only(events, e.TradeMatched)
    assert sum(trade.quantity for trade in trades) == said.fills
    assert sum(trade.quote for trade in trades) == said.quote
    assert sum(trade.taker_fee for trade in trades) == said.fee
    if placed.order.side == Side.buy:
        assert said.fee <= min(said.taker_fee, said.worst_fee)
        assert before - x.balance(TAKER, USDC).available <= said.needs
    x.validate_and_drain()


def test_a_preview_needs_exactly_what_the_engine_asks(empty: EngineHarness) -> None:
    empty.apply(fees(empty, NOW, floor=60_000))
    empty.credit(TAKER, USDC, 1)
    order = empty.order(TAKER, Side.buy, PRICE, 10, max_fee_bps=100)
    said = empty.engine.preview(empty.at_ms, order.order)
    assert (said.maker_fee, said.taker_fee, said.worst_fee) == (10_000, 60_000, 85_000)
    assert empty.refuse(order, ErrorCode.insufficient_balance).params["needed"] == str(said.needs)


def test_a_preview_is_for_strangers_too_and_refuses_what_cannot_be(x: EngineHarness) -> None:
    stranger = x.order(b"\x77" * 20, Side.buy, PRICE, 10).order
    assert x.engine.preview(x.at_ms, stranger).tier == 0
    for change, code in (
        ({"side": 3}, ErrorCode.unsupported_terms),
        ({"terms": 1 << 10}, ErrorCode.unsupported_terms),
        ({"quantity": 0}, ErrorCode.quantity_off_lot),
        ({"quantity": 2**64 - 1}, ErrorCode.amount_out_of_range),
        ({"market": 99}, ErrorCode.unknown_market),
    ):
        with pytest.raises(Refusal) as caught:
            x.engine.preview(x.at_ms, replace(stranger, **change))  # type: ignore[arg-type]
        assert caught.value.code is code
