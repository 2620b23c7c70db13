"""Every benchmark of the matching engine runs, in its smallest form, and what it compares is equal."""

import subprocess
import sys

import pytest

from benchmarks.engine import books, fast, peers, reference, steps, streams, suite


def test_reference_applies_its_stream() -> None:
    commands = reference.stream(400)
    seconds, trades = reference.run(commands)
    assert len(commands) > 300
    assert trades > 50
    assert seconds > 0


@pytest.mark.parametrize("name", streams.STREAMS)
def test_fast_engine_and_reference_apply_every_stream(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "RUNS", 1)
    monkeypatch.setattr(fast, "BATCHES", (64,))
    stream = streams.accepted(streams.STREAMS[name](400))
    figures = fast.measure(stream, with_reference=True)
    assert figures["commands"] > 300
    assert figures["trades"] > 10
    assert min(figures.values()) > 0


@pytest.mark.parametrize("name", streams.STREAMS)
def test_engine_that_has_lived_accepts_the_stream_again(name: str) -> None:
    packed = fast.Packed(streams.accepted(streams.STREAMS[name](400)))
    engine = packed.engine()
    lived = engine.state.last_trade
    outcomes = engine.run_brief(streams.START_MS, packed.commands).cast("i")
    assert not any(outcomes[::4])
    assert lived == engine.state.last_trade - lived > 10


@pytest.mark.parametrize("name", steps.STREAMS)
def test_steps_are_seeded_and_none_is_idle(name: str) -> None:
    played = books.without_idle(steps.STREAMS[name](400))
    assert played == books.without_idle(steps.STREAMS[name](400))
    assert books.without_idle(played) == played
    assert {side for side, _, _ in played} == {0, 1, steps.CANCEL}


def test_peers_make_the_same_trades_as_the_reference_s_book() -> None:
    figures = peers.compare(books.without_idle(steps.mixed(400)), runs=1)
    assert figures["equal"]
    assert figures["peers"].keys() == {peer.name for peer in peers.PEERS}
    assert min(figures["times"].values()) > 0


def test_peers_are_those_of_the_lock() -> None:
    locked = peers.LOCK.read_text()
    assert all(f"{peer.package}=={peer.version} " in locked for peer in peers.PEERS)


def test_suite_makes_equal_trades_and_tells_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    figures = suite.measure(quiet=False, steps=300, runs=1, commands=2_000)
    assert list(figures) == [*suite.CONTESTANTS, "fast_with_risk_longer", "peers", "times_best_peer", "equal"]
    assert figures["times_best_peer"].keys() == steps.STREAMS.keys()
    assert all(times["fast"] > 1 for times in figures["times_best_peer"].values())
    assert figures["equal"] is True
    assert figures["peers"].keys() == {peer.name for peer in peers.PEERS}
    assert min(figures[name] for name in suite.CONTESTANTS) > 0
    told = capsys.readouterr().out
    assert all(name in told for name in (*suite.CONTESTANTS, *steps.STREAMS, *figures["peers"]))


UNCOMPILED = """
import sys
sys.modules["exchange.engine.fast.core"] = None  # what an import finds where nothing was compiled
from benchmarks.engine import peers, suite
peers.PEERS = ()
print(*suite.measure(quiet=True, steps=300, runs=1))
"""


def test_suite_where_nothing_was_compiled_says_so_and_runs_the_rest() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNCOMPILED], capture_output=True, text=True, check=False, cwd=peers.ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["reference", "reference_with_risk", "peers", "times_best_peer", "equal"]
    assert suite.NOT_COMPILED in done.stderr


def test_suite_notices_other_trades(monkeypatch: pytest.MonkeyPatch) -> None:
    def short_of_one(contestant: str, streams: dict[str, list[steps.Step]]) -> dict[str, suite.Played]:
        missing = contestant == "fast"
        return {name: (1.0, books.play_reference(stream)[1][missing:]) for name, stream in streams.items()}

    monkeypatch.setattr(peers, "PEERS", ())
    monkeypatch.setattr(suite, "play_apart", short_of_one)
    assert suite.measure(quiet=True, steps=300, runs=1, commands=2_000)["equal"] is False
