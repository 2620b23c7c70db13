"""Orders that wait for a price: stops, take-profits, trailing stops, and whose turn it is."""

from __future__ import annotations

import random
from dataclasses import astuple, replace
from operator import attrgetter
from typing import Any

import pytest

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import MarketStatus
from exchange.domain.order import SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine import triggers
from exchange.engine.engine import Engine
from exchange.engine.triggers import FALLING, RISING, Trigger, Watch, trailing
from tests.utils.engine import (
    BTC,
    BTC_USDC,
    ETH_USDC,
    FEES,
    MAKER,
    MARKETS,
    OTHER,
    TAKER,
    USDC,
    EngineHarness,
    only,
    reasons,
)

PRICE = 5_000_000
IOC = TimeInForce.ioc


def wait(
    x: EngineHarness,
    kind: TriggerType,
    side: Side,
    trigger: int,
    price: int,
    lots: int = 10,
    account: bytes = TAKER,
    **terms: Any,
) -> int:
    """An order that waits; its id."""
    word = Terms(trigger_type=kind, **terms).pack()
    x.apply(x.order(account, side, price, lots, terms=word, trigger_price=trigger))
    return x.engine.seq


def trade_at(x: EngineHarness, price: int) -> list[e.Event]:
    """A trade of one lot that makes the last price, between others."""
    x.sell(MAKER, price, 2)
    return x.buy(OTHER, price, 2)


def triggered(events: list[e.Event]) -> list[int]:
    return [event.order_id for event in only(events, e.OrderTriggered)]


def test_a_stop_waits_outside_the_book_and_everything_is_held(x: EngineHarness) -> None:
    stop = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 1_000, PRICE - 5_000, 100, time_in_force=IOC)
    assert x.book() == ([], [])
    assert x.parts(TAKER, BTC)[:2] == (999_000_000, 1_000_000)
    assert [order.order_id for order in x.engine.open_orders(TAKER)] == [stop]
    assert x.engine.waiting == 1


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "short", "enough"),
    [
        (TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 90, PRICE - 100),
        (TriggerType.stop_loss, Side.buy, PRICE + 100, PRICE + 90, PRICE + 150),
        (TriggerType.take_profit, Side.sell, PRICE + 100, PRICE + 90, PRICE + 100),
        (TriggerType.take_profit, Side.buy, PRICE - 100, PRICE - 90, PRICE - 150),
    ],
)
def test_it_works_when_the_last_price_has_come(
    x: EngineHarness, kind: TriggerType, side: Side, trigger: int, short: int, enough: int
) -> None:
    order = wait(x, kind, side, trigger, PRICE)
    trade_at(x, short)
    assert x.turns() == []
    trade_at(x, enough)
    assert x.engine.has_due
    events = x.turns()
    assert only(events, e.OrderTriggered) == [e.OrderTriggered(order, 3, BTC_USDC, enough)]
    assert x.book()[0 if side == Side.buy else 1] == [(PRICE, 10)]


def test_a_price_that_has_come_before_triggers_at_once(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE - 20, 10)
    word = Terms(IOC, trigger_type=TriggerType.stop_loss).pack()
    events = x.sell(TAKER, PRICE - 20, 4, terms=word, trigger_price=PRICE)
    assert triggered(events) == [x.engine.seq]
    assert only(events, e.TradeMatched)[0].quantity == 4
    assert reasons(events) == [(x.engine.seq, "filled")]


def test_a_market_stop_sells_at_its_worst_price_or_better(x: EngineHarness) -> None:
    stop = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 500, 20, time_in_force=IOC)
    for price in (PRICE - 200, PRICE - 500, PRICE - 510):
        x.buy(MAKER, price, 8)
    trade_at(x, PRICE - 100)
    events = x.turns()
    assert [(t.price, t.quantity, t.taker_order) for t in only(events, e.TradeMatched)] == [
        (PRICE - 200, 8, stop),
        (PRICE - 500, 8, stop),
    ]
    assert reasons(events)[-1] == (stop, "unfilled")
    assert x.parts(TAKER, BTC)[1] == 0


def test_a_fok_stop_that_meets_too_little_gives_everything_back(x: EngineHarness) -> None:
    before = x.parts(TAKER, USDC)
    stop = wait(x, TriggerType.stop_loss, Side.buy, PRICE + 100, PRICE + 500, 20, time_in_force=TimeInForce.fok)
    x.sell(MAKER, PRICE + 200, 19)
    x.sell(OTHER, PRICE + 100, 2)
    x.buy(MAKER, PRICE + 100, 2)
    assert reasons(x.turns()) == [(stop, "fok_unfilled")]
    assert x.parts(TAKER, USDC) == before


