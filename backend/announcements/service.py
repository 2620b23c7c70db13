"""Announcements that are shown now, from their rows."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from sqlalchemy import Row

from backend.announcements import schemas

MOST_SHOWN = 10
PERIOD_SECONDS = 1.0

Load = Callable[[], Awaitable[Sequence[Row[Any]]]]


class Announced:
    """What is announced, now or for later, latest first: `load` reads it once a second for all who ask."""

    def __init__(self, load: Load, now_ms: Callable[[], int]) -> None:
        self._load = load
        self._now_ms = now_ms
        self._kept: asyncio.Task[Sequence[Row[Any]]] | None = None
        self._until = 0.0

    async def shown(self) -> schemas.Announcements:
        """What everybody is shown now, a second old at most; a failure is for all who waited for the same answer."""
        if self._kept is None or monotonic() >= self._until:
            self._kept, self._until = asyncio.create_task(self._read()), monotonic() + PERIOD_SECONDS
        rows, now = await asyncio.shield(self._kept), self._now_ms()
        found = [view(row) for row in rows if row.from_ms <= now < row.until_ms]
        return schemas.Announcements(announcements=found[:MOST_SHOWN], server_time=now)

    def forget(self) -> None:
        """Something was announced or withdrawn: read it anew."""
        self._kept = None

    async def _read(self) -> Sequence[Row[Any]]:
        return await self._load()


def view(row: Row[Any]) -> schemas.AnnouncementView:
    """One announcement."""
    return schemas.AnnouncementView(**{name: row._mapping[name] for name in schemas.AnnouncementView.model_fields})
