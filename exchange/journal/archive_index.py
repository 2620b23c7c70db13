"""Where the archived segments of a journal are: the folder that the journal names, and the index in it.

    index    one line per segment, in order, all of one width: found by halves, without reading the rest
    line     first seq | last seq | head before it | its head | the file's sha256 and bytes | the segment's

The journal's folder says in its file `archive` where that folder is, so whoever reads the journal finds it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, overload

from exchange.journal.errors import CorruptJournal
from exchange.journal.packed import PackedFile, packed_path

POINTER_NAME = "archive"
INDEX_NAME = "index"
_DIGITS = (20, 20, 64, 64, 64, 20, 20)
LINE_BYTES = sum(_DIGITS) + len(_DIGITS)


class Entry(NamedTuple):
    """One line of the index."""

    first_seq: int
    last_seq: int
    prev_head: bytes
    head: bytes
    sha256: bytes
    packed_bytes: int
    segment_bytes: int

    def line(self) -> str:
        """As it stands in the index."""
        heads = " ".join(each.hex() for each in (self.prev_head, self.head, self.sha256))
        return (
            f"{self.first_seq:020d} {self.last_seq:020d} {heads} {self.packed_bytes:020d} {self.segment_bytes:020d}\n"
        )


def parse_line(line: bytes) -> Entry | None:
    """The entry in a line; None when it is none."""
    fields = line.split(b" ")
    if not line.endswith(b"\n") or [len(field.rstrip(b"\n")) for field in fields] != [*_DIGITS]:
        return None
    try:
        first, last, size, segment_bytes = (int(fields[number]) for number in (0, 1, 5, 6))
        prev_head, head, digest = (bytes.fromhex(fields[number].decode()) for number in (2, 3, 4))
    except ValueError:
        return None
    return Entry(first, last, prev_head, head, digest, size, segment_bytes)


class Index(Sequence[Entry]):
    """The index of the archive in `folder`, read line by line where a search looks. An unfinished line is none."""

    def __init__(self, folder: Path, name: str = INDEX_NAME) -> None:
        self.folder = folder
        self.path = folder / name

    def __len__(self) -> int:
        return self.path.stat().st_size // LINE_BYTES if self.path.exists() else 0

    @overload
    def __getitem__(self, number: int) -> Entry: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Entry]: ...

    def __getitem__(self, number: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        count = len(self)
        if not -count <= number < count:
            raise IndexError(number)
        entry = self._parse(number % count)
        if entry is None:
            offset = (number % count) * LINE_BYTES
            raise CorruptJournal(
                self.path, offset, 0, "the line is no entry of the index: run 'bizzan journal rebuild'"
            )
        return entry

    def is_entry(self, number: int) -> bool:
        """Whether a line holds an entry."""
        return self._parse(number) is not None

    def _parse(self, number: int) -> Entry | None:
        with self.path.open("rb") as file:
            file.seek(number * LINE_BYTES)
            return parse_line(file.read(LINE_BYTES))

    def last(self) -> Entry | None:
        """The newest entry, or None."""
        return self[-1] if len(self) else None

    def find(self, seq: int) -> Entry | None:
        """The entry of the segment in which `seq` stands, or None."""
        number = bisect_right(self, seq, key=lambda entry: entry.first_seq)
        entry = self[number - 1] if number else None
        return entry if entry is not None and seq <= entry.last_seq else None

    def open(self, entry: Entry) -> PackedFile:
        """The packed segment of an entry; CorruptJournal when the file is not the one that was archived."""
        file = PackedFile(packed_path(self.folder, entry.first_seq), entry.first_seq)
        if file.size != entry.packed_bytes:
            raise file.corrupt(file.size, f"it has {file.size} bytes, the index says {entry.packed_bytes}")
        if (file.last_seq, file.prev_head, file.head) != (entry.last_seq, entry.prev_head, entry.head):
            raise file.corrupt(0, "its range or its heads are not those of the index")
        return file


def archive_of(journal: Path) -> Path | None:
    """The archive of the journal in a folder, as that says; None while it has none."""
    try:
        return (journal / (journal / POINTER_NAME).read_text().strip()).resolve()
    except FileNotFoundError:
        return None
