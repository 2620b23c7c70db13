"""Making the database anew: the old tables stand aside until the new ones are complete, so a failure loses nothing.

What journal and chain cannot give back (jobs and their signed transactions, terms of leaders, sign-ins, deposit
addresses that are looked at, cases of surveillance, what operators did and announced) is copied over.
"""

import structlog
from sqlalchemy import Table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database import operator_log as operators
from exchange.database.tables import (
    announcement,
    attempt,
    deposit_address,
    job,
    leader,
    operator_log,
    session,
    siwe_nonce,
    surveillance_case,
)

log = structlog.get_logger()

KEPT = (
    job,
    attempt,
    leader,
    session,
    siwe_nonce,
    deposit_address,
    surveillance_case,
    operator_log,
    announcement,
)
"""Tables with what nothing else remembers. A lost attempt could be mined after its trades were reversed."""
ASIDE = "replaced"
"""The schema in which the old tables wait."""

_OTHERS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""
_SHARED_COLUMNS = """
select column_name from information_schema.columns
where table_schema = :schema and table_name = :table and column_name = any(cast(:names as text[]))
"""


async def other_connections(conn: AsyncConnection) -> int:
    """How many other clients use the database."""
    return int(await conn.scalar(text(_OTHERS)) or 0)


async def put_aside(conn: AsyncConnection) -> None:
    """Start with an empty schema; after a renewal that was killed, with the tables that it had put aside as the old."""
    if await conn.scalar(text("select to_regnamespace(cast(:name as text))"), {"name": ASIDE}) is None:
        await _note_outcomes(conn)
        await conn.execute(text(f"alter schema public rename to {ASIDE}"))
    else:
        await conn.execute(text("drop schema public cascade"))
    await conn.execute(text("create schema public"))


async def _note_outcomes(conn: AsyncConnection) -> None:
    """Log what the engine did of operators' commands while the inbox knows it; old or broken tables prevent nothing."""
    try:
        async with conn.begin_nested():
            await operators.close_all(conn)
    except SQLAlchemyError as error:
        log.warning("outcomes_unknown", reason=str(error)[:300])


async def bring_back(conn: AsyncConnection) -> None:
    """Give up: the old tables are in their place again."""
    await conn.execute(text("drop schema public cascade"))
    await conn.execute(text(f"alter schema {ASIDE} rename to public"))


async def copy_kept(conn: AsyncConnection) -> None:
    """Copy what nothing else remembers from the old tables, in the columns that both have, into the migrated ones."""
    for table in KEPT:
        values = {"schema": ASIDE, "table": table.name, "names": [column.name for column in table.c]}
        names = ", ".join(f'"{name}"' for name in await conn.scalars(text(_SHARED_COLUMNS), values))
        if names:
            await conn.execute(text(f"insert into {table.name} ({names}) select {names} from {ASIDE}.{table.name}"))
    await _continue_ids(conn, job, "job_id")
    await _continue_ids(conn, surveillance_case, "case_id")
    await _continue_ids(conn, announcement, "announcement_id")


async def drop_old(conn: AsyncConnection) -> None:
    """The new tables are complete: the old ones go."""
    await conn.execute(text(f"drop schema {ASIDE} cascade"))


async def _continue_ids(conn: AsyncConnection, table: Table, column: str) -> None:
    """Let new ids follow the copied ones."""
    last = f"(select coalesce(max({column}), 0) + 1 from {table.name})"
    await conn.execute(text(f"select setval(pg_get_serial_sequence('{table.name}', '{column}'), {last}, false)"))
