"""What an audit of the custody contract found, one test or more for each finding, named after the problem."""

from dataclasses import replace
from typing import Any

import boa
import pytest

from exchange.domain.deployment import ETH, Windows, address_bytes, checksum
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Side
from tests.utils.contracts import BTC, ETHER, MOCKS, REFUSING_CODE, UNITS, USDC, WINDOWS, World, reverts
from tests.utils.signing import Signer

HEIR, STRANGER, KEY = Signer("heir"), Signer("stranger"), Signer("key")
DAY = 86_400


@pytest.fixture
def saver(world: World) -> Signer:
    """An account with 1,000 of USDC and of ETH in trading."""
    signer = Signer("saver")
    for token_id in (USDC, ETHER):
        world.deposit(signer, token_id, 1_000)
    return signer


@pytest.fixture
def wallet(world: World) -> Any:
    """A contract wallet that takes no ETH in the middle of something."""
    return boa.load(str(MOCKS / "BusyWallet.vy"))


def freeze(world: World) -> None:
    """Silence, then the end."""
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)


def call(world: World, function: str, *arguments: Any) -> bytes:
    """Calldata of a function of the contract."""
    return bytes(getattr(world.custody, function).prepare_calldata(*arguments))


# a lapsed forced withdrawal came back at the freeze


def test_a_lapsed_request_stays_lapsed_when_frozen(world: World, saver: Signer) -> None:
    usdc = world.token_address(USDC)
    world.custody.request_withdraw(usdc, 2**62, HEIR.address, sender=saver.address)
    freeze(world)
    for sender in (STRANGER, saver):
        with reverts("request: lapsed"):
            world.custody.claim_withdraw(saver.address, usdc, sender=sender.address)
    world.custody.request_withdraw(usdc, 1_000, saver.address, sender=saver.address)
    world.custody.claim_withdraw(saver.address, usdc, sender=STRANGER.address)
    assert (world.wallet(saver.address, USDC), world.wallet(HEIR.address, USDC)) == (1_000, 0)


# ETH that the recipient refused was the recipient's, who may not be able to fetch it


def check_waits_for(world: World, claimant: str, recipient: str, amount: int) -> None:
    """The refused ETH is the claimant's, and nothing of it the recipient's."""
    assert world.event("EthRefused") == {"account": claimant, "amount": amount}
    assert (world.custody.refused_eth(claimant), world.custody.refused_eth(recipient)) == (amount, 0)
    with reverts("claim: nothing to claim"):
        world.custody.claim_eth(recipient, sender=recipient)
    elsewhere = Signer("elsewhere").address
    world.custody.claim_eth(elsewhere, sender=claimant)
    assert world.wallet(elsewhere, ETHER) == amount * UNITS[ETHER]


def test_eth_refused_at_a_strangers_moment_waits_for_the_account(world: World, saver: Signer, wallet: Any) -> None:
    world.custody.request_withdraw(ETH, 1_000 * UNITS[ETHER], wallet.address, sender=saver.address)
    world.pass_time(world.windows.delay)
    wallet.flash(world.custody.address, call(world, "claim_withdraw", saver.address, ETH), sender=STRANGER.address)
    assert world.custody.refused_eth(wallet.address) == 0
    assert world.custody.refused_eth(saver.address) == 1_000
    world.custody.claim_eth(wallet.address, sender=saver.address)
    assert world.wallet(str(wallet.address), ETHER) == 1_000 * UNITS[ETHER]


def test_eth_of_a_fast_withdrawal_that_is_refused_waits_for_the_account(world: World, saver: Signer) -> None:
    token = world.token_address(USDC)  # takes no ETH, and can claim none
    world.withdraw(world.withdrawal(saver, ETHER, 1_000, recipient=address_bytes(token), max_fee=20, fee=20))
    assert world.wallet(world.keeper.address, ETHER) == 20 * UNITS[ETHER]
    check_waits_for(world, saver.address, token, 980)
    world.check_solvent([saver])


