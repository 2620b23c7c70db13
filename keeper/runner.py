"""Runs one duty: waits to lead it, then steps until it may not.

A follower asks for the lock four times a second, so it takes over within a second of the leader's death. A leader
says that it lives beside its rounds, however long they take; one that hangs is followed in less than five seconds.
A leader that loses its lock, its token or its database goes back to asking. Errors of the node or the database end
a round, never the process.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.chain.rpc import ChainError
from exchange.chain.submission import Clock, Fenced
from exchange.chain.submitter import Submitter
from exchange.database.leaders import Leadership

FOLLOW_SECONDS = 0.25
ALIVE_SECONDS = 0.75
"""How often a leader says that it lives: several times within the silence that costs it the lead."""
LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Duty(Protocol):
    """One round of work: find, decide, act."""

    async def plan(self) -> object:
        """What the next round would do, without doing it."""

    async def step(self) -> object:
        """One round. Raises ChainError, Fenced and the database's errors."""


@dataclass(slots=True)
class Term:
    """A term of leadership: the duty and the submitter of its key, made for one fencing token."""

    duty: Duty
    submitter: Submitter


@dataclass(slots=True)
class Progress:
    """How a duty fares, for health and metrics. Times in milliseconds since 1970."""

    name: str
    leading: bool = False
    token: int = 0
    stepped_at: int = 0
    rounds: int = 0
    errors: int = 0
    last_error: str = ""
    term: Term | None = field(default=None, repr=False)


class Runner:
    """The loop of one duty in this process."""

    def __init__(
        self, name: str, engine: AsyncEngine, start_term: Callable[[int], Term], clock: Clock, poll_seconds: float
    ) -> None:
        """`start_term` makes the duty for a fencing token."""
        self._name = name
        self._engine = engine
        self._start_term = start_term
        self._clock = clock
        self._poll_seconds = poll_seconds
        self.progress = Progress(name)

    async def run(self) -> None:
        """Lead or follow for ever; ends by cancellation."""
        holder = f"{socket.gethostname()}/{os.getpid()}"
        while True:
            async with Leadership(self._engine, self._name, holder) as leadership:
                await self._guarded(lambda: self._lead(leadership))
            self.progress.leading, self.progress.term = False, None
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _lead(self, leadership: Leadership) -> None:
        token = await leadership.try_acquire()
        self.progress.stepped_at = self._clock.now_ms()
        if token is None:
            return
        log.info("leading", duty=self._name, token=token)
        term = self._start_term(token)
        self.progress.leading, self.progress.token, self.progress.term = True, token, term
        alive = asyncio.create_task(self._stay_alive(leadership))
        pause = self._poll_seconds
        try:
            while not alive.done():
                done = await self._round(term)
                pause = self._poll_seconds if done else min(2 * pause, LONGEST_PAUSE_SECONDS)
                await asyncio.wait([alive], timeout=pause)
            await alive
        finally:
            alive.cancel()
            await asyncio.gather(alive, return_exceptions=True)

    async def _stay_alive(self, leadership: Leadership) -> None:
        """Say so as long as the lock is held. Raises the database's errors."""
        while await leadership.holds():  # noqa: ASYNC110 - to ask is to say it
            await asyncio.sleep(ALIVE_SECONDS)

    async def _round(self, term: Term) -> bool:
        """One step of the duty and of its submitter; whether the node answered."""
        followed = await self._reaching(term.submitter.step)
        done = await self._reaching(term.duty.step) and followed
        if done:
            self.progress.stepped_at = self._clock.now_ms()
            self.progress.rounds += 1
        return done

    async def _reaching(self, step: Callable[[], Awaitable[object]]) -> bool:
        try:
            await step()
        except ChainError as error:
            self._note("node_refused", error)
            return False
        return True

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run until an error that costs the leadership; say which."""
        try:
            await work()
        except Fenced as error:
            self._note("fenced", error)
        except (SQLAlchemyError, OSError) as error:
            self._note("database_unavailable", error)
        except Exception as error:
            log.exception("duty_failed", duty=self._name)
            self._note("duty_failed", error)

    def _note(self, event: str, error: Exception) -> None:
        self.progress.errors += 1
        self.progress.last_error = f"{event}: {error}"
        log.warning(event, duty=self._name, error=str(error)[:500])
