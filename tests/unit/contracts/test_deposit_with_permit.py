"""deposit_with_permit: an allowance by signature (EIP-2612), used at once."""

import pytest

from exchange.domain.deployment import ETH
from tests.utils.contracts import BTC, BTI, UNITS, USDC, World, reverts
from tests.utils.signing import Signer

PAYER, ACCOUNT = Signer("payer"), Signer("account")


def fund(world: World, token_id: int = USDC, amount: int = 100) -> None:
    """Tokens in the payer's wallet, allowed to nobody."""
    world.tokens[token_id].faucet(amount * UNITS[token_id], sender=PAYER.address)  # type: ignore[union-attr]


def deposit(
    world: World, words: list[object], token_id: int = USDC, amount: int = 100, *, funding: bool = False
) -> None:
    """Deposit for the account as the payer."""
    world.custody.deposit_with_permit(
        world.token_address(token_id), amount * UNITS[token_id], ACCOUNT.address, funding, *words, sender=PAYER.address
    )


@pytest.mark.parametrize("token_id", [USDC, BTC, BTI])
@pytest.mark.parametrize("funding", [False, True])
def test_a_permit_is_used_at_once(world: World, token_id: int, funding: bool) -> None:
    fund(world, token_id)
    deposit(world, world.permit_words(PAYER, token_id, 100), token_id, funding=funding)
    assert world.event("Deposited") == {
        "account": ACCOUNT.address,
        "token_id": token_id,
        "sender": PAYER.address,
        "amount": 100,
        "to_funding": funding,
    }
    assert (world.trading(ACCOUNT, token_id), world.funding(ACCOUNT, token_id)) == ((0, 100) if funding else (100, 0))
    world.check_solvent([ACCOUNT, PAYER])


def test_a_permit_that_somebody_posted_before_does_no_harm(world: World) -> None:
    fund(world)
    words = world.permit_words(PAYER, USDC, 100)
    usdc = world.tokens[USDC]
    assert usdc is not None
    usdc.permit(PAYER.address, world.custody.address, 100, *words, sender=Signer("stranger").address)
    deposit(world, words)
    assert world.trading(ACCOUNT, USDC) == 100
    with reverts("deposit: permit refused"):
        deposit(world, words)


def test_deposit_reverts_without_a_good_permit(world: World) -> None:
    fund(world)
    for changes in ({"value": 99}, {"nonce": 1}, {"deadline": world.now - 1}):
        with reverts("deposit: permit refused"):
            deposit(world, world.permit_words(PAYER, USDC, 100, **changes))
    with reverts("deposit: permit refused"):
        deposit(world, world.permit_words(Signer("stranger"), USDC, 100))
    with reverts("deposit: permit refused"):
        deposit(world, [world.now + 9, 0, bytes(32), bytes(32)])


def test_a_permit_of_too_little_leaves_the_transfer_refused(world: World) -> None:
    fund(world)
    words = world.permit_words(PAYER, USDC, 99)
    with reverts("deposit: permit refused"):
        deposit(world, words)
    deposit(world, words, amount=99)


def test_nobody_deposits_with_anothers_permit(world: World) -> None:
    fund(world)
    words = world.permit_words(PAYER, USDC, 100)
    with reverts("deposit: permit refused"):
        world.custody.deposit_with_permit(
            world.token_address(USDC), 100, ACCOUNT.address, False, *words, sender=Signer("thief").address
        )


def test_deposit_with_permit_reverts_as_deposit_does(world: World) -> None:
    fund(world)
    words = world.permit_words(PAYER, USDC, 100)
    custody, usdc, payer = world.custody, world.token_address(USDC), PAYER.address
    with reverts("deposit: use deposit_eth"):
        custody.deposit_with_permit(ETH, 1, ACCOUNT.address, False, *words, sender=payer)
    with reverts("token: not listed"):
        custody.deposit_with_permit(payer, 1, ACCOUNT.address, False, *words, sender=payer)
    with reverts("amount: zero"):
        custody.deposit_with_permit(usdc, 0, ACCOUNT.address, False, *words, sender=payer)
    for account in (ETH, str(custody.address)):
        with reverts("deposit: bad account"):
            custody.deposit_with_permit(usdc, 100, account, False, *words, sender=payer)
    world.scheduled("set_token_status", USDC, False)
    with reverts("token: deposits closed"):
        deposit(world, world.permit_words(PAYER, USDC, 100))
    custody.pause(30, sender=world.guardian.address)
    with reverts("custody: paused"):
        deposit(world, world.permit_words(PAYER, USDC, 100))


def test_a_token_without_permits_needs_an_allowance(world: World) -> None:
    token, token_id = world.list_mock("NoReturnToken")
    token.faucet(10, sender=PAYER.address)
    words = [world.now + 9, 27, bytes(32), bytes(32)]
    arguments = (str(token.address), 10, ACCOUNT.address, False, *words)
    with reverts("deposit: permit refused"):
        world.custody.deposit_with_permit(*arguments, sender=PAYER.address)
    token.approve(world.custody.address, 10, sender=PAYER.address)
    world.custody.deposit_with_permit(*arguments, sender=PAYER.address)
    assert world.trading(ACCOUNT, token_id) == 10
