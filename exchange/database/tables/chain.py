"""The mirror of the chain: raw blocks and logs, and the tables that are a fold of them.

Raw and derived rows are keyed by block hash and log index, so the same transaction mined again in
another block is another row. A derived row exists exactly as long as its log does: a reorg deletes
both. `chain_effect` is not part of the mirror: it remembers what the engine was told.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSONB

from exchange.database.tables.columns import Amount, blob, chain_id, integer, metadata, string, token_amount, u64

views = MetaData()
"""What is read like a table and computed by the database."""

block = Table(
    "block",
    metadata,
    chain_id(),
    integer("number", "height of the block"),
    blob("hash", "hash of the block", primary_key=True),
    blob("parent_hash", "hash of the block before it; null where old history was read without headers", nullable=True),
    integer("timestamp", "time of the block, in seconds since 1970"),
    Index(None, "chain_id", "number", unique=True),
    comment="Headers of the indexed blocks.",
)

log = Table(
    "log",
    metadata,
    chain_id(),
    blob("block_hash", "hash of the block"),
    integer("log_index", "position of the log in its block", kind=Integer),
    integer("tx_index", "position of the transaction in its block", kind=Integer),
    blob("tx_hash", "hash of the transaction"),
    blob("address", "contract that logged"),
    blob("topics", "the topics one after the other, 32 bytes each, the event's signature first"),
    blob("data", "the data of the log"),
    PrimaryKeyConstraint("block_hash", "log_index"),
    comment="Logs of the contract, exactly as the node gave them.",
)

cursor = Table(
    "cursor",
    metadata,
    chain_id(primary_key=True),
    string("name", "which index this is the position of", primary_key=True),
    integer("number", "height of the last block indexed"),
    blob("hash", "hash of the last block indexed"),
    integer("confirmed_number", "deposits up to this height have been credited"),
    integer("finalized_number", "blocks up to this height are final"),
    string("status", "new until it first reaches the node's head, then live; catching_up after a deep reorg"),
    comment="How far each index is; moves in the transaction that writes the rows.",
)


def _derived(name: str, comment: str, columns: Sequence[Any]) -> Table:
    return Table(
        name,
        metadata,
        chain_id(),
        blob("block_hash", "hash of the block"),
        integer("log_index", "position of the log in its block", kind=Integer),
        integer("block_number", "height of the block"),
        *columns,
        Index(None, "block_number"),
        PrimaryKeyConstraint("block_hash", "log_index"),
        comment=comment,
    )


def _tx() -> Column[bytes]:
    return blob("tx_hash", "hash of the transaction")


def _account() -> Column[bytes]:
    return blob("account", "address of the user")


def _token() -> Column[int]:
    return integer("token_id", "id of the token in the contract", kind=Integer)


deposit = _derived(
    "deposit",
    "Money that came into an account: deposits, and funding moved to trading.",
    [
        _tx(),
        string("kind", "deposit or moved_to_trading"),
        _account(),
        _token(),
        blob("sender", "who paid; the account itself for moved_to_trading"),
        integer("amount", "ledger units that arrived", kind=Amount),
        Column("to_funding", Boolean, nullable=False, comment="whether it went to funding, which is not credited"),
        integer("credit_inbox_id", "the inbox command that credited it, null until then", nullable=True),
        Index(None, "account", "block_number"),
        Index(None, "sender", "account"),
    ],
)

withdrawal_event = _derived(
    "withdrawal_event",
    "Money that left trading or funding.",
    [
        _tx(),
        string("kind", "withdrawn, moved_to_funding, funding_withdrawn, claimed (forced) or exit_claimed"),
        _account(),
        _token(),
        blob("recipient", "who was paid; null where it is the account", nullable=True),
        integer("amount", "ledger units that left trading (funding for funding_withdrawn), fee included", kind=Amount),
        integer("fee", "ledger units of it that the submitter earned", kind=Amount),
        integer("funding_amount", "ledger units that left funding in an exit", kind=Amount),
        integer("nonce", "withdrawal nonce of a signed withdrawal", kind=u64(), nullable=True),
        blob("withdrawal_hash", "EIP-712 digest of a signed withdrawal", nullable=True),
        blob("submitter", "who sent the transaction of a signed withdrawal", nullable=True),
        Index(None, "account", "block_number"),
        Index(None, "withdrawal_hash"),
    ],
)

withdrawal_request = _derived(
    "withdrawal_request",
    "Forced withdrawals: requests and their cancellations. The last row per account and token counts.",
    [
        _tx(),
        string("kind", "requested or cancelled"),
        _account(),
        _token(),
        blob("recipient", "who shall be paid; null in a cancellation", nullable=True),
        integer("amount", "ledger units requested; 0 in a cancellation", kind=Amount),
        integer("claimable_at", "when the claim opens, in seconds since 1970; 0 in a cancellation"),
        integer("lapses_at", "when the claim window closes, in seconds since 1970; 0 in a cancellation"),
        Index(None, "account", "token_id", "block_number"),
    ],
)

exit_request = _derived(
    "exit_request",
    "Exits: requests and their cancellations. The last row per account counts.",
    [
        _tx(),
        string("kind", "requested or cancelled"),
        _account(),
        integer("effective_at", "when settlement stops, in seconds since 1970; 0 in a cancellation"),
        Index(None, "account", "block_number"),
    ],
)

posted_cancel = _derived(
    "posted_cancel",
    "Cancels posted on chain.",
    [
        _tx(),
        _account(),
        integer("nonce", "the nonce cancelled; 0 for a cancel of all below min_nonce", kind=u64()),
        integer("min_nonce", "all sequences below are cancelled; 0 for a single nonce", kind=u64()),
        integer("effective_at", "when it binds settlement, in seconds since 1970"),
        Index(None, "account", "block_number"),
    ],
)

delegate = _derived(
    "delegate",
    "Delegated keys: added and revoked. The last row per account and delegate counts.",
    [
        _tx(),
        string("kind", "added or revoked"),
        _account(),
        blob("delegate", "address of the delegated key"),
        integer("markets", "bit per market the key may trade; 0 when revoked", kind=token_amount()),
        integer("expiry", "last second at which the key is valid, since 1970; 0 when revoked"),
        integer("effective_at", "when a revocation binds settlement, in seconds since 1970; 0 when added"),
        integer("nonce", "delegation nonce", kind=u64()),
        Index(None, "account", "delegate", "block_number"),
        Index(None, "delegate", "account"),
    ],
)

withdrawal_approval = _derived(
    "withdrawal_approval",
    "Approvals of withdrawals above their token's outflow limit.",
    [
        _tx(),
        blob("withdrawal_hash", "EIP-712 digest that the account signed"),
        _account(),
        blob("approver", "who approved; counts while it is an approver"),
        Index(None, "withdrawal_hash"),
    ],
)

account_freeze = _derived(
    "account_freeze",
    "Freezes of accounts by their owners, and thaws. The last row per account counts.",
    [
        _tx(),
        string("kind", "frozen or unfrozen"),
        _account(),
        integer("effective_at", "when a freeze binds settlement, or a thaw everything, in seconds since 1970"),
        integer("nonce", "how often the account was frozen before; 0 in a thaw", kind=u64()),
        Index(None, "account", "block_number"),
    ],
)

allow_list = _derived(
    "allow_list",
    "Allow-lists for withdrawals: on and off, and their entries. The last row per account and recipient counts.",
    [
        _tx(),
        string("kind", "switched, allowed or disallowed"),
        _account(),
        blob("recipient", "whom the entry allows; null where the list itself is switched", nullable=True),
        Column("enabled", Boolean, nullable=True, comment="whether the list is switched on; null for an entry"),
        integer("effective_at", "when it binds, in seconds since 1970; 0 for disallowed, which binds at once"),
        Index(None, "account", "block_number"),
    ],
)

batch_settled = _derived(
    "batch_settled",
    "Batches mined.",
    [
        _tx(),
        integer("seq", "number of the batch, from 1"),
        blob("prev_head", "journal head before the batch's first trade"),
        blob("new_head", "journal head that the batch settles"),
        integer("executions", "number of orders executed", kind=Integer),
        Index(None, "seq"),
    ],
)

order_executed = Table(
    "order_executed",
    views,
    chain_id(),
    blob("block_hash", "hash of the block", primary_key=True),
    integer("log_index", "position of the log in its block", kind=Integer, primary_key=True),
    integer("block_number", "height of the block"),
    blob("account", "address of the user"),
    blob("order_hash", "EIP-712 digest of the order"),
    integer("market_id", "market of the order", kind=Integer),
    integer("side", "as signed: 1 sold, else bought", kind=Integer),
    integer("lots", "lots executed"),
    integer("quote", "quote ledger units paid or received, without the fee", kind=Amount),
    integer("fee", "quote ledger units of fee", kind=Amount),
    integer("batch", "number of the batch"),
    comment="What the contract executed, one row per order and section of a batch: a view of the raw logs.",
)

ORDER_EXECUTED_VIEW = """
create view order_executed as
select
    l.chain_id,
    l.block_hash,
    l.log_index,
    s.block_number,
    substring(l.topics from 45 for 20) as account,
    substring(l.data from 1 for 32) as order_hash,
    ('x' || encode(substring(l.data from 37 for 4), 'hex'))::bit(32)::int as market_id,
    get_byte(l.data, 35) as side,
    ('x' || encode(substring(l.data from 41 for 8), 'hex'))::bit(64)::bigint as lots,
    ('x' || encode(substring(l.data from 49 for 8), 'hex'))::bit(64)::bigint as quote,
    ('x' || encode(substring(l.data from 57 for 8), 'hex'))::bit(64)::bigint as fee,
    s.seq as batch
