"""A bad network between keeper and node: it loses some transactions, and some of the answers."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

from bizzan.supervisor.ports import free_port


@asynccontextmanager
async def bad_network(node_url: str, chance: random.Random, loss: float) -> AsyncIterator[str]:
    """The address of a proxy that loses a share `loss` of the broadcasts: half before the node, half after it."""
    async with ClientSession() as session:

        async def forward(request: web.Request) -> web.Response:
            body = await request.read()
            calls = json.loads(body)
            lossy = isinstance(calls, dict) and calls["method"] == "eth_sendRawTransaction" and chance.random() < loss
            if lossy and chance.random() < 0.5:
                return web.json_response({"jsonrpc": "2.0", "id": calls["id"], "result": "0x" + "00" * 32})
            async with session.post(node_url, data=body, headers={"content-type": "application/json"}) as answer:
                text = await answer.read()
            return web.Response(status=502) if lossy else web.Response(body=text, content_type="application/json")

        app = web.Application(client_max_size=2**24)
        app.router.add_post("/", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()
