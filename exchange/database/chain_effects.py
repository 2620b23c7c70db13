"""What the engine was told because of the chain, and what on the chain it should be told.

An effect stands from the command that did it to the command that undid it. The same key can be done
again (a log that a reorg removed may come back), as another generation with commands of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.engine_inbox import OPERATOR, REPLAYED, Post, hold, post_many
from exchange.database.tables import block, chain_effect, engine_inbox, market
from exchange.domain.errors import ErrorCode
from exchange.domain.instrument import MarketStatus


@dataclass(frozen=True, slots=True)
class Effect:
    """One generation of an effect that stands."""

    key: str
    generation: int
    block_hash: bytes
    log_index: int

    @property
    def name(self) -> str:
        """Names this generation: the engine knows credits and requests by it."""
        return f"{self.key}:{self.generation}"


@dataclass(frozen=True, slots=True)
class Wish:
    """An effect to bring about: a command, and the log that causes it.

    A payload field whose value is `NAME` becomes the name of the effect.
    """

    key: str
    block_hash: bytes
    log_index: int
    kind: str
    payload: Mapping[str, object]


UNDO = ":undo"
"""What the name of a command that takes an effect back ends in."""

HALTED = "halted:"
"""What the key of a market's halt begins with; its number follows."""

NAME = object()
"""Stands in a payload for the effect's name."""


async def standing(conn: AsyncConnection, chain_id: int, keys: Sequence[str]) -> dict[str, Effect]:
    """Those of the effects `keys` that stand."""
    query = _standing(chain_id).where(chain_effect.c.key.in_(keys))
    return {row.key: Effect(*row) for row in await conn.execute(query)}


async def standing_in_blocks_above(conn: AsyncConnection, chain_id: int, number: int) -> list[Effect]:
    """Effects that stand because of logs in blocks above height `number`, last done first."""
    removed = select(block.c.hash).where(block.c.chain_id == chain_id, block.c.number > number)
    query = _standing(chain_id).where(chain_effect.c.block_hash.in_(removed))
    return [Effect(*row) for row in await conn.execute(query.order_by(chain_effect.c.do_inbox_id.desc()))]


async def unheard_halts(conn: AsyncConnection, chain_id: int) -> list[tuple[int, int, Effect]]:
    """Halts that stand, but that the engine refused because it did not list the market, as it does by now.

    Each with its market, and the inbox id of the command that was refused.
    """
    columns = chain_effect.c.key, chain_effect.c.generation, chain_effect.c.block_hash, chain_effect.c.log_index
    unknown = engine_inbox.c.refusal["code"].astext == ErrorCode.unknown_market.value
    query = (
        select(market.c.market_id, chain_effect.c.do_inbox_id, *columns)
        .join(chain_effect, chain_effect.c.key == func.concat(HALTED, market.c.market_id))
        .join(engine_inbox, engine_inbox.c.id == chain_effect.c.do_inbox_id)
        .where(chain_effect.c.chain_id == chain_id, chain_effect.c.undo_inbox_id.is_(None), unknown)
    )
    return [(market_id, inbox_id, Effect(*row)) for market_id, inbox_id, *row in await conn.execute(query)]


async def operator_halt(conn: AsyncConnection, market_id: int) -> int | None:
    """The inbox id of an operator's own halt of a market that stands beside the chain's; None if there is none.

    Whatever opens a market, or starts an auction in it, ends both. An inbox that was made of the journal does not say
    whose a halt was: of two the second was of the other cause. Nobody posts until the transaction ends, so the answer
    stays true.
    """
    await hold(conn)
    status, market_of = engine_inbox.c.payload["status"].astext, engine_inbox.c.payload["market"].astext
    query = (
        select(engine_inbox.c.id, engine_inbox.c.dedup_key, status.label("status"))
        .where(engine_inbox.c.kind.in_(("set_market_status", "start_auction")), engine_inbox.c.refusal.is_(None))
        .where(market_of == str(market_id))
        .order_by(engine_inbox.c.id.desc())
    )
    rows = takewhile(lambda row: row.status not in (None, MarketStatus.open), (await conn.execute(query)).all())
    halts = list(rows)
    own = [row.id for row in halts if row.dedup_key.startswith(OPERATOR)]
    replayed = [row.id for row in halts if row.dedup_key.startswith(REPLAYED)]
    return own[-1] if own else replayed[-1] if len(replayed) > 1 else None


