"""What the derived tables of the chain say to whoever must act on it: ranges of blocks, and the last word per subject.

Every range is (above, up_to] in block heights, in the order of the chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Any

HALTED_BY = {
    "frozen": "the contract is frozen for ever",
    "market_status_changed": "its owner halted the market",
    "token_status_changed": "one of its tokens takes no deposits",
}
"""What the kinds of `halting` mean."""

_CREDITABLE = """
select block_hash, log_index, account, token_id, amount from deposit
where chain_id = :chain_id and block_number > :above and block_number <= :up_to and not to_funding
order by block_number, log_index
"""
_OUTFLOWS = """
select block_hash, log_index, block_number, kind, account, token_id, amount, withdrawal_hash from withdrawal_event
where chain_id = :chain_id and block_number > :above and block_number <= :up_to
  and kind in ('withdrawn', 'moved_to_funding', 'claimed', 'exit_claimed') and amount > 0
order by block_number, log_index
"""
_BATCHES = """
select block_hash, log_index, seq from batch_settled
where chain_id = :chain_id and block_number > :above and block_number <= :up_to order by seq
"""
_CANCELS = """
select block_hash, log_index, account, nonce, min_nonce from posted_cancel
where chain_id = :chain_id and block_number > :above and block_number <= :up_to order by block_number, log_index
"""
_DELEGATES = """
select distinct account, delegate from delegate
where chain_id = :chain_id and block_number > :above and block_number <= :up_to order by account, delegate
"""
_REQUEST_SUBJECTS = """
select account, token_id from withdrawal_request
where chain_id = :chain_id and block_number > :above and block_number <= :up_to
union
select account, token_id from withdrawal_event
where chain_id = :chain_id and block_number > :above and block_number <= :up_to and kind = 'claimed'
order by account, token_id
"""
_STANDING_REQUEST_SUBJECTS = """
select distinct r.account, r.token_id from chain_effect e
join withdrawal_request r on r.block_hash = e.block_hash and r.log_index = e.log_index
where e.chain_id = :chain_id and e.key >= 'reserve:' and e.key < 'reserve;' and e.undo_inbox_id is null
order by r.account, r.token_id
"""
_REQUESTS = """
select block_number, block_hash, log_index, kind, amount, lapses_at from withdrawal_request
where chain_id = :chain_id and account = :account and token_id = :token_id
union all
select block_number, block_hash, log_index, kind, amount, 0 from withdrawal_event
where chain_id = :chain_id and account = :account and token_id = :token_id and kind = 'claimed'
order by block_number, log_index
"""
_STOPPED = """
select account from exit_request where chain_id = :chain_id and block_number > :above and block_number <= :up_to
union
select account from account_freeze where chain_id = :chain_id and block_number > :above and block_number <= :up_to
order by account
"""
_THAWED = """
select distinct f.account from account_freeze f
join chain_effect e on e.chain_id = f.chain_id
  and e.key in ('frozen:0x' || encode(f.account, 'hex'), 'exiting:0x' || encode(f.account, 'hex'))
where f.chain_id = :chain_id and f.kind = 'unfrozen' and f.effective_at <= :timestamp and e.undo_inbox_id is null
order by f.account
"""
_LAST_FREEZE = """
select block_number, block_hash, log_index, kind, effective_at from account_freeze
where chain_id = :chain_id and account = :account order by block_number desc, log_index desc limit 1
"""
_LAST_EXIT = """
select block_number, block_hash, log_index, kind from exit_request where chain_id = :chain_id and account = :account
order by block_number desc, log_index desc limit 1
"""
_LAST_DELEGATE = """
select block_hash, log_index, kind from delegate
where chain_id = :chain_id and account = :account and delegate = :delegate
order by block_number desc, log_index desc limit 1
"""
_MARKETS = """
select distinct (params ->> 'market_id')::int as market_id from chain_status
where chain_id = :chain_id and block_number > :above and block_number <= :up_to and kind = 'market_status_changed'
union
select l.market_id from market_listed l join chain_status s on s.chain_id = l.chain_id and s.kind = 'frozen'
where l.chain_id = :chain_id
  and greatest(l.block_number, s.block_number) > :above and greatest(l.block_number, s.block_number) <= :up_to
union
select l.market_id from market_listed l join chain_status s on s.chain_id = l.chain_id
  and s.kind = 'token_status_changed' and (s.params ->> 'token_id')::int in (l.base_token_id, l.quote_token_id)
where l.chain_id = :chain_id
  and greatest(l.block_number, s.block_number) > :above and greatest(l.block_number, s.block_number) <= :up_to
order by market_id
"""
_LAST_MARKET_STATUS = """
select block_hash, log_index, block_number, kind, kind = 'frozen' or (params ->> 'halted')::bool as halted
from chain_status
where chain_id = :chain_id
  and (kind = 'frozen' or kind = 'market_status_changed' and params ->> 'market_id' = :market_id)
order by kind = 'frozen' desc, block_number desc, log_index desc limit 1
"""
_CLOSED_TOKEN = """
select block_hash, log_index, block_number, 'token_status_changed' as kind from (
    select distinct on (s.params ->> 'token_id') s.block_hash, s.log_index, s.block_number,
           (s.params ->> 'deposits_open')::bool as deposits_open
    from market_listed l join chain_status s on s.chain_id = l.chain_id
      and s.kind = 'token_status_changed' and (s.params ->> 'token_id')::int in (l.base_token_id, l.quote_token_id)
    where l.chain_id = :chain_id and l.market_id = :market_id
    order by s.params ->> 'token_id', s.block_number desc, s.log_index desc
) as last where not deposits_open order by block_number, log_index limit 1
"""
_OVERDUE = """
select withdrawal_hash from withdrawal w
where w.status = 'held' and w.deadline < :timestamp
  and not exists (select from withdrawal_event e
                  where e.withdrawal_hash = w.withdrawal_hash and e.chain_id = :chain_id)
  and not exists (select from engine_inbox i
                  where i.dedup_key = 'release_withdrawal:0x' || encode(w.withdrawal_hash, 'hex'))
