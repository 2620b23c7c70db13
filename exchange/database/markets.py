"""Markets as the engine knows them."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import asset, market


@dataclass(frozen=True, slots=True)
class Known:
    """A market's id, and the asset and decimals of its quote amounts."""

    market_id: int
    quote_symbol: str
    quote_decimals: int


async def known(conn: AsyncConnection) -> dict[str, Known]:
    """Every market by its symbol (`BTC/USDC`)."""
    query = (
        select(market.c.symbol, market.c.market_id, asset.c.symbol.label("quote_symbol"), asset.c.decimals)
        .join(asset, asset.c.asset_id == market.c.quote_asset)
        .order_by(market.c.market_id)
    )
    return {row.symbol: Known(row.market_id, row.quote_symbol, row.decimals) for row in await conn.execute(query)}
