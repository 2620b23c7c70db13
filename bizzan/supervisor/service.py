"""One process of the exchange: a command of the `bizzan` program, run as a child."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bizzan.supervisor.ports import answers, check_free
from bizzan.supervisor.process import Process


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """A port that a service listens on, and the setting that changes it."""

    port: int
    setting: str
    host: str = "127.0.0.1"


class Service:
    """A long-running command of the `bizzan` program.

    It is ready when it listens on all its ports, and on its Unix socket when it has one.
    """

    def __init__(
        self,
        name: str,
        *,
        log_dir: Path,
        run_dir: Path,
        ports: Sequence[ListeningPort] = (),
        socket_path: Path | None = None,
        ready: Callable[[], bool] | None = None,
        niceness: int = 0,
    ) -> None:
        """`ready` replaces the question whether it listens. A `niceness` above 0 lets others go first once it is up."""
        self.name = name
        self._ports = ports
        self._socket_path = socket_path
        self._ready = ready or self._listens
        self._process = Process(
            name,
            [sys.executable, "-m", "bizzan.cli", name],
            log_file=log_dir / f"{name}.log",
            pid_file=run_dir / f"{name}.pid",
            environment=dict(os.environ) | {"PYTHONUNBUFFERED": "1"},
            niceness=niceness,
        )

    @property
    def pid(self) -> int | None:
        """The pid of the running process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that ended last; negative for a signal."""
        return self._process.exit_code

    def prepare(self) -> None:
        """End the process of a killed supervisor. Raises PortTaken when somebody else listens on a port."""
        self._process.end_leftover()
        for port in self._ports:
            check_free(port.port, port.setting, port.host)

    def start(self) -> None:
        """Start the process. Raises PortTaken, or StartError when it cannot run."""
        self.prepare()
        self._process.start()

    def wait_ready(self, timeout_seconds: float = 180) -> None:
        """Wait until it is ready. Raises StartError when it ends, or when the time is over and it is not replaying."""
        self._process.wait_until(self._ready, timeout_seconds, self._replayed)

    def _replayed(self) -> str:
        """The latest line of its log that says how far it has replayed the journal."""
        lines = self._process.log_tail(100).splitlines()
        return next((line for line in reversed(lines) if '"replaying"' in line), "")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._process.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    def _listens(self) -> bool:
        if self._socket_path is not None and not _socket_answers(self._socket_path):
            return False
        return all(answers(port.port, port.host) for port in self._ports)


def _socket_answers(path: Path) -> bool:
    """Whether a server accepts connections on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(str(path))
        return True
    return False
