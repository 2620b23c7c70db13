"""Commands that do one thing and end: deploy, verify, faucet, features, publish, cases, bench."""

from __future__ import annotations

import importlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bizzan.cli.cases import cases
from bizzan.cli.console import console
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import load_settings

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (deploy, verify, faucet, features, publish, cases, bench):
        app.command()(command)


def deploy() -> None:
    """Deploy the contracts to the configured chain and write the deployment file."""
    from bizzan.supervisor.deployment import ensure_deployed

    settings = load_settings()
    done = ensure_deployed(settings, anywhere=True)
    console.print(f"{'deployed' if done else 'already there'}: {settings.deployment_file}", soft_wrap=True)


def verify(
    rpc: Annotated[str | None, typer.Option(help="The chain's JSON-RPC; the settings' by default.")] = None,
    deployment: Annotated[Path | None, typer.Option(help="The deployment file; the settings' by default.")] = None,
) -> None:
    """Compare the contracts on chain with the sources at hand, byte by byte; exit 1 if they differ."""
    settings = load_settings()
    run = importlib.import_module("bizzan.cli.verification").run
    raise typer.Exit(run(rpc or settings.rpc_url, deployment or settings.deployment_file))


def faucet(address: Annotated[str, typer.Argument(help="Who gets the play money, as a 0x address.")]) -> None:
    """Send coins for gas and test tokens to an address; on the local chain only."""
    from bizzan.client.errors import ClientError
    from bizzan.faucet import FaucetRefused, fund_now
    from bizzan.supervisor.deployment import read_deployment

    settings = load_settings()
    deployment = read_deployment(settings)
    try:
        gifts = fund_now(settings.rpc_url, deployment, settings.key("faucet"), address)
    except (FaucetRefused, ClientError) as error:
        raise SupervisorError(str(error)) from None
    for gift in gifts:
        whole, rest = divmod(gift.amount, 10**gift.decimals)
        amount = f"{whole}.{rest:0{gift.decimals}}".rstrip("0").rstrip(".")
        console.print(f"{amount:>12} {gift.symbol:<5} {gift.tx_hash}", soft_wrap=True)


def features(as_json: AsJson = False) -> None:
    """Count what was settled, swept and paid out, by the feature of custody that it used."""
    from bizzan.features import FeaturesError, read
    from bizzan.supervisor.deployment import read_deployment

    settings = load_settings()
    try:
        counts = asdict(read(settings.database_url(), settings.rpc_url, read_deployment(settings)))
    except FeaturesError as error:
        raise SupervisorError(str(error)) from None
    if as_json:
        print(json.dumps(counts))  # noqa: T201 - for programs
        return
    for name, number in counts.items():
        console.print(f"{number:>10}  {name.replace('_', ' ')}")


def publish() -> None:
    """Publish once what the journal gained, as the publisher does: signed pieces, raw and as hashes."""
    from exchange.journal.errors import JournalError
    from exchange.journal.publication import publish as publish_journal
    from exchange.sequencer.notary import notary_of
    from exchange.sequencer.seed import SeedError, load_deployment

    settings = load_settings()
    try:
        notary = notary_of(settings, load_deployment(settings.deployment_file))
        if notary is None:
            raise SupervisorError("nothing is published: this deployment has no bond, and so no receipt key")
        now_ms, where = time.time_ns() // 1_000_000, (settings.journal_dir, settings.published_dir)
        for piece in publish_journal(*where, notary.domain, notary.key.sign, now_ms):
            console.print(f"published {piece.first_seq} to {piece.last_seq}, head {piece.head}", soft_wrap=True)
    except (JournalError, SeedError) as error:
        raise SupervisorError(str(error)) from None


def bench(
    name: Annotated[str, typer.Argument(help="A benchmark, or 'all'.")],
    as_json: AsJson = False,
    running: Annotated[bool, typer.Option("--running", help="Of intake: measure the stack that is up.")] = False,
    followed: Annotated[bool, typer.Option("--followed", help="Of orders: while an API's live view follows.")] = False,
    waiting: Annotated[int, typer.Option("--waiting", help="Of orders: while so many wait for a price.", min=0)] = 0,
) -> None:
    """Measure one part of the exchange on this machine."""
    if running and name != "intake":
        raise SupervisorError("--running is for 'bizzan bench intake' only: the others bring what they measure")
    if followed and name != "orders":
        raise SupervisorError("--followed is for 'bizzan bench orders' only: the others have nobody who follows")
    if waiting and name != "orders":
        raise SupervisorError("--waiting is for 'bizzan bench orders' only: in the others no order waits for a price")
    known = sorted({path.stem for path in (*_BENCHMARKS.glob("[a-z]*.py"), *_packages())})
    if name not in ("all", *known):
        raise SupervisorError(f"unknown benchmark {name!r}: choose all or one of {', '.join(known) or '(none)'}")
    for chosen in known if name == "all" else [name]:
        given = {"running": running, "followed": followed, "waiting": waiting}
        choices = {choice: value for choice, value in given.items() if value}
        figures = importlib.import_module(f"benchmarks.{chosen}").run(as_json, **choices)
        print(json.dumps(figures) if as_json else f"{chosen}: {json.dumps(figures)}")  # noqa: T201 - for programs


def _packages() -> list[Path]:
    """The benchmarks that are folders."""
    return [path.parent for path in _BENCHMARKS.glob("[a-z]*/__init__.py")]
