"""Cases of surveillance, the links between accounts that it goes by, and how far it is: queries."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import surveillance_case, surveillance_position

_C = surveillance_case.c
# From the accounts to the keys and payers beside them, and from each of these on to its other accounts: the indexes
# are stepped through from one account to the next, so a look costs by what it finds and not by what there is. One link
# above the most that tell is enough to know that there are too many.
_LINKS = """
with recursive near as (
    select delegate as key from delegate
    where chain_id = :chain_id and kind = 'added' and account = any(cast(:accounts as bytea[]))
    union
    select sender from deposit
    where chain_id = :chain_id and sender <> account and account = any(cast(:accounts as bytea[]))
    union
    select unnest(cast(:accounts as bytea[]))
), link as (
    select found.kind, found.account, near.key, count(*) over (partition by near.key) as linked
    from near cross join lateral (
        (with recursive paid as (
            (select account from deposit
             where sender = near.key and chain_id = :chain_id and account <> near.key order by account limit 1)
            union all
            select (select d.account from deposit d
                    where d.sender = near.key and d.account > paid.account
                      and d.chain_id = :chain_id and d.account <> near.key
                    order by d.account limit 1)
            from paid where paid.account is not null
        ) select 'funder' as kind, account from paid where account is not null limit :linked + 1)
        union all
        (with recursive signed as (
            (select account from delegate
             where delegate = near.key and chain_id = :chain_id and kind = 'added' order by account limit 1)
            union all
            select (select d.account from delegate d
                    where d.delegate = near.key and d.account > signed.account
                      and d.chain_id = :chain_id and d.kind = 'added'
                    order by d.account limit 1)
            from signed where signed.account is not null
        ) select 'signer', account from signed where account is not null limit :linked + 1)
    ) as found
)
select kind, account, key from link where linked <= :linked order by key, account, kind limit :most
"""
MOST_LINKS = 20_000


class Position(NamedTuple):
    """The first sequence of the window that was looked at last, and the time up to which it was, in milliseconds."""

    from_seq: int
    until_ms: int


class Link(NamedTuple):
    """A key that signs for an account, or an address that paid for it."""

    kind: str
    account: bytes
    key: bytes


async def position(conn: AsyncConnection) -> Position:
    """Where surveillance goes on."""
    columns = surveillance_position.c
    row = (await conn.execute(select(columns.from_seq, columns.until_ms))).first()
    return Position(*row) if row else Position(1, 0)


async def move(conn: AsyncConnection, to: Position) -> None:
    """Note how far it is."""
    values = {"id": 1, **to._asdict()}
    statement = insert(surveillance_position).values(values)
    await conn.execute(statement.on_conflict_do_update(index_elements=["id"], set_=to._asdict()))


async def links(conn: AsyncConnection, chain_id: int, accounts: Collection[bytes], linked: int) -> list[Link]:
    """What ties these accounts to others, and the others that the same keys and payers are tied to.

    A key or payer with more than `linked` links is left out, or one payer of very many would hide all others.
    """
    if not accounts:
        return []
    values = {"chain_id": chain_id, "accounts": sorted(accounts), "linked": linked, "most": MOST_LINKS}
    return [Link(*row) for row in await conn.execute(text(_LINKS), values)]


async def known(conn: AsyncConnection, subjects: Collection[str]) -> Mapping[str, int]:
    """The last sequence of what is known about each subject."""
    query = (
        select(_C.subject, func.max(_C.last_seq).label("last_seq")).where(_C.subject.in_(subjects)).group_by(_C.subject)
    )
    return {row.subject: row.last_seq for row in await conn.execute(query)}


async def add(conn: AsyncConnection, cases: Sequence[Mapping[str, Any]]) -> None:
    """Add cases; one that is there stays as it is."""
    if cases:
        await conn.execute(insert(surveillance_case).on_conflict_do_nothing(), cases)


async def exists(conn: AsyncConnection, case_id: int) -> bool:
    """Whether there is such a case."""
    return (await conn.execute(select(_C.case_id).where(_C.case_id == case_id))).first() is not None


async def page(
    conn: AsyncConnection, before: int | None, limit: int, pattern: str | None = None, account: bytes | None = None
) -> Sequence[Row[Any]]:
    """Cases, latest first; of one pattern, or about one account."""
    query = select(surveillance_case).order_by(_C.case_id.desc()).limit(limit)
    if before is not None:
        query = query.where(_C.case_id < before)
    if pattern is not None:
        query = query.where(_C.pattern == pattern)
    if account is not None:
        query = query.where(_C.accounts.contains(["0x" + account.hex()]))
    return (await conn.execute(query)).all()
