"""Commands of the operator about fees: announce a schedule, set an account's tier, show what holds and what comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from rich.table import Table

from bizzan.cli.console import console
from bizzan.cli.options import MAX_SECONDS, Reason, number_option, within
from bizzan.cli.status import read_api
from bizzan.fee_floor import WEI_DECIMALS, floor_for, wei_per_trade
from bizzan.supervisor.errors import SupervisorError
from exchange.domain.amount import BPS, format_amount, parse_amount
from exchange.domain.errors import Refusal
from exchange.domain.fees import MAX_TIERS, PPM, PPM_PER_BPS
from exchange.settings import Settings, load_settings

GAS_PER_TRADE = 30_000
"""Where no batch has paid yet: a trade of a batch in which most accounts are new (docs/performance.md)."""

Symbol = Annotated[str, typer.Argument(help="A market: BTC/USDC, or its id.")]
After = Annotated[int, number_option("Seconds from now until it counts; a rise needs the notice.", MAX_SECONDS)]

commands = typer.Typer(help="Announce fees, set fee tiers, show both.", no_args_is_help=True)


@commands.command()
def announce(
    symbol: Symbol,
    tier: Annotated[list[str], typer.Option(help="Maker and taker in basis points, 2:5; once per tier, from tier 0.")],
    floor: Annotated[str, typer.Option(help="Least fee of an order for all it takes, in the quote asset.")] = "0",
    after: After = 0,
    reason: Reason = "",
) -> None:
    """Announce the fees of orders to come; open orders keep theirs. What only lowers may count at once."""
    from exchange.database.markets import Known

    tiers = [[_rate(text, rate) for rate in _pair(text)] for text in tier]
    effective_at = _from_now(after)

    def values(market: Known) -> Mapping[str, object]:
        amount = parse_amount(floor, market.quote_decimals, "floor")
        return {"effective_at": effective_at, "tiers": tiers, "floor": amount}

    name, seq = _post_market(symbol, values, reason)
    console.print(f"{name}: {' '.join(tier)} bps, floor {floor}, {_when(after)}, announced at journal sequence {seq}")


@commands.command()
def tier(
    account: Annotated[str, typer.Argument(help="The account's address.")],
    number: Annotated[int, typer.Argument(callback=within(MAX_TIERS - 1), help="The tier.")],
    after: After = 0,
    reason: Reason = "",
) -> None:
    """Set an account's fee tier. A higher tier may count at once, a lower one needs the notice."""
    from bizzan.operator import OperatorError, Reach, change_account

    values = {"tier": number, "effective_at": _from_now(after)}
    try:
        seq = change_account(Reach.of(load_settings()), account, "set_account_tier", values, reason=reason)
    except OperatorError as error:
        raise SupervisorError(str(error)) from None
    console.print(f"{account} has tier {number} {_when(after)}, set at journal sequence {seq}")


@commands.command()
def tiers() -> None:
    """List the accounts that were given a tier; all others have tier 0."""
    from bizzan import operator

    try:
        rows = operator.tiers(load_settings().database_url())
    except operator.OperatorError as error:
        raise SupervisorError(str(error)) from None
    table = Table("account", "tier", "from")
    for account, number, effective_at in rows:
        table.add_row(account, str(number), _time(effective_at))
    console.print(table)


@commands.command()
def show() -> None:
    """Show the schedules in force and those announced."""
    found = read_api(load_settings(), "/v1/fees")
    console.print(f"cap {found['fee_cap_bps']} bps, notice {found['notice_ms'] // 1_000} s")
    table = Table("market", "from", "tier", "maker bps", "taker bps", "floor")
    for market in found["markets"]:
        for schedule in [market["current"], *market["announced"]]:
            for row in _rows(market["symbol"], schedule):
                table.add_row(*row)
    console.print(table)


@commands.command()
def floor(
    symbol: Symbol,
    coin_price: Annotated[str, typer.Option(help="Price of the chain's coin in the market's quote asset.")],
    gas_per_trade: Annotated[int | None, number_option("Gas; by default as paid of late.", least=1)] = None,
    gas_price: Annotated[int | None, number_option("Wei per gas; by default the node's.", least=1)] = None,
) -> None:
    """Compute a floor with which a taker's order pays for the gas of its trade."""
    settings = load_settings()
    decimals, asset = _quote_of(settings, symbol)
    wei = _wei_per_trade(settings, gas_per_trade, gas_price)
    amount = floor_for(wei, _price(coin_price), decimals)
    text = format_amount(amount, decimals)
    console.print(f"a trade costs {wei} wei to settle: a floor of {text} {asset} ({amount} ledger units) pays for it")


