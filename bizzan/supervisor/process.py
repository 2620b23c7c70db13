"""One child process: its log, its end together with its parent, its stop.

A child runs in a session of its own, so Ctrl-C reaches the supervisor alone and the children are stopped in
order. When the supervisor itself is killed, Linux sends the child `death_signal`; elsewhere, and when that is
not enough, the next start ends what the pid file names. A pid file holds the pid and the time at which the
process started, so a number that the system gave to somebody else is never signalled.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from bizzan.supervisor.errors import StartError

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.02
_GROUP_TRIES = 3
_GROUP_PAUSE_SECONDS = 0.11


class RunAs(TypedDict):
    """The user that a child runs as, in the words of `subprocess`; None is the user of this process."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


SAME_USER: RunAs = {"user": None, "group": None, "extra_groups": None}
_ON_LINUX = platform.system() == "Linux"


def _death_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child runs before its program so that it gets `death_signal` when this process ends."""
    if not _ON_LINUX:
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: the child of a threaded process should do as little as it can
    parent = os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the call above
            os._exit(1)

    return arm


class Process:
    """One child process, started and stopped any number of times.

    `start` must be called from the main thread: Linux ties the death signal to the thread that started it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log_file: Path,
        pid_file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        run_as: RunAs = SAME_USER,
        stop_signal: signal.Signals = signal.SIGTERM,
        niceness: int = 0,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = [str(part) for part in command]
        self._pid_file = pid_file
        self._environment = environment
        self._folder = folder
        self._run_as = run_as
        self._stop_signal = stop_signal
        self._niceness = niceness
        self._was_ready = False
        self._child: subprocess.Popen[bytes] | None = None
        self._group_killed = False

    @property
    def pid(self) -> int | None:
        """The pid of the running child."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last child that ended; negative for a signal."""
        return self._child.poll() if self._child is not None else None

    def note(self, line: str) -> None:
        """Write a line of one's own into the child's log file."""
        with self.log_file.open("a") as log:
            log.write(f"{line}\n")

    def start(self, *more_arguments: str | Path) -> None:
        """Start the child; its output is appended to the log file. Raises StartError when it cannot run."""
        self.kill()  # what a child that ended by itself has left behind
        self.end_leftover()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    [*self._command, *(str(argument) for argument in more_arguments)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=None if self._environment is None else dict(self._environment),
                    start_new_session=True,
                    preexec_fn=_death_with_parent(self._stop_signal),
                    **self._run_as,
                )
            except OSError as error:
                raise StartError(f"{self.name} cannot start: {error}") from None
        self._group_killed = False
        if self._was_ready:  # the first start is what everybody waits for
            self._yield()
        if self._pid_file is not None:
            self._pid_file.parent.mkdir(parents=True, exist_ok=True)
            self._pid_file.write_text(f"{self._child.pid} {started_at(self._child.pid)}\n")

    def wait_until(
        self, ready: Callable[[], bool], timeout_seconds: float, progress: Callable[[], object] = lambda: None
    ) -> None:
        """Wait until `ready` says yes. Raises StartError when the child ends, or when for so long it was not ready and
        `progress` said the same."""
        deadline, reached = time.monotonic() + timeout_seconds, progress()
        while True:
            if self.pid is None:
                raise StartError(f"{self.name} ended while starting (exit code {self.exit_code})\n{self.log_tail()}")
            if ready():
                self._was_ready = True
                self._yield()
                return
            if time.monotonic() > deadline and (now := progress()) != reached:
                deadline, reached = time.monotonic() + timeout_seconds, now
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready after {timeout_seconds:g} s\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def _yield(self) -> None:
        if self._niceness and self._child is not None:
            yield_to_others(self._child.pid, self._niceness)

    def stop(self, timeout_seconds: float = 20) -> None:
        """Ask the child to end; kill it, and what it started, when it has not ended in time."""
        if self._child is None:
            return
        if self.pid is not None:
            self._child.send_signal(self._stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout_seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the child and what it started with SIGKILL, and wait for its end."""
        if self._child is None or self._group_killed:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._group_killed = True  # from now on the number may be somebody else's
        self._child.wait()
        if self._pid_file is not None:
            self._pid_file.unlink(missing_ok=True)

    def end_leftover(self, timeout_seconds: float = 10) -> None:
        """End the child of an earlier supervisor that was killed, if it still runs."""
        if self._pid_file is None or not self._pid_file.exists():
            return
        with suppress(ValueError):
            pid_text, started = self._pid_file.read_text().split(maxsplit=1)
            end_process(int(pid_text), started.strip(), self._stop_signal, timeout_seconds)
        self._pid_file.unlink(missing_ok=True)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, and where the rest is."""
        try:
            tail = self.log_file.read_bytes()[-8_192:].decode(errors="replace").splitlines()[-lines:]
        except OSError:
            tail = []
        return "\n".join([*(f"  {line}" for line in tail), f"  (log: {self.log_file})"])


def yield_to_others(pid: int, niceness: int) -> None:
    """Let a child that leads a session go after others when the processors are busy; harmless where it cannot be done.

    Where Linux groups processes by session, niceness counts within a group only, and the group has its own.
    """
    value = min(os.getpriority(os.PRIO_PROCESS, 0) + niceness, 19)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, value)
    group = Path(f"/proc/{pid}/autogroup")
    for _ in range(_GROUP_TRIES):
        try:
            group.write_text(str(value))
        except BlockingIOError:  # an ordinary user may do this ten times a second
            time.sleep(_GROUP_PAUSE_SECONDS)
        except OSError:  # no such groups here, or the child has ended
            return
        else:
            return


def started_at(pid: int) -> str:
    """When the process started, as the system words it; empty when there is none. A zombie counts as none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if _ON_LINUX:
            return ""
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return "" if fields[0] == "Z" else fields[19]


def end_process(pid: int, started: str, stop_signal: signal.Signals, timeout_seconds: float) -> None:
    """End the process that has this pid and start time: `stop_signal` first, SIGKILL after the timeout."""

    def runs() -> bool:
        return bool(started) and started_at(pid) == started

    deadline = time.monotonic() + timeout_seconds
    with suppress(ProcessLookupError, PermissionError):
        if runs():
            os.kill(pid, stop_signal)
        elif not started_at(pid):  # the number is free: a group of this name is what the process left behind
            os.killpg(pid, signal.SIGKILL)
        while runs() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if runs():
            os.killpg(pid, signal.SIGKILL)
    while runs():
        time.sleep(_POLL_SECONDS)
