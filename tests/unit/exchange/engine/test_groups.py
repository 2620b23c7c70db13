"""Orders that cancel one another: two legs, one hold, and only one of them ever fills."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode
from exchange.domain.order import SINGLE_FILL, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.domain.order_id import order_id
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import (
    BTC,
    BTC_USDC,
    ETH,
    ETH_USDC,
    MAKER,
    OTHER,
    TAKER,
    USDC,
    EngineHarness,
    only,
    reasons,
)

PRICE = 5_000_000
LOT = 10_000
IOC = TimeInForce.ioc
STOP = TriggerType.stop_loss


@pytest.fixture
def owner(x: EngineHarness) -> bytes:
    """An account with the money for one leg, not for two."""
    x.credit(b"\x05" * 20, BTC, 10 * LOT)
    return b"\x05" * 20


def leg(x: EngineHarness, account: bytes, price: int, lots: int = 10, group: int = 7, **options: Any) -> c.PlaceOrder:
    """A sale that rests, as a leg."""
    return x.order(account, Side.sell, price, lots, terms=Terms(group=group, **options).pack())


def stop(x: EngineHarness, account: bytes, trigger: int, lots: int = 10, group: int = 7, **more: Any) -> c.PlaceOrder:
    """A sale that waits for a fall, and then takes what there is."""
    word = Terms(IOC, trigger_type=STOP, group=group, **more).pack()
    return x.order(account, Side.sell, PRICE - 900_000, lots, terms=word, trigger_price=trigger)


def pair(x: EngineHarness, account: bytes, lots: int = 10) -> tuple[int, int]:
    """A limit at profit and a stop; their ids."""
    x.apply(leg(x, account, PRICE + 1_000, lots))
    first = x.engine.seq
    x.apply(stop(x, account, PRICE - 1_000, lots))
    return first, x.engine.seq


def held(x: EngineHarness, account: bytes, asset: int = BTC) -> int:
    return x.balance(account, asset).held


def trade_at(x: EngineHarness, price: int) -> list[e.Event]:
    x.buy(MAKER, price, 2)
    return x.sell(OTHER, price, 2)


def test_two_legs_have_one_hold(x: EngineHarness, owner: bytes) -> None:
    limit, waiting = pair(x, owner)
    assert x.parts(owner, BTC)[:2] == (0, 10 * LOT)
    assert [order.held for order in x.engine.open_orders(owner)] == [10 * LOT, 0]
    assert [order.order_id for order in x.engine.open_orders(owner)] == [limit, waiting]
    x.validate_and_drain()


def test_the_second_leg_holds_only_what_it_needs_beyond_the_first(x: EngineHarness, owner: bytes) -> None:
    x.apply(leg(x, owner, PRICE + 1_000, 4))
    x.apply(stop(x, owner, PRICE - 1_000, 10))
    assert [order.held for order in x.engine.open_orders(owner)] == [4 * LOT, 6 * LOT]
    x.validate_and_drain()
    assert x.parts(owner, BTC)[:2] == (10 * LOT, 0)


def test_a_second_leg_that_needs_more_than_there_is_is_refused(x: EngineHarness, owner: bytes) -> None:
    x.apply(leg(x, owner, PRICE + 1_000, 4))
    refusal = x.refuse(stop(x, owner, PRICE - 1_000, 11), ErrorCode.insufficient_balance)
    assert refusal.params == {"asset": BTC, "needed": str(7 * LOT), "available": str(6 * LOT)}


@pytest.mark.parametrize("lots", [1, 10])
def test_a_fill_even_in_part_ends_the_other_leg(x: EngineHarness, owner: bytes, lots: int) -> None:
    limit, waiting = pair(x, owner)
    events = x.buy(TAKER, PRICE + 1_000, lots)
    assert (waiting, "group") in reasons(events)
    assert [match.maker_order for match in only(events, e.TradeMatched)] == [limit]
    assert held(x, owner) == (10 - lots) * LOT
    assert [event.order_id for event in only(x.turns(), e.OrderTriggered)] == []
    x.validate_and_drain()


def test_the_leg_whose_price_comes_ends_the_other_and_has_its_hold(x: EngineHarness, owner: bytes) -> None:
    limit, waiting = pair(x, owner)
    x.buy(TAKER, PRICE - 2_000, 6)
    trade_at(x, PRICE - 1_000)
    assert x.engine.has_due
    events = x.turns()
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [waiting]
    assert reasons(events) == [(limit, "group"), *reasons(events)[1:]]
    assert [match.taker_order for match in only(events, e.TradeMatched)] == [waiting]
    assert (waiting, "unfilled") in reasons(events)
    assert x.parts(owner, BTC)[:2] == (4 * LOT, 0)
    x.validate_and_drain()


def test_of_two_that_wait_and_are_due_together_the_first_in_turn_ends_the_other(x: EngineHarness, owner: bytes) -> None:
    x.apply(stop(x, owner, PRICE - 1_000))
    low = x.engine.seq
    x.apply(stop(x, owner, PRICE - 1_500))
    lower = x.engine.seq
    x.buy(MAKER, PRICE - 1_500, 1)
    x.buy(TAKER, PRICE - 2_500, 30)
    events = x.sell(OTHER, PRICE - 1_500, 1)
    assert len(x.engine.state.due) == 2
    events = x.turns()
    assert reasons(events)[0] == (lower, "group")
    assert {match.taker_order for match in only(events, e.TradeMatched)} == {low}
    assert len(only(events, e.OrderTriggered)) == 1
    x.validate_and_drain()


@pytest.mark.parametrize("which", [0, 1])
def test_cancelling_one_leg_ends_both(x: EngineHarness, owner: bytes, which: int) -> None:
    ids = pair(x, owner)
    nonce = x.engine.open_orders(owner)[which].placed.order.nonce
    events = x.apply(c.CancelOrder(owner, nonce, b"", owner))
    assert reasons(events) == [(ids[which], "cancelled"), (ids[1 - which], "group")]
    assert x.parts(owner, BTC)[:2] == (10 * LOT, 0)
    x.validate_and_drain()


def endings(x: EngineHarness, owner: bytes) -> dict[str, c.Command]:
    return {
        "mass_cancelled": c.MassCancel(owner, 0, 2, x.at_ms, b"", owner),
        "trading_stopped": c.StopTrading(owner, True, x.at_ms, b""),
        "account_frozen": c.SetFrozen(next(x.inbox_ids), owner, True),
        "account_exiting": c.SetExiting(next(x.inbox_ids), owner, True),
        "cancelled_on_chain": c.ObeyCancel(next(x.inbox_ids), owner, 0, 1 << 40),
        "market_delisted": c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "delisted"),
        "debited": c.ReserveForced(next(x.inbox_ids), owner, BTC, 1, "request"),
        "delegate_revoked": c.ObeyRevocation(next(x.inbox_ids), owner, owner),
    }


@pytest.mark.parametrize(
    "reason",
    [
        "mass_cancelled",
        "trading_stopped",
        "account_frozen",
        "account_exiting",
        "cancelled_on_chain",
        "market_delisted",
        "debited",
        "delegate_revoked",
    ],
)
def test_what_ends_many_orders_ends_both_legs_once(x: EngineHarness, owner: bytes, reason: str) -> None:
    limit, waiting = pair(x, owner)
    events = x.apply(endings(x, owner)[reason])
    assert reasons(events) == [(limit, reason), (waiting, "group")]
    assert held(x, owner) == 0
    x.validate()


def test_expiry_and_countdown_of_one_leg_end_both(x: EngineHarness, owner: bytes) -> None:
    x.apply(leg(x, owner, PRICE + 1_000))
    limit = x.engine.seq
    soon = stop(x, owner, PRICE - 1_000)
    x.apply(replace(soon, order=replace(soon.order, expiry=x.now + 10)))
    waiting = x.engine.seq
    x.at_ms += 10_000
    assert reasons(x.apply(c.Tick())) == [(waiting, "expired"), (limit, "group")]
    limit, waiting = pair_of(x, owner, 8)
    x.apply(c.SetCountdown(owner, 5, x.at_ms, b"", owner))
    x.at_ms += 5_000
    assert reasons(x.apply(c.Tick())) == [(limit, "countdown"), (waiting, "group")]
    x.validate_and_drain()


def pair_of(x: EngineHarness, owner: bytes, group: int) -> tuple[int, int]:
    x.apply(leg(x, owner, PRICE + 1_000, group=group))
    first = x.engine.seq
    x.apply(stop(x, owner, PRICE - 1_000, group=group))
    return first, x.engine.seq


def test_a_group_number_is_used_for_two_orders_once(x: EngineHarness, owner: bytes) -> None:
    pair(x, owner)
    x.refuse(stop(x, owner, PRICE - 1_000), ErrorCode.group_used)
    x.apply(c.MassCancel(owner, 0, 2, x.at_ms, b"", owner))
    x.refuse(leg(x, owner, PRICE + 1_000), ErrorCode.group_used)
    x.apply(leg(x, owner, PRICE + 1_000, group=8))
    x.apply(leg(x, MAKER, PRICE + 1_000, group=8))  # another account's group is another
    x.validate_and_drain()


@pytest.mark.parametrize("lots", [3, 10])
def test_a_leg_that_filled_before_the_second_came_takes_none(x: EngineHarness, owner: bytes, lots: int) -> None:
    x.apply(leg(x, owner, PRICE + 1_000))
    x.buy(TAKER, PRICE + 1_000, lots)
    x.refuse(stop(x, owner, PRICE - 1_000, 1), ErrorCode.group_used)
    x.validate_and_drain()


def test_legs_are_of_one_market_and_side_and_one_of_them_waits(x: EngineHarness, owner: bytes) -> None:
    x.credit(owner, ETH, 10**9)
    x.credit(owner, USDC, 10**9)
    x.apply(leg(x, owner, PRICE + 1_000))
    word = Terms(IOC, trigger_type=STOP, group=7).pack()
    elsewhere = x.order(owner, Side.sell, 3_000_000, 10, market=ETH_USDC, terms=word, trigger_price=2_900_000)
    other_side = x.order(owner, Side.buy, PRICE, 10, terms=word, trigger_price=PRICE + 1_000)
    for wrong in (elsewhere, other_side, leg(x, owner, PRICE + 2_000)):
        refusal = x.refuse(wrong, ErrorCode.terms_conflict)
        assert refusal.field == "group"
    by_quote = x.order(owner, Side.buy_quote, PRICE, PRICE, terms=Terms(IOC, group=9).pack(), nonce=SINGLE_FILL | 5)
    assert x.refuse(by_quote, ErrorCode.terms_conflict).field == "group"


def test_a_second_leg_that_takes_ends_the_first_and_is_backed_by_its_hold(x: EngineHarness, owner: bytes) -> None:
    x.apply(stop(x, owner, PRICE - 1_000))
    waiting = x.engine.seq
    x.buy(TAKER, PRICE, 4)
    events = x.apply(leg(x, owner, PRICE - 100))
    assert reasons(events)[0] == (waiting, "group")
    assert only(events, e.TradeMatched)[0].quantity == 4
    assert x.parts(owner, BTC)[:2] == (0, 6 * LOT)
    x.validate_and_drain()


def test_a_second_leg_that_ends_as_it_comes_leaves_the_first(x: EngineHarness, owner: bytes) -> None:
    x.apply(stop(x, owner, PRICE - 1_000))
    waiting = x.engine.seq
    x.buy(TAKER, PRICE, 4)
    events = x.apply(leg(x, owner, PRICE - 100, post_only=True))
    assert reasons(events) == [(x.engine.seq, "post_only_would_take")]
    assert [order.order_id for order in x.engine.open_orders(owner)] == [waiting]
    events = x.apply(leg(x, owner, PRICE + 1_000))
    assert len(x.engine.open_orders(owner)) == 2
    x.validate_and_drain()


def test_a_second_leg_whose_price_has_come_works_at_once(x: EngineHarness, owner: bytes) -> None:
    x.apply(leg(x, owner, PRICE + 1_000))
    limit = x.engine.seq
    x.buy(TAKER, PRICE - 5_000, 3)
    events = x.apply(stop(x, owner, PRICE))
    assert reasons(events)[0] == (limit, "group")
    assert only(events, e.TradeMatched)[0].quantity == 3
    assert x.parts(owner, BTC)[:2] == (7 * LOT, 0)
    x.validate_and_drain()


def amended(x: EngineHarness, account: bytes, which: int, **changes: Any) -> c.AmendOrder:
    old = x.engine.open_orders(account)[which].placed
    order = replace(old.order, **changes)
    return c.AmendOrder(order, keccak(repr(order).encode()), 0, b"", account)


def test_an_amended_leg_keeps_its_seat(x: EngineHarness, owner: bytes) -> None:
    pair(x, owner)
    sizes = {False: 10, True: 10}
    for waits, quantity in ((False, 8), (True, 6), (False, 4), (False, 7), (True, 9), (True, 5), (False, 9)):
        which = [order.level is None for order in x.engine.open_orders(owner)].index(waits)
        events = x.apply(amended(x, owner, which, quantity=quantity))
        assert [reason for _, reason in reasons(events)] == ["amended"]
        sizes[waits] = quantity
        assert held(x, owner) == max(sizes.values()) * LOT
        x.validate()
    last = {order.order_id for order in x.engine.open_orders(owner)}
    events = x.buy(TAKER, PRICE + 1_000, 1)
    assert {order_id for order_id, reason in reasons(events) if reason == "group"} < last
    x.validate_and_drain()


def test_an_amend_keeps_the_group_and_one_leg_that_waits(x: EngineHarness, owner: bytes) -> None:
    pair(x, owner)
    assert x.refuse(amended(x, owner, 0, terms=Terms(group=9).pack()), ErrorCode.terms_conflict).field == "group"
    assert x.refuse(amended(x, owner, 0, terms=0), ErrorCode.terms_conflict).field == "group"
    resting = {"terms": Terms(group=7).pack(), "trigger_price": 0, "price": PRICE + 500}
    assert x.refuse(amended(x, owner, 1, **resting), ErrorCode.terms_conflict).field == "group"


def test_an_amended_leg_that_takes_ends_the_other(x: EngineHarness, owner: bytes) -> None:
    _, waiting = pair(x, owner)
    x.buy(TAKER, PRICE, 4)
    events = x.apply(amended(x, owner, 0, price=PRICE))
    assert [reason for _, reason in reasons(events)][:2] == ["amended", "group"]
    assert (waiting, "group") in reasons(events)
    x.validate_and_drain()


def test_a_decided_leg_is_amended_like_any_order(x: EngineHarness, owner: bytes) -> None:
    pair(x, owner)
    x.buy(TAKER, PRICE + 1_000, 3)
    x.apply(amended(x, owner, 0, quantity=9))
    assert held(x, owner) == 6 * LOT
    x.refuse(stop(x, owner, PRICE - 1_000, 1), ErrorCode.group_used)
    x.validate_and_drain()


def test_a_leg_that_is_decremented_is_decided(x: EngineHarness, owner: bytes) -> None:
    x.credit(owner, USDC, 10**9)
    limit, waiting = pair(x, owner)
    events = x.buy(owner, PRICE + 1_000, 3, self_trade=SelfTrade.decrement)
    assert (waiting, "group") in reasons(events)
    assert next(event.order_id for event in only(events, e.OrderReduced)) == limit
    assert held(x, owner) == 7 * LOT
    x.validate_and_drain()


def test_legs_that_buy_hold_the_dearer_of_both(x: EngineHarness) -> None:
    """A purchase below the market, and one if it rises: each needs another sum."""
    owner = b"\x05" * 20
    x.credit(owner, USDC, 52 * PRICE)
    x.apply(x.order(owner, Side.buy, PRICE - 1_000, 50, terms=Terms(group=7).pack()))
    word = Terms(trigger_type=STOP, group=7).pack()
    x.apply(x.order(owner, Side.buy, PRICE + 5_000, 50, terms=word, trigger_price=PRICE + 4_000))
    first, second = x.engine.open_orders(owner)
    assert first.held + second.held == 50 * (PRICE + 5_000) + 50 * (PRICE + 5_000) * 500 // 1_000_000
    x.sell(MAKER, PRICE + 5_000, 20)
    x.sell(MAKER, PRICE + 4_000, 2)
    x.buy(TAKER, PRICE + 4_000, 2)
    events = x.turns()
    assert reasons(events)[0] == (first.order_id, "group")
    assert only(events, e.TradeMatched)[0].quantity == 20
    assert x.engine.open_orders(owner)[0].remaining == 30
    x.validate_and_drain()


def test_a_fill_or_kill_counts_a_leg_in_the_book(x: EngineHarness, owner: bytes) -> None:
    pair(x, owner)
    events = x.buy(TAKER, PRICE + 1_000, 10, tif=TimeInForce.fok)
    assert only(events, e.TradeMatched)[0].quantity == 10
    x.validate_and_drain()


def test_a_reversed_trade_of_a_decided_leg_ends_that_alone(x: EngineHarness, owner: bytes) -> None:
    limit, _ = pair(x, owner)
    events = x.buy(TAKER, PRICE + 1_000, 3)
    undone = x.reverse(only(events, e.TradeMatched)[0].trade_id)
    assert (limit, "trade_reversed") in reasons(undone)
    x.validate_and_drain()


def test_the_fast_engine_keeps_groups_in_its_arrays(x: EngineHarness, owner: bytes) -> None:
    fast: Any = x.engine.fast  # type: ignore[attr-defined]
    pair(x, owner)
    assert fast.is_fast
    loaded = type(fast).load(fast.dump())
    assert loaded.is_fast
    assert loaded.dump() == x.engine.dump()
    x.apply(c.MassCancel(owner, 0, 2, x.at_ms, b"", owner))
    x.refuse(leg(x, owner, PRICE + 1_000), ErrorCode.group_used)
    x.buy(TAKER, PRICE, 4)
    x.validate_and_drain()


# both legs in one command


def both(x: EngineHarness, first: c.PlaceOrder, second: c.PlaceOrder) -> tuple[list[e.Event], int, int]:
    """Place both legs at once: what happened, and their ids."""
    events = x.apply(c.PlaceGroup(first, second))
    return events, x.engine.seq, order_id(x.engine.seq, 1)


def limit_and_stop(x: EngineHarness, account: bytes, lots: int = 10) -> tuple[c.PlaceOrder, c.PlaceOrder]:
    return leg(x, account, PRICE + 1_000, lots), stop(x, account, PRICE - 1_000, lots)


@pytest.mark.parametrize("turned", [False, True])
def test_both_legs_come_in_one_record_and_end_as_if_they_had_come_apart(
    x: EngineHarness, owner: bytes, turned: bool
) -> None:
    legs = limit_and_stop(x, owner)
    events, first, second = both(x, *(reversed(legs) if turned else legs))
    assert [event.order_id for event in only(events, e.OrderAccepted)] == [first, second]
    assert [order.order_id for order in x.engine.open_orders(owner)] == [first, second]
    assert x.parts(owner, BTC)[:2] == (0, 10 * LOT)
    x.validate()
    assert ((first if turned else second), "group") in reasons(x.buy(TAKER, PRICE + 1_000, 1))
    assert x.parts(owner, BTC)[:2] == (0, 9 * LOT)
    x.validate_and_drain()


@pytest.mark.parametrize("lots", [4, 10, 30])
def test_a_first_leg_that_fills_as_it_comes_ends_the_second(x: EngineHarness, owner: bytes, lots: int) -> None:
    x.buy(TAKER, PRICE + 1_000, lots)
    events, first, second = both(x, *limit_and_stop(x, owner))
    assert [match.taker_order for match in only(events, e.TradeMatched)] == [first]
    assert reasons(events)[-1] == (second, "group")
    assert [order.order_id for order in x.engine.open_orders(owner)] == [first][lots // 10 :]
    x.validate_and_drain()


def test_a_first_leg_that_works_or_ends_as_it_comes_ends_the_second(x: EngineHarness, owner: bytes) -> None:
    trade_at(x, PRICE)
    limit, waits = leg(x, owner, PRICE + 1_000), stop(x, owner, PRICE)
    events, first, second = both(x, waits, limit)
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [first]
    assert reasons(events) == [(first, "unfilled"), (second, "group")]
    assert x.parts(owner, BTC)[:2] == (10 * LOT, 0)

    x.buy(TAKER, PRICE + 1_000, 4)
    limit, waits = leg(x, owner, PRICE, group=8, post_only=True), stop(x, owner, PRICE - 1_000, group=8)
    events, first, second = both(x, limit, waits)
    assert reasons(events) == [(first, "post_only_would_take"), (second, "group")]
    x.validate_and_drain()


def test_a_second_leg_that_takes_as_it_comes_ends_the_first(x: EngineHarness, owner: bytes) -> None:
    x.buy(TAKER, PRICE + 1_000, 4)
    limit, waits = limit_and_stop(x, owner)
    events, first, second = both(x, waits, limit)
    assert (first, "group") in reasons(events)
    assert [match.taker_order for match in only(events, e.TradeMatched)] == [second]
    assert x.parts(owner, BTC)[:2] == (0, 6 * LOT)
    x.validate_and_drain()


def test_a_second_leg_that_ends_as_it_comes_ends_the_first(x: EngineHarness, owner: bytes) -> None:
    x.buy(TAKER, PRICE + 1_000, 4)
    limit, waits = leg(x, owner, PRICE, post_only=True), stop(x, owner, PRICE - 1_000)
    events, first, second = both(x, waits, limit)
    assert reasons(events) == [(second, "post_only_would_take"), (first, "group")]
    assert x.engine.open_orders(owner) == []
    assert x.parts(owner, BTC)[:2] == (10 * LOT, 0)
    x.validate_and_drain()


def test_what_refuses_the_second_leg_refuses_both(x: EngineHarness, owner: bytes) -> None:
    limit, waits = limit_and_stop(x, owner)

    def refuse(code: ErrorCode, second: c.PlaceOrder, first: c.PlaceOrder = limit) -> None:
        x.refuse(c.PlaceGroup(first, second), code)

    def changed(**fields: Any) -> c.PlaceOrder:
        order = replace(waits.order, **fields)
        return replace(waits, order=order, order_hash=keccak(repr(order).encode()))

    refuse(ErrorCode.expired, changed(expiry=1))
    refuse(ErrorCode.insufficient_balance, changed(quantity=11))
    refuse(ErrorCode.insufficient_balance, waits, leg(x, owner, PRICE + 1_000, 11))
    refuse(ErrorCode.nonce_used, changed(nonce=limit.order.nonce))
    refuse(ErrorCode.terms_conflict, changed(side=Side.buy))
    refuse(ErrorCode.terms_conflict, changed(market=ETH_USDC))
    refuse(ErrorCode.terms_conflict, changed(account=MAKER))
    refuse(ErrorCode.terms_conflict, changed(terms=Terms(IOC, trigger_type=STOP, group=8).pack()))
    refuse(ErrorCode.terms_conflict, leg(x, owner, PRICE + 2_000))
    refuse(ErrorCode.terms_conflict, waits, leg(x, owner, PRICE + 1_000, group=0))
    refuse(ErrorCode.price_off_tick, changed(price=PRICE + 1))
    named = replace(limit, client_order_id="mine")
    refuse(ErrorCode.duplicate_client_order_id, replace(waits, client_order_id="mine"), named)
    x.apply(c.SetLimits(0, 1, 200))
    refuse(ErrorCode.too_many_open_orders, waits)
    x.apply(c.SetLimits(0, 2, 200))
    x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 0, 0, 1, 0))
    refuse(ErrorCode.too_many_open_orders, waits)
    notional = PRICE * 10 + 1_000 * 10 + waits.order.price * 10
    x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 0, 0, 2, notional - 1))
    refuse(ErrorCode.too_much_open, waits)
    x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 0, 0, 2, notional))
    x.apply(c.PlaceGroup(limit, waits))
    assert len(x.engine.open_orders(owner)) == 2
    x.validate_and_drain()


def test_a_group_that_was_placed_is_known_again_as_a_whole_only(x: EngineHarness, owner: bytes) -> None:
    limit, waits = limit_and_stop(x, owner, 4)
    assert x.engine.find_duplicate(c.PlaceGroup(limit, waits)) is None
    _, first, _ = both(x, limit, waits)
    assert x.engine.find_duplicate(c.PlaceGroup(limit, waits)) == first
    assert x.engine.find_duplicate(c.PlaceGroup(waits, limit)) is None
    other = replace(waits, order_hash=b"\x09" * 32, order=replace(waits.order, nonce=next(x.nonces)))
    assert x.engine.find_duplicate(c.PlaceGroup(limit, other)) is None
    x.refuse(c.PlaceGroup(limit, other), ErrorCode.nonce_used)
    x.refuse(c.PlaceGroup(waits, limit), ErrorCode.nonce_used)
    alone, late = leg(x, owner, PRICE + 1_000, 2, group=9), stop(x, owner, PRICE - 1_000, 2, group=9)
    x.apply(alone)
    x.refuse(c.PlaceGroup(stop(x, owner, PRICE - 2_000, 2, group=9), late), ErrorCode.group_used)
    x.apply(late)
    assert x.engine.find_duplicate(c.PlaceGroup(alone, late)) is None
    x.validate_and_drain()


def test_no_group_comes_before_an_order_whose_turn_it_is(x: EngineHarness, owner: bytes) -> None:
    x.apply(stop(x, OTHER, PRICE - 500, 2, group=0))
    trade_at(x, PRICE - 1_000)
    assert x.engine.has_due
    x.refuse(c.PlaceGroup(*limit_and_stop(x, owner)), ErrorCode.unavailable)
    x.turns()
    both(x, *limit_and_stop(x, owner))
    x.validate_and_drain()


@pytest.mark.parametrize("trails", [0, 100])
def test_a_second_leg_has_its_turn_by_its_age(x: EngineHarness, owner: bytes, trails: int) -> None:
    kind = TriggerType.trailing if trails else STOP
    word = Terms(IOC, trigger_type=kind, trail_bps=trails).pack()
    x.sell(MAKER, PRICE, 1)
    x.buy(OTHER, PRICE, 1)
    options: dict[str, Any] = {"terms": word, "trigger_price": 0 if trails else PRICE - 1_000}
    older, younger = [x.order(OTHER, Side.sell, PRICE - 900_000, 1, **options) for _ in range(2)]
    x.apply(older)
    first = x.engine.seq
    terms = word | 7 << 96
    waits = x.order(owner, Side.sell, PRICE - 900_000, 1, **(options | {"terms": terms}))
    _, _, second = both(x, leg(x, owner, PRICE + 1_000, 1), waits)
    x.apply(younger)
    third = x.engine.seq
    x.buy(MAKER, PRICE - 60_000, 1)
    x.sell(OTHER, PRICE - 60_000, 1)
    events = x.turns()
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [first, second, third]
    x.validate_and_drain()


def test_legs_gather_in_the_call_of_an_auction(x: EngineHarness, owner: bytes) -> None:
    x.apply(c.StartAuction(next(x.inbox_ids), BTC_USDC, 0))
    _, first, second = both(x, *limit_and_stop(x, owner))
    x.buy(TAKER, PRICE + 2_000, 3)
    events = x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    while x.engine.has_due:
        events += x.apply(c.Tick())
    assert (second, "group") in reasons(events)
    assert [match.maker_order for match in only(events, e.TradeMatched)] == [first]
    x.validate_and_drain()
