"""The binary protocol of order entry: messages, byte by byte, as docs/api.md tells.

    message    length u32 (of all that follows) | kind u8 | body

Integers are big-endian. A connection says hello, answers the challenge with a signature (EIP-712 `EntrySession`), and
then sends frames and single orders. Both sides make a key pair for the session; the secret that they share by it is the
key of the MAC, so whoever only listens never has it.

    ProtocolError    bytes that are not of this protocol; the message says what is wrong
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from typing import Any, Self

from coincurve import PrivateKey

from exchange.domain.eip712 import Domain, keccak, struct_hash
from exchange.domain.frame import MAX_ORDERS, amends_size, flaw_of_amends
from exchange.domain.order import PACKED_SIZE
from exchange.domain.recovery import SIGNATURE_SIZE

VERSION = 1
MAC_SIZE = 16
KEY_SIZE = 33
SIGNED_ORDER_SIZE = PACKED_SIZE + SIGNATURE_SIZE
MAX_SINGLE_ORDERS = 512
MAX_MESSAGE = 128 << 10
WITH_MAC, MIXED = 1, 2
"""What the flags of a frame say: it has a MAC; it is mixed."""

LENGTH = struct.Struct(">I")
_HELLO = struct.Struct(">H20s")
_CHALLENGE = struct.Struct(">H32s32sHHI")
_OPENED = struct.Struct(">33sQ")
_FRAME = struct.Struct(">QB32s65sH")
_ORDERS = struct.Struct(">QH")
_PLACE = struct.Struct(">QQQ")
_REFUSED = struct.Struct(">QBI")
_RECEIPT = struct.Struct(">QQ32s32s32sB")
_OUTCOME = struct.Struct(">BQQ")


class ProtocolError(ValueError):
    """Bytes that are not of this protocol."""


class Kind(IntEnum):
    """Kinds of messages; those from 128 on come from the exchange."""

    hello = 1
    open = 2
    frame = 3
    orders = 4
    ping = 5
    cancel = 6
    mass_cancel = 7
    countdown = 8
    cancel_all = 9
    trading_stop = 10
    challenge = 129
    opened = 130
    journaled = 131
    outcome = 132
    orders_outcome = 133
    pong = 134
    refused = 135
    done = 136


def message(kind: Kind, body: bytes) -> bytes:
    """A whole message."""
    return LENGTH.pack(1 + len(body)) + bytes((kind,)) + body


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the exchange answers a hello with, and its bounds. `separator` is its domain's, to compare with."""

    challenge: bytes
    separator: bytes
    max_orders: int
    max_in_flight: int
    session_seconds: int

    def pack(self) -> bytes:
        """The body."""
        return _CHALLENGE.pack(
            VERSION, self.challenge, self.separator, self.max_orders, self.max_in_flight, self.session_seconds
        )

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """ProtocolError for another version or length."""
        version, *fields = _unpack(_CHALLENGE, body, "challenge")
        _check_version(version)
        return cls(*fields)


def hello(account: bytes) -> bytes:
    """The first message of a connection."""
    return message(Kind.hello, _HELLO.pack(VERSION, account))


def unpack_hello(body: bytes) -> bytes:
    """The account that a session is asked for."""
    version, account = _unpack(_HELLO, body, "hello")
    _check_version(version)
    return bytes(account)


def session_digest(domain: Domain, account: bytes, challenge: bytes, key: bytes) -> bytes:
    """What opens a session: the account's key, or a delegated one, signs it. `key` is the session's public key."""
    return domain.hash("EntrySession", {"account": account, "challenge": challenge, "key": keccak(key)})


def shared_key(mine: PrivateKey, theirs: bytes, challenge: bytes) -> bytes:
    """The key of the session's MAC. ValueError when `theirs` is no public key."""
    return blake2b(mine.ecdh(theirs) + challenge, digest_size=32).digest()


def mac(key: bytes, data: bytes | memoryview) -> bytes:
    """The MAC over a message, from its kind to the end of its orders."""
    return blake2b(data, key=key, digest_size=MAC_SIZE).digest()


