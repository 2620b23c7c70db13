"""Money in and out: credits, fast and forced withdrawals, debits; the sum moves only with the chain."""

import pytest

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Side
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.custody import MAX_HOLDS
from exchange.engine.engine import Engine
from tests.utils.engine import BTC, FEES, MAKER, OTHER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000
ALL_USDC = 10_000_000_000
ALL_BTC = 1_000_000_000
NEWCOMER = b"\x77" * 20


def test_a_credit_opens_the_account_and_is_available(x: EngineHarness) -> None:
    events = x.credit(NEWCOMER, USDC, 5)
    account = x.engine.account(NEWCOMER)
    assert account is not None
    assert events == [
        e.AccountOpened(account.account_id, NEWCOMER),
        e.Credited(account.account_id, USDC, 5, "deposit"),
        e.BalanceChanged(account.account_id, USDC, 5, 0, 0, 0, 0),
    ]


@pytest.mark.parametrize(
    ("asset", "amount", "code"),
    [
        (1 << 32, 1, ErrorCode.unknown_asset),
        (USDC, 0, ErrorCode.amount_out_of_range),
        (USDC, MAX_AMOUNT + 1, ErrorCode.amount_out_of_range),
        (USDC, MAX_AMOUNT, ErrorCode.amount_out_of_range),
    ],
)
def test_a_credit_out_of_range_is_refused(x: EngineHarness, asset: int, amount: int, code: ErrorCode) -> None:
    x.refuse(c.Credit(next(x.inbox_ids), NEWCOMER, asset, amount, ""), code)


def test_an_inbox_id_is_applied_once_and_in_order(x: EngineHarness) -> None:
    x.apply(c.Credit(1_000, MAKER, USDC, 1, ""))
    assert x.engine.inbox_id == 1_000
    assert x.refuse(c.Credit(1_000, MAKER, USDC, 1, ""), ErrorCode.inbox_out_of_order).params == {"last": "1000"}
    x.refuse(c.Credit(999, MAKER, USDC, 1, ""), ErrorCode.inbox_out_of_order)
    x.refuse(c.Credit(1_001, MAKER, 1 << 32, 1, ""), ErrorCode.unknown_asset)
    x.apply(c.Credit(1_002, MAKER, USDC, 1, ""))
    x.inbox_ids = iter(range(1_003, 2_000))  # type: ignore[assignment]


def test_a_fast_withdrawal_is_held_then_consumed(x: EngineHarness) -> None:
    command = x.hold(MAKER, USDC, 1_000)
    held = only(x.apply(command), e.WithdrawalHeld)[0]
    assert (held.amount, held.withdrawal_hash) == (1_000, command.withdrawal_hash)
    assert x.parts(MAKER, USDC) == (ALL_USDC - 1_000, 0, 1_000, 0, 0)
    before = x.engine.state.issued[USDC]
    events = x.apply(c.ConsumeWithdrawal(next(x.inbox_ids), command.withdrawal_hash, "log"))
    assert only(events, e.WithdrawalEnded) == [e.WithdrawalEnded(command.withdrawal_hash, "consumed", "log")]
    assert only(events, e.Debited)[0].amount == 1_000
    assert x.parts(MAKER, USDC) == (ALL_USDC - 1_000, 0, 0, 0, 0)
    assert x.engine.state.issued[USDC] == before - 1_000


def test_a_fast_withdrawal_that_lapsed_is_released_and_its_nonce_stays_used(x: EngineHarness) -> None:
    command = x.hold(MAKER, USDC, 1_000)
    x.apply(command)
    events = x.apply(c.ReleaseWithdrawal(next(x.inbox_ids), command.withdrawal_hash, "deadline"))
    assert only(events, e.WithdrawalEnded)[0].outcome == "released"
    assert x.parts(MAKER, USDC) == (ALL_USDC, 0, 0, 0, 0)
    x.refuse(command, ErrorCode.nonce_used)
    release = c.ReleaseWithdrawal(next(x.inbox_ids), command.withdrawal_hash, "again")
    x.refuse(release, ErrorCode.unknown_withdrawal)


