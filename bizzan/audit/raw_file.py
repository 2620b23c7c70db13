"""The records of one piece, written to a file as they come: each must lead to the head that is known."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from bizzan.audit.pieces import Line, PieceError
from exchange.journal.publication import Piece
from exchange.journal.record import (
    MAX_PAYLOAD,
    SEGMENT_HEADER_SIZE,
    BadRecord,
    Place,
    encode_segment_header,
    record_size,
    scan,
)

UNCHECKED_BYTES = 32 << 20
"""What is made up is noticed within so much, and what one record takes."""


class RawFile:
    """A raw piece that grows. `lines` are the piece's, which were signed."""

    def __init__(self, path: Path, piece: Piece, lines: Sequence[Line]) -> None:
        self._path, self._piece, self._lines = path, piece, lines
        self._header = encode_segment_header(piece.first_seq, bytes.fromhex(piece.prev_head))
        self._where = f"the records of the piece of sequences {piece.first_seq} to {piece.last_seq}"
        self._file = path.open("wb")
        self._digest = sha256()
        self._size = 0
        self._place = Place(piece.first_seq, SEGMENT_HEADER_SIZE, bytes.fromhex(piece.prev_head))

    def take(self, chunk: bytes) -> None:
        """Write more. Raises PieceError when it cannot be of this piece."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self._size += len(chunk)
        if self._size - self._place.offset > UNCHECKED_BYTES:
            self._advance()
            if self._size - self._place.offset > record_size(MAX_PAYLOAD):
                raise self._wrong()

    def end(self) -> None:
        """That was all. Raises PieceError unless it is the piece and nothing else."""
        self._advance()
        with self._path.open("rb") as file:
            begins = file.read(SEGMENT_HEADER_SIZE) == self._header
        if not begins or (self._place.seq, self._place.offset) != (self._piece.last_seq + 1, self._size):
            raise self._wrong()
        if self._digest.hexdigest() != self._piece.raw_sha256:
            raise PieceError(f"{self._where} have another sha256 than {self._piece.raw_sha256}, which was published")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _advance(self) -> None:
        """Follow the records that are whole."""
        self._file.flush()
        place = self._place
        for found in scan(self._path, place.offset, place.seq, place.prev_head, self._piece.last_seq):
            if isinstance(found, BadRecord):
                return
            line = self._lines[found.seq - self._piece.first_seq]
            if (found.at_ms, found.head) != (line.at_ms, line.head):
                raise self._wrong()
            self._place = Place(found.seq + 1, found.end, found.head)

    def _wrong(self) -> PieceError:
        return PieceError(
            f"{self._where} are not those that were signed: at offset {self._place.offset} there is none of sequence "
            f"{self._place.seq} that leads to its published head"
        )
