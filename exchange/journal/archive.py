"""The archive: closed segments that nobody needs at hand, packed, in a folder of their own, with an index by sequence.

    N.segment.packed    the segment from sequence N on (`exchange.journal.packed`)
    index               one line per segment (`exchange.journal.archive_index`)

A segment moves in steps, each on the disk before the next: the packed file, read again and compared; its line; only
then the segment goes. Whatever ends this in between, the next run goes on from there, and a reader finds every record
meanwhile.

    ArchiveError    the archive does not belong to this journal, or another process moves segments
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from exchange.journal.archive_index import INDEX_NAME, LINE_BYTES, POINTER_NAME, Entry, Index, archive_of
from exchange.journal.errors import CorruptJournal, JournalError
from exchange.journal.files import keep, sync_folder, write_atomically
from exchange.journal.packed import PACKED_SUFFIX, Packed, PackedFile, is_same, pack, packed_path
from exchange.journal.record import (
    GENESIS_HEAD,
    BadRecord,
    Place,
    first_seq_of,
    list_segments,
    open_segment,
    scan_file,
    segment_path,
)

LOCK_NAME = "lock"
KEPT_SEGMENTS = 2
"""Live whatever is asked for: the one that is written, and the one before, which opening a journal may read."""


class ArchiveError(JournalError):
    """The archive does not belong to this journal, or another process moves segments."""


def archive(journal: Path, folder: Path, floor: int) -> Iterator[Entry]:
    """Move the closed segments whose records are all up to `floor` to the archive in `folder`; yields each.

    ArchiveError when it is not this journal's, or while another process does the same. CorruptJournal when a segment is
    not what was written: it stays where it is.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.samefile(journal):
        raise ArchiveError(f"the archive cannot be the journal's own folder {journal}: name another one")
    with _only_writer(folder):
        index = Index(folder)
        _drop_torn_line(journal, index)
        _check_continues(journal, index)
        _point(journal, folder)
        for leftover in folder.glob("*.part"):
            leftover.unlink()
        for path, last_seq in _closed(journal):
            if last_seq > floor:
                break
            yield _move(path, last_seq, index)


class StoredFile(NamedTuple):
    """The file of one segment; `last_seq` is None for the one that is written."""

    path: Path
    first_seq: int
    last_seq: int | None
    size_bytes: int
    archived: bool


def stored_files(journal: Path) -> Iterator[StoredFile]:
    """The files of the journal's segments, in order."""
    folder = archive_of(journal)
    for entry in Index(folder) if folder is not None else ():
        path = packed_path(folder or journal, entry.first_seq)
        yield StoredFile(path, entry.first_seq, entry.last_seq, entry.packed_bytes, True)
    paths = list_segments(journal)
    for path, after in zip(paths, [*paths[1:], None], strict=True):
        last_seq = first_seq_of(after) - 1 if after is not None else None
        yield StoredFile(path, first_seq_of(path), last_seq, path.stat().st_size, False)


def check(journal: Path) -> Iterator[tuple[Path, str]]:
    """Every file that is not as it was archived, and why; the journal's heads must lead through index and segments."""
    folder = archive_of(journal)
    if folder is None:
        return
    if not folder.is_dir():
        yield folder, f"the archive is missing: put it back, or write where it is into {journal / POINTER_NAME}"
        return
    index, seq, head = Index(folder), 0, GENESIS_HEAD
    for number in range(len(index)):
        try:
            entry = index[number]
            if (entry.first_seq, entry.prev_head) != (seq + 1, head):
                yield index.path, f"line {number + 1} does not follow sequence {seq} with head {head.hex()}"
            seq, head = entry.last_seq, entry.head
            file = index.open(entry)
            if sha256(file.path.read_bytes()).digest() != entry.sha256:
                yield file.path, f"its sha256 is not {entry.sha256.hex()}, as the index says"
        except CorruptJournal as error:
            yield error.path, error.reason
    try:
        _check_continues(journal, index)
    except JournalError as error:
        yield index.path, str(error)


def rebuild_index(journal: Path) -> Iterator[Entry]:
    """Write the index anew from the packed segments, every record of which is checked; yields each entry.

    The chain of heads must lead through them from the first record to the live segments. CorruptJournal or
    ArchiveError, which name the file and the sequence, where it does not; then the index stays as it is.
    """
    folder = archive_of(journal)
    if folder is None or not folder.is_dir():
        raise ArchiveError(f"the journal in {journal} has no archive: {journal / POINTER_NAME} says where it is")
    with _only_writer(folder):
        part = folder / f"{INDEX_NAME}.part"
        try:
            with part.open("wb") as file:
                for entry in _entries(folder):
                    file.write(entry.line().encode())
                    yield entry
            _check_reaches(journal, Index(folder, part.name))
            keep(part, folder / INDEX_NAME)
        finally:
            part.unlink(missing_ok=True)


def _entries(folder: Path) -> Iterator[Entry]:
    """Entries of the packed segments that there are, each following the one before."""
    seq, head = 0, GENESIS_HEAD
    for path in sorted(folder.glob(f"*{PACKED_SUFFIX}")):
        first_seq = int(path.name.removesuffix(PACKED_SUFFIX)) if path.name[:20].isdecimal() else 0
        if first_seq > seq + 1:
            raise ArchiveError(
                f"{packed_path(folder, seq + 1)} is missing, with sequences {seq + 1} to {first_seq - 1}: put a copy "
                "in its place"
            )
        file = PackedFile(path, first_seq)
        if (file.first_seq, file.prev_head) != (seq + 1, head):
            raise file.corrupt(0, f"it does not follow sequence {seq} with head {head.hex()}")
        _check_records(file)
        seq, head = file.last_seq, file.head
        digest = sha256(path.read_bytes()).digest()
        yield Entry(file.first_seq, seq, file.prev_head, head, digest, file.size, file.end)