def test_a_fast_withdrawal_is_refused(x: EngineHarness) -> None:
    x.apply(x.hold(MAKER, USDC, 1, nonce=1))
    x.refuse(x.hold(MAKER, USDC, 1, nonce=1), ErrorCode.duplicate_withdrawal)
    x.refuse(x.hold(MAKER, BTC, 1, nonce=1), ErrorCode.nonce_used)
    x.refuse(x.hold(MAKER, USDC, 1, nonce=1 << 64), ErrorCode.nonce_out_of_range)
    x.refuse(x.hold(MAKER, USDC, 1, nonce=2, deadline=x.now), ErrorCode.withdrawal_deadline)
    x.refuse(x.hold(MAKER, USDC, ALL_USDC, nonce=2), ErrorCode.insufficient_balance)
    x.refuse(x.hold(NEWCOMER, USDC, 1, nonce=2), ErrorCode.unknown_account)
    x.refuse(x.hold(MAKER, 9, 1, nonce=2), ErrorCode.unknown_asset)
    x.refuse(x.hold(MAKER, USDC, 0, nonce=2), ErrorCode.amount_out_of_range)


def test_an_account_holds_a_bounded_number_of_fast_withdrawals(x: EngineHarness) -> None:
    for nonce in range(MAX_HOLDS):
        x.apply(x.hold(MAKER, (USDC, BTC)[nonce % 2], 1, nonce=nonce))
    refusal = x.refuse(x.hold(MAKER, USDC, 1, nonce=99), ErrorCode.too_many_withdrawals)
    assert refusal.params == {"limit": MAX_HOLDS}
    x.apply(x.hold(TAKER, USDC, 1, nonce=1))
    for end, nonce in ((c.ReleaseWithdrawal, 0), (c.ConsumeWithdrawal, 1)):
        ended = x.hold(MAKER, (USDC, BTC)[nonce % 2], 1, nonce=nonce)
        x.apply(end(next(x.inbox_ids), ended.withdrawal_hash, "over"))
        x.apply(x.hold(MAKER, USDC, 1, nonce=100 + nonce))
        x.refuse(x.hold(MAKER, USDC, 1, nonce=99), ErrorCode.too_many_withdrawals)
    copy = Engine.load(x.engine.dump())
    assert copy.violations() == []
    with pytest.raises(Refusal, match="at most 16"):
        copy.apply(x.engine.seq + 1, x.at_ms, x.hold(MAKER, USDC, 1, nonce=99))


def test_proceeds_can_be_withdrawn_only_when_they_are_final(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 10)
    x.sell(TAKER, PRICE, 10)
    assert x.engine.withdrawable(MAKER, BTC) == ALL_BTC
    x.refuse(x.hold(MAKER, BTC, ALL_BTC + 1), ErrorCode.insufficient_balance)
    x.cut(1)
    assert x.engine.withdrawable(MAKER, BTC) == ALL_BTC
    x.finalize(1)
    assert x.engine.withdrawable(MAKER, BTC) == ALL_BTC + 100_000
    x.apply(x.hold(MAKER, BTC, ALL_BTC + 100_000))


def test_what_orders_hold_cannot_be_withdrawn(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 100)
    assert x.engine.withdrawable(MAKER, BTC) == ALL_BTC - 1_000_000
    assert x.engine.withdrawable(NEWCOMER, BTC) == 0


def test_a_forced_withdrawal_reserves_what_is_available(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1)
    events = x.apply(c.ReserveForced(next(x.inbox_ids), MAKER, USDC, 1_000, "r1"))
    assert [(f.requested, f.reserved) for f in only(events, e.ForcedReserved)] == [(1_000, 0), (1_000, 1_000)]
    assert reasons(events) == []
    assert x.parts(MAKER, USDC)[2] == 1_000
    x.refuse(c.ReserveForced(next(x.inbox_ids), MAKER, USDC, 1, "r1"), ErrorCode.duplicate_withdrawal)
    events = x.apply(c.ReleaseForced(next(x.inbox_ids), "r1"))
    assert only(events, e.ForcedReleased) == [e.ForcedReleased("r1", "released")]
    assert x.parts(MAKER, USDC)[2] == 0
    x.refuse(c.ReleaseForced(next(x.inbox_ids), "r1"), ErrorCode.unknown_withdrawal)


