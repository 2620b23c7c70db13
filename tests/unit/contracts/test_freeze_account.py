"""freeze_account, freeze_account_signed, unfreeze_account: an owner stops its own account."""

import pytest

from exchange.domain.deployment import ETH
from exchange.domain.eip712 import Domain
from exchange.domain.order import Side
from tests.utils.contracts import CHAIN_ID, USDC, World, reverts
from tests.utils.signing import Signer

NO_END = 2**40 - 1
DELEGATE = Signer("delegate")


def freeze(world: World, account: Signer) -> None:
    """Freeze by the account's own call."""
    world.custody.freeze_account(sender=account.address)


def unfreeze(world: World, account: Signer) -> None:
    """Ask for the thaw."""
    world.custody.unfreeze_account(sender=account.address)


def freeze_signed(world: World, account: Signer, nonce: int, signer: Signer | None = None) -> None:
    """Freeze by a signature, as anybody."""
    signature = (signer or account).sign(world.domain, "AccountFreeze", account=account.raw, nonce=nonce)
    world.custody.freeze_account_signed(account.address, nonce, signature, sender=world.keeper.address)


def guards(world: World, account: Signer) -> tuple[int, int, int]:
    """frozen_at, frozen_until, freeze_nonce."""
    state = world.custody.account_guards(account.address)
    return state.frozen_at, state.frozen_until, state.freeze_nonce


def trade(world: World, buyer: Signer, seller: Signer, nonce: int) -> None:
    """Settle a small match."""
    world.settle(world.match(buyer, seller, 1, nonce=nonce))


def test_freeze_stops_the_fast_ways_at_once(world: World, buyer: Signer) -> None:
    world.deposit(buyer, USDC, 100, to_funding=True)
    usdc = world.token_address(USDC)
    freeze(world, buyer)
    frozen_at = world.now + world.windows.delay
    assert world.event("AccountFrozen") == {"account": buyer.address, "effective_at": frozen_at, "nonce": 0}
    assert guards(world, buyer) == (frozen_at, NO_END, 1)
    for kind in ("Withdrawal", "FundingTransfer"):
        with reverts("account: frozen"):
            world.withdraw(world.withdrawal(buyer, USDC, 1, kind=kind))
    with reverts("account: frozen"):
        world.custody.withdraw_funding(usdc, 1, buyer.address, sender=buyer.address)
    with reverts("account: frozen"):
        world.custody.move_to_trading(usdc, 1, sender=buyer.address)
    with reverts("account: frozen"):
        world.custody.add_delegate(DELEGATE.address, 2, world.now + 9, sender=buyer.address)
    signature = buyer.sign(
        world.domain, "Delegation", account=buyer.raw, delegate=DELEGATE.raw, markets=2, expiry=NO_END, nonce=1
    )
    with reverts("account: frozen"):
        world.custody.add_delegate_signed(
            buyer.address, DELEGATE.address, 2, NO_END, 1, signature, sender=world.keeper.address
        )


def test_freeze_binds_settlement_after_the_delay(world: World, buyer: Signer, seller: Signer) -> None:
    freeze(world, seller)
    world.pass_time(world.windows.delay - 1)
    trade(world, buyer, seller, 1)
    world.pass_time(1)
    with reverts("order: account frozen"):
        trade(world, buyer, seller, 2)


def test_a_freeze_binds_orders_of_delegates_as_well(world: World, buyer: Signer, seller: Signer) -> None:
    world.custody.add_delegate(DELEGATE.address, 2, world.now + 10_000, sender=seller.address)
    freeze(world, seller)
    world.pass_time(world.windows.delay)
    sale = world.order(seller, Side.sell)
    with reverts("order: account frozen"):
        world.settle([world.execution(buyer, world.order(buyer)), world.execution(DELEGATE, sale, scheme=1)])


