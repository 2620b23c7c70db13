"""Cancels: signed ones, and those that the chain orders."""

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.order import NONCE_LIMIT, SINGLE_FILL, Side, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.control import DELEGATED_NONCE_SLACK, MAX_NONCE_STEP
from tests.utils.engine import BTC, DELEGATE, MAKER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000
NEWCOMER = b"\x77" * 20


def test_a_cancel_releases_the_hold(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 100, nonce=5)
    events = x.apply(c.CancelOrder(MAKER, 5, b"", MAKER))
    assert [event.reason for event in only(events, e.OrderClosed)] == [e.CloseReason.cancelled]
    assert only(events, e.OrderClosed)[0].remaining == 100
    assert x.parts(MAKER, USDC)[:2] == (10_000_000_000, 0)


def test_a_cancel_names_its_own_accounts_order(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1, nonce=5)
    x.refuse(c.CancelOrder(TAKER, 5, b"", TAKER), ErrorCode.unknown_order)
    x.refuse(c.CancelOrder(NEWCOMER, 5, b"", NEWCOMER), ErrorCode.unknown_account)
    x.refuse(c.CancelOrder(MAKER, 6, b"", MAKER), ErrorCode.unknown_order)
    x.apply(c.CancelOrder(MAKER, 5, b"", MAKER))
    x.refuse(c.CancelOrder(MAKER, 5, b"", MAKER), ErrorCode.order_closed)


def test_an_order_in_the_middle_of_its_queue_leaves_the_others_in_place(x: EngineHarness) -> None:
    ids = {}
    for nonce in (101, 102, 103):
        x.sell(MAKER, PRICE, 1, nonce=nonce)
        ids[nonce] = x.engine.seq
    x.apply(c.CancelOrder(MAKER, 102, b"", MAKER))
    assert [t.maker_order for t in only(x.buy(TAKER, PRICE, 2), e.TradeMatched)] == [ids[101], ids[103]]


def test_cancel_all_closes_below_the_minimum_and_refuses_such_nonces_for_ever(x: EngineHarness) -> None:
    for nonce in (10, 20, 30):
        x.buy(MAKER, PRICE, 1, nonce=nonce)
    events = x.apply(c.CancelAll(MAKER, 30, b"", MAKER))
    assert len(reasons(events)) == 2
    account = x.engine.account(MAKER)
    assert account is not None
    assert events[-1] == e.AccountChanged(account.account_id, "active", 30)
    assert x.refuse(x.order(MAKER, Side.buy, PRICE, 1, nonce=29), ErrorCode.nonce_too_low).params == {"min_nonce": "30"}
    x.refuse(c.CancelAll(MAKER, 30, b"", MAKER), ErrorCode.nonce_too_low)
    x.refuse(c.CancelAll(MAKER, NONCE_LIMIT + 1, b"", MAKER), ErrorCode.nonce_out_of_range)
    x.buy(MAKER, PRICE, 1, nonce=31)
    assert [order.placed.order.nonce for order in x.engine.open_orders(MAKER)] == [30, 31]


def test_a_delegated_key_cannot_use_up_the_nonces(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 1, nonce=NONCE_LIMIT - 1, scheme=1, signer=DELEGATE)
    highest = x.at_ms + DELEGATED_NONCE_SLACK
    for min_nonce in (highest + 1, NONCE_LIMIT - 1, NONCE_LIMIT):
        refusal = x.refuse(c.CancelAll(MAKER, min_nonce, b"", DELEGATE), ErrorCode.nonce_out_of_range)
        assert (refusal.field, refusal.params) == ("min_nonce", {"max": str(highest)})
    x.apply(c.CancelAll(MAKER, highest, b"", DELEGATE))
    x.refuse(c.CancelAll(MAKER, highest + 1, b"", DELEGATE), ErrorCode.nonce_out_of_range)
    x.buy(MAKER, PRICE - 10, 1, nonce=highest)


def test_a_delegated_key_follows_the_nonces_that_the_account_itself_uses(x: EngineHarness) -> None:
    used = x.at_ms * 5
    x.sell(MAKER, PRICE, 1, nonce=used)
    x.buy(TAKER, PRICE, 1, nonce=SINGLE_FILL | used, tif=TimeInForce.ioc)
    copy = x.replay()
    for account in (MAKER, TAKER):
        x.apply(c.CancelAll(account, used + 1, b"", DELEGATE))
        copy.apply(x.engine.seq, x.at_ms, c.CancelAll(account, used + 1, b"", DELEGATE))
    assert copy.dump() == x.engine.dump()
    x.refuse(c.CancelAll(MAKER, used + DELEGATED_NONCE_SLACK + 1, b"", DELEGATE), ErrorCode.nonce_out_of_range)


def test_the_account_itself_raises_its_minimum_as_far_as_the_contract_lets_it(x: EngineHarness) -> None:
    x.refuse(c.CancelAll(MAKER, MAX_NONCE_STEP, b"", MAKER), ErrorCode.nonce_out_of_range)
    for step in range(1, 17):
        x.apply(c.CancelAll(MAKER, step * (MAX_NONCE_STEP - 1), b"", MAKER))
    x.refuse(c.CancelAll(MAKER, NONCE_LIMIT, b"", MAKER), ErrorCode.nonce_out_of_range)


