"""What the operator reads of tiers."""

from __future__ import annotations

import asyncio

from sqlalchemy import insert

from bizzan import operator
from exchange.database.engine import create_engine
from exchange.database.tables import account, account_tier
from exchange.domain.deployment import checksum

OWNER = b"\x11" * 20


def test_tiers_are_listed_in_the_order_of_the_journal(database_url: str) -> None:
    async def write() -> None:
        engine = create_engine(database_url, pool_size=1)
        async with engine.begin() as conn:
            await conn.execute(insert(account).values(account_id=1, address=OWNER, status="active", min_nonce=0))
            for seq, tier in ((9, 0), (7, 2)):
                row = {"seq": seq, "account_id": 1, "announced_at": 1, "effective_at": seq * 1_000, "tier": tier}
                await conn.execute(insert(account_tier).values(row))
        await engine.dispose()

    asyncio.run(write())
    assert operator.tiers(database_url) == [(checksum(OWNER), 2, 7_000), (checksum(OWNER), 0, 9_000)]
