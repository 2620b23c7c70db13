"""Snapshots: the engine's whole state after one record, so that recovery need not replay from the first.

    snapshot  "BZNSNAP1" | seq u64 | at_ms u64 | length u64 | head (32) | state hash (32) | state | sha256 of all before

A snapshot is a shortcut and never the truth: it is used only if its head is the journal's at its sequence and the
loaded engine has its state hash; otherwise an older one, or the first record, is the start.
"""

import struct
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from exchange.journal.errors import CorruptJournal
from exchange.journal.files import write_atomically

SNAPSHOTS_KEPT = 3
_MAGIC = b"BZNSNAP1"
_FIELDS = struct.Struct(">8sQQQ32s32s")
_SUFFIX = ".snapshot"


class Snapshot(NamedTuple):
    """The engine's state after record `seq`; `state` is what its dump wrote."""

    seq: int
    at_ms: int
    head: bytes
    state_hash: bytes
    state: bytes


def write_snapshot(folder: Path, snapshot: Snapshot) -> Path:
    """Store a snapshot beside the journal in `folder`, whole or not at all, and drop the oldest beyond three."""
    fields = _FIELDS.pack(_MAGIC, snapshot.seq, snapshot.at_ms, len(snapshot.state), snapshot.head, snapshot.state_hash)
    digest = sha256(fields)
    digest.update(snapshot.state)
    path = folder / f"{snapshot.seq:020d}{_SUFFIX}"
    write_atomically(path, fields, snapshot.state, digest.digest())
    for old in list_snapshots(folder)[SNAPSHOTS_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def list_snapshots(folder: Path) -> list[Path]:
    """The snapshots' files, newest first."""
    return sorted(folder.glob("*" + _SUFFIX), reverse=True)


def snapshot_seq(path: Path) -> int:
    """The sequence of a snapshot, by its file's name."""
    try:
        return int(path.name.removesuffix(_SUFFIX))
    except ValueError:
        raise CorruptJournal(path, 0, 0, "the snapshot's file is not named by a sequence") from None


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot; CorruptJournal when it is not what was written."""
    named = snapshot_seq(path)
    data = path.read_bytes()
    body, digest = data[:-32], data[-32:]
    if len(body) < _FIELDS.size or sha256(body).digest() != digest:
        raise CorruptJournal(path, 0, named, "the snapshot does not match its checksum")
    magic, seq, at_ms, length, head, state_hash = _FIELDS.unpack_from(body)
    state = body[_FIELDS.size :]
    if magic != _MAGIC or seq != named or length != len(state):
        raise CorruptJournal(path, 0, named, "the snapshot is of another sequence or format")
    return Snapshot(seq, at_ms, head, state_hash, state)
