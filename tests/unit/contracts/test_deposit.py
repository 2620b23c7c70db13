"""deposit and deposit_eth."""

import boa
import pytest
from eth.exceptions import Revert

from exchange.domain.deployment import ETH
from tests.utils.contracts import BTC, BTI, ETHER, UNITS, USDC, World, reverts
from tests.utils.signing import Signer


@pytest.mark.parametrize("token_id", [USDC, BTC, BTI])
@pytest.mark.parametrize("to_funding", [False, True])
def test_deposit_credits_ledger_units(world: World, depositor: Signer, token_id: int, to_funding: bool) -> None:
    receiver = Signer("receiver")
    units = 700 * UNITS[token_id]
    world.custody.deposit(world.token_address(token_id), units, receiver.address, to_funding, sender=depositor.address)
    assert world.event("Deposited") == {
        "account": receiver.address,
        "token_id": token_id,
        "sender": depositor.address,
        "amount": 700,
        "to_funding": to_funding,
    }
    assert (world.trading(receiver, token_id), world.funding(receiver, token_id)) == (
        (0, 700) if to_funding else (700, 0)
    )
    world.check_solvent([depositor, receiver])


@pytest.mark.parametrize("to_funding", [False, True])
def test_deposit_eth_credits_ledger_units(world: World, depositor: Signer, to_funding: bool) -> None:
    world.custody.deposit_eth(depositor.address, to_funding, value=300 * 10**10, sender=depositor.address)
    assert world.event("Deposited")["amount"] == 300
    assert world.trading(depositor, ETHER) + world.funding(depositor, ETHER) == 300
    world.check_solvent([depositor])


def test_deposits_of_one_slot_do_not_touch_each_other(world: World, depositor: Signer) -> None:
    for token_id in range(4):
        world.deposit(depositor, token_id, 10 + token_id)
    assert [world.trading(depositor, token_id) for token_id in range(4)] == [10, 11, 12, 13]


def test_deposit_reverts_when_the_token_is_eth(world: World, depositor: Signer) -> None:
    with reverts("deposit: use deposit_eth"):
        world.custody.deposit(ETH, 1, depositor.address, False, sender=depositor.address)


def test_deposit_reverts_when_the_token_is_not_listed(world: World, depositor: Signer) -> None:
    with reverts("token: not listed"):
        world.custody.deposit(depositor.address, 1, depositor.address, False, sender=depositor.address)


def test_deposit_reverts_for_the_zero_account(world: World, depositor: Signer) -> None:
    with reverts("deposit: bad account"):
        world.custody.deposit(world.token_address(USDC), 1, ETH, False, sender=depositor.address)
    with reverts("deposit: bad account"):
        world.custody.deposit_eth(ETH, False, value=10**10, sender=depositor.address)


def test_deposit_reverts_when_the_amount_is_not_whole(world: World, depositor: Signer) -> None:
    with reverts("amount: not whole ledger units"):
        world.custody.deposit(world.token_address(BTI), 10**10 + 1, depositor.address, False, sender=depositor.address)
    with reverts("amount: not whole ledger units"):
        world.custody.deposit_eth(depositor.address, False, value=1, sender=depositor.address)


def test_deposit_reverts_when_the_amount_is_zero(world: World, depositor: Signer) -> None:
    with reverts("amount: zero"):
        world.custody.deposit(world.token_address(USDC), 0, depositor.address, False, sender=depositor.address)
    with reverts("amount: zero"):
        world.custody.deposit_eth(depositor.address, False, sender=depositor.address)


def test_deposit_reverts_when_the_token_refuses(world: World, depositor: Signer) -> None:
    with reverts("transfer: too little balance"):
        world.custody.deposit(world.token_address(USDC), 1_001, depositor.address, False, sender=depositor.address)


def test_deposit_reverts_when_deposits_of_the_token_are_closed(world: World, depositor: Signer) -> None:
    world.scheduled("set_token_status", USDC, False)
    with reverts("token: deposits closed"):
        world.custody.deposit(world.token_address(USDC), 1, depositor.address, False, sender=depositor.address)


def test_deposit_reverts_while_paused(world: World, depositor: Signer) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    with reverts("custody: paused"):
        world.custody.deposit(world.token_address(USDC), 1, depositor.address, False, sender=depositor.address)
    with reverts("custody: paused"):
        world.custody.deposit_eth(depositor.address, False, value=10**10, sender=depositor.address)


def test_deposit_reverts_when_frozen(world: World, depositor: Signer, frozen_world: World) -> None:
    with reverts("custody: frozen"):
        world.custody.deposit(world.token_address(USDC), 1, depositor.address, False, sender=depositor.address)


def test_deposit_reverts_before_launch(depositor: Signer) -> None:
    unlaunched = World(launch=False)
    with reverts("custody: not launched"):
        unlaunched.deposit(depositor, USDC, 1)


def test_deposit_reverts_when_the_token_is_full(world: World, depositor: Signer) -> None:
    token, _ = world.list_mock("NoReturnToken")
    token.faucet(2**63, sender=depositor.address)
    world.custody.deposit(token.address, 2**63 - 1, depositor.address, False, sender=depositor.address)
    with reverts("ledger: token is full"):
        world.custody.deposit(token.address, 1, depositor.address, True, sender=depositor.address)


def test_plain_eth_is_refused(world: World, depositor: Signer) -> None:
    with pytest.raises(Revert):
        boa.env.raw_call(world.custody.address, sender=depositor.address, value=1)
    assert world.wallet(str(world.custody.address), ETHER) == 0
