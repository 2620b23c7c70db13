"""The server's WebSocket protocol, with two promises that uvicorn's own does not make.

A connection's memory is bounded in the kernel too, and closing never waits for a peer that does not
read: the close frame is put behind what is buffered, and what is not read by then is dropped.
"""

import asyncio
import socket

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SEND_BUFFER_BYTES = 262_144
LINGER_SECONDS = 30.0


class StreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol on the sans-I/O core of `websockets`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the kernel's buffer of this connection."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a close does not wait for room."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    async def run_asgi(self) -> None:
        """Run the application, and cut the connection if the peer does not take its end in time."""
        await super().run_asgi()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)
