"""Keys: an account, what it signs, a key that trades for another account, and an account that is a contract.

A signature is 65 bytes `r || s || v` with v 27 or 28 and a low s. Everything a wallet signs for the exchange
is EIP-712 under the deployment's domain; `sign_text` (EIP-191) is used for sign-in only.

Signing takes about 20 microseconds; the hash of an order about 2.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from coincurve import PrivateKey

from exchange.domain.bulk import Tree
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import Domain, Scheme, Value, keccak
from exchange.domain.order import Order


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with its identity and the signature that covers it, which in bulk carries its path."""

    order: Order
    order_hash: bytes
    scheme: Scheme
    signature: bytes


class Owner(Protocol):
    """Who signs for an account what a delegated key may not: sign-in, withdrawals, delegations."""

    @property
    def address(self) -> bytes:
        """The account, 20 bytes."""

    @property
    def text_address(self) -> str:
        """The account with EIP-55 capitals."""

    def sign(self, domain: Domain, name: str, values: Mapping[str, Value]) -> bytes:
        """Sign the EIP-712 message `name` (a key of `eip712.TYPES`)."""

    def sign_text(self, text: str) -> bytes:
        """Sign a text as EIP-191 says (`personal_sign`)."""


class Wallet:
    """A private key and its address. The key is never printed."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError(f"a private key has 32 bytes, not {len(key)}")
        self._key = PrivateKey(key)
        self.address = keccak(self._key.public_key.format(compressed=False)[1:])[12:]
        self.text_address = checksum(self.address)

    def __repr__(self) -> str:
        return f"Wallet({self.text_address})"

    @classmethod
    def create(cls) -> Wallet:
        """A new wallet from the operating system's randomness."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def from_hex(cls, text: str) -> Wallet:
        """The wallet of a key in hexadecimal; ValueError when it is not 32 bytes."""
        return cls(bytes.fromhex(text.removeprefix("0x")))

    @classmethod
    def from_seed(cls, seed: str, index: int) -> Wallet:
        """Wallet `index` of a published seed: for test traffic, where the same wallets must come back."""
        return cls(keccak(f"bizzan:{seed}:{index}".encode()))

    @property
    def key(self) -> bytes:
        """The private key, 32 bytes: for signing transactions."""
        return self._key.secret

    def sign_digest(self, digest: bytes) -> bytes:
        """The 65-byte signature of a 32-byte digest."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((27 + signature[64],))

    def sign(self, domain: Domain, name: str, values: Mapping[str, Value]) -> bytes:
        """Sign the EIP-712 message `name` (a key of `eip712.TYPES`)."""
        return self.sign_digest(domain.hash(name, values))

    def sign_order(self, domain: Domain, order: Order) -> SignedOrder:
        """Sign an order: as its account, or as a delegate when the account is somebody else's."""
        digest = domain.order_hash(order)
        scheme = Scheme.account if order.account == self.address else Scheme.delegate
        return SignedOrder(order, digest, scheme, self.sign_digest(digest))

    def sign_orders(self, domain: Domain, orders: Sequence[Order]) -> list[SignedOrder]:
        """Sign up to 1,024 orders of one account at once, by one signature over all of them."""
        if len(orders) < 2:
            return [self.sign_order(domain, order) for order in orders]
        if len({order.account for order in orders}) > 1:
            raise ValueError("orders that are signed at once have one account")
        tree = Tree(orders)
        scheme = Scheme.bulk if orders[0].account == self.address else Scheme.bulk | Scheme.delegate
        signatures = tree.signatures(self.sign_digest(tree.digest(domain)))
        return [
            SignedOrder(order, domain.order_hash(order), scheme, signature)
            for order, signature in zip(orders, signatures, strict=True)
        ]

    def sign_text(self, text: str) -> bytes:
        """Sign a text as EIP-191 says (`personal_sign`)."""
        return self.sign_digest(text_digest(text))


class ContractWallet:
    """An account that is a contract (EIP-1271): whatever `sign_digest` makes of a digest, the contract must accept.

    That may be its owner's key, as `owner.sign_digest`, or a function that gathers the signatures of several.
    """

    def __init__(self, address: bytes, sign_digest: Callable[[bytes], bytes]) -> None:
        self.address = address
        self.text_address = checksum(address)
        self._sign_digest = sign_digest

    def sign(self, domain: Domain, name: str, values: Mapping[str, Value]) -> bytes:
        """Sign the EIP-712 message `name` (a key of `eip712.TYPES`)."""
        return self._sign_digest(domain.hash(name, values))

    def sign_text(self, text: str) -> bytes:
        """Sign a text as EIP-191 says (`personal_sign`)."""
        return self._sign_digest(text_digest(text))


def text_digest(text: str) -> bytes:
    """What is signed of a text, as EIP-191 says."""
    data = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)
