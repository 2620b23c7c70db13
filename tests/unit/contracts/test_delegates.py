"""add_delegate, revoke_delegate and their signed forms; orders signed by delegates."""

import pytest

from exchange.domain.deployment import ETH
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Side
from exchange.domain.settlement import Execution
from tests.utils.contracts import BTC_USDC, ETH_USDC, World, reverts
from tests.utils.signing import Signer

DELEGATE = Signer("delegate")
ALL_MARKETS = 2**256 - 1


def add(world: World, account: Signer, markets: int = 1 << BTC_USDC, seconds: int = 10_000) -> int:
    """Add the delegate as the account; returns its expiry."""
    expiry = world.now + seconds
    world.custody.add_delegate(DELEGATE.address, markets, expiry, sender=account.address)
    return expiry


def add_signed(world: World, account: Signer, expiry: int, nonce: int, signer: Signer | None = None) -> None:
    """Add the delegate by a signature, as anybody."""
    signature = (signer or account).sign(
        world.domain,
        "Delegation",
        account=account.raw,
        delegate=DELEGATE.raw,
        markets=ALL_MARKETS,
        expiry=expiry,
        nonce=nonce,
    )
    world.custody.add_delegate_signed(
        account.address, DELEGATE.address, ALL_MARKETS, expiry, nonce, signature, sender=world.keeper.address
    )


def revoke_signed(world: World, account: Signer, nonce: int, signer: Signer | None = None) -> None:
    """Revoke the delegate by a signature, as anybody."""
    signature = (signer or account).sign(
        world.domain, "Revocation", account=account.raw, delegate=DELEGATE.raw, nonce=nonce
    )
    world.custody.revoke_delegate_signed(
        account.address, DELEGATE.address, nonce, signature, sender=world.keeper.address
    )


def delegated(world: World, buyer: Signer, seller: Signer, **changes: int) -> list[Execution]:
    """A match whose seller's order the delegate signed."""
    sale = world.order(seller, Side.sell, **changes)
    purchase = world.order(buyer, Side.buy, **changes)
    return [world.execution(buyer, purchase), world.execution(DELEGATE, sale, scheme=Scheme.delegate)]


def test_add_delegate_lets_it_sign_orders(world: World, buyer: Signer, seller: Signer) -> None:
    expiry = add(world, seller)
    assert world.event("DelegateAdded") == {
        "account": seller.address,
        "delegate": DELEGATE.address,
        "markets": 1 << BTC_USDC,
        "expiry": expiry,
        "nonce": 1,
    }
    state = world.custody.delegate_state(seller.address, DELEGATE.address)
    assert (state.markets, state.expiry, state.revoked_at) == (1 << BTC_USDC, expiry, 0)
    world.settle(delegated(world, buyer, seller))


def test_a_delegate_of_one_account_is_none_of_another(world: World, buyer: Signer, seller: Signer) -> None:
    add(world, buyer)
    with reverts("delegate: unknown"):
        world.settle(delegated(world, buyer, seller))


def test_the_scheme_says_who_signed(world: World, buyer: Signer, seller: Signer) -> None:
    add(world, seller)
    sale = world.order(seller, Side.sell)
    for signer, scheme, reason in (
        (DELEGATE, Scheme.account, "order: wrong signer"),
        (seller, Scheme.delegate, "delegate: unknown"),
        (seller, 4, "order: unknown scheme"),
        (DELEGATE, Scheme.delegate | 4, "order: unknown scheme"),
    ):
        with reverts(reason):
            world.settle([world.match(buyer, seller)[0], world.execution(signer, sale, scheme=scheme)])


def test_delegated_order_reverts_out_of_scope(world: World, buyer: Signer, seller: Signer) -> None:
    add(world, seller, markets=1 << ETH_USDC)
    with reverts("delegate: out of scope"):
        world.settle(delegated(world, buyer, seller))


def test_delegated_order_reverts_when_it_outlives_its_key(world: World, buyer: Signer, seller: Signer) -> None:
    expiry = add(world, seller)
    with reverts("delegate: order outlives key"):
        world.settle(delegated(world, buyer, seller, expiry=expiry + 1))
    world.settle(delegated(world, buyer, seller, expiry=expiry))


def test_delegated_order_expires_within_a_day(world: World, buyer: Signer, seller: Signer) -> None:
    add(world, seller, seconds=10 * 86_400)
    with reverts("order: expiry too far"):
        world.settle(delegated(world, buyer, seller, expiry=world.now + 86_401))
    world.settle(delegated(world, buyer, seller, expiry=world.now + 86_400))


