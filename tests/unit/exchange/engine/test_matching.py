"""Matching: price, then time; what each side pays; how orders end."""

import pytest

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.order import Side, TimeInForce
from exchange.domain.settlement import MAX_PROOFS
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import BTC, FEES, MAKER, OTHER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000
ALL_USDC = 10_000_000_000
ALL_BTC = 1_000_000_000


def fills(events: list[e.Event]) -> list[tuple[int, int, int]]:
    return [(t.maker_order, t.price, t.quantity) for t in only(events, e.TradeMatched)]


def test_a_trade_pays_both_sides_and_the_fees_at_the_makers_price(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 40)
    maker_order = x.engine.seq
    trade = only(x.buy(TAKER, PRICE + 1_000, 40), e.TradeMatched)[0]
    assert (trade.maker_order, trade.taker_order) == (maker_order, x.engine.seq)
    assert (trade.price, trade.quantity, trade.quote) == (PRICE, 40, 200_000_000)
    assert (trade.maker_fee, trade.taker_fee, trade.taker_side) == (40_000, 100_000, Side.buy)
    assert x.parts(TAKER, USDC) == (ALL_USDC - 200_100_000, 0, 0, 0, 0)
    assert x.parts(TAKER, BTC) == (ALL_BTC + 400_000, 0, 0, 400_000, 0)
    assert x.parts(MAKER, USDC) == (ALL_USDC + 199_960_000, 0, 0, 199_960_000, 0)
    assert x.parts(MAKER, BTC) == (ALL_BTC - 400_000, 0, 0, 0, 0)
    assert x.parts(FEES, USDC) == (140_000, 0, 0, 140_000, 0)


def test_a_partly_filled_buy_maker_keeps_exactly_the_hold_of_its_rest(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 100)
    x.sell(TAKER, PRICE, 40)
    assert x.parts(MAKER, USDC) == (ALL_USDC - 200_040_000 - 300_150_000, 300_150_000, 0, 0, 0)


def test_better_prices_first_then_earlier_orders(x: EngineHarness) -> None:
    ids = []
    for account, price in ((MAKER, PRICE + 20), (MAKER, PRICE), (OTHER, PRICE), (OTHER, PRICE + 10)):
        x.sell(account, price, 10)
        ids.append(x.engine.seq)
    events = x.buy(TAKER, PRICE + 20, 35)
    assert fills(events) == [
        (ids[1], PRICE, 10),
        (ids[2], PRICE, 10),
        (ids[3], PRICE + 10, 10),
        (ids[0], PRICE + 20, 5),
    ]
    assert x.book() == ([], [(PRICE + 20, 5)])


def test_a_sweep_tells_each_level_once_at_the_end(x: EngineHarness) -> None:
    for _ in range(3):
        x.sell(MAKER, PRICE, 10)
    levels = only(x.buy(TAKER, PRICE, 40), e.LevelChanged)
    assert [(level.side, level.price, level.quantity) for level in levels] == [(1, PRICE, 0), (0, PRICE, 10)]


def test_fees_round_down_in_each_fill(empty: EngineHarness) -> None:
    empty.credit(TAKER, USDC, 20_000_000)
    empty.credit(MAKER, BTC, 1_000_000)
    for _ in range(3):
        empty.sell(MAKER, 4_001_990, 1)
    trades = only(empty.buy(TAKER, 4_001_990, 3), e.TradeMatched)
    assert [(trade.taker_fee, trade.maker_fee) for trade in trades] == [(2_000, 800)] * 3
    assert empty.parts(TAKER, USDC)[0] == 20_000_000 - 3 * (4_001_990 + 2_000)


@pytest.mark.parametrize(
    ("tif", "lots", "end", "traded"),
    [
        (TimeInForce.ioc, 5, "filled", 5),
        (TimeInForce.ioc, 15, "unfilled", 10),
        (TimeInForce.fok, 10, "filled", 10),
        (TimeInForce.fok, 11, "fok_unfilled", 0),
        (TimeInForce.gtc, 10, "filled", 10),
    ],
)
def test_how_an_order_ends(x: EngineHarness, tif: TimeInForce, lots: int, end: str, traded: int) -> None:
    x.sell(MAKER, PRICE, 10)
    events = x.buy(TAKER, PRICE, lots, tif=tif)
    assert (x.engine.seq, end) in reasons(events)
    assert sum(lots for _, _, lots in fills(events)) == traded


