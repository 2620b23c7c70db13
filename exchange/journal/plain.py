"""An order by itself as a record's bytes, put together and taken apart at once: what the codec writes, and no object.

Most commands are orders without a client's id under a signature of 65 bytes. Their bytes have one length, and each
field one place.
"""

import struct
from collections.abc import Sequence

from exchange.domain.order import PACKED_SIZE, Order
from exchange.engine.commands import PlaceOrder
from exchange.engine.singles import Layout

_SHAPE = struct.Struct(f">7s{PACKED_SIZE}s2s32sB2s65s2s20s1s")
PLAIN_SIZE = _SHAPE.size
_START, _HASH, _SIGNATURE, _SIGNER, _NO_ID = b"\0\x01\0\x01\x96\xc4\x50", b"\xc4\x20", b"\xc4\x41", b"\xc4\x14", b"\xa0"
_MARKS = (_START, _HASH, _SIGNATURE, _SIGNER, _NO_ID)
_WIDEST_SCHEME = 0x7F

LAYOUT = Layout(PLAIN_SIZE, order=7, order_hash=89, scheme=121, signature=124, signer=191)
_MARKED = [
    (start + index, bytes([value]))
    for start, mark in zip((0, 87, 122, 189, 211), _MARKS, strict=True)
    for index, value in enumerate(mark)
]
"""Where marks stand in a record, byte by byte."""


def pack_plain(order: bytes, order_hash: bytes, scheme: int, signature: bytes, signer: bytes) -> bytes:
    """The record of a `PlaceOrder`, from an order's 80 bytes."""
    return _SHAPE.pack(_START, order, _HASH, order_hash, scheme, _SIGNATURE, signature, _SIGNER, signer, _NO_ID)


def signer_of(plain: bytes) -> bytes:
    """Who signed the order of a record that `pack_plain` made."""
    return plain[LAYOUT.signer : LAYOUT.signer + 20]


def unpack_plain(payload: bytes) -> PlaceOrder | None:
    """The command, as the codec reads it; None for bytes that are no such record."""
    if len(payload) != PLAIN_SIZE:
        return None
    start, order, mark_1, order_hash, scheme, mark_2, signature, mark_3, signer, mark_4 = _SHAPE.unpack(payload)
    if (start, mark_1, mark_2, mark_3, mark_4) != _MARKS or scheme > _WIDEST_SCHEME:
        return None
    return PlaceOrder(Order.unpack(order), order_hash, scheme, signature, signer)


def join_plain(payloads: Sequence[bytes]) -> bytes | None:
    """Records one after another, as `LAYOUT` says; None if one of them is none that `pack_plain` makes."""
    records, count = b"".join(payloads), len(payloads)
    if {len(payload) for payload in payloads} != {PLAIN_SIZE}:
        return None
    if max(records[LAYOUT.scheme :: PLAIN_SIZE]) > _WIDEST_SCHEME:
        return None
    if any(records[place::PLAIN_SIZE] != value * count for place, value in _MARKED):
        return None
    return records


def hash_of(plain: bytes) -> bytes:
    """The hash of the order of a record that `pack_plain` made."""
    return plain[LAYOUT.order_hash : LAYOUT.order_hash + 32]
