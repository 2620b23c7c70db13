"""Commands that run one process of the exchange in the foreground."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from typing import cast

import typer

from exchange.settings import Settings, load_settings

# name -> (module with `run(settings)`, help)
SERVICES = {
    "engine": ("exchange.sequencer.main", "Run the matching engine: the only writer of the journal."),
    "projector": ("exchange.sequencer.projector_main", "Run the projector: the journal folded into PostgreSQL."),
    "api": ("backend.main", "Run the HTTP and WebSocket API."),
    "indexer": ("indexer.main", "Run the indexer: the chain mirrored in PostgreSQL."),
    "keeper": ("keeper.main", "Run the keeper: settlement and its follow-up on chain."),
    "demo": ("bizzan.demo.main", "Run the demo traffic: wallets that trade around a real price series."),
}


def register(app: typer.Typer) -> None:
    """Add one command per service."""
    for name, (module, help_text) in SERVICES.items():
        command = _keeper if name == "keeper" else _command(module)
        app.command(name, help=help_text)(command)


def _command(module: str) -> Callable[[], None]:
    def run() -> None:
        settings = load_settings()
        _load(module)(settings)

    return run


def _keeper(
    dry_run: bool = typer.Option(False, "--dry-run", help="Say once what each duty would do, and do nothing."),
) -> None:
    settings = load_settings(keeper={"dry_run": True}) if dry_run else load_settings()
    _load("keeper.main")(settings)


def _load(module: str) -> Callable[[Settings], None]:
    """The module's `run`. What it imports stays, so looking for garbage meanwhile would be lost time: a fifth of it."""
    gc.disable()
    try:
        return cast(Callable[[Settings], None], importlib.import_module(module).run)
    finally:
        gc.enable()