def test_what_it_pays_comes_out_of_its_hold_and_the_rest_is_given_back(x: EngineHarness) -> None:
    """The account spends all that is available meanwhile; the stop does not need it."""
    wait(x, TriggerType.stop_loss, Side.buy, PRICE + 100, PRICE + 500, 20, time_in_force=IOC)
    rest = x.parts(TAKER, USDC)[0]
    x.apply(x.hold(TAKER, USDC, rest))
    x.sell(MAKER, PRICE + 200, 20)
    trade_at(x, PRICE + 100)
    trades = only(x.turns(), e.TradeMatched)
    spent = sum(t.quote + t.taker_fee for t in trades)
    assert x.parts(TAKER, USDC)[:3] == (10_000_000_000 - rest - spent, 0, rest)


def test_a_forced_withdrawal_takes_what_waiting_orders_hold(x: EngineHarness) -> None:
    stop = wait(x, TriggerType.stop_loss, Side.buy, PRICE + 100, PRICE + 500, 20)
    request = c.ReserveForced(next(x.inbox_ids), TAKER, USDC, x.parts(TAKER, USDC)[0] + 50_000_000, "request")
    assert reasons(x.apply(request)) == [(stop, "debited")]
    assert x.engine.waiting == 0


def test_of_several_the_nearest_works_first_then_the_earliest(x: EngineHarness) -> None:
    far = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 300, PRICE - 900)
    near = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900)
    near_too = wait(x, TriggerType.take_profit, Side.buy, PRICE - 100, PRICE - 2_000, account=OTHER)
    beyond = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 310, PRICE - 900)
    trade_at(x, PRICE - 300)
    assert triggered(x.turns()) == [near, near_too, far]
    assert x.engine.waiting == 1
    trade_at(x, PRICE - 910)
    assert triggered(x.turns()) == [beyond]


def test_each_trade_of_an_order_is_looked_at_by_itself(x: EngineHarness) -> None:
    """A sweep passes the first price and comes to the second: who was reached earlier is first."""
    second = wait(x, TriggerType.stop_loss, Side.buy, PRICE + 200, PRICE + 900)
    first = wait(x, TriggerType.take_profit, Side.sell, PRICE + 100, PRICE + 900)
    x.sell(MAKER, PRICE + 100, 2)
    x.sell(MAKER, PRICE + 200, 2)
    x.buy(OTHER, PRICE + 200, 4)
    assert triggered(x.turns()) == [first, second]


def test_stops_trigger_stops(x: EngineHarness) -> None:
    """Each sells the price down to the next one's trigger: a record for each, in order."""
    stops = [
        wait(x, TriggerType.stop_loss, Side.sell, PRICE - step * 100, PRICE - 1_000, 2, time_in_force=IOC)
        for step in (3, 2, 1)
    ]
    for step in (1, 2, 3, 4):
        x.buy(MAKER, PRICE - step * 100, 2)
    x.sell(OTHER, PRICE - 100, 2)
    before = x.engine.seq
    events = x.turns()
    assert triggered(events) == stops[::-1]
    assert [t.price for t in only(events, e.TradeMatched)] == [PRICE - 200, PRICE - 300, PRICE - 400]
    assert x.engine.seq == before + 3


def test_no_order_comes_before_the_one_whose_turn_it_is(x: EngineHarness) -> None:
    wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900)
    trade_at(x, PRICE - 100)
    x.refuse(x.order(OTHER, Side.buy, PRICE, 1), ErrorCode.unavailable)
    x.turns()
    x.buy(OTHER, PRICE - 910, 1)


def test_a_snapshot_keeps_who_waits_and_whose_turn_it_is(x: EngineHarness) -> None:
    wait(x, TriggerType.trailing, Side.sell, 0, PRICE - 900_000, trail_bps=100)
    wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900)
    wait(x, TriggerType.take_profit, Side.buy, PRICE - 100, PRICE - 900)
    trade_at(x, PRICE - 100)
    copy = Engine.load(x.engine.dump())
    assert copy.state_hash() == x.engine.state_hash()
    expected = [copy.apply(x.engine.seq + n, x.at_ms, c.Tick()) for n in (1, 2)]
    assert [x.apply(c.Tick()) for _ in (1, 2)] == expected
    assert x.turns() == []


