"""A database that was emptied under a journal in use.

The engine numbers what it takes from the inbox, and an empty inbox begins at one again: what the chain says next would
be refused as old, or told twice. So nothing starts on such a database; a rebuild brings the inbox back first.
"""

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import projection
from exchange.journal.marker import MARKER_NAME
from exchange.journal.reader import Reader


class EmptiedDatabase(Exception):
    """The database holds nothing of a journal that the chain has told things; the message says what to do."""


async def check_not_emptied(folder: Path, database: AsyncEngine) -> None:
    """Raise EmptiedDatabase if the database stands at the beginning of a journal that has commands from an inbox."""
    if not (folder / MARKER_NAME).exists():
        return
    async with database.connect() as conn:
        position = await projection.position(conn)
    if position.seq == 0 and await asyncio.to_thread(_was_told, folder):
        raise EmptiedDatabase(
            f"the database is empty, and the journal in {folder} is not: stop every service, run 'bizzan rebuild', "
            "then start again"
        )


def _was_told(folder: Path) -> bool:
    """Whether a journal holds a command that came through an inbox."""
    return any(getattr(record.command, "inbox_id", 0) for record in Reader(folder).read())
