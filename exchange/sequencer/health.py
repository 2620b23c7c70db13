"""The small web server on which a process shows its metrics and whether it is well."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Health = Callable[[], str | None]
"""Why the process is not well, or None when it is."""


@asynccontextmanager
async def serve_health(
    host: str, port: int, registry: CollectorRegistry, health: Health, ready: Health | None = None
) -> AsyncIterator[None]:
    """Serve `/metrics`, `/healthz` and `/readyz` (200 or 503) while the context is open. OSError for a taken port.

    `ready` says what a restart would not mend; without it, it is `health`.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def answering(ask: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_request: web.Request) -> web.Response:
            reason = ask()
            return web.json_response({"ok": reason is None, "reason": reason}, status=200 if reason is None else 503)

        return answer

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", answering(health))])
    app.add_routes([web.get("/readyz", answering(ready or health))])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