@dataclass(frozen=True, slots=True)
class FrameMessage:
    """A frame on its way in. `number` is the client's own, and rises within a session.

    `amends` are the bits of a mixed frame, a byte for eight orders, of which the MAC is as well; a plain one has none.
    """

    number: int
    root: bytes
    signature: bytes
    orders: bytes
    mac: bytes = b""
    amends: bytes = b""

    def pack(self, key: bytes | None = None) -> bytes:
        """The whole message; with a session's `key` it carries a MAC, and is acknowledged before it is judged."""
        count = len(self.orders) // PACKED_SIZE
        flags = (0 if key is None else WITH_MAC) | (MIXED if self.amends else 0)
        body = _FRAME.pack(self.number, flags, self.root, self.signature, count) + self.orders + self.amends
        if key is not None:
            body += mac(key, bytes((Kind.frame,)) + body)
        return message(Kind.frame, body)

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """ProtocolError for what is no frame."""
        if len(body) < _FRAME.size:
            raise ProtocolError(f"a frame starts with {_FRAME.size} bytes before its orders, here are {len(body)}")
        number, flags, root, signature, count = _FRAME.unpack_from(body)
        if flags & ~(WITH_MAC | MIXED):
            raise ProtocolError(f"the flags are {flags}; {WITH_MAC} with a MAC, and {MIXED} for a mixed one, are known")
        end = _FRAME.size + PACKED_SIZE * count
        bits = amends_size(count) if flags & MIXED else 0
        if len(body) != end + bits + (MAC_SIZE if flags & WITH_MAC else 0):
            expected = f"{PACKED_SIZE} bytes each"
            expected += f", {bits} bytes that say which amend" if bits else ""
            expected += f" and a MAC of {MAC_SIZE}" if flags & WITH_MAC else ""
            raise ProtocolError(f"{count} orders of {expected}: the orders end at byte {end}, the frame at {len(body)}")
        if not 2 <= count <= MAX_ORDERS:
            raise ProtocolError(f"a frame holds 2 to {MAX_ORDERS} orders, not {count}")
        amends = body[end : end + bits]
        if bits and (flaw := flaw_of_amends(amends, count)):
            raise ProtocolError(flaw)
        return cls(number, root, signature, body[_FRAME.size : end], body[end + bits :], amends)


def pack_orders(number: int, signed: list[bytes]) -> bytes:
    """A message of orders by themselves, each packed (80 bytes) with its signature (65) behind it."""
    return message(Kind.orders, _ORDERS.pack(number, len(signed)) + b"".join(signed))


def unpack_orders(body: bytes) -> tuple[int, bytes]:
    """The client's number, and the orders with their signatures. ProtocolError for what is none."""
    if len(body) < _ORDERS.size:
        raise ProtocolError("orders start with a number (8 bytes) and a count (2 bytes)")
    number, count = _ORDERS.unpack_from(body)
    if not 1 <= count <= MAX_SINGLE_ORDERS or len(body) != _ORDERS.size + SIGNED_ORDER_SIZE * count:
        raise ProtocolError(
            f"1 to {MAX_SINGLE_ORDERS} orders of {SIGNED_ORDER_SIZE} bytes; {count} are announced in {len(body)} bytes"
        )
    return number, body[_ORDERS.size :]


@dataclass(frozen=True, slots=True)
class EntryReceipt:
    """A receipt as it travels here; `exchange.domain.receipt` says what it means."""

    first_seq: int
    last_seq: int
    head: bytes
    subject: bytes
    record_head: bytes
    path: tuple[bytes, ...]
    signature: bytes

    def pack(self) -> bytes:
        """The bytes, behind a 1 that says it is there."""
        place = (self.first_seq, self.last_seq, self.head, self.subject, self.record_head)
        return pack_receipt(*place, self.path, self.signature)

    @classmethod
    def unpack(cls, body: bytes) -> tuple[Self | None, bytes]:
        """The receipt at the front, or None, and what stands behind it."""
        if body[:1] == b"\0":
            return None, body[1:]
        if len(body) < 1 + _RECEIPT.size:
            raise ProtocolError("the receipt is cut short")
        first, last, head, subject, record_head, height = _RECEIPT.unpack_from(body, 1)
        start = 1 + _RECEIPT.size
        end = start + 32 * height + SIGNATURE_SIZE
        if len(body) < end:
            raise ProtocolError("the receipt is cut short")
        path = tuple(body[start + 32 * i : start + 32 * i + 32] for i in range(height))
        receipt = cls(first, last, head, subject, record_head, path, body[end - SIGNATURE_SIZE : end])
        return receipt, body[end:]