def test_a_fok_looks_no_further_than_its_price(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 5)
    x.sell(MAKER, PRICE + 10, 5)
    assert reasons(x.buy(TAKER, PRICE, 6, tif=TimeInForce.fok)) == [(x.engine.seq, "fok_unfilled")]


def test_an_ioc_that_meets_nobody_is_unfilled(x: EngineHarness) -> None:
    assert reasons(x.buy(TAKER, PRICE, 6, tif=TimeInForce.ioc)) == [(x.engine.seq, "unfilled")]


def test_post_only_never_takes(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 5)
    events = x.buy(TAKER, PRICE, 5, post_only=True)
    assert reasons(events) == [(x.engine.seq, "post_only_would_take")]
    assert fills(events) == []
    x.buy(TAKER, PRICE - 10, 5, post_only=True)
    assert x.book() == ([(PRICE - 10, 5)], [(PRICE, 5)])


def test_a_taker_that_meets_its_own_order_is_cancelled_there(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 5)
    x.sell(TAKER, PRICE, 5)
    events = x.buy(TAKER, PRICE, 20)
    assert [lots for _, _, lots in fills(events)] == [5]
    assert (x.engine.seq, "self_trade") in reasons(events)
    assert x.book() == ([], [(PRICE, 5)])


def test_a_fok_that_would_meet_its_own_order_trades_nothing(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 5)
    x.sell(TAKER, PRICE, 5)
    assert reasons(x.buy(TAKER, PRICE, 10, tif=TimeInForce.fok)) == [(x.engine.seq, "self_trade")]
    assert reasons(x.buy(TAKER, PRICE, 5, tif=TimeInForce.fok))[-1] == (x.engine.seq, "filled")


def test_an_order_fills_against_two_hundred_at_most(x: EngineHarness) -> None:
    for _ in range(202):
        x.sell(MAKER, PRICE, 1)
    assert reasons(x.buy(TAKER, PRICE, 201, tif=TimeInForce.fok)) == [(x.engine.seq, "too_many_fills")]
    events = x.buy(TAKER, PRICE, 202)
    assert len(fills(events)) == 200
    assert reasons(events)[-1] == (x.engine.seq, "too_many_fills")
    assert x.book() == ([], [(PRICE, 2)])


def test_an_order_meets_no_more_paths_than_a_batch_takes(x: EngineHarness) -> None:
    """All that one order fills settles in one batch; a path of ten hashes each leaves room for fifty makers."""
    in_bulk = bytes(65 + 2 + 32 * 10)
    for _ in range(52):
        x.sell(MAKER, PRICE, 1, scheme=2, signature=in_bulk)
    x.sell(MAKER, PRICE, 1)
    assert MAX_PROOFS // 10 == 51
    assert reasons(x.buy(TAKER, PRICE, 52, tif=TimeInForce.fok)) == [(x.engine.seq, "too_many_fills")]
    events = x.buy(TAKER, PRICE, 51, scheme=2, signature=in_bulk)
    assert len(fills(events)) == 50
    assert reasons(events)[-1] == (x.engine.seq, "too_many_fills")
    assert len(fills(x.buy(TAKER, PRICE, 3))) == 3


def test_fees_are_those_of_acceptance(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 10)
    x.apply(c.AnnounceFees(next(x.inbox_ids), 1, 0, ((800, 900),), 0))
    trade = only(x.sell(TAKER, PRICE, 10), e.TradeMatched)[0]
    assert (trade.maker_fee, trade.taker_fee) == (10_000, 45_000)


def test_the_fee_account_can_trade_against_a_user(x: EngineHarness) -> None:
    x.credit(FEES, USDC, ALL_USDC)
    x.buy(FEES, PRICE, 10)
    x.sell(TAKER, PRICE, 10)
    assert x.parts(FEES, BTC)[0] == 100_000
    assert x.parts(FEES, USDC)[0] == ALL_USDC - 50_000_000 + 25_000


