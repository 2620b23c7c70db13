"""While settlement is behind nobody trades: who is due waits in its place, and blocks nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import number_of
from exchange.domain.order import Order, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import (
    BTC,
    BTC_USDC,
    ETH_USDC,
    MAKER,
    OTHER,
    TAKER,
    EngineHarness,
    only,
    reasons,
)
from tests.utils.frames import frame_of, mixed_frame_of
from tests.utils.signing import Signer

PRICE = 5_000_000
LAST = PRICE - 20
LIMIT_MS = 60_000
STOP = Terms(trigger_type=TriggerType.stop_loss)
QUOTER = Signer("quoter")


def stop(x: EngineHarness, trigger: int, account: bytes = TAKER, nonce: int | None = None, **terms: Any) -> int:
    """A stop that sells ten lots; its id."""
    word = replace(STOP, **terms).pack()
    options: dict[str, Any] = {"terms": word, "trigger_price": trigger, "nonce": nonce}
    x.sell(account, PRICE - 1_000, 10, **options)
    return x.engine.seq


def trade(x: EngineHarness, price: int = LAST) -> None:
    """A trade of one lot, whose price triggers before any turn is taken."""
    x.sell(MAKER, price, 1)
    x.buy(OTHER, price, 1)


def fall_behind(x: EngineHarness) -> None:
    """Let the oldest trade be one millisecond older than it may be."""
    x.apply(c.SetLimits(LIMIT_MS, 1_000, 200))
    x.at_ms += LIMIT_MS + 1
    assert x.engine.is_behind(x.at_ms)


def settle(x: EngineHarness) -> None:
    """Everything so far becomes final."""
    batch = x.engine.state.last_batch + 1
    x.cut(batch)
    x.finalize(batch)


def raise_limit(x: EngineHarness) -> None:
    x.apply(c.SetLimits(2 * LIMIT_MS, 1_000, 200))


def reverse(x: EngineHarness) -> None:
    x.reverse(*list(x.engine.state.trades))


def triggered(events: list[e.Event]) -> list[int]:
    return [event.order_id for event in only(events, e.OrderTriggered)]


@pytest.mark.parametrize("end", [settle, raise_limit, reverse])
def test_who_is_due_waits_in_its_place_until_the_backlog_is_gone(
    x: EngineHarness, end: Callable[[EngineHarness], None]
) -> None:
    stops = [stop(x, LAST), stop(x, LAST + 10), stop(x, LAST)]
    trade(x)
    fall_behind(x)
    x.buy(OTHER, PRICE - 500, 100, post_only=True)
    for _ in range(3):
        x.at_ms += 1_000
        assert x.apply(c.Tick()) == []
    assert x.engine.has_due
    assert not x.engine.has_turn(x.at_ms)
    end(x)
    assert x.engine.has_turn(x.at_ms)
    x.refuse(x.order(OTHER, Side.buy, PRICE, 1), ErrorCode.unavailable)
    events = x.turns()
    assert triggered(events) == [stops[1], stops[0], stops[2]]
    assert [t.quantity for t in only(events, e.TradeMatched)] == [10, 10, 10]


def test_at_the_very_age_they_still_work(x: EngineHarness) -> None:
    due = stop(x, LAST)
    trade(x)
    x.apply(c.SetLimits(LIMIT_MS, 1_000, 200))
    x.at_ms += LIMIT_MS
    assert triggered(x.apply(c.Tick())) == [due]


def test_who_waits_blocks_nobody(x: EngineHarness) -> None:
    stop(x, LAST)
    trade(x)
    fall_behind(x)
    x.buy(MAKER, PRICE - 500, 5, nonce=900, post_only=True)
    taking = x.refuse(x.order(OTHER, Side.buy, PRICE, 1), ErrorCode.settlement_backlog)
    assert "only post_only orders and cancels" in taking.message
    word = replace(STOP, post_only=True).pack()
    x.buy(OTHER, PRICE - 5_000, 5, terms=word, trigger_price=PRICE + 10)
    x.sell(OTHER, PRICE - 400, 5, terms=word, trigger_price=PRICE + 10)
    assert x.book() == ([(PRICE - 500, 5)], [(PRICE - 400, 5)]), "its price had come: it rests, and takes nothing"
    old = next(o for o in x.engine.open_orders(MAKER) if o.placed.order.nonce == 900).placed.order
    moved = replace(old, price=PRICE - 600)
    x.apply(c.AmendOrder(moved, keccak(repr(moved).encode()), 0, b"", MAKER))
    x.apply(c.CancelOrder(MAKER, 900, b"", MAKER))
    assert triggered(x.apply(c.Tick())) == []
    x.apply(c.MassCancel(OTHER, 0, 2, x.at_ms, b"", OTHER))
    assert x.engine.open_orders(OTHER) == []
    settle(x)
    assert len(triggered(x.turns())) == 1


def test_one_that_waits_is_cancelled_and_its_hold_released(x: EngineHarness) -> None:
    kept, gone = stop(x, LAST), stop(x, LAST, nonce=901)
    held = x.balance(TAKER, BTC).held
    trade(x)
    fall_behind(x)
    assert reasons(x.apply(c.CancelOrder(TAKER, 901, b"", TAKER))) == [(gone, "cancelled")]
    assert x.balance(TAKER, BTC).held == held // 2
    settle(x)
    assert triggered(x.turns()) == [kept]


def test_one_that_waits_expires_and_an_account_that_is_silent_loses_its_own(x: EngineHarness) -> None:
    word = STOP.pack()
    x.sell(TAKER, PRICE - 1_000, 10, terms=word, trigger_price=LAST, expiry=x.now + 70)
    expiring = x.engine.seq
    silent = stop(x, LAST, MAKER)
    trade(x)
    fall_behind(x)
    x.apply(c.SetCountdown(MAKER, 20, x.at_ms, b"", MAKER))
    assert x.engine.next_tick(x.at_ms) == x.engine.next_expiry
    x.at_ms += 30_000
    assert sorted(reasons(x.apply(c.Tick()))) == [(expiring, "expired"), (silent, "countdown")]
    assert not x.engine.has_due
    settle(x)
    x.buy(OTHER, PRICE, 1)


def test_the_other_leg_ends_with_one_that_waits_and_when_that_works(x: EngineHarness) -> None:
    groups = [Terms(group=number).pack() for number in (7, 8)]
    for number, word in enumerate(groups):
        x.sell(TAKER, PRICE + 1_000, 10, terms=word, nonce=910 + number)
        stop(x, LAST, nonce=920 + number, group=7 + number)
    trade(x)
    fall_behind(x)
    ended = [reason for _, reason in reasons(x.apply(c.CancelOrder(TAKER, 910, b"", TAKER)))]
    assert ended == ["cancelled", "group"]
    assert x.apply(c.Tick()) == []
    settle(x)
    assert [reason for _, reason in reasons(x.turns())] == ["group"]
    assert x.book()[1] == [(PRICE - 1_000, 10)]


def test_a_second_leg_joins_one_that_waits(x: EngineHarness) -> None:
    first = stop(x, LAST, group=9)
    trade(x)
    fall_behind(x)
    x.sell(TAKER, PRICE + 1_000, 30, terms=Terms(post_only=True, group=9).pack())
    second = x.engine.seq
    settle(x)
    events = x.turns()
    assert triggered(events) == [first]
    assert reasons(events) == [(second, "group")]


def test_a_market_that_stops_meanwhile_decides_again_by_its_last_price(x: EngineHarness) -> None:
    due = stop(x, LAST)
    trade(x)
    fall_behind(x)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "halted"))
    assert list(x.engine.state.due) == []
    x.validate()
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    assert list(x.engine.state.due) == [due]
    settle(x)
    assert triggered(x.turns()) == [due]


def test_a_stop_whose_market_is_auctioned_meanwhile_looks_at_the_auctions_price(x: EngineHarness) -> None:
    stop(x, LAST)
    trade(x)
    x.apply(c.SetLimits(0, 1_000, 200))
    x.apply(c.StartAuction(next(x.inbox_ids), BTC_USDC, 0))
    x.buy(OTHER, PRICE + 300, 5)
    x.sell(MAKER, PRICE + 300, 5)
    fall_behind(x)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    settle(x)
    assert x.engine.ends_call(x.at_ms)
    events = x.apply(c.Tick()) + x.turns()
    assert [t.price for t in only(events, e.TradeMatched)] == [PRICE + 300]
    assert triggered(events) == []
    assert x.engine.waiting == 1


def gather(x: EngineHarness, ends_at: int) -> None:
    """A trade in another market, and two orders that meet in an auction."""
    x.sell(MAKER, 3_000_000, 1, market=ETH_USDC)
    x.buy(OTHER, 3_000_000, 1, market=ETH_USDC)
    x.apply(c.StartAuction(next(x.inbox_ids), BTC_USDC, ends_at))
    x.buy(TAKER, PRICE, 10, nonce=930)
    x.sell(MAKER, PRICE, 4)


def test_an_auction_whose_end_has_come_waits_with_its_orders(x: EngineHarness) -> None:
    gather(x, x.now + 30)
    assert x.engine.next_tick(x.at_ms) == x.now + 30
    fall_behind(x)
    next_tick = x.engine.next_tick(x.at_ms)
    assert next_tick is not None
    assert next_tick > x.now, "only then does an order expire"
    assert not x.engine.ends_call(x.at_ms)
    assert x.apply(c.Tick()) == []
    x.refuse(x.order(OTHER, Side.buy, PRICE, 1), ErrorCode.settlement_backlog)
    x.refuse(x.order(OTHER, Side.buy, PRICE, 1, post_only=True), ErrorCode.auction_call)
    x.buy(OTHER, 2_999_000, 1, market=ETH_USDC, post_only=True)
    x.apply(c.CancelOrder(TAKER, 930, b"", TAKER))
    settle(x)
    assert x.engine.ends_call(x.at_ms)
    assert only(x.apply(c.Tick()), e.AuctionPriced) == [e.AuctionPriced(BTC_USDC, 0, 0, 0)]


def test_it_is_crossed_by_the_first_tick_after(x: EngineHarness) -> None:
    gather(x, x.now + 30)
    fall_behind(x)
    x.refuse(x.order(OTHER, Side.buy, PRICE, 1), ErrorCode.settlement_backlog)
    settle(x)
    x.refuse(x.order(OTHER, Side.buy, PRICE, 1), ErrorCode.unavailable)
    events = x.apply(c.Tick())
    assert [t.quantity for t in only(events, e.TradeMatched)] == [4]
    assert x.engine.state.books[BTC_USDC].is_open


@pytest.mark.parametrize("halted", [False, True])
def test_a_market_that_is_opened_meanwhile_ends_its_call_and_waits(x: EngineHarness, halted: bool) -> None:
    gather(x, 0)
    fall_behind(x)
    if halted:
        x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "halted"))
    events = x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    assert only(events, e.AuctionStarted) == [e.AuctionStarted(BTC_USDC, x.now)]
    assert [event.status for event in only(events, e.MarketChanged)] == (["auction"] if halted else [])
    assert only(events, e.AuctionPriced) == []
    x.apply(c.Tick())
    settle(x)
    assert [t.quantity for t in only(x.apply(c.Tick()), e.TradeMatched)] == [4]


def test_an_auction_stops_between_two_parts(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 1_000, 1))
    gather(x, 0)
    x.sell(OTHER, PRICE, 6)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    assert len(only(x.apply(c.Tick()), e.TradeMatched)) == 1
    x.apply(c.SetLimits(LIMIT_MS, 1_000, 1))
    x.at_ms += LIMIT_MS + 1
    assert x.apply(c.Tick()) == []
    x.refuse(x.order(OTHER, Side.buy, PRICE, 1), ErrorCode.settlement_backlog)
    x.buy(OTHER, 2_999_000, 1, market=ETH_USDC, post_only=True)
    settle(x)
    assert [t.quantity for t in only(x.turns(), e.TradeMatched)] == [6]
    assert x.engine.state.books[BTC_USDC].is_open


def test_one_that_trades_may_gather_again_instead(x: EngineHarness) -> None:
    gather(x, 0)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    x.refuse(c.StartAuction(next(x.inbox_ids), BTC_USDC, 0), ErrorCode.unavailable)
    fall_behind(x)
    x.apply(c.StartAuction(next(x.inbox_ids), BTC_USDC, 0))
    settle(x)
    assert not x.engine.has_due
    x.buy(OTHER, PRICE, 1)


def test_the_orders_of_a_frame_are_judged_one_by_one_meanwhile(x: EngineHarness) -> None:
    x.credit(QUOTER.raw, BTC, 10**9)
    due = stop(x, LAST)
    trade(x)
    fall_behind(x)

    def ask(post_only: bool, price: int = PRICE + 100) -> Order:
        placed = x.order(QUOTER.raw, Side.sell, price, 5, post_only=post_only)
        return replace(placed.order, account=QUOTER.raw)

    plain = frame_of(QUOTER, [ask(True), ask(False)])
    outcome = x.engine.apply_frame(x.engine.seq + 1, x.at_ms, plain)
    x.kept.append((x.engine.seq, x.at_ms, plain))
    x.quantities.happened(outcome.events)
    assert outcome.codes == bytes([0, number_of(ErrorCode.settlement_backlog)])
    rests = x.engine.open_orders(QUOTER.raw)[0].placed.order
    mixed = mixed_frame_of(QUOTER, [replace(rests, price=PRICE + 200), ask(False), ask(True)], {0})
    outcome = x.engine.apply_frame(x.engine.seq + 1, x.at_ms, mixed)
    x.kept.append((x.engine.seq, x.at_ms, mixed))
    x.quantities.happened(outcome.events)
    assert outcome.codes == bytes([0, number_of(ErrorCode.settlement_backlog), 0])
    settle(x)
    assert triggered(x.turns()) == [due]


def test_a_snapshot_and_a_replay_in_between_go_on_alike(x: EngineHarness) -> None:
    stops = [stop(x, LAST + 10), stop(x, LAST)]
    trade(x)
    fall_behind(x)
    x.apply(c.StartAuction(next(x.inbox_ids), ETH_USDC, x.now + 1))
    x.at_ms += 2_000
    x.apply(c.Tick())
    loaded = x.engine_class.load(x.engine.dump())
    assert (loaded.has_due, loaded.has_turn(x.at_ms), loaded.ends_call(x.at_ms)) == (True, False, False)
    assert x.replay().state_hash() == loaded.state_hash()
    cut, final = c.CutBatch(next(x.inbox_ids), 1, x.engine.seq), c.FinalizeBatch(next(x.inbox_ids), 1)
    settling: list[c.Command] = [cut, final, c.Tick(), c.Tick()]
    seq = loaded.seq
    first = [event for command in settling for event in x.apply(command)]
    second = [event for n, command in enumerate(settling, 1) for event in loaded.apply(seq + n, x.at_ms, command)]
    assert second == first
    assert triggered(first) == stops
    assert loaded.state_hash() == x.engine.state_hash()


def test_an_ioc_that_was_triggered_is_not_unfilled_meanwhile(x: EngineHarness) -> None:
    due = stop(x, LAST, time_in_force=TimeInForce.ioc)
    trade(x)
    fall_behind(x)
    assert x.apply(c.Tick()) == []
    settle(x)
    assert reasons(x.turns()) == [(due, "unfilled")]
