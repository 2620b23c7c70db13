"""Orders that show a part of what they are: the next part joins the end of the queue."""

from __future__ import annotations

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.order import SINGLE_FILL, SelfTrade, Side, Terms, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from tests.utils.engine import BTC, MAKER, OTHER, TAKER, EngineHarness, only, reasons

PRICE = 5_000_000


def iceberg(
    x: EngineHarness, lots: int, shown: int, account: bytes = MAKER, price: int = PRICE, nonce: int | None = None
) -> int:
    """A sell order that shows a part; its id."""
    x.sell(account, price, lots, terms=Terms(displayed_quantity=shown).pack(), nonce=nonce)
    return x.engine.seq


def fills(events: list[e.Event]) -> list[tuple[int, int]]:
    return [(t.maker_order, t.quantity) for t in only(events, e.TradeMatched)]


def test_the_book_shows_a_part_and_everything_is_held(x: EngineHarness) -> None:
    iceberg(x, 100, 10)
    assert x.book() == ([], [(PRICE, 10)])
    assert x.parts(MAKER, BTC)[1] == 1_000_000
    assert x.engine.open_orders(MAKER)[0].remaining == 100


def test_the_next_part_joins_the_end_of_the_queue(x: EngineHarness) -> None:
    first = iceberg(x, 25, 10)
    x.sell(OTHER, PRICE, 8)
    plain = x.engine.seq
    events = x.buy(TAKER, PRICE, 30)
    assert fills(events) == [(first, 10), (plain, 8), (first, 10), (first, 2)]
    assert x.book() == ([], [(PRICE, 3)])
    assert [level.quantity for level in only(events, e.LevelChanged)] == [3]
    assert fills(x.buy(TAKER, PRICE, 3)) == [(first, 3)]


def test_a_part_that_is_partly_taken_keeps_its_place(x: EngineHarness) -> None:
    first = iceberg(x, 25, 10)
    x.sell(OTHER, PRICE, 8)
    x.buy(TAKER, PRICE, 9)
    assert x.book() == ([], [(PRICE, 9)])
    assert fills(x.buy(TAKER, PRICE, 2)) == [(first, 1), (first + 1, 1)]
    assert x.book() == ([], [(PRICE, 17)])


def test_several_take_turns(x: EngineHarness) -> None:
    one, two = iceberg(x, 6, 2), iceberg(x, 9, 3, OTHER)
    assert fills(x.buy(TAKER, PRICE, 14)) == [(one, 2), (two, 3), (one, 2), (two, 3), (one, 2), (two, 2)]


def test_it_takes_whole_when_it_comes_in(x: EngineHarness) -> None:
    x.buy(TAKER, PRICE, 30)
    x.sell(MAKER, PRICE, 50, terms=Terms(displayed_quantity=5).pack())
    assert x.book() == ([], [(PRICE, 5)])
    assert x.engine.open_orders(MAKER)[0].hidden == 15


def test_a_rest_that_is_no_more_than_its_part_is_shown_whole(x: EngineHarness) -> None:
    x.buy(TAKER, PRICE, 47)
    x.sell(MAKER, PRICE, 50, terms=Terms(displayed_quantity=5).pack())
    assert x.book() == ([], [(PRICE, 3)])


def test_a_fok_counts_what_is_hidden_and_how_often_it_is_met(x: EngineHarness) -> None:
    iceberg(x, 30, 10)
    assert reasons(x.buy(TAKER, PRICE, 31, tif=TimeInForce.fok)) == [(x.engine.seq, "fok_unfilled")]
    x.apply(c.SetLimits(0, 1_000, 2))
    assert reasons(x.buy(TAKER, PRICE, 21, tif=TimeInForce.fok)) == [(x.engine.seq, "too_many_fills")]
    assert len(fills(x.buy(TAKER, PRICE, 20, tif=TimeInForce.fok))) == 2
    x.sell(OTHER, PRICE, 10)
    assert reasons(x.buy(TAKER, PRICE, 20, tif=TimeInForce.fok))[-1] == (x.engine.seq, "filled")


