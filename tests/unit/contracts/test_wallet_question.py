"""Who is asked off chain whether it signed is asked as the contract asks: the same wallets say yes, and no others."""

from typing import Any

import boa
import pytest

from bizzan.contracts import SOURCES
from exchange.chain.wallets import MAX_SIGNATURE, question
from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import keccak
from tests.utils.contracts import MOCKS, REFUSING_CODE
from tests.utils.signing import Signer

OWNER = Signer("wallet_owner")
DIGEST = keccak(b"what is signed")
YES, NO = 1, 0


def answer(account: str, signature: bytes, digest: bytes = DIGEST) -> int:
    """What one `eth_call` of the question returns, as code that a creation would leave."""
    _, code = boa.env.deploy_code(bytecode=question(address_bytes(account), digest, signature))
    assert len(code) == 32
    return int.from_bytes(code)


@pytest.fixture(scope="module")
def wallet() -> Any:
    """A wallet of one owner."""
    return boa.load(str(SOURCES / "test_wallets" / "TestWallet.vy"), OWNER.address)


@pytest.mark.parametrize("size", [65, 66, 96, 97, MAX_SIGNATURE])
def test_a_wallet_says_yes_to_what_its_owner_signed(wallet: Any, size: int) -> None:
    assert answer(wallet.address, OWNER.key.sign(DIGEST).ljust(size, b"\7")) == YES


@pytest.mark.parametrize("signature", [b"\1", bytes(65), bytes(MAX_SIGNATURE), OWNER.key.sign(keccak(b"other"))])
def test_a_wallet_says_no_to_everything_else(wallet: Any, signature: bytes) -> None:
    assert answer(wallet.address, signature) == NO


@pytest.mark.parametrize("kind", range(1, 9))
def test_only_the_exact_answer_counts(kind: int) -> None:
    """The same wallet as in `test_wallet_signatures`, with the same outcome for each of its answers."""
    hostile = boa.load(str(MOCKS / "HostileWallet.vy"))
    assert answer(str(hostile.address), bytes([kind]) * 65) == (YES if kind == 8 else NO)
    assert hostile.asked() == 0


def test_nobody_is_there(wallet: Any) -> None:
    signature = OWNER.key.sign(DIGEST)
    refusing = Signer("smart_account")
    boa.env.set_code(refusing.address, REFUSING_CODE)
    for account in (Signer("plain").address, refusing.address, "0x" + "00" * 20):
        assert answer(account, signature) == NO
