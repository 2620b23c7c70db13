"""A long replay says how far it is, and is not done twice."""

import itertools
from pathlib import Path
from typing import Any

import structlog

from exchange.engine.engine import Engine
from exchange.journal.recovery import recover
from exchange.journal.snapshot import list_snapshots, snapshot_seq
from exchange.sequencer.replaying import KEEP_SECONDS, SNAPSHOT_AFTER_SECONDS, TELL_SECONDS, Replaying
from tests.unit.exchange.journal.test_recovery import COMMANDS, _write


def _replay(folder: Path, seconds: float) -> tuple[list[Any], Any]:
    """Recover while each look at the clock takes so many seconds; what was logged."""
    ticks = itertools.count()
    with structlog.testing.capture_logs() as logs:
        replaying = Replaying(folder, structlog.get_logger(), lambda: next(ticks) * seconds)
        recovered = replaying.recover(None, Engine)
        replaying.keep_if_long(recovered)
    return logs, recovered


def test_a_quick_replay_says_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    _write(tmp_path, COMMANDS)
    logs, recovered = _replay(tmp_path, SNAPSHOT_AFTER_SECONDS / (len(COMMANDS) + 2))
    assert (logs, list_snapshots(tmp_path), recovered.replayed) == ([], [], len(COMMANDS))


def test_a_long_replay_says_how_far_it_is_and_keeps_what_it_reached(tmp_path: Path) -> None:
    _write(tmp_path, COMMANDS)
    per_record = KEEP_SECONDS / 20
    logs, recovered = _replay(tmp_path, per_record)
    told = [entry["seq"] for entry in logs if entry["event"] == "replaying"]
    assert told == sorted(told)
    assert len(told) >= len(COMMANDS) * per_record / TELL_SECONDS / 2
    assert {entry["last_seq"] for entry in logs} == {len(COMMANDS)}
    kept = sorted(snapshot_seq(path) for path in list_snapshots(tmp_path))
    assert kept[-1] == len(COMMANDS) == recovered.snapshot_seq
    assert 0 < kept[0] < len(COMMANDS)
    again = recover(tmp_path)
    assert (again.replayed, again.engine.state_hash()) == (0, recovered.engine.state_hash())


def test_a_disk_without_room_for_a_snapshot_is_no_harm(tmp_path: Path, monkeypatch: Any) -> None:
    def full(*_: object) -> Path:
        raise OSError("no room")

    _write(tmp_path, COMMANDS)
    monkeypatch.setattr("exchange.sequencer.replaying.take_snapshot", full)
    logs, recovered = _replay(tmp_path, KEEP_SECONDS / 20)
    assert recovered.seq == len(COMMANDS)
    assert "no snapshot taken" in {entry["event"] for entry in logs}
