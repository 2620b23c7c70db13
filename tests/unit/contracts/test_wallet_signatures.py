"""Signatures of contract wallets (EIP-1271) on every message outside a batch, and of accounts under EIP-7702."""

from collections.abc import Callable
from typing import Any

import boa
import pytest

from exchange.chain.wallets import WALLET_GAS
from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Side
from keeper.gas_budget import GasLimits
from tests.utils.contracts import BTC, MOCKS, REFUSING_CODE, USDC, World, reverts
from tests.utils.signing import Signer

OWNER = Signer("wallet_owner")
DELEGATE = Signer("delegate")
MESSAGES = ("Delegation", "Revocation", "Cancel", "CancelAll", "Withdrawal", "FundingTransfer")
EACH = pytest.mark.parametrize("kind", MESSAGES)


@pytest.fixture(scope="module")
def code() -> Any:
    """The wallet's code, compiled once."""
    return boa.load_partial(str(MOCKS / "ContractWallet.vy"))


@pytest.fixture
def wallet(world: World, code: Any) -> Any:
    """A contract wallet of one owner."""
    return code.deploy(OWNER.address)


def fund(world: World, account: str) -> None:
    """Give an account 1,000 USDC units in trading."""
    payer = Signer("payer")
    world.fund(payer, USDC, 1_000)
    world.custody.deposit(world.token_address(USDC), 1_000, account, False, sender=payer.address)


def poster(world: World, account: str, kind: str) -> tuple[bytes, Callable[[bytes], None]]:
    """A message's digest, and how anybody posts it with a signature."""
    raw, expiry = address_bytes(account), world.now + 10_000
    usdc = world.token_address(USDC)
    custody, sender = world.custody, world.keeper.address
    messages: dict[str, dict[str, Any]] = {
        "Delegation": {"delegate": DELEGATE.raw, "markets": 2, "expiry": expiry, "nonce": 7},
        "Revocation": {"delegate": DELEGATE.raw, "nonce": 7},
        "Cancel": {"nonce": 5},
        "CancelAll": {"min_nonce": 5},
        "Withdrawal": {
            "token": address_bytes(usdc),
            "amount": 400,
            "recipient": DELEGATE.raw,
            "max_fee": 0,
            "nonce": 1,
            "deadline": expiry,
        },
        "FundingTransfer": {
            "token": address_bytes(usdc), "amount": 400, "max_fee": 0, "nonce": 1, "deadline": expiry
        },
    }  # fmt: skip
    digest = world.domain.hash(kind, {"account": raw} | messages[kind])
    approval = world.co_signer.sign(world.domain, "Approval", withdrawal=digest, fee=0)
    posts: dict[str, Callable[[bytes], None]] = {
        "Delegation": lambda s: custody.add_delegate_signed(account, DELEGATE.address, 2, expiry, 7, s, sender=sender),
        "Revocation": lambda s: custody.revoke_delegate_signed(account, DELEGATE.address, 7, s, sender=sender),
        "Cancel": lambda s: custody.cancel(account, 5, s, sender=sender),
        "CancelAll": lambda s: custody.cancel_all(account, 5, s, sender=sender),
        "Withdrawal": lambda s: custody.withdraw(
            account, usdc, 400, DELEGATE.address, 0, 1, expiry, s, 0, approval, sender=sender
        ),
        "FundingTransfer": lambda s: custody.move_to_funding(
            account, usdc, 400, 0, 1, expiry, s, 0, approval, sender=sender
        ),
    }
    return digest, posts[kind]


@EACH
def test_a_contract_wallet_signs(world: World, wallet: Any, kind: str) -> None:
    fund(world, wallet.address)
    digest, post = poster(world, wallet.address, kind)
    post(OWNER.key.sign(digest))


@EACH
def test_a_contract_wallet_refuses_what_its_owner_did_not_sign(world: World, wallet: Any, kind: str) -> None:
    fund(world, wallet.address)
    digest, post = poster(world, wallet.address, kind)
    for signature in (DELEGATE.key.sign(digest), OWNER.key.sign(bytes(32)), bytes(65), b"\1", bytes(1_024)):
        with reverts("signature: wallet refused"):
            post(signature)
    with reverts("signature: missing"):
        post(b"")


