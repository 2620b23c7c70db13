"""Markets as the engine knows them."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import market


async def symbols(conn: AsyncConnection) -> dict[str, int]:
    """Every market's id by its symbol (`BTC/USDC`)."""
    rows = await conn.execute(select(market.c.symbol, market.c.market_id).order_by(market.c.market_id))
    return {row.symbol: row.market_id for row in rows}
