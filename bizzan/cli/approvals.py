"""Commands of an approver: list the withdrawals above their limit, approve one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bizzan.cli.console import console
from bizzan.supervisor.errors import SupervisorError
from exchange.domain.amount import format_amount
from exchange.settings import KeyName, Settings, load_settings

if TYPE_CHECKING:
    from bizzan.approvals import Waiting
    from exchange.domain.deployment import Deployment

APPROVERS: dict[int, KeyName] = {1: "approver_1", 2: "approver_2", 3: "approver_3"}

commands = typer.Typer(help="List and approve withdrawals above their outflow limit.", no_args_is_help=True)


@commands.command(name="list")
def show() -> None:
    """List the withdrawals that wait for approvals."""
    settings = load_settings()
    deployment, rows = _deployment(settings), _waiting(settings)
    if not rows:
        console.print("no withdrawal waits for approvals")
        return
    table = Table("hash", "account", "recipient", "amount", "until", "approvals")
    for row in rows:
        until = datetime.fromtimestamp(row.deadline, UTC).strftime("%Y-%m-%d %H:%M:%S")
        digest = "0x" + row.withdrawal_hash.hex()
        amount = _amount(deployment, row)
        table.add_row(
            digest[:18], row.account, row.recipient or "its funding", amount, until, f"{len(row.by)} of {row.needed}"
        )
    console.print(table)


@commands.command()
def approve(
    withdrawal_hash: Annotated[str, typer.Argument(help="The hash, or its first digits, as the list shows them.")],
    approver: Annotated[int, typer.Option(min=1, max=3, help="Which of the configured approver keys.")] = 1,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Approve a withdrawal with an approver's key, after showing all of it."""
    from bizzan.approvals import ApprovalError, find
    from bizzan.approvals import approve as approve_on_chain

    settings = load_settings()
    deployment = _deployment(settings)
    try:
        row = find(_waiting(settings), withdrawal_hash)
        console.print(f"{row.account} withdraws {_amount(deployment, row)} to {row.recipient or 'its own funding'}")
        for name, value in row.message.items():
            console.print(f"  {name}: {value}")
        if not yes:
            typer.confirm("Approve exactly this?", abort=True)
        tx_hash = approve_on_chain(settings.rpc_url, deployment, settings.key(APPROVERS[approver]), row)
    except ApprovalError as error:
        raise SupervisorError(str(error)) from None
    console.print(f"approved in transaction {tx_hash}")


def _deployment(settings: Settings) -> Deployment:
    from bizzan.supervisor.deployment import read_deployment

    return read_deployment(settings)


def _waiting(settings: Settings) -> list[Waiting]:
    from bizzan.approvals import ApprovalError, waiting

    try:
        return waiting(settings.database_url(), settings.chain.chain_id)
    except ApprovalError as error:
        raise SupervisorError(str(error)) from None


def _amount(deployment: Deployment, row: Waiting) -> str:
    asset = deployment.assets[row.asset_id]
    return f"{format_amount(row.amount, asset.decimals)} {asset.symbol}"
