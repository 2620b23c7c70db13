"""What operators do that is no transaction: an entry in the log and, in the same database transaction, a command in the
engine's inbox. The engine obeys or refuses; what became of it is another entry.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from backend.context import Api
from backend.operator import schemas
from backend.operator.staff import Staff
from backend.wire import hexed
from exchange.database import engine_inbox, operator_log
from exchange.database.operator_log import Entry
from exchange.domain.errors import ErrorCode, Refusal

WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05


async def tell_engine(api: Api, entry: Entry, kind: str, values: Mapping[str, object]) -> schemas.Done:
    """Log what is asked, post the command, and wait a while for the engine. Refuses what the engine refuses."""
    async with api.writing() as connection:
        asked = await operator_log.append(connection, entry)
        key = f"{operator_log.INBOX_KEY}{asked.entry_id}"
        inbox_id = await engine_inbox.post(connection, kind, values, key)
    seq, refusal = await _outcome(api, inbox_id)
    if seq is None and refusal is None:
        return schemas.Done(entry_id=asked.entry_id, hash=hexed(asked.hash), outcome="asked", seq=None)
    async with api.writing() as connection:
        if refusal is not None:
            await operator_log.close(connection, asked.entry_id, "refused", refusal)
        else:
            await operator_log.close(connection, asked.entry_id, "applied", {"seq": seq})
    if refusal is not None:
        raise _refused(refusal)
    return schemas.Done(entry_id=asked.entry_id, hash=hexed(asked.hash), outcome="applied", seq=seq)


def entry_of(staff: Staff, action: str, subject: str, reason: str, **details: Any) -> Entry:
    """The entry of something that is asked for."""
    return Entry(staff.address, action, subject, reason, details)


async def _outcome(api: Api, inbox_id: int) -> tuple[int | None, dict[str, Any] | None]:
    """The journal sequence at which the engine obeyed, or its refusal; neither when it takes its time."""
    for _ in range(round(WAIT_SECONDS / POLL_SECONDS)):
        async with api.reading() as connection:
            seq, refusal = await engine_inbox.outcome(connection, inbox_id)
        if seq is not None or refusal is not None:
            return seq, refusal
        await asyncio.sleep(POLL_SECONDS)
    return None, None


def _refused(said: Mapping[str, Any]) -> Refusal:
    """The engine's refusal, as it was."""
    return Refusal(ErrorCode(said["code"]), str(said["message"]), said.get("field"), said.get("params") or {})
