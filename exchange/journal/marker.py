"""The durable marker: the last sequence (and its head) that is known to be on the disk.

The writer stores it after each sync, without syncing the marker itself: a kill of the process does not lose
it, and after a power failure it is at most behind, never ahead. So a bad record up to the marker is
corruption, and a bad record after it is the torn end of a write that nobody was told about. Readers in other
processes read up to the marker and never see a record that is not durable.

    marker    "BZNMARK1" | seq u64 | head (32 bytes) | sha256 of these 48 bytes
"""

import os
import struct
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from exchange.journal.errors import CorruptJournal
from exchange.journal.files import write_atomically
from exchange.journal.record import GENESIS_HEAD

MARKER_NAME = "durable"
_MAGIC = b"BZNMARK1"
_FIELDS = struct.Struct(">8sQ32s")
_SIZE = _FIELDS.size + 32
_READ_ATTEMPTS = 100
_HOW_TO_MEND = (
    "'bizzan journal mark' puts an earlier one of the same journal in its place; read the runbook before, under 'The "
    "durable marker is missing or damaged'; delete nothing"
)


class Marker(NamedTuple):
    """Sequence and head of the last durable record; (0, zeros) before the first."""

    seq: int
    head: bytes


GENESIS = Marker(0, GENESIS_HEAD)


def read_marker(folder: Path) -> Marker:
    """The marker of the journal in `folder`; CorruptJournal when it is missing or not what was written.

    The writer may store it at this very moment, so a wrong checksum is read again before it is believed.
    """
    path = folder / MARKER_NAME
    for _ in range(_READ_ATTEMPTS):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise CorruptJournal(path, 0, 0, f"the durable marker is missing: {_HOW_TO_MEND}") from None
        fields = data[: _FIELDS.size]
        if len(data) == _SIZE and sha256(fields).digest() == data[_FIELDS.size :] and fields[:8] == _MAGIC:
            _, seq, head = _FIELDS.unpack(fields)
            return Marker(seq, head)
    raise CorruptJournal(path, 0, 0, f"the durable marker does not match its checksum: {_HOW_TO_MEND}")


def write_marker(path: Path, marker: Marker) -> None:
    """A marker where there is none, whole and on the disk or not at all."""
    write_atomically(path, _encode(marker))


class MarkerFile:
    """The marker as its writer holds it; `create` only for a journal without segments."""

    def __init__(self, folder: Path, create: bool) -> None:
        path = folder / MARKER_NAME
        if create and not path.exists():
            write_marker(path, GENESIS)
        read_marker(folder)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def store(self, marker: Marker) -> None:
        """Make `marker` visible to readers."""
        os.pwrite(self._fd, _encode(marker), 0)

    def sync(self) -> None:
        """Bring the stored marker to the disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def _encode(marker: Marker) -> bytes:
    data = _FIELDS.pack(_MAGIC, marker.seq, marker.head)
    return data + sha256(data).digest()