def test_eth_of_funding_that_is_refused_waits_for_the_account(world: World, saver: Signer) -> None:
    world.deposit(saver, ETHER, 300, to_funding=True)
    token = world.token_address(USDC)
    world.custody.withdraw_funding(ETH, 300 * UNITS[ETHER], token, sender=saver.address)
    check_waits_for(world, saver.address, token, 300)


def test_eth_of_an_exit_that_is_refused_waits_for_the_account(world: World, saver: Signer, wallet: Any) -> None:
    world.fund(saver, ETHER, 500)
    world.custody.deposit_eth(wallet.address, False, value=500 * UNITS[ETHER], sender=saver.address)
    wallet.execute(world.custody.address, call(world, "request_exit"))
    world.pass_time(world.windows.delay)
    wallet.flash(world.custody.address, call(world, "claim_exit", wallet.address, ETH), sender=STRANGER.address)
    assert world.custody.refused_eth(wallet.address) == 500
    wallet.execute(world.custody.address, call(world, "claim_eth", wallet.address))
    assert world.wallet(str(wallet.address), ETHER) == 500 * UNITS[ETHER]


@pytest.mark.parametrize("kind", ["Withdrawal", "FundingTransfer"])
def test_a_fee_that_the_submitter_refuses_waits_for_the_submitter(world: World, saver: Signer, kind: str) -> None:
    submitter = Signer("submitter")
    boa.env.set_code(submitter.address, REFUSING_CODE)
    world.withdraw(world.withdrawal(saver, ETHER, 1_000, kind=kind, max_fee=20, fee=20), sender=submitter)
    check_waits_for(world, submitter.address, saver.address, 20)


# anybody could use up a forced withdrawal while its money was still to settle


def test_only_the_account_claims_less_than_it_requested(world: World, buyer: Signer, seller: Signer) -> None:
    usdc, proceeds = world.token_address(USDC), 60_000_000
    match = world.match(buyer, seller)
    world.withdraw(world.withdrawal(seller, USDC, world.trading(seller, USDC)))
    left = world.wallet(seller.address, USDC)
    world.custody.request_withdraw(usdc, proceeds, seller.address, sender=seller.address)
    world.pass_time(world.windows.delay)
    for signer in (STRANGER, world.operator, world.co_signer, world.owner):
        with reverts("request: less than requested"):
            world.custody.claim_withdraw(seller.address, usdc, sender=signer.address)
    world.settle(match)
    world.custody.claim_withdraw(seller.address, usdc, sender=STRANGER.address)
    assert world.wallet(seller.address, USDC) == left + proceeds


