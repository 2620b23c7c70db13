"""Commands of the local stack: up, down, status, rebuild, reset."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from bizzan.cli.console import StackProgress, console, print_summary
from bizzan.cli.status import print_status, read_status
from bizzan.supervisor.errors import AlreadyRunning, StartError, SupervisorError
from bizzan.supervisor.lock import StateLock, holder
from bizzan.supervisor.process import Process
from exchange.settings import Settings, load_settings

_READY_NAME = "ready"
_DETACHED_START_SECONDS = 300
_STOP_SECONDS = 120
_POLL_SECONDS = 0.1

Demo = Annotated[bool | None, typer.Option("--demo/--no-demo", help="Wallets that trade; as the settings say.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, status, rebuild, reset):
        app.command()(command)


def up(
    demo: Demo = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything runs.")] = False,
) -> None:
    """Start the whole exchange on this machine, from where it last stopped, until Ctrl-C."""
    settings = load_settings()
    with_demo = settings.local.demo if demo is None else demo
    if detach:
        _start_detached(settings, with_demo)
    else:
        _run_in_foreground(settings, with_demo)


def down() -> None:
    """Stop the exchange that `up` started."""
    settings = load_settings()
    pid = holder(settings.state_dir)
    if pid is None:
        console.print(f"nothing runs in {settings.state_dir}")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while holder(settings.state_dir) == pid:
        if time.monotonic() > deadline:
            raise SupervisorError(f"pid {pid} did not stop in {_STOP_SECONDS} s; see {settings.log_dir}")
        time.sleep(_POLL_SECONDS)
    console.print("stopped")


def status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Show block, indexed block, lag, batches, settled trades and mismatches."""
    settings = load_settings()
    values = read_status(settings)
    if as_json:
        print(json.dumps(values))  # noqa: T201 - plain, without wrapping, for programs
    else:
        print_status(values)


def rebuild() -> None:
    """Make the database anew from the journal, on a stopped stack; the next 'up' reads the chain again."""
    from bizzan.supervisor.rebuild import rebuild as rebuild_database

    settings = load_settings()
    with console.status("replaying the journal"):
        seq = rebuild_database(settings)
    console.print(f"the database is new, up to journal sequence {seq}; 'bizzan up' reads the chain again")


def reset(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete all local state: chain, database, journal, logs."""
    from bizzan.supervisor.local import remove_state

    settings = load_settings()
    if not settings.state_dir.exists():
        console.print(f"nothing to delete: {settings.state_dir} does not exist")
        return
    with StateLock(settings.state_dir, mark=False):
        if not yes:
            typer.confirm(f"Delete {settings.state_dir} with its chain, database and journal?", abort=True)
        remove_state(settings)
    console.print(f"deleted {settings.state_dir}")


def _run_in_foreground(settings: Settings, demo: bool) -> None:
    from bizzan.supervisor.local import build_stages
    from bizzan.supervisor.stack import Stack, Stopped

    progress = StackProgress()
    stack = Stack(build_stages(settings, demo), progress)
    stack.handle_signals()
    ready_file = _ready_file(settings)
    with StateLock(settings.state_dir):
        try:
            stack.up()
            progress.close()
            ready_file.parent.mkdir(exist_ok=True)
            ready_file.write_text(f"{os.getpid()}\n")
            print_summary(settings, _custody(settings), demo)
            console.print("Ctrl-C stops everything; nothing is lost.", style="dim")
            stack.watch()
        except Stopped:
            pass
        finally:
            progress.close()
            ready_file.unlink(missing_ok=True)
            stack.stop()


def _start_detached(settings: Settings, demo: bool) -> None:
    """Start `bizzan up` in a session of its own and wait until everything runs."""
    if (pid := holder(settings.state_dir)) is not None:
        raise AlreadyRunning(f"the stack of {settings.state_dir} is already running (pid {pid})")
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    _ready_file(settings).unlink(missing_ok=True)  # a killed supervisor leaves it
    log_file = settings.log_dir / "up.log"
    command = [sys.executable, "-m", "bizzan.cli", "up", "--demo" if demo else "--no-demo"]
    with log_file.open("wb") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + _DETACHED_START_SECONDS
    with console.status("starting"):
        while not _ready_file(settings).exists():
            if child.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"the stack did not start\n{Process('up', command, log_file=log_file).log_tail(30)}")
            time.sleep(_POLL_SECONDS)
    print_summary(settings, _custody(settings), demo)
    console.print("[bold]bizzan down[/] stops everything; nothing is lost.")


def _ready_file(settings: Settings) -> Path:
    """The file that stands while the stack runs and was completely started."""
    return settings.state_dir / "run" / _READY_NAME


def _custody(settings: Settings) -> str | None:
    """The address of the contract, for the summary."""
    try:
        return str(json.loads(settings.deployment_file.read_text())["custody"])
    except (OSError, ValueError, KeyError):
        return None