def test_unsettled_proceeds_can_be_traded_at_once(x: EngineHarness) -> None:
    x.apply(c.Debit(next(x.inbox_ids), TAKER, BTC, ALL_BTC, "", "out"))
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, PRICE, 10)
    x.buy(OTHER, PRICE, 10)
    assert len(fills(x.sell(TAKER, PRICE, 10))) == 1


def test_an_expired_maker_is_not_matched(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 5, expiry=x.now + 10)
    first = x.engine.seq
    x.sell(MAKER, PRICE + 10, 5)
    second = x.engine.seq
    x.at_ms += 10_000
    events = x.buy(TAKER, PRICE + 10, 5)
    assert fills(events) == [(second, PRICE + 10, 5)]
    assert (first, "expired") in reasons(events)


def test_an_order_matches_until_the_millisecond_before_its_expiry(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 5, expiry=x.now + 10)
    x.at_ms += 9_999
    assert x.engine.next_expiry == x.at_ms // 1_000 + 1
    assert len(fills(x.buy(TAKER, PRICE, 5))) == 1
    assert x.engine.next_expiry is None


def test_a_tick_closes_what_has_expired(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 5, expiry=x.now + 10)
    x.buy(TAKER, PRICE - 10, 5, expiry=x.now + 11)
    x.at_ms += 10_000
    assert [reason for _, reason in reasons(x.apply(c.Tick()))] == ["expired"]
    assert x.book() == ([(PRICE - 10, 5)], [])
    assert x.parts(MAKER, BTC)[:2] == (ALL_BTC, 0)
    assert x.engine.next_expiry == x.now + 1


def test_many_closed_orders_do_not_leave_their_expiries_behind(x: EngineHarness) -> None:
    for nonce in range(10_000, 13_000):
        x.sell(MAKER, PRICE, 1, nonce=nonce)
        x.apply(c.CancelOrder(MAKER, nonce, b"", MAKER))
    assert len(x.engine.state.expiries) <= 1_026


def test_turnover_that_is_not_final_never_exceeds_what_the_ledger_counts(x: EngineHarness) -> None:
    lots = 10**11
    x.credit(MAKER, BTC, 10**15)
    x.credit(MAKER, USDC, 10**18)
    x.credit(OTHER, USDC, 2 * 10**18)
    for _ in range(16):
        x.sell(MAKER, PRICE, lots)
        x.buy(OTHER, PRICE, lots, tif=TimeInForce.ioc)
        x.sell(OTHER, PRICE, lots)
        x.buy(MAKER, PRICE, lots, tif=TimeInForce.ioc)
        assert x.engine.violations() == []
    x.sell(MAKER, PRICE, lots)
    x.buy(OTHER, PRICE, lots, tif=TimeInForce.ioc)
    assert x.balance(MAKER, USDC).unsettled > MAX_AMOUNT - 2 * PRICE * lots
    x.credit(MAKER, BTC, 10**15)
    x.sell(MAKER, PRICE, lots)
    maker = x.engine.seq
    honest = x.buy(TAKER, PRICE, 10, tif=TimeInForce.ioc)
    assert len(only(honest, e.TradeMatched)) == 1
    assert reasons(x.buy(OTHER, PRICE, lots - 10, tif=TimeInForce.fok))[-1][1] == "unsettled_limit"
    assert (maker, "unsettled_limit") in reasons(x.buy(OTHER, PRICE, lots - 10, tif=TimeInForce.ioc))
    x.buy(OTHER, PRICE, lots)
    for tif in (TimeInForce.ioc, TimeInForce.fok, TimeInForce.gtc):
        events = x.sell(MAKER, PRICE, lots, tif=tif)
        assert reasons(events) == [(x.engine.seq, "unsettled_limit")]
    assert x.engine.violations() == []
    x.cut(1)
    x.finalize(1)
    assert len(only(x.sell(MAKER, PRICE, lots), e.TradeMatched)) == 1