def test_the_account_itself_claims_what_is_there(world: World, saver: Signer) -> None:
    usdc = world.token_address(USDC)
    world.custody.request_withdraw(usdc, 5_000, HEIR.address, sender=saver.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_withdraw(saver.address, usdc, sender=saver.address)
    assert world.wallet(HEIR.address, USDC) == 1_000


# a signed delegation could not be taken back before somebody posted it


def delegation(world: World, account: Signer, nonce: int) -> tuple[Any, ...]:
    """The arguments of a signed delegation of the key."""
    expiry = world.now + DAY
    signature = account.sign(
        world.domain, "Delegation", account=account.raw, delegate=KEY.raw, markets=2, expiry=expiry, nonce=nonce
    )
    return account.address, KEY.address, 2, expiry, nonce, signature


@pytest.mark.parametrize("signed", [False, True])
def test_a_delegation_is_revoked_before_it_is_posted(world: World, buyer: Signer, seller: Signer, signed: bool) -> None:
    posted_later = delegation(world, seller, 5)
    if signed:
        signature = seller.sign(world.domain, "Revocation", account=seller.raw, delegate=KEY.raw, nonce=2)
        world.custody.revoke_delegate_signed(seller.address, KEY.address, 2, signature, sender=STRANGER.address)
    else:
        world.custody.revoke_delegate(KEY.address, sender=seller.address)
    assert world.event("DelegateRevoked")["effective_at"] == world.now + world.windows.delay
    state = world.custody.delegate_state(seller.address, KEY.address)
    assert (state.markets, state.expiry, state.revoked_at) == (0, 0, world.now + world.windows.delay)
    with reverts("delegate: revoked for ever"):
        world.custody.add_delegate_signed(*posted_later, sender=STRANGER.address)
    sale = world.execution(KEY, world.order(seller, Side.sell), scheme=Scheme.delegate)
    with reverts("delegate: out of scope"):
        world.settle([world.execution(buyer, world.order(buyer)), sale])
    cancel = KEY.sign(world.domain, "Cancel", account=seller.raw, nonce=1)
    with reverts("signature: wrong signer"):
        world.custody.cancel(seller.address, 1, cancel, sender=STRANGER.address)


def test_no_delegation_nonce_uses_up_the_revocations(world: World, seller: Signer) -> None:
    for nonce in (2**44, 2**48 - 1, 2**48, 2**64 - 1):
        with reverts("delegate: nonce too high"):
            world.custody.add_delegate_signed(*delegation(world, seller, nonce), sender=STRANGER.address)
    world.custody.add_delegate_signed(*delegation(world, seller, 2**44 - 1), sender=STRANGER.address)
    world.custody.revoke_delegate(KEY.address, sender=seller.address)
    assert world.event("DelegateRevoked")["nonce"] == 2**44


# stale signed cancels, posted one after another, kept the account from cancelling


def cancel_all(world: World, account: Signer, min_nonce: int) -> None:
    """Post a signed cancel of everything below a nonce, as a stranger."""
    signature = account.sign(world.domain, "CancelAll", account=account.raw, min_nonce=min_nonce)
    world.custody.cancel_all(account.address, min_nonce, signature, sender=STRANGER.address)


def test_the_account_replaces_a_pending_cancel_by_a_higher_one(world: World, buyer: Signer, seller: Signer) -> None:
    cancel_all(world, seller, 10)
    world.pass_time(world.windows.delay - 1)
    for min_nonce in (9, 10):
        with reverts("cancel: not above the minimum"):
            world.custody.cancel_all(seller.address, min_nonce, b"", sender=seller.address)
    with reverts("cancel: too far"):
        world.custody.cancel_all(seller.address, 10 + 2**44, b"", sender=seller.address)
    world.custody.cancel_all(seller.address, 1_000, b"", sender=seller.address)
    effective_at = world.now + world.windows.delay
    assert world.event("NoncesCancelled") == {
        "account": seller.address,
        "min_nonce": 1_000,
        "effective_at": effective_at,
    }
    world.pass_time(world.windows.delay - 1)
    state = world.custody.account_state(seller.address)
    assert (state.min_nonce, state.pending_min_nonce, state.pending_min_nonce_at) == (0, 1_000, effective_at)
    world.settle(world.match(buyer, seller, 1, nonce=5))
    with reverts("cancel: another is pending"):
        cancel_all(world, seller, 2_000)
    world.pass_time(1)
    with reverts("order: nonce closed"):
        world.settle(world.match(buyer, seller, 1, nonce=999))


def test_nobody_else_replaces_a_pending_cancel(world: World, seller: Signer) -> None:
    world.custody.add_delegate(KEY.address, 2, world.now + DAY, sender=seller.address)
    cancel_all(world, seller, 10)
    with reverts("cancel: another is pending"):
        cancel_all(world, seller, 20)
    by_delegate = KEY.sign(world.domain, "CancelAll", account=seller.raw, min_nonce=20)
    for sender in (KEY, STRANGER, world.operator):
        with reverts("cancel: another is pending"):
            world.custody.cancel_all(seller.address, 20, by_delegate, sender=sender.address)


# the parts could sign under different names


@pytest.mark.parametrize("name", ["Bizzan 2", "bizzan", ""])
def test_deployment_reverts_when_the_extension_has_another_name(world: World, name: str) -> None:
    with reverts("name: extension differs"):
        world.deploy_custody(world.roles, WINDOWS, extension_name=name)
    with reverts("name: extension differs"):
        world.deploy_custody(world.roles, WINDOWS, governance_name=name)


# windows without bounds


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        (replace(WINDOWS, grace=30 * DAY + 1), "windows: grace out of range"),
        (replace(WINDOWS, grace=2**256 - 7_200), "windows: grace out of range"),
        (replace(WINDOWS, claim_window=90 * DAY + 1), "windows: claim out of range"),
        (replace(WINDOWS, claim_window=2**256 - 2 - WINDOWS.delay), "windows: claim out of range"),
        (replace(WINDOWS, silence=90 * DAY + 1), "windows: silence too long"),
        (replace(WINDOWS, silence=2**256 - 1), "windows: silence too long"),
        (replace(WINDOWS, timelock=90 * DAY), "windows: silence too short"),
        (replace(WINDOWS, timelock=2**256 - 2, silence=2**256 - 1), "windows: silence too long"),
    ],
)
def test_deployment_reverts_for_windows_without_end(world: World, windows: Windows, reason: str) -> None:
    with reverts(reason):
        world.deploy_custody(world.roles, windows)


