"""The lock on a state folder: one supervisor at a time.

The system releases the lock when its holder ends, however it ends; so the pid in the file is the holder's
for as long as the lock is held.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from bizzan.supervisor.errors import AlreadyRunning
from bizzan.supervisor.process import started_at

LOCK_NAME = "up.lock"
MARKER_NAME = "bizzan-state"  # a folder with this file in it is one that `bizzan reset` may delete
_LOOKS = 300
_TEXT_BYTES = 64  # always the same, so that one write replaces all of what an earlier holder wrote


class StateLock:
    """The exclusive right to run the stack of a state folder, held inside a `with` block."""

    def __init__(self, state_dir: Path, mark: bool = True) -> None:
        """`mark` declares the folder one that `bizzan reset` may delete."""
        self._state_dir = state_dir
        self._mark = mark
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock, making the folder when missing. Raises AlreadyRunning when another process has it."""
        self._state_dir.mkdir(parents=True, exist_ok=True)
        if self._mark:
            (self._state_dir / MARKER_NAME).touch()
        descriptor = os.open(self._state_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _try_lock(descriptor):
            os.close(descriptor)
            raise AlreadyRunning(
                f"the stack of {self._state_dir} is already running (pid {holder(self._state_dir)}): "
                "stop it with 'bizzan down', or name another folder with BIZZAN_PATHS__STATE_DIR"
            )
        text = f"{os.getpid()} {started_at(os.getpid())}"
        os.pwrite(descriptor, text.ljust(_TEXT_BYTES).encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def holder(state_dir: Path) -> int | None:
    """The pid of the process that holds the lock of the folder; None when nobody does.

    Raises AlreadyRunning when somebody holds it who does not say who.
    """
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for _ in range(_LOOKS):
            if _try_lock(descriptor):
                return None
            pid, _, started = os.pread(descriptor, _TEXT_BYTES, 0).decode().strip().partition(" ")
            if started and started_at(int(pid)) == started:
                return int(pid)
            time.sleep(0.01)  # its holder has just taken it, and what stands there is the one before
    finally:
        os.close(descriptor)
    raise AlreadyRunning(f"a process holds {state_dir / LOCK_NAME} without naming itself: end it and try again")


def _try_lock(descriptor: int) -> bool:
    """Take the lock if nobody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