from log l
join batch_settled s on s.block_hash = l.block_hash and s.tx_hash = l.tx_hash
where substring(l.topics from 1 for 32) = '\\x3b30d874a1731cd03fa687a03f50bf6665a8ba0244989d56df68ddb1a3d8a0ea'::bytea
"""
fees_collected = _derived(
    "fees_collected",
    "Fees that a batch credited to the fee account, per market.",
    [
        _tx(),
        integer("market_id", "market whose quote token it is", kind=Integer),
        blob("fee_account", "account that received the fees"),
        integer("amount", "quote ledger units", kind=Amount),
    ],
)

token_listed = _derived(
    "token_listed",
    "Tokens the contract takes.",
    [
        _token(),
        blob("token", "address of the token; zero is ETH"),
        integer("unit", "token units in one ledger unit", kind=token_amount()),
        integer("decimals", "decimals of the token", kind=Integer),
        Index(None, "token_id"),
    ],
)

market_listed = _derived(
    "market_listed",
    "Markets the contract settles.",
    [
        integer("market_id", "id of the market", kind=Integer),
        integer("base_token_id", "token traded", kind=Integer),
        integer("quote_token_id", "token paid with", kind=Integer),
        integer("lot_size", "base ledger units in one lot"),
        Index(None, "market_id"),
    ],
)

chain_status = _derived(
    "chain_status",
    "Every other event of the contract: roles, pauses, freezes, listing status, schedules.",
    [
        _tx(),
        string("kind", "name of the event in snake_case"),
        Column("params", JSONB, nullable=False, comment="its fields: integers as strings, bytes as 0x hex"),
        Index(None, "kind", "block_number"),
    ],
)

chain_balance = Table(
    "chain_balance",
    metadata,
    chain_id(primary_key=True),
    blob("account", "address of the user", primary_key=True),
    integer("token_id", "id of the token in the contract", kind=Integer, primary_key=True, autoincrement=False),
    integer("trading", "trading balance in ledger units", kind=Amount),
    integer("funding", "funding balance in ledger units", kind=Amount),
    comment="Balances in the contract at the indexed block, the sum of its logs; all-zero rows are absent.",
)

chain_effect = Table(
    "chain_effect",
    metadata,
    chain_id(primary_key=True),
    string("key", "what was done: kind, and the log or account it concerns", primary_key=True),
    integer("generation", "how often it was done before", kind=Integer, primary_key=True, autoincrement=False),
    blob("block_hash", "block of the log that caused it; empty when only the journal remembers it"),
    integer("log_index", "position of that log in its block", kind=Integer),
    integer("do_inbox_id", "the inbox command that did it"),
    integer("undo_inbox_id", "the inbox command that undid it, null while it stands", nullable=True),
    Index(None, "chain_id", "block_hash"),
    Index("ix_chain_effect_standing", "chain_id", "key", unique=True, postgresql_where="undo_inbox_id is null"),
    comment="What the engine was told because of the chain, so that a reorg can take it back exactly once.",
)

DERIVED = (
    deposit,
    withdrawal_event,
    withdrawal_request,
    exit_request,
    posted_cancel,
    delegate,
    withdrawal_approval,
    account_freeze,
    allow_list,
    batch_settled,
    fees_collected,
    token_listed,
    market_listed,
    chain_status,
)
"""Derived tables with one row per log."""

MIRROR = (block, log, cursor, *DERIVED, chain_balance)
"""Everything that a fresh index of the chain would build again."""