def test_deployment_works_with_the_longest_windows() -> None:
    longest = Windows(
        delay=30 * DAY,
        grace=30 * DAY,
        claim_window=60 * DAY - 2,
        timelock=90 * DAY - 1,
        pause_max=30 * DAY - 1,
        silence=90 * DAY,
    )
    with boa.env.anchor():
        assert World(longest).custody.windows().silence == 90 * DAY


# the guardian alone could end the exchange


def test_the_owner_replaces_a_removed_operator_before_the_freeze(world: World) -> None:
    with reverts("windows: silence too short"):
        world.deploy_custody(world.roles, replace(WINDOWS, timelock=WINDOWS.silence))
    world.custody.heartbeat(sender=world.operator.address)
    for _ in range(2):
        world.custody.remove_operator(sender=world.guardian.address)
    world.scheduled("set_operator", HEIR.address)
    with reverts("freeze: operator was seen"):
        world.custody.freeze(sender=world.guardian.address)
    world.custody.heartbeat(sender=HEIR.address)


# a call announced before the launch could bind at the launch


def test_schedule_reverts_before_launch() -> None:
    with boa.env.anchor():
        world = World(launch=False)
        operation = world.operation_hash("set_co_signer", STRANGER.address)
        with reverts("owner: not launched"):
            world.as_owner("schedule", operation)
        world.pass_time(world.windows.timelock)
        world.as_owner("launch")
        with reverts("owner: not scheduled"):
            world.as_owner("set_co_signer", STRANGER.address)


# a removed operator could succeed itself


def test_the_standby_operator_is_another_than_the_operator(world: World) -> None:
    for function, holder in (("set_standby_operator", world.operator), ("set_operator", world.standby_operator)):
        with reverts("roles: standby operates"):
            world.scheduled(function, holder.address)
    roles = list(world.roles)
    roles[2] = roles[1]
    with reverts("roles: standby operates"):
        world.deploy_custody(roles, WINDOWS)
    world.scheduled("set_operator", ETH)
    world.scheduled("set_standby_operator", ETH)


# money credited to the contract itself could never leave


def test_the_contract_itself_is_no_account(world: World, depositor: Signer) -> None:
    custody = str(world.custody.address)
    for to_funding in (False, True):
        with reverts("deposit: bad account"):
            world.custody.deposit(world.token_address(BTC), 1, custody, to_funding, sender=depositor.address)
        with reverts("deposit: bad account"):
            world.custody.deposit_eth(custody, to_funding, value=UNITS[ETHER], sender=depositor.address)


def test_the_contract_itself_collects_no_fees(world: World) -> None:
    with reverts("roles: fee account is custody"):
        world.scheduled("set_fee_account", str(world.custody.address))
    with boa.env.anchor():
        following = checksum(address_bytes(world.deploy_custody(world.roles, WINDOWS)))
    roles = [*world.roles[:5], following]
    with reverts("roles: fee account is custody"):
        world.deploy_custody(roles, WINDOWS)
