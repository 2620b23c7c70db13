"""Processes that start warm: forked from a server that has loaded the code of the exchange already.

A process of the exchange spends one to three seconds of a processor on loading code. Tests start hundreds, and kill
most of them; what they test comes afterwards. Each process has an environment, a folder and output files of its own.
"""

from __future__ import annotations

import atexit
import importlib
import multiprocessing
import os
import signal
import sys
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Nothing of `bizzan.cli`: its console looks at the environment when it is loaded.
_LOADED = (
    "pytest",
    "alembic.command",
    "backend.main",
    "bizzan.audit.main",
    "bizzan.client.api",
    "bizzan.deployer",
    "bizzan.supervisor.local",
    "bizzan.supervisor.rebuild",
    "exchange.sequencer.main",
    "exchange.sequencer.projector_main",
    "indexer.main",
    "keeper.main",
    "rich.table",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "tests.utils.warm",
    "typer",
    "uvicorn",
    "uvloop",
)
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(_LOADED))
_running: weakref.WeakSet[WarmProcess] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """Let no process outlive the tests; `multiprocessing` would wait for it."""
    for process in _running:
        process.kill()


class WarmProcess:
    """A running process, used like one of `subprocess`. It ends with the tests at the latest."""

    def __init__(
        self,
        function: Callable[..., object],
        *arguments: object,
        environment: Mapping[str, str],
        output: Path | None = None,
        errors: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        """Run `function(*arguments)`, both of which can be pickled. `output` also takes the errors, unless told."""
        files = (output, errors or output)
        start = (dict(environment), folder or Path.cwd(), files, function, arguments)
        self._process = _CONTEXT.Process(target=_begin, args=start)
        self._process.start()
        _running.add(self)

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self._process.pid or 0)

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended. Fails when it does not in time."""
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, f"process {self.pid} did not end within {timeout} s"
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def serve(module: str, prologue: str = "") -> None:
    """What a process of the exchange does: `run` of its module; the Python text `prologue` runs before."""
    from exchange.settings import load_settings

    exec(prologue, {})
    importlib.import_module(module).run(load_settings())


def command(arguments: list[str]) -> None:
    """What `bizzan` does with these arguments."""
    sys.argv = ["bizzan", *arguments]
    importlib.import_module("bizzan.cli.app").main()


def _begin(
    environment: dict[str, str],
    folder: Path,
    files: tuple[Path | None, Path | None],
    function: Callable[..., object],
    arguments: tuple[Any, ...],
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, file in enumerate((None, *files)):
        mode = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        target = os.open(file or os.devnull, mode, 0o600)
        os.dup2(target, number)
        if target != number:
            os.close(target)
    sys.stdin = os.fdopen(0, closefd=False)
    function(*arguments)
