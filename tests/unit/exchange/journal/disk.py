"""A disk with a cache before it, for one folder: what was written is lost with the power unless a sync brought it over.

It does what Linux does after a failed sync: the pages that failed stay in memory, look clean, and no later sync writes
them unless somebody writes them again.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from exchange.journal import journal as writer
from exchange.journal.files import write_all
from exchange.journal.record import SEGMENT_SUFFIX


class Disk:
    """Stands behind every `Journal`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._fails = False
        self._written: dict[Path, list[tuple[int, bytes]]] = {}
        self._down: dict[Path, bytearray] = {}
        self._fsync = os.fsync
        patch.setattr(writer, "write_all", self._write)
        patch.setattr(writer, "sync_data", self._sync)
        patch.setattr(os, "fsync", self._sync)

    def fail_once(self) -> None:
        """The next sync of a segment fails, and its pages pass for clean."""
        self._fails = True

    def lose_power(self) -> None:
        """Each segment becomes what was brought down of it; what is missing reads as zeros."""
        for path, data in self._down.items():
            path.write_bytes(data)

    def _write(self, fd: int, data: bytes, offset: int) -> None:
        self._written.setdefault(_path(fd), []).append((offset, bytes(data)))
        write_all(fd, data, offset)

    def _sync(self, fd: int) -> None:
        self._fsync(fd)
        path = _path(fd)
        if path.suffix == ".part":  # written whole and renamed: it is down
            self._down[path.with_suffix("")] = bytearray(path.read_bytes())
        if path.suffix != SEGMENT_SUFFIX:
            return
        dirty = self._written.pop(path, [])
        if self._fails:
            self._fails = False
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        image = self._down.setdefault(path, bytearray())
        for offset, data in dirty:
            image.extend(bytes(max(0, offset + len(data) - len(image))))
            image[offset : offset + len(data)] = data


def _path(fd: int) -> Path:
    return Path(f"/proc/self/fd/{fd}").readlink()