NO_RECEIPT = b"\0"


def pack_receipt(
    first_seq: int,
    last_seq: int,
    head: bytes,
    subject: bytes,
    record_head: bytes,
    path: Sequence[bytes],
    signature: bytes,
) -> bytes:
    """A receipt's bytes, behind a 1 that says it is there."""
    place = _RECEIPT.pack(first_seq, last_seq, head, subject, record_head, len(path))
    return b"".join((b"\x01", place, *path, signature))


@dataclass(frozen=True, slots=True)
class Journaled:
    """A frame with a MAC is durable at `seq`, and will be matched at that place if its signature is good."""

    number: int
    seq: int
    at_ms: int
    receipt: EntryReceipt | None

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """From a body."""
        number, seq, at_ms = _unpack(_PLACE, body[: _PLACE.size], "journaled")
        receipt, _ = EntryReceipt.unpack(body[_PLACE.size :])
        return cls(number, seq, at_ms, receipt)


def pack_journaled(number: int, seq: int, at_ms: int, receipt: bytes) -> bytes:
    """A whole `journaled`."""
    return message(Kind.journaled, _PLACE.pack(number, seq, at_ms) + receipt)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each order of a frame: 0 accepted, else the number of its refusal (`frame_codes`).

    The id of the order at place `i` is `order_id(seq, i)`.
    """

    number: int
    seq: int
    at_ms: int
    codes: bytes
    receipt: EntryReceipt | None

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """From a body."""
        number, seq, at_ms = _unpack(_PLACE, body[: _PLACE.size], "outcome")
        count = int.from_bytes(body[_PLACE.size : _PLACE.size + 2])
        start = _PLACE.size + 2
        receipt, _ = EntryReceipt.unpack(body[start + count :])
        return cls(number, seq, at_ms, body[start : start + count], receipt)


def pack_outcome(number: int, seq: int, at_ms: int, codes: bytes, receipt: bytes) -> bytes:
    """A whole `outcome`."""
    return message(Kind.outcome, _PLACE.pack(number, seq, at_ms) + len(codes).to_bytes(2) + codes + receipt)


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of an order by itself: durable at `seq` (0 when it is refused), which is its id too."""

    code: int
    seq: int
    at_ms: int
    receipt: EntryReceipt | None


def pack_order_outcome(code: int, seq: int, at_ms: int, receipt: bytes) -> bytes:
    """One entry of an `orders_outcome`."""
    return _OUTCOME.pack(code, seq, at_ms) + receipt


def pack_orders_outcome(number: int, outcomes: list[bytes]) -> bytes:
    """A whole `orders_outcome`."""
    return message(Kind.orders_outcome, _ORDERS.pack(number, len(outcomes)) + b"".join(outcomes))


def unpack_orders_outcome(body: bytes) -> tuple[int, list[OrderOutcome]]:
    """The client's number, and the outcomes in the order of the orders."""
    number, count = _unpack(_ORDERS, body[: _ORDERS.size], "orders_outcome")
    rest, outcomes = body[_ORDERS.size :], []
    for _ in range(count):
        code, seq, at_ms = _unpack(_OUTCOME, rest[: _OUTCOME.size], "orders_outcome")
        receipt, rest = EntryReceipt.unpack(rest[_OUTCOME.size :])
        outcomes.append(OrderOutcome(code, seq, at_ms, receipt))
    return number, outcomes


_BRAKES: Mapping[int, tuple[str, struct.Struct, tuple[str, ...]]] = {
    Kind.cancel: ("Cancel", struct.Struct(f">QQ{SIGNATURE_SIZE}s"), ("nonce",)),
    Kind.mass_cancel: ("MassCancel", struct.Struct(f">QIBQ{SIGNATURE_SIZE}s"), ("market", "side", "nonce")),
    Kind.countdown: ("Countdown", struct.Struct(f">QIQ{SIGNATURE_SIZE}s"), ("seconds", "nonce")),
    Kind.cancel_all: ("CancelAll", struct.Struct(f">QQ{SIGNATURE_SIZE}s"), ("min_nonce",)),
    Kind.trading_stop: ("TradingStop", struct.Struct(f">QBQ{SIGNATURE_SIZE}s"), ("stopped", "nonce")),
}
"""What takes orders back: how it is signed, its bytes, and the fields between number and signature."""


