"""set_allow_list, allow_recipient, disallow_recipient: whom an account may pay."""

import boa
import pytest

from exchange.domain.deployment import ETH
from tests.utils.contracts import ETHER, REFUSING_CODE, UNITS, USDC, World, reverts
from tests.utils.signing import Signer

NO_END = 2**40 - 1
FRIEND, THIEF = Signer("friend"), Signer("thief")
REASON = "recipient: not on the allow list"


@pytest.fixture
def owner(world: World) -> Signer:
    """An account with 1,000 units of USDC and ETH in trading and funding, its allow-list on."""
    signer = Signer("account_owner")
    for token_id in (USDC, ETHER):
        world.deposit(signer, token_id, 1_000)
        world.deposit(signer, token_id, 1_000, to_funding=True)
    world.custody.set_allow_list(True, sender=signer.address)
    return signer


def pay_three_ways(world: World, owner: Signer, recipient: Signer, nonce: int) -> None:
    """Withdraw fast, out of funding, and by request."""
    usdc = world.token_address(USDC)
    world.withdraw(world.withdrawal(owner, USDC, 10, recipient=recipient.raw, nonce=nonce))
    world.custody.withdraw_funding(usdc, 10, recipient.address, sender=owner.address)
    world.custody.request_withdraw(usdc, 10, recipient.address, sender=owner.address)
    world.custody.cancel_withdraw_request(usdc, sender=owner.address)


def check_refused(world: World, owner: Signer, recipient: Signer) -> None:
    """All three ways are closed to this recipient."""
    usdc = world.token_address(USDC)
    with reverts(REASON):
        world.withdraw(world.withdrawal(owner, USDC, 10, recipient=recipient.raw, nonce=99))
    with reverts(REASON):
        world.custody.withdraw_funding(usdc, 10, recipient.address, sender=owner.address)
    with reverts(REASON):
        world.custody.request_withdraw(usdc, 10, recipient.address, sender=owner.address)


def test_the_allow_list_binds_at_once(world: World, owner: Signer) -> None:
    assert world.event("AllowListChanged") == {
        "account": owner.address,
        "enabled": True,
        "effective_at": world.now,
    }
    assert world.custody.account_guards(owner.address).allow_list_until == NO_END
    check_refused(world, owner, THIEF)


def test_a_stolen_key_is_not_paid_at_its_own_address(world: World, owner: Signer) -> None:
    check_refused(world, owner, owner)
    world.custody.allow_recipient(owner.address, sender=owner.address)
    world.pass_time(world.windows.delay)
    pay_three_ways(world, owner, owner, 1)


def test_without_the_list_everybody_can_be_paid(world: World) -> None:
    plain = Signer("plain")
    world.deposit(plain, USDC, 100)
    world.deposit(plain, USDC, 100, to_funding=True)
    pay_three_ways(world, plain, FRIEND, 1)


def test_an_entry_binds_after_the_delay(world: World, owner: Signer) -> None:
    world.custody.allow_recipient(FRIEND.address, sender=owner.address)
    at = world.now + world.windows.delay
    assert world.event("RecipientAllowed") == {
        "account": owner.address,
        "recipient": FRIEND.address,
        "effective_at": at,
    }
    assert world.custody.recipient_allowed_at(owner.address, FRIEND.address) == at
    world.pass_time(world.windows.delay - 1)
    check_refused(world, owner, FRIEND)
    world.pass_time(1)
    pay_three_ways(world, owner, FRIEND, 1)
    check_refused(world, owner, THIEF)


def test_an_entry_goes_at_once(world: World, owner: Signer) -> None:
    world.custody.allow_recipient(FRIEND.address, sender=owner.address)
    world.pass_time(world.windows.delay)
    world.custody.disallow_recipient(FRIEND.address, sender=owner.address)
    assert world.event("RecipientDisallowed") == {"account": owner.address, "recipient": FRIEND.address}
    assert world.custody.recipient_allowed_at(owner.address, FRIEND.address) == 0
    check_refused(world, owner, FRIEND)
    world.custody.allow_recipient(FRIEND.address, sender=owner.address)
    check_refused(world, owner, FRIEND)


