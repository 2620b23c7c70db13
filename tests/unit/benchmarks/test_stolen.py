"""What share of a machine's time its host gave to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import stolen
from benchmarks.stolen import Clock, clock


def test_share_is_of_all_time_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stolen, "STAT", tmp_path / "stat")
    assert clock() == Clock()
    stolen.STAT.write_text("cpu  10 0 10 60 0 0 0 20 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    before = clock()
    assert before == Clock(20, 100), "what guests used is in the users' time already"
    stolen.STAT.write_text("cpu  60 0 30 80 0 0 0 30 9 0\n")
    assert clock().share_since(before) == 0.1
    assert before.share_since(before) == 0.0


def test_a_system_that_does_not_tell_steals_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stolen, "STAT", tmp_path / "stat")
    stolen.STAT.write_text("cpu  10 0 10 60\n")
    assert clock() == Clock()
