"""Comparing the projected tables: with the engine, and with one another."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import projection
from exchange.database.tables import JOURNAL, balance, candle, engine_inbox, orders, trade
from exchange.engine.engine import Engine
from exchange.journal.reader import Reader
from exchange.sequencer.metrics import ProjectorMetrics
from exchange.sequencer.projector import Projector
from exchange.sequencer.retry import Retry

Tables = dict[str, list[tuple[Any, ...]]]


async def caught_up(database: AsyncEngine, journal: Path, timeout_seconds: int = 120) -> int:
    """Wait until the database stands at the journal's end; the sequence."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            async with database.connect() as conn:
                position = await projection.position(conn)
            if position.seq == Reader(journal).durable().seq:
                return position.seq
            await asyncio.sleep(0.05)


async def project_all(database: AsyncEngine, journal: Path) -> None:
    """Fill a database from the whole journal, in this process."""
    metrics = ProjectorMetrics()
    task = asyncio.create_task(Projector(journal, database, Retry(metrics), metrics).run())
    try:
        await caught_up(database, journal)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read_tables(database: AsyncEngine) -> Tables:
    """Everything that is projected, and which inbox commands were applied."""
    tables: Tables = {}
    async with database.connect() as conn:
        for table in JOURNAL:
            rows = await conn.execute(select(table).order_by(*table.primary_key.columns))
            tables[table.name] = [tuple(row) for row in rows]
        query = select(engine_inbox.c.id, engine_inbox.c.kind, engine_inbox.c.payload, engine_inbox.c.applied_seq)
        applied = await conn.execute(query.where(engine_inbox.c.applied_seq.is_not(None)).order_by(engine_inbox.c.id))
        tables["engine_inbox"] = [tuple(row) for row in applied]
    return tables


async def assert_equals_engine(database: AsyncEngine, engine: Engine) -> None:
    """Balances, open orders and trades in the database are those of the engine."""
    state = engine.state
    async with database.connect() as conn:
        balances = {
            (row.account_id, row.asset_id): (row.available, row.held, row.reserved, row.unsettled, row.deficit)
            for row in await conn.execute(select(balance))
        }
        open_orders = {
            row.order_id: (row.remaining, row.filled, row.packed)
            for row in await conn.execute(select(orders).where(orders.c.status == "open"))
        }
        trades = (await conn.execute(select(trade).order_by(trade.c.trade_id))).all()
        volumes = (await conn.execute(select(candle).where(candle.c.interval == "1M"))).all()
    for account in state.accounts:
        for asset, held in account.balances.items():
            expected = (held.available, held.held, held.reserved, held.unsettled, held.deficit)
            assert balances.pop((account.account_id, asset), (0, 0, 0, 0, 0)) == expected
    assert balances == {}
    filled: Counter[int] = Counter()
    for row in trades:
        filled.update({row.maker_order_id: row.quantity, row.taker_order_id: row.quantity})
    assert open_orders == {
        order_id: (order.remaining, filled[order_id], order.placed.order.pack())
        for order_id, order in state.orders.items()
    }
    assert [row.trade_id for row in trades] == list(range(1, state.last_trade + 1))
    assert sum(row.trades for row in volumes) == len(trades)
    assert sum(row.quote_volume for row in volumes) == sum(row.quote for row in trades)
