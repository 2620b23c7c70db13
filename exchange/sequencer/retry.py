"""Doing things with a database that may be away, restarting or overloaded: again and again, until they are done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from exchange.sequencer.metrics import ProjectorMetrics

T = TypeVar("T")

DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_FIRST_BACKOFF = 0.1
_MAX_BACKOFF = 5.0

_log = structlog.get_logger("projector")


class Retry:
    """Repeats what fails. `part` names it in logs and metrics."""

    def __init__(self, metrics: ProjectorMetrics) -> None:
        self._metrics = metrics
        self._failing: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """What fails at present, or None."""
        return next(iter(self._failing.values()), None)

    async def until_done(self, part: str, action: Callable[[], Awaitable[T]]) -> T:
        """The result of `action`, repeated with growing pauses while it raises an error of the database."""
        backoff = _FIRST_BACKOFF
        while True:
            try:
                result = await action()
            except DATABASE_ERRORS as error:
                self._failing[part] = f"{part}: the database cannot be used ({type(error).__name__})"
                self._metrics.failures.labels(part).inc()
                _log.warning("database failed", part=part, error=str(error)[:500], retry_in=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _MAX_BACKOFF)
            else:
                self._failing.pop(part, None)
                return result
