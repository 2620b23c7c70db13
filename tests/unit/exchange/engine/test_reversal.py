"""Reversals: a trade that never happened, and what had been done with its proceeds."""

from dataclasses import replace

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import BTC, FEES, MAKER, OTHER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000
LOT = 10_000
NEWCOMER = b"\x77" * 20
SECOND = b"\x78" * 20


def undone(events: list[e.Event]) -> list[tuple[int, int]]:
    return [(event.trade_id, event.because_of) for event in only(events, e.TradeReversed)]


def test_a_reversed_trade_leaves_no_trace_in_any_balance(x: EngineHarness) -> None:
    pairs = [(MAKER, USDC), (MAKER, BTC), (TAKER, USDC), (TAKER, BTC), (FEES, USDC)]
    x.credit(FEES, USDC, 1)
    before = [x.parts(*pair) for pair in pairs]
    x.sell(MAKER, PRICE, 10)
    matched = x.buy(TAKER, PRICE, 10)
    events = x.reverse(1)
    (match,) = only(matched, e.TradeMatched)
    assert only(events, e.TradeReversed) == [e.TradeReversed(1, match.maker_account, match.taker_account, "cause", 0)]
    assert [x.parts(*pair) for pair in pairs] == before
    assert x.engine.oldest_unsettled_at is None


def test_both_orders_of_a_named_trade_are_closed(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    maker_order = x.engine.seq
    x.buy(TAKER, PRICE, 4)
    assert reasons(x.reverse(1)) == [(maker_order, "trade_reversed")]


def test_what_replaced_an_order_of_a_named_trade_is_closed_too(x: EngineHarness) -> None:
    """Twice amended since, and other orders of the account stay."""
    x.sell(MAKER, PRICE + 50, 1)
    stays = x.engine.seq
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, PRICE, 4)
    for price in (PRICE + 10, PRICE + 20):
        old = x.engine.open_orders(MAKER)[-1].placed.order
        order = replace(old, price=price)
        x.apply(c.AmendOrder(order, keccak(repr(order).encode()), 0, b"\x07" * 65, MAKER))
    assert reasons(x.reverse(1)) == [(x.engine.seq - 1, "trade_reversed")]
    assert [order.order_id for order in x.engine.open_orders(MAKER)] == [stays]
    x.validate()


def test_an_order_that_replaced_another_one_stays(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 4)
    x.buy(TAKER, PRICE, 4)
    x.sell(MAKER, PRICE + 10, 10)
    old = x.engine.open_orders(MAKER)[-1].placed.order
    order = replace(old, price=PRICE + 20)
    x.apply(c.AmendOrder(order, keccak(repr(order).encode()), 0, b"\x07" * 65, MAKER))
    assert reasons(x.reverse(1)) == []


def test_trades_that_are_final_reversed_or_unknown_are_refused(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, PRICE, 4)
    x.cut(1)
    x.buy(TAKER, PRICE, 4)
    x.finalize(1)
    for trade_ids in ((1,), (2, 1), (3,)):
        x.refuse(c.ReverseTrades(next(x.inbox_ids), trade_ids, "cause"), ErrorCode.unknown_trade)
    x.reverse(2, 2)
    x.refuse(c.ReverseTrades(next(x.inbox_ids), (2,), "cause"), ErrorCode.unknown_trade)


def test_a_cut_trade_is_reversed_by_the_keeper_only(x: EngineHarness) -> None:
    x.credit(NEWCOMER, BTC, 10 * LOT)
    x.sell(NEWCOMER, PRICE, 10)
    x.buy(TAKER, PRICE, 10)
    x.cut(1)
    events = x.uncredit(NEWCOMER, BTC, 10 * LOT)
    assert undone(events) == []
    assert x.parts(NEWCOMER, BTC)[4] == 10 * LOT
    assert only(events, e.AccountChanged)[0].status == "blocked"
    assert undone(x.reverse(1)) == [(1, 0)]
    assert x.parts(NEWCOMER, BTC) == (0, 0, 0, 0, 0)
    assert x.parts(NEWCOMER, USDC) == (0, 0, 0, 0, 0)


def test_uncredit_reverses_the_latest_trades_that_it_needs(x: EngineHarness) -> None:
    x.credit(NEWCOMER, BTC, 30 * LOT)
    for _ in range(3):
        x.sell(NEWCOMER, PRICE, 10)
        x.buy(TAKER, PRICE, 10)
    assert undone(x.uncredit(NEWCOMER, BTC, 15 * LOT)) == [(3, 0), (2, 0)]
    assert x.parts(NEWCOMER, BTC) == (5 * LOT, 0, 0, 0, 0)


def test_uncredit_spares_trades_that_spent_something_else(x: EngineHarness) -> None:
    x.credit(NEWCOMER, BTC, 10 * LOT)
    x.credit(NEWCOMER, USDC, 100_000_000)
    x.sell(MAKER, PRICE, 1)
    x.buy(NEWCOMER, PRICE, 1)
    x.apply(c.Debit(next(x.inbox_ids), NEWCOMER, BTC, 11 * LOT, "", "out"))
    assert undone(x.uncredit(NEWCOMER, BTC, 5)) == []
    assert x.parts(NEWCOMER, BTC)[4] == 5


