"""Signed orders at a steady rate, and a plain client of the stream that notes when each change of the book came."""

import asyncio
import json
import time
from urllib.parse import urlsplit

from websockets.asyncio.client import connect as connect_websocket

from benchmarks.intake import SYMBOL, Connection


class Traffic:
    """Sends orders from `frames`, `per_second`, until it is cancelled or none is left."""

    def __init__(self, connection: Connection, frames: list[bytes], per_second: int) -> None:
        self._connection = connection
        self._frames = frames
        self._per_second = per_second
        self.sent = 0

    async def run(self) -> None:
        """Send; what is late is sent at once."""
        started = time.perf_counter()
        for number, frame in enumerate(self._frames):
            pause = started + number / self._per_second - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            self._connection.send([frame])
            self.sent += 1


class Listener:
    """Follows the book as any client does; `came` is the time of each change in milliseconds, by its `seq`."""

    def __init__(self, url: str) -> None:
        self._url = f"ws://{urlsplit(url).netloc}/v1/stream"
        self.came: dict[int, float] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        async with connect_websocket(self._url, max_size=None) as socket:
            await socket.send(json.dumps({"op": "subscribe", "id": "1", "channels": [f"book.{SYMBOL}"]}))
            async for text in socket:
                now = time.time() * 1_000
                message = json.loads(text)
                if message.get("type") == "diff":
                    self.came[message["seq"]] = now