def test_revoke_delegate_binds_after_the_delay(world: World, buyer: Signer, seller: Signer) -> None:
    add(world, seller)
    world.custody.revoke_delegate(DELEGATE.address, sender=seller.address)
    effective_at = world.now + world.windows.delay
    assert world.event("DelegateRevoked") == {
        "account": seller.address,
        "delegate": DELEGATE.address,
        "effective_at": effective_at,
        "nonce": 2,
    }
    assert world.custody.delegate_state(seller.address, DELEGATE.address).revoked_at == effective_at
    world.pass_time(world.windows.delay - 1)
    world.settle(delegated(world, buyer, seller, quantity=1))
    world.pass_time(1)
    with reverts("delegate: revoked"):
        world.settle(delegated(world, buyer, seller, nonce=2))


def test_deregistered_delegate_cannot_come_back_with_its_old_orders(
    world: World, buyer: Signer, seller: Signer
) -> None:
    expiry = add(world, seller)
    world.custody.revoke_delegate(DELEGATE.address, sender=seller.address)
    with reverts("delegate: revoked for ever"):
        world.custody.add_delegate(DELEGATE.address, ALL_MARKETS, expiry, sender=seller.address)
    with reverts("delegate: revoked for ever"):
        world.custody.revoke_delegate(DELEGATE.address, sender=seller.address)
    world.pass_time(world.windows.delay)
    with reverts("delegate: revoked for ever"):
        add_signed(world, seller, expiry, 3)


def test_delegates_only_widen(world: World, seller: Signer) -> None:
    expiry = add(world, seller, markets=0b110)
    for markets, until in ((0b100, expiry), (0b110, expiry - 1), (0b1000, expiry + 1)):
        with reverts("delegate: may only widen"):
            world.custody.add_delegate(DELEGATE.address, markets, until, sender=seller.address)
    world.custody.add_delegate(DELEGATE.address, ALL_MARKETS, expiry + 1, sender=seller.address)
    state = world.custody.delegate_state(seller.address, DELEGATE.address)
    assert (state.markets, state.expiry) == (2**176 - 1, expiry + 1)


def test_add_delegate_reverts_for_bad_arguments(world: World, seller: Signer) -> None:
    for delegate in (ETH, seller.address):
        with reverts("delegate: bad address"):
            world.custody.add_delegate(delegate, 2, world.now + 9, sender=seller.address)
    for expiry in (world.now, 2**40, 2**64):
        with reverts("delegate: expiry out of range"):
            world.custody.add_delegate(DELEGATE.address, 2, expiry, sender=seller.address)


def test_signed_forms_do_the_same(world: World, buyer: Signer, seller: Signer) -> None:
    expiry = world.now + 10_000
    add_signed(world, seller, expiry, 5)
    assert world.event("DelegateAdded")["nonce"] == 5
    world.settle(delegated(world, buyer, seller))
    revoke_signed(world, seller, 6)
    assert world.event("DelegateRevoked")["nonce"] == 6
    assert world.custody.account_state(seller.address).delegation_nonce == 6


def test_signed_forms_revert_when_another_signed(world: World, seller: Signer) -> None:
    expiry = world.now + 10_000
    for signer in (DELEGATE, world.operator, world.owner):
        with reverts("signature: wrong signer"):
            add_signed(world, seller, expiry, 1, signer)
    add(world, seller)
    for signer in (DELEGATE, world.operator, world.owner):
        with reverts("signature: wrong signer"):
            revoke_signed(world, seller, 2, signer)


def test_delegation_nonces_rise(world: World, seller: Signer) -> None:
    expiry = world.now + 10_000
    add_signed(world, seller, expiry, 5)
    for nonce in (0, 4, 5):
        with reverts("delegate: nonce too low"):
            add_signed(world, seller, expiry + 1, nonce)
        with reverts("delegate: nonce too low"):
            revoke_signed(world, seller, nonce)
    with reverts("delegate: nonce too high"):
        add_signed(world, seller, expiry + 1, 2**48)


def test_an_older_delegation_cannot_be_posted_after_a_newer_message(world: World, seller: Signer) -> None:
    world.custody.add_delegate(world.keeper.address, 2, world.now + 10_000, sender=seller.address)
    world.custody.revoke_delegate(world.keeper.address, sender=seller.address)
    with reverts("delegate: nonce too low"):
        add_signed(world, seller, world.now + 10_000, 2)


@pytest.mark.parametrize("function", ["withdraw", "move_to_funding"])
def test_a_delegate_can_never_withdraw(world: World, seller: Signer, function: str) -> None:
    add(world, seller, markets=ALL_MARKETS)
    kind = "Withdrawal" if function == "withdraw" else "FundingTransfer"
    arguments = world.withdrawal(DELEGATE, 0, 1, kind=kind) | {"account": seller.raw}
    with reverts("signature: wrong signer"):
        world.withdraw(arguments)
