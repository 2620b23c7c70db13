"""Announcements are read once for all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from backend.announcements import service
from backend.announcements.service import Announced


class Board:
    """A database of announcements, and two clocks."""

    def __init__(self, *rows: Any) -> None:
        self.rows = rows
        self.reads = 0
        self.now_ms = 1_000
        self.seconds = 0.0

    async def load(self) -> Sequence[Any]:
        self.reads += 1
        await asyncio.sleep(0)
        if not self.rows:
            raise ConnectionError
        return self.rows


def row(number: int, from_ms: int, until_ms: int) -> Any:
    values = {"announcement_id": number, "severity": "info", "texts": {"en": "x"}}
    values |= {"from_ms": from_ms, "until_ms": until_ms}
    return SimpleNamespace(_mapping=values, from_ms=from_ms, until_ms=until_ms)


def announced(board: Board, monkeypatch: pytest.MonkeyPatch) -> Announced:
    monkeypatch.setattr(service, "monotonic", lambda: board.seconds)
    return Announced(board.load, lambda: board.now_ms)


async def shown(announced: Announced) -> list[int]:
    return [one.announcement_id for one in (await announced.shown()).announcements]


async def test_the_database_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(row(2, 1_500, 3_000), row(1, 0, 2_000))
    kept = announced(board, monkeypatch)
    assert await asyncio.gather(*(shown(kept) for _ in range(50))) == [[1]] * 50
    board.now_ms = 1_500
    assert await shown(kept) == [2, 1]
    board.now_ms = 2_000
    assert await shown(kept) == [2]
    assert board.reads == 1
    board.seconds = 1.0
    await shown(kept)
    assert board.reads == 2


async def test_what_was_just_announced_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(row(1, 0, 2_000))
    kept = announced(board, monkeypatch)
    assert await shown(kept) == [1]
    board.rows = (row(2, 0, 2_000), row(1, 0, 2_000))
    assert await shown(kept) == [1]
    kept.forget()
    assert await shown(kept) == [2, 1]


async def test_who_asks_while_the_database_is_away_waits_for_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    kept = announced(board, monkeypatch)
    answers = await asyncio.gather(*(shown(kept) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError] * 5
    assert board.reads == 1