def test_waiting_orders_end_like_others(x: EngineHarness) -> None:
    def stop(account: bytes = TAKER) -> int:
        return wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900, account=account)

    order = stop()
    nonce = x.engine.open_orders(TAKER)[0].placed.order.nonce
    assert reasons(x.apply(c.CancelOrder(TAKER, nonce, b"", TAKER))) == [(order, "cancelled")]
    order = stop()
    x.at_ms += 1
    assert reasons(x.apply(c.MassCancel(TAKER, BTC_USDC, 1, x.at_ms, b"", TAKER))) == [(order, "mass_cancelled")]
    order = stop()
    x.at_ms += 1
    x.apply(c.SetCountdown(TAKER, 1, x.at_ms, b"", TAKER))
    x.at_ms += 2_000
    assert reasons(x.apply(c.Tick())) == [(order, "countdown")]
    order = stop()
    x.at_ms += 1
    assert reasons(x.apply(c.StopTrading(TAKER, True, x.at_ms, b""))) == [(order, "trading_stopped")]
    order = stop(OTHER)
    x.at_ms += 3_601_000
    assert reasons(x.apply(c.Tick())) == [(order, "expired")]
    order = stop(OTHER)
    events = x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, MarketStatus.delisted))
    assert reasons(events) == [(order, "market_delisted")]
    assert x.engine.waiting == 0
    assert x.parts(TAKER, BTC)[1] == x.parts(OTHER, BTC)[1] == 0


def test_an_order_that_expires_when_its_turn_comes_does_not_work(x: EngineHarness) -> None:
    stop = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900)
    trade_at(x, PRICE - 100)
    x.at_ms += 3_601_000
    events = x.apply(c.Tick())
    assert triggered(events) == []
    assert (stop, "expired") in reasons(events)


def test_a_halted_market_triggers_nothing_until_it_opens(x: EngineHarness) -> None:
    stop = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900)
    trade_at(x, PRICE - 100)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, MarketStatus.halted))
    assert triggered(x.turns()) == []
    x.validate()
    x.buy(OTHER, 3_000_000, 1, market=ETH_USDC)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, MarketStatus.open))
    assert triggered(x.turns()) == [stop]


def test_a_halt_leaves_a_trailing_order_that_is_due_its_best_price(x: EngineHarness) -> None:
    stop = wait(x, TriggerType.trailing, Side.sell, 0, PRICE - 900_000, trail_bps=100)
    trade_at(x, PRICE + 100_000)
    trade_at(x, PRICE + 40_000)
    copy = Engine.load(x.engine.dump())
    assert list(copy.state.due) == [stop]
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, MarketStatus.halted))
    assert triggered(x.turns()) == []
    (trigger,) = x.engine.state.watches[BTC_USDC].triggers.values()
    assert trigger == trailing(FALLING, 100, PRICE + 100_000)
    x.validate()
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, MarketStatus.open))
    assert triggered(x.turns()) == [stop]
    x.validate()


def test_a_trailing_stop_follows_the_best_price_and_never_goes_back(x: EngineHarness) -> None:
    stop = wait(x, TriggerType.trailing, Side.sell, 0, PRICE - 900_000, 4, trail_bps=100, time_in_force=IOC)
    trade_at(x, PRICE + 100_000)
    trade_at(x, PRICE + 60_000)
    trade_at(x, 5_049_010)
    assert x.turns() == []
    x.buy(MAKER, PRICE, 4)
    trade_at(x, 5_049_000)
    events = x.turns()
    assert triggered(events) == [stop]
    assert [(t.price, t.quantity) for t in only(events, e.TradeMatched)] == [(PRICE, 4)]


def test_a_trailing_buy_follows_the_price_down(x: EngineHarness) -> None:
    buy = wait(x, TriggerType.trailing, Side.buy, 0, PRICE + 50_000, trail_bps=50)
    trade_at(x, PRICE - 100_000)
    trade_at(x, 4_924_490)
    assert x.turns() == []
    trade_at(x, 4_924_500)
    assert triggered(x.turns()) == [buy]


def test_trailing_orders_that_join_later_follow_from_then(x: EngineHarness) -> None:
    early = wait(x, TriggerType.trailing, Side.sell, 0, PRICE - 900_000, trail_bps=100)
    trade_at(x, PRICE + 100_000)
    trade_at(x, PRICE + 60_000)
    late = wait(x, TriggerType.trailing, Side.sell, 0, PRICE - 900_000, trail_bps=100)
    trade_at(x, 5_049_000)
    assert triggered(x.turns()) == [early]
    trade_at(x, 5_009_400)
    assert triggered(x.turns()) == [late]


