"""The API process: `run(settings)` serves until it is told to stop."""

import gc

import uvicorn
from fastapi import FastAPI

from backend.app import create_app
from backend.http import HttpProtocol, prepare
from backend.stream.protocol import StreamProtocol
from exchange.sequencer.logs import configure_logs
from exchange.settings import Settings, load_settings

SHUTDOWN_SECONDS = 5
WORKER_SECONDS = 30
"""For how long a worker may say nothing, at its start or later, before another takes its place.

On a busy machine it takes longer to load its code than the five seconds that the server would wait, so that none would
ever start."""


def run(settings: Settings) -> None:
    """Serve the API on the configured port; several workers are processes of their own, set up by the environment."""
    uvicorn.run(
        make_app(settings) if settings.api.workers == 1 else "backend.main:make_app",
        factory=settings.api.workers > 1,
        host=settings.api.host,
        port=settings.api.port,
        workers=settings.api.workers,
        loop="uvloop",
        http=HttpProtocol,
        ws=StreamProtocol,
        ws_max_size=settings.api.limits.frame_bytes,
        ws_per_message_deflate=False,
        proxy_headers=bool(settings.api.proxies),
        forwarded_allow_ips=list(settings.api.proxies),
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_worker_healthcheck=WORKER_SECONDS,
        access_log=False,
        server_header=False,
        log_level=settings.log_level,
        log_config=None,
    )


def make_app(settings: Settings | None = None) -> FastAPI:
    """The application of one worker; without settings it reads those of its environment."""
    settings = settings or load_settings()
    configure_logs(settings.log_level, "api")
    prepare()
    app = create_app(settings)
    gc.collect()
    gc.freeze()  # what was imported stays; walking it at every collection would cost the slowest orders most
    return app
