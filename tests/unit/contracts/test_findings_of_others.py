"""What audits of other projects found, tried on this contract: one section for each finding, in the finding's words,
with the kind of project that it was found in. What audits of this contract found stands in `test_audit_findings`."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from exchange.domain.deployment import ETH, address_bytes
from exchange.domain.eip712 import Domain, Scheme, Value
from exchange.domain.order import Side
from exchange.domain.settlement import Execution
from tests.utils.contracts import BTC, ETHER, FEE_CAP_BPS, REFUSING_CODE, UNITS, USDC, World, reverts, single
from tests.utils.signing import Signer

PRICE = 6_000_000
DAY = 86_400
KEY, HEIR, STRANGER, VICTIM = Signer("key"), Signer("heir"), Signer("stranger"), Signer("victim")
# A receiver of ETH that keeps a note in storage, as smart wallets do: far more than the 2,300 gas of `send`.
NOTING_CODE = bytes.fromhex("60015f5500")


# Fee cap skipped for a zero fill. Found in an exchange of outcome tokens: the check divided by the amount filled, and
# an early return for zero let an operator take any fee.


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("lots", "quote"), [(0, 0), (0, PRICE), (1, 0)])
@pytest.mark.parametrize("fee", [0, 1, 2**63])
def test_fee_cap_skipped_for_a_zero_fill(
    world: World, buyer: Signer, side: Side, lots: int, quote: int, fee: int
) -> None:
    order = world.order(buyer, side, nonce=single(1), max_fee_bps=10_000)
    with reverts("order: nothing filled"):
        world.settle([world.execution(buyer, order, lots, quote, fee)])
    assert world.trading(buyer, USDC) == 10_000_000_000


@pytest.mark.parametrize("max_fee_bps", [0, 1, 99, 100, 10_000])
def test_fee_cap_is_exact_for_the_smallest_fill(world: World, buyer: Signer, seller: Signer, max_fee_bps: int) -> None:
    """No division rounds the cap away: a hundred quote units bear a fee of one at a cap of one in a hundred only."""
    cap = 100 * min(max_fee_bps, FEE_CAP_BPS) // 10_000
    with reverts("order: fee over the cap"):
        world.settle(world.match(buyer, seller, 1, fee=cap + 1, price=100, max_fee_bps=max_fee_bps))
    world.settle(world.match(buyer, seller, 1, fee=cap, price=100, max_fee_bps=max_fee_bps))


# Fee rate not in the signed hash. Found in a limit-order protocol: the fee stood beside the order, so that whoever
# filled it chose the fee.


@pytest.mark.parametrize("claimed", [11, 50, 100])
def test_fee_rate_not_in_the_signed_hash(world: World, buyer: Signer, seller: Signer, claimed: int) -> None:
    signed = world.order(seller, Side.sell, max_fee_bps=10)
    signature = seller.sign_order(world.domain, signed)
    raised = world.order(seller, Side.sell, max_fee_bps=claimed)
    fee = 10 * PRICE * claimed // 10_000
    purchase = world.match(buyer, seller)[0]
    with reverts("order: wrong signer"):
        world.settle([purchase, world.execution(seller, raised, fee=fee, signature=signature)])
    with reverts("order: fee over the cap"):
        world.settle([purchase, world.execution(seller, signed, fee=fee, signature=signature)])


# Taker total not reconciled with the makers' sum. Found in an order-book exchange that settled one taker against many
# makers: the taker's total was an argument of its own, and the difference stayed with the operator.


def sweep(world: World, buyer: Signer, seller: Signer, taker: tuple[int, int], makers: list[int]) -> list[Execution]:
    """One taker buys (lots, quote); makers sell lots at the price, each on a nonce of its own."""
    bought = world.execution(buyer, world.order(buyer, quantity=100), *taker)
    sold = [
        world.execution(seller, world.order(seller, Side.sell, quantity=100, nonce=10 + i), lots)
        for i, lots in enumerate(makers)
    ]
    return [bought, *sold]


@pytest.mark.parametrize(
    ("taker", "makers"),
    [
        ((10, 10 * PRICE), [3, 6]),
        ((10, 10 * PRICE), [3, 8]),
        ((10, 9 * PRICE), [4, 6]),
        ((10, 10 * PRICE - 1), [4, 6]),
        ((9, 9 * PRICE), [4, 6]),
        ((10, 10 * PRICE), []),
        ((1, PRICE), [1, 1]),
    ],
)
def test_taker_total_not_reconciled_with_the_makers_sum(
    world: World, buyer: Signer, seller: Signer, taker: tuple[int, int], makers: list[int]
) -> None:
    with reverts("settle: sums differ"):
        world.settle(sweep(world, buyer, seller, taker, makers))
    world.settle(sweep(world, buyer, seller, (10, 10 * PRICE), [3, 3, 4]))
    world.check_solvent([buyer, seller, world.fee_account])


# A signature valid for any account. Found in a wallet protocol: the signer was recovered, and then not compared with
# the account that the message named.


def test_a_signature_valid_for_any_account_orders(world: World, buyer: Signer, seller: Signer) -> None:
    world.deposit(VICTIM, BTC, 1_000_000)
    for scheme, reason in ((Scheme.account, "order: wrong signer"), (Scheme.delegate, "delegate: unknown")):
        sale = world.execution(STRANGER, world.order(VICTIM, Side.sell), scheme=scheme)
        with reverts(reason):
            world.settle([world.match(buyer, seller)[0], sale])
    assert world.trading(VICTIM, BTC) == 1_000_000


@pytest.mark.parametrize("kind", ["Withdrawal", "FundingTransfer"])
def test_a_signature_valid_for_any_account_withdrawals(world: World, kind: str) -> None:
    world.deposit(VICTIM, USDC, 1_000)
    with reverts("signature: wrong signer"):
        world.withdraw(world.withdrawal(STRANGER, USDC, 1_000, account=VICTIM.raw, kind=kind))
    forged = world.withdrawal(VICTIM, USDC, 1_000, kind=kind)
    with reverts("signature: missing"):
        world.withdraw(forged | {"signature": b""}, sender=STRANGER)
    assert world.trading(VICTIM, USDC) == 1_000


def test_a_signature_valid_for_any_account_cancels_and_delegations(world: World) -> None:
    custody, domain, expiry = world.custody, world.domain, world.now + DAY
    account: dict[str, Value] = {"account": VICTIM.raw}
    delegation: dict[str, Value] = {"delegate": KEY.raw, "markets": 2, "expiry": expiry, "nonce": 1}
    calls: list[tuple[Callable[..., Any], tuple[Any, ...], bytes]] = [
        (custody.cancel, (1,), STRANGER.sign(domain, "Cancel", **account, nonce=1)),
        (custody.cancel_all, (5,), STRANGER.sign(domain, "CancelAll", **account, min_nonce=5)),
        (
            custody.add_delegate_signed,
            (KEY.address, 2, expiry, 1),
            STRANGER.sign(domain, "Delegation", **account, **delegation),
        ),
        (
            custody.revoke_delegate_signed,
            (KEY.address, 1),
            STRANGER.sign(domain, "Revocation", **account, delegate=KEY.raw, nonce=1),
        ),
    ]
    for function, arguments, signature in calls:
        for sent, reason in ((signature, "signature: wrong signer"), (b"", "signature: missing")):
            with reverts(reason):
                function(VICTIM.address, *arguments, sent, sender=STRANGER.address)


# Signed expiry not enforced. Found in an exchange protocol: the expiry was part of the hash and was never compared with
# the time.


@pytest.mark.parametrize("scheme", [Scheme.account, Scheme.delegate])
def test_signed_expiry_not_enforced_for_orders(world: World, buyer: Signer, seller: Signer, scheme: Scheme) -> None:
    world.custody.add_delegate(KEY.address, 2, world.now + DAY, sender=seller.address)
    signer = seller if scheme == Scheme.account else KEY
    expiry = world.now + 60
    sale = world.order(seller, Side.sell, quantity=1, expiry=expiry)
    world.pass_time(60 + world.windows.grace)
    purchase = world.match(buyer, seller, 1)[0]
    world.settle([purchase, world.execution(signer, sale, scheme=scheme)])
    world.pass_time(1)
    late = world.order(seller, Side.sell, quantity=1, expiry=expiry, nonce=2)
    with reverts("order: expired"):
        world.settle([world.match(buyer, seller, 1, nonce=2)[0], world.execution(signer, late, scheme=scheme)])


@pytest.mark.parametrize("kind", ["Withdrawal", "FundingTransfer"])
def test_signed_expiry_not_enforced_for_withdrawals(world: World, buyer: Signer, kind: str) -> None:
    first, second = (world.withdrawal(buyer, USDC, 10, kind=kind, nonce=n, deadline=world.now + 60) for n in (1, 2))
    world.pass_time(60)
    world.withdraw(first)
    world.pass_time(1)
    with reverts("withdraw: past the deadline"):
        world.withdraw(second)


def test_signed_expiry_not_enforced_for_delegations(world: World, seller: Signer) -> None:
    expiry = world.now + 60
    arguments = (KEY.address, 2, expiry, 1)
    signature = seller.sign(
        world.domain, "Delegation", account=seller.raw, delegate=KEY.raw, markets=2, expiry=expiry, nonce=1
    )
    world.pass_time(60)
    with reverts("delegate: expiry out of range"):
        world.custody.add_delegate_signed(seller.address, *arguments, signature, sender=STRANGER.address)


# Delays in blocks instead of seconds. Found in staking and bridge contracts: blocks came faster than assumed, so that
# the time to leave was gone in minutes.


def mine(blocks: int) -> None:
    """Many blocks in no time."""
    boa.env.evm.patch.block_number += blocks


def test_delays_in_blocks_instead_of_seconds(world: World, seller: Signer) -> None:
    usdc, custody, windows = world.token_address(USDC), world.custody, world.windows
    custody.request_exit(sender=seller.address)
    custody.request_withdraw(usdc, 5, seller.address, sender=seller.address)
    world.as_owner("schedule", world.operation_hash("set_guardian", HEIR.address))
    mine(10_000_000)
    with reverts("exit: too early"):
        custody.claim_exit(seller.address, usdc, sender=seller.address)
    with reverts("request: too early"):
        custody.claim_withdraw(seller.address, usdc, sender=seller.address)
    with reverts("owner: too early"):
        world.as_owner("set_guardian", HEIR.address)
    with reverts("freeze: operator was seen"):
        custody.freeze(sender=STRANGER.address)
    boa.env.evm.patch.timestamp += windows.delay
    custody.claim_withdraw(seller.address, usdc, sender=seller.address)
    custody.claim_exit(seller.address, usdc, sender=seller.address)
    boa.env.evm.patch.timestamp += windows.timelock
    world.as_owner("set_guardian", HEIR.address)
    boa.env.evm.patch.timestamp += windows.silence
    custody.freeze(sender=STRANGER.address)


def test_delays_in_blocks_instead_of_seconds_for_what_could_void_a_match(
    world: World, buyer: Signer, seller: Signer
) -> None:
    world.custody.cancel(seller.address, 1, b"", sender=seller.address)
    world.custody.cancel_all(seller.address, 2, b"", sender=seller.address)
    mine(10_000_000)
    world.settle(world.match(buyer, seller, 1))
    assert world.custody.nonce_cancelled_at(seller.address, 1) == world.now + world.windows.delay


# Missing chain id. Found in permit-like tokens and in forks of exchanges: what was signed for one chain was valid on
# every other, and on both sides of a split.


def test_missing_chain_id(world: World, buyer: Signer, seller: Signer) -> None:
    match, here = world.match(buyer, seller), world.domain
    other = Domain(here.name, here.chain_id + 1, here.contract)
    withdrawal = world.withdrawal(buyer, USDC, 10)
    cancel = seller.sign(here, "Cancel", account=seller.raw, nonce=9)
    try:
        boa.env.evm.patch.chain_id = other.chain_id
        with reverts("order: wrong signer"):
            world.settle(match)
        with reverts("signature: wrong signer"):
            world.withdraw(withdrawal)
        with reverts("signature: wrong signer"):
            world.custody.cancel(seller.address, 9, cancel, sender=STRANGER.address)
        signed_there = seller.sign(other, "Cancel", account=seller.raw, nonce=9)
        world.custody.cancel(seller.address, 9, signed_there, sender=STRANGER.address)
    finally:
        boa.env.evm.patch.chain_id = here.chain_id
    with reverts("signature: wrong signer"):
        world.custody.cancel(
            seller.address, 8, seller.sign(other, "Cancel", account=seller.raw, nonce=8), sender=STRANGER.address
        )
    world.settle(match)
    world.withdraw(withdrawal)


# EIP-1271 path taken for EIP-7702 accounts that signed plainly. Found in marketplaces and token standards: an account
# with code was taken for a contract wallet, so that its own plain signature was not valid any more.


@pytest.mark.parametrize("code", [REFUSING_CODE, bytes.fromhex("ef0100") + bytes(20)], ids=["code", "delegation"])
def test_eip_1271_path_taken_for_eip_7702_accounts_that_signed_plainly(
    world: World, buyer: Signer, seller: Signer, code: bytes
) -> None:
    for account in (buyer, seller):
        boa.env.set_code(account.address, code)
    world.settle(world.match(buyer, seller))
    world.withdraw(world.withdrawal(seller, USDC, 1_000, recipient=HEIR.raw))
    assert world.wallet(HEIR.address, USDC) == 1_000
    cancel = seller.sign(world.domain, "Cancel", account=seller.raw, nonce=5)
    world.custody.cancel(seller.address, 5, cancel, sender=STRANGER.address)


# Deregistered delegate whose old orders replay. Found in exchanges with signing keys for bots: a key was struck off,
# named again later, and everything that it had ever signed was valid again.


def test_deregistered_delegate_whose_old_orders_replay(world: World, buyer: Signer, seller: Signer) -> None:
    custody, expiry = world.custody, world.now + DAY
    custody.add_delegate(KEY.address, 2, expiry, sender=seller.address)
    old = world.execution(KEY, world.order(seller, Side.sell, quantity=1), scheme=Scheme.delegate)
    custody.revoke_delegate(KEY.address, sender=seller.address)
    world.pass_time(world.windows.delay)
    purchase = world.match(buyer, seller, 1)[0]
    with reverts("delegate: revoked"):
        world.settle([purchase, old])
    with reverts("delegate: revoked for ever"):
        custody.add_delegate(KEY.address, 2, expiry + 1, sender=seller.address)
    signature = seller.sign(
        world.domain, "Delegation", account=seller.raw, delegate=KEY.raw, markets=2, expiry=expiry, nonce=9
    )
    with reverts("delegate: revoked for ever"):
        custody.add_delegate_signed(seller.address, KEY.address, 2, expiry, 9, signature, sender=STRANGER.address)
    with reverts("delegate: revoked"):
        world.settle([purchase, old])


# ETH by `send`. Found in many vaults: 2,300 gas are too few for a smart wallet, so that its money could not leave; or
# one receiver that refused made a whole payment fail.


def test_eth_by_send_reaches_a_receiver_that_needs_gas(world: World, seller: Signer) -> None:
    boa.env.set_code(HEIR.address, NOTING_CODE)
    world.deposit(seller, ETHER, 1_000, to_funding=True)
    world.custody.withdraw_funding(ETH, 400 * UNITS[ETHER], HEIR.address, sender=seller.address)
    assert world.wallet(HEIR.address, ETHER) == 400 * UNITS[ETHER]
    assert boa.env.get_storage(HEIR.address, 0) == 1


def test_eth_by_send_does_not_fail_for_a_receiver_that_refuses(world: World, seller: Signer) -> None:
    boa.env.set_code(HEIR.address, REFUSING_CODE)
    world.deposit(seller, ETHER, 1_000)
    world.withdraw(world.withdrawal(seller, ETHER, 1_000, recipient=address_bytes(HEIR.address), max_fee=20, fee=20))
    assert world.wallet(world.keeper.address, ETHER) == 20 * UNITS[ETHER]
    assert world.custody.refused_eth(seller.address) == 980
    boa.env.set_code(STRANGER.address, NOTING_CODE)
    world.custody.claim_eth(STRANGER.address, sender=seller.address)
    assert world.wallet(STRANGER.address, ETHER) == 980 * UNITS[ETHER]