def test_a_cancel_on_chain_is_obeyed_before_and_after_its_order(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1, nonce=10)
    order_id = x.engine.seq
    assert reasons(x.apply(c.ObeyCancel(next(x.inbox_ids), MAKER, 10, 0))) == [(order_id, "cancelled_on_chain")]
    x.apply(c.ObeyCancel(next(x.inbox_ids), MAKER, 11, 0))
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1, nonce=11), ErrorCode.nonce_used)
    x.apply(c.ObeyCancel(next(x.inbox_ids), MAKER, 10, 0))


def test_a_minimum_nonce_on_chain_is_obeyed_and_never_lowered(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1, nonce=10)
    assert [reason for _, reason in reasons(x.apply(c.ObeyCancel(next(x.inbox_ids), MAKER, 0, 20)))] == [
        "cancelled_on_chain"
    ]
    assert x.apply(c.ObeyCancel(next(x.inbox_ids), MAKER, 0, 15)) == []
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1, nonce=SINGLE_FILL | 19, tif=TimeInForce.ioc), ErrorCode.nonce_too_low)


def test_a_stranger_who_cancels_on_chain_is_obeyed_when_money_comes(x: EngineHarness) -> None:
    x.apply(c.ObeyCancel(next(x.inbox_ids), NEWCOMER, 4, 0))
    x.credit(NEWCOMER, BTC, 1_000_000)
    x.refuse(x.order(NEWCOMER, Side.sell, PRICE, 1, nonce=4), ErrorCode.nonce_used)


def test_a_revoked_delegate_loses_its_orders_and_places_no_more(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1, scheme=1, signer=DELEGATE, nonce=50)
    delegated = x.engine.seq
    x.buy(MAKER, PRICE, 1, nonce=51)
    assert reasons(x.apply(c.ObeyRevocation(next(x.inbox_ids), MAKER, DELEGATE))) == [(delegated, "delegate_revoked")]
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1, scheme=1, signer=DELEGATE), ErrorCode.unknown_delegate)
    x.refuse(c.CancelOrder(MAKER, 51, b"", DELEGATE), ErrorCode.unknown_delegate)
    x.refuse(c.CancelAll(MAKER, 52, b"", DELEGATE), ErrorCode.unknown_delegate)
    x.buy(TAKER, PRICE, 1, scheme=1, signer=DELEGATE)
    x.apply(c.AllowDelegate(next(x.inbox_ids), MAKER, DELEGATE))
    x.buy(MAKER, PRICE, 1, scheme=1, signer=DELEGATE)
    assert x.apply(c.AllowDelegate(next(x.inbox_ids), NEWCOMER, DELEGATE)) == []


def test_a_delegate_revoked_before_anybody_knew_it_places_nothing(x: EngineHarness) -> None:
    assert x.apply(c.ObeyRevocation(next(x.inbox_ids), MAKER, DELEGATE)) == []
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1, scheme=1, signer=DELEGATE), ErrorCode.unknown_delegate)
    x.apply(c.ObeyRevocation(next(x.inbox_ids), NEWCOMER, DELEGATE))
    x.credit(NEWCOMER, BTC, 1_000_000)
    x.refuse(x.order(NEWCOMER, Side.sell, PRICE, 1, scheme=1, signer=DELEGATE), ErrorCode.unknown_delegate)


def test_an_account_that_its_owner_froze_stops_until_it_has_thawed(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1)
    order_id = x.engine.seq
    events = x.apply(c.SetFrozen(next(x.inbox_ids), MAKER, True))
    assert reasons(events) == [(order_id, "account_frozen")]
    assert only(events, e.AccountChanged)[0].status == "frozen"
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1), ErrorCode.account_frozen)
    x.refuse(x.hold(MAKER, USDC, 1), ErrorCode.account_frozen)
    assert x.replay().dump() == x.engine.dump()
    [changed] = only(x.apply(c.SetFrozen(next(x.inbox_ids), MAKER, False)), e.AccountChanged)
    assert changed.status == "active"
    x.buy(MAKER, PRICE, 1)


def test_a_frozen_account_that_leaves_is_leaving_and_then_frozen(x: EngineHarness) -> None:
    x.apply(c.SetFrozen(next(x.inbox_ids), MAKER, True))
    [left] = only(x.apply(c.SetExiting(next(x.inbox_ids), MAKER, True)), e.AccountChanged)
    [stayed] = only(x.apply(c.SetExiting(next(x.inbox_ids), MAKER, False)), e.AccountChanged)
    assert (left.status, stayed.status) == ("exiting", "frozen")


@pytest.mark.parametrize("back", [True, False])
def test_an_account_that_leaves_stops_and_may_come_back(x: EngineHarness, back: bool) -> None:
    x.buy(MAKER, PRICE, 1)
    order_id = x.engine.seq
    events = x.apply(c.SetExiting(next(x.inbox_ids), MAKER, True))
    assert reasons(events) == [(order_id, "account_exiting")]
    assert only(events, e.AccountChanged)[0].status == "exiting"
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1), ErrorCode.account_exiting)
    x.refuse(x.hold(MAKER, USDC, 1), ErrorCode.account_exiting)
    assert x.engine.withdrawable(MAKER, USDC) == 0
    if back:
        x.apply(c.SetExiting(next(x.inbox_ids), MAKER, False))
        x.buy(MAKER, PRICE, 1)
