"""How far a fill is: what the journal says and where its settlement stands."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database import trades
from exchange.database.engine import create_engine
from exchange.database.tables import batch, batch_settled, cursor, trade

CHAIN, OWNER = 31_337, 7
TRADE = {
    "trade_id": 1,
    "seq": 3,
    "market_id": 1,
    "price": 10,
    "quantity": 2,
    "quote": 20,
    "taker_side": 0,
    "maker_order_id": 1,
    "taker_order_id": 2,
    "maker_account_id": OWNER,
    "taker_account_id": 8,
    "maker_fee": 0,
    "taker_fee": 0,
    "batch": 4,
    "at_ms": 1,
}
BATCH = {
    "batch": 4,
    "from_seq": 0,
    "to_seq": 3,
    "prev_head": b"",
    "new_head": b"",
    "status": "final",
    "cut_seq": 4,
}
POSITION = {"name": "mirror", "number": 60, "hash": b"", "confirmed_number": 57, "status": "live"}


def settled_in(block: int) -> dict[str, object]:
    row = {"block_hash": block.to_bytes(32), "log_index": 0, "block_number": block, "tx_hash": b"\1" * 32, "seq": 4}
    return row | {"chain_id": CHAIN, "prev_head": b"", "new_head": b"", "executions": 2}


@pytest.mark.parametrize("final", [30, 36])
async def test_a_final_fill_is_final_while_its_settlement_stands(database_url: str, final: int) -> None:
    engine = create_engine(database_url, pool_size=1)
    async with engine.begin() as conn:
        await conn.execute(insert(trade).values(TRADE))
        await conn.execute(insert(batch).values(BATCH))
        await conn.execute(insert(cursor).values(POSITION | {"chain_id": CHAIN, "finalized_number": final}))
        await conn.execute(insert(batch_settled).values(settled_in(30)))
        assert await status(conn) == "final"
        await conn.execute(delete(batch_settled))  # a reorganisation past finality
        assert await status(conn) == "submitted"
        await conn.execute(insert(batch_settled).values(settled_in(50)))
        assert await status(conn) == "settled"
        await conn.execute(update(cursor).values(finalized_number=50))
        assert await status(conn) == "final"
    await engine.dispose()


async def status(conn: AsyncConnection) -> str:
    (fill,) = await trades.fills_of_account(conn, CHAIN, OWNER)
    found: str = fill.status
    return found
