"""Commands of the operator about one market: halt, open, auction, delist, bound."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated

import typer

from bizzan.cli.console import console
from bizzan.cli.options import MAX_SECONDS, Reason, number_option
from bizzan.supervisor.errors import SupervisorError
from exchange.domain.amount import BPS
from exchange.settings import load_settings

Symbol = Annotated[str, typer.Argument(help="A market: BTC/USDC, or its id.")]

commands = typer.Typer(help="Halt, open, auction, bound or delist a market.", no_args_is_help=True)


@commands.command()
def halt(symbol: Symbol, reason: Reason = "") -> None:
    """Take no new orders; cancels go on, open orders stay."""
    _set_status(symbol, "halted", reason)


@commands.command(name="open")
def open_again(symbol: Symbol, reason: Reason = "") -> None:
    """Take orders again, unless the contract halts the market; what gathered in an auction trades first."""
    name, seq = _open(symbol, "set_market_status", {"status": "open"}, reason)
    _tell(name, "open", seq)


@commands.command()
def auction(
    symbol: Symbol,
    seconds: Annotated[int, number_option("How long orders gather; 0: until the market is opened.", MAX_SECONDS)] = 0,
    reason: Reason = "",
) -> None:
    """Gather orders without matching; when it ends, all that meet trade at one price, and the market is open."""
    ends_at = int(time.time()) + seconds if seconds else 0
    name, seq = _open(symbol, "start_auction", {"ends_at": ends_at}, reason)
    until = f"until {ends_at} (unix seconds)" if ends_at else "until it is opened"
    console.print(f"{name} gathers orders {until} from journal sequence {seq}")


@commands.command()
def delist(
    symbol: Symbol,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Reason = "",
) -> None:
    """Close the market for ever, with all its open orders."""
    if not yes:
        typer.confirm(f"Close {symbol} for ever and cancel its open orders?", abort=True)
    _set_status(symbol, "delisted", reason)


@commands.command()
def bound(
    symbol: Symbol,
    collar_bps: Annotated[int, number_option("How far one order takes from the last price.", BPS - 1)] = 0,
    max_quantity: Annotated[int, number_option("Lots of one order.")] = 0,
    max_notional: Annotated[int, number_option("Quote ledger units of one order.")] = 0,
    max_open_orders: Annotated[int, number_option("Open orders of one account.")] = 0,
    max_open_notional: Annotated[int, number_option("Quote ledger units of one account's orders.")] = 0,
    band_bps: Annotated[
        int | None, number_option("How far an order's price is from the last one; 0: any; left out: as it is.")
    ] = None,
    reason: Reason = "",
) -> None:
    """Bound orders and accounts, instead of what was bounded before; 0, or what is left out, bounds nothing.

    The band alone stays as it is where it is left out.
    """
    values: dict[str, object] = {
        "collar_bps": collar_bps,
        "max_quantity": max_quantity,
        "max_notional": max_notional,
        "max_open_orders": max_open_orders,
        "max_open_notional": max_open_notional,
    }
    if band_bps is not None:
        values["band_bps"] = band_bps
    name, seq = _change(symbol, "set_market_bounds", values, reason)
    console.print(f"{name} has new bounds from journal sequence {seq}")


def _open(symbol: str, kind: str, values: Mapping[str, object], reason: str) -> tuple[str, int]:
    from bizzan.operator import OperatorError, Reach, open_market

    settings = load_settings()
    try:
        return open_market(Reach.of(settings), settings.chain.chain_id, symbol, kind, values, reason=reason)
    except OperatorError as error:
        raise SupervisorError(str(error)) from None


def _set_status(symbol: str, status: str, reason: str) -> None:
    name, seq = _change(symbol, "set_market_status", {"status": status}, reason)
    _tell(name, status, seq)


def _tell(name: str, status: str, seq: int) -> None:
    console.print(f"{name} is {status} from journal sequence {seq}")


def _change(symbol: str, kind: str, values: Mapping[str, object], reason: str) -> tuple[str, int]:
    from bizzan.operator import OperatorError, Reach, change_market

    try:
        return change_market(Reach.of(load_settings()), symbol, kind, values, reason=reason)
    except OperatorError as error:
        raise SupervisorError(str(error)) from None
