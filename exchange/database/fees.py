"""Reads of fees: what batches charged and collected, and what their gas cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import account, account_tier, attempt, batch, batch_settled, fees_collected, market, trade


@dataclass(frozen=True, slots=True)
class FeeTotals:
    """Fees collected on chain by quote asset, in ledger units, and wei paid for `batches` that settled."""

    collected: dict[int, int]
    gas_wei: int
    batches: int


async def batches(
    conn: AsyncConnection, chain_id: int, *, before: int | None = None, limit: int = 100
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Batches, latest first: `batch`, `status`, `tx_hash`, `block_number`, `gas_wei` (null until it is known)."""
    settled = _settled(chain_id)
    query = (
        select(
            batch.c.batch, batch.c.status, settled.c.tx_hash, settled.c.block_number, attempt.c.cost.label("gas_wei")
        )
        .outerjoin(settled, settled.c.seq == batch.c.batch)
        .outerjoin(attempt, attempt.c.tx_hash == settled.c.tx_hash)
        .order_by(batch.c.batch.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(batch.c.batch < before)
    return (await conn.execute(query)).all()


async def charged(conn: AsyncConnection, first: int, last: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """`batch`, `asset_id`, `fees` and `trades` that the journal charged in batches [first, last]."""
    query = (
        select(
            trade.c.batch,
            market.c.quote_asset.label("asset_id"),
            func.sum(trade.c.maker_fee + trade.c.taker_fee).label("fees"),
            func.count().label("trades"),
        )
        .join(market, market.c.market_id == trade.c.market_id)
        .where(trade.c.batch >= first, trade.c.batch <= last, trade.c.reversed_cause.is_(None))
        .group_by(trade.c.batch, market.c.quote_asset)
    )
    return (await conn.execute(query)).all()


async def collected(conn: AsyncConnection, chain_id: int, first: int, last: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """`batch`, `asset_id` and `fees` that batches [first, last] collected on chain."""
    settled = _settled(chain_id)
    query = (
        select(
            settled.c.seq.label("batch"),
            market.c.quote_asset.label("asset_id"),
            func.sum(fees_collected.c.amount).label("fees"),
        )
        .join(
            settled,
            and_(settled.c.block_hash == fees_collected.c.block_hash, settled.c.tx_hash == fees_collected.c.tx_hash),
        )
        .join(market, market.c.market_id == fees_collected.c.market_id)
        .where(fees_collected.c.chain_id == chain_id, settled.c.seq >= first, settled.c.seq <= last)
        .group_by(settled.c.seq, market.c.quote_asset)
    )
    return (await conn.execute(query)).all()


async def totals(conn: AsyncConnection, chain_id: int) -> FeeTotals:
    """Everything collected and paid so far."""
    by_asset: Select[Any] = (
        select(market.c.quote_asset, func.sum(fees_collected.c.amount))
        .join(market, market.c.market_id == fees_collected.c.market_id)
        .where(fees_collected.c.chain_id == chain_id)
        .group_by(market.c.quote_asset)
    )
    settled = _settled(chain_id)
    gas = select(func.coalesce(func.sum(attempt.c.cost), 0), func.count()).select_from(
        settled.join(attempt, attempt.c.tx_hash == settled.c.tx_hash)
    )
    sums = {int(asset): int(amount) for asset, amount in await conn.execute(by_asset)}
    gas_wei, paid = (await conn.execute(gas)).one()
    return FeeTotals(sums, int(gas_wei), int(paid))


_DIVERTED = """
select m.symbol from market m join account a on a.account_id = m.fee_account
where m.status <> 'delisted' and '0x' || encode(a.address, 'hex') <> (
    select params ->> 'fee_account' from chain_status where chain_id = :chain_id and kind = 'fee_account_changed'
    order by block_number desc, log_index desc limit 1)
order by m.market_id
"""


async def diverted(conn: AsyncConnection, chain_id: int) -> list[str]:
    """Markets for whose fees the engine credits another account than the contract does, by symbol."""
    return list(await conn.scalars(text(_DIVERTED), {"chain_id": chain_id}))


async def tiers(conn: AsyncConnection) -> Sequence[Row[*tuple[Any, ...]]]:
    """Every account that was given a tier: `address`, `tier`, `effective_at`, `announced_at`, in journal order."""
    query = (
        select(account.c.address, account_tier.c.tier, account_tier.c.effective_at, account_tier.c.announced_at)
        .join(account, account.c.account_id == account_tier.c.account_id)
        .order_by(account_tier.c.seq)
    )
    return (await conn.execute(query)).all()


def _settled(chain_id: int) -> Any:
    columns = [batch_settled.c[name] for name in ("seq", "tx_hash", "block_number", "block_hash")]
    return select(*columns).where(batch_settled.c.chain_id == chain_id).subquery("settled")
