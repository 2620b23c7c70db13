"""How far the mirror is: of the chain, and of the journal."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.mirror import LIVE
from exchange.database.tables import block, cursor, projection


@dataclass(frozen=True, slots=True)
class Position:
    """Heights and sequence up to which the rows of one transaction are true; 0 before the first.

    `indexed_at` is the time of the indexed block in unix seconds, `journal_at` of the projected record in
    milliseconds. `follows_chain` is False while the indexer reads what is new to it, or what a deep reorg replaced.
    """

    indexed_block: int
    finalized_block: int
    indexed_at: int
    journal_seq: int
    journal_at: int
    follows_chain: bool


async def read(conn: AsyncConnection, chain_id: int) -> Position:
    """The position of the mirror that this transaction sees."""
    chain = (
        select(cursor.c.number, cursor.c.finalized_number, cursor.c.status, block.c.timestamp)
        .outerjoin(block, (block.c.hash == cursor.c.hash) & (block.c.chain_id == cursor.c.chain_id))
        .where(cursor.c.chain_id == chain_id)
        .order_by(cursor.c.number)
        .limit(1)
        .subquery("chain")
    )
    journal = select(projection.c.seq, projection.c.at_ms).order_by(projection.c.seq).limit(1).subquery("journal")
    zero = select(func.coalesce(0, 0).label("zero")).subquery("zero")
    row = (
        await conn.execute(
            select(
                func.coalesce(chain.c.number, 0).label("indexed_block"),
                func.coalesce(chain.c.finalized_number, 0).label("finalized_block"),
                func.coalesce(chain.c.timestamp, 0).label("indexed_at"),
                func.coalesce(journal.c.seq, 0).label("journal_seq"),
                func.coalesce(journal.c.at_ms, 0).label("journal_at"),
                func.coalesce(chain.c.status == LIVE, True).label("follows_chain"),
            ).select_from(zero.outerjoin(chain, zero.c.zero == 0).outerjoin(journal, zero.c.zero == 0))
        )
    ).one()
    return Position(*row)
