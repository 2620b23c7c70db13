"""The stack starts in stages, brings back what ends, and stops in reverse."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bizzan.supervisor.errors import AlreadyRunning, StartError
from bizzan.supervisor.lock import StateLock, holder
from bizzan.supervisor.process import Process
from bizzan.supervisor.stack import Stack, Stopped, Task
from tests.utils.waiting import wait_for


class Sleeper:
    """A real process that does nothing."""

    def __init__(self, folder: Path, name: str, program: str = "import time; time.sleep(600)") -> None:
        self.name = name
        self._process = Process(name, [sys.executable, "-c", program], log_file=folder / f"{name}.log")

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def prepare(self) -> None:
        self._process.end_leftover()

    def start(self) -> None:
        self._process.start()

    def wait_ready(self, timeout_seconds: float = 180) -> None:
        self._process.wait_until(lambda: "never" not in self.name, timeout_seconds)

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        self._process.kill()


class Recorder:
    """Keeps what the stack said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def starting(self, name: str) -> None:
        self.said.append(f"starting {name}")

    def ready(self, name: str, _seconds: float) -> None:
        self.said.append(f"ready {name}")

    def restarting(self, name: str, pause_seconds: float, _reason: str) -> None:
        self.said.append(f"restarting {name} in {pause_seconds:g}")

    def stopping(self, name: str) -> None:
        self.said.append(f"stopping {name}")


@pytest.fixture
def restore_signals() -> object:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def in_background(action: Callable[[], object]) -> None:
    threading.Thread(target=action, daemon=True).start()


def test_stages_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    recorder = Recorder()
    done: list[str] = []
    parts = [Sleeper(tmp_path, name) for name in ("a", "b", "c")]
    stack = Stack([parts[:2], Task("task", lambda: done.append("task")), parts[2:]], recorder)

    stack.up()
    assert all(part.pid is not None for part in parts)
    stack.stop()

    assert all(part.pid is None for part in parts)
    assert done == ["task"]
    assert recorder.said == [
        *("starting a", "starting b", "ready a", "ready b", "starting task", "ready task", "starting c", "ready c"),
        *("stopping c", "stopping b", "stopping a"),
    ]


def test_killed_part_is_started_again(tmp_path: Path, restore_signals: object) -> None:
    part, recorder = Sleeper(tmp_path, "a"), Recorder()
    stack = Stack([[part]], recorder)
    stack.handle_signals()
    stack.up()
    first = part.pid
    assert first is not None

    def kill_then_stop() -> None:
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: part.pid not in (None, first), "the restart")
        os.kill(os.getpid(), signal.SIGTERM)

    in_background(kill_then_stop)
    stack.watch()
    stack.stop()

    assert "restarting a in 0.5" in recorder.said


def test_pause_doubles_while_a_part_keeps_ending(tmp_path: Path, restore_signals: object) -> None:
    started = tmp_path / "started"
    ends = f"import time, pathlib\nwhile not pathlib.Path({str(started)!r}).exists(): time.sleep(0.02)"
    part, recorder = Sleeper(tmp_path, "a", ends), Recorder()
    stack = Stack([[part]], recorder)
    stack.handle_signals()
    stack.up()
    started.touch()  # one that ends while the stack starts is another matter

    def stop_after_three() -> None:
        wait_for(lambda: "restarting a in 2" in recorder.said, "the third restart")
        os.kill(os.getpid(), signal.SIGTERM)

    in_background(stop_after_three)
    stack.watch()
    stack.stop()

    assert [line for line in recorder.said if "restarting" in line] == [
        "restarting a in 0.5",
        "restarting a in 1",
        "restarting a in 2",
    ]


def test_signal_while_starting_ends_the_wait(tmp_path: Path, restore_signals: object) -> None:
    part = Sleeper(tmp_path, "never")
    stack = Stack([[part]], Recorder())
    stack.handle_signals()

    def interrupt() -> None:
        wait_for(lambda: part.pid, "the start")
        os.kill(os.getpid(), signal.SIGINT)

    in_background(interrupt)
    with pytest.raises(Stopped):
        stack.up()
    stack.stop()

    assert part.pid is None


def test_part_that_cannot_start_ends_the_start_and_the_others_are_stopped(tmp_path: Path) -> None:
    good, bad = Sleeper(tmp_path, "good"), Sleeper(tmp_path, "never", "raise SystemExit('broken')")
    stack = Stack([[good], [bad]], Recorder())

    with pytest.raises(StartError, match="never ended while starting"):
        stack.up()
    stack.stop()

    assert good.pid is None


def test_second_holder_of_a_state_folder_is_refused(tmp_path: Path) -> None:
    with StateLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with (
            pytest.raises(AlreadyRunning, match=f"already running .pid {os.getpid()}.*bizzan down"),
            StateLock(tmp_path),
        ):
            pass

    assert holder(tmp_path) is None
