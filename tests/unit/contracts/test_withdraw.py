"""withdraw and move_to_funding: the co-signed ways out of trading."""

from typing import Any

import pytest

from exchange.domain.deployment import ETH, address_bytes
from exchange.domain.eip712 import TYPE_HASHES, TYPES, Domain, keccak
from tests.utils.contracts import BTC, BTI, CHAIN_ID, ETHER, UNITS, USDC, World, reverts
from tests.utils.signing import Signer

KINDS = pytest.mark.parametrize("kind", ["Withdrawal", "FundingTransfer"])


@pytest.fixture
def trader(world: World) -> Signer:
    """An account with 1,000 of each token in trading."""
    signer = Signer("trader")
    for token_id in range(4):
        world.deposit(signer, token_id, 1_000)
    return signer


@pytest.mark.parametrize("token_id", range(4))
def test_withdraw_pays_the_recipient_and_the_submitter(world: World, trader: Signer, token_id: int) -> None:
    recipient = Signer("recipient")
    arguments = world.withdrawal(trader, token_id, 400, recipient=recipient.raw, max_fee=7, fee=5)
    world.withdraw(arguments)
    event = world.event("Withdrawn")
    message = {k: v for k, v in arguments.items() if k not in ("signature", "fee", "approval")}
    assert event.pop("withdrawal_hash") == world.domain.hash("Withdrawal", message)
    assert event == {
        "account": trader.address,
        "token_id": token_id,
        "recipient": recipient.address,
        "amount": 400,
        "fee": 5,
        "nonce": 1,
        "submitter": world.keeper.address,
    }
    assert world.wallet(recipient.address, token_id) == 395 * UNITS[token_id]
    assert world.wallet(world.keeper.address, token_id) == 5 * UNITS[token_id]
    assert world.trading(trader, token_id) == 600
    assert world.custody.withdrawal_used(trader.address, 1)
    world.check_solvent([trader])


@pytest.mark.parametrize("token_id", range(4))
def test_move_to_funding_credits_the_account_and_pays_the_submitter(
    world: World, trader: Signer, token_id: int
) -> None:
    arguments = world.withdrawal(trader, token_id, 400, kind="FundingTransfer", max_fee=7, fee=5)
    world.withdraw(arguments)
    event = world.event("MovedToFunding")
    message = {k: v for k, v in arguments.items() if k not in ("signature", "fee", "approval")}
    assert event.pop("withdrawal_hash") == world.domain.hash("FundingTransfer", message)
    assert event == {"account": trader.address, "token_id": token_id, "amount": 400, "fee": 5, "nonce": 1}
    assert (world.trading(trader, token_id), world.funding(trader, token_id)) == (600, 395)
    assert world.wallet(world.keeper.address, token_id) == 5 * UNITS[token_id]
    world.check_solvent([trader])


def test_a_contract_wallet_withdraws_by_calling(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, 400) | {"signature": b""}
    world.withdraw(arguments, sender=trader)
    assert world.wallet(trader.address, USDC) == 400


@KINDS
def test_withdraw_reverts_without_the_accounts_signature(world: World, trader: Signer, kind: str) -> None:
    arguments = world.withdrawal(trader, USDC, 400, kind=kind)
    with reverts("signature: missing"):
        world.withdraw(arguments | {"signature": b""})
    with reverts("signature: not 65 bytes"):
        world.withdraw(arguments | {"signature": arguments["signature"][:64]})
    with reverts("signature: invalid"):
        world.withdraw(arguments | {"signature": bytes(65)})


@KINDS
@pytest.mark.parametrize(
    "change", [{"amount": 401}, {"max_fee": 9}, {"nonce": 2}, {"deadline": 2**40}, {"token": "other"}]
)
def test_withdraw_reverts_when_a_signed_field_is_changed(
    world: World, trader: Signer, kind: str, change: dict[str, Any]
) -> None:
    arguments = world.withdrawal(trader, USDC, 400, kind=kind)
    if "token" in change:
        change = {"token": address_bytes(world.token_address(BTC))}
    with reverts("signature: wrong signer"):
        world.withdraw(arguments | change)


def test_withdraw_reverts_when_the_recipient_is_changed(world: World, trader: Signer) -> None:
    with reverts("signature: wrong signer"):
        world.withdraw(world.withdrawal(trader, USDC, 400) | {"recipient": world.keeper.raw})


@KINDS
def test_withdraw_reverts_when_another_account_signed(world: World, trader: Signer, kind: str) -> None:
    thief = Signer("thief")
    arguments = world.withdrawal(thief, USDC, 400, kind=kind) | {"account": trader.raw}
    with reverts("signature: wrong signer"):
        world.withdraw(arguments)


@KINDS
def test_withdraw_reverts_for_another_chain_or_contract(world: World, trader: Signer, kind: str) -> None:
    mine = world.domain
    for domain in (Domain(mine.name, CHAIN_ID + 1, mine.contract), Domain(mine.name, CHAIN_ID, bytes(20))):
        world.domain = domain
        arguments = world.withdrawal(trader, USDC, 400, kind=kind)
        world.domain = mine
        with reverts("signature: wrong signer"):
            world.withdraw(arguments)


@KINDS
def test_withdraw_reverts_when_not_approved(world: World, trader: Signer, kind: str) -> None:
    with reverts("withdraw: not approved"):
        world.withdraw(world.withdrawal(trader, USDC, 400, kind=kind, co_signer=world.operator))


