"""Tapes of a public benchmark for matching engines, and the hash of what an engine reports when it plays one.

The benchmark is github.com/flash1-dev/matching-engine-benchmark (MIT, described in arXiv 2606.01183). It publishes a
generator of five tapes, each of 1,000,000 new orders with their cancels and modifications, and for each the SHA-256 of
the reports that it expects, which its authors found equal in many independent engines. Here are its formats, as it
documents them; benchmarks/engine/public.py plays them.

A tape has a header, 8 bytes magic, version 32, number of messages 32, and per message 40 bytes, little-endian:

    kind 8 | side 8 | immediate or cancel 8 | zero 8 | quantity 32 | sequence 64 | order 64 | price 64 | zero 64

A modification is a cancel and a new order, so it loses its place. The reports are lines, in order of the message's
sequence, then of the number that they begin with:

    0,sequence,side,order,price,quantity      a new order is taken
    1,sequence,price,quantity,maker,taker     a trade, at the maker's price
    2,sequence,side,order,price               an order is cancelled, or what remains of one that is immediate or cancel
    3,sequence,side,order,price,quantity      an order is modified
    4,sequence,order                          a cancel of an order that is not in the book
    5,sequence,order                          a modification of such
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

NEW, CANCEL, MODIFY = 0, 1, 2
TAKEN, TRADED, CANCELLED, MODIFIED, NOT_CANCELLED, NOT_MODIFIED = range(6)

PUBLISHED = {
    "static": "9803843ee404fc29c9a0aa5614f8f0d5a58b5c44fcac9ef89067886fcaaa30d1",
    "normal": "e9b2e3926854410b01a035aeb25dd05f1e597c233be8263de9eb49b6713d367e",
    "swing-25": "61a84be9469661bd039e00dbc9a7c011e70b6ace37aadfe60045ea083b05f4df",
    "swing-40": "3cb0175e7982ff09ea220d1feaee3844cf9116a5ce455757879dea1d880b9b9f",
    "flash-crash": "cff8d3f94b709fc64a8b2058a6ca4fb6920364904796e46906895e362d2bb16b",
}
"""The hashes of the five tapes with 1,000,000 orders from seed 23."""

Message = tuple[int, int, int, int, int, int, int, int]
"""Kind, side, immediate or cancel, quantity, sequence, order, price, and a zero."""

Report = tuple[int, ...]
"""The numbers of a line."""

_MAGIC = int.from_bytes(b"MEBW_001")
_HEADER = struct.Struct("<QII")
_MESSAGE = struct.Struct("<BBBxIQQqq")


class TapeError(Exception):
    """A file that is no tape."""


def read(path: Path) -> bytes:
    """The messages of a tape, packed; TapeError for another file."""
    data = path.read_bytes()
    if len(data) < _HEADER.size:
        raise TapeError(f"{path} is no tape: it has no header")
    magic, version, count = _HEADER.unpack_from(data)
    if (magic, version) != (_MAGIC, 1) or len(data) != _HEADER.size + count * _MESSAGE.size:
        raise TapeError(f"{path} is no tape of version 1 with {count} messages")
    return data[_HEADER.size :]


def packed(messages: Iterable[Message]) -> bytes:
    """Messages as they stand on a tape."""
    return b"".join([_MESSAGE.pack(*message) for message in messages])


def write(path: Path, messages: Iterable[Message]) -> None:
    """A tape of one's own."""
    body = packed(messages)
    path.write_bytes(_HEADER.pack(_MAGIC, 1, len(body) // _MESSAGE.size) + body)


def scenario_of(path: Path) -> str | None:
    """Which of the five a tape is by its file's name."""
    return next((name for name in PUBLISHED if name in path.stem), None)


class ReportHash:
    """The hash of reports that come in order of sequence."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._between = b""
        self.count = 0

    def add(self, reports: list[Report]) -> None:
        """More reports; those of one message come together."""
        if not reports:
            return
        lines = "\n".join([",".join(map(str, report)) for report in reports])
        self._hash.update(self._between + lines.encode())
        self._between = b"\n"
        self.count += len(reports)

    def hexdigest(self) -> str:
        """The hash of all reports so far."""
        return self._hash.hexdigest()


def pieces(messages: bytes, size: int) -> Iterator[list[Message]]:
    """Packed messages in runs of `size`."""
    for at in range(0, len(messages), size * _MESSAGE.size):
        yield list(_MESSAGE.iter_unpack(memoryview(messages)[at : at + size * _MESSAGE.size]))


def count_of(messages: bytes) -> int:
    """How many messages there are."""
    return len(messages) // _MESSAGE.size
