"""The writer of a journal: one process, records appended in groups and synced before anybody is told.

    reserve   make sure that a group will fit (the only step that can find the disk full)
    append    write the group's records
    sync      fdatasync, then move the durable marker

Room is reserved ahead, so a full disk is known before a command changes the engine, and nothing is lost. The last of it
is kept for commands that only reduce risk: they are taken when no others are. While `make_room_ahead` works, zeros
stand on the disk there before they are needed: a sync then brings out the records alone, and not, with the file
system's own journal, what others have just written.
Opening a journal cuts off what a crash left half written after the last synced record; any other flaw is
`CorruptJournal`. Whole records behind the marker are written once more and synced before anybody may rely on them:
after a sync that failed they may stand in memory only, where they look as if they were on the disk. All synced records
of a journal are kept for ever: replay from the first must always work.
"""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from exchange.engine.commands import Command
from exchange.journal.codec import encode_command
from exchange.journal.errors import CorruptJournal, JournalFull, JournalLocked
from exchange.journal.files import NO_ROOM, allocate, sync_data, sync_folder, write_all, write_atomically
from exchange.journal.marker import MARKER_NAME, Marker, MarkerFile, read_marker
from exchange.journal.record import (
    GENESIS_HEAD,
    SEGMENT_HEADER_SIZE,
    BadRecord,
    encode_record,
    encode_segment_header,
    list_segments,
    open_segment,
    record_size,
    scan,
    segment_path,
)

LOCK_NAME = "lock"
SEGMENT_BYTES = 16 << 20
BEGUN_BYTES = 1 << 16
"""A segment's room is filled with zeros once so much of it is used: a journal where little happens stays small."""
KEPT_BYTES = 1 << 20
"""So much room at the end of the last segment is kept for commands that only reduce risk, some thousands of them."""
OPERATOR_BYTES = 1 << 18
"""So much of that is kept for the operator's alone: any user has as many brakes as it likes."""
_ROOM_STEP = 4 << 20
_PIECE = bytes(1 << 18)
_NEXT_NAME = "next.segment.part"


