"""Mass cancel, countdown and trading stops: what an account, or the operator for it, ends at once."""

from __future__ import annotations

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.order import Side
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.brakes import MAX_COUNTDOWN_SECONDS, MAX_SKEW_MS
from exchange.engine.engine import Engine
from tests.utils.engine import BTC_USDC, DELEGATE, ETH_USDC, MAKER, TAKER, USDC, EngineHarness, only, reasons

PRICE = 5_000_000


def cancel(
    x: EngineHarness, market: int = 0, side: int = 2, nonce: int | None = None, signer: bytes = MAKER
) -> c.MassCancel:
    return c.MassCancel(MAKER, market, side, x.at_ms if nonce is None else nonce, b"", signer)


def countdown(x: EngineHarness, seconds: int, nonce: int | None = None, signer: bytes = MAKER) -> c.SetCountdown:
    return c.SetCountdown(MAKER, seconds, x.at_ms if nonce is None else nonce, b"", signer)


def stop(x: EngineHarness, stopped: bool) -> c.StopTrading:
    return c.StopTrading(MAKER, stopped, x.at_ms, b"")


def quotes(x: EngineHarness) -> dict[tuple[int, int], int]:
    """A bid and an ask in two markets: order ids by market and side; and one of somebody else."""
    ids = {}
    for market, price in ((BTC_USDC, PRICE), (ETH_USDC, 3_000_000)):
        for side in (Side.buy, Side.sell):
            x.apply(x.order(MAKER, side, price - 1_000 + 2_000 * side, 10, market=market))
            ids[market, int(side)] = x.engine.seq
    x.buy(TAKER, PRICE - 2_000, 1)
    return ids


@pytest.mark.parametrize("market", [0, BTC_USDC, ETH_USDC])
@pytest.mark.parametrize("side", [0, 1, 2])
def test_a_mass_cancel_ends_the_orders_of_its_market_and_side(x: EngineHarness, market: int, side: int) -> None:
    ids = quotes(x)
    meant = [number for (its, which), number in ids.items() if market in (0, its) and side in (2, which)]
    assert reasons(x.apply(cancel(x, market, side))) == [(number, "mass_cancelled") for number in meant]
    assert len(x.engine.open_orders(MAKER)) == 4 - len(meant)
    assert len(x.engine.open_orders(TAKER)) == 1


def test_a_mass_cancel_is_no_bar_to_new_orders(x: EngineHarness) -> None:
    x.apply(cancel(x))
    assert only(x.buy(MAKER, PRICE, 1), e.OrderAccepted)


def test_a_brake_cannot_be_sent_again_nor_kept_for_later(x: EngineHarness) -> None:
    first = cancel(x)
    x.apply(first)
    assert x.refuse(first, ErrorCode.nonce_too_low).params == {"above": str(x.at_ms)}
    x.refuse(countdown(x, 5), ErrorCode.nonce_too_low)
    x.apply(cancel(x, nonce=x.at_ms + MAX_SKEW_MS))
    assert x.refuse(cancel(x, nonce=x.at_ms + MAX_SKEW_MS + 1), ErrorCode.nonce_out_of_range).field == "nonce"
    old = cancel(x, nonce=x.at_ms + MAX_SKEW_MS)
    x.at_ms += 2 * MAX_SKEW_MS + 2
    x.refuse(cancel(x, nonce=old.nonce + 1), ErrorCode.nonce_out_of_range)
    x.apply(cancel(x))


def test_a_stolen_delegated_key_is_no_bar_to_what_the_owner_stops(x: EngineHarness) -> None:
    quotes(x)
    taken = x.at_ms + MAX_SKEW_MS
    x.apply(cancel(x, nonce=taken, signer=DELEGATE))
    x.apply(countdown(x, 60, nonce=taken - 1, signer=MAKER))
    x.refuse(countdown(x, 0, nonce=taken, signer=DELEGATE), ErrorCode.nonce_too_low)
    x.at_ms += 1
    owner = taken - 1
    assert x.refuse(stop(x, True), ErrorCode.nonce_too_low).params == {"above": str(owner)}
    x.apply(c.StopTrading(MAKER, True, owner + 1, b""))
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1), ErrorCode.trading_stopped)


def test_the_nonces_of_owner_and_delegates_survive_a_snapshot(x: EngineHarness) -> None:
    x.apply(cancel(x, nonce=x.at_ms + 5, signer=DELEGATE))
    x.apply(cancel(x, nonce=x.at_ms + 3))
    copy = Engine.load(x.engine.dump())
    assert copy.state_hash() == x.engine.state_hash()
    account = copy.state.account(MAKER)
    assert (account.owner_brake_nonce, account.brake_nonce) == (x.at_ms + 3, x.at_ms + 5)


