"""Bulk orders: one signature over a tree of 2 to 1,024 orders.

What is signed is the EIP-712 struct `BulkOrder(Order[2]...[2] tree)Order(...)`, with as many dimensions as the tree is
high, so that a wallet shows every order. EIP-712 hashes nested arrays of structs as a Merkle tree over the structs'
hashes, left before right. Places that no order takes hold `EMPTY`, whose fields are all zero and which nobody can sign.

Where an order of a tree is sent or stored, its signature is longer:

    signature 65 | index 2 | path 32 x height      the neighbours of the order and of each node above it

The order's identity stays the digest that it has by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from exchange.domain.eip712 import DOMAIN_TYPE, TYPES, VERSION, Domain, keccak, order_struct_hash, type_string
from exchange.domain.order import Order

MAX_HEIGHT = 10
SIGNATURE_SIZE = 65
_PATH_AT = SIGNATURE_SIZE + 2
MAX_BLOB_SIZE = _PATH_AT + 32 * MAX_HEIGHT

EMPTY = Order(bytes(20), 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""What fills a tree up to a power of two."""

_EMPTY_HASH = order_struct_hash(EMPTY)


@dataclass(frozen=True, slots=True)
class Proof:
    """Where an order stands in a tree, and the hashes beside its way up to the root, the lowest first."""

    index: int
    path: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.path) <= MAX_HEIGHT:
            raise ValueError(f"a path in a tree of orders has 1 to {MAX_HEIGHT} hashes")
        if not 0 <= self.index < 1 << len(self.path):
            raise ValueError(f"a tree of height {len(self.path)} has no place {self.index}")

    @property
    def height(self) -> int:
        """How high the tree is."""
        return len(self.path)

    def root(self, leaf: bytes) -> bytes:
        """The root above an order's struct hash."""
        for level, sibling in enumerate(self.path):
            leaf = keccak(sibling + leaf) if self.index >> level & 1 else keccak(leaf + sibling)
        return leaf


@dataclass(frozen=True, slots=True)
class BulkSignature:
    """A tree's signature and the proof that one order is in the tree."""

    signature: bytes
    proof: Proof

    def pack(self) -> bytes:
        """As it is sent and stored."""
        return self.signature + self.proof.index.to_bytes(2) + b"".join(self.proof.path)

    @classmethod
    def unpack(cls, blob: bytes) -> Self:
        """The parts of a packed signature. ValueError if it cannot be one."""
        path = blob[_PATH_AT:]
        if len(blob) < _PATH_AT or len(path) % 32:
            raise ValueError(f"a bulk signature has {_PATH_AT} bytes and 32 for each hash of its path")
        hashes = tuple(path[i : i + 32] for i in range(0, len(path), 32))
        return cls(blob[:SIGNATURE_SIZE], Proof(int.from_bytes(blob[SIGNATURE_SIZE:_PATH_AT]), hashes))

    def digest(self, domain: Domain, order: Order) -> bytes:
        """What was signed, if `order` is in the tree."""
        return tree_digest(domain, self.proof.root(order_struct_hash(order)), self.proof.height)


class Tree:
    """A tree over 2 to 1,024 orders. ValueError for fewer or more."""

    def __init__(self, orders: Sequence[Order]) -> None:
        if not 2 <= len(orders) <= 1 << MAX_HEIGHT:
            raise ValueError(f"a tree holds 2 to {1 << MAX_HEIGHT} orders, not {len(orders)}")
        self.orders = tuple(orders)
        self.height = (len(orders) - 1).bit_length()
        width = 1 << self.height
        level = [order_struct_hash(order) for order in orders] + [_EMPTY_HASH] * (width - len(orders))
        self._levels = [level]
        while len(level) > 1:
            level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """The hash of the nested array of orders."""
        return self._levels[-1][0]

    def proof(self, index: int) -> Proof:
        """Of the order at a place of the tree."""
        return Proof(index, tuple(self._levels[level][index >> level ^ 1] for level in range(self.height)))

    def digest(self, domain: Domain) -> bytes:
        """What is signed."""
        return tree_digest(domain, self.root, self.height)

    def signatures(self, signature: bytes) -> list[bytes]:
        """The packed signature of each order, from the signature of the tree."""
        return [BulkSignature(signature, self.proof(index)).pack() for index in range(len(self.orders))]

    def typed_data(self, domain: Domain) -> dict[str, object]:
        """The tree as `eth_signTypedData_v4` takes it."""
        level: list[object] = [_message(order) for order in self.orders]
        level += [_message(EMPTY)] * ((1 << self.height) - len(level))
        for _ in range(self.height - 1):
            level = [level[i : i + 2] for i in range(0, len(level), 2)]
        kinds = {"Order": TYPES["Order"], "EIP712Domain": DOMAIN_TYPE, "BulkOrder": (("tree", _array(self.height)),)}
        return {
            "types": {name: [{"name": n, "type": t} for n, t in members] for name, members in kinds.items()},
            "primaryType": "BulkOrder",
            "domain": {
                "name": domain.name,
                "version": VERSION,
                "chainId": domain.chain_id,
                "verifyingContract": "0x" + domain.contract.hex(),
            },
            "message": {"tree": level},
        }


def bulk_type(height: int) -> str:
    """`encodeType` of a tree of that height."""
    return f"BulkOrder({_array(height)} tree){type_string('Order')}"


def tree_digest(domain: Domain, root: bytes, height: int) -> bytes:
    """What is signed for a tree with that root."""
    return bulk_digest(domain.separator, root, height)


def bulk_digest(separator: bytes, root: bytes, height: int) -> bytes:
    """The same, under the separator of a domain."""
    return keccak(b"\x19\x01" + separator + keccak(_TYPE_HASHES[height] + root))


def _array(height: int) -> str:
    return "Order" + "[2]" * height


def _message(order: Order) -> dict[str, str]:
    values = ((name, getattr(order, name)) for name, _ in TYPES["Order"])
    return {name: "0x" + value.hex() if isinstance(value, bytes) else str(value) for name, value in values}


_TYPE_HASHES = {height: keccak(bulk_type(height).encode()) for height in range(1, MAX_HEIGHT + 1)}
