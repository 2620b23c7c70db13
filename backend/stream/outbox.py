"""A connection's way out: a bounded queue that never makes the feed wait."""

import asyncio
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect


class SlowReader(Exception):
    """The peer does not read what it asked for."""


class Outbox:
    """Messages wait here for a peer; more than `limit`, or one that takes longer than `seconds`, cuts it off."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._messages: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._overflow = False
        self._pending = 0

    def push(self, message: bytes) -> None:
        """Queue one message; when there is no room the connection is lost, and the message with it."""
        if len(self._messages) >= self._limit:
            self._overflow = True
        else:
            self._messages.append(message)
        self._wake.set()

    def begin(self) -> None:
        """A request is being answered: it keeps room for its answer."""
        self._pending += 1
        self._check_room()

    def end(self, message: bytes) -> None:
        """The request's answer."""
        self._pending -= 1
        self.push(message)

    async def room(self) -> None:
        """Wait until half of the queue is free, before the next request is read."""
        await self._room.wait()

    def _check_room(self) -> None:
        if self._pending + len(self._messages) < self._limit // 2:
            self._room.set()
        else:
            self._room.clear()

    async def drain(self, websocket: WebSocket) -> None:
        """Send until the connection ends. SlowReader when the peer does not keep up."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                async with asyncio.timeout(self._seconds) as limit:
                    while self._messages:
                        if self._overflow:
                            raise SlowReader
                        await websocket.send_text(self._messages.popleft().decode())
                        limit.reschedule(asyncio.get_running_loop().time() + self._seconds)
                self._check_room()
                if self._overflow:
                    raise SlowReader
        except TimeoutError:
            raise SlowReader from None
        except WebSocketDisconnect:
            return