class Journal:
    """A journal open for writing. `seq`, `head` and `at_ms` are those of the last appended record."""

    def __init__(self, folder: Path, lock_fd: int, segment_bytes: int) -> None:
        self.folder = folder
        self.seq = 0
        self.head = GENESIS_HEAD
        self.at_ms = 0
        self.cut_bytes = 0
        """Bytes of an unfinished write that opening has cut off."""
        self._lock_fd = lock_fd
        self._segment_bytes = segment_bytes
        self._fd = -1
        self._end = 0
        self._room_end = 0
        self._path = folder
        self._marker = MarkerFile(folder, create=not list_segments(folder))
        self._room = threading.Lock()
        """Held by who moves the end of the room or opens and closes a segment."""
        self._room_wanted = threading.Event()
        self._writes_ahead = False
        self._next_is_ready = False

    @classmethod
    def open(cls, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Open (or start) the journal in `folder` as its only writer.

        Raises JournalLocked when another process has it, CorruptJournal when a synced record is missing or wrong.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_fd = _lock(folder)
        try:
            journal = cls(folder, lock_fd, segment_bytes)
            journal._recover()
        except BaseException:
            os.close(lock_fd)
            raise
        return journal

    def reserve(self, payload_bytes: int, records: int, *, left: int = KEPT_BYTES) -> None:
        """Make room for `records` with `payload_bytes` in all, and `left` behind them; JournalFull if there is none.

        Starts the next segment where what was written fills the present one. What is reserved and may stay unused fills
        none: a segment is longer than its size by one group at most, or on a full disk by what is kept. Only what
        reduces risk may take of that, and leave less. Whoever asks for room when there is some again brings back all
        that is kept.
        """
        self._make_room(payload_bytes + records * record_size(0), left)

    def _make_room(self, size: int, left: int) -> None:
        """Room for so many bytes, and so many more behind them."""
        try:
            if self._end >= self._segment_bytes:
                self._rotate()
            if self._end + size + left > self._room_end:
                self._allocate(self._end + size + left)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            if left < KEPT_BYTES and self._end + size + left <= self._room_end:
                return
            raise JournalFull(f"no room for {size} more bytes in {self.folder}: {error.strerror}") from None

    @property
    def _lacks_zeros(self) -> bool:
        return self._end > BEGUN_BYTES and self._room_end < self._segment_bytes

    @property
    def _lacks_next(self) -> bool:
        return not self._next_is_ready and self._end > self._segment_bytes // 2

    def _allocate(self, end: int) -> None:
        """Room up to `end`, and some more."""
        with self._room:
            if end > self._room_end:
                room_end = max(end, self._room_end + (len(_PIECE) if self._writes_ahead else _ROOM_STEP))
                allocate(self._fd, self._room_end, room_end - self._room_end)
                self._room_end = room_end

    @contextmanager
    def make_room_ahead(self) -> Iterator[None]:
        """Meanwhile a thread writes zeros ahead of the records: to the segment's end, and then the next segment's.

        What it cannot write, `reserve` finds out and tells.
        """
        thread = threading.Thread(target=self._write_ahead, name="journal-room", daemon=True)
        self._writes_ahead = True
        self._room_wanted.set()
        thread.start()
        try:
            yield
        finally:
            self._writes_ahead = False
            self._room_wanted.set()
            thread.join()

    def _write_ahead(self) -> None:
        while self._writes_ahead:
            self._room_wanted.wait()
            self._room_wanted.clear()
            with suppress(OSError):
                while self._writes_ahead and self._lacks_zeros:
                    self._write_piece()
                if self._writes_ahead and self._lacks_next:
                    self._prepare_next()

    def _write_piece(self) -> None:
        """Write zeros behind the room, and add them to it when they are on the disk.

        No record stands there yet: records are written within the room, and nobody else moves its end meanwhile. The
        file is opened again, because a failed write is told once to each who has it open: `sync` must hear of its own.
        """
        with self._room:
            if self._lacks_zeros:
                _append_zeros(self._path, self._room_end)
                self._room_end += len(_PIECE)

    def _prepare_next(self) -> None:
        """Write the next segment's zeros into a file of their own: no sync of the present one waits for them."""
        path = self.folder / _NEXT_NAME
        path.unlink(missing_ok=True)
        try:
            for offset in range(0, self._segment_bytes, len(_PIECE)):
                if not self._writes_ahead:
                    return
                _append_zeros(path, offset)
        except OSError:
            path.unlink(missing_ok=True)  # the records need the room more
            raise
        self._next_is_ready = True

    def append(self, group: Sequence[tuple[int, Command]]) -> list[tuple[int, bytes]]:
        """Write the commands, each with its time in milliseconds, and give each its sequence and head.

        Nothing is durable before `sync`. JournalFull (only without a `reserve` before) writes nothing. The room that is
        kept is `reserve`'s matter.
        """
        return self.append_payloads([(at_ms, encode_command(command)) for at_ms, command in group])

    def append_payloads(self, group: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """As `append`, for commands that are encoded already."""
        self._make_room(sum(len(payload) for _, payload in group) + len(group) * record_size(0), 0)
        seq, head, at_ms = self.seq, self.head, self.at_ms
        records: list[bytes] = []
        placed: list[tuple[int, bytes]] = []
        for at_ms, payload in group:
            seq += 1
            record, head = encode_record(head, seq, at_ms, payload)
            records.append(record)
            placed.append((seq, head))
        data = b"".join(records)
        write_all(self._fd, data, self._end)
        self._end += len(data)
        self.seq, self.head, self.at_ms = seq, head, at_ms
        if self._writes_ahead and (self._lacks_zeros or self._lacks_next):
            self._room_wanted.set()
        return placed

    def sync(self) -> None:
        """Make everything appended durable and let readers see it. An OSError here is fatal: stop the process."""
        marker = Marker(self.seq, self.head)
        sync_data(self._fd)
        self._marker.store(marker)

    def close(self) -> None:
        """Sync, give back the reserved room and release the lock."""
        self.sync()
        self._close_segment()
        self._marker.sync()
        self._marker.close()
        os.close(self._lock_fd)

    def abandon(self) -> None:
        """Let go of the files as they are, as a crash would: after a failed sync nothing may be called durable."""
        os.close(self._fd)
        self._marker.close()
        os.close(self._lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def _recover(self) -> None:
        """Find the end of the journal and cut off what lies behind it."""
        for leftover in self.folder.glob("*.segment.part"):
            leftover.unlink()
        paths = list_segments(self.folder)
        marker = read_marker(self.folder)
        if not paths:
            if marker.seq:
                raise CorruptJournal(
                    self.folder, 0, marker.seq, "there are no segments but a marker of durable records"
                )
            self._start_segment()
            return
        segment = open_segment(paths[-1])
        end, seq, head = SEGMENT_HEADER_SIZE, segment.first_seq - 1, segment.prev_head
        synced = end
        if seq == marker.seq and head != marker.head:
            raise CorruptJournal(
                segment.path, 0, seq, f"the segment's first head differs from the one in {MARKER_NAME}"
            )
        for record in scan(segment.path, end, segment.first_seq, segment.prev_head):
            if isinstance(record, BadRecord):
                if record.seq <= marker.seq:
                    raise CorruptJournal(segment.path, record.offset, record.seq, record.reason)
                break
            end, seq, head, self.at_ms = record.end, record.seq, record.head, record.at_ms
            synced = end if seq <= marker.seq else synced
            if seq == marker.seq and head != marker.head:
                reason = f"the record's head differs from the one in {MARKER_NAME}"
                raise CorruptJournal(segment.path, record.offset, seq, reason)
        if seq == segment.first_seq - 1 and seq:
            self.at_ms = _last_time(paths[-2])
        self.seq, self.head, self._end = seq, head, end
        self._cut(segment.path, synced)

    def _cut(self, path: Path, synced: int) -> None:
        """Open the last segment at its end, without whatever stands behind it, and with all of it on the disk.

        A sync after a failed one says nothing of the pages that failed, so what the marker does not cover (from
        `synced` on) is written again.
        """
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.cut_bytes = _count_data(path, self._end)
        write_all(self._fd, os.pread(self._fd, self._end - synced, synced), synced)
        os.ftruncate(self._fd, self._end)
        os.fsync(self._fd)
        self._room_end = self._end
        self._marker.store(Marker(self.seq, self.head))
        with suppress(OSError):  # a disk that is full by now keeps nothing; `reserve` finds out and tells
            allocate(self._fd, self._end, KEPT_BYTES)
            self._room_end = self._end + KEPT_BYTES

    def _rotate(self) -> None:
        """Close the present segment for good and start the next."""
        self.sync()
        self._marker.sync()
        with self._room:
            old_fd, old_end = self._fd, self._end
            self._start_segment()
            os.ftruncate(old_fd, old_end)
            os.close(old_fd)

    def _start_segment(self) -> None:
        path = segment_path(self.folder, self.seq + 1)
        header = encode_segment_header(self.seq + 1, self.head)
        is_ready, self._next_is_ready = self._next_is_ready, False
        if is_ready:
            _begin(self.folder / _NEXT_NAME, path, header)
        else:
            write_atomically(path, header, room=KEPT_BYTES)
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._end = SEGMENT_HEADER_SIZE
        self._room_end = SEGMENT_HEADER_SIZE + KEPT_BYTES
        if is_ready:
            self._room_end = max(self._segment_bytes, SEGMENT_HEADER_SIZE)

    def _close_segment(self) -> None:
        os.ftruncate(self._fd, self._end)
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1
        (self.folder / _NEXT_NAME).unlink(missing_ok=True)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep every other process from writing the journal in a folder; JournalLocked where one does."""
    fd = _lock(folder)
    try:
        yield
    finally:
        os.close(fd)


def _lock(folder: Path) -> int:
    """Take the writer's lock; the operating system releases it when the process ends, however it ends."""
    fd = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise JournalLocked(f"another process writes the journal in {folder}; stop it first") from None
    sync_folder(folder)
    return fd


def _append_zeros(path: Path, offset: int) -> None:
    """A piece of zeros in a file, on the disk."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        write_all(fd, _PIECE, offset)
        sync_data(fd)
    finally:
        os.close(fd)


def _begin(prepared: Path, path: Path, header: bytes) -> None:
    """Make a file of zeros the segment at `path`, so that it is whole and durable or not there at all."""
    fd = os.open(prepared, os.O_RDWR | os.O_CLOEXEC)
    try:
        write_all(fd, header, 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    prepared.replace(path)
    sync_folder(path.parent)


def _last_time(path: Path) -> int:
    """The time of the last record in a closed segment."""
    segment = open_segment(path)
    at_ms = 0
    for record in scan(path, SEGMENT_HEADER_SIZE, segment.first_seq, segment.prev_head):
        if not isinstance(record, BadRecord):
            at_ms = record.at_ms
    return at_ms


def _count_data(path: Path, offset: int) -> int:
    """Bytes behind `offset` up to the last that is not zero."""
    with path.open("rb") as file:
        file.seek(offset)
        return len(file.read().rstrip(b"\0"))
