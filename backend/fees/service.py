"""What orders pay: schedules from the worker's replica, an account's tier from the engine; what batches collected."""

from collections import defaultdict
from typing import Any, Literal

from sqlalchemy import Row

from backend.accounts.service import mirrored
from backend.context import Api, now_ms
from backend.fees import schemas
from backend.wire import checksum, hexed
from exchange.database import fees, positions
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.timeline import Timeline


def fees_view(api: Api) -> schemas.FeesView:
    """All schedules, in force and announced. Refuses while the engine is away, so that nobody signs by a stale one."""
    if not api.feed.ready:
        raise Refusal(ErrorCode.unavailable, "the engine is away: try again in a second")
    return schemas.FeesView(**api.feed.fees.content(), seq=api.feed.seq, server_time=now_ms())


async def tiers_of(api: Api, address: bytes) -> Timeline[int]:
    """An account's tiers by time; an address that the engine does not know has tier 0."""
    try:
        return Timeline((await api.engine.account(address)).tiers)
    except Refusal as refusal:
        if refusal.code is not ErrorCode.unknown_account:
            raise
        return Timeline([(0, 0)])


async def account_fees(api: Api, address: bytes) -> schemas.AccountFees:
    """An account's tier, and its rates in every market."""
    tiers, now = await tiers_of(api, address), now_ms()
    tier = tiers.at(now)
    rows = []
    for market in api.deployment.markets:
        schedule = api.feed.fees.now(market.market_id)
        maker, taker = schedule.rates(tier)
        rows.append(
            schemas.OwnRates(
                market=market.market_id,
                symbol=api.name_of(market),
                maker_fee_ppm=maker,
                taker_fee_ppm=taker,
                floor=str(schedule.floor),
            )
        )
    announced = [schemas.TierChange(tier=later, effective_at=at) for at, later in tiers.entries if at > now]
    return schemas.AccountFees(account=checksum(address), tier=tier, announced=announced, markets=rows, server_time=now)


Sums = dict[tuple[int, int], int]
"""Amounts by batch and asset."""


async def batch_page(api: Api, before: int | None, limit: int) -> schemas.BatchFeesPage:
    """What each batch charged by the journal and collected on chain."""
    chain_id = api.domain.chain_id
    async with api.reading() as connection:
        rows = await fees.batches(connection, chain_id, before=before, limit=limit)
        span = (rows[-1].batch, rows[0].batch) if rows else (0, 0)
        charged = await fees.charged(connection, *span)
        collected = await fees.collected(connection, chain_id, *span)
        position = await positions.read(connection, chain_id)
    due = {(row.batch, row.asset_id): int(row.fees) for row in charged}
    got = {(row.batch, row.asset_id): int(row.fees) for row in collected}
    trades: defaultdict[int, int] = defaultdict(int)
    for row in charged:
        trades[row.batch] += row.trades
    return schemas.BatchFeesPage(
        treasury=api.deployment.fee_account,
        batches=[_batch(api, row, position.finalized_block, trades[row.batch], due, got) for row in rows],
        next_before=rows[-1].batch if len(rows) == limit else None,
        **mirrored(position),
    )


def _batch(api: Api, row: Row[Any], finalized: int, trades: int, due: Sums, got: Sums) -> schemas.BatchFees:
    status: Literal["cut", "settled", "final"] = "cut"
    if row.tx_hash is not None:  # what a reorganisation past finality took back is not final any more
        status = "final" if row.status == "final" and row.block_number <= finalized else "settled"
    assets = sorted({asset for batch, asset in due.keys() | got.keys() if batch == row.batch})
    return schemas.BatchFees(
        batch=row.batch,
        status=status,
        trades=trades,
        tx_hash=None if row.tx_hash is None else hexed(row.tx_hash),
        block_number=row.block_number,
        gas_wei=None if row.gas_wei is None else str(row.gas_wei),
        fees=[
            schemas.AssetFees(
                asset_id=asset,
                symbol=api.deployment.asset(asset).symbol,
                charged=str(due.get((row.batch, asset), 0)),
                collected=str(got.get((row.batch, asset), 0)),
            )
            for asset in assets
        ],
    )


async def totals(api: Api) -> schemas.FeeTotals:
    """What was collected since the beginning."""
    async with api.reading() as connection:
        found = await fees.totals(connection, api.domain.chain_id)
        position = await positions.read(connection, api.domain.chain_id)
    return schemas.FeeTotals(
        treasury=api.deployment.fee_account,
        assets=[
            schemas.AssetTotal(asset_id=asset, symbol=api.deployment.asset(asset).symbol, collected=str(amount))
            for asset, amount in sorted(found.collected.items())
        ],
        batches=found.batches,
        gas_wei=str(found.gas_wei),
        **mirrored(position),
    )