order by w.seq limit 1000
"""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of `chain_id` above height `above`, up to `up_to`."""

    chain_id: int
    above: int
    up_to: int


async def creditable(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """Deposits into trading: block_hash, log_index, account, token_id, amount."""
    return await _range(conn, _CREDITABLE, blocks)


async def set_credited(conn: AsyncConnection, log: tuple[bytes, int], inbox_id: int) -> None:
    """Record the command that credited the deposit of one log."""
    query = text("update deposit set credit_inbox_id = :id where block_hash = :hash and log_index = :index")
    await conn.execute(query, {"id": inbox_id, "hash": log[0], "index": log[1]})


async def outflows(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """What left trading balances: kind, account, token_id, amount, withdrawal_hash and the log's place."""
    return await _range(conn, _OUTFLOWS, blocks)


async def batches(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """Batches mined: seq and the log's place."""
    return await _range(conn, _BATCHES, blocks)


async def cancels(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """Cancels posted: account, nonce, min_nonce and the log's place."""
    return await _range(conn, _CANCELS, blocks)


async def touched_delegates(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """Accounts and delegates with an event."""
    return await _range(conn, _DELEGATES, blocks)


async def touched_requests(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """Accounts and tokens with a forced withdrawal requested, cancelled or claimed."""
    return await _range(conn, _REQUEST_SUBJECTS, blocks)


async def standing_requests(conn: AsyncConnection, chain_id: int) -> Sequence[Row]:
    """Accounts and tokens for which the engine holds a reserve for a forced withdrawal."""
    return (await conn.execute(text(_STANDING_REQUEST_SUBJECTS), {"chain_id": chain_id})).all()


async def requests(conn: AsyncConnection, chain_id: int, account: bytes, token_id: int) -> Sequence[Row]:
    """Everything about the forced withdrawals of one account and token, in order, by `kind`."""
    values = {"chain_id": chain_id, "account": account, "token_id": token_id}
    return (await conn.execute(text(_REQUESTS), values)).all()


async def touched_accounts(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """Accounts with an exit requested or cancelled, or frozen or unfrozen by their owners."""
    return await _range(conn, _STOPPED, blocks)


async def last_exit(conn: AsyncConnection, chain_id: int, account: bytes) -> Row | None:
    """The last word on an account's exit: kind, block_number and the log's place."""
    return (await conn.execute(text(_LAST_EXIT), {"chain_id": chain_id, "account": account})).one_or_none()


async def thawed(conn: AsyncConnection, chain_id: int, timestamp: int) -> Sequence[Row]:
    """Accounts that the engine keeps stopped, and whose owners' thaw took effect by the unix second `timestamp`."""
    return (await conn.execute(text(_THAWED), {"chain_id": chain_id, "timestamp": timestamp})).all()


async def last_freeze(conn: AsyncConnection, chain_id: int, account: bytes) -> Row | None:
    """The last word on an account's freeze: kind, effective_at, block_number and the log's place."""
    return (await conn.execute(text(_LAST_FREEZE), {"chain_id": chain_id, "account": account})).one_or_none()


async def last_delegate(conn: AsyncConnection, chain_id: int, account: bytes, delegate: bytes) -> Row | None:
    """The last word on a delegated key: kind and the log's place."""
    values = {"chain_id": chain_id, "account": account, "delegate": delegate}
    return (await conn.execute(text(_LAST_DELEGATE), values)).one_or_none()


async def touched_markets(conn: AsyncConnection, blocks: Blocks) -> Sequence[Row]:
    """Markets whose status, or whose tokens', was set; all of them when trading was ended for ever."""
    return await _range(conn, _MARKETS, blocks)


async def halting(conn: AsyncConnection, chain_id: int, market_id: int) -> Row | None:
    """The log because of which a market takes no orders, with its `block_number` and `kind`; None if it takes them.

    That is its own halt, the freeze of the contract, which is for ever, or the closing of one of its tokens.
    """
    values = {"chain_id": chain_id, "market_id": str(market_id)}
    last = (await conn.execute(text(_LAST_MARKET_STATUS), values)).one_or_none()
    if last is not None and last.halted:
        return last
    return (await conn.execute(text(_CLOSED_TOKEN), values | {"market_id": market_id})).one_or_none()


async def overdue_withdrawals(conn: AsyncConnection, chain_id: int, timestamp: int) -> Sequence[bytes]:
    """Held withdrawals with a deadline before `timestamp` (seconds) that were not mined nor released yet."""
    return list(await conn.scalars(text(_OVERDUE), {"chain_id": chain_id, "timestamp": timestamp}))


async def payload(conn: AsyncConnection, dedup_key: str) -> dict[str, Any]:
    """The payload of a command that was posted. NoResultFound if none was."""
    query = text("select payload from engine_inbox where dedup_key = :dedup_key")
    return dict((await conn.execute(query, {"dedup_key": dedup_key})).scalar_one())


async def _range(conn: AsyncConnection, query: str, blocks: Blocks) -> Sequence[Row]:
    values = {"chain_id": blocks.chain_id, "above": blocks.above, "up_to": blocks.up_to}
    return (await conn.execute(text(query), values)).all()
