"""What an audit reads: everything that chain and journal can contradict, in one consistent transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.database import operator_log
from exchange.database.engine_inbox import InboxRow
from exchange.database.mirror import NEW
from exchange.database.operator_log import Asked
from exchange.database.tables import (
    account,
    account_tier,
    balance,
    batch,
    chain_balance,
    cursor,
    engine_inbox,
    fee_schedule,
    orders,
    projection,
    reversal,
    trade,
)

ORDER_COLUMNS = ("order_id", "account_id", "market_id", "order_hash", "status", "filled", "remaining")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database at one moment: positions, rows that mirror the journal, balances of the chain, the open inbox,
    how long the operators' log is, what it says was asked of the engine, and what in the database contradicts it.

    `block_hash` is 32 bytes; heights as in the table `cursor`. Rows are mappings by column. `status_keys` are the keys
    under which the inbox has markets' changes of status, by id.
    """

    block_number: int
    block_hash: bytes
    confirmed_number: int
    finalized_number: int
    journal_seq: int
    journal_head: bytes
    accounts: Sequence[RowMapping]
    balances: Sequence[RowMapping]
    orders: Sequence[RowMapping]
    trades: Sequence[RowMapping]
    reversals: Sequence[RowMapping]
    batches: Sequence[RowMapping]
    fee_schedules: Sequence[RowMapping]
    account_tiers: Sequence[RowMapping]
    chain_balances: Sequence[RowMapping]
    pending: Sequence[InboxRow]
    operator_entries: int
    operator_breaks: Sequence[str]
    operator_asked: Sequence[Asked]
    status_keys: Mapping[int, str]


async def snapshot(engine: AsyncEngine, chain_id: int) -> Snapshot | None:
    """Read it all; None while the chain or the journal has no mirror yet.

    One that is being made anew is none: the journal knows of blocks that it does not have.
    """
    async with engine.connect() as plain:
        conn = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        at = (await conn.execute(select(cursor).where(cursor.c.chain_id == chain_id))).first()
        journal = (await conn.execute(select(projection))).first()
        if at is None or journal is None or at.status == NEW:
            return None
        on_chain = select(chain_balance).where(chain_balance.c.chain_id == chain_id)
        return Snapshot(
            block_number=at.number,
            block_hash=bytes(at.hash),
            confirmed_number=at.confirmed_number,
            finalized_number=at.finalized_number,
            journal_seq=journal.seq,
            journal_head=bytes(journal.head),
            accounts=await _all(conn, account),
            balances=await _all(conn, balance),
            orders=(await conn.execute(select(*(orders.c[name] for name in ORDER_COLUMNS)))).mappings().all(),
            trades=await _all(conn, trade),
            reversals=await _all(conn, reversal),
            batches=await _all(conn, batch),
            fee_schedules=await _all(conn, fee_schedule),
            account_tiers=await _all(conn, account_tier),
            chain_balances=(await conn.execute(on_chain)).mappings().all(),
            pending=await _pending(conn),
            operator_entries=(await operator_log.head(conn))[0],
            operator_breaks=await operator_log.breaks(conn),
            operator_asked=await operator_log.asked(conn),
            status_keys=await operator_log.command_keys(conn, ["set_market_status"]),
        )


async def _all(conn: AsyncConnection, table: Table) -> Sequence[RowMapping]:
    return (await conn.execute(select(table))).mappings().all()


async def _pending(conn: AsyncConnection) -> list[InboxRow]:
    query = (
        select(engine_inbox.c.id, engine_inbox.c.kind, engine_inbox.c.payload)
        .where(engine_inbox.c.applied_seq.is_(None), engine_inbox.c.refusal.is_(None))
        .order_by(engine_inbox.c.id)
    )
    return [InboxRow(row.id, row.kind, row.payload) for row in await conn.execute(query)]