def test_everything_that_helps_an_owner_goes_on(world: World, buyer: Signer) -> None:
    usdc = world.token_address(USDC)
    world.custody.add_delegate(DELEGATE.address, 2, world.now + 10_000, sender=buyer.address)
    freeze(world, buyer)
    world.custody.revoke_delegate(DELEGATE.address, sender=buyer.address)
    world.custody.cancel(buyer.address, 1, b"", sender=buyer.address)
    world.custody.cancel_all(buyer.address, 5, b"", sender=buyer.address)
    world.deposit(buyer, USDC, 7, to_funding=True)
    world.custody.request_withdraw(usdc, 10, buyer.address, sender=buyer.address)
    world.custody.request_exit(sender=buyer.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_withdraw(buyer.address, usdc, sender=world.keeper.address)
    world.custody.claim_exit(buyer.address, usdc, sender=world.keeper.address)
    assert world.wallet(buyer.address, USDC) == 10_000_000_007


def test_a_thaw_takes_the_delay(world: World, buyer: Signer, seller: Signer) -> None:
    freeze(world, buyer)
    world.pass_time(world.windows.delay)
    unfreeze(world, buyer)
    thaws_at = world.now + world.windows.delay
    assert world.event("AccountUnfrozen") == {"account": buyer.address, "effective_at": thaws_at}
    world.pass_time(world.windows.delay - 1)
    with reverts("account: frozen"):
        world.withdraw(world.withdrawal(buyer, USDC, 1))
    with reverts("order: account frozen"):
        trade(world, buyer, seller, 1)
    world.pass_time(1)
    world.withdraw(world.withdrawal(buyer, USDC, 1))
    trade(world, buyer, seller, 1)


def test_a_thaw_asked_for_at_once_still_takes_the_delay(world: World, buyer: Signer, seller: Signer) -> None:
    freeze(world, buyer)
    world.pass_time(1)
    unfreeze(world, buyer)
    world.pass_time(world.windows.delay - 1)
    with reverts("order: account frozen"):
        trade(world, buyer, seller, 1)
    world.pass_time(1)
    trade(world, buyer, seller, 1)


def test_freezing_again_takes_the_thaw_back(world: World, buyer: Signer, seller: Signer) -> None:
    freeze(world, buyer)
    frozen_at = guards(world, buyer)[0]
    world.pass_time(world.windows.delay)
    unfreeze(world, buyer)
    world.pass_time(world.windows.delay - 1)
    freeze(world, buyer)
    assert guards(world, buyer) == (frozen_at, NO_END, 2)
    world.pass_time(world.windows.delay)
    with reverts("order: account frozen"):
        trade(world, buyer, seller, 1)
    with reverts("account: frozen"):
        world.withdraw(world.withdrawal(buyer, USDC, 1))


def test_a_second_freeze_after_a_thaw_starts_anew(world: World, buyer: Signer, seller: Signer) -> None:
    freeze(world, buyer)
    unfreeze(world, buyer)
    world.pass_time(world.windows.delay)
    freeze(world, buyer)
    assert guards(world, buyer)[0] == world.now + world.windows.delay
    trade(world, buyer, seller, 1)
    world.pass_time(world.windows.delay)
    with reverts("order: account frozen"):
        trade(world, buyer, seller, 2)


def test_freeze_and_unfreeze_revert_out_of_order(world: World, buyer: Signer) -> None:
    with reverts("account: not frozen"):
        unfreeze(world, buyer)
    freeze(world, buyer)
    with reverts("account: frozen before"):
        freeze(world, buyer)
    unfreeze(world, buyer)
    with reverts("account: not frozen"):
        unfreeze(world, buyer)
    world.pass_time(world.windows.delay)
    with reverts("account: not frozen"):
        unfreeze(world, buyer)


def test_a_signed_freeze_serves_once(world: World, buyer: Signer) -> None:
    freeze_signed(world, buyer, 0)
    assert world.event("AccountFrozen")["nonce"] == 0
    for nonce in (0, 2):
        with reverts("account: wrong freeze nonce"):
            freeze_signed(world, buyer, nonce)
    with reverts("account: frozen before"):
        freeze_signed(world, buyer, 1)
    unfreeze(world, buyer)
    world.pass_time(world.windows.delay)
    with reverts("account: wrong freeze nonce"):
        freeze_signed(world, buyer, 0)
    freeze_signed(world, buyer, 1)


def test_nobody_else_freezes(world: World, buyer: Signer) -> None:
    world.custody.add_delegate(DELEGATE.address, 2, world.now + 10_000, sender=buyer.address)
    for signer in (DELEGATE, world.operator, world.guardian, world.owner):
        with reverts("signature: wrong signer"):
            freeze_signed(world, buyer, 0, signer)
    with reverts("signature: missing"):
        world.custody.freeze_account_signed(buyer.address, 0, b"", sender=world.keeper.address)
    with reverts("signature: invalid"):
        world.custody.freeze_account_signed(ETH, 0, bytes(65), sender=world.keeper.address)
    world.custody.freeze_account_signed(buyer.address, 0, b"", sender=buyer.address)


def test_a_freeze_is_for_one_chain_and_contract(world: World, buyer: Signer) -> None:
    mine = world.domain
    for domain in (Domain(mine.name, CHAIN_ID + 1, mine.contract), Domain(mine.name, CHAIN_ID, bytes(20))):
        signature = buyer.sign(domain, "AccountFreeze", account=buyer.raw, nonce=0)
        with reverts("signature: wrong signer"):
            world.custody.freeze_account_signed(buyer.address, 0, signature, sender=world.keeper.address)


def test_a_freeze_touches_no_other_account(world: World, buyer: Signer, seller: Signer) -> None:
    freeze(world, Signer("stranger"))
    world.pass_time(world.windows.delay)
    trade(world, buyer, seller, 1)
    world.withdraw(world.withdrawal(buyer, USDC, 1))


@pytest.mark.parametrize("when", ["paused", "frozen"])
def test_freezing_works_while_paused_and_frozen(world: World, buyer: Signer, when: str) -> None:
    if when == "paused":
        world.custody.pause(30, sender=world.guardian.address)
    else:
        world.pass_time(world.windows.silence + 1)
        world.custody.freeze(sender=world.keeper.address)
    freeze(world, buyer)
    unfreeze(world, buyer)