def _check_reaches(journal: Path, index: Index) -> None:
    """ArchiveError unless the live segments go on where the archived ones end."""
    paths, last = list_segments(journal), index.last()
    end = last.last_seq if last is not None else 0
    if paths and first_seq_of(paths[0]) > end + 1:
        raise ArchiveError(
            f"{packed_path(index.folder, end + 1)} is missing, with sequences {end + 1} to "
            f"{first_seq_of(paths[0]) - 1}: {paths[0]} comes next; put a copy in its place"
        )
    _check_continues(journal, index)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Keep every other process from moving; the operating system ends it with this one, however it ends."""
    with (folder / LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ArchiveError(f"another process moves segments to {folder}: wait until it is done") from None
        yield


def _closed(journal: Path) -> list[tuple[Path, int]]:
    """The closed segments that may go, each with its last sequence."""
    paths = list_segments(journal)
    closed = [(path, first_seq_of(after) - 1) for path, after in pairwise(paths)]
    return closed[: 1 - KEPT_SEGMENTS]


def _drop_torn_line(journal: Path, index: Index) -> None:
    """Cut off what a crash left of a line, whose segment is still there: a part, or as many bytes of something else."""
    count = len(index)
    if count and not index.is_entry(count - 1):
        end = index[count - 2].last_seq if count > 1 else 0
        if segment_path(journal, end + 1).exists():
            count -= 1
    whole = count * LINE_BYTES
    if index.path.exists() and index.path.stat().st_size != whole:
        with index.path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())


def _check_continues(journal: Path, index: Index) -> None:
    """ArchiveError unless the journal's first live segment is the next, or one whose removal was not reached."""
    paths = list_segments(journal)
    if not paths:
        raise ArchiveError(
            f"there are no segments in {journal}: put the journal's folder back before anything is moved"
        )
    segment, last = open_segment(paths[0]), index.last()
    known = index.find(segment.first_seq)
    if known is not None:
        follows = (known.first_seq, known.prev_head) == (segment.first_seq, segment.prev_head)
    else:
        end = (last.last_seq, last.head) if last is not None else (0, GENESIS_HEAD)
        follows = (segment.first_seq - 1, segment.prev_head) == end
    if not follows:
        reaches = f"reaches sequence {last.last_seq}" if last is not None else "is empty"
        raise ArchiveError(
            f"the archive in {index.folder} {reaches}, and the journal in {journal} begins at {segment.first_seq} of "
            "another chain, or with a gap: give the journal its own archive back, or name another folder for it; where "
            "only the index was cut or lost, run 'bizzan journal rebuild'"
        )


def _point(journal: Path, folder: Path) -> None:
    """Say in the journal's folder where its archive is; beside it by a relative path, so that both may be moved."""
    beside = folder.resolve().is_relative_to(journal.resolve().parent)
    text = os.path.relpath(folder.resolve(), journal.resolve()) if beside else str(folder.resolve())
    path = journal / POINTER_NAME
    if not path.exists() or path.read_text().strip() != text:
        write_atomically(path, text.encode() + b"\n")


def _move(path: Path, last_seq: int, index: Index) -> Entry:
    """Move one segment, or finish its move."""
    packed = pack(path, last_seq)
    entry = index.find(packed.first_seq)
    if entry is None:
        entry = _store(packed, index)
    else:
        _compare(path, packed, index.open(entry))
    path.unlink()
    sync_folder(path.parent)
    return entry


def _store(packed: Packed, index: Index) -> Entry:
    """Write a packed segment, read it again, and add its line."""
    last, path = index.last(), packed_path(index.folder, packed.first_seq)
    if last is not None and (last.last_seq + 1, last.head) != (packed.first_seq, packed.prev_head):
        raise ArchiveError(
            f"the segment at {packed.first_seq} does not continue {index.path}, which reaches {last.last_seq}: nothing "
            "is moved until the segment between them is back"
        )
    write_atomically(path, packed.data)
    _compare(path, packed, PackedFile(path, packed.first_seq))
    digest, size = sha256(packed.data).digest(), len(packed.data)
    entry = Entry(packed.first_seq, packed.last_seq, packed.prev_head, packed.head, digest, size, packed.end)
    with index.path.open("ab") as file:
        file.write(entry.line().encode())
        file.flush()
        os.fsync(file.fileno())
    sync_folder(index.folder)
    return entry


def _compare(path: Path, packed: Packed, file: PackedFile) -> None:
    """Read every record of the packed file as a reader does. ArchiveError when they are not those of the segment."""
    if not is_same(packed, file):
        raise ArchiveError(f"{file.path} and {path} hold different records: keep both, and find out which is true")
    _check_records(file)


def _check_records(file: PackedFile) -> None:
    """Read every record as a reader does, and every place of the table. CorruptJournal where one is wrong."""
    head, places = file.prev_head, {place.seq: place for place in file.places}
    for found in scan_file(file.open(), file.places[0], file.last_seq):
        if isinstance(found, BadRecord):
            raise file.corrupt(found.offset, found.reason, found.seq)
        place = Place(found.seq, found.offset, head)
        if places.pop(found.seq, place) != place:
            raise file.corrupt(found.offset, "the table has another place for the record", found.seq)
        head = found.head
    if places:
        raise file.corrupt(0, "the table has places of no record", min(places))
    if head != file.head:
        raise file.corrupt(0, "its records do not lead to its head", file.last_seq)
