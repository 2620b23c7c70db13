"""The small web server on which a process shows its metrics and whether it is well."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Health = Callable[[], str | None]
"""Why the process is not well, or None when it is."""


@asynccontextmanager
async def serve_health(host: str, port: int, registry: CollectorRegistry, health: Health) -> AsyncIterator[None]:
    """Serve `/metrics` and `/healthz` (200 or 503) while the context is open. OSError when the port is taken."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: web.Request) -> web.Response:
        reason = health()
        return web.json_response({"ok": reason is None, "reason": reason}, status=200 if reason is None else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