def test_self_trade_goes_by_the_terms_of_the_order_that_was_triggered(x: EngineHarness) -> None:
    own = wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 500, 10, self_trade=SelfTrade.decrement)
    x.buy(TAKER, PRICE - 200, 4)
    x.buy(MAKER, PRICE - 300, 4)
    trade_at(x, PRICE - 100)
    events = x.turns()
    assert [(r.quantity, r.remaining) for r in only(events, e.OrderReduced)] == [(4, 0), (4, 6)]
    assert only(events, e.TradeMatched)[0].taker_remaining == 2
    assert x.book()[1] == [(PRICE - 500, 2)]
    assert own == x.engine.open_orders(TAKER)[0].order_id


def test_the_trades_of_a_stop_are_in_its_record_and_its_batch(x: EngineHarness) -> None:
    wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900, time_in_force=IOC)
    x.buy(MAKER, PRICE - 200, 10)
    trade_at(x, PRICE - 100)
    x.turns()
    assert [trade.seq for trade in x.engine.state.trades.values()] == [x.engine.seq - 1, x.engine.seq]
    x.cut(1, x.engine.seq - 1)
    assert x.engine.state.cut_trade == 1


@pytest.mark.parametrize(
    ("code", "field", "options"),
    [
        (ErrorCode.price_off_tick, "trigger_price", {"trigger_price": 5}),
        (ErrorCode.price_off_tick, "trigger_price", {"trigger_price": 0}),
        (ErrorCode.terms_conflict, "trigger_price", {"terms": Terms(trigger_type=TriggerType.trailing, trail_bps=9)}),
        (ErrorCode.terms_conflict, "trail_bps", {"terms": Terms(trigger_type=TriggerType.trailing)}),
        (ErrorCode.terms_conflict, "trail_bps", {"terms": Terms(trigger_type=TriggerType.stop_loss, trail_bps=9)}),
        (
            ErrorCode.unsupported_terms,
            "trail_bps",
            {"terms": Terms(trigger_type=TriggerType.trailing, trail_bps=10_000), "trigger_price": 0},
        ),
        (
            ErrorCode.unsupported_terms,
            "trigger_source",
            {"terms": Terms(trigger_type=TriggerType.stop_loss, trigger_source=1)},
        ),
        (ErrorCode.terms_conflict, "trigger_type", {"terms": Terms(trail_bps=9)}),
        (ErrorCode.terms_conflict, "trigger_type", {"side": Side.buy_quote, "nonce": 5 | 1 << 63}),
        (ErrorCode.price_out_of_band, "price", {"price": 3_900_000}),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(
    x: EngineHarness, code: ErrorCode, field: str, options: dict[str, Any]
) -> None:
    side, price, word = Side.sell, PRICE - 900, Terms(IOC, trigger_type=TriggerType.stop_loss)
    options = {"side": side, "price": price, "trigger_price": PRICE - 100, "terms": word, **options}
    terms = options.pop("terms").pack()
    order = x.order(TAKER, options.pop("side"), options.pop("price"), 10_000, terms=terms, **options)
    assert x.refuse(order, code).field == field


def test_who_waits_counts_among_the_open_orders(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 1, 200))
    wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900, time_in_force=IOC)
    word = Terms(IOC, trigger_type=TriggerType.stop_loss).pack()
    order = x.order(TAKER, Side.sell, PRICE - 900, 10, terms=word, trigger_price=PRICE - 100)
    x.refuse(order, ErrorCode.too_many_open_orders)


def test_a_preview_says_what_is_held_and_that_nothing_is_met(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE - 200, 10)
    word = Terms(IOC, trigger_type=TriggerType.stop_loss).pack()
    order = x.order(TAKER, Side.sell, PRICE - 900, 10, terms=word, trigger_price=PRICE - 100).order
    told = x.engine.preview(x.at_ms, order)
    assert (told.fills, told.quote, told.fee, told.needs) == (0, 0, 0, 100_000)


def test_the_buyers_floor_is_held_while_it_waits(x: EngineHarness) -> None:
    x.apply(c.AnnounceFees(next(x.inbox_ids), BTC_USDC, 0, ((200, 500),), 4_000))
    wait(x, TriggerType.stop_loss, Side.buy, PRICE + 100, PRICE + 500, 1, time_in_force=IOC)
    held = x.parts(TAKER, USDC)[1]
    assert held == PRICE + 500 + (PRICE + 500) * 500 // 1_000_000 + 4_000
    fees = x.parts(FEES, USDC)[0]
    x.sell(MAKER, PRICE + 500, 1)
    trade_at(x, PRICE + 100)
    assert only(x.turns(), e.TradeMatched)[0].taker_fee == 4_000
    assert x.parts(FEES, USDC)[0] > fees


