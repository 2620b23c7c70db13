"""`bizzan up` brings everything up, keeps it up, and goes on where it stopped, however it stopped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bizzan.supervisor.lock import holder
from bizzan.supervisor.process import started_at
from tests.utils.local_stack import open_folder
from tests.utils.program import Program
from tests.utils.waiting import wait_for

SERVICES = (
    "anvil",
    "postgres",
    "engine",
    "projector",
    "indexer",
    "api",
    "entry",
    "keeper",
    "publisher",
    "surveillance",
)
START_SECONDS = 300


@pytest.fixture(scope="module")
def running() -> Iterator[Program]:
    """A stack without demo traffic, in the background."""
    with open_folder() as folder:
        program = Program(folder)
        program.succeed("up", "--detach", "--no-demo")
        yield program
        program.succeed("down")
        program.succeed("reset", "--yes")


def custody(program: Program) -> str:
    return (program.state_dir / "deployments" / "31337.json").read_text()


def test_every_service_runs_and_the_mirror_follows(running: Program) -> None:
    missing = {s: (running.state_dir / "logs" / f"{s}.log").read_text() for s in SERVICES if not running.pid(s)}
    assert not missing
    wait_for(lambda: running.answer().get("indexed_block"), "an indexed block", START_SECONDS)

    assert running.status()["mismatches"] == 0
    wait_for(lambda: running.answer().get("journal_seq"), "a projected record", START_SECONDS)
    assert json.loads(running.succeed("status", "--json")).keys() == running.status().keys()
    assert "journal seq" in running.succeed("status")


def test_second_up_is_refused_while_the_first_runs(running: Program) -> None:
    assert "is already running" in running.refusal("up")


@pytest.mark.parametrize("service", SERVICES)
def test_killed_service_is_started_again(running: Program, service: str) -> None:
    first = wait_for(lambda: running.pid(service), f"a running {service}", START_SECONDS)

    os.kill(first, signal.SIGKILL)

    wait_for(lambda: running.pid(service) not in (None, first), f"another {service}", START_SECONDS)
    wait_for(running.answer, "the API", START_SECONDS)


def test_stack_goes_on_after_a_kill_of_the_supervisor(running: Program) -> None:
    deployed, before = custody(running), running.status()
    children = {pid: started_at(pid) for pid in map(running.pid, SERVICES) if pid is not None}
    supervisor = holder(running.state_dir)
    assert supervisor is not None

    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: all(started_at(pid) != start for pid, start in children.items()), "the end of all", START_SECONDS)
    running.succeed("up", "--detach", "--no-demo")

    assert custody(running) == deployed
    assert running.status()["engine_seq"] >= before["engine_seq"]


def test_clean_stop_leaves_nothing_running_and_keeps_the_state(running: Program) -> None:
    children = {pid: started_at(pid) for pid in map(running.pid, SERVICES) if pid is not None}
    deployed, before = custody(running), running.status()

    assert "stopped" in running.succeed("down")
    assert all(started_at(pid) != start for pid, start in children.items())
    assert not list(Path(running.state_dir, "run").glob("*.pid"))
    running.succeed("up", "--detach", "--no-demo")

    assert custody(running) == deployed
    assert running.status()["block"] >= before["block"]
    assert running.status()["engine_seq"] == before["engine_seq"]
