"""The engine's inbox: commands from the chain side, in one order, each once.

Ids are given under an advisory lock that lasts until the poster's transaction ends, so the order of
ids is the order of commits: a reader that has seen id n will never see a smaller one appear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import engine_inbox

INBOX_LOCK = 0x696E626F
CHANNEL = "engine_inbox"


OPERATOR = "operator:"
"""What the keys of an operator's own commands start with."""
REPLAYED = "replayed:"
"""What the keys start with that are made up for an inbox which was lost."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One command. `kind` is the command's class name in snake_case, `payload` its fields without `inbox_id`."""

    id: int
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Post:
    """A command to append; bytes in `payload` become 0x hex, amounts are integers."""

    kind: str
    payload: Mapping[str, object]
    dedup_key: str


async def hold(conn: AsyncConnection) -> None:
    """Keep everybody else from posting until the transaction ends."""
    await conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": INBOX_LOCK})


async def post(conn: AsyncConnection, kind: str, payload: Mapping[str, object], dedup_key: str) -> int:
    """Append a command and return its id; a `dedup_key` that was posted before returns the id it had.

    Bytes in `payload` become 0x hex. Amounts are integers. Takes part in the caller's transaction.
    """
    return (await post_many(conn, [Post(kind, payload, dedup_key)]))[0]


async def post_many(conn: AsyncConnection, posts: Sequence[Post]) -> list[int]:
    """Append commands in order and return their ids, as `post` does for one."""
    if not posts:
        return []
    await hold(conn)
    keys = [item.dedup_key for item in posts]
    query = select(engine_inbox.c.dedup_key, engine_inbox.c.id).where(engine_inbox.c.dedup_key.in_(keys))
    ids: dict[str, int] = {row.dedup_key: row.id for row in await conn.execute(query)}
    last = int(await conn.scalar(select(func.coalesce(func.max(engine_inbox.c.id), 0))) or 0)
    rows = []
    for item in posts:
        if item.dedup_key not in ids:
            last += 1
            ids[item.dedup_key] = last
            rows.append({"id": last, "kind": item.kind, "payload": encode(item.payload), "dedup_key": item.dedup_key})
    if rows:
        await conn.execute(engine_inbox.insert(), rows)
        await conn.execute(text("select pg_notify(:channel, '')"), {"channel": CHANNEL})
    return [ids[key] for key in keys]


async def pending(conn: AsyncConnection, after: int, limit: int = 1_000) -> Sequence[InboxRow]:
    """Commands with an id above `after` that are neither applied nor refused, in order."""
    query = (
        select(engine_inbox.c.id, engine_inbox.c.kind, engine_inbox.c.payload)
        .where(
            engine_inbox.c.id > after,
            engine_inbox.c.applied_seq.is_(None),
            engine_inbox.c.refusal.is_(None),
        )
        .order_by(engine_inbox.c.id)
        .limit(limit)
    )
    return [InboxRow(row.id, row.kind, row.payload) for row in await conn.execute(query)]


async def last_id(conn: AsyncConnection) -> int:
    """The id of the last command that was posted; 0 for none."""
    return (await conn.execute(select(func.max(engine_inbox.c.id)))).scalar_one() or 0


async def outcome(conn: AsyncConnection, inbox_id: int) -> tuple[int | None, dict[str, Any] | None]:
    """The journal sequence of command `inbox_id` or the refusal it met; neither while it waits."""
    query = select(engine_inbox.c.applied_seq, engine_inbox.c.refusal).where(engine_inbox.c.id == inbox_id)
    row = (await conn.execute(query)).one()
    return row.applied_seq, row.refusal


async def mark_applied(conn: AsyncConnection, inbox_id: int, seq: int) -> None:
    """Record the journal sequence at which command `inbox_id` was applied."""
    await conn.execute(update(engine_inbox).where(engine_inbox.c.id == inbox_id).values(applied_seq=seq))


async def mark_refused(conn: AsyncConnection, inbox_id: int, refusal: Mapping[str, object]) -> None:
    """Record that the engine refused command `inbox_id`, and why (`Refusal.as_dict()`)."""
    await conn.execute(update(engine_inbox).where(engine_inbox.c.id == inbox_id).values(refusal=dict(refusal)))


def encode(payload: Mapping[str, object]) -> dict[str, object]:
    """The payload as JSON holds it: bytes as 0x hex, tuples as lists."""
    return {name: _encode(value) for name, value in payload.items()}


def _encode(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    return value
