"""Auctions: orders gather, and trade at one price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode
from exchange.domain.instrument import MarketStatus
from exchange.domain.order import SINGLE_FILL, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
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
from tests.utils.twins import TwinEngine

PRICE = 5_000_000
LOT = 10_000


def start(x: EngineHarness, seconds: int = 0, market: int = BTC_USDC) -> list[e.Event]:
    return x.apply(c.StartAuction(next(x.inbox_ids), market, x.now + seconds if seconds else 0))


def status(x: EngineHarness, word: str, market: int = BTC_USDC) -> list[e.Event]:
    return x.apply(c.SetMarketStatus(next(x.inbox_ids), market, word))


def uncross(x: EngineHarness) -> list[e.Event]:
    """Open the market; all that follows."""
    return status(x, "open") + x.turns()


def ends(x: EngineHarness) -> int | None:
    """When a tick does something."""
    return x.engine.next_expiry


def trades(events: list[e.Event]) -> list[tuple[int, int, int, int]]:
    """(maker, taker, price, lots)"""
    matches = only(events, e.TradeMatched)
    return [(match.maker_order, match.taker_order, match.price, match.quantity) for match in matches]


def test_orders_gather_and_trade_at_one_price(x: EngineHarness) -> None:
    assert start(x) == [e.AuctionStarted(BTC_USDC, 0), e.MarketChanged(BTC_USDC, "auction")]
    x.buy(TAKER, PRICE + 200, 6)
    first = x.engine.seq
    x.buy(OTHER, PRICE + 100, 4)
    second = x.engine.seq
    x.sell(MAKER, PRICE - 100, 5)
    third = x.engine.seq
    events = x.sell(MAKER, PRICE + 100, 8)
    assert not only(events, e.TradeMatched)
    assert x.book() == ([(PRICE + 200, 6), (PRICE + 100, 4)], [(PRICE - 100, 5), (PRICE + 100, 8)])
    x.validate()
    events = uncross(x)
    assert only(events, e.AuctionPriced) == [e.AuctionPriced(BTC_USDC, PRICE + 100, 10, 13)]
    assert trades(events) == [
        (first, third, PRICE + 100, 5),
        (first, x.engine.seq - 2, PRICE + 100, 1),
        (second, x.engine.seq - 2, PRICE + 100, 4),
    ]
    assert only(events, e.MarketChanged) == [e.MarketChanged(BTC_USDC, "open")]
    assert x.book() == ([], [(PRICE + 100, 3)])
    assert x.engine.state.books[BTC_USDC].last_price == PRICE + 100
    x.validate_and_drain()


def test_the_better_limit_pays_the_price_and_gets_the_rest_back(x: EngineHarness) -> None:
    """The earlier order is the maker; neither pays a floor."""
    before = x.balance(TAKER, USDC).available
    start(x)
    x.buy(TAKER, PRICE + 1_000, 10)
    x.sell(MAKER, PRICE, 10)
    (match,) = only(uncross(x), e.TradeMatched)
    assert match.price == PRICE
    quote = 10 * PRICE
    assert (match.maker_fee, match.taker_fee) == (quote * 200 // 10**6, quote * 500 // 10**6)
    assert x.parts(TAKER, USDC)[:2] == (before - quote - match.maker_fee, 0)
    assert x.parts(FEES, USDC)[0] == match.maker_fee + match.taker_fee
    x.validate_and_drain()


def test_nobody_pays_a_floor_for_an_auction(x: EngineHarness) -> None:
    x.apply(c.AnnounceFees(next(x.inbox_ids), BTC_USDC, x.at_ms, ((200, 500),), 50_000))
    start(x)
    x.buy(TAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 10, max_fee_bps=20)
    (match,) = only(uncross(x), e.TradeMatched)
    assert (match.maker_fee, match.taker_fee) == (10_000, 25_000)
    x.validate_and_drain()


@pytest.mark.parametrize(
    "options",
    [
        {"tif": TimeInForce.ioc},
        {"tif": TimeInForce.fok},
        {"post_only": True},
        {"side": Side.buy_quote, "tif": TimeInForce.ioc, "nonce": SINGLE_FILL | 5, "quantity": 10 * PRICE},
    ],
)
def test_the_call_takes_only_what_rests_and_may_take(x: EngineHarness, options: dict[str, Any]) -> None:
    start(x)
    options = {"side": Side.buy, "price": PRICE, "quantity": 10, **options}
    side, price, quantity = (options.pop(name) for name in ("side", "price", "quantity"))
    x.refuse(x.order(TAKER, side, price, quantity, **options), ErrorCode.auction_call)


def test_it_ends_at_its_time_and_no_order_comes_after_it(x: EngineHarness) -> None:
    start(x, 30)
    assert x.engine.next_expiry == x.now + 30
    x.buy(TAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 4)
    x.at_ms += 30_000
    assert x.engine.ends_call(x.at_ms)
    x.refuse(x.order(OTHER, Side.buy, PRICE + 100, 1), ErrorCode.unavailable)
    events = x.apply(c.Tick())
    assert [lots for _, _, _, lots in trades(events)] == [4]
    assert only(events, e.MarketChanged) == [e.MarketChanged(BTC_USDC, "open")]
    assert not x.engine.ends_call(x.at_ms)
    x.validate_and_drain()


def test_its_end_can_be_moved_and_must_not_be_past(x: EngineHarness) -> None:
    x.refuse(c.StartAuction(next(x.inbox_ids), BTC_USDC, x.now), ErrorCode.expired)
    start(x, 30)
    assert start(x, 60) == [e.AuctionStarted(BTC_USDC, x.now + 60)]
    assert ends(x) == x.now + 60
    assert start(x) == [e.AuctionStarted(BTC_USDC, 0)]
    assert ends(x) is None
    x.refuse(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "auction"), ErrorCode.malformed)
    assert only(uncross(x), e.AuctionPriced) == [e.AuctionPriced(BTC_USDC, 0, 0, 0)]
    x.validate()


def test_it_trades_in_parts_at_one_price_and_nobody_comes_between(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 100, 3))
    start(x)
    for number in range(10):
        x.buy(TAKER, PRICE + 10 * number, 2)
        x.sell(MAKER, PRICE + 10 * number, 2)
    events = status(x, "open")
    (priced,) = only(events, e.AuctionPriced)
    parts: list[list[tuple[int, int, int, int]]] = []
    while x.engine.has_due:
        x.refuse(x.order(OTHER, Side.buy, PRICE, 10), ErrorCode.unavailable)
        x.validate()
        parts.append(trades(x.apply(c.Tick())))
    assert len(parts) > 1
    assert all(2 <= len(part) <= 3 for part in parts[:-1])
    assert {price for part in parts for _, _, price, _ in part} == {priced.price}
    assert sum(lots for part in parts for _, _, _, lots in part) == min(priced.bids, priced.asks)
    x.validate_and_drain()


@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_a_part_brings_no_more_orders_than_one_order_may_meet(x: EngineHarness, most: int) -> None:
    """Pairs of equal orders end both, so a trade brings two of them."""
    x.apply(c.SetLimits(0, 100, most))
    start(x)
    for _ in range(20):
        x.buy(TAKER, PRICE, 1)
        x.sell(MAKER, PRICE, 1)
    status(x, "open")
    room, parts = x.engine.waiting, list[set[int]]()
    while x.engine.has_due:
        parts.append({order for trade in trades(x.apply(c.Tick())) for order in trade[:2]})
        x.validate()
    assert all(len(part) == max(most + 1, 2) // 2 * 2 for part in parts[:-1])
    assert len(set().union(*parts)) == 40
    assert len(parts) <= room
    x.validate_and_drain()


def test_what_ends_between_the_parts_is_not_missed(x: EngineHarness) -> None:
    """The book may be crossed after the last part then: it trades again, at the price of what is left."""
    x.apply(c.SetLimits(0, 100, 1))
    start(x)
    for price, lots in ((PRICE, 5), (PRICE, 5), (PRICE + 300, 5)):
        x.sell(MAKER, price, lots)
    x.buy(TAKER, PRICE + 400, 5)
    x.buy(OTHER, PRICE + 400, 5)
    status(x, "open")
    x.apply(c.Tick())
    for order in x.engine.open_orders(MAKER)[:1]:
        x.apply(c.CancelOrder(MAKER, order.placed.order.nonce, b"", MAKER))
    events = x.turns()
    assert len(only(events, e.AuctionPriced)) == 1
    assert x.book() == ([], [])
    assert x.engine.state.books[BTC_USDC].is_open
    x.validate_and_drain()


def test_an_interrupted_auction_goes_on_when_the_market_opens(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 100, 1))
    start(x, 30)
    x.buy(TAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 4)
    x.sell(OTHER, PRICE, 4)
    status(x, "open")
    x.apply(c.Tick())
    assert status(x, "halted") == [e.MarketChanged(BTC_USDC, "halted")]
    x.at_ms += 60_000
    assert not x.engine.has_due
    assert not x.engine.ends_call(x.at_ms)
    x.refuse(x.order(OTHER, Side.buy, PRICE, 10), ErrorCode.market_halted)
    x.validate()
    events = uncross(x)
    assert [event.status for event in only(events, e.MarketChanged)] == ["auction", "open"]
    assert [lots for _, _, _, lots in trades(events)] == [4]
    x.validate_and_drain()


def test_a_delisted_market_is_in_no_auction(x: EngineHarness) -> None:
    start(x)
    x.buy(TAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 4)
    assert {reason for _, reason in reasons(status(x, "delisted"))} == {"market_delisted"}
    x.refuse(c.StartAuction(next(x.inbox_ids), BTC_USDC, 0), ErrorCode.market_halted)
    x.validate_and_drain()


def test_a_market_is_listed_in_an_auction(x: EngineHarness) -> None:
    market = replace(MARKETS[0], market_id=9, symbol="NEW/USDC", status=MarketStatus.auction, reference_price=0)
    events = x.apply(c.ListMarket(market, FEES))
    assert e.AuctionStarted(9, 0) in events
    x.buy(TAKER, PRICE + 50, 10, market=9)
    x.sell(MAKER, PRICE, 10, market=9)
    events = status(x, "open", 9) + x.turns()
    assert only(events, e.AuctionPriced) == [e.AuctionPriced(9, PRICE, 10, 10)]
    x.validate_and_drain()


@pytest.mark.parametrize(
    ("mode", "ends", "left"),
    [
        (SelfTrade.cancel_taker, "taker", [10]),
        (SelfTrade.cancel_maker, "maker", [4]),
        (SelfTrade.cancel_both, "both", []),
        (SelfTrade.decrement, "taker", [6]),
    ],
)
def test_an_account_never_crosses_itself(x: EngineHarness, mode: SelfTrade, ends: str, left: list[int]) -> None:
    x.buy(TAKER, PRICE, 10)
    old = x.engine.seq
    start(x)
    x.sell(OTHER, PRICE - 1_000, 1)
    closed = {order_id for order_id, _ in reasons(x.sell(TAKER, PRICE - 100, 4, self_trade=mode))}
    new = x.engine.seq
    assert closed == {"taker": {new}, "maker": {old}, "both": {old, new}}[ends]
    assert [order.remaining for order in x.engine.open_orders(TAKER)] == left
    x.validate()
    uncross(x)
    x.validate_and_drain()


def test_a_stop_waits_for_the_price_of_the_auction(x: EngineHarness) -> None:
    start(x)
    word = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
    x.sell(OTHER, PRICE - 900, 5, terms=word, trigger_price=PRICE + 500)  # reached already, and no order works yet
    stop = x.engine.seq
    x.buy(TAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 4)
    assert not x.engine.has_due
    events = uncross(x)
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [stop]
    assert trades(events)[-1][1:] == (stop, PRICE, 5)
    x.validate_and_drain()


def test_an_order_that_shows_a_part_is_met_whole_at_its_place(x: EngineHarness) -> None:
    start(x)
    x.sell(MAKER, PRICE, 20, terms=Terms(displayed_quantity=5).pack())
    hidden = x.engine.seq
    x.sell(OTHER, PRICE, 5)
    x.buy(TAKER, PRICE, 12)
    events = uncross(x)
    assert trades(events) == [(hidden, x.engine.seq - 2, PRICE, 12)]
    assert x.book() == ([], [(PRICE, 10)])
    assert [order.hidden for order in x.engine.open_orders(MAKER)] == [3]
    x.validate_and_drain()


def test_cancels_and_amends_go_on_in_the_call(x: EngineHarness) -> None:
    start(x)
    x.buy(TAKER, PRICE, 12)
    x.sell(MAKER, PRICE, 12)
    old = x.engine.open_orders(MAKER)[0].placed.order
    order = replace(old, price=PRICE - 100, quantity=8)
    x.apply(c.AmendOrder(order, keccak(repr(order).encode()), 0, b"", MAKER))
    post = replace(old, terms=Terms(post_only=True).pack(), price=PRICE + 900)
    x.refuse(c.AmendOrder(post, keccak(repr(post).encode()), 0, b"", MAKER), ErrorCode.auction_call)
    x.apply(c.CancelOrder(TAKER, x.engine.open_orders(TAKER)[0].placed.order.nonce, b"", TAKER))
    assert x.book() == ([], [(PRICE - 100, 8)])
    assert trades(uncross(x)) == []
    x.validate_and_drain()


def test_a_leg_that_fills_in_an_auction_ends_the_other(x: EngineHarness) -> None:
    start(x)
    x.sell(MAKER, PRICE, 10, terms=Terms(group=3).pack())
    word = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=3).pack()
    x.sell(MAKER, PRICE - 900, 10, terms=word, trigger_price=PRICE)
    stop = x.engine.seq
    x.buy(TAKER, PRICE, 4)
    events = uncross(x)
    assert (stop, "group") in reasons(events)
    assert not only(events, e.OrderTriggered)
    assert x.balance(MAKER, BTC).held == 6 * LOT
    x.validate_and_drain()


def test_other_markets_go_on(x: EngineHarness) -> None:
    start(x)
    x.sell(MAKER, 3_000_000, 5, market=ETH_USDC)
    assert len(only(x.buy(TAKER, 3_000_000, 5, market=ETH_USDC), e.TradeMatched)) == 1


def test_a_trade_of_an_auction_is_cut_final_and_reversed_like_any(x: EngineHarness) -> None:
    start(x)
    x.buy(TAKER, PRICE, 10)
    x.sell(MAKER, PRICE, 4)
    x.sell(OTHER, PRICE, 4)
    first, second = only(uncross(x), e.TradeMatched)
    x.reverse(second.trade_id)
    x.cut(1)
    x.finalize(1)
    assert not x.engine.state.trades
    x.validate_and_drain()
    assert first.trade_id == 1


def test_the_fast_engine_adopts_a_snapshot_of_an_auction_at_any_point(x: EngineHarness) -> None:
    """In the call, between two parts, and with the auction's trades, which are of later records than their takers."""
    x.apply(c.SetLimits(0, 100, 1))
    start(x)
    for lots in (3, 5, 7):
        x.buy(TAKER, PRICE, lots, terms=Terms(displayed_quantity=1).pack())
        x.sell(MAKER, PRICE, lots + 1)
    adopted(x)
    status(x, "open")
    parts = 0
    while x.engine.has_due:
        adopted(x)
        x.apply(c.Tick())
        parts += 1
    assert parts > 2
    adopted(x)
    assert len(x.engine.state.trades) > 2
    x.cut(1)
    x.finalize(1)
    x.validate_and_drain()


def adopted(x: EngineHarness) -> None:
    """The engines go on from a snapshot, the fast one over arrays."""
    x.engine = TwinEngine.load(x.engine.dump())
    assert x.engine.fast.is_fast
    assert x.engine.violations() == []


def test_the_fast_engine_runs_auctions_over_its_arrays(x: EngineHarness) -> None:
    """Here in a market that is listed in one."""
    assert isinstance(x.engine, TwinEngine)
    x.apply(c.ListMarket(replace(MARKETS[1], market_id=9, symbol="NEW/USDC", status=MarketStatus.auction), FEES))
    x.sell(MAKER, 3_000_000, 5, market=9)
    x.buy(TAKER, 3_000_100, 5, market=9)
    events = status(x, "open", 9) + x.turns()
    assert len(only(events, e.TradeMatched)) == 1
    assert x.engine.fast.is_fast
    assert x.engine.reasons == []
