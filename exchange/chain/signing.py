"""Keys, signatures and EIP-1559 transactions.

A signature is 65 bytes, r (32) s (32) v (1, 27 or 28) with a low s, over a 32-byte digest. Signing is
deterministic (RFC 6979): the same transaction under the same key is always the same bytes, so a relayer
that writes them down before it sends them can send them again.

Sources: https://eips.ethereum.org/EIPS/eip-1559 and https://eips.ethereum.org/EIPS/eip-2.
"""

from dataclasses import dataclass

from coincurve import PrivateKey

from exchange.domain.eip712 import keccak
from exchange.domain.recovery import CURVE_ORDER, SIGNATURE_SIZE, address_of, recover

__all__ = [
    "CURVE_ORDER",
    "SIGNATURE_SIZE",
    "Key",
    "SignedTransaction",
    "Transaction",
    "address_of",
    "recover",
    "rlp_encode",
]

_TRANSACTION_TYPE = b"\x02"

Item = bytes | list["Item"]


class Key:
    """A private key. It prints its address, never itself."""

    def __init__(self, secret: str | bytes) -> None:
        """`secret` is 32 bytes, or hexadecimal with or without 0x. ValueError (without the secret) if it is neither."""
        try:
            raw = bytes.fromhex(secret.removeprefix("0x")) if isinstance(secret, str) else secret
        except ValueError:
            raise ValueError("a private key must be 32 bytes in hexadecimal") from None
        if len(raw) != 32 or not 0 < int.from_bytes(raw) < CURVE_ORDER:
            raise ValueError("a private key must be 32 bytes within the curve's order")
        self._private = PrivateKey(raw)
        self.address = address_of(self._private.public_key)

    def sign(self, digest: bytes) -> bytes:
        """The 65-byte signature of a 32-byte digest."""
        signature = self._private.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))

    def __repr__(self) -> str:
        return f"Key(0x{self.address.hex()})"


def rlp_encode(item: Item) -> bytes:
    """Recursive length prefix encoding of bytes and lists of them."""
    if isinstance(item, list):
        body = b"".join(rlp_encode(part) for part in item)
        return _length_prefix(len(body), 0xC0) + body
    if len(item) == 1 and item[0] < 0x80:
        return item
    return _length_prefix(len(item), 0x80) + item


def _length_prefix(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes((offset + length,))
    size = _integer(length)
    return bytes((offset + 55 + len(size),)) + size


def _integer(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction ready to be sent: its hash (32 bytes) and its bytes."""

    tx_hash: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """An EIP-1559 transaction. Fees are in wei per gas, `value` in wei, `to` is 20 bytes."""

    chain_id: int
    nonce: int
    priority_fee: int
    max_fee: int
    gas: int
    to: bytes
    value: int
    data: bytes

    def sign(self, key: Key) -> SignedTransaction:
        """The signed bytes and their hash."""
        fields = self._fields()
        signature = key.sign(keccak(_TRANSACTION_TYPE + rlp_encode(fields)))
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
        fields += [_integer(signature[64] - 27), _integer(r), _integer(s)]
        raw = _TRANSACTION_TYPE + rlp_encode(fields)
        return SignedTransaction(keccak(raw), raw)

    def _fields(self) -> list[Item]:
        numbers = (self.chain_id, self.nonce, self.priority_fee, self.max_fee, self.gas)
        return [*(_integer(number) for number in numbers), self.to, _integer(self.value), self.data, []]
