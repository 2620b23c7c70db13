"""Frames: many packed orders of one account under one signature, journaled as they came.

The signature is that of a bulk order (`exchange.domain.bulk`): over the tree of the orders' struct hashes, in their
order, filled up with empty orders. A frame says the root of that tree itself, so that what was signed is known before
the orders are hashed. Whether a frame stands follows from its bytes alone, and is the same for ever: `judge`.

A frame holds new orders of plain terms. A mixed one holds any, and has a bit for each: whether it amends the open order
on its nonce. Nothing in an order says that, and no signature covers it: receipts do, and a session's MAC.

Hashing is compiled where there was a compiler (`hashing.pyx`), four orders at a time, without the interpreter's lock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from exchange.domain.bulk import EMPTY, MAX_HEIGHT, SIGNATURE_SIZE, bulk_digest
from exchange.domain.eip712 import TYPE_HASHES, Scheme, keccak, order_struct_hash
from exchange.domain.order import PACKED_SIZE, PLAIN_TERMS, Order
from exchange.domain.recovery import recover

try:
    from exchange.domain import hashing
except ImportError:  # there was no compiler
    hashing = None  # type: ignore[assignment, unused-ignore]

IS_COMPILED = hashing is not None
MIN_ORDERS = 2
MAX_ORDERS = 1 << MAX_HEIGHT

SLOW_WEIGHT = 16
"""As so many orders each counts that amends or says more than plain terms: it costs the engine more.

What a frame really costs is counted by time (`exchange.sequencer.shares`)."""

_ORDER_HASH = TYPE_HASHES["Order"]
_EMPTY_HASH = order_struct_hash(EMPTY)


@dataclass(frozen=True, slots=True)
class Unfolded:
    """The hashes of a frame: each order's digest, and the levels of the tree one after another, its root last."""

    digests: bytes
    nodes: bytes
    height: int

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        return self.nodes[-32:]

    def digest(self, index: int) -> bytes:
        """The hash by which an order is known."""
        return self.digests[32 * index : 32 * index + 32]

    def signature(self, index: int, signature: bytes) -> bytes:
        """An order's own bulk signature: the frame's, its place, and the hashes beside its way up."""
        parts = [signature, index.to_bytes(2)]
        start, width = 0, 1 << self.height
        for _ in range(self.height):
            beside = start + 32 * (index ^ 1)
            parts.append(self.nodes[beside : beside + 32])
            start, width, index = start + 32 * width, width >> 1, index >> 1
        return b"".join(parts)


