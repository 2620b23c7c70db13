"""All processes of the local stack: started in stages, watched, restarted, stopped in reverse.

The parts of one stage start together; a stage begins when the one before it is ready. A part that ends by
itself is started again, after a pause that doubles with each failure in a row. Nothing here knows what the
parts are: `bizzan.supervisor.local` does.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from bizzan.supervisor.errors import SupervisorError

_WATCH_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_HEALTHY_SECONDS = 30.0  # a part that ran this long starts anew with the first pause


class Part(Protocol):
    """A process that the stack keeps running."""

    name: str

    @property
    def pid(self) -> int | None: ...

    def prepare(self) -> None: ...

    def start(self) -> None: ...

    def wait_ready(self, timeout_seconds: float = 180) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Task:
    """Something done once between two stages, such as migrating the database."""

    name: str
    run: Callable[[], None]


Stage = Sequence[Part] | Task


class Progress(Protocol):
    """Told what the stack does, for the person who watches."""

    def starting(self, name: str) -> None: ...

    def ready(self, name: str, seconds: float) -> None: ...

    def restarting(self, name: str, pause_seconds: float, reason: str) -> None: ...

    def stopping(self, name: str) -> None: ...


@dataclass(slots=True)
class _Watched:
    """A running part, and how its restarts went."""

    part: Part
    started_at: float
    pause: float = _FIRST_PAUSE_SECONDS
    due_at: float | None = None


class Stopped(Exception):
    """A signal asked the stack to stop while it was starting."""


class Stack:
    """The parts of the local stack, from the first start to the last stop."""

    def __init__(self, stages: Sequence[Stage], progress: Progress) -> None:
        self._stages = stages
        self._progress = progress
        self._watched: list[_Watched] = []
        self._stop_requested = threading.Event()
        self._waiting = False

    def handle_signals(self) -> None:
        """Stop at the first SIGINT, SIGTERM or SIGHUP; kill everything at the second."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def up(self) -> None:
        """Start all stages. Raises SupervisorError, or Stopped, with the parts that run already still running.

        Every part is prepared before the first starts, so a taken port is told at once; those of a killed
        supervisor end in reverse order, as in a clean stop.
        """
        for part in reversed([part for stage in self._stages if not isinstance(stage, Task) for part in stage]):
            part.prepare()
        for stage in self._stages:
            if isinstance(stage, Task):
                self._run_task(stage)
            else:
                self._start_stage(stage)

    def watch(self) -> None:
        """Keep the parts running until a signal asks to stop."""
        while not self._stop_requested.wait(_WATCH_SECONDS):
            for watched in self._watched:
                self._revive(watched)

    def stop(self) -> None:
        """Stop all parts, the last started first."""
        while self._watched:
            part = self._watched[-1].part
            self._progress.stopping(part.name)
            part.stop()
            self._watched.pop()

    def _run_task(self, task: Task) -> None:
        self._refuse_when_stopped()
        self._progress.starting(task.name)
        began = time.monotonic()
        task.run()
        self._progress.ready(task.name, time.monotonic() - began)

    def _start_stage(self, parts: Sequence[Part]) -> None:
        began = time.monotonic()
        for part in parts:
            self._refuse_when_stopped()
            self._progress.starting(part.name)
            self._watched.append(_Watched(part, began))
            part.start()
        for part in parts:
            self._wait_ready(part)
            self._progress.ready(part.name, time.monotonic() - began)

    def _wait_ready(self, part: Part) -> None:
        """Wait for a part; a signal ends the waiting at once."""
        self._waiting = True
        try:
            self._refuse_when_stopped()
            part.wait_ready()
        finally:
            self._waiting = False

    def _revive(self, watched: _Watched) -> None:
        """Start a part that ended, when its pause is over."""
        now = time.monotonic()
        if watched.part.pid is not None:
            if now - watched.started_at > _HEALTHY_SECONDS:
                watched.pause = _FIRST_PAUSE_SECONDS
            return
        if watched.due_at is None:
            self._plan_restart(watched, now, "it ended")
        elif now >= watched.due_at:
            watched.due_at, watched.started_at = None, now
            try:
                watched.part.start()
            except SupervisorError as error:
                self._plan_restart(watched, now, str(error))

    def _plan_restart(self, watched: _Watched, now: float, reason: str) -> None:
        self._progress.restarting(watched.part.name, watched.pause, reason)
        watched.due_at = now + watched.pause
        watched.pause = min(watched.pause * 2, _LONGEST_PAUSE_SECONDS)

    def _refuse_when_stopped(self) -> None:
        if self._stop_requested.is_set():
            raise Stopped

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop_requested.is_set():
            for watched in self._watched:
                with suppress(OSError):
                    watched.part.kill()
        self._stop_requested.set()
        if self._waiting:
            raise Stopped
