"""Signatures and transactions, with eth_account as the oracle."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from exchange.chain.signing import CURVE_ORDER, Key, Transaction, recover, rlp_encode
from exchange.domain.eip712 import keccak

SECRET = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"


def test_key_has_the_address_that_wallets_show() -> None:
    assert Key(SECRET).address.hex() == "70997970c51812dc3a010c7d01b50e0d17dc79c8"
    assert Key(bytes.fromhex(SECRET[2:])).address == Key(SECRET).address


def test_key_never_prints_its_secret() -> None:
    assert repr(Key(SECRET)) == "Key(0x70997970c51812dc3a010c7d01b50e0d17dc79c8)"


@pytest.mark.parametrize("secret", ["0x12", "zz" * 32, "00" * 32, b"\xff" * 32])
def test_key_refuses_what_is_no_key_and_does_not_repeat_it(secret: str | bytes) -> None:
    with pytest.raises(ValueError, match="a private key must be 32 bytes") as refusal:
        Key(secret)
    assert str(secret) not in str(refusal.value)


def test_recover_returns_the_signer() -> None:
    digest = keccak(b"message")
    assert recover(digest, Key(SECRET).sign(digest)) == Key(SECRET).address


def test_recover_refuses_malleable_and_malformed_signatures() -> None:
    digest = keccak(b"message")
    signature = Key(SECRET).sign(digest)
    high_s = CURVE_ORDER - int.from_bytes(signature[32:64])
    assert recover(digest, signature[:32] + high_s.to_bytes(32) + bytes((55 - signature[64],))) is None
    assert recover(digest, signature[:64] + b"\x00") is None
    assert recover(digest, signature[:64]) is None
    assert recover(digest, bytes(64) + b"\x1b") is None
    assert recover(digest, b"\xff" * 32 + signature[32:]) is None


@given(r=st.integers(1, CURVE_ORDER - 1))
def test_recover_answers_for_every_r_even_off_the_curve(r: int) -> None:
    signer = recover(keccak(b"message"), r.to_bytes(32) + (1).to_bytes(32) + b"\x1b")
    assert signer is None or len(signer) == 20


@given(
    nonce=st.integers(0, 2**64 - 1),
    priority_fee=st.integers(0, 2**40),
    gas=st.integers(21_000, 2**24),
    to=st.binary(min_size=20, max_size=20),
    value=st.integers(0, 2**100),
    data=st.binary(max_size=300),
)
def test_transaction_bytes_equal_those_of_eth_account(
    nonce: int, priority_fee: int, gas: int, to: bytes, value: int, data: bytes
) -> None:
    ours = Transaction(31_337, nonce, priority_fee, priority_fee + 1, gas, to, value, data).sign(Key(SECRET))
    theirs = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 31_337,
            "nonce": nonce,
            "maxPriorityFeePerGas": priority_fee,
            "maxFeePerGas": priority_fee + 1,
            "gas": gas,
            "to": to,
            "value": value,
            "data": data,
        },
        SECRET,
    )
    assert (ours.raw, ours.tx_hash) == (bytes(theirs.raw_transaction), bytes(theirs.hash))


def test_rlp_encodes_long_strings_with_their_length() -> None:
    assert rlp_encode(b"") == b"\x80"
    assert rlp_encode(b"\x7f") == b"\x7f"
    assert rlp_encode(bytes(56))[:2] == b"\xb8\x38"
    assert rlp_encode([bytes(300)])[:6] == bytes.fromhex("f9012fb9012c")
