"""Order entry's binary protocol on the stream: each binary message is one of its messages, either way.

The process `entry` does the work, over a Unix socket of ours, and is told for which address: so sessions, bounds,
shares and answers are those of its own port. Who does not read the answers is not read from, and is cut off when that
lasts.
"""

import asyncio
import contextlib
from pathlib import Path

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from backend.entry.proxied import binary_header
from backend.stream.outbox import SlowReader
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame_codes import number_of

FIRST_BYTE = b"\0"
"""With it every message of the protocol begins, because of its length, and no JSON does."""

_RETRY_MS = 500

log = structlog.get_logger()


class Relay:
    """One stream connection's way to order entry, opened when it is first used. `address` is the client's."""

    def __init__(self, websocket: WebSocket, socket_path: Path, address: str, stalled_seconds: float) -> None:
        self._websocket = websocket
        self._path = socket_path
        self._address = address
        self._stalled_seconds = stalled_seconds
        self._writer: asyncio.StreamWriter | None = None
        self._answering: asyncio.Task[None] | None = None
        self.stalled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done with SlowReader when the client does not read its answers."""

    async def forward(self, data: bytes) -> None:
        """Hand a message to order entry, and wait while it takes no more."""
        if len(data) <= wire.LENGTH.size or int.from_bytes(data[: wire.LENGTH.size]) != len(data) - wire.LENGTH.size:
            text = "a binary message holds one message of order entry, with its length before it"
            await self._refuse(data, Refusal(ErrorCode.malformed, text))
            return
        try:
            writer = self._writer or await self._open()
            writer.write(data)
            await writer.drain()
        except OSError:
            params: dict[str, str | int] = {"retry_after_ms": _RETRY_MS}
            await self._refuse(data, Refusal(ErrorCode.unavailable, "order entry does not answer", None, params))

    async def refuse(self, data: bytes, refusal: Refusal) -> None:
        """Say why a message was not handed on."""
        await self._refuse(data, refusal)

    async def close(self) -> None:
        """End the session, if there is one."""
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        self.stalled.cancel()

    async def _open(self) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        writer.write(binary_header(self._address))
        self._writer = writer
        self._answering = asyncio.create_task(self._answer(reader, writer))
        return writer

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send what order entry says, message by message, until one side ends."""
        try:
            while True:
                head = await reader.readexactly(wire.LENGTH.size)
                await self._send(head + await reader.readexactly(int.from_bytes(head)))
        except (OSError, EOFError):
            self._writer = None
            text = "order entry has ended the session: what was not answered may have been placed; say hello again"
            with contextlib.suppress(WebSocketDisconnect, SlowReader, RuntimeError):
                await self._send(wire.pack_refused(0, number_of(ErrorCode.unavailable), _RETRY_MS, text))
        except (WebSocketDisconnect, RuntimeError):
            pass
        except SlowReader as slow:
            if not self.stalled.done():
                self.stalled.set_exception(slow)
        finally:
            writer.close()

    async def _refuse(self, data: bytes, refusal: Refusal) -> None:
        kind, body = data[4] if len(data) > wire.LENGTH.size else 0, data[wire.LENGTH.size + 1 :]
        retry = refusal.params.get("retry_after_ms", 0)
        retry_ms = retry if isinstance(retry, int) else 0
        await self._send(
            wire.pack_refused(wire.number_in(kind, body), number_of(refusal.code), retry_ms, refusal.message)
        )

    async def _send(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._stalled_seconds):
                await self._websocket.send_bytes(data)
        except TimeoutError:
            raise SlowReader from None
