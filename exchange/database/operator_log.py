"""What operators did, append-only: each entry carries the hash of the one before, so that nothing can be taken out.

What was asked is one entry, and what became of it another that `follows` it. The database refuses to change an entry;
whoever changes one all the same breaks the chain from there on, and `breaks` says where.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Row, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database import engine_inbox as inbox
from exchange.database.tables import announcement, engine_inbox, operator_log
from exchange.database.tables.columns import NOW_MS

LOG_LOCK = 0x6F706C67
INBOX_KEY = f"{inbox.OPERATOR}log:"
"""What the key of a command in the engine's inbox starts with, before its entry's id and hash."""
GENESIS = bytes(32)

Outcome = Literal["asked", "done", "applied", "refused", "unknown"]
"""asked: it waits for the engine; done: at once, in this database; the others: what became of what was asked."""

Make = Callable[[], Awaitable[tuple["Entry", str, Mapping[str, object]]]]
"""An entry, its command's kind and values; it refuses by raising."""

_C = operator_log.c


_KEY = func.concat(INBOX_KEY, _C.entry_id, ":", func.encode(_C.hash, "hex"))
"""`key_of` in SQL."""


class ReusedKey(Exception):
    """A command would have been taken for another one that was posted before."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `operator` is empty for the command line of the machine; `details` is JSON without floats."""

    operator: bytes
    action: str
    subject: str
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome = "asked"
    follows: int | None = None
    entry_id: int = 0
    at_ms: int = 0
    prev_hash: bytes = GENESIS
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the engine, what became of it by the log, and its command as long as the inbox knows it."""

    entry: Entry
    outcome: Entry | None
    inbox_id: int | None = None
    kind: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    refusal: Mapping[str, Any] | None = None


def entry_hash(entry: Entry) -> bytes:
    """SHA-256 over the hash of the entry before, and all else that the entry says, as JSON with sorted names."""
    said = {
        "entry_id": entry.entry_id,
        "at_ms": entry.at_ms,
        "operator": "0x" + entry.operator.hex(),
        "action": entry.action,
        "subject": entry.subject,
        "details": entry.details,
        "reason": entry.reason,
        "follows": entry.follows,
        "outcome": entry.outcome,
    }
    return sha256(entry.prev_hash + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()


async def hold(conn: AsyncConnection) -> None:
    """Keep everybody else from appending until the transaction ends, so that ids and hashes stand in one order."""
    await conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOG_LOCK})


async def append(conn: AsyncConnection, entry: Entry) -> Entry:
    """Append an entry after the last one; its place, time and hash are given here. Part of the caller's transaction."""
    await hold(conn)
    last = (await conn.execute(select(_C.entry_id, _C.hash).order_by(_C.entry_id.desc()).limit(1))).first()
    at_ms = int(await conn.scalar(select(NOW_MS)) or 0)
    placed = replace(
        entry,
        entry_id=1 if last is None else last.entry_id + 1,
        at_ms=at_ms,
        prev_hash=GENESIS if last is None else last.hash,
    )
    placed = replace(placed, hash=entry_hash(placed))
    await conn.execute(operator_log.insert().values(_values(placed)))
    return placed


async def ask(conn: AsyncConnection, make: Make) -> tuple[Entry, int]:
    """Append what is asked and post its command, in the caller's transaction; the entry, and the command's id.

    Nobody adds an entry or a command from before `make` looks until the transaction ends. What the chain says is
    written together with its commands, so what `make` allows never overtakes what it did not see. Raises ReusedKey
    when the inbox has a command of such an entry already.
    """
    await hold(conn)
    await inbox.hold(conn)
    entry, kind, values = await make()
    asked = await append(conn, entry)
    last = await inbox.last_id(conn)
    number = await inbox.post(conn, kind, values, key_of(asked))
    if number <= last:
        raise ReusedKey(f"the engine's inbox has a command of entry {asked.entry_id} of the operators' log already")
    return asked, number


def key_of(entry: Entry) -> str:
    """The key of an entry's command: it names the whole entry, so that another one in its place has another command."""
    return f"{INBOX_KEY}{entry.entry_id}:{entry.hash.hex()}"


async def close(conn: AsyncConnection, asked: int, outcome: Outcome, details: Mapping[str, Any]) -> Entry:
    """Append what became of entry `asked`; what was said of it before stays as it is."""
    await hold(conn)
    known = (await conn.execute(select(operator_log).where(_C.follows == asked))).first()
    if known is not None:
        return read(known)
    first = read((await conn.execute(select(operator_log).where(_C.entry_id == asked))).one())
    said = Entry(first.operator, first.action, first.subject, "", details, outcome, asked)
    return await append(conn, said)


async def close_all(conn: AsyncConnection, decided: int = 0) -> int:
    """Append what became of every command that nobody waited for to the end; up to which entry none waits any more.

    Looks above entry `decided` alone: given what it returned last, it reads no more than what is new.
    """
    last, _ = await head(conn)
    waiting = last + 1
    for asked, found in await _undecided(conn, decided if decided <= last else 0):
        if found is None:
            await close(conn, asked, "unknown", {"because": "the database was made anew before its outcome was noted"})
        elif found.applied_seq is not None:
            await close(conn, asked, "applied", {"seq": found.applied_seq})
        elif found.refusal is not None:
            await close(conn, asked, "refused", dict(found.refusal))
        else:
            waiting = min(waiting, asked)
    return waiting - 1


async def page(
    conn: AsyncConnection, before: int | None, limit: int, action: str | None = None, subject: str | None = None
) -> Sequence[Entry]:
    """Entries, latest first; of one action, or about one subject."""
    query = select(operator_log).order_by(_C.entry_id.desc()).limit(limit)
    for column, wanted in ((_C.action, action), (_C.subject, subject)):
        query = query if wanted is None else query.where(column == wanted)
    query = query if before is None else query.where(_C.entry_id < before)
    return [read(row) for row in await conn.execute(query)]


