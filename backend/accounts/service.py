"""An account's money: the engine's view and the contract's, side by side in one transaction."""

import asyncio
from typing import Any, Literal

from sqlalchemy import Row

from backend.accounts import schemas
from backend.context import Api
from backend.wire import checksum, hexed
from exchange.database import balances, deposit_addresses, deposits, orders, positions, trades
from exchange.database.positions import Position
from exchange.domain.deployment import address_bytes
from exchange.domain.deposit_address import deposit_address
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Side
from exchange.engine.brakes import BY_OPERATOR, BY_OWNER

_ENGINE = ("available", "held", "reserved", "unsettled", "deficit")
ENGINE_SECONDS = 2.0
"""An engine that has not answered by then counts as away: what the mirror has is told all the same."""


async def account_view(api: Api, address: bytes) -> schemas.AccountView:
    """Status and balances in every asset."""
    chain_id = api.domain.chain_id
    async with api.reading() as connection:
        row = await balances.account_row(connection, address)
        owned = [] if row is None else await balances.of_account(connection, row.account_id)
        held = await balances.on_chain(connection, chain_id, address)
        uncredited = await balances.uncredited(connection, chain_id, address)
        position = await positions.read(connection, chain_id)
    brakes, limits = await _brakes(api, address)
    in_engine = {balance.asset_id: balance for balance in owned}
    in_contract = {balance.token_id: balance for balance in held}
    return schemas.AccountView(
        account=checksum(address),
        status="unknown" if row is None else row.status,
        min_nonce="0" if row is None else str(row.min_nonce),
        balances=[_balance(api, asset.asset_id, in_engine, in_contract, uncredited) for asset in api.deployment.assets],
        brakes=brakes,
        limits=limits,
        **mirrored(position),
    )


async def _brakes(api: Api, address: bytes) -> tuple[schemas.BrakesView | None, schemas.OpenLimitsView | None]:
    """What the engine says of an account's brakes and limits; None while it is away, or of what it does not know."""
    stops = countdown = 0
    limits = None
    try:
        async with asyncio.timeout(ENGINE_SECONDS):
            view = await api.engine.account(address)
        stops, countdown = view.stops, view.countdown
        by_asset = {str(asset): str(most) for asset, most in view.max_open_notional}
        limits = schemas.OpenLimitsView(
            max_open_orders=view.max_open_orders,
            own_max_open_orders=view.own_max_open_orders,
            max_open_notional=by_asset,
        )
    except Refusal as refusal:
        if refusal.code != ErrorCode.unknown_account:
            return None, None
    except TimeoutError:
        return None, None
    brakes = schemas.BrakesView(
        trading_stopped_by_owner=bool(stops & BY_OWNER),
        trading_stopped_by_operator=bool(stops & BY_OPERATOR),
        countdown_at=countdown,
    )
    return brakes, limits


async def deposit_address_view(api: Api, address: bytes) -> schemas.DepositAddressView:
    """The account's deposit address, which the keeper looks at from now on."""
    deployment = api.deployment
    async with api.writing() as connection:
        await deposit_addresses.watch(connection, deployment.chain_id, address)
    return schemas.DepositAddressView(
        account=checksum(address),
        deposit_address=checksum(deposit_address(address_bytes(deployment.deposit_addresses), address)),
        factory=deployment.deposit_addresses,
        chain_id=deployment.chain_id,
        tokens=[
            schemas.SweptTokenView(
                token_id=token.token_id,
                asset_id=token.asset_id,
                symbol=deployment.asset(token.asset_id).symbol,
                token=token.address,
                minimum=str(api.sweep_floors[token.token_id]),
            )
            for token in deployment.tokens
        ],
    )


