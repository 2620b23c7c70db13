"""Commands of the operator about one account: stop its trading, let it go on."""

from __future__ import annotations

from typing import Annotated

import typer

from bizzan.cli.console import console
from bizzan.cli.reason import Reason
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import load_settings

Address = Annotated[str, typer.Argument(help="The account's address.")]

commands = typer.Typer(help="Stop an account's trading, or let it go on.", no_args_is_help=True)


@commands.command()
def stop(account: Address, reason: Reason = "") -> None:
    """Refuse its orders and cancel the open ones. Its withdrawals go on, and what is matched settles."""
    _set(account, True, reason)


@commands.command()
def resume(account: Address, reason: Reason = "") -> None:
    """Take its orders again, unless its owner stopped it as well."""
    _set(account, False, reason)


def _set(account: str, stopped: bool, reason: str) -> None:
    from bizzan.operator import OperatorError, Reach, change_account

    reach = Reach.of(load_settings())
    try:
        seq = change_account(reach, account, "set_trading_stop", {"stopped": stopped}, reason=reason)
    except OperatorError as error:
        raise SupervisorError(str(error)) from None
    console.print(f"trading of {account} is {'stopped' if stopped else 'open'} from journal sequence {seq}")