async def latest(conn: AsyncConnection, action: str, subjects: Collection[str]) -> Mapping[str, Entry]:
    """The last entry of an action about each of these subjects."""
    query = (
        select(operator_log)
        .where(_C.action == action, _C.subject.in_(subjects), _C.follows.is_(None))
        .order_by(_C.entry_id)
    )
    return {row.subject: read(row) for row in await conn.execute(query)} if subjects else {}


async def head(conn: AsyncConnection) -> tuple[int, bytes]:
    """How many entries there are, and the hash of the last."""
    row = (await conn.execute(select(_C.entry_id, _C.hash).order_by(_C.entry_id.desc()).limit(1))).first()
    return (0, GENESIS) if row is None else (row.entry_id, row.hash)


async def breaks(conn: AsyncConnection) -> list[str]:
    """What is wrong with the log, in sentences; nothing for one that nobody touched.

    It is held against the keys of the engine's inbox and against the announcements that everybody is shown.
    """
    found, expected, before = [], 1, GENESIS
    async for row in await conn.stream(select(operator_log).order_by(_C.entry_id)):
        entry = read(row)
        if entry.entry_id != expected:
            found.append(f"entries {expected} to {entry.entry_id - 1} of the operators' log are missing")
        elif entry.prev_hash != before:
            found.append(f"entry {entry.entry_id} of the operators' log does not follow the one before it")
        if entry_hash(entry) != entry.hash:
            found.append(f"entry {entry.entry_id} of the operators' log was changed")
        expected, before = entry.entry_id + 1, entry.hash
    found += [f"command {key} of the engine's inbox has no entry" for key in await _unlogged(conn)]
    return found + await _misannounced(conn)


async def asked(conn: AsyncConnection) -> Sequence[Asked]:
    """All that was asked of the engine, in order."""
    closed = {row.follows: read(row) for row in await conn.execute(select(operator_log).where(_C.follows.is_not(None)))}
    command = [engine_inbox.c[name] for name in ("id", "kind", "payload", "refusal")]
    query = (
        select(operator_log, *command)
        .outerjoin(engine_inbox, engine_inbox.c.dedup_key == _KEY)
        .where(_C.outcome == "asked")
        .order_by(_C.entry_id)
    )
    return [
        Asked(read(row), closed.get(row.entry_id), row.id, row.kind or "", row.payload or {}, row.refusal)
        for row in await conn.execute(query)
    ]


async def command_keys(conn: AsyncConnection, kinds: Collection[str]) -> Mapping[int, str]:
    """By their ids, the keys under which commands of some kinds stand in the engine's inbox."""
    query = select(engine_inbox.c.id, engine_inbox.c.dedup_key).where(engine_inbox.c.kind.in_(kinds))
    return {row.id: row.dedup_key for row in await conn.execute(query)}


def read(row: Row[Any]) -> Entry:
    """The entry in a row."""
    return Entry(**{name: getattr(row, name) for name in Entry.__dataclass_fields__})


def _values(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


async def _undecided(conn: AsyncConnection, above: int) -> list[tuple[int, Any]]:
    """Entries above one that were asked and have no outcome yet, each with its command if the inbox has it."""
    outcome = operator_log.alias()
    query = (
        select(_C.entry_id, engine_inbox.c.id, engine_inbox.c.applied_seq, engine_inbox.c.refusal)
        .outerjoin(outcome, outcome.c.follows == _C.entry_id)
        .outerjoin(engine_inbox, engine_inbox.c.dedup_key == _KEY)
        .where(_C.entry_id > above, _C.outcome == "asked", outcome.c.entry_id.is_(None))
        .order_by(_C.entry_id)
    )
    return [(row.entry_id, None if row.id is None else row) for row in await conn.execute(query)]


async def _unlogged(conn: AsyncConnection) -> list[str]:
    """Keys of operators' commands without their entry: the end of the log was cut off, or somebody went round it."""
    query = (
        select(engine_inbox.c.dedup_key)
        .outerjoin(operator_log, engine_inbox.c.dedup_key == _KEY)
        .where(engine_inbox.c.dedup_key.startswith(inbox.OPERATOR), _C.entry_id.is_(None))
        .order_by(engine_inbox.c.id)
    )
    return list(await conn.scalars(query))


async def _misannounced(conn: AsyncConnection) -> list[str]:
    """Where the announcements are not those that entries posted and withdrew."""
    done = {}
    for row in await conn.execute(select(operator_log).where(_C.outcome == "done").order_by(_C.entry_id)):
        done[row.action, row.subject] = read(row)
    found, there = [], set()
    for row in await conn.execute(select(announcement).order_by(announcement.c.announcement_id)):
        number, said = str(row.announcement_id), {name: getattr(row, name) for name in _ANNOUNCED}
        there.add(number)
        posted, withdrawn = done.get(("post_announcement", number)), ("withdraw_announcement", number) in done
        if posted is None:
            found.append(f"announcement {number} has no entry in the operators' log")
        elif said != posted.details:
            found.append(f"announcement {number} is not what entry {posted.entry_id} of the operators' log posted")
        if withdrawn != (row.withdrawn_at is not None):
            is_logged = "as" if withdrawn else "not as"
            found.append(f"announcement {number} is logged {is_logged} withdrawn, and its row says otherwise")
    return found + [
        f"announcement {number} of entry {entry.entry_id} of the operators' log is missing"
        for (action, number), entry in done.items()
        if action == "post_announcement" and number not in there
    ]


_ANNOUNCED = ("severity", "texts", "from_ms", "until_ms")
"""What an entry says of an announcement."""
