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
