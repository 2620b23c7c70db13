"""What can go wrong with a journal.

JournalError
    CorruptJournal    a file is not what was written: names the file, the offset and the sequence
    JournalLocked     another process writes this journal
    JournalFull       there is no room for more records; nothing was written
"""

from pathlib import Path


class JournalError(Exception):
    """A journal cannot be used as asked."""


class CorruptJournal(JournalError):
    """A file of the journal is not what was written; `offset` in bytes, `seq` of the record concerned."""

    def __init__(self, path: Path, offset: int, seq: int, reason: str) -> None:
        super().__init__(f"{path} is corrupt at offset {offset} (sequence {seq}): {reason}")
        self.path = path
        self.offset = offset
        self.seq = seq
        self.reason = reason


class JournalLocked(JournalError):
    """Another process has this journal open for writing."""


class JournalFull(JournalError):
    """The disk (or a quota) has no room for the records; nothing was written."""


class ReplayError(JournalError):
    """A whole record that the engine refuses: the journal was written by another version, or forged."""