@EACH
def test_eip_1271_path_taken_for_eip_7702_accounts_that_signed_plainly(world: World, kind: str) -> None:
    account = Signer("smart_account")
    fund(world, account.address)
    boa.env.set_code(account.address, REFUSING_CODE)
    digest, post = poster(world, account.address, kind)
    with reverts("signature: wallet refused"):
        post(OWNER.key.sign(digest))
    post(account.key.sign(digest))


def test_code_of_an_eip_7702_account_may_say_yes_to_what_its_key_did_not_sign(world: World, code: Any) -> None:
    account = Signer("smart_account")
    fund(world, account.address)
    boa.env.set_code(account.address, boa.env.get_code(code.deploy(OWNER.address).address))
    digest, post = poster(world, account.address, "Withdrawal")
    post(OWNER.key.sign(digest))
    assert world.wallet(DELEGATE.address, USDC) == 400


@pytest.mark.parametrize("kind", range(1, 9))
def test_only_the_exact_answer_counts(world: World, kind: int) -> None:
    """Refusal, burnt gas, four bytes, the wrong end of the word, dirt, a change of state, nothing, two words."""
    hostile = boa.load(str(MOCKS / "HostileWallet.vy"))
    _, post = poster(world, str(hostile.address), "CancelAll")
    if kind == 8:  # what follows the first word is never read
        return post(bytes([kind]) * 65)
    with reverts("signature: wallet refused"):
        post(bytes([kind]) * 65)
    return None


@EACH
def test_an_account_without_code_is_asked_nothing(world: World, kind: str) -> None:
    account = Signer("plain")
    fund(world, account.address)
    digest, post = poster(world, account.address, kind)
    good = account.key.sign(digest)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = good[:32] + (order - int.from_bytes(good[32:64])).to_bytes(32) + bytes([55 - good[64]])
    for signature, reason in (
        (good[:64], "signature: not 65 bytes"),
        (good + b"\0", "signature: not 65 bytes"),
        (bytes(65), "signature: invalid"),
        (high, "signature: high s"),
        (OWNER.key.sign(digest), "signature: wrong signer"),
    ):
        with reverts(reason):
            post(signature)
    post(good)


@EACH
def test_nobody_signs_for_the_zero_address(world: World, kind: str) -> None:
    _, post = poster(world, "0x" + "00" * 20, kind)
    with reverts("signature: invalid"):
        post(bytes(65))


def test_the_contract_itself_is_no_wallet(world: World) -> None:
    _, post = poster(world, str(world.custody.address), "CancelAll")
    with reverts("signature: wallet refused"):
        post(bytes(65))


def test_a_delegate_of_a_contract_wallet_posts_cancels_and_trades(world: World, wallet: Any, buyer: Signer) -> None:
    payer = Signer("payer")
    world.fund(payer, BTC, 100_000)
    world.custody.deposit(world.token_address(BTC), 100_000, wallet.address, False, sender=payer.address)
    digest, post = poster(world, wallet.address, "Delegation")
    post(OWNER.key.sign(digest))
    sale = world.order(OWNER, Side.sell, account=address_bytes(wallet.address))
    world.settle(
        [
            world.execution(buyer, world.order(buyer, Side.buy)),
            world.execution(DELEGATE, sale, scheme=Scheme.delegate),
        ]
    )
    assert world.custody.trading_balance(wallet.address, USDC) == 60_000_000
    digest, post = poster(world, wallet.address, "Cancel")
    post(DELEGATE.key.sign(digest))


def test_a_batch_never_asks_a_wallet(world: World, wallet: Any, buyer: Signer) -> None:
    sale = world.order(OWNER, Side.sell, account=address_bytes(wallet.address))
    with reverts("order: wrong signer"):
        world.settle([world.execution(buyer, world.order(buyer)), world.execution(OWNER, sale)])


def test_what_a_wallet_burns_is_bounded(world: World) -> None:
    """It says yes after it burnt all it may: the poster pays for that, and for no more."""
    hostile = boa.load(str(MOCKS / "HostileWallet.vy"))
    used = []
    for kind in (10, 9):
        fund(world, hostile.address)
        _, post = poster(world, hostile.address, "FundingTransfer")
        with boa.env.anchor():
            post(bytes([kind]) * 65)
            used.append(world.custody._computation.get_gas_used())
    plain, burning = used
    assert WALLET_GAS - 20_000 < burning - plain < WALLET_GAS
    assert burning + burning // 4 < GasLimits().wallet // 5
