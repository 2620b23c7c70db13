"""A signed freeze survives the drawer, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from coincurve import PublicKey

from bizzan.client.freeze import SignedFreeze
from bizzan.client.wallet import Wallet
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import Domain

DOMAIN = Domain("Bizzan", 31_337, b"\xc0" * 20)


def test_a_signed_freeze_is_read_back_as_it_was_written() -> None:
    wallet = Wallet.create()
    freeze = SignedFreeze.sign(wallet, DOMAIN, 4)
    assert SignedFreeze.parse(freeze.text()) == freeze
    assert (freeze.account, freeze.contract) == (wallet.text_address, checksum(DOMAIN.contract))
    signature = freeze.signature_bytes
    digest = DOMAIN.hash("AccountFreeze", {"account": wallet.address, "nonce": 4})
    recoverable = signature[:64] + bytes((signature[64] - 27,))
    assert PublicKey.from_signature_and_message(recoverable, digest, hasher=None) == PublicKey.from_secret(wallet.key)


@pytest.mark.parametrize(
    "changes",
    [
        {"call": "freeze_account()"},
        {"signature": "0x12"},
        {"signature": "0xzz"},
        {"account": "0x12"},
        {"contract": "nobody"},
        {"gift": 1},
    ],
)
def test_what_is_no_signed_freeze_is_refused(changes: dict[str, object]) -> None:
    row = json.loads(SignedFreeze.sign(Wallet.create(), DOMAIN, 0).text())
    with pytest.raises(ValueError, match=r"freeze|signature|account|contract|hexadecimal"):
        SignedFreeze.parse(json.dumps(row | changes))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"freeze|Expecting"):
        SignedFreeze.parse(text)
