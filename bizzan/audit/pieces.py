"""Pieces of a published journal as others tell of them: read strictly, and held against what was signed.

PieceError    what is said to be a piece's is not what was signed
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from exchange.domain.eip712 import Domain
from exchange.domain.receipt import Receipt, RecordTree, record_hash
from exchange.journal.publication import Piece, public_path

_LINE = re.compile(rb"([0-9]{1,20}) ([0-9]{1,20}) ([0-9a-f]{64}) ([0-9a-f]{64})")

MAX_SEQ = (1 << 63) - 1

Seq = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
Hash = Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-f]{64}\Z")]
Signature = Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-f]{130}\Z")]


class PieceRow(msgspec.Struct, frozen=True):
    """A piece as the API tells of it."""

    first_seq: Seq
    last_seq: Seq
    head: Hash
    root: Hash
    signature: Signature
    raw_sha256: Hash
    public_sha256: Hash
    published_at: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]


class PiecePage(msgspec.Struct, frozen=True):
    """Some pieces, and how far all are published."""

    pieces: list[PieceRow]
    published_seq: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]


class PieceError(Exception):
    """What is said to be a piece's is not what was signed."""


class Line(NamedTuple):
    """What is public of one record."""

    seq: int
    at_ms: int
    subject: bytes
    head: bytes


def read_lines(piece: Piece, data: bytes) -> list[Line]:
    """What is public of a piece's records. PieceError unless that is what was signed."""
    where = f"the hashes of the piece of sequences {piece.first_seq} to {piece.last_seq}"
    lines = list(_lines(data))
    if [line.seq for line in lines] != list(range(piece.first_seq, piece.last_seq + 1)):
        raise PieceError(f"{where} are not one line for each record")
    root = RecordTree([record_hash(*line) for line in lines]).root
    if (root.hex(), lines[-1].head.hex()) != (piece.root, piece.head):
        raise PieceError(f"{where} do not lead to the root {piece.root} and the head {piece.head}, which were signed")
    return lines


def _lines(data: bytes) -> Iterator[Line]:
    for text in data.removesuffix(b"\n").split(b"\n"):
        found = _LINE.fullmatch(text)
        if found is None:
            return
        seq, at_ms, subject, head = found.groups()
        yield Line(int(seq), int(at_ms), bytes.fromhex(subject.decode()), bytes.fromhex(head.decode()))


def held_bytes(folder: Path, piece: Piece) -> bytes:
    """The hashes of a piece in the folder, as they were fetched."""
    path = public_path(folder, piece.first_seq)
    data = b""
    with suppress(FileNotFoundError):
        data = path.read_bytes()
    if sha256(data).hexdigest() != piece.public_sha256:
        raise PieceError(f"{path} is missing, or not as it was fetched: fetch into another folder, and keep this one")
    return data


def receipt_at(domain: Domain, piece: Piece, lines: list[Line], seq: int) -> Receipt:
    """What a piece says, signed, of one sequence, as a receipt."""
    index = seq - piece.first_seq
    line = lines[index]
    path = RecordTree([record_hash(*each) for each in lines]).path(index)
    head, signature = bytes.fromhex(piece.head), bytes.fromhex(piece.signature)
    span = (piece.first_seq, piece.last_seq, head)
    return Receipt(domain, *span, seq, line.at_ms, line.subject, line.head, tuple(path), signature)
