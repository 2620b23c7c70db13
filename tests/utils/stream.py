"""A plain WebSocket client of the stream, for tests that look at every message."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

ANSWERS = ("ack", "done", "error")


class StreamClient:
    """Sends requests and sorts what comes back: answers by id, channel messages in order."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)

    async def ask(self, op: str, **content: Any) -> dict[str, Any]:
        """The answer to one request."""
        number = f"r{next(self._ids)}"
        await self.connection.send(json.dumps({"op": op, "id": number, **content}))
        while number not in self.answers:
            await self.receive()
        return self.answers.pop(number)

    async def receive(self) -> None:
        """Take one message in."""
        message = json.loads(await asyncio.wait_for(self.connection.recv(), 60))
        if message["type"] in ANSWERS:
            self.answers[message["id"]] = message
        else:
            self.messages.append(message)

    async def next(self, channel: str, kind: str | None = None) -> dict[str, Any]:
        """The next message of a channel (of one kind)."""
        while True:
            for index, message in enumerate(self.messages):
                if message["channel"] == channel and kind in (None, message["type"]):
                    return self.messages.pop(index)
            await self.receive()


@asynccontextmanager
async def open_stream(base_url: str, **options: Any) -> AsyncIterator[StreamClient]:
    """A connection to the stream of the API at `base_url`."""
    async with connect(base_url.replace("http", "ws", 1) + "/v1/stream", **options) as connection:
        yield StreamClient(connection)
