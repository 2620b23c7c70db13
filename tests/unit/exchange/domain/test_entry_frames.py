"""A frame as it travels to order entry: what its flags say stands behind its orders, and under its MAC."""

from dataclasses import replace

import pytest

from exchange.domain import entry as wire
from exchange.domain.frame import pack_amends

KEY = bytes(range(32))
ORDERS = bytes(range(80)) * 11
FRAME = wire.FrameMessage(7, bytes(32), bytes(65), ORDERS)
MIXED = replace(FRAME, amends=pack_amends(11, (1, 10)))


def body(data: bytes) -> bytes:
    return data[5:]


def test_a_plain_frame_is_what_it_always_was() -> None:
    start = b"\0\0\0\0\0\0\0\x07" + b"\0" + bytes(32 + 65) + b"\0\x0b"
    assert body(FRAME.pack()) == start + ORDERS
    assert body(FRAME.pack(KEY))[:-16] == start[:8] + b"\x01" + start[9:] + ORDERS


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("frame", [FRAME, MIXED])
def test_frames_come_as_they_were_sent(frame: wire.FrameMessage, key: bytes | None) -> None:
    unpacked = wire.FrameMessage.unpack(body(frame.pack(key)))
    assert replace(unpacked, mac=b"") == frame
    assert len(unpacked.mac) == (16 if key else 0)


def test_the_bits_are_under_the_mac() -> None:
    unpacked = wire.FrameMessage.unpack(body(MIXED.pack(KEY)))
    changed = replace(MIXED, amends=pack_amends(11, (2, 10)))
    assert wire.FrameMessage.unpack(body(changed.pack(KEY))).mac != unpacked.mac
    plain = wire.FrameMessage.unpack(body(replace(MIXED, amends=b"").pack(KEY)))
    assert plain.mac != unpacked.mac


@pytest.mark.parametrize(
    ("flags", "behind", "words"),
    [
        (4, b"", "the flags are 4"),
        (2, b"", "2 bytes that say which amend"),
        (2, bytes(3), "the frame at"),
        (0, bytes(2), "the frame at"),
        (1, bytes(2), "a MAC of 16"),
        (2, b"\0\x08", "none of the 11"),
    ],
)
def test_what_stands_behind_the_orders_is_what_the_flags_say(flags: int, behind: bytes, words: str) -> None:
    data = bytearray(body(FRAME.pack()) + behind)
    data[8] = flags
    with pytest.raises(wire.ProtocolError, match=words):
        wire.FrameMessage.unpack(bytes(data))
