"""request_withdraw, cancel_withdraw_request, claim_withdraw: out of trading without anybody."""

import pytest

from exchange.domain.deployment import ETH
from tests.utils.contracts import BTI, ETHER, UNITS, USDC, World, reverts
from tests.utils.signing import Signer

RECIPIENT = Signer("recipient").address


@pytest.fixture
def trader(world: World) -> Signer:
    """An account with 1,000 of each token in trading."""
    signer = Signer("trader")
    for token_id in range(4):
        world.deposit(signer, token_id, 1_000)
    return signer


def request(world: World, trader: Signer, token_id: int = USDC, amount: int = 400) -> None:
    """Request a withdrawal of ledger units to the recipient."""
    world.custody.request_withdraw(
        world.token_address(token_id), amount * UNITS[token_id], RECIPIENT, sender=trader.address
    )


def claim(world: World, trader: Signer, token_id: int = USDC, sender: Signer | None = None) -> None:
    """Claim as anybody."""
    caller = (sender or world.keeper).address
    world.custody.claim_withdraw(trader.address, world.token_address(token_id), sender=caller)


@pytest.mark.parametrize("token_id", range(4))
def test_claim_pays_after_the_delay(world: World, trader: Signer, token_id: int) -> None:
    request(world, trader, token_id)
    claimable_at = world.now + world.windows.delay
    assert world.event("WithdrawalRequested") == {
        "account": trader.address,
        "token_id": token_id,
        "recipient": RECIPIENT,
        "amount": 400,
        "claimable_at": claimable_at,
        "lapses_at": claimable_at + world.windows.claim_window,
    }
    assert world.custody.withdrawal_request(trader.address, token_id).amount == 400
    world.pass_time(world.windows.delay)
    claim(world, trader, token_id)
    assert world.event("WithdrawalClaimed") == {
        "account": trader.address,
        "token_id": token_id,
        "recipient": RECIPIENT,
        "amount": 400,
    }
    assert world.wallet(RECIPIENT, token_id) == 400 * UNITS[token_id]
    assert world.trading(trader, token_id) == 600
    assert world.custody.withdrawal_request(trader.address, token_id).amount == 0
    world.check_solvent([trader])


def test_claim_by_the_account_pays_what_is_left(world: World, trader: Signer) -> None:
    request(world, trader, amount=5_000)
    world.pass_time(world.windows.delay)
    claim(world, trader, sender=trader)
    assert (world.wallet(RECIPIENT, USDC), world.trading(trader, USDC)) == (1_000, 0)


def test_claim_of_an_empty_balance_closes_the_request(world: World, trader: Signer) -> None:
    poor = Signer("poor")
    request(world, poor)
    world.pass_time(world.windows.delay)
    claim(world, poor, sender=poor)
    assert world.event("WithdrawalClaimed")["amount"] == 0
    with reverts("request: none"):
        claim(world, poor)


def test_claim_works_on_both_edges_of_the_window(world: World, trader: Signer) -> None:
    request(world, trader)
    world.pass_time(world.windows.delay - 1)
    with reverts("request: too early"):
        claim(world, trader)
    world.pass_time(1 + world.windows.claim_window)
    claim(world, trader)


def test_claim_reverts_past_the_window(world: World, trader: Signer) -> None:
    request(world, trader)
    world.pass_time(world.windows.delay + world.windows.claim_window + 1)
    with reverts("request: lapsed"):
        claim(world, trader)
    request(world, trader, amount=100)
    world.pass_time(world.windows.delay)
    claim(world, trader)
    assert world.wallet(RECIPIENT, USDC) == 100


def test_claim_is_immediate_when_frozen(world: World, trader: Signer) -> None:
    world.pass_time(world.windows.silence + 1)
    request(world, trader)
    world.custody.freeze(sender=world.keeper.address)
    claim(world, trader)
    assert world.wallet(RECIPIENT, USDC) == 400


def test_claim_reverts_without_a_request(world: World, trader: Signer) -> None:
    with reverts("request: none"):
        claim(world, trader)


def test_claim_reverts_when_repeated(world: World, trader: Signer) -> None:
    request(world, trader)
    world.pass_time(world.windows.delay)
    claim(world, trader)
    with reverts("request: none"):
        claim(world, trader)


def test_request_works_while_paused(world: World, trader: Signer) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    request(world, trader)


def test_request_reverts_while_one_is_open(world: World, trader: Signer) -> None:
    request(world, trader)
    world.pass_time(world.windows.delay + world.windows.claim_window)
    with reverts("request: one is open"):
        request(world, trader)
    request(world, trader, ETHER)


def test_request_reverts_for_bad_arguments(world: World, trader: Signer) -> None:
    for recipient in (ETH, str(world.custody.address)):
        with reverts("transfer: bad recipient"):
            world.custody.request_withdraw(world.token_address(USDC), 1, recipient, sender=trader.address)
    with reverts("amount: zero"):
        request(world, trader, amount=0)
    with reverts("amount: not whole ledger units"):
        world.custody.request_withdraw(world.token_address(BTI), 1, RECIPIENT, sender=trader.address)
    with reverts("amount: too large"):
        request(world, trader, amount=2**63)
    with reverts("token: not listed"):
        world.custody.request_withdraw(trader.address, 1, RECIPIENT, sender=trader.address)


def test_cancel_withdraw_request_closes_it(world: World, trader: Signer) -> None:
    request(world, trader)
    world.custody.cancel_withdraw_request(world.token_address(USDC), sender=trader.address)
    assert world.event("WithdrawalRequestCancelled") == {"account": trader.address, "token_id": USDC}
    world.pass_time(world.windows.delay)
    with reverts("request: none"):
        claim(world, trader)


def test_cancel_withdraw_request_reverts_without_one(world: World, trader: Signer) -> None:
    with reverts("request: none"):
        world.custody.cancel_withdraw_request(world.token_address(USDC), sender=trader.address)
