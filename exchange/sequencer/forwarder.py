"""The forwarder: takes commands out of the inbox in order and gives them to the engine, each once.

The engine applies an inbox id only if it is above the last one, so giving a command twice is harmless. What was
applied is marked by the projection, from the journal; what the engine refuses for good is marked here, with its
reason. A command that merely cannot be taken now is given again, and nothing after it goes before it.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import engine_inbox
from exchange.database.engine_inbox import InboxRow
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.commands import Command
from exchange.journal.codec import encode_command
from exchange.sequencer.client import EngineClient
from exchange.sequencer.inbox import to_command
from exchange.sequencer.metrics import ProjectorMetrics
from exchange.sequencer.retry import Retry

POLL_SECONDS = 0.05
MAX_ROWS = 500
_FRAME_ROOM = 1 << 20  # one frame is refused or taken as a whole, so a run of commands must fit into one
_RETRY_SECONDS = 0.2

_log = structlog.get_logger("forwarder")


class Forwarder:
    """Forwards from `database` to `client`; `projected` gives the last sequence that is in the database."""

    def __init__(
        self,
        database: AsyncEngine,
        client: EngineClient,
        projected: Callable[[], int],
        retry: Retry,
        metrics: ProjectorMetrics,
    ) -> None:
        self._database = database
        self._client = client
        self._projected = projected
        self._retry = retry
        self._metrics = metrics
        self._last = 0

    async def run(self) -> None:
        """Forward for ever."""
        while True:
            try:
                await self._resume()
                while await self._forward():
                    pass
            except Refusal as refusal:  # the engine is away or full
                _log.warning("engine does not take commands", reason=refusal.message)
                await asyncio.sleep(_RETRY_SECONDS)
                await self._reconnect()

    async def _reconnect(self) -> None:
        while not self._client.connected:
            try:
                await self._client.connect()
            except Refusal:
                continue

    async def _resume(self) -> None:
        """Find where the engine stands, and settle what an earlier forwarder left unmarked.

        A command at or below the engine's last id that the journal does not hold was refused; its reason is lost.
        """
        status = await self._client.status()
        while self._projected() < status.seq:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        self._last = status.last_inbox_id
        while left := [row for row in await self._pending(0) if row.id <= self._last]:
            for row in left:
                message = f"the engine went on to inbox id {self._last} without this command"
                await self._refuse(row.id, Refusal(ErrorCode.inbox_out_of_order, message, "inbox_id"))

    async def _forward(self) -> bool:
        """Forward one run of commands. False when the engine must be asked again where it stands."""
        rows = await self._pending(self._last)
        if not rows:
            await asyncio.sleep(POLL_SECONDS)
            return self._client.connected
        commands = await self._parse(rows)
        outcomes = await self._client.submit_many([command for _, command in commands])
        for (inbox_id, _), outcome in zip(commands, outcomes, strict=True):
            if not isinstance(outcome, Refusal):
                self._last = inbox_id
                self._metrics.inbox.labels("applied").inc()
            elif outcome.code is ErrorCode.unavailable:
                raise outcome
            else:
                await self._refuse(inbox_id, outcome)
                self._last = inbox_id
        return True

    async def _parse(self, rows: Sequence[InboxRow]) -> list[tuple[int, Command]]:
        """The commands in as many rows as fit one frame; rows that hold none are refused."""
        commands: list[tuple[int, Command]] = []
        size = 0
        for row in rows:
            try:
                command = to_command(row.id, row.kind, row.payload)
            except Refusal as refusal:
                await self._refuse(row.id, refusal)
                continue
            size += len(encode_command(command))
            if commands and size > _FRAME_ROOM:
                break
            commands.append((row.id, command))
        return commands

    async def _pending(self, after: int) -> Sequence[InboxRow]:
        async def read() -> Sequence[InboxRow]:
            async with self._database.connect() as conn:
                return await engine_inbox.pending(conn, after, MAX_ROWS)

        return await self._retry.until_done("inbox", read)

    async def _refuse(self, inbox_id: int, refusal: Refusal) -> None:
        async def write() -> None:
            async with self._database.begin() as conn:
                await engine_inbox.mark_refused(conn, inbox_id, refusal.as_dict())

        _log.warning("inbox command refused", inbox_id=inbox_id, code=refusal.code.value, reason=refusal.message)
        self._metrics.inbox.labels("refused").inc()
        await self._retry.until_done("inbox", write)