def test_the_list_goes_off_after_the_delay(world: World, owner: Signer) -> None:
    world.custody.set_allow_list(False, sender=owner.address)
    at = world.now + world.windows.delay
    assert world.event("AllowListChanged") == {"account": owner.address, "enabled": False, "effective_at": at}
    assert world.custody.account_guards(owner.address).allow_list_until == at
    world.pass_time(world.windows.delay - 1)
    check_refused(world, owner, THIEF)
    world.pass_time(1)
    pay_three_ways(world, owner, THIEF, 1)


def test_the_owner_takes_the_thiefs_loosening_back(world: World, owner: Signer) -> None:
    world.custody.set_allow_list(False, sender=owner.address)
    world.custody.allow_recipient(THIEF.address, sender=owner.address)
    world.pass_time(world.windows.delay - 1)
    world.custody.set_allow_list(True, sender=owner.address)
    world.custody.disallow_recipient(THIEF.address, sender=owner.address)
    world.pass_time(world.windows.delay)
    check_refused(world, owner, THIEF)


def test_calls_without_effect_revert(world: World, owner: Signer) -> None:
    with reverts("allow list: no change"):
        world.custody.set_allow_list(True, sender=owner.address)
    world.custody.set_allow_list(False, sender=owner.address)
    with reverts("allow list: no change"):
        world.custody.set_allow_list(False, sender=owner.address)
    with reverts("allow list: no change"):
        world.custody.disallow_recipient(FRIEND.address, sender=owner.address)
    world.custody.allow_recipient(FRIEND.address, sender=owner.address)
    with reverts("allow list: no change"):
        world.custody.allow_recipient(FRIEND.address, sender=owner.address)
    with reverts("allow list: bad recipient"):
        world.custody.allow_recipient(ETH, sender=owner.address)


def test_a_list_is_its_accounts_own(world: World, owner: Signer) -> None:
    world.custody.allow_recipient(THIEF.address, sender=THIEF.address)
    world.pass_time(world.windows.delay)
    check_refused(world, owner, THIEF)


def test_the_exit_pays_the_account_itself(world: World, owner: Signer) -> None:
    world.custody.request_exit(sender=owner.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_exit(owner.address, world.token_address(USDC), sender=THIEF.address)
    assert world.wallet(owner.address, USDC) == 2_000


def test_a_request_made_before_pays_whom_it_named(world: World) -> None:
    plain, usdc = Signer("plain"), world.token_address(USDC)
    world.deposit(plain, USDC, 100)
    world.custody.request_withdraw(usdc, 10, FRIEND.address, sender=plain.address)
    world.custody.set_allow_list(True, sender=plain.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_withdraw(plain.address, usdc, sender=plain.address)
    assert world.wallet(FRIEND.address, USDC) == 10


def test_refused_eth_goes_to_the_list_only(world: World, owner: Signer) -> None:
    boa.env.set_code(owner.address, REFUSING_CODE)
    world.custody.allow_recipient(owner.address, sender=owner.address)
    world.pass_time(world.windows.delay)
    world.custody.withdraw_funding(ETH, 10 * UNITS[ETHER], owner.address, sender=owner.address)
    assert world.custody.refused_eth(owner.address) == 10
    with reverts(REASON):
        world.custody.claim_eth(THIEF.address, sender=owner.address)
    world.custody.allow_recipient(FRIEND.address, sender=owner.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_eth(FRIEND.address, sender=owner.address)
    assert world.wallet(FRIEND.address, ETHER) == 10 * UNITS[ETHER]


def test_a_freeze_keeps_the_list(world: World, owner: Signer) -> None:
    world.custody.freeze_account(sender=owner.address)
    world.custody.unfreeze_account(sender=owner.address)
    world.pass_time(world.windows.delay)
    check_refused(world, owner, THIEF)
    assert world.custody.account_guards(owner.address).freeze_nonce == 1
    world.custody.set_allow_list(False, sender=owner.address)
    assert world.custody.account_guards(owner.address).freeze_nonce == 1
