"""The server's WebSocket protocol, with promises that uvicorn's own does not make.

A connection's memory is bounded in the kernel too, and closing never waits for a peer that does not
read: the close frame is put behind what is buffered, and what is not read by then is dropped.

A client that breaks the protocol is cut off and counted; it cannot fill the log.

The acknowledgements of one group commit come in one turn of the event loop, and leave in one system call.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

SEND_BUFFER_BYTES = 262_144
LINGER_SECONDS = 30.0
GATHERED_BYTES = 65_536


class GatheringTransport:
    """A transport whose writes are gathered until the turn ends, or until they are `GATHERED_BYTES`."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Write soon."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= GATHERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been gathered now; a transport that has been closed meanwhile takes nothing."""
        if self._parts and not self._transport.is_closing():
            self._transport.write(b"".join(self._parts))
        self._parts.clear()
        self._size = 0

    def close(self) -> None:
        """Close behind what has been gathered."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class StreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol on the sans-I/O core of `websockets`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the kernel's buffer of this connection, and gather what it writes."""
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, GatheringTransport(self.transport, self.loop))
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message to the application; text that is not UTF-8 ends the connection, and fills no log."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self.frames = []
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a close does not wait for room."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    async def run_asgi(self) -> None:
        """Run the application, and cut the connection if the peer does not take its end in time."""
        await super().run_asgi()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def _is_text(frames: Sequence[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True
