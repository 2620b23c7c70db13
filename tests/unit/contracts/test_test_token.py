"""The token of development chains."""

from typing import Any

import pytest

from tests.utils.contracts import USDC, World, reverts
from tests.utils.signing import Signer

STRANGER = Signer("stranger")


@pytest.fixture
def token(world: World) -> Any:
    """A test token."""
    return world.tokens[USDC]


def test_the_faucet_reverts_over_its_limit(token: Any) -> None:
    limit = token.faucet_limit()
    token.faucet(limit, sender=STRANGER.address)
    with reverts("faucet: over the limit"):
        token.faucet(limit + 1, sender=STRANGER.address)
    assert token.balanceOf(STRANGER.address) == limit


def test_transfer_from_reverts_without_allowance(token: Any, depositor: Signer) -> None:
    token.approve(STRANGER.address, 5, sender=depositor.address)
    token.transferFrom(depositor.address, STRANGER.address, 4, sender=STRANGER.address)
    with reverts("transfer: not allowed"):
        token.transferFrom(depositor.address, STRANGER.address, 2, sender=STRANGER.address)


def test_permit_allows_once_until_its_deadline(world: World, token: Any, depositor: Signer) -> None:
    spender = str(world.custody.address)
    words = world.permit_words(depositor, USDC, 7)
    token.approve(spender, 0, sender=depositor.address)
    with reverts("permit: wrong signer"):
        token.permit(depositor.address, STRANGER.address, 7, *words, sender=STRANGER.address)
    token.permit(depositor.address, spender, 7, *words, sender=STRANGER.address)
    assert (token.allowance(depositor.address, spender), token.nonces(depositor.address)) == (7, 1)
    with reverts("permit: wrong signer"):
        token.permit(depositor.address, spender, 7, *words, sender=STRANGER.address)
    late = world.permit_words(depositor, USDC, 7)
    world.pass_time(601)
    with reverts("permit: expired"):
        token.permit(depositor.address, spender, 7, *late, sender=STRANGER.address)


def test_nobody_permits_for_the_zero_address(world: World, token: Any) -> None:
    with reverts("permit: wrong signer"):
        token.permit("0x" + "00" * 20, STRANGER.address, 7, world.now, 0, bytes(32), bytes(32))