@dataclass(frozen=True, slots=True)
class Brake:
    """A message that takes orders back, or stops trading; `fields` as in the EIP-712 message, without the account."""

    kind: int
    number: int
    fields: Mapping[str, int]
    signature: bytes = bytes(SIGNATURE_SIZE)

    def digest(self, domain: Domain, account: bytes) -> bytes:
        """What is signed."""
        return domain.hash(_BRAKES[self.kind][0], {"account": account, **self.fields})

    def subject(self, account: bytes) -> bytes:
        """What its receipt is of."""
        return struct_hash(_BRAKES[self.kind][0], {"account": account, **self.fields})

    def pack(self) -> bytes:
        """The whole message."""
        _, shape, names = _BRAKES[self.kind]
        return message(Kind(self.kind), shape.pack(self.number, *(self.fields[name] for name in names), self.signature))

    @classmethod
    def unpack(cls, kind: int, body: bytes) -> Self:
        """From a body of its kind."""
        _, shape, names = _BRAKES[kind]
        number, *values, signature = _unpack(shape, body, Kind(kind).name)
        fields = dict(zip(names, values, strict=True))
        if fields.get("side", 0) > 2:
            raise ProtocolError(f"side is 0 (buy), 1 (sell) or 2 (both), not {fields['side']}")
        if fields.get("stopped", 0) > 1:
            raise ProtocolError(f"stopped is 1 to stop trading or 0 to start it again, not {fields['stopped']}")
        return cls(kind, number, fields, signature)


def is_brake(kind: int) -> bool:
    """Whether a message of this kind takes orders back, or stops trading."""
    return kind in _BRAKES


@dataclass(frozen=True, slots=True)
class Done:
    """What takes orders back, or stops trading, is durable at `seq`, and has done so."""

    number: int
    seq: int
    at_ms: int
    receipt: EntryReceipt | None

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """From a body."""
        number, seq, at_ms = _unpack(_PLACE, body[: _PLACE.size], "done")
        return cls(number, seq, at_ms, EntryReceipt.unpack(body[_PLACE.size :])[0])


def pack_done(number: int, seq: int, at_ms: int, receipt: bytes) -> bytes:
    """A whole `done`."""
    return message(Kind.done, _PLACE.pack(number, seq, at_ms) + receipt)


def pack_opened(key: bytes, expires_ms: int) -> bytes:
    """A whole `opened`: the exchange's public key of this session, and when it ends."""
    return message(Kind.opened, _OPENED.pack(key, expires_ms))


def unpack_opened(body: bytes) -> tuple[bytes, int]:
    """Key and end of a session."""
    key, expires_ms = _unpack(_OPENED, body, "opened")
    return bytes(key), int(expires_ms)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a message was not taken; `number` is that of the message, 0 where it has none. `retry_ms`: 0, or try then."""

    number: int
    code: int
    retry_ms: int
    text: str

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """From a body."""
        number, code, retry_ms = _unpack(_REFUSED, body[: _REFUSED.size], "refused")
        return cls(number, code, retry_ms, body[_REFUSED.size :].decode(errors="replace"))


def pack_refused(number: int, code: int, retry_ms: int, text: str) -> bytes:
    """A whole `refused`."""
    return message(Kind.refused, _REFUSED.pack(number, code, retry_ms) + text.encode()[:1_000])


def number_in(kind: int, body: bytes) -> int:
    """The client's number in a message that may be malformed; 0 if it has none."""
    return int.from_bytes(body[:8]) if Kind.frame <= kind <= Kind.trading_stop and len(body) >= 8 else 0


def _unpack(shape: struct.Struct, body: bytes, name: str) -> tuple[Any, ...]:
    if len(body) != shape.size:
        raise ProtocolError(f"{name} has {shape.size} bytes, here are {len(body)}")
    return shape.unpack(body)


def _check_version(version: int) -> None:
    if version != VERSION:
        raise ProtocolError(f"version {version} is not spoken here: version {VERSION} is")
