"""Recovery: the newest usable snapshot, and replay of the journal after it, to the same state as before.

    recover      the engine at the journal's durable end (or at an earlier sequence)
    verify       the whole journal from the first record, every snapshot against it

A snapshot that cannot be used costs time, never truth: it is reported, and an older start is taken.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from exchange.domain.errors import Refusal
from exchange.engine.commands import PlaceFrame
from exchange.engine.engine import Engine
from exchange.engine.events import Event
from exchange.engine.snapshot import SnapshotError
from exchange.engine.telling import Telling
from exchange.journal.errors import CorruptJournal, ReplayError
from exchange.journal.reader import Reader, Record
from exchange.journal.record import GENESIS_HEAD
from exchange.journal.snapshot import Snapshot, list_snapshots, read_snapshot, snapshot_seq, write_snapshot


@dataclass(slots=True)
class Recovered:
    """An engine after record `seq`, where its snapshot stood, and the flaws of the snapshots that were passed over."""

    engine: Engine
    seq: int
    head: bytes
    at_ms: int
    snapshot_seq: int = 0
    flaws: list[CorruptJournal] = field(default_factory=list)

    @property
    def replayed(self) -> int:
        """Records that had to be replayed."""
        return self.seq - self.snapshot_seq

    def advance(self, record: Record, telling: Telling = Telling.everything) -> list[Event]:
        """Apply the next record; what it did. ReplayError when the engine cannot have accepted it.

        Events of frames that nobody is told of may be left out.
        """
        try:
            if isinstance(record.command, PlaceFrame):
                events = self.engine.apply_frame(record.seq, record.at_ms, record.command, telling).events
            else:
                events = self.engine.apply(record.seq, record.at_ms, record.command)
        except (Refusal, ValueError) as error:
            raise ReplayError(f"this engine does not accept the journal's record {record.seq}: {error}") from error
        self.seq, self.head, self.at_ms = record.seq, record.head, record.at_ms
        return events


def recover(
    folder: Path,
    to_seq: int | None = None,
    engine: type[Engine] = Engine,
    visit: Callable[[Recovered, int], None] | None = None,
) -> Recovered:
    """The engine as it was after record `to_seq`, or after the last durable one, in the implementation asked for.

    `visit` sees it after each record, and to which it goes. Raises CorruptJournal when a record that is needed is not
    what was written.
    """
    reader = Reader(folder)
    end = reader.durable().seq if to_seq is None else to_seq
    recovered = _start(reader, end, engine)
    for record in reader.read(recovered.seq + 1):
        if record.seq > end:
            break
        recovered.advance(record, Telling.nothing)
        if visit is not None:
            visit(recovered, end)
    if recovered.seq != end:
        raise CorruptJournal(folder, 0, end, f"the journal ends at sequence {recovered.seq}, before {end}")
    return recovered


def take_snapshot(folder: Path, recovered: Recovered) -> Path:
    """Store the engine's state beside the journal."""
    state = recovered.engine.dump()
    state_hash = recovered.engine.state_hash()
    return write_snapshot(folder, Snapshot(recovered.seq, recovered.at_ms, recovered.head, state_hash, state))


def verify(folder: Path, visit: Callable[[Record], None] | None = None) -> Recovered:
    """Replay the journal from its first record, checking every byte and every snapshot; the engine at its end.

    Raises CorruptJournal at the first difference, which names file, offset and sequence. `visit` sees each record
    after it was applied.
    """
    snapshots = {snapshot_seq(path): path for path in list_snapshots(folder)}
    recovered = Recovered(Engine(), 0, GENESIS_HEAD, 0)
    for record in Reader(folder).read():
        recovered.advance(record, Telling.nothing)
        if record.seq in snapshots:
            path = snapshots[record.seq]
            with contextlib.suppress(FileNotFoundError):  # dropped meanwhile for a newer one
                _check(path, read_snapshot(path), recovered.head, recovered.engine)
        if visit is not None:
            visit(record)
    return recovered


def _start(reader: Reader, end: int, kind: type[Engine]) -> Recovered:
    """The newest snapshot up to `end` that holds what it says, or nothing."""
    flaws: list[CorruptJournal] = []
    for path in list_snapshots(reader.folder):
        if snapshot_seq(path) > end:
            continue
        try:
            snapshot = read_snapshot(path)
            engine = _load(path, snapshot, kind)
            _check(path, snapshot, reader.head_at(snapshot.seq), engine)
        except CorruptJournal as flaw:
            flaws.append(flaw)
            continue
        except FileNotFoundError:  # dropped meanwhile for a newer one
            continue
        return Recovered(engine, snapshot.seq, snapshot.head, snapshot.at_ms, snapshot.seq, flaws)
    return Recovered(kind(), 0, GENESIS_HEAD, 0, 0, flaws)


def _load(path: Path, snapshot: Snapshot, kind: type[Engine]) -> Engine:
    try:
        return kind.load(snapshot.state)
    except SnapshotError as error:
        raise CorruptJournal(path, 0, snapshot.seq, str(error)) from None


def _check(path: Path, snapshot: Snapshot, head: bytes, engine: Engine) -> None:
    if snapshot.head != head:
        raise CorruptJournal(path, 0, snapshot.seq, "the snapshot's head is not the journal's")
    if engine.state_hash() != snapshot.state_hash:
        raise CorruptJournal(path, 0, snapshot.seq, "the snapshot's state hash is not the engine's")
