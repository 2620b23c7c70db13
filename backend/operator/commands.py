"""What operators do that is no transaction: an entry in the log and, in the same database transaction, a command in the
engine's inbox. The engine obeys or refuses; what became of it is another entry.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any, Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.context import Api
from backend.operator import schemas
from backend.operator.staff import Staff
from backend.wire import hexed
from exchange.database import engine_inbox, operator_log
from exchange.database.operator_log import Entry, Outcome
from exchange.domain.errors import ErrorCode, Refusal

log = structlog.get_logger()

Check = Callable[[AsyncConnection], Awaitable[None]]
"""Refuses what the state of the database does not allow."""

WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05


async def tell_engine(
    api: Api,
    entry: Entry,
    kind: str,
    values: Mapping[str, object],
    check: Check | None = None,
    may_wait: bool = False,
) -> schemas.Done:
    """Log what is asked, post the command, and wait for the engine. Refuses what `check` or the engine refuses.

    While the engine is away, only what `may_wait` is posted: nothing withdraws it, and a returning engine obeys it.
    """
    if not (may_wait or api.feed.ready):
        raise Refusal(
            ErrorCode.unavailable,
            "the engine is away, and would obey whenever it is back: until then only halts and stops are taken",
        )
    until = monotonic() + WAIT_SECONDS
    async with api.writing() as connection:

        async def make() -> tuple[Entry, str, Mapping[str, object]]:
            if check is not None:
                await check(connection)
            return entry, kind, values

        asked, inbox_id = await operator_log.ask(connection, make)
    seq, refusal = await _outcome(api, inbox_id, until)
    if refusal is not None:
        await _note(api, asked, "refused", refusal)
        raise _refused(refusal)
    if seq is not None:
        await _note(api, asked, "applied", {"seq": seq})
    outcome: Literal["asked", "applied"] = "asked" if seq is None else "applied"
    return schemas.Done(entry_id=asked.entry_id, hash=hexed(asked.hash), outcome=outcome, seq=seq)


def entry_of(staff: Staff, action: str, subject: str, reason: str, **details: Any) -> Entry:
    """The entry of something that is asked for."""
    return Entry(staff.address, action, subject, reason, details)


async def _outcome(api: Api, inbox_id: int, until: float) -> tuple[int | None, dict[str, Any] | None]:
    """The journal sequence at which the engine obeyed, or its refusal; neither when it takes its time."""
    while True:
        async with api.reading() as connection:
            seq, refusal = await engine_inbox.outcome(connection, inbox_id)
        if seq is not None or refusal is not None or monotonic() >= until:
            return seq, refusal
        await asyncio.sleep(POLL_SECONDS)


async def _note(api: Api, asked: Entry, outcome: Outcome, details: Mapping[str, Any]) -> None:
    """Log what became of it; when the database is away, the upkeep does so later."""
    try:
        async with api.writing() as connection:
            await operator_log.close(connection, asked.entry_id, outcome, details)
    except Refusal as refusal:
        log.warning("outcome_noted_later", entry=asked.entry_id, reason=refusal.message)


def _refused(said: Mapping[str, Any]) -> Refusal:
    """The engine's refusal, as it was."""
    return Refusal(ErrorCode(said["code"]), str(said["message"]), said.get("field"), said.get("params") or {})