def test_what_a_mass_cancel_does_not_know_is_refused(x: EngineHarness) -> None:
    assert x.refuse(cancel(x, side=3), ErrorCode.unsupported_terms).field == "side"
    x.refuse(cancel(x, market=9), ErrorCode.unknown_market)
    x.apply(c.ObeyRevocation(next(x.inbox_ids), MAKER, DELEGATE))
    x.refuse(cancel(x, signer=DELEGATE), ErrorCode.unknown_delegate)
    x.refuse(c.SetCountdown(MAKER, 5, x.at_ms, b"", DELEGATE), ErrorCode.unknown_delegate)
    x.refuse(c.MassCancel(b"\x55" * 20, 0, 2, x.at_ms, b"", b"\x55" * 20), ErrorCode.unknown_account)


def test_a_countdown_that_lapses_ends_the_orders_of_its_account(x: EngineHarness) -> None:
    quotes(x)
    x.at_ms += 1
    due = x.at_ms // 1_000 + 6
    assert x.apply(countdown(x, 5)) == [e.CountdownSet(2, due)]
    assert x.engine.next_expiry == due
    x.at_ms = due * 1_000 - 1
    assert x.apply(c.Tick()) == []
    x.at_ms += 1
    events = x.apply(c.Tick())
    assert only(events, e.CountdownSet) == [e.CountdownSet(2, 0)]
    assert [reason for _, reason in reasons(events)] == ["countdown"] * 4
    assert len(x.engine.open_orders(TAKER)) == 1
    x.buy(MAKER, PRICE - 5_000, 1)
    x.at_ms += 60_000
    assert x.apply(c.Tick()) == []


def test_a_countdown_is_put_off_by_the_next_and_ended_by_zero(x: EngineHarness) -> None:
    quotes(x)
    x.apply(countdown(x, 5))
    x.at_ms += 4_000
    x.apply(countdown(x, 5))
    x.at_ms += 4_999
    assert x.apply(c.Tick()) == []
    assert x.apply(countdown(x, 0)) == [e.CountdownSet(2, 0)]
    x.at_ms += 60_000
    assert x.apply(c.Tick()) == []
    x.refuse(countdown(x, MAX_COUNTDOWN_SECONDS + 1), ErrorCode.amount_out_of_range)


def test_a_lapsed_countdown_acts_before_the_order_that_would_meet_its_orders(x: EngineHarness) -> None:
    quotes(x)
    x.apply(countdown(x, 5))
    x.at_ms += 5_000
    events = x.buy(TAKER, PRICE + 1_000, 10)
    assert [reason for _, reason in reasons(events)] == ["countdown"] * 4
    assert only(events, e.TradeMatched) == []


def test_a_countdown_survives_a_snapshot(x: EngineHarness) -> None:
    quotes(x)
    x.apply(countdown(x, 5))
    copy = Engine.load(x.engine.dump())
    assert copy.next_expiry == x.engine.next_expiry
    x.at_ms += 5_000
    assert copy.apply(x.engine.seq + 1, x.at_ms, c.Tick()) == x.apply(c.Tick())


def test_many_countdowns_do_not_leave_their_ends_behind(x: EngineHarness) -> None:
    for _ in range(3_000):
        x.at_ms += 1
        x.apply(countdown(x, 5))
    assert len(x.engine.state.expiries) <= 1_026
    assert x.engine.next_expiry == -(-x.at_ms // 1_000) + 5


def test_a_stop_ends_open_orders_and_refuses_new_ones_until_it_is_lifted(x: EngineHarness) -> None:
    quotes(x)
    events = x.apply(stop(x, True))
    assert only(events, e.TradingStopChanged) == [e.TradingStopChanged(2, True, False)]
    assert [reason for _, reason in reasons(events)] == ["trading_stopped"] * 4
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1), ErrorCode.trading_stopped)
    x.buy(TAKER, PRICE, 1)
    assert x.engine.withdrawable(MAKER, USDC) == 10_000_000_000
    x.apply(x.hold(MAKER, USDC, 5))
    x.at_ms += 1
    x.apply(stop(x, False))
    x.buy(MAKER, PRICE, 1)


def test_owner_and_operator_stop_and_lift_each_for_itself(x: EngineHarness) -> None:
    x.apply(stop(x, True))
    x.apply(c.SetTradingStop(next(x.inbox_ids), MAKER, True))
    x.at_ms += 1
    assert x.apply(stop(x, False)) == [e.TradingStopChanged(2, False, True)]
    x.refuse(x.order(MAKER, Side.buy, PRICE, 1), ErrorCode.trading_stopped)
    assert x.apply(c.SetTradingStop(next(x.inbox_ids), MAKER, False)) == [e.TradingStopChanged(2, False, False)]
    x.buy(MAKER, PRICE, 1)


def test_the_operator_stops_an_account_that_is_not_here_yet(x: EngineHarness) -> None:
    x.apply(c.SetTradingStop(next(x.inbox_ids), b"\x55" * 20, True))
    x.credit(b"\x55" * 20, USDC, 10**9)
    x.refuse(x.order(b"\x55" * 20, Side.buy, PRICE, 1), ErrorCode.trading_stopped)
