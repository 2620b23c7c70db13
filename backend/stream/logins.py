"""Which connections speak for which session: they are told when it ends, in this worker or another, or by its age."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

from exchange.domain.errors import Refusal

log = structlog.get_logger()

CHECK_SECONDS = 2.0
"""How long a connection may go on to hear of an account after its session has ended."""

Living = Callable[[Collection[bytes]], Awaitable[Collection[bytes]]]
Told = Callable[[], None]


class Logins:
    """`living` says which of some sessions, named by the hashes of their tokens, have not ended."""

    def __init__(self, living: Living) -> None:
        self._living = living
        self._told: dict[bytes, set[Told]] = {}

    def enter(self, session: bytes, told: Told) -> None:
        """Call `told` when the session ends."""
        self._told.setdefault(session, set()).add(told)

    def leave(self, session: bytes, told: Told) -> None:
        """Do not call it any more."""
        waiting = self._told.get(session, set())
        waiting.discard(told)
        if not waiting:
            self._told.pop(session, None)

    def end(self, session: bytes) -> None:
        """The session has ended."""
        for told in self._told.pop(session, ()):
            told()

    async def check(self) -> None:
        """End the sessions that live no more."""
        if self._told:
            asked = tuple(self._told)
            living = set(await self._living(asked))
            for session in asked:
                if session not in living:
                    self.end(session)

    async def run(self) -> None:
        """Check for ever."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self.check()
            except Refusal as refusal:  # the database is away: nobody can tell, and nothing of an account changes
                log.warning("sessions_unchecked", reason=refusal.message)
