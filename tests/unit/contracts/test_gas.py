"""What settlement and custody cost does not creep up."""

import json
from pathlib import Path

import pytest

from benchmarks import settlement

SNAPSHOT = Path(__file__).with_name("gas_snapshot.json")
TOLERANCE = 100  # one part in so many


@pytest.fixture(scope="module")
def figures() -> dict[str, int]:
    """Today's figures."""
    return settlement.run()


def test_no_figure_grows_by_more_than_one_percent(figures: dict[str, int]) -> None:
    snapshot = json.loads(SNAPSHOT.read_text())
    trades = snapshot.pop("max_trades_per_batch")
    grown = {name: (gas, figures[name]) for name, gas in snapshot.items() if figures[name] > gas + gas // TOLERANCE}
    renew = f"if it is meant: python -m benchmarks.settlement --json > tests/unit/contracts/{SNAPSHOT.name}"
    assert not grown, f"gas before and now: {grown}; {renew}"
    assert figures["max_trades_per_batch"] >= trades - trades // TOLERANCE, renew


def test_snapshot_names_every_figure(figures: dict[str, int]) -> None:
    assert json.loads(SNAPSHOT.read_text()).keys() == figures.keys()
