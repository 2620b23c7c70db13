"""Brownie and Ape, each in its own environment, on a deployment: their tests pass, and the sessions of docs/consoles.md
run in their consoles."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bizzan.contracts import ROOT
from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from exchange.settings import Settings
from tests.utils.documents import blocks, tool_folder

pytestmark = pytest.mark.deep

SETTINGS = Settings()
SESSIONS = blocks("consoles.md", language="python")
FAILURES = ("Error", "Traceback", "Exception")
NETWORK = ("--network", "ethereum:local:foundry")


@pytest.fixture(scope="module")
def environment(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A deployment on the module's node, and a home folder for what the tools keep."""
    folder = tmp_path_factory.mktemp("consoles")
    deployment = deploy(anvil.url, SETTINGS.key("owner"), config=default_config(SETTINGS))
    (folder / "deployment.json").write_text(json.dumps(deployment.to_json()))
    return {
        "HOME": str(folder),
        "BIZZAN_DEPLOYMENT": str(folder / "deployment.json"),
        "APE_FOUNDRY_HOST": anvil.url,
        "PATH": f"{tool_folder('anvil')}:{os.environ['PATH']}",
        "TERM": "dumb",
    }


def run(tool: str, environment: dict[str, str], *arguments: str, session: str = "") -> str:
    """Run a tool of an environment of its own with something to read; what it prints, once it has succeeded."""
    program = ROOT / "build" / "venvs" / tool / "bin" / tool
    assert program.is_file(), f"{program} is missing: run 'make {tool}'"
    done = subprocess.run(
        [str(program), *arguments],
        input=session,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment | {"PATH": f"{program.parent}:{environment['PATH']}"},
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def check_session(printed: str) -> None:
    """The last line of the session was reached, nothing failed before it, and nothing is left behind."""
    assert "left: 0 owed: 0" in printed
    assert not [word for word in FAILURES if word in printed], printed


@pytest.fixture(scope="module")
def brownie(anvil: Anvil, environment: dict[str, str]) -> dict[str, str]:
    """Brownie's network is this node, and its folders are there, without a Vyper file."""
    for name in ("contracts", "scripts"):
        Path(ROOT, "build", f"brownie-{name}").mkdir(parents=True, exist_ok=True)
    run("brownie", environment, "networks", "modify", "anvil", f"port={anvil.port}")
    return environment


def test_the_sessions_are_run_here() -> None:
    assert list(SESSIONS) == ["brownie", "ape"]


def test_brownie_tests_pass(brownie: dict[str, str]) -> None:
    options = ("-c", "tests/brownie/pytest.ini", "--confcutdir", "tests/brownie")
    assert "3 passed" in run("brownie", brownie, "test", "--network", "anvil", *options)


def test_the_session_runs_in_brownies_console(brownie: dict[str, str]) -> None:
    printed = run("brownie", brownie, "console", "--network", "anvil", session=SESSIONS["brownie"])
    check_session(printed)


def test_ape_tests_pass(environment: dict[str, str]) -> None:
    options = ("-c", "tests/ape/pytest.ini", "--confcutdir", "tests/ape")
    assert "5 passed" in run("ape", environment, "test", "tests/ape", *NETWORK, *options)


def test_the_session_runs_in_apes_console(environment: dict[str, str]) -> None:
    check_session(run("ape", environment, "console", *NETWORK, session=SESSIONS["ape"] + "exit()\n"))
