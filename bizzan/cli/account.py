"""Commands of the operator about one account: stop its trading, let it go on, limit what it has open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from bizzan.cli.console import console
from bizzan.cli.options import Reason, number_option
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import load_settings

Address = Annotated[str, typer.Argument(help="The account's address.")]

commands = typer.Typer(help="Stop an account's trading, let it go on, or limit it.", no_args_is_help=True)


@commands.command()
def stop(account: Address, reason: Reason = "") -> None:
    """Refuse its orders and cancel the open ones. Its withdrawals go on, and what is matched settles."""
    _set(account, True, reason)


@commands.command()
def resume(account: Address, reason: Reason = "") -> None:
    """Take its orders again, unless its owner stopped it as well."""
    _set(account, False, reason)


@commands.command()
def limit(
    account: Address,
    max_open_orders: Annotated[
        int | None, number_option("Open orders in all markets; 0: as many as the exchange lets all have.")
    ] = None,
    asset: Annotated[
        int, number_option("Id of the quote asset that --max-open-notional is about; other assets' stay.")
    ] = 0,
    max_open_notional: Annotated[
        int | None, number_option("Ledger units of its open orders in all markets of this quote; 0: any.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Lift both limits, that of the notional for --asset.")] = False,
    reason: Reason = "",
) -> None:
    """Bound how much it has open in orders, in all markets together. A limit left out is lifted. What is open stays."""
    is_limited = max_open_orders is not None or max_open_notional is not None
    if lift and is_limited:
        raise SupervisorError("nothing was changed: --lift lifts both limits, so give it without the others")
    if not lift and not is_limited:
        raise SupervisorError(
            "nothing was changed: give --max-open-orders, --max-open-notional or both, because what is left out is "
            "lifted; or --lift, to lift both"
        )
    orders, notional = max_open_orders or 0, max_open_notional or 0
    values = {"max_open_orders": orders, "asset": asset, "max_open_notional": notional}
    seq = _change(account, "set_account_limits", values, reason)
    said = f"{orders} open orders" if orders else "as many open orders as the exchange lets all have"
    said += f", {notional if notional else 'any number of'} ledger units of asset {asset} in them"
    console.print(f"{account} may have {said}, from journal sequence {seq}", soft_wrap=True)


def _set(account: str, stopped: bool, reason: str) -> None:
    seq = _change(account, "set_trading_stop", {"stopped": stopped}, reason)
    console.print(f"trading of {account} is {'stopped' if stopped else 'open'} from journal sequence {seq}")


def _change(account: str, kind: str, values: Mapping[str, object], reason: str) -> int:
    """Post a command about the account; the journal sequence from which it counts."""
    from bizzan.operator import OperatorError, Reach, change_account

    reach = Reach.of(load_settings())
    try:
        return change_account(reach, account, kind, values, reason=reason)
    except OperatorError as error:
        raise SupervisorError(str(error)) from None