@commands.command()
def batches(limit: Annotated[int, number_option("So many batches.", most=500, least=1)] = 20) -> None:
    """Show what the last batches charged, collected on chain, and cost in gas."""
    settings = load_settings()
    decimals = {asset["asset_id"]: asset["decimals"] for asset in read_api(settings, "/v1/exchange")["assets"]}
    table = Table("batch", "status", "trades", "charged", "collected", "gas (coins)")
    for batch in read_api(settings, f"/v1/fees/batches?limit={limit}")["batches"]:
        amounts = [
            " ".join(
                f"{format_amount(int(fee[name]), decimals[fee['asset_id']])} {fee['symbol']}" for fee in batch["fees"]
            )
            for name in ("charged", "collected")
        ]
        gas = format_amount(int(batch["gas_wei"]), WEI_DECIMALS) if batch["gas_wei"] else ""
        table.add_row(str(batch["batch"]), batch["status"], str(batch["trades"]), *amounts, gas)
    console.print(table)


def _amounts(fees: list[dict[str, Any]], name: str, decimals: Mapping[int, int]) -> str:
    return " ".join(f"{format_amount(int(fee[name]), decimals[fee['asset_id']])} {fee['symbol']}" for fee in fees)


def _quote_of(settings: Settings, symbol: str) -> tuple[int, str]:
    """Decimals and symbol of a market's quote asset."""
    there = read_api(settings, "/v1/exchange")
    assets = {asset["asset_id"]: asset for asset in there["assets"]}
    wanted = symbol.upper().replace("/", "-")
    for market in there["markets"]:
        if wanted in (market["symbol"], str(market["market_id"])):
            quote = assets[market["quote_asset"]]
            return quote["decimals"], quote["symbol"]
    raise SupervisorError(f"there is no market {symbol}: see 'bizzan fees show'")


def _wei_per_trade(settings: Settings, gas_per_trade: int | None, gas_price: int | None) -> int:
    """What one trade costs: as given, else as the last batches paid, else as measured at the node's gas price."""
    if gas_per_trade is None and gas_price is None:
        measured = wei_per_trade(read_api(settings, "/v1/fees/batches?limit=100")["batches"])
        if measured is not None:
            return measured
    return (gas_per_trade or GAS_PER_TRADE) * (gas_price or _gas_price(settings))


def _gas_price(settings: Settings) -> int:
    from exchange.chain.rpc import ChainError, Rpc

    async def ask() -> int:
        async with Rpc(settings.rpc_url) as rpc:
            return int(await rpc.call("eth_gasPrice", returns=str), 16)

    try:
        return asyncio.run(ask())
    except ChainError as error:
        raise SupervisorError(f"the node does not tell its gas price ({error}): name one with --gas-price") from None


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or price <= 0:
        raise SupervisorError(f"--coin-price must be a positive number, not {text}")
    return price


def _rows(symbol: str, schedule: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            symbol,
            _time(schedule["effective_at"]),
            str(row["tier"]),
            str(Decimal(row["maker_fee_ppm"]) / PPM_PER_BPS),
            str(Decimal(row["taker_fee_ppm"]) / PPM_PER_BPS),
            schedule["floor"],
        )
        for row in schedule["tiers"]
    ]


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds // 1_000, UTC):%Y-%m-%d %H:%M:%S}"


def _post_market(symbol: str, values: Callable[[Any], Mapping[str, object]], reason: str) -> tuple[str, int]:
    from bizzan.operator import OperatorError, Reach, change_market

    try:
        return change_market(Reach.of(load_settings()), symbol, "announce_fees", values, reason=reason)
    except (OperatorError, Refusal) as error:
        raise SupervisorError(str(error)) from None


def _pair(text: str) -> tuple[str, str]:
    maker, colon, taker = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"a tier is maker:taker in basis points, such as 2:5, not {text}")
    return maker, taker


def _rate(tier: str, text: str) -> int:
    """Basis points as people write them, in parts per million."""
    try:
        rate = Decimal(text) * PPM_PER_BPS
    except InvalidOperation:
        raise typer.BadParameter(f"a tier is maker:taker in basis points, such as 2:5, not {tier}") from None
    if not rate.is_finite() or not 0 <= rate <= PPM or rate != rate.to_integral_value():
        raise typer.BadParameter(f"a rate is 0 to {BPS} basis points, with at most two decimals, not {text}")
    return int(rate)


def _from_now(after: int) -> int:
    return (time.time_ns() // 1_000_000 + after * 1_000) if after else 0


def _when(after: int) -> str:
    return f"in {after} s" if after else "at once"
