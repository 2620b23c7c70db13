"""Tokens that keep a fee, answer false, answer nothing, or call back."""

from typing import Any

import pytest

from tests.utils.contracts import USDC, World, reverts
from tests.utils.signing import Signer


@pytest.fixture
def hostile(world: World, depositor: Signer) -> Any:
    """A hostile token, listed, of which the depositor has a million and has deposited 1,000."""
    token, _ = world.list_mock("HostileToken")
    token.faucet(1_000_000, sender=depositor.address)
    world.custody.deposit(token.address, 1_000, depositor.address, True, sender=depositor.address)
    return token


def set_behaviour(token: Any, fee_bps: int = 0, answer: bool = True, target: Any = None, payload: bytes = b"") -> None:
    token.set_behaviour(fee_bps, answer, target or "0x" + "00" * 20, payload)


def test_deposit_counts_what_arrived_of_a_token_with_a_fee(world: World, hostile: Any, depositor: Signer) -> None:
    set_behaviour(hostile, fee_bps=100)
    world.custody.deposit(hostile.address, 1_000, depositor.address, True, sender=depositor.address)
    assert world.funding(depositor, 4) == 1_990
    assert hostile.balanceOf(world.custody.address) == 1_990


def test_deposit_reverts_when_nothing_arrives(world: World, hostile: Any, depositor: Signer) -> None:
    set_behaviour(hostile, fee_bps=10_000)
    with reverts("ledger: zero amount"):
        world.custody.deposit(hostile.address, 1_000, depositor.address, True, sender=depositor.address)


def test_deposit_reverts_when_the_token_answers_false(world: World, hostile: Any, depositor: Signer) -> None:
    set_behaviour(hostile, answer=False)
    with reverts("token: refused"):
        world.custody.deposit(hostile.address, 1_000, depositor.address, True, sender=depositor.address)


def test_withdrawal_reverts_when_the_token_answers_false(world: World, hostile: Any, depositor: Signer) -> None:
    set_behaviour(hostile, answer=False)
    with reverts("token: refused"):
        world.custody.withdraw_funding(hostile.address, 1_000, depositor.address, sender=depositor.address)
    assert world.funding(depositor, 4) == 1_000


def test_a_token_without_answers_works_both_ways(world: World, depositor: Signer) -> None:
    token, token_id = world.list_mock("NoReturnToken")
    token.faucet(50, sender=depositor.address)
    world.custody.deposit(token.address, 50, depositor.address, True, sender=depositor.address)
    world.custody.withdraw_funding(token.address, 20, depositor.address, sender=depositor.address)
    assert (world.funding(depositor, token_id), token.balanceOf(depositor.address)) == (30, 20)


@pytest.mark.parametrize("function", ["deposit", "withdraw_funding", "claim_exit", "cancel", "trading_balance"])
def test_a_token_that_calls_back_is_locked_out(world: World, hostile: Any, depositor: Signer, function: str) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "deposit": (hostile.address, 1, depositor.address, True),
        "withdraw_funding": (hostile.address, 1, depositor.address),
        "claim_exit": (depositor.address, hostile.address),
        "cancel": (str(hostile.address), 1, b""),
        "trading_balance": (depositor.address, USDC),
    }
    payload = bytes(getattr(world.custody, function).prepare_calldata(*arguments[function]))
    set_behaviour(hostile, target=world.custody.address, payload=payload)
    world.custody.withdraw_funding(hostile.address, 400, depositor.address, sender=depositor.address)
    assert hostile.target_failed()
    assert (world.funding(depositor, 4), world.custody.liabilities(4)) == (600, 600)


def test_a_callback_would_work_outside_a_transfer(world: World, hostile: Any, depositor: Signer) -> None:
    """Proves that the test above fails for the lock's sake."""
    payload = bytes(world.custody.trading_balance.prepare_calldata(depositor.address, USDC))
    set_behaviour(hostile, target=world.custody.address, payload=payload)
    hostile.transfer(depositor.address, 0, sender=depositor.address)
    assert not hostile.target_failed()
