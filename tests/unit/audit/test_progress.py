"""A long audit tells how far it is; a short one says nothing."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pytest

from bizzan.audit import progress as module
from bizzan.audit.progress import EVERY_SECONDS, Progress


def clock(*times: float) -> Iterator[float]:
    yield from times


def test_a_short_audit_says_nothing() -> None:
    said, times = io.StringIO(), clock(0, 1, EVERY_SECONDS - 0.1, EVERY_SECONDS)
    progress = Progress(said, lambda: next(times))
    progress(1, 3)
    progress(2, 3)
    progress.end(3)
    assert said.getvalue() == ""


def test_a_long_one_tells_rate_and_what_is_left() -> None:
    said, times = io.StringIO(), clock(100, 101, 105, 106, 110, 120)
    progress = Progress(said, lambda: next(times))
    for seq in (1_000, 5_000, 6_000, 10_000):
        progress(seq, 20_000)
    progress.end(20_000)
    first, second, end = said.getvalue().splitlines()
    assert first == "replayed 5,000 of 20,000 records, 1,000 a second, about 15 s left"
    assert second == "replayed 10,000 of 20,000 records, 1,000 a second, about 10 s left"
    assert end.startswith("replayed 20,000 records in 20 s, 1,000 a second, with ")


def test_what_nobody_can_count_is_told_as_long_as_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    progress = Progress(said)
    with progress.during("asking"):
        pass
    assert said.getvalue() == "", "it was over before the first line"
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    with progress.during("reading the chain"):
        while said.getvalue().count("\n") < 3:
            time.sleep(0.001)
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("reading the chain: 0 s so far")
    time.sleep(0.05)
    assert said.getvalue().splitlines() == lines, "nothing is told when it is over"


def test_counting_begins_anew() -> None:
    said, times = io.StringIO(), clock(0, 100, 106, 107)
    progress = Progress(said, lambda: next(times))
    progress.begin()
    progress(600, 1_200)
    progress.end(700)
    assert said.getvalue().startswith("replayed 600 of 1,200 records, 100 a second, about 6 s left\n")
    assert "replayed 700 records in 7 s" in said.getvalue()


def test_lines_go_where_standard_error_goes_now(capsys: pytest.CaptureFixture[str]) -> None:
    """Which a live console replaces, and a command that is asked for JSON keeps apart from its answer."""
    times = clock(0, 6, 7)
    progress = Progress(clock=lambda: next(times))
    progress(60, 120)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "replayed 60 of 120 records, 10 a second, about 6 s left\n")
