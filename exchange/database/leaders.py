"""One leader per duty: an advisory lock decides who, a fencing token keeps out who was.

The lock lives as long as its connection, so a leader that dies is followed at once. The server ends the connection of
one that says nothing for `SILENCE_SECONDS`: its process hangs, or its machine or network is gone. One that wakes up
may not know that it lost the lock; its writes carry a token that is no longer the highest, and are refused.
"""

import zlib
from types import TracebackType
from typing import Self

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.chain.submission import Fenced
from exchange.database.tables import leader
from exchange.database.tables.columns import NOW_MS

SILENCE_SECONDS = 3
"""How long a leader may be silent; `holds` speaks."""

_LOCK_SPACE = 0x6C656164  # the first half of the advisory lock's key; the second is the duty's checksum


async def check_token(conn: AsyncConnection, duty: str, token: int) -> None:
    """Raise Fenced unless `token` is the duty's latest; no newer one can be given until `conn` commits."""
    query = select(leader.c.fencing_token).where(leader.c.duty == duty).with_for_update(read=True)
    latest = await conn.scalar(query)
    if latest != token:
        raise Fenced(f"{duty}: token {token} was followed by {latest}")


class Leadership:
    """Holds the lock of one duty on a connection of its own; use it as `async with`."""

    def __init__(self, engine: AsyncEngine, duty: str, holder: str) -> None:
        self._engine = engine
        self._duty = duty
        self._holder = holder
        self._conn: AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.resign()

    async def try_acquire(self) -> int | None:
        """The new fencing token, or None while another process leads."""
        conn = await self._engine.connect()
        try:
            locked = await conn.scalar(text("select pg_try_advisory_lock(:space, :duty)"), self._lock())
            if not locked:
                await conn.close()
                return None
            token = await self._next_token(conn)
            await conn.execute(text(f"set idle_session_timeout = '{SILENCE_SECONDS}s'"))
            await conn.commit()
        except BaseException:
            await conn.invalidate()
            await conn.close()
            raise
        self._conn = conn
        return token

    async def holds(self) -> bool:
        """Whether the connection with the lock still answers."""
        if self._conn is None:
            return False
        await self._conn.scalar(text("select 1"))
        await self._conn.rollback()
        return True

    async def resign(self) -> None:
        """Let the lock go, with its connection."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.invalidate()
            await conn.close()

    async def _next_token(self, conn: AsyncConnection) -> int:
        row = {"duty": self._duty, "fencing_token": 1, "holder": self._holder}
        statement = insert(leader).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=["duty"],
            set_={"fencing_token": leader.c.fencing_token + 1, "holder": self._holder, "acquired_at": NOW_MS},
        )
        return int(await conn.scalar(statement.returning(leader.c.fencing_token)) or 0)

    def _lock(self) -> dict[str, int]:
        checksum = zlib.crc32(self._duty.encode())
        return {"space": _LOCK_SPACE, "duty": checksum - (1 << 32) if checksum >> 31 else checksum}
