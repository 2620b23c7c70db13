"""From an empty wallet to money back in it, beside demo traffic, through nothing but what users have."""

from __future__ import annotations

from pathlib import Path

from tests.utils.program import Program
from tests.utils.waiting import wait_for

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "trade.py"
STEPS = ("faucet", "deposit", "credited", "order", "fill", "settled", "final", "withdrawal", "wallet")
SETTLED_SECONDS = 120


def test_demo_trades_settle_on_chain(program: Program) -> None:
    wait_for(lambda: program.status()["trades_settled"] > 0, "a settled trade", SETTLED_SECONDS)

    assert program.status()["mismatches"] == 0


def test_example_runs_to_its_end_and_again(program: Program) -> None:
    for _ in range(2):
        result = program.run_file(EXAMPLE)

        assert result.returncode == 0, result.stdout + result.stderr
        assert all(step in result.stdout for step in STEPS), result.stdout


def test_audit_is_clean_under_traffic(program: Program) -> None:
    program.succeed("audit")
