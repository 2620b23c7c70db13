"""EIP-712: the types users sign, hashed by hand, and the same types as a wallet wants them.

Source: https://eips.ethereum.org/EIPS/eip-712. The types and the schemes are final. One table
(`TYPES`) defines every message but the tree of orders (`exchange.domain.bulk`); the encoder, the wallet payload and the
contract's type hashes all follow from it. Values are integers, or bytes for `address` (20) and `bytes32` (32).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag

from sha3 import keccak_256

from exchange.domain.order import Order

Value = int | bytes
Fields = tuple[tuple[str, str], ...]

TYPES: Mapping[str, Fields] = {
    "Order": (
        ("account", "address"),
        ("market", "uint32"),
        ("side", "uint8"),
        ("price", "uint64"),
        ("quantity", "uint64"),
        ("nonce", "uint64"),
        ("expiry", "uint64"),
        ("trigger_price", "uint64"),
        ("max_fee_bps", "uint16"),
        ("terms", "uint128"),
    ),
    "Cancel": (("account", "address"), ("nonce", "uint64")),
    "CancelAll": (("account", "address"), ("min_nonce", "uint64")),
    # the next three are for the engine alone; their nonce is the time in milliseconds
    "MassCancel": (("account", "address"), ("market", "uint32"), ("side", "uint8"), ("nonce", "uint64")),
    "Countdown": (("account", "address"), ("seconds", "uint32"), ("nonce", "uint64")),
    "TradingStop": (("account", "address"), ("stopped", "uint8"), ("nonce", "uint64")),
    # opens a session of order entry; `key` is the hash of the session's public key
    "EntrySession": (("account", "address"), ("challenge", "bytes32"), ("key", "bytes32")),
    "Withdrawal": (
        ("account", "address"),
        ("token", "address"),
        ("amount", "uint256"),
        ("recipient", "address"),
        ("max_fee", "uint256"),
        ("nonce", "uint64"),
        ("deadline", "uint64"),
    ),
    "FundingTransfer": (
        ("account", "address"),
        ("token", "address"),
        ("amount", "uint256"),
        ("max_fee", "uint256"),
        ("nonce", "uint64"),
        ("deadline", "uint64"),
    ),
    "Delegation": (
        ("account", "address"),
        ("delegate", "address"),
        ("markets", "uint256"),
        ("expiry", "uint64"),
        ("nonce", "uint64"),
    ),
    "Revocation": (("account", "address"), ("delegate", "address"), ("nonce", "uint64")),
    "WithdrawalApproval": (
        ("account", "address"),
        ("token", "address"),
        ("amount", "uint256"),
        ("recipient", "address"),
        ("max_fee", "uint256"),
        ("nonce", "uint64"),
        ("deadline", "uint64"),
    ),
    "AccountFreeze": (("account", "address"), ("nonce", "uint64")),
    "Permit": (  # of a token, under its own domain (EIP-2612)
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ),
    "Approval": (("withdrawal", "bytes32"), ("fee", "uint256")),
    "JournalCommit": (  # by the receipt key, under the bond's domain (`exchange.domain.receipt`)
        ("first_seq", "uint64"),
        ("last_seq", "uint64"),
        ("head", "bytes32"),
        ("root", "bytes32"),
    ),
}

DOMAIN_TYPE: Fields = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)

VERSION = "1"


class Scheme(IntFlag):
    """How a signature covers an order: by whom (bit 0) and over what (bit 1: `exchange.domain.bulk`)."""

    account = 0
    delegate = 1
    bulk = 2


def keccak(data: bytes) -> bytes:
    """Keccak-256, 32 bytes."""
    digest: bytes = keccak_256(data).digest()
    return digest


def type_string(name: str) -> str:
    """`encodeType` of the message `name`."""
    return name + "(" + ",".join(f"{kind} {field}" for field, kind in TYPES[name]) + ")"


TYPE_HASHES: Mapping[str, bytes] = {name: keccak(type_string(name).encode()) for name in TYPES}
_ORDER_HASH = TYPE_HASHES["Order"]
_DOMAIN_HASH = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")


def struct_hash(name: str, values: Mapping[str, Value]) -> bytes:
    """`hashStruct` of a message of type `name`. KeyError for a missing field, ValueError for a wrong length."""
    parts = [TYPE_HASHES[name]]
    for field_name, kind in TYPES[name]:
        value = values[field_name]
        if isinstance(value, bytes):
            if len(value) != (20 if kind == "address" else 32):
                raise ValueError(f"{field_name} has {len(value)} bytes")
            parts.append(value.rjust(32, b"\0"))
        else:
            if value >> int(kind.removeprefix("uint")):
                raise ValueError(f"{field_name} does not fit {kind}")
            parts.append(value.to_bytes(32))
    return keccak(b"".join(parts))


def order_struct_hash(order: Order) -> bytes:
    """`hashStruct` of an order, packed by hand because it is the hot path."""
    return keccak(
        b"".join(
            (
                _ORDER_HASH,
                order.account.rjust(32, b"\0"),
                order.market.to_bytes(32),
                order.side.to_bytes(32),
                order.price.to_bytes(32),
                order.quantity.to_bytes(32),
                order.nonce.to_bytes(32),
                order.expiry.to_bytes(32),
                order.trigger_price.to_bytes(32),
                order.max_fee_bps.to_bytes(32),
                order.terms.to_bytes(32),
            )
        )
    )


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain: deployment configuration (`name` is the brand), chain and contract.

    `version` is another than the exchange's own for tokens with permits only.
    """

    name: str
    chain_id: int
    contract: bytes
    version: str = VERSION
    separator: bytes = field(init=False)

    def __post_init__(self) -> None:
        encoded = (
            _DOMAIN_HASH
            + keccak(self.name.encode())
            + keccak(self.version.encode())
            + self.chain_id.to_bytes(32)
            + self.contract.rjust(32, b"\0")
        )
        object.__setattr__(self, "separator", keccak(encoded))

    def digest(self, message_hash: bytes) -> bytes:
        """What is signed for a message whose struct hash is `message_hash`."""
        return keccak(b"\x19\x01" + self.separator + message_hash)

    def order_hash(self, order: Order) -> bytes:
        """The digest of an order: its identity everywhere, on chain and off."""
        return keccak(b"\x19\x01" + self.separator + order_struct_hash(order))

    def hash(self, name: str, values: Mapping[str, Value]) -> bytes:
        """The digest of a message of type `name`."""
        return self.digest(struct_hash(name, values))

    def typed_data(self, name: str, values: Mapping[str, Value]) -> dict[str, object]:
        """The message as `eth_signTypedData_v4` takes it: bytes as 0x hex, integers as strings."""
        types = {name: TYPES[name], "EIP712Domain": DOMAIN_TYPE}
        return {
            "types": {key: [{"name": n, "type": t} for n, t in fs] for key, fs in types.items()},
            "primaryType": name,
            "domain": {
                "name": self.name,
                "version": self.version,
                "chainId": self.chain_id,
                "verifyingContract": "0x" + self.contract.hex(),
            },
            "message": {
                key: "0x" + value.hex() if isinstance(value, bytes) else str(value) for key, value in values.items()
            },
        }