def _balance(
    api: Api,
    asset_id: int,
    in_engine: dict[int, Row[Any]],
    in_contract: dict[int, Row[Any]],
    uncredited: dict[int, int],
) -> schemas.BalanceView:
    token = api.deployment.token_of_asset(asset_id)
    engine, contract = in_engine.get(asset_id), in_contract.get(token.token_id)
    amounts = {name: 0 if engine is None else int(getattr(engine, name)) for name in _ENGINE}
    return schemas.BalanceView(
        asset_id=asset_id,
        symbol=api.deployment.asset(asset_id).symbol,
        withdrawable=str(max(0, amounts["available"] - amounts["unsettled"])),
        uncredited=str(uncredited.get(token.token_id, 0)),
        trading_on_chain=str(0 if contract is None else contract.trading),
        funding_on_chain=str(0 if contract is None else contract.funding),
        **{name: str(amount) for name, amount in amounts.items()},
    )


def mirrored(position: Position) -> dict[str, int]:
    """How far the mirror is, as every answer from it says."""
    return {
        "indexed_block": position.indexed_block,
        "finalized_block": position.finalized_block,
        "journal_seq": position.journal_seq,
    }


async def fill_page(
    api: Api, address: bytes, market: str | None, order_id: int | None, before: int | None, limit: int
) -> schemas.FillPage:
    """Fills of one account, latest first."""
    market_id = None if market is None else api.market(market).market_id
    async with api.reading() as connection:
        owner = await orders.account_id(connection, address)
        rows = (
            []
            if owner is None
            else await trades.fills_of_account(
                connection,
                api.domain.chain_id,
                owner,
                market_id=market_id,
                order_id=order_id,
                before=before,
                limit=limit,
            )
        )
        position = await positions.read(connection, api.domain.chain_id)
    return schemas.FillPage(
        fills=[_fill(row) for row in rows],
        next_before=rows[-1].trade_id if len(rows) == limit else None,
        **mirrored(position),
    )


def _fill(row: Row[Any]) -> schemas.FillView:
    return schemas.FillView(
        trade_id=row.trade_id,
        order_id=row.order_id,
        market=row.market_id,
        side="sell" if row.side == Side.sell else "buy",
        role=row.role,
        price=str(row.price),
        quantity=str(row.quantity),
        quote=str(row.quote),
        fee=str(row.fee),
        at=row.at_ms,
        status=row.status,
        batch=row.batch,
        tx_hash=None if row.tx_hash is None else hexed(row.tx_hash),
        block_number=row.block_number,
        reversed_because=row.reversed_cause,
        reversed_with=row.because_of or None,
    )


async def deposit_page(api: Api, address: bytes, before: str | None, limit: int) -> schemas.DepositPage:
    """Deposits of one account, latest first."""
    place = None if before is None else _place(before)
    async with api.reading() as connection:
        rows = await deposits.of_account(connection, api.domain.chain_id, address, before=place, limit=limit)
        position = await positions.read(connection, api.domain.chain_id)
    return schemas.DepositPage(
        deposits=[_deposit(api, row, position) for row in rows],
        next_before=f"{rows[-1].block_number}:{rows[-1].log_index}" if len(rows) == limit else None,
        **mirrored(position),
    )


def _deposit(api: Api, row: Row[Any], position: Position) -> schemas.DepositView:
    status: Literal["in_funding", "credited", "confirming"] = "confirming"
    if row.to_funding:
        status = "in_funding"
    elif row.credit_inbox_id is not None:
        status = "credited"
    return schemas.DepositView(
        kind=row.kind,
        token_id=row.token_id,
        asset_id=next((t.asset_id for t in api.deployment.tokens if t.token_id == row.token_id), None),
        amount=str(row.amount),
        to_funding=row.to_funding,
        sender=checksum(row.sender),
        tx_hash=hexed(row.tx_hash),
        block_number=row.block_number,
        log_index=row.log_index,
        status=status,
        confirmations=max(0, position.indexed_block - row.block_number + 1),
    )


def _place(text: str) -> tuple[int, int]:
    block, _, index = text.partition(":")
    if not (block.isascii() and block.isdecimal() and index.isascii() and index.isdecimal()):
        raise Refusal(ErrorCode.malformed, "before must be a next_before of this list", "before")
    if int(block) >> 63 or int(index) >> 31:
        raise Refusal(ErrorCode.malformed, "before must be a next_before of this list", "before")
    return int(block), int(index)
