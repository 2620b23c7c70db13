"""The program says in one sentence what is wrong, and harms nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.lock import StateLock
from bizzan.supervisor.ports import free_port
from tests.utils.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_help_names_every_command(program: Program) -> None:
    result = program.run("--help")

    assert result.returncode == 0
    for command in (
        "up",
        "down",
        "status",
        "reset",
        "engine",
        "projector",
        "api",
        "indexer",
        "keeper",
        "publisher",
        "surveillance",
        "entry",
    ):
        assert f" {command} " in result.stdout
    for command in ("deploy", "audit", "bench", "faucet", "demo", "market", "rebuild"):
        assert f" {command} " in result.stdout


def test_misspelt_setting_is_named(program: Program) -> None:
    assert "BIZZAN_API__PROT (api.prot in bizzan.toml): is not a setting" in program.refusal(
        "status", BIZZAN_API__PROT="1"
    )


def test_missing_settings_file_is_named(program: Program) -> None:
    assert "--config names a file that does not exist: nowhere.toml" in program.refusal(
        "--config", "nowhere.toml", "status"
    )


def test_status_without_an_api_says_how_to_start_one(program: Program) -> None:
    assert "start the stack with '.venv/bin/bizzan up'" in program.refusal("status")


def test_down_when_nothing_runs_is_no_error(program: Program) -> None:
    result = program.run("down")

    assert result.returncode == 0
    assert "nothing runs" in result.stdout


def test_second_up_is_refused(program: Program) -> None:
    with StateLock(program.state_dir):
        foreground = program.refusal("up")
        detached = program.refusal("up", "--detach")

    assert f"is already running (pid {os.getpid()})" in foreground
    assert f"is already running (pid {os.getpid()})" in detached


def test_reset_while_the_stack_runs_is_refused(program: Program) -> None:
    with StateLock(program.state_dir):
        assert "is already running" in program.refusal("reset", "--yes")

    assert program.state_dir.exists()


def test_reset_of_a_folder_that_up_did_not_make_deletes_nothing(program: Program) -> None:
    program.state_dir.mkdir()
    (program.state_dir / "precious").touch()

    assert "nothing is deleted" in program.refusal("reset", "--yes")
    assert (program.state_dir / "precious").exists()


def test_reset_deletes_the_state(program: Program) -> None:
    with StateLock(program.state_dir):
        (program.state_dir / "journal").mkdir()

    assert program.run("reset", "--yes").returncode == 0
    assert not program.state_dir.exists()


def test_up_with_a_taken_port_names_the_setting_and_starts_nothing(program: Program, anvil: Anvil) -> None:
    refusal = program.refusal("up", BIZZAN_API__PORT=str(anvil.port))

    assert f"port {anvil.port} is taken" in refusal
    assert "BIZZAN_API__PORT" in refusal
    assert not list((program.state_dir / "logs").glob("*.log"))


def test_unknown_benchmark_is_refused(program: Program) -> None:
    assert "unknown benchmark 'nothing'" in program.refusal("bench", "nothing")


def test_deploy_elsewhere_needs_a_key_of_its_own(program: Program, anvil: Anvil) -> None:
    refusal = program.refusal("deploy", BIZZAN_CHAIN__CHAIN_ID="5", RPC_URL=anvil.url)

    assert "BIZZAN_KEYS__OWNER is not set, and chain 5 has no default for it" in refusal


def test_deploy_without_a_chain_says_so(program: Program) -> None:
    assert f"no chain answers at {program.rpc_url}" in program.refusal("deploy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dance"], "No such command 'dance' (see 'bizzan --help')"),
        (["status", "--xml"], "No such option: --xml (see 'bizzan status --help')"),
        (["up", "now"], "unexpected extra argument(s) (now) (see 'bizzan up --help')"),
        (["faucet"], "Missing argument 'address' (see 'bizzan faucet --help')"),
        (["--config"], "Option '--config' requires an argument"),
        (["market", "close", "BTC/USDC"], "No such command 'close' (see 'bizzan market --help')"),
        (["market", "halt"], "Missing argument 'symbol' (see 'bizzan market halt --help')"),
        (["fees", "announce", "1", "--tier", "x:5"], "a tier is maker:taker in basis points"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(program: Program, arguments: list[str], message: str) -> None:
    result = program.run(*arguments)

    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


@pytest.mark.parametrize(
    "service", ["engine", "projector", "api", "entry", "indexer", "keeper", "publisher", "surveillance"]
)
def test_service_without_a_stack_says_what_is_missing(program: Program, service: str) -> None:
    refusal = program.refusal(service)

    assert refusal.count("\n") == 1
    assert "run 'bizzan up'" in refusal or "with 'bizzan up'" in refusal


def test_market_without_a_database_says_so(program: Program) -> None:
    nowhere = f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/nothing"

    assert "the database cannot be used" in program.refusal("market", "halt", "BTC/USDC", DATABASE_URL=nowhere)


def test_delisting_asks_first(program: Program) -> None:
    assert "not confirmed: nothing was done" in program.refusal("market", "delist", "BTC/USDC")


def test_rebuild_without_a_journal_changes_nothing(program: Program) -> None:
    assert "nothing to rebuild from" in program.refusal("rebuild")
    assert not program.state_dir.exists()