def test_a_counterparty_that_spent_the_proceeds_is_reversed_later_trades_only(x: EngineHarness) -> None:
    """NEWCOMER's BTC goes to SECOND, who sells it on to OTHER; an earlier sale of SECOND stays."""
    x.credit(SECOND, USDC, 60_000_000)
    x.credit(SECOND, BTC, 5 * LOT)
    x.credit(NEWCOMER, BTC, 10 * LOT)
    x.sell(SECOND, PRICE, 5)
    x.buy(OTHER, PRICE, 5)
    x.sell(NEWCOMER, PRICE, 10)
    x.buy(SECOND, PRICE, 10)
    x.sell(SECOND, PRICE, 10)
    x.buy(OTHER, PRICE, 10)
    events = x.uncredit(NEWCOMER, BTC, 10 * LOT)
    assert undone(events) == [(2, 0), (3, 2)]
    assert x.parts(NEWCOMER, BTC) == (0, 0, 0, 0, 0)
    assert x.parts(SECOND, BTC) == (0, 0, 0, 0, 0)
    assert x.parts(OTHER, BTC)[0] == 1_000_000_000 + 5 * LOT


def test_a_counterpartys_orders_give_way_before_its_trades(x: EngineHarness) -> None:
    x.credit(SECOND, USDC, 110_000_000)
    x.credit(NEWCOMER, BTC, 10 * LOT)
    x.sell(NEWCOMER, PRICE, 10)
    x.buy(SECOND, PRICE, 10)
    x.sell(SECOND, PRICE + 10, 5)
    holding = x.engine.seq
    x.buy(SECOND, PRICE - 10, 1)
    x.sell(SECOND, PRICE + 20, 5)
    events = x.uncredit(NEWCOMER, BTC, 10 * LOT)
    assert undone(events) == [(1, 0)]
    assert [order_id for order_id, _ in reasons(events)] == [holding, holding + 2]
    assert len(x.engine.open_orders(SECOND)) == 1


def test_the_keepers_reversal_reaches_cut_trades_that_spent_the_proceeds(x: EngineHarness) -> None:
    x.credit(SECOND, USDC, 60_000_000)
    x.credit(NEWCOMER, BTC, 10 * LOT)
    x.sell(NEWCOMER, PRICE, 10)
    x.buy(SECOND, PRICE, 10)
    x.sell(SECOND, PRICE, 10)
    x.buy(OTHER, PRICE, 10)
    x.cut(1)
    assert undone(x.reverse(1)) == [(1, 0), (2, 1)]
    assert x.parts(SECOND, BTC) == (0, 0, 0, 0, 0)
    assert x.parts(SECOND, USDC) == (60_000_000, 0, 0, 0, 0)


def test_proceeds_spent_for_good_leave_a_deficit_that_blocks(x: EngineHarness) -> None:
    """SECOND bought in a batch that is not final, and withdrew on chain by force what it got."""
    x.credit(SECOND, USDC, 60_000_000)
    x.sell(MAKER, PRICE, 10)
    x.buy(SECOND, PRICE, 10)
    x.apply(c.Debit(next(x.inbox_ids), SECOND, BTC, 10 * LOT, "", "claimed"))
    x.sell(MAKER, PRICE + 10, 1)
    x.buy(SECOND, PRICE - 10, 1)
    assert len(x.engine.open_orders(SECOND)) == 1
    events = x.reverse(1)
    assert x.parts(SECOND, BTC)[4] == 10 * LOT
    assert x.engine.open_orders(SECOND) == []
    assert [event.status for event in only(events, e.AccountChanged)] == ["blocked"]


def test_a_reversal_pays_back_into_a_deficit_first(x: EngineHarness) -> None:
    x.credit(NEWCOMER, BTC, 20 * LOT)
    x.sell(NEWCOMER, PRICE, 10)
    x.buy(TAKER, PRICE, 10)
    x.cut(1)
    x.uncredit(NEWCOMER, BTC, 20 * LOT)
    assert x.parts(NEWCOMER, BTC)[4] == 10 * LOT
    x.reverse(1)
    assert x.parts(NEWCOMER, BTC) == (0, 0, 0, 0, 0)
    account = x.engine.account(NEWCOMER)
    assert account is not None
    assert account.status == "active"


def test_the_fee_account_returns_what_it_collected(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, PRICE, 10)
    x.apply(c.Debit(next(x.inbox_ids), FEES, USDC, 5_000, "", "out"))
    x.reverse(1)
    assert x.parts(FEES, USDC) == (0, 0, 0, 0, 5_000)


def test_fees_repay_the_fee_accounts_deficit_first(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, PRICE, 10)
    x.apply(c.Debit(next(x.inbox_ids), FEES, USDC, 5_000, "", "out"))
    x.reverse(1)
    x.sell(MAKER, PRICE, 10)
    events = x.buy(TAKER, PRICE, 10)
    assert x.parts(FEES, USDC) == (30_000, 0, 0, 35_000, 0)
    assert [event.status for event in only(events, e.AccountChanged)] == ["active"]
