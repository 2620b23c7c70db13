"""A wallet signs what a real wallet signs: eth_account is the oracle."""

import pytest
from coincurve import PublicKey
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from bizzan.client.wallet import Wallet
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.order import Order

CONTRACT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
DOMAIN = Domain("Bizzan", 31_337, CONTRACT)


def make_order(account: bytes) -> Order:
    return Order(account, 1, 0, 800_000, 12, 7, 1_800_000_000, 0, 5, 0)


def test_address_is_the_one_that_eth_account_derives() -> None:
    wallet = Wallet.from_hex("0x" + "11" * 32)
    assert wallet.text_address == Account.from_key("0x" + "11" * 32).address


def test_seeded_wallets_come_back_and_differ() -> None:
    assert Wallet.from_seed("demo", 1).address == Wallet.from_seed("demo", 1).address
    assert Wallet.from_seed("demo", 1).address != Wallet.from_seed("demo", 2).address
    assert Wallet.from_seed("demo", 1).address != Wallet.from_seed("other", 1).address


def test_message_signature_equals_that_of_a_wallet() -> None:
    wallet = Wallet.from_hex("0x" + "22" * 32)
    values: dict[str, int | bytes] = {"account": wallet.address, "nonce": 9}
    typed = encode_typed_data(full_message=DOMAIN.typed_data("Cancel", values))
    assert wallet.sign(DOMAIN, "Cancel", values) == bytes(Account.sign_message(typed, wallet.key).signature)


def test_text_signature_equals_that_of_a_wallet() -> None:
    wallet = Wallet.create()
    expected = Account.sign_message(encode_defunct(text="sign in, déjà vu"), wallet.key).signature
    assert wallet.sign_text("sign in, déjà vu") == bytes(expected)


def test_order_is_signed_as_account_or_as_delegate() -> None:
    owner, delegate = Wallet.create(), Wallet.create()
    assert owner.sign_order(DOMAIN, make_order(owner.address)).scheme == Scheme.account
    signed = delegate.sign_order(DOMAIN, make_order(owner.address))
    assert signed.scheme == Scheme.delegate
    recoverable = signed.signature[:64] + bytes((signed.signature[64] - 27,))
    signer = PublicKey.from_signature_and_message(recoverable, signed.order_hash, hasher=None)
    assert signer == PublicKey.from_secret(delegate.key)


def test_key_is_never_printed() -> None:
    wallet = Wallet.from_hex("0x" + "33" * 32)
    assert "33" * 8 not in repr(wallet)


def test_key_of_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        Wallet(b"abc")
