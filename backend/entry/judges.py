"""Signatures checked on every core: what a judge, a process of its own, does. Nothing here knows of connections.

request    length u32 (of all that follows) | kind u8 | what is judged
answer     length u32 | the verdict
"""

import gc
import signal
import socket
import struct

from exchange.domain.eip712 import Scheme
from exchange.domain.entry import SIGNED_ORDER_SIZE
from exchange.domain.frame import judge, unfold
from exchange.domain.order import PACKED_SIZE
from exchange.domain.recovery import SIGNATURE_SIZE, recover
from exchange.journal.plain import PLAIN_SIZE, pack_plain
from exchange.sequencer.slices import stand_alone, stay_on

FRAME, ORDERS, SIGNER, WARM_UP = 1, 2, 3, 4
LENGTH = struct.Struct(">I")
JUDGED_SIZE = 1 + PLAIN_SIZE
"""A single order's verdict: 1 and its record's bytes; zeros where nobody signed it."""

_FRAME = struct.Struct(f">32sB20s32s{SIGNATURE_SIZE}s")
_NOBODY = bytes(JUDGED_SIZE)
_RECEIVED = 1 << 18
_ACCOUNT, _DELEGATE = int(Scheme.account), int(Scheme.delegate)


def frame_request(separator: bytes, scheme: int, signer: bytes, root: bytes, signature: bytes, orders: bytes) -> bytes:
    """Asks what is wrong with a frame."""
    return _request(FRAME, _FRAME.pack(separator, scheme, signer, root, signature) + orders)


def orders_request(separator: bytes, signed: bytes) -> bytes:
    """Asks who signed single orders, each packed with its signature behind it."""
    return _request(ORDERS, separator + signed)


def signer_request(digest: bytes, signature: bytes) -> bytes:
    """Asks who signed a digest."""
    return _request(SIGNER, digest + signature)


def warm_up_request() -> bytes:
    """Asks for nothing: it is answered when the judge is there."""
    return _request(WARM_UP, b"")


def _request(kind: int, body: bytes) -> bytes:
    return LENGTH.pack(1 + len(body)) + bytes((kind,)) + body


def answer(request: bytes) -> bytes:
    """The verdict on a request.

    Of a frame what is wrong with it in words, of orders `JUDGED_SIZE` bytes each, of a digest its signer or nothing.
    """
    kind, body = request[0], request[1:]
    if kind == FRAME:
        separator, scheme, signer, root, signature = _FRAME.unpack_from(body)
        return judge(separator, scheme, signer, root, signature, body[_FRAME.size :]).flaw.encode()
    if kind == SIGNER:
        return recover(body[:32], body[32:]) or b""
    return judge_orders(body[:32], body[32:]) if kind == ORDERS else b""


def judge_orders(separator: bytes, signed: bytes) -> bytes:
    """The verdicts on single orders, one behind another."""
    size = SIGNED_ORDER_SIZE
    packed = [signed[at : at + PACKED_SIZE] for at in range(0, len(signed), size)]
    digests = unfold(b"".join(packed), separator).digests
    judged: list[bytes] = []
    for index, order in enumerate(packed):
        digest = digests[32 * index : 32 * index + 32]
        signature = signed[size * index + PACKED_SIZE : size * (index + 1)]
        signer = recover(digest, signature)
        if signer is None:
            judged.append(_NOBODY)
            continue
        scheme = _ACCOUNT if signer == order[:20] else _DELEGATE
        judged.append(b"\x01" + pack_plain(order, digest, scheme, signature, signer))
    return b"".join(judged)


def attend(connection: socket.socket, index: int) -> None:
    """What the process of judge `index` does: answer until the other end is gone, however it went.

    Each judge has a processor of its own: those that wake together, while something runs on every processor, would
    else often be put on the same one, and work one after another. It stands alone, so that its share of that processor
    is its own.
    """
    stand_alone()
    stay_on(index)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # it makes no cycles
    buffer = bytearray()
    while data := connection.recv(_RECEIVED):
        buffer += data
        at = 0
        while len(buffer) - at >= LENGTH.size:
            end = at + LENGTH.size + int.from_bytes(buffer[at : at + LENGTH.size])
            if len(buffer) < end:
                break
            verdict = answer(bytes(buffer[at + LENGTH.size : end]))
            connection.sendall(LENGTH.pack(len(verdict)) + verdict)
            at = end
        del buffer[:at]