def test_a_market_that_never_traded_triggers_by_its_first_trade() -> None:
    x = EngineHarness([replace(MARKETS[0], reference_price=0)])
    for account in (MAKER, TAKER, OTHER):
        x.credit(account, USDC, 10_000_000_000)
        x.credit(account, BTC, 1_000_000_000)
    up = wait(x, TriggerType.stop_loss, Side.buy, PRICE - 100, PRICE - 90_000)
    down = wait(x, TriggerType.trailing, Side.sell, 0, PRICE - 900_000, trail_bps=100)
    trade_at(x, PRICE)
    assert triggered(x.turns()) == [up]
    trade_at(x, PRICE - 50_000)
    assert triggered(x.turns()) == [down]
    x.validate_and_drain()


def test_nothing_else_is_refused_while_somebody_is_due(x: EngineHarness) -> None:
    wait(x, TriggerType.stop_loss, Side.sell, PRICE - 100, PRICE - 900)
    trade_at(x, PRICE - 100)
    x.credit(OTHER, USDC, 5)
    nonce = x.engine.open_orders(TAKER)[0].placed.order.nonce
    x.apply(c.CancelOrder(TAKER, nonce, b"", TAKER))
    assert x.turns() == []
    with pytest.raises(Refusal):
        x.apply(c.CancelOrder(TAKER, nonce, b"", TAKER))


def test_prices_together_trigger_what_they_do_one_by_one() -> None:
    chance = random.Random(5)
    for _ in range(200):
        one, together = Watch(), Watch()
        for number in range(1, 30):
            direction, best = chance.choice((RISING, FALLING)), chance.randint(1, 1_000)
            trigger = trailing(direction, chance.randint(1, 900), best)
            if chance.random() < 0.3:
                trigger = Trigger(direction, chance.randint(1, 1_000))
            for watch in (one, together):
                watch.add(number, trigger)
        prices = [chance.randint(1, 1_000) for _ in range(12)]
        assert together.passed(prices) == [number for price in prices for number in one.passed([price])]
        for name in ("triggers", "keys", "heads", "bests"):
            assert getattr(together, name) == getattr(one, name)


def test_trailing_orders_move_and_trigger_as_each_by_itself() -> None:
    """Beside a list that is searched for every trade; what triggers nobody and moves nobody is quiet, and no more."""
    chance = random.Random(11)
    for _ in range(60):
        watch, naive = Watch(), dict[int, Trigger]()
        for number in range(1, 120):
            if chance.random() < 0.5:
                direction = chance.choice((RISING, FALLING))
                naive[number] = trailing(direction, chance.randint(1, 40) * 100, chance.randint(1, 60))
                if chance.random() < 0.2:
                    naive[number] = Trigger(direction, chance.randint(1, 60))
                watch.add(number, naive[number])
            elif naive and chance.random() < 0.3:
                gone = chance.choice(list(naive))
                watch.remove(gone)
                del naive[gone]
            else:
                price, (lowest, highest), before = chance.randint(1, 60), watch.quiet(), watch.triggers
                assert watch.passed([price]) == naively(naive, price)
                assert (lowest <= price <= highest) == (naive == before)
            assert watch.triggers == naive
            assert len(watch) == len(naive)


def naively(naive: dict[int, Trigger], price: int) -> list[tuple[int, Trigger]]:
    """Whom a trade triggers, in order; the others follow it."""
    came = [(number, trigger) for number, trigger in naive.items() if trigger.reached(price)]
    for number, _ in came:
        del naive[number]
    for number, (sign, _, trail_bps, best) in [(n, astuple(t)) for n, t in naive.items()]:
        if trail_bps and sign * price > sign * best:
            naive[number] = trailing(sign, trail_bps, price)
    return sorted(came, key=lambda item: (item[1].direction, -item[1].direction * item[1].price, item[0]))


def test_a_new_best_price_costs_the_same_however_many_trail(monkeypatch: pytest.MonkeyPatch) -> None:
    """So too when one that has just come is moved with all the others, again and again."""
    watch, made = Watch(), 0
    for number in range(1, 5_001):
        watch.add(number, trailing(FALLING, 1 + number % 9_000, 1_000))
    real = triggers.trailing

    def counted(direction: int, trail_bps: int, best: int) -> Trigger:
        nonlocal made
        made += 1
        return real(direction, trail_bps, best)

    monkeypatch.setattr(triggers, "trailing", counted)
    for step in range(1, 51):
        watch.add(5_000 + step, real(FALLING, 9_000, 999))
        assert watch.passed([1_000 + step]) == []
    assert made < 50 * 10
    monkeypatch.undo()
    assert set(map(attrgetter("best"), watch.triggers.values())) == {1_050}