async def do(conn: AsyncConnection, chain_id: int, wishes: Sequence[Wish]) -> list[int]:
    """Bring effects about, in order; one that stands already is left alone. Returns the commands' inbox ids.

    The id of one that stood already is 0.
    """
    stands = await standing(conn, chain_id, [wish.key for wish in wishes])
    new = list({wish.key: wish for wish in wishes if wish.key not in stands}.values())
    if not new:
        return [0] * len(wishes)
    generations = await _generations(conn, chain_id, [wish.key for wish in new])
    effects = [Effect(w.key, generations[w.key], w.block_hash, w.log_index) for w in new]
    ids = await post_many(conn, [_post(wish, effect) for wish, effect in zip(new, effects, strict=True)])
    rows = [
        {
            "chain_id": chain_id,
            "key": effect.key,
            "generation": effect.generation,
            "block_hash": effect.block_hash,
            "log_index": effect.log_index,
            "do_inbox_id": inbox_id,
        }
        for effect, inbox_id in zip(effects, ids, strict=True)
    ]
    await conn.execute(chain_effect.insert(), rows)
    done = {wish.key: inbox_id for wish, inbox_id in zip(new, ids, strict=True)}
    return [done.get(wish.key, 0) for wish in wishes]


async def undo(conn: AsyncConnection, chain_id: int, effect: Effect, kind: str, payload: Mapping[str, object]) -> None:
    """Take an effect back with a command of `kind`."""
    ids = await post_many(conn, [Post(kind, payload, effect.name + UNDO)])
    await close(conn, chain_id, effect, ids[0])


async def close(conn: AsyncConnection, chain_id: int, effect: Effect, inbox_id: int) -> None:
    """Record that the command `inbox_id` ended an effect."""
    query = update(chain_effect).where(
        chain_effect.c.chain_id == chain_id,
        tuple_(chain_effect.c.key, chain_effect.c.generation) == (effect.key, effect.generation),
    )
    await conn.execute(query.values(undo_inbox_id=inbox_id))


def _standing(chain_id: int) -> Any:
    return select(
        chain_effect.c.key, chain_effect.c.generation, chain_effect.c.block_hash, chain_effect.c.log_index
    ).where(chain_effect.c.chain_id == chain_id, chain_effect.c.undo_inbox_id.is_(None))


async def _generations(conn: AsyncConnection, chain_id: int, keys: Sequence[str]) -> dict[str, int]:
    """The generation with which each key is to be done now: one that was never undone.

    The inbox is asked as well as the effects: after the loss of the database it comes back from the journal,
    and they do not.
    """
    query = (
        select(chain_effect.c.key, (func.max(chain_effect.c.generation) + 1).label("next"))
        .where(chain_effect.c.chain_id == chain_id, chain_effect.c.key.in_(keys))
        .group_by(chain_effect.c.key)
    )
    generations = dict.fromkeys(keys, 0) | {row.key: row.next for row in await conn.execute(query)}
    asked = list(keys)
    while asked:
        undone = {f"{key}:{generations[key]}{UNDO}": key for key in asked}
        found = await conn.scalars(select(engine_inbox.c.dedup_key).where(engine_inbox.c.dedup_key.in_(undone)))
        asked = [undone[name] for name in found]
        for key in asked:
            generations[key] += 1
    return generations


def _post(wish: Wish, effect: Effect) -> Post:
    payload = {name: effect.name if value is NAME else value for name, value in wish.payload.items()}
    return Post(wish.kind, payload, effect.name)