@KINDS
def test_withdraw_reverts_when_another_fee_was_approved(world: World, trader: Signer, kind: str) -> None:
    arguments = world.withdrawal(trader, USDC, 400, kind=kind, max_fee=9, fee=5)
    with reverts("withdraw: not approved"):
        world.withdraw(arguments | {"fee": 6})


@KINDS
def test_withdraw_reverts_when_the_fee_is_over_the_cap(world: World, trader: Signer, kind: str) -> None:
    with reverts("withdraw: fee over the cap"):
        world.withdraw(world.withdrawal(trader, USDC, 400, kind=kind, max_fee=4, fee=5))
    with reverts("withdraw: fee over the cap"):
        world.withdraw(world.withdrawal(trader, USDC, 400, kind=kind, max_fee=500, fee=401))


@KINDS
def test_withdraw_reverts_past_its_deadline(world: World, trader: Signer, kind: str) -> None:
    arguments = world.withdrawal(trader, USDC, 400, kind=kind)
    world.pass_time(601)
    with reverts("withdraw: past the deadline"):
        world.withdraw(arguments)


@KINDS
def test_withdraw_works_up_to_its_deadline(world: World, trader: Signer, kind: str) -> None:
    arguments = world.withdrawal(trader, USDC, 400, kind=kind, deadline=world.now + 60)
    world.pass_time(60)
    world.withdraw(arguments)
    assert world.trading(trader, USDC) == 600


@KINDS
def test_withdraw_reverts_when_repeated(world: World, trader: Signer, kind: str) -> None:
    arguments = world.withdrawal(trader, USDC, 400, kind=kind)
    world.withdraw(arguments)
    with reverts("withdraw: nonce used"):
        world.withdraw(arguments)


def test_both_kinds_share_the_nonces(world: World, trader: Signer) -> None:
    world.withdraw(world.withdrawal(trader, USDC, 400))
    with reverts("withdraw: nonce used"):
        world.withdraw(world.withdrawal(trader, USDC, 100, kind="FundingTransfer"))


def test_withdraw_reverts_when_the_nonce_is_out_of_range(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, 400) | {"nonce": 2**64, "signature": b""}
    digest = world.domain.digest(_hash_with_wide_nonce(arguments))
    approval = world.co_signer.sign(world.domain, "Approval", withdrawal=digest, fee=0)
    with reverts("withdraw: nonce out of range"):
        world.withdraw(arguments | {"approval": approval}, sender=trader)
    with reverts("withdraw: nonce out of range"):
        world.custody.withdrawal_used(trader.address, 2**64)


def _hash_with_wide_nonce(arguments: dict[str, Any]) -> bytes:
    values = [arguments[name] for name, _ in TYPES["Withdrawal"]]
    words = [v.rjust(32, b"\0") if isinstance(v, bytes) else v.to_bytes(32) for v in values]
    return keccak(TYPE_HASHES["Withdrawal"] + b"".join(words))


@KINDS
def test_withdraw_reverts_when_trading_is_too_little(world: World, trader: Signer, kind: str) -> None:
    with reverts("ledger: too little trading"):
        world.withdraw(world.withdrawal(trader, USDC, 1_001, kind=kind))


@KINDS
def test_withdraw_reverts_when_an_amount_is_not_whole(world: World, trader: Signer, kind: str) -> None:
    unit = UNITS[BTI]
    for amount, fee, reason in (
        (unit + 1, 0, "amount: not whole ledger units"),
        (2 * unit, unit + 1, "amount: not whole ledger units"),
        (0, 0, "amount: zero"),
    ):
        arguments = world.withdrawal(trader, BTI, 1, kind=kind, amount=amount, max_fee=2)
        digest = world.domain.hash(
            kind, {k: v for k, v in arguments.items() if k not in ("signature", "fee", "approval")}
        )
        approval = world.co_signer.sign(world.domain, "Approval", withdrawal=digest, fee=fee)
        with reverts(reason):
            world.withdraw(arguments | {"fee": fee, "approval": approval})


def test_withdraw_reverts_for_an_unlisted_token(world: World, trader: Signer) -> None:
    with reverts("token: not listed"):
        world.withdraw(world.withdrawal(trader, USDC, 1, token=trader.raw))


@pytest.mark.parametrize("token_id", [USDC, ETHER])
def test_withdraw_reverts_for_a_bad_recipient(world: World, trader: Signer, token_id: int) -> None:
    for recipient in (address_bytes(ETH), address_bytes(str(world.custody.address))):
        with reverts("transfer: bad recipient"):
            world.withdraw(world.withdrawal(trader, token_id, 1, recipient=recipient))


@KINDS
def test_withdraw_works_while_paused_and_frozen(world: World, trader: Signer, kind: str) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    world.withdraw(world.withdrawal(trader, USDC, 400, kind=kind))
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    world.withdraw(world.withdrawal(trader, USDC, 400, kind=kind, nonce=2))
    assert world.trading(trader, USDC) == 200


def test_nothing_is_approved_once_there_is_no_co_signer(world: World, trader: Signer) -> None:
    world.scheduled("set_co_signer", ETH)
    arguments = world.withdrawal(trader, USDC, 400)
    with reverts("signature: invalid"):
        world.withdraw(arguments | {"approval": bytes(65)})
    with reverts("withdraw: not approved"):
        world.withdraw(arguments)
