"""The contract wallet of development chains."""

from typing import Any

import boa
import pytest

from bizzan.contracts import SOURCES
from exchange.domain.eip712 import keccak
from tests.utils.contracts import reverts
from tests.utils.signing import Signer

OWNER, HEIR = Signer("wallet_owner"), Signer("heir")
DIGEST = keccak(b"what is signed")
VALID, INVALID = bytes.fromhex("1626ba7e"), bytes.fromhex("ffffffff")


@pytest.fixture(scope="module")
def code() -> Any:
    """The wallet's code, compiled once."""
    return boa.load_partial(str(SOURCES / "test_wallets" / "TestWallet.vy"))


@pytest.fixture
def wallet(code: Any) -> Any:
    """A wallet of one owner."""
    return code.deploy(OWNER.address)


def test_its_owners_signature_is_valid(wallet: Any) -> None:
    signature = OWNER.key.sign(DIGEST)
    assert wallet.isValidSignature(DIGEST, signature) == VALID
    assert wallet.isValidSignature(DIGEST, signature + b"more") == VALID


@pytest.mark.parametrize(
    "signature", [b"", OWNER.key.sign(DIGEST)[:64], bytes(65), HEIR.key.sign(DIGEST), OWNER.key.sign(keccak(b"other"))]
)
def test_every_other_signature_is_not(wallet: Any, signature: bytes) -> None:
    assert wallet.isValidSignature(DIGEST, signature) == INVALID


def test_its_owner_hands_it_over(wallet: Any) -> None:
    wallet.change_owner(HEIR.address, sender=OWNER.address)
    assert wallet.isValidSignature(DIGEST, OWNER.key.sign(DIGEST)) == INVALID
    assert wallet.isValidSignature(DIGEST, HEIR.key.sign(DIGEST)) == VALID


def test_change_owner_reverts_for_others(wallet: Any) -> None:
    with reverts("wallet: only the owner"):
        wallet.change_owner(HEIR.address, sender=HEIR.address)
