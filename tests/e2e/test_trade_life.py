"""From an empty wallet to money back in it, beside demo traffic, through nothing but what users have."""

from __future__ import annotations

import json
from pathlib import Path

from tests.utils.program import Program
from tests.utils.waiting import wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STEPS = ("faucet", "deposit", "credited", "order", "fill", "settled", "final", "withdrawal", "wallet")
SETTLED_SECONDS = 120
CASE_SECONDS = 240


def test_demo_trades_settle_on_chain(program: Program) -> None:
    wait_for(lambda: program.status()["trades_settled"] > 0, "a settled trade", SETTLED_SECONDS)

    assert program.status()["mismatches"] == 0


def test_example_runs_to_its_end_and_again(program: Program) -> None:
    for _ in range(2):
        result = program.run_file(EXAMPLES / "trade.py")

        assert result.returncode == 0, result.stdout + result.stderr
        assert all(step in result.stdout for step in STEPS), result.stdout


def test_frames_of_orders_settle(program: Program) -> None:
    result = program.run_file(EXAMPLES / "frames.py")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "settled: 20 lots" in result.stdout


def test_an_operator_sees_who_trades_with_itself(program: Program) -> None:
    """One of the demo's traders does, and surveillance finds it."""

    def cases() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(program.succeed("cases", "--json").splitlines()[-1])
        return [case for case in found if case["pattern"] == "self_trades"]

    wait_for(cases, "a case", CASE_SECONDS)
    assert "met its own and were stopped" in program.succeed("cases")


def test_audit_is_clean_under_traffic(program: Program) -> None:
    program.succeed("audit")
