"""`bizzan bench` knows the benchmark of the engine, and ends with its figures."""

import json
from functools import partial
from typing import Any

import pytest

from benchmarks.engine import peers, suite
from bizzan.cli import tools
from bizzan.supervisor.errors import SupervisorError


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "measure", partial(suite.measure, steps=200, runs=1, commands=200))
    monkeypatch.setattr(peers, "PEERS", peers.PEERS[:1])


def test_engine_is_one_of_the_benchmarks() -> None:
    with pytest.raises(SupervisorError, match=r"choose all or one of .*engine"):
        tools.bench("nothing")


def test_choices_are_of_one_benchmark() -> None:
    with pytest.raises(SupervisorError, match="intake' only"):
        tools.bench("orders", running=True)
    with pytest.raises(SupervisorError, match="orders' only"):
        tools.bench("engine", followed=True)


@pytest.mark.usefixtures("_tiny")
def test_last_line_is_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    tools.bench("engine", as_json=True)
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(figures) == [*suite.CONTESTANTS, "fast_with_risk_longer", "peers", "times_best_peer", "equal"]
    longer = figures["fast_with_risk_longer"]
    assert set(longer["streams"]) == {"mixed", "crash", "million", "cancels"}
    assert longer["best"] >= longer["worst"] > 0
    assert list(figures["peers"]) == ["akhil4n-orderbook 0.1.1"]
    assert figures["equal"] is True


@pytest.mark.usefixtures("_tiny")
def test_other_trades_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "play_apart", lambda contestant, streams: {name: (1.0, []) for name in streams})
    with pytest.raises(SystemExit, match="different trades"):
        tools.bench("engine", as_json=True)
