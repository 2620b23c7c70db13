"""The invariants find what is wrong, and name it."""

from collections.abc import Callable

import pytest

from exchange.engine import commands as c
from exchange.engine.invariants import CHECKS, violations
from exchange.engine.state import State
from tests.utils.engine import BTC, BTC_USDC, MAKER, TAKER, USDC, EngineHarness

PRICE = 5_000_000


@pytest.fixture
def state() -> State:
    """A state with an order on each side, a trade, a withdrawal and a forced request."""
    x = EngineHarness()
    for account in (MAKER, TAKER):
        x.credit(account, USDC, 10_000_000_000)
        x.credit(account, BTC, 1_000_000_000)
    x.sell(MAKER, PRICE, 10)
    x.buy(TAKER, PRICE, 5)
    x.buy(TAKER, PRICE - 10, 5)
    x.buy(TAKER, PRICE - 10, 6)
    x.apply(x.hold(MAKER, USDC, 1_000))
    x.apply(c.ReserveForced(next(x.inbox_ids), MAKER, BTC, 1_000, "r1"))
    x.validate()
    return x.engine.state


def bump(account: bytes, asset: int, part: str, amount: int) -> Callable[[State], None]:
    """A corruption: one part of one balance is off."""

    def corrupt(state: State) -> None:
        balance = state.by_address[account].balances[asset]
        setattr(balance, part, getattr(balance, part) + amount)

    return corrupt


def shorten_level(state: State) -> None:
    state.books[BTC_USDC].bids.levels[PRICE - 10].quantity -= 1


def swap_queue(state: State) -> None:
    level = state.books[BTC_USDC].bids.levels[PRICE - 10]
    first, second = level.head, level.tail
    assert first is not None
    assert second is not None
    level.head, level.tail = second, first
    first.prev, first.next, second.prev, second.next = second, None, None, first


def cross_book(state: State) -> None:
    half = state.books[BTC_USDC].asks
    half.keys[-1] = -(PRICE - 20)


def lose_order(state: State) -> None:
    state.orders.pop(next(iter(state.orders)))


def forget_trade(state: State) -> None:
    state.trades.clear()


def stop_account(state: State) -> None:
    state.by_address[TAKER].exiting = True


def raise_minimum(state: State) -> None:
    state.by_address[TAKER].min_nonce = 1 << 40


@pytest.mark.parametrize(
    ("corrupt", "check"),
    [
        (bump(MAKER, USDC, "available", 1), "conservation"),
        (bump(MAKER, USDC, "available", -(10**15)), "no_negative"),
        (bump(MAKER, USDC, "deficit", 1), "no_negative"),
        (bump(MAKER, BTC, "held", 1), "backed_orders"),
        (bump(MAKER, USDC, "reserved", 1), "backed_outflows"),
        (bump(MAKER, BTC, "owed", 1), "backed_outflows"),
        (bump(TAKER, BTC, "unsettled", -1), "unsettled"),
        (forget_trade, "unsettled"),
        (shorten_level, "books"),
        (swap_queue, "books"),
        (cross_book, "books"),
        (lose_order, "books"),
        (stop_account, "stopped_accounts"),
        (raise_minimum, "stopped_accounts"),
    ],
)
def test_a_corruption_is_found(state: State, corrupt: Callable[[State], None], check: str) -> None:
    corrupt(state)
    found = {rule.__name__: rule for rule in CHECKS}[check]
    assert list(found(state))


def test_a_sound_state_has_no_violations(state: State) -> None:
    assert violations(state) == []