def test_a_forced_withdrawal_takes_orders_and_later_money_too(x: EngineHarness) -> None:
    x.sell(MAKER, PRICE, 100)
    x.buy(MAKER, PRICE - 10, 1)
    events = x.apply(c.ReserveForced(next(x.inbox_ids), MAKER, BTC, ALL_BTC + 500, "r1"))
    assert [reason for _, reason in reasons(events)] == ["debited"]
    assert x.parts(MAKER, BTC) == (0, 0, ALL_BTC, 0, 0)
    events = x.credit(MAKER, BTC, 300)
    assert only(events, e.ForcedReserved)[0].reserved == ALL_BTC + 300
    x.sell(TAKER, PRICE - 10, 1)
    assert x.parts(MAKER, BTC)[:3] == (9_800, 0, ALL_BTC + 500)


def test_a_claimed_forced_withdrawal_ends_its_request(x: EngineHarness) -> None:
    x.apply(c.ReserveForced(next(x.inbox_ids), MAKER, USDC, 1_000, "r1"))
    events = x.apply(c.Debit(next(x.inbox_ids), MAKER, USDC, 400, "r1", "claim"))
    assert only(events, e.ForcedReleased) == [e.ForcedReleased("r1", "claimed")]
    assert only(events, e.Debited)[0].short == 0
    assert x.parts(MAKER, USDC) == (ALL_USDC - 400, 0, 0, 0, 0)


def test_a_debit_refuses_a_request_of_somebody_else(x: EngineHarness) -> None:
    x.apply(c.ReserveForced(next(x.inbox_ids), MAKER, USDC, 1_000, "r1"))
    x.refuse(c.Debit(next(x.inbox_ids), TAKER, USDC, 400, "r1", "claim"), ErrorCode.unknown_withdrawal)
    x.refuse(c.Debit(next(x.inbox_ids), MAKER, BTC, 400, "r1", "claim"), ErrorCode.unknown_withdrawal)


def test_an_exit_takes_everything_and_a_hold_that_is_released_later_repays(x: EngineHarness) -> None:
    command = x.hold(MAKER, USDC, 1_000)
    x.apply(command)
    x.apply(c.SetExiting(next(x.inbox_ids), MAKER, True))
    events = x.apply(c.Debit(next(x.inbox_ids), MAKER, USDC, ALL_USDC, "", "exit"))
    assert only(events, e.Debited)[0].short == 1_000
    assert x.parts(MAKER, USDC) == (0, 0, 1_000, 0, 1_000)
    x.apply(c.ReleaseWithdrawal(next(x.inbox_ids), command.withdrawal_hash, "deadline"))
    assert x.parts(MAKER, USDC) == (0, 0, 0, 0, 0)


def test_uncredit_takes_available_money_and_leaves_orders_alone(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1)
    events = x.uncredit(MAKER, USDC, 1_000)
    assert only(events, e.Debited)[0].amount == 1_000
    assert reasons(events) == []


def test_uncredit_of_held_money_cancels_the_accounts_orders(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1_000)
    x.sell(MAKER, PRICE + 10, 1)
    events = x.uncredit(MAKER, USDC, ALL_USDC)
    assert [reason for _, reason in reasons(events)] == ["debited", "debited"]
    assert x.parts(MAKER, USDC) == (0, 0, 0, 0, 0)
    account = x.engine.account(MAKER)
    assert account is not None
    assert account.status == "active"


