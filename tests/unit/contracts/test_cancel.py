"""cancel and cancel_all: signed, posted by anyone, binding after the delay."""

import pytest

from exchange.domain.order import Side
from tests.utils.contracts import BTC_USDC, World, reverts, single
from tests.utils.signing import Signer


def cancel(world: World, signer: Signer, nonce: int, account: Signer | None = None) -> None:
    """Post a signed cancel as anybody."""
    owner = account or signer
    signature = signer.sign(world.domain, "Cancel", account=owner.raw, nonce=nonce)
    world.custody.cancel(owner.address, nonce, signature, sender=world.keeper.address)


def cancel_all(world: World, signer: Signer, min_nonce: int, account: Signer | None = None) -> None:
    """Post a signed cancel of everything below a nonce as anybody."""
    owner = account or signer
    signature = signer.sign(world.domain, "CancelAll", account=owner.raw, min_nonce=min_nonce)
    world.custody.cancel_all(owner.address, min_nonce, signature, sender=world.keeper.address)


@pytest.mark.parametrize("nonce", [1, single(1)])
def test_cancel_binds_after_the_delay(world: World, buyer: Signer, seller: Signer, nonce: int) -> None:
    cancel(world, seller, nonce)
    effective_at = world.now + world.windows.delay
    assert world.event("NonceCancelled") == {"account": seller.address, "nonce": nonce, "effective_at": effective_at}
    assert world.custody.nonce_cancelled_at(seller.address, nonce) == effective_at
    assert world.custody.account_state(seller.address).has_cancels
    world.pass_time(world.windows.delay)
    with reverts("order: cancelled"):
        world.settle(world.match(buyer, seller, nonce=nonce))
    world.settle(world.match(buyer, seller, nonce=nonce + 1))


def test_what_was_matched_before_a_cancel_settles_until_the_delay_is_over(
    world: World, buyer: Signer, seller: Signer
) -> None:
    cancel(world, seller, 1)
    world.pass_time(world.windows.delay - 1)
    world.settle(world.match(buyer, seller))


def test_cancel_by_the_account_itself_needs_no_signature(world: World, seller: Signer) -> None:
    world.custody.cancel(seller.address, 1, b"", sender=seller.address)
    assert world.event("NonceCancelled")["nonce"] == 1


def test_cancel_reverts_when_posted_before(world: World, seller: Signer) -> None:
    cancel(world, seller, 1)
    with reverts("cancel: posted before"):
        cancel(world, seller, 1)


@pytest.mark.parametrize("nonce", [2**48, 2**62, single(2**48), 2**64 + 1, 2**255])
def test_cancel_reverts_when_the_nonce_is_out_of_range(world: World, seller: Signer, nonce: int) -> None:
    with reverts("order: nonce out of range"):
        world.custody.cancel(seller.address, nonce, b"", sender=seller.address)


def test_cancels_revert_without_a_right(world: World, seller: Signer) -> None:
    with reverts("signature: missing"):
        world.custody.cancel(seller.address, 1, b"", sender=world.operator.address)
    with reverts("signature: wrong signer"):
        cancel(world, world.operator, 1, account=seller)
    with reverts("signature: missing"):
        world.custody.cancel_all(seller.address, 5, b"", sender=world.operator.address)
    with reverts("signature: wrong signer"):
        cancel_all(world, world.operator, 5, account=seller)


def test_a_cancel_of_one_account_is_none_of_another(world: World, buyer: Signer, seller: Signer) -> None:
    signature = buyer.sign(world.domain, "Cancel", account=buyer.raw, nonce=1)
    with reverts("signature: wrong signer"):
        world.custody.cancel(seller.address, 1, signature, sender=world.keeper.address)


def test_cancel_all_binds_after_the_delay(world: World, buyer: Signer, seller: Signer) -> None:
    cancel_all(world, seller, 5)
    effective_at = world.now + world.windows.delay
    assert world.event("NoncesCancelled") == {
        "account": seller.address,
        "min_nonce": 5,
        "effective_at": effective_at,
    }
    world.pass_time(world.windows.delay - 1)
    world.settle(world.match(buyer, seller, 1, nonce=4))
    assert world.custody.account_state(seller.address).min_nonce == 0
    world.pass_time(1)
    state = world.custody.account_state(seller.address)
    assert (state.min_nonce, state.pending_min_nonce, state.pending_min_nonce_at) == (5, 5, effective_at)
    for nonce in (3, single(4)):
        with reverts("order: nonce closed"):
            world.settle(world.match(buyer, seller, 1, nonce=nonce))
    for nonce in (5, single(5)):
        world.settle(world.match(buyer, seller, 1, nonce=nonce))


def test_cancel_all_reverts_while_another_is_pending(world: World, seller: Signer) -> None:
    cancel_all(world, seller, 5)
    world.pass_time(world.windows.delay - 1)
    with reverts("cancel: another is pending"):
        cancel_all(world, seller, 6)
    world.pass_time(1)
    cancel_all(world, seller, 6)
    assert world.custody.account_state(seller.address).min_nonce == 5


def test_cancel_all_reverts_when_it_closes_nothing(world: World, seller: Signer) -> None:
    with reverts("cancel: not above the minimum"):
        cancel_all(world, seller, 0)
    cancel_all(world, seller, 5)
    world.pass_time(world.windows.delay)
    with reverts("cancel: not above the minimum"):
        cancel_all(world, seller, 5)


def test_cancel_all_cannot_use_up_all_nonces_at_once(world: World, seller: Signer) -> None:
    with reverts("cancel: too far"):
        cancel_all(world, seller, 2**44)
    cancel_all(world, seller, 2**44 - 1)


def test_cancels_leave_the_rest_of_the_account_alone(world: World, seller: Signer) -> None:
    world.custody.add_delegate(world.keeper.address, 1, world.now + 9_000, sender=seller.address)
    world.custody.request_exit(sender=seller.address)
    before = world.custody.account_state(seller.address)
    cancel_all(world, seller, 7)
    cancel(world, seller, 9)
    world.custody.add_delegate(world.operator.address, 1, world.now + 9_000, sender=seller.address)
    after = world.custody.account_state(seller.address)
    assert after == before._replace(
        pending_min_nonce=7,
        pending_min_nonce_at=world.now + world.windows.delay,
        delegation_nonce=2,
        has_cancels=True,
    )
    assert before.exit_at == world.now + world.windows.delay


def test_a_live_delegate_may_cancel(world: World, seller: Signer) -> None:
    delegate = Signer("delegate")
    world.custody.add_delegate(delegate.address, 1 << BTC_USDC, world.now + 60, sender=seller.address)
    cancel(world, delegate, 1, account=seller)
    cancel_all(world, delegate, 3, account=seller)
    world.pass_time(60)
    with reverts("signature: wrong signer"):
        cancel(world, delegate, 2, account=seller)


def test_a_revoked_delegate_may_not_cancel(world: World, seller: Signer) -> None:
    delegate = Signer("delegate")
    world.custody.add_delegate(delegate.address, 1 << BTC_USDC, world.now + 60, sender=seller.address)
    world.custody.revoke_delegate(delegate.address, sender=seller.address)
    with reverts("signature: wrong signer"):
        cancel(world, delegate, 1, account=seller)


def test_a_cancel_works_while_paused_and_frozen(world: World, buyer: Signer, seller: Signer) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    cancel(world, seller, 1)
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    cancel(world, seller, 2)
    assert world.order(buyer, Side.buy).nonce == 1
