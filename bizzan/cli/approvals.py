"""Commands of an approver: list the withdrawals above their limit, approve one."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from bizzan.cli.console import console
from bizzan.cli.options import number_option
from bizzan.supervisor.errors import SupervisorError
from exchange.domain.amount import format_amount
from exchange.domain.deployment import checksum
from exchange.settings import KeyName, Settings, load_settings

if TYPE_CHECKING:
    from bizzan.approvals import Refused, Waiting
    from exchange.domain.deployment import Deployment

APPROVERS: dict[int, KeyName] = {1: "approver_1", 2: "approver_2", 3: "approver_3"}

commands = typer.Typer(help="List and approve withdrawals above their outflow limit.", no_args_is_help=True)


@commands.command(name="list")
def show() -> None:
    """List the withdrawals that wait for approvals."""
    from bizzan.approvals import Waiting

    settings = load_settings()
    deployment = _deployment(settings)
    rows = _waiting(settings, deployment)
    if not rows:
        _print("no withdrawal waits for approvals")
        return
    table = Table("hash", "account", "recipient", "amount", "until", "approvals")
    for row in rows:
        if isinstance(row, Waiting):
            table.add_row(*(Text(cell) for cell in _cells(deployment, row)))
    if table.row_count:
        console.print(table)
    for row in rows:
        if not isinstance(row, Waiting):
            _print(f"refused: 0x{row.withdrawal_hash.hex()}: {row.reason}")


@commands.command()
def approve(
    withdrawal_hash: Annotated[str, typer.Argument(help="The hash, or its first digits, as the list shows them.")],
    approver: Annotated[int, number_option("Which of the configured approver keys.", most=3, least=1)] = 1,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Approve a withdrawal with an approver's key, after showing all of it."""
    from bizzan.approvals import ApprovalError, find
    from bizzan.approvals import approve as approve_on_chain

    settings = load_settings()
    deployment = _deployment(settings)
    try:
        row = find(_waiting(settings, deployment), withdrawal_hash)
        whom = _recipient(row) or "its own funding"
        _print(f"{checksum(row.signed.account)} withdraws {_amount(deployment, row)} to {whom}")
        for field in fields(row.signed):
            value = getattr(row.signed, field.name)
            _print(f"  {field.name}: {checksum(value) if isinstance(value, bytes) else value}")
        if row.by_code:
            _print("  signed by the contract at the account, as it says now; it can change its mind until it is paid")
        if not yes:
            typer.confirm("Approve exactly this?", abort=True)
        tx_hash = approve_on_chain(settings.rpc_url, deployment, settings.key(APPROVERS[approver]), row)
    except ApprovalError as error:
        raise SupervisorError(str(error)) from None
    _print(f"approved in transaction {tx_hash}")


def _deployment(settings: Settings) -> Deployment:
    from bizzan.supervisor.deployment import read_deployment

    return read_deployment(settings)


def _waiting(settings: Settings, deployment: Deployment) -> list[Waiting | Refused]:
    from bizzan.approvals import ApprovalError, waiting

    try:
        return waiting(settings.database_url(), settings.rpc_url, deployment)
    except ApprovalError as error:
        raise SupervisorError(str(error)) from None


def _cells(deployment: Deployment, row: Waiting) -> tuple[str, ...]:
    return (
        "0x" + row.withdrawal_hash.hex()[:16],
        checksum(row.signed.account) + (" (contract)" if row.by_code else ""),
        _recipient(row) or "its funding",
        _amount(deployment, row),
        _until(row.signed.deadline),
        f"{len(row.by)} of {row.needed}",
    )


def _amount(deployment: Deployment, row: Waiting) -> str:
    asset = deployment.asset(row.asset_id)
    return f"{format_amount(row.amount, asset.decimals)} {asset.symbol}"


def _recipient(row: Waiting) -> str | None:
    return None if row.signed.recipient is None else checksum(row.signed.recipient)


def _until(deadline: int) -> str:
    """The day and time; of a deadline after all calendars the number."""
    try:
        return datetime.fromtimestamp(deadline, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(deadline)


def _print(line: str) -> None:
    """Print it as it is: what others wrote is neither markup nor an emoji."""
    console.print(line, markup=False, emoji=False, soft_wrap=True)