def test_a_deficit_blocks_until_credits_repay_it(x: EngineHarness) -> None:
    x.apply(x.hold(MAKER, USDC, 600))
    events = x.uncredit(MAKER, USDC, ALL_USDC)
    assert only(events, e.Debited)[0].short == 600
    assert only(events, e.AccountChanged)[0].status == "blocked"
    assert x.parts(MAKER, USDC) == (0, 0, 600, 0, 600)
    x.refuse(x.order(MAKER, Side.sell, PRICE, 1), ErrorCode.account_blocked)
    x.refuse(x.hold(MAKER, BTC, 1, nonce=2), ErrorCode.account_blocked)
    assert x.engine.withdrawable(MAKER, BTC) == 0
    assert only(x.credit(MAKER, USDC, 599), e.AccountChanged) == []
    assert only(x.credit(MAKER, USDC, 2), e.AccountChanged)[0].status == "active"
    assert x.parts(MAKER, USDC) == (1, 0, 600, 0, 0)
    x.sell(MAKER, PRICE, 1)


def test_money_is_never_taken_from_strangers(x: EngineHarness) -> None:
    x.refuse(c.Uncredit(next(x.inbox_ids), NEWCOMER, USDC, 1, ""), ErrorCode.unknown_account)
    x.refuse(c.Debit(next(x.inbox_ids), NEWCOMER, USDC, 1, "", ""), ErrorCode.unknown_account)
    before = x.parts(OTHER, USDC)
    x.uncredit(MAKER, USDC, ALL_USDC)
    assert x.parts(OTHER, USDC) == before


NEW = 9
LISTING = (
    c.ListAsset(Asset(NEW, "NEW", 8)),
    c.ListMarket(Market(9, "NEW/USDC", NEW, USDC, 10_000, 10, 1_000_000, 2_000, 200, 500, 5_000_000), FEES),
)


def list_new(x: EngineHarness) -> None:
    """The engine learns of a token that the contract has listed before."""
    for command in LISTING:
        x.apply(command)


def test_a_request_of_a_token_that_is_not_listed_yet_is_not_forgotten(x: EngineHarness) -> None:
    """Whoever requested everything before the listing sells nothing after it: a claim could void the match."""
    request = "reserve:0x00:0:0"
    x.apply(c.ReserveForced(next(x.inbox_ids), TAKER, NEW, MAX_AMOUNT, request))
    x.engine = Engine.load(x.engine.dump())
    list_new(x)
    x.credit(TAKER, NEW, 100_000)
    assert x.parts(TAKER, NEW) == (0, 0, 100_000, 0, 0)
    x.apply(c.ReleaseForced(next(x.inbox_ids), request))
    assert x.parts(TAKER, NEW) == (100_000, 0, 0, 0, 0)


def test_a_deposit_of_a_token_that_is_not_listed_yet_is_credited(x: EngineHarness) -> None:
    x.credit(NEWCOMER, NEW, 500)
    x.refuse(x.hold(NEWCOMER, NEW, 1), ErrorCode.unknown_asset)
    loaded = Engine.load(x.engine.dump())
    assert loaded.state_hash() == x.engine.state_hash()
    assert loaded.state.assets == x.engine.state.assets
    x.engine = loaded
    list_new(x)
    assert x.parts(NEWCOMER, NEW) == (500, 0, 0, 0, 0)
    assert x.engine.state.issued[NEW] == 500
    x.apply(c.Debit(next(x.inbox_ids), NEWCOMER, NEW, 500, "", "exit"))
    assert x.parts(NEWCOMER, NEW) == (0, 0, 0, 0, 0)


def test_a_token_that_is_not_listed_yet_comes_and_goes(x: EngineHarness) -> None:
    x.credit(NEWCOMER, NEW, 500)
    x.apply(c.Debit(next(x.inbox_ids), NEWCOMER, NEW, 300, "", "exit"))
    x.uncredit(NEWCOMER, NEW, 200)
    list_new(x)
    assert x.engine.state.issued[NEW] == 0
    assert x.engine.violations() == []
