"""A long audit tells how far it is; a short one says nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator

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
