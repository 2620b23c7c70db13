"""A child process is logged, stopped, and never outlives its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bizzan.supervisor.errors import StartError
from bizzan.supervisor.process import Process, started_at
from tests.utils.waiting import wait_for

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def make(tmp_path: Path, command: list[str], name: str = "child") -> Process:
    return Process(name, command, log_file=tmp_path / f"{name}.log", pid_file=tmp_path / f"{name}.pid")


def is_up(process: Process) -> bool:
    return process.log_file.exists() and "up" in process.log_file.read_text()


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    process = make(tmp_path, SLEEP)
    process.start()
    process.wait_until(lambda: is_up(process), 60)
    process.stop()

    assert process.log_file.read_text() == "up\n"
    assert process.exit_code == -signal.SIGTERM
    assert not (tmp_path / "child.pid").exists()


def test_child_that_ignores_the_stop_is_killed(tmp_path: Path) -> None:
    process = make(tmp_path, STUBBORN)
    process.start()
    process.wait_until(lambda: is_up(process), 60)

    process.stop(timeout_seconds=0.1)

    assert process.exit_code == -signal.SIGKILL


def test_child_that_ends_while_starting_is_told_with_its_log(tmp_path: Path) -> None:
    process = make(tmp_path, [sys.executable, "-c", "raise SystemExit('no such market')"])
    process.start()

    with pytest.raises(StartError, match=r"child ended while starting \(exit code 1\)\n  no such market"):
        process.wait_until(lambda: False, 60)


def test_child_that_is_never_ready_is_told(tmp_path: Path) -> None:
    process = make(tmp_path, SLEEP)
    process.start()

    with pytest.raises(StartError, match=r"child was not ready after 0\.1 s"):
        process.wait_until(lambda: False, 0.1)
    process.kill()


def test_child_that_gets_on_has_the_time_that_it_needs(tmp_path: Path) -> None:
    process = make(tmp_path, SLEEP)
    process.start()
    looks: list[int] = []

    def far(limit: int) -> int:
        looks.append(1)
        return min(len(looks), limit)

    process.wait_until(lambda: len(looks) >= 5, 0.1, lambda: far(100))
    looks.clear()
    with pytest.raises(StartError, match=r"child was not ready after 0\.1 s"):
        process.wait_until(lambda: False, 0.1, lambda: far(3))
    process.kill()


def test_program_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="child cannot start: .*No such file"):
        make(tmp_path, ["/nonexistent"]).start()


def test_child_that_yields_goes_after_others_once_it_is_ready(tmp_path: Path) -> None:
    process = Process("child", SLEEP, log_file=tmp_path / "child.log", niceness=5)

    def niceness() -> int:
        assert process.pid is not None
        return os.getpriority(os.PRIO_PROCESS, process.pid)

    process.start()
    starting = niceness()
    process.wait_until(lambda: True, 10)
    ready = niceness()
    process.stop()
    process.start()
    again = niceness()
    process.stop()

    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert (starting, ready, again) == (mine, min(mine + 5, 19), min(mine + 5, 19))


def test_child_ends_with_a_killed_supervisor(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from bizzan.supervisor.process import Process\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"Process('child', {SLEEP!r}, log_file=folder / 'log', pid_file=folder / 'pid').start()\n"
        "time.sleep(600)\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", script])
    text = wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the child")
    pid, started = str(text).split(maxsplit=1)
    assert started_at(int(pid)) == started.strip()

    supervisor.kill()
    supervisor.wait()

    wait_for(lambda: started_at(int(pid)) != started.strip(), "the end of the child")


def test_next_start_ends_what_the_pid_file_names(tmp_path: Path) -> None:
    first = make(tmp_path, STUBBORN)
    first.start()
    first.wait_until(lambda: is_up(first), 60)
    second = make(tmp_path, SLEEP)

    second.end_leftover(timeout_seconds=0.1)

    assert first.pid is None
    assert first.exit_code == -signal.SIGKILL


def test_number_that_belongs_to_another_process_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "child.pid").write_text(f"{os.getpid()} 1\n")

    make(tmp_path, SLEEP).end_leftover()

    assert not (tmp_path / "child.pid").exists()


def test_start_ends_what_a_child_that_died_left_behind(tmp_path: Path) -> None:
    forker = f"import subprocess, os; subprocess.Popen({SLEEP!r}); os._exit(3)"
    process = make(tmp_path, [sys.executable, "-c", forker])
    process.start()
    wait_for(lambda: is_up(process) and process.pid is None, "the orphan")
    group = int((tmp_path / "child.pid").read_text().split()[0])
    os.killpg(group, 0)

    make(tmp_path, SLEEP).end_leftover()

    wait_for(lambda: not group_exists(group), "the end of the orphan")


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