def unfold(orders: bytes, separator: bytes) -> Unfolded:
    """Hash a frame's orders under a domain's separator."""
    if not IS_COMPILED:
        return unfold_in_python(orders, separator)
    digests, nodes = hashing.unfold(orders, b"\x19\x01" + separator, _ORDER_HASH, _EMPTY_HASH)
    return Unfolded(digests, nodes, height_of(len(orders) // PACKED_SIZE))


def unfold_in_python(orders: bytes, separator: bytes) -> Unfolded:
    """The same without the compiled module."""
    level = [order_struct_hash(order) for order in unpack_orders(orders)]
    digests = b"".join(keccak(b"\x19\x01" + separator + leaf) for leaf in level)
    height = height_of(len(level))
    level += [_EMPTY_HASH] * ((1 << height) - len(level))
    nodes = list(level)
    while len(level) > 1:
        level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
        nodes += level
    return Unfolded(digests, b"".join(nodes), height)


def height_of(count: int) -> int:
    """How high the tree over so many orders is."""
    return max((count - 1).bit_length(), 1)


def unpack_orders(orders: bytes) -> list[Order]:
    """The orders of a frame."""
    return [Order.unpack(orders[at : at + PACKED_SIZE]) for at in range(0, len(orders), PACKED_SIZE)]


def frame_digest(separator: bytes, root: bytes, count: int) -> bytes:
    """What is signed for a frame of so many orders with that root; of more than there may be, as for the most."""
    return bulk_digest(separator, root, min(height_of(count), MAX_HEIGHT))


def flaw_of_shape(orders: bytes) -> str:
    """What is wrong with a frame's orders as bytes, in words; nothing for 2 to 1,024 orders of one account."""
    count, rest = divmod(len(orders), PACKED_SIZE)
    if rest or not MIN_ORDERS <= count <= MAX_ORDERS:
        return f"a frame holds {MIN_ORDERS} to {MAX_ORDERS} orders of {PACKED_SIZE} bytes, not {len(orders)} bytes"
    return "" if _are_of_one_account(orders) else "a frame holds orders of one account"


def _are_of_one_account(orders: bytes) -> bool:
    if IS_COMPILED:
        return hashing.are_of_one_account(orders)
    count = len(orders) // PACKED_SIZE
    return all(orders[at::PACKED_SIZE] == orders[at : at + 1] * count for at in range(20))


def needs_mixed(orders: Iterable[Order]) -> bool:
    """Whether new orders come in a mixed frame only: one of them says more than plain terms."""
    return any(order.terms & ~PLAIN_TERMS for order in orders)


def pack_amends(count: int, places: Iterable[int]) -> bytes:
    """The bits of a mixed frame of so many orders, the lowest of a byte first. ValueError for a place beyond them."""
    amends = bytearray(amends_size(count))
    for place in places:
        if not 0 <= place < count:
            raise ValueError(f"order {place} amends, and there are {count} orders, from 0 on")
        amends[place >> 3] |= 1 << (place & 7)
    return bytes(amends)


def amends_size(count: int) -> int:
    """How many bytes the bits of so many orders take."""
    return -(-count // 8)


def amends_at(amends: bytes, place: int) -> bool:
    """Whether the order at a place amends."""
    return bool(amends[place >> 3] >> (place & 7) & 1)


def weight_of(orders: bytes, amends: bytes) -> int:
    """As how many plain orders a frame counts where room is shared; `amends` are the bits of a mixed one."""
    count = len(orders) // PACKED_SIZE
    if not amends:
        return count
    slow = sum(amends_at(amends, place) or not _is_plain(orders, place) for place in range(count))
    return count + (SLOW_WEIGHT - 1) * slow


def _is_plain(orders: bytes, place: int) -> bool:
    end = PACKED_SIZE * (place + 1)
    return not int.from_bytes(orders[end - 16 : end]) & ~PLAIN_TERMS


def flaw_of_amends(amends: bytes, count: int) -> str:
    """What is wrong with the bits of a mixed frame of so many orders, in words; nothing for one for each order."""
    if len(amends) != amends_size(count):
        return f"{count} orders have {amends_size(count)} bytes of bits that say which amend, not {len(amends)}"
    if count & 7 and amends[-1] >> (count & 7):
        return f"a bit says that an order amends which is none of the {count}"
    return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a frame stands; `flaw` says in words why it does not."""

    flaw: str
    unfolded: Unfolded | None = None

    @classmethod
    def against(cls, flaw: str) -> Self:
        """The frame is void."""
        return cls(flaw)


def judge(separator: bytes, scheme: int, signer: bytes, root: bytes, signature: bytes, orders: bytes) -> Verdict:
    """Whether `signer` signed exactly these orders."""
    if flaw := flaw_of_shape(orders):
        return Verdict.against(flaw)
    if len(signature) != SIGNATURE_SIZE or len(separator) != 32:
        return Verdict.against(f"a frame has one signature of {SIGNATURE_SIZE} bytes, under one domain")
    expected = Scheme.bulk if signer == orders[:20] else Scheme.bulk | Scheme.delegate
    if scheme != expected:
        return Verdict.against(f"the scheme is {scheme}, its signer makes it {int(expected)}")
    unfolded = unfold(orders, separator)
    if unfolded.root != root:
        return Verdict.against("the root is not that of these orders")
    if recover(frame_digest(separator, root, len(orders) // PACKED_SIZE), signature) != signer:
        return Verdict.against("the signature is not the signer's over this root")
    return Verdict("", unfolded)
