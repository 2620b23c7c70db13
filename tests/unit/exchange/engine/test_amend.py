"""Another signed order takes the place of the open one on its nonce."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import SINGLE_FILL, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import BTC, ETH_USDC, MAKER, OTHER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000


def amended(x: EngineHarness, account: bytes = MAKER, place: int = 0, **changes: Any) -> c.AmendOrder:
    """Another order on the nonce of an open one, with changes."""
    signed = x.engine.open_orders(account)[place].placed.order
    order = replace(signed, **changes)
    return c.AmendOrder(order, keccak(repr(order).encode()), 0, b"\x07" * 65, account)


def fills(events: list[e.Event]) -> list[tuple[int, int]]:
    return [(t.maker_order, t.quantity) for t in only(events, e.TradeMatched)]


def test_another_price_moves_it_to_the_end_of_that_queue(x: EngineHarness) -> None:
    x.sell(OTHER, PRICE, 5)
    x.sell(MAKER, PRICE + 10, 5)
    old = x.engine.seq
    events = x.apply(amended(x, price=PRICE))
    assert only(events, e.OrderAmended)[0] == e.OrderAmended(x.engine.seq, 2, 1, old, 5, False)
    assert reasons(events) == [(old, "amended")]
    assert x.book() == ([], [(PRICE, 10)])
    assert fills(x.buy(TAKER, PRICE, 6)) == [(old - 1, 5), (old + 1, 1)]


def test_less_at_the_same_price_keeps_its_place(x: EngineHarness) -> None:
    for account in (MAKER, OTHER, TAKER):
        x.sell(account, PRICE, 10)
    first = x.engine.seq - 2
    events = x.apply(amended(x, OTHER, quantity=4, expiry=x.now + 60))
    assert only(events, e.OrderAmended)[0].kept_place
    new = x.engine.seq
    assert x.book() == ([], [(PRICE, 24)])
    assert x.parts(OTHER, BTC)[1] == 40_000
    x.validate()
    x.credit(b"\x0b" * 20, USDC, 10**9)
    assert fills(x.buy(b"\x0b" * 20, PRICE, 15)) == [(first, 10), (new, 4), (first + 2, 1)]


@pytest.mark.parametrize("changes", [{"quantity": 11}, {"terms": Terms(post_only=True).pack()}])
def test_more_or_other_terms_lose_the_place(x: EngineHarness, changes: dict[str, Any]) -> None:
    x.sell(MAKER, PRICE, 10)
    x.sell(OTHER, PRICE, 10)
    other = x.engine.seq
    assert not only(x.apply(amended(x, **changes)), e.OrderAmended)[0].kept_place
    assert fills(x.buy(TAKER, PRICE, 1)) == [(other, 1)]


def test_what_was_filled_counts_for_the_new_order(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, PRICE, 6)
    x.apply(amended(x, quantity=8, price=PRICE + 10))
    assert x.engine.open_orders(MAKER)[0].remaining == 2
    assert x.parts(MAKER, BTC)[1] == 20_000
    x.apply(amended(x, quantity=20))
    assert x.book() == ([], [(PRICE + 10, 14)])
    refusal = x.refuse(amended(x, quantity=6), ErrorCode.amount_out_of_range)
    assert (refusal.field, refusal.params) == ("quantity", {"used": "6"})
    assert reasons(x.buy(TAKER, PRICE + 10, 14))[0] == (x.engine.seq - 1, "filled")


def test_it_takes_when_its_new_price_crosses(x: EngineHarness) -> None:
    x.sell(OTHER, PRICE + 10, 4)
    x.buy(MAKER, PRICE, 10)
    events = x.apply(amended(x, price=PRICE + 10))
    assert fills(events) == [(x.engine.seq - 2, 4)]
    assert x.book() == ([(PRICE + 10, 6)], [])


def test_its_own_hold_pays_for_it(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 100)
    x.apply(x.hold(MAKER, USDC, x.parts(MAKER, USDC)[0]))
    x.refuse(amended(x, quantity=101), ErrorCode.insufficient_balance)
    x.refuse(amended(x, price=PRICE + 10), ErrorCode.insufficient_balance)
    x.apply(amended(x, price=PRICE - 10))
    assert x.book() == ([(PRICE - 10, 100)], [])


def test_who_comes_too_late_is_refused_and_nothing_changes(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10, expiry=x.now + 60)
    late = amended(x, price=PRICE + 10, expiry=x.now + 3_600)
    x.at_ms += 61_000
    assert x.refuse(late, ErrorCode.order_closed).field == "nonce"
    x.apply(c.Tick())
    x.refuse(late, ErrorCode.order_closed)
    x.sell(MAKER, PRICE, 10)
    late = amended(x, price=PRICE + 10)
    x.buy(TAKER, PRICE, 10)
    x.refuse(late, ErrorCode.order_closed)
    x.sell(MAKER, PRICE, 10)
    late = amended(x, price=PRICE + 10)
    x.at_ms += 1
    x.apply(c.SetCountdown(MAKER, 1, x.at_ms, b"", MAKER))
    x.at_ms += 2_000
    x.refuse(late, ErrorCode.order_closed)


def test_only_an_order_of_the_same_kind_is_replaced(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    x.refuse(amended(x, side=Side.buy), ErrorCode.terms_conflict)
    x.refuse(amended(x, market=ETH_USDC, price=3_000_000), ErrorCode.terms_conflict)
    x.refuse(amended(x, nonce=77), ErrorCode.unknown_order)
    x.refuse(amended(x, price=PRICE + 1), ErrorCode.price_off_tick)
    placed = x.order(MAKER, Side.sell, PRICE + 10, 10, nonce=x.engine.open_orders(MAKER)[0].placed.order.nonce)
    x.refuse(placed, ErrorCode.nonce_used)


def test_the_same_amend_again_is_a_duplicate(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    amend = amended(x, price=PRICE + 10)
    x.apply(amend)
    assert x.engine.find_duplicate(amend) == x.engine.seq


def test_it_counts_once_among_the_open_orders(x: EngineHarness) -> None:
    x.apply(c.SetLimits(0, 1, 200))
    x.sell(MAKER, PRICE, 10)
    x.apply(amended(x, price=PRICE + 10))
    x.refuse(x.order(MAKER, Side.sell, PRICE, 10), ErrorCode.too_many_open_orders)


def test_a_part_that_is_shown_stays_and_hidden_lots_go_first(x: EngineHarness) -> None:
    terms = Terms(displayed_quantity=10).pack()
    x.sell(MAKER, PRICE, 100, terms=terms)
    x.sell(OTHER, PRICE, 5)
    x.apply(amended(x, quantity=30))
    new = x.engine.seq
    assert x.book() == ([], [(PRICE, 15)])
    assert x.engine.open_orders(MAKER)[0].hidden == 20
    assert fills(x.buy(TAKER, PRICE, 16)) == [(new, 10), (new - 1, 5), (new, 1)]


def test_a_waiting_order_waits_for_what_the_new_one_says(x: EngineHarness) -> None:
    terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
    x.sell(TAKER, PRICE - 900, 10, terms=terms, trigger_price=PRICE - 100, nonce=SINGLE_FILL | 9)
    x.apply(amended(x, TAKER, trigger_price=PRICE - 200, quantity=20))
    new = x.engine.seq
    assert (x.engine.waiting, x.parts(TAKER, BTC)[1]) == (1, 200_000)
    x.sell(MAKER, PRICE - 100, 2)
    x.buy(OTHER, PRICE - 100, 2)
    assert x.turns() == []
    x.sell(MAKER, PRICE - 200, 2)
    x.buy(OTHER, PRICE - 200, 2)
    assert [event.order_id for event in only(x.turns(), e.OrderTriggered)] == [new]


def test_a_schedule_that_came_since_holds_more_or_is_refused(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 10, max_fee_bps=100)
    x.apply(c.AnnounceFees(next(x.inbox_ids), 1, 0, ((5_000, 9_000),), 0))
    x.refuse(amended(x, quantity=9, max_fee_bps=10), ErrorCode.fee_cap_too_low)
    assert only(x.apply(amended(x, quantity=10, expiry=x.now + 60)), e.OrderAmended)[0].kept_place
    assert x.parts(MAKER, USDC)[1] == 10 * PRICE + 10 * PRICE * 9_000 // 1_000_000


def test_an_order_that_was_replaced_does_not_come_back(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 10)
    first = x.engine.open_orders(MAKER)[0].placed
    again = c.AmendOrder(first.order, first.order_hash, first.scheme, first.signature, first.signer)
    x.refuse(again, ErrorCode.nonce_used)
    x.apply(amended(x, quantity=8))
    x.refuse(again, ErrorCode.nonce_used)
    x.apply(amended(x, price=PRICE + 10))
    x.refuse(again, ErrorCode.nonce_used)
    x.validate()
    loaded = type(x.engine).load(x.engine.dump())
    with pytest.raises(Refusal) as caught:
        loaded.apply(loaded.seq + 1, x.at_ms, again)
    assert caught.value.code == ErrorCode.nonce_used
    x.apply(c.CancelOrder(MAKER, first.order.nonce, b"", MAKER))
    assert x.engine.state.replaced == {}


@pytest.mark.parametrize("ended", ["filled", "cut short"])
def test_what_is_remembered_of_a_nonce_ends_with_its_order(x: EngineHarness, ended: str) -> None:
    x.buy(OTHER, PRICE, 5)
    x.sell(MAKER, PRICE + 10, 5)
    terms = Terms().pack() if ended == "filled" else Terms(post_only=True).pack()
    x.apply(amended(x, price=PRICE, terms=terms))
    assert not x.engine.open_orders(MAKER)
    assert x.engine.state.replaced == {}


def test_a_nonce_is_amended_so_often_and_no_more(x: EngineHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.engine.risk.MAX_AMENDS", 2)
    x.sell(MAKER, PRICE, 10)
    x.apply(amended(x, quantity=9))
    x.apply(amended(x, quantity=8))
    x.refuse(amended(x, quantity=7), ErrorCode.nonce_used)


def test_those_behind_keep_their_places_over_a_snapshot(x: EngineHarness) -> None:
    for account in (MAKER, OTHER, MAKER, OTHER):
        x.sell(account, PRICE, 10)
        x.sell(account, PRICE + 10, 10)
    x.apply(amended(x, MAKER, quantity=4))
    loaded = type(x.engine).load(x.engine.dump())
    assert loaded.dump() == x.engine.dump()
    for account in (MAKER, OTHER):
        before = [order.order_id for order in x.engine.open_orders(account)]
        assert [order.order_id for order in loaded.open_orders(account)] == before
    queue = [order.order_id for level in x.engine.state.books[1].asks for order in level]
    assert [order.order_id for level in loaded.state.books[1].asks for order in level] == queue
    assert queue[0] == x.engine.seq
