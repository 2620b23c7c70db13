"""A database that was emptied under a journal in use.

The engine numbers what it takes from the inbox, and an empty inbox begins at one again: what the chain says next would
be refused as old, or told twice. So nothing starts on such a database; a rebuild brings the inbox back first.
"""

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import engine_inbox, projection
from exchange.journal.marker import MARKER_NAME
from exchange.journal.reader import Reader


class EmptiedDatabase(Exception):
    """The database holds nothing of a journal that the chain has told things; the message says what to do."""


async def check_not_emptied(folder: Path, database: AsyncEngine) -> None:
    """Raise EmptiedDatabase if the journal was told what the inbox of a database at its very beginning does not hold.

    A database that nothing was projected into yet, and whose inbox the journal's commands came from, is merely late.
    """
    if not (folder / MARKER_NAME).exists():
        return
    async with database.connect() as conn:
        position = await projection.position(conn)
        posted = await engine_inbox.last_id(conn)
    if position.seq == 0 and await asyncio.to_thread(_last_told, folder) > posted:
        raise EmptiedDatabase(
            f"the database is empty, and the journal in {folder} is not: stop every service, run 'bizzan rebuild', "
            "then start again"
        )


def _last_told(folder: Path) -> int:
    """The number of the last command in a journal that came through an inbox; 0 for none."""
    return max((getattr(record.command, "inbox_id", 0) for record in Reader(folder).read()), default=0)
