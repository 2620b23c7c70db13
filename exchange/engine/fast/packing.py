"""Commands in the fixed width that the core reads: 256 bytes each, in one buffer.

    0    kind 8 | side 8 | scheme 8 | zero 8 | market 32
    8    price 64 | quantity 64 | nonce 64 | expiry 64 | trigger_price 64
    48   max_fee_bps 32 | signature's size 16 | client's id's size 16 | terms 64
    64   account 20 | signer 20 | order_hash 32
    136  signature, then client's id (UTF-8), together at most 120 bytes; otherwise where they stand in the blob, 64

A command that names bytes beyond the blob is refused as none.

What is left where nobody follows is an outcome for each command, and a record for each trade:

    outcome   refusal 32 | reason 32 | remaining 64: 0, or the refusal's number; why the order ended, as a place in
              core.REASONS, or 10 while it rests (and for a Tick), but nothing behind a refusal; what remained of it, or
              behind a refusal the id under which the same order was taken before, 0 where none is known
    trade     seq 64 | at_ms 64 | price 64 | lots 64 | maker's order 64 | maker's fee 64 | taker's fee 64
              maker's remaining 64 | taker's remaining 64 | maker 32 | taker 32 | book 32 | side 8 | gone 8 | zero 16

All in the machine's order of bytes: the buffer never leaves the process. A command that does not fit (its numbers are
beyond any that is accepted, or its terms are not the core's) has no packed form.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from exchange.engine import commands as c

COMMAND_SIZE = 256
EVENT_SIZE = 88
TRADE_SIZE = 88
OPEN = 10
INLINE = 120
PLACE, CANCEL, TICK = 1, 2, 3

KNOWN_TERMS = frozenset(
    time_in_force | post_only << 2 | self_trade << 3
    for time_in_force in range(4)
    for post_only in range(2 if time_in_force < 2 else 1)
    for self_trade in range(3 if time_in_force == 3 else 4)
)
"""The packed terms that the core matches: time in force, post-only where an order rests, and self-trade mode."""

OUTCOME = struct.Struct("=iiq")
OUTCOME_SIZE = OUTCOME.size

_PLACE = struct.Struct("=BBBxIqqQqqiHHQ20s20s32s120s")
_BESIDE = struct.Struct("=q112x")
_CANCEL = struct.Struct("=B23xQ32x20s20s152x")
_U64 = (1 << 64) - 1
_TICK = struct.pack("=B255x", TICK)


def pack(command: c.Command, blob: bytearray) -> bytes | None:
    """The command in its 256 bytes; what is too long for them is put behind `blob`. None if it does not fit."""
    try:
        if command.__class__ is c.PlaceOrder:
            return pack_order(command, blob)
        if command.__class__ is c.CancelOrder and len(command.account) == 20 == len(command.signer):
            return _CANCEL.pack(CANCEL, command.nonce, command.account, command.signer)
    except struct.error:
        return None
    return _TICK if command.__class__ is c.Tick else None


def pack_order(placed: c.PlaceOrder, blob: bytearray) -> bytes | None:
    """A `PlaceOrder`, likewise; struct.error or None if it does not fit."""
    return _pack_placed(placed, blob, placed.order.trigger_price) if placed.order.terms in KNOWN_TERMS else None


class Longer(NamedTuple):
    """An order of any terms that is accepted: its 256 bytes, and what they have no room for."""

    high: int
    trigger_price: int
    packed: bytes
    blob: bytes


def pack_longer(placed: c.PlaceOrder) -> Longer | None:
    """An order that is accepted, whatever its terms; None if it does not fit."""
    order, blob = placed.order, bytearray()
    if order.terms >> 128 or order.trigger_price >> 64:
        return None
    try:
        packed = _pack_placed(placed, blob, 0)
    except struct.error:
        return None
    return Longer(order.terms >> 64, order.trigger_price, packed, bytes(blob)) if packed else None


def _pack_placed(placed: c.PlaceOrder, blob: bytearray, trigger_price: int) -> bytes | None:
    order = placed.order
    if not len(order.account) == 20 == len(placed.signer):
        return None
    client_order_id = placed.client_order_id.encode("utf-8", "surrogatepass")
    inside = placed.signature + client_order_id
    if len(placed.order_hash) != 32:
        return None
    if len(inside) > INLINE:
        at = len(blob)
        blob += inside
        inside = _BESIDE.pack(at)
    return _PLACE.pack(
        PLACE,
        order.side,
        placed.scheme,
        order.market,
        order.price,
        order.quantity,
        order.nonce,
        order.expiry,
        trigger_price,
        order.max_fee_bps,
        len(placed.signature),
        len(client_order_id),
        order.terms & _U64,
        order.account,
        placed.signer,
        placed.order_hash,
        inside,
    )


def pack_all(commands: Iterable[c.Command]) -> tuple[bytes, bytes]:
    """Commands in one buffer, and their blob. ValueError if one does not fit."""
    blob = bytearray()
    packed = []
    for command in commands:
        data = pack(command, blob)
        if data is None:
            raise ValueError(f"{type(command).__name__} has no packed form")
        packed.append(data)
    return b"".join(packed), bytes(blob)