def test_a_buy_for_quote_and_a_preview_see_what_is_hidden(x: EngineHarness) -> None:
    iceberg(x, 30, 10)
    order = x.order(TAKER, Side.buy_quote, PRICE, 25 * PRICE + 1, tif=TimeInForce.ioc, nonce=SINGLE_FILL | 5)
    said = x.engine.preview(x.at_ms, order.order)
    assert said.fills == 25
    assert sum(lots for _, lots in fills(x.apply(order))) == 25


def test_its_own_account_meets_what_it_shows(x: EngineHarness) -> None:
    own = iceberg(x, 12, 5, TAKER)
    x.sell(MAKER, PRICE, 4)
    events = x.buy(TAKER, PRICE, 10, self_trade=SelfTrade.decrement)
    assert [(r.order_id, r.quantity) for r in only(events, e.OrderReduced)][::2] == [(own, 5), (own, 1)]
    assert fills(events) == [(own + 1, 4)]
    assert x.book() == ([], [(PRICE, 4)])


def test_a_cancel_takes_all_of_it_out(x: EngineHarness) -> None:
    iceberg(x, 25, 10, nonce=900)
    x.buy(TAKER, PRICE, 10)
    events = x.apply(c.CancelOrder(MAKER, 900, b"", MAKER))
    assert only(events, e.OrderClosed)[0].remaining == 15
    assert x.book() == ([], [])
    assert x.parts(MAKER, BTC)[1] == 0


@pytest.mark.parametrize("taken", [3, 10, 14, 18, 22])
def test_a_snapshot_keeps_its_place_and_what_it_shows(x: EngineHarness, taken: int) -> None:
    iceberg(x, 25, 10)
    x.sell(OTHER, PRICE, 8)
    iceberg(x, 9, 4, OTHER)
    x.buy(TAKER, PRICE, taken)
    copy = Engine.load(x.engine.dump())
    assert copy.state_hash() == x.engine.state_hash()
    order = x.order(TAKER, Side.buy, PRICE, 15)
    assert copy.apply(x.engine.seq + 1, x.at_ms, order) == x.apply(order)
    leaves = c.SetExiting(next(x.inbox_ids), OTHER, True)
    assert copy.apply(x.engine.seq + 1, x.at_ms, leaves) == x.apply(leaves)


def test_an_order_shows_at_least_a_hundredth(x: EngineHarness) -> None:
    iceberg(x, 1_000, 10)
    order = x.order(MAKER, Side.sell, PRICE, 1_001, terms=Terms(displayed_quantity=10).pack())
    assert x.refuse(order, ErrorCode.terms_conflict).field == "displayed_quantity"


def test_an_own_order_is_passed_over_once_whatever_it_hides(x: EngineHarness) -> None:
    """A fill-or-kill that cancels its account's own orders looks at each of them one time."""
    own = iceberg(x, 1_000, 10, TAKER)
    x.sell(OTHER, PRICE, 8)
    visits = list(x.engine.state.books[1].asks.levels[-PRICE].visits(once=x.engine.account(TAKER)))
    assert [(order.order_id, shown) for order, shown in visits] == [(own, 10), (own + 1, 8)]
    assert len(list(x.engine.state.books[1].asks.levels[-PRICE].visits())) == 101
    terms = Terms(TimeInForce.fok, self_trade=SelfTrade.cancel_maker)
    assert fills(x.buy(TAKER, PRICE, 8, terms=terms.pack())) == [(own + 1, 8)]


def test_a_preview_looks_at_so_many_parts_and_no_more(x: EngineHarness) -> None:
    for nonce in range(30):
        iceberg(x, 100, 1, TAKER, nonce=1_000 + nonce)
    x.sell(OTHER, PRICE, 8)
    terms = Terms(TimeInForce.ioc, self_trade=SelfTrade.decrement)
    assert x.engine.preview(x.at_ms, x.order(TAKER, Side.buy, PRICE, 900, terms=terms.pack()).order).fills == 8
    x.apply(c.SetLimits(0, 60, 20))
    assert x.engine.preview(x.at_ms, x.order(TAKER, Side.buy, PRICE, 900, terms=terms.pack()).order).fills == 8
    for nonce in range(30):
        iceberg(x, 100, 1, TAKER, PRICE - 10, nonce=2_000 + nonce)
    assert x.engine.preview(x.at_ms, x.order(TAKER, Side.buy, PRICE, 900, terms=terms.pack()).order).fills == 0
