"""What the engine was told because of the chain, remembered by the inbox that a rebuild makes of the journal.

A rebuilt database has no `chain_effect`: effects whose logs a new index finds are found again by their names. Here
are the others, whose logs are gone, and the last words about accounts and markets, which have no names in the journal.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.chain_effects import HALTED, UNDO, Effect
from exchange.database.tables import chain_effect, log

Row = Any

_NAMED = "^(credit|debit|reserve):0x[0-9a-f]{64}:[0-9]+:[0-9]+$"
# Reserves stand until they are undone or a debit pays them. Credits and debits with a log need no memory.
_EFFECTS = """
insert into chain_effect (chain_id, key, generation, block_hash, log_index, do_inbox_id)
select :chain_id, array_to_string(parts[1:3], chr(58)), cast(parts[4] as int), block_hash, log_index, id
from (select id, dedup_key as name, parts, decode(substr(parts[2], 3), 'hex') as block_hash,
             cast(parts[3] as int) as log_index
      from (select id, dedup_key, string_to_array(dedup_key, chr(58)) as parts from engine_inbox
            where kind in ('credit', 'debit', 'reserve_forced') and applied_seq is not null
              and dedup_key ~ :named) as named) as told
where not exists (select from engine_inbox undone where undone.dedup_key = told.name || :undo)
  and (parts[1] <> 'reserve'
       or name not in (select payload ->> 'request' from engine_inbox where kind = 'debit' and applied_seq is not null))
  and (parts[1] = 'reserve'
       or not exists (select from log l where l.block_hash = told.block_hash and l.log_index = told.log_index))
on conflict do nothing
"""
_STOPS = """
insert into chain_effect (chain_id, key, generation, block_hash, log_index, do_inbox_id)
select :chain_id, field || chr(58) || account, 0, '', 0, id
from (select distinct on (account, field) id, account, field, stopped
      from (select id, substr(kind, 5) as field, payload ->> 'account' as account,
                   cast(payload ->> substr(kind, 5) as bool) as stopped
            from engine_inbox where kind in ('set_exiting', 'set_frozen') and applied_seq is not null) as told
      order by account, field, id desc) as last
where stopped
on conflict do nothing
"""
_REVOCATIONS = """
insert into chain_effect (chain_id, key, generation, block_hash, log_index, do_inbox_id)
select :chain_id, :prefix || account || chr(58) || delegate, 0, '', 0, id
from (select distinct on (account, delegate) id, kind, account, delegate
      from (select id, kind, payload ->> 'account' as account, payload ->> 'delegate' as delegate
            from engine_inbox where kind in ('obey_revocation', 'allow_delegate') and applied_seq is not null) as told
      order by account, delegate, id desc) as last
where kind = 'obey_revocation'
on conflict do nothing
"""
_HALT = """
insert into chain_effect (chain_id, key, generation, block_hash, log_index, do_inbox_id)
select :chain_id, :key, 0, :block_hash, :log_index,
       coalesce((select max(id) from engine_inbox where kind = 'set_market_status' and applied_seq is not null
                 and cast(payload ->> 'market' as int) = m.market_id), 0)
from market m
where m.market_id = :market_id and m.status <> 'open'
on conflict do nothing
"""
_UNTOLD_CANCELS = """
select block_hash, log_index, account, nonce, min_nonce from posted_cancel p
where chain_id = :chain_id
  and not exists (select from engine_inbox i where i.kind = 'obey_cancel' and i.applied_seq is not null
                  and i.payload = jsonb_build_object('account', '0x' || encode(p.account, 'hex'),
                                                     'nonce', p.nonce, 'min_nonce', p.min_nonce))
order by block_number, log_index
"""
_STOPPED = """
select distinct decode(substr(split_part(key, chr(58), 2), 3), 'hex') as account from chain_effect
where chain_id = :chain_id and undo_inbox_id is null and split_part(key, chr(58), 1) in ('exiting', 'frozen')
order by account
"""
# Whoever signed an open order and is no account is a delegate, whether its grant is still there or not.
_DELEGATES = """
select decode(substr(split_part(key, chr(58), 2), 3), 'hex') as account,
       decode(substr(split_part(key, chr(58), 3), 3), 'hex') as delegate
from chain_effect where chain_id = :chain_id and undo_inbox_id is null and starts_with(key, :prefix)
union
select a.address, o.signer from orders o join account a on a.account_id = o.account_id
where o.status = 'open' and o.signer <> a.address
order by account, delegate
"""
_REVOCATION_PREFIX = "revocation:"


async def remember(conn: AsyncConnection, chain_id: int) -> None:
    """Bring back the effects that stand by the inbox: reserves, exits, freezes, revocations, and what has no log."""
    await conn.execute(text(_EFFECTS), {"chain_id": chain_id, "named": _NAMED, "undo": UNDO})
    await conn.execute(text(_STOPS), {"chain_id": chain_id})
    await conn.execute(text(_REVOCATIONS), {"chain_id": chain_id, "prefix": _REVOCATION_PREFIX})


async def without_log(conn: AsyncConnection, chain_id: int) -> list[Effect]:
    """Remembered effects that name a log which is not on the chain any more, last done first."""
    c = chain_effect.c
    there = select(log.c.log_index).where(log.c.block_hash == c.block_hash, log.c.log_index == c.log_index)
    query = (
        select(c.key, c.generation, c.block_hash, c.log_index)
        .where(c.chain_id == chain_id, c.undo_inbox_id.is_(None), c.block_hash != b"", ~there.exists())
        .order_by(c.do_inbox_id.desc())
    )
    return [Effect(*row) for row in await conn.execute(query)]


async def halt(conn: AsyncConnection, chain_id: int, market_id: int, because: tuple[bytes, int]) -> None:
    """Take it that the log at a block's hash and index closed the market, if the engine has it closed."""
    values = {"key": f"{HALTED}{market_id}", "block_hash": because[0], "log_index": because[1], "market_id": market_id}
    await conn.execute(text(_HALT), {"chain_id": chain_id, **values})


async def untold_cancels(conn: AsyncConnection, chain_id: int) -> Sequence[Row]:
    """Cancels on chain of which the engine knows nothing, in order."""
    return (await conn.execute(text(_UNTOLD_CANCELS), {"chain_id": chain_id})).all()


async def stopped(conn: AsyncConnection, chain_id: int) -> Sequence[Row]:
    """Accounts that the engine was told are leaving, or frozen by their owners."""
    return (await conn.execute(text(_STOPPED), {"chain_id": chain_id})).all()


async def delegates(conn: AsyncConnection, chain_id: int) -> Sequence[Row]:
    """Accounts and delegates that were revoked, or that have open orders."""
    return (await conn.execute(text(_DELEGATES), {"chain_id": chain_id, "prefix": _REVOCATION_PREFIX})).all()
