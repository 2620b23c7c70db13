"""The few file operations on which durability rests."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers with which an operating system says that a file cannot grow."""


sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""Bring a file's data to the disk; only Linux can leave its times behind."""


def allocate(fd: int, offset: int, size: int) -> None:
    """Make room for `size` bytes at the end `offset` of a file, which read as zeros. OSError when there is none."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, offset, size)
    else:
        write_all(fd, bytes(size), offset)


def sync_folder(folder: Path) -> None:
    """Make names created in, or removed from, `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def write_atomically(path: Path, *parts: bytes, room: int = 0) -> None:
    """Create or replace `path`, with so much room behind it, whole and durable or not at all."""
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            if room:
                allocate(file.fileno(), file.tell(), room)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def keep(written: Path, path: Path) -> None:
    """Give a file that is whole its name, durably, in place of what has it."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(path)
    sync_folder(path.parent)
