"""Commands of an auditor: the whole exchange, one receipt, one published journal."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from bizzan.cli.console import console
from bizzan.supervisor.errors import SupervisorError
from exchange.domain.deployment import DeploymentError, address_bytes
from exchange.domain.receipt import ReceiptError
from exchange.settings import load_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]

commands = typer.Typer(
    help="Compare contract, mirror, engine and journal; name the first difference and exit 1.",
    invoke_without_command=True,
)


@commands.callback()
def audit(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare contract, mirror, engine and journal; name the first difference and exit 1."""
    if context.invoked_subcommand is not None:
        return
    clean = importlib.import_module("bizzan.audit.main").run(load_settings(), as_json)
    raise typer.Exit(0 if clean else 1)


@commands.command()
def receipt(
    source: Annotated[str, typer.Argument(help="A file with a receipt or an ack, or its JSON.")],
    signer: Annotated[str, typer.Option(help="The address of the receipt key.")],
    bond: Annotated[str | None, typer.Option(help="The bond contract that must stand behind it.")] = None,
    journal: Annotated[Path | None, typer.Option(help="A folder with the journal, or with its published copy.")] = None,
) -> None:
    """Check one receipt offline, by the receipt key's address, and against a journal; exit 1 if it does not hold."""
    from bizzan.audit.receipts import parse_receipts, problems

    try:
        receipts = parse_receipts(source)
        key, contract = address_bytes(signer, "--signer"), address_bytes(bond, "--bond") if bond else None
    except (ReceiptError, DeploymentError) as error:
        raise SupervisorError(str(error)) from None
    found = False
    for one in receipts:
        wrong = list(problems(one, key, contract, journal))
        found = found or bool(wrong)
        where = f"sequence {one.seq} of {one.first_seq} to {one.last_seq}, at {one.at_ms} ms"
        for problem in wrong:
            _print(f"{where}: {problem}")
        if not wrong:
            _print(
                f"{where}: 0x{one.subject.hex()} was taken there, the journal's head after it is "
                f"0x{one.record_head.hex()}"
            )
    raise typer.Exit(1 if found else 0)


def _print(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
