"""Announcements that are shown now, from their rows."""

from typing import Any

from sqlalchemy import Row

from backend.announcements import schemas
from backend.context import Api, now_ms
from exchange.database import announcements

MOST_SHOWN = 10


async def shown(api: Api) -> schemas.Announcements:
    """What everybody is shown now, latest first."""
    now = now_ms()
    async with api.reading() as connection:
        rows = await announcements.shown(connection, now, MOST_SHOWN)
    return schemas.Announcements(announcements=[view(row) for row in rows], server_time=now)


def view(row: Row[Any]) -> schemas.AnnouncementView:
    """One announcement."""
    return schemas.AnnouncementView(**{name: row._mapping[name] for name in schemas.AnnouncementView.model_fields})
