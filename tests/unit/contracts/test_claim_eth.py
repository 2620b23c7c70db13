"""claim_eth: ETH that its receiver refused."""

import boa
import pytest

from exchange.domain.deployment import ETH, checksum
from tests.utils.contracts import ETHER, REFUSING_CODE, UNITS, USDC, World, reverts
from tests.utils.signing import Signer


@pytest.fixture
def refuser(world: World) -> Signer:
    """An account with 1,000 of ETH in funding, whose code refuses ETH (as an EIP-7702 account's may)."""
    signer = Signer("refuser")
    world.deposit(signer, ETHER, 1_000, to_funding=True)
    boa.env.set_code(signer.address, REFUSING_CODE)
    return signer


def test_refused_eth_waits_and_can_be_claimed(world: World, refuser: Signer) -> None:
    world.custody.withdraw_funding(ETH, 400 * UNITS[ETHER], refuser.address, sender=refuser.address)
    assert world.event("EthRefused") == {"account": refuser.address, "amount": 400}
    assert world.custody.refused_eth(refuser.address) == 400
    world.check_solvent([refuser])
    elsewhere = Signer("elsewhere").address
    world.custody.claim_eth(elsewhere, sender=refuser.address)
    assert world.event("EthClaimed") == {"account": refuser.address, "recipient": elsewhere, "amount": 400}
    assert world.wallet(elsewhere, ETHER) == 400 * UNITS[ETHER]
    assert world.custody.refused_eth(refuser.address) == 0


def test_a_refusing_receiver_stops_nobody(world: World, refuser: Signer) -> None:
    sender = Signer("sender")
    world.deposit(sender, ETHER, 500)
    arguments = world.withdrawal(sender, ETHER, 500, recipient=refuser.raw, max_fee=20, fee=20)
    world.withdraw(arguments)
    assert world.wallet(world.keeper.address, ETHER) == 20 * UNITS[ETHER]
    assert world.custody.refused_eth(sender.address) == 480


def test_a_receiver_that_burns_gas_is_bounded(world: World, refuser: Signer) -> None:
    boa.env.set_code(refuser.address, bytes.fromhex("5b5f56"))  # an endless loop
    world.custody.withdraw_funding(ETH, 400 * UNITS[ETHER], refuser.address, sender=refuser.address, gas=400_000)
    assert world.custody.refused_eth(refuser.address) == 400


def test_paying_eth_reverts_when_the_receiver_would_get_too_little_gas(world: World, refuser: Signer) -> None:
    boa.env.set_code(refuser.address, b"")
    with reverts("transfer: too little gas"):
        world.custody.withdraw_funding(ETH, 400 * UNITS[ETHER], refuser.address, sender=refuser.address, gas=150_000)


def test_claim_eth_reverts_when_there_is_nothing(world: World) -> None:
    with reverts("claim: nothing to claim"):
        world.custody.claim_eth(world.keeper.address, sender=world.keeper.address)


def test_claim_eth_reverts_when_the_recipient_refuses_or_is_bad(world: World, refuser: Signer) -> None:
    world.custody.withdraw_funding(ETH, 400 * UNITS[ETHER], refuser.address, sender=refuser.address)
    for recipient in (ETH, str(world.custody.address)):
        with reverts("transfer: bad recipient"):
            world.custody.claim_eth(recipient, sender=refuser.address)
    with boa.reverts():
        world.custody.claim_eth(refuser.address, sender=refuser.address)
    assert world.custody.refused_eth(refuser.address) == 400


def test_tokens_are_no_eth(world: World) -> None:
    assert checksum(bytes(20)) == ETH
    assert world.token_address(ETHER) == ETH != world.token_address(USDC)
