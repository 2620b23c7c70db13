"""move_to_trading and withdraw_funding."""

import pytest

from exchange.domain.deployment import ETH
from tests.utils.contracts import BTI, ETHER, UNITS, USDC, World, reverts
from tests.utils.signing import Signer


@pytest.fixture
def holder(world: World) -> Signer:
    """An account with 1,000 of each token in funding."""
    signer = Signer("holder")
    for token_id in range(4):
        world.deposit(signer, token_id, 1_000, to_funding=True)
    return signer


@pytest.mark.parametrize("token_id", range(4))
def test_move_to_trading_is_instant(world: World, holder: Signer, token_id: int) -> None:
    world.custody.move_to_trading(world.token_address(token_id), 400 * UNITS[token_id], sender=holder.address)
    assert world.event("MovedToTrading") == {"account": holder.address, "token_id": token_id, "amount": 400}
    assert (world.trading(holder, token_id), world.funding(holder, token_id)) == (400, 600)
    world.check_solvent([holder])


def test_move_to_trading_reverts_when_funding_is_too_little(world: World, holder: Signer) -> None:
    with reverts("ledger: too little funding"):
        world.custody.move_to_trading(world.token_address(USDC), 1_001, sender=holder.address)


def test_move_to_trading_reverts_for_a_bad_amount_or_token(world: World, holder: Signer) -> None:
    with reverts("amount: zero"):
        world.custody.move_to_trading(world.token_address(USDC), 0, sender=holder.address)
    with reverts("amount: not whole ledger units"):
        world.custody.move_to_trading(world.token_address(BTI), 1, sender=holder.address)
    with reverts("token: not listed"):
        world.custody.move_to_trading(holder.address, 1, sender=holder.address)


@pytest.mark.parametrize("token_id", range(4))
def test_withdraw_funding_pays_the_recipient(world: World, holder: Signer, token_id: int) -> None:
    recipient = Signer("recipient").address
    world.custody.withdraw_funding(
        world.token_address(token_id), 400 * UNITS[token_id], recipient, sender=holder.address
    )
    assert world.event("FundingWithdrawn") == {
        "account": holder.address,
        "token_id": token_id,
        "recipient": recipient,
        "amount": 400,
    }
    assert world.wallet(recipient, token_id) == 400 * UNITS[token_id]
    world.check_solvent([holder])


def test_withdraw_funding_cannot_touch_trading(world: World, holder: Signer) -> None:
    world.deposit(holder, USDC, 5_000)
    with reverts("ledger: too little funding"):
        world.custody.withdraw_funding(world.token_address(USDC), 1_001, holder.address, sender=holder.address)


@pytest.mark.parametrize("token_id", [USDC, ETHER])
def test_withdraw_funding_reverts_for_a_bad_recipient(world: World, holder: Signer, token_id: int) -> None:
    for recipient in (ETH, str(world.custody.address)):
        with reverts("transfer: bad recipient"):
            world.custody.withdraw_funding(
                world.token_address(token_id), UNITS[token_id], recipient, sender=holder.address
            )


def test_withdraw_funding_works_while_paused_and_frozen(world: World, holder: Signer) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    world.custody.withdraw_funding(world.token_address(USDC), 10, holder.address, sender=holder.address)
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    world.custody.withdraw_funding(world.token_address(USDC), 10, holder.address, sender=holder.address)
    assert world.wallet(holder.address, USDC) == 20
