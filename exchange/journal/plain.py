"""An order by itself as a record's bytes, put together and taken apart at once: what the codec writes, and no object.

Most commands are orders without a client's id under a signature of 65 bytes. Their bytes have one length, and each
field one place.
"""

import struct

from exchange.domain.order import PACKED_SIZE, Order
from exchange.engine.commands import PlaceOrder

_SHAPE = struct.Struct(f">7s{PACKED_SIZE}s2s32sB2s65s2s20s1s")
PLAIN_SIZE = _SHAPE.size
_START, _HASH, _SIGNATURE, _SIGNER, _NO_ID = b"\0\x01\0\x01\x96\xc4\x50", b"\xc4\x20", b"\xc4\x41", b"\xc4\x14", b"\xa0"
_MARKS = (_START, _HASH, _SIGNATURE, _SIGNER, _NO_ID)
_WIDEST_SCHEME = 0x7F


def pack_plain(order: bytes, order_hash: bytes, scheme: int, signature: bytes, signer: bytes) -> bytes:
    """The record of a `PlaceOrder`, from an order's 80 bytes."""
    return _SHAPE.pack(_START, order, _HASH, order_hash, scheme, _SIGNATURE, signature, _SIGNER, signer, _NO_ID)


def signer_of(plain: bytes) -> bytes:
    """Who signed the order of a record that `pack_plain` made."""
    return plain[-21:-1]


def unpack_plain(payload: bytes) -> PlaceOrder | None:
    """The command, as the codec reads it; None for bytes that are no such record."""
    if len(payload) != PLAIN_SIZE:
        return None
    start, order, mark_1, order_hash, scheme, mark_2, signature, mark_3, signer, mark_4 = _SHAPE.unpack(payload)
    if (start, mark_1, mark_2, mark_3, mark_4) != _MARKS or scheme > _WIDEST_SCHEME:
        return None
    return PlaceOrder(Order.unpack(order), order_hash, scheme, signature, signer)
