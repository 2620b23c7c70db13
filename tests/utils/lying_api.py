"""A proxy in front of a running API: it passes everything on, pages and streams as well, and rewrites some answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from bizzan.supervisor.ports import free_port

Lie = Callable[[dict[str, Any]], dict[str, Any]]
PER_CONNECTION = ("connection", "content-encoding", "content-length", "host", "transfer-encoding")
"""Headers that belong to one connection, or that the other side sets anew."""


class LyingApi:
    """Where it answers, and what it says of each path instead of the truth; both may change while it runs."""

    def __init__(self, api_url: str, url: str) -> None:
        self.url = url
        self.lies: dict[str, Lie] = {}
        self._api_url = api_url

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the API says, rewritten where there is a lie."""
        async with ClientSession(self._api_url, auto_decompress=True) as api:
            if request.headers.get("upgrade", "").lower() == "websocket":
                return await self._stream(api, request)
            kept = {name: value for name, value in request.headers.items() if name.lower() not in PER_CONNECTION}
            body = await request.read()
            async with api.request(
                request.method, request.rel_url, data=body, headers=kept, allow_redirects=False
            ) as answer:
                content = await answer.read()
                if answer.ok and (lie := self.lies.get(request.path)):
                    content = json.dumps(lie(json.loads(content))).encode()
                said = {name: value for name, value in answer.headers.items() if name.lower() not in PER_CONNECTION}
                return web.Response(status=answer.status, body=content, headers=said)

    async def _stream(self, api: ClientSession, request: web.Request) -> web.StreamResponse:
        ours = web.WebSocketResponse()
        await ours.prepare(request)
        async with api.ws_connect(request.rel_url) as theirs:
            passing = [asyncio.create_task(_pass_on(*way)) for way in ((ours, theirs), (theirs, ours))]
            _, going_on = await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for task in going_on:
                task.cancel()
        return ours


Socket = web.WebSocketResponse | ClientWebSocketResponse


async def _pass_on(source: Socket, sink: Socket) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)


@contextmanager
def lying_api(api_url: str) -> Iterator[LyingApi]:
    """The proxy, in a thread of its own; it says the truth until it has lies."""
    port = free_port()
    proxy = LyingApi(api_url, f"http://127.0.0.1:{port}")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()

    def do(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(timeout=30)

    try:
        do(start())
        yield proxy
    finally:
        do(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()
