"""request_exit, cancel_exit, claim_exit: leaving altogether."""

import pytest

from exchange.domain.order import Side
from tests.utils.contracts import ETHER, UNITS, USDC, World, reverts
from tests.utils.signing import Signer


@pytest.fixture
def leaver(world: World) -> Signer:
    """An account with 700 trading and 300 funding of each token."""
    signer = Signer("leaver")
    for token_id in range(4):
        world.deposit(signer, token_id, 700)
        world.deposit(signer, token_id, 300, to_funding=True)
    return signer


def claim(world: World, leaver: Signer, token_id: int = USDC, sender: Signer | None = None) -> None:
    """Claim as anybody."""
    caller = (sender or world.keeper).address
    world.custody.claim_exit(leaver.address, world.token_address(token_id), sender=caller)


def test_exit_pays_both_balances_to_the_account(world: World, leaver: Signer) -> None:
    world.custody.request_exit(sender=leaver.address)
    effective_at = world.now + world.windows.delay
    assert world.event("ExitRequested") == {"account": leaver.address, "effective_at": effective_at}
    assert world.custody.account_state(leaver.address).exit_at == effective_at
    world.pass_time(world.windows.delay)
    for token_id in range(4):
        claim(world, leaver, token_id)
        assert world.event("ExitClaimed") == {
            "account": leaver.address,
            "token_id": token_id,
            "trading_amount": 700,
            "funding_amount": 300,
        }
        assert world.wallet(leaver.address, token_id) == 1_000 * UNITS[token_id]
        assert world.custody.liabilities(token_id) == 0


def test_claim_exit_reverts_before_the_delay(world: World, leaver: Signer) -> None:
    world.custody.request_exit(sender=leaver.address)
    world.pass_time(world.windows.delay - 1)
    with reverts("exit: too early"):
        claim(world, leaver, sender=leaver)


def test_claim_exit_reverts_without_a_request(world: World, leaver: Signer) -> None:
    with reverts("exit: not requested"):
        claim(world, leaver, sender=leaver)


def test_claim_exit_reverts_when_there_is_nothing(world: World, leaver: Signer) -> None:
    world.custody.request_exit(sender=leaver.address)
    world.pass_time(world.windows.delay)
    claim(world, leaver)
    with reverts("exit: nothing to claim"):
        claim(world, leaver)


def test_claim_exit_reverts_for_an_unlisted_token(world: World, leaver: Signer) -> None:
    world.custody.request_exit(sender=leaver.address)
    world.pass_time(world.windows.delay)
    with reverts("token: not listed"):
        world.custody.claim_exit(leaver.address, leaver.address, sender=leaver.address)


def test_exit_works_while_paused(world: World, leaver: Signer) -> None:
    world.custody.request_exit(sender=leaver.address)
    world.pass_time(world.windows.delay)
    world.custody.pause(30, sender=world.guardian.address)
    claim(world, leaver)
    assert world.wallet(leaver.address, USDC) == 1_000


def test_exit_is_immediate_when_frozen(world: World, leaver: Signer) -> None:
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    with reverts("exit: not requested"):
        claim(world, leaver)
    claim(world, leaver, sender=leaver)
    world.custody.request_exit(sender=leaver.address)
    claim(world, leaver, ETHER)
    assert world.wallet(leaver.address, ETHER) == 1_000 * UNITS[ETHER]


def test_request_exit_reverts_when_repeated(world: World, leaver: Signer) -> None:
    world.custody.request_exit(sender=leaver.address)
    with reverts("exit: requested before"):
        world.custody.request_exit(sender=leaver.address)


def test_cancel_exit_brings_the_account_back(world: World, buyer: Signer, seller: Signer) -> None:
    world.custody.request_exit(sender=seller.address)
    world.pass_time(world.windows.delay)
    with reverts("order: account exited"):
        world.settle(world.match(buyer, seller))
    world.custody.cancel_exit(sender=seller.address)
    assert world.event("ExitCancelled") == {"account": seller.address}
    with reverts("exit: not requested"):
        claim(world, seller, sender=seller)
    world.settle(world.match(buyer, seller))


def test_cancel_exit_reverts_without_one(world: World, leaver: Signer) -> None:
    with reverts("exit: not requested"):
        world.custody.cancel_exit(sender=leaver.address)


def test_what_was_matched_before_an_exit_settles_until_the_delay_is_over(
    world: World, buyer: Signer, seller: Signer
) -> None:
    executions = [
        world.execution(buyer, world.order(buyer)),
        world.execution(seller, world.order(seller, Side.sell)),
    ]
    world.custody.request_exit(sender=seller.address)
    world.pass_time(world.windows.delay - 1)
    world.settle(executions)
