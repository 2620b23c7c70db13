"""Commands that run one process of the exchange in the foreground."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from typing import cast

import typer

from bizzan.supervisor.errors import SupervisorError
from exchange.settings import Settings, load_settings

# name -> (module with `run(settings)`, help)
SERVICES = {
    "engine": ("exchange.sequencer.main", "Run the matching engine: the only writer of the journal."),
    "projector": ("exchange.sequencer.projector_main", "Run the projector: the journal folded into PostgreSQL."),
    "api": ("backend.main", "Run the HTTP and WebSocket API."),
    "entry": ("backend.entry.main", "Run order entry at speed: frames of orders over a binary protocol."),
    "indexer": ("indexer.main", "Run the indexer: the chain mirrored in PostgreSQL."),
    "publisher": ("exchange.sequencer.publisher", "Run the publisher: the journal in signed pieces, for everybody."),
    "surveillance": ("exchange.sequencer.watchman", "Run market surveillance: patterns of abuse, kept as cases."),
    "keeper": ("keeper.main", "Run the keeper: settlement and its follow-up on chain."),
    "demo": ("bizzan.demo.main", "Run the demo traffic: wallets that trade around a real price series."),
}


def register(app: typer.Typer) -> None:
    """Add one command per service."""
    for name, (_, help_text) in SERVICES.items():
        command = _keeper if name == "keeper" else _command(name)
        app.command(name, help=help_text)(command)


def _command(name: str) -> Callable[[], None]:
    def run() -> None:
        _serve(name, load_settings())

    return run


def _keeper(
    dry_run: bool = typer.Option(False, "--dry-run", help="Say once what each duty would do, and do nothing."),
) -> None:
    _serve("keeper", load_settings(keeper={"dry_run": True}) if dry_run else load_settings())


def _serve(name: str, settings: Settings) -> None:
    run = _load(SERVICES[name][0])
    if name == "demo":
        _run_demo(run, settings)
        return
    if name != "projector":
        from bizzan.supervisor.deployment import read_deployment

        read_deployment(settings)  # says in one sentence what to do when there is none
    run(settings)


def _run_demo(run: Callable[[Settings], None], settings: Settings) -> None:
    from bizzan.client.errors import ClientError
    from bizzan.demo.download import DownloadError

    try:
        run(settings)
    except (ClientError, DownloadError) as error:
        raise SupervisorError(str(error)) from None


def _load(module: str) -> Callable[[Settings], None]:
    """The module's `run`. What it imports stays, so looking for garbage meanwhile would be lost time: a fifth of it."""
    gc.disable()
    try:
        return cast(Callable[[Settings], None], importlib.import_module(module).run)
    finally:
        gc.enable()
