"""What the services keep for themselves: the engine's inbox, the keepers' jobs, sign-ins."""

from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Index, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from exchange.database.tables.columns import NOW_MS, blob, chain_id, integer, metadata, string, token_amount

engine_inbox = Table(
    "engine_inbox",
    metadata,
    integer("id", "order of the commands, without holes in what is committed", primary_key=True, autoincrement=False),
    string("kind", "command in snake_case"),
    Column("payload", JSONB, nullable=False, comment="its fields without inbox_id, bytes as 0x hex"),
    string("dedup_key", "the same key is the same command", unique=True),
    integer("created_at", "when it was posted, in milliseconds since 1970", server_default=NOW_MS),
    integer("applied_seq", "journal sequence of the command, null until applied", nullable=True),
    Column("refusal", JSONB, nullable=True, comment="the engine's refusal, null unless it refused"),
    Index("ix_engine_inbox_open", "id", postgresql_where="applied_seq is null and refusal is null"),
    comment="Commands from the chain side to the engine, append-only.",
)

job = Table(
    "job",
    metadata,
    integer("job_id", "id of the job", primary_key=True, autoincrement=True),
    chain_id(),
    blob("sender", "address that signs for it"),
    string("key", "what must happen exactly once", unique=True),
    string("duty", "the duty that owns it"),
    string("state", "queued, sent, mined, final, reverted or cancelled"),
    Column("payload", JSONB, nullable=False, comment="the call: to and data as 0x hex, gas, value as a string"),
    integer("nonce", "account nonce it is bound to, null until sent", nullable=True),
    Column(
        "cancel_requested", Boolean, nullable=False, server_default="false", comment="its nonce shall be taken back"
    ),
    integer("attempts", "number of attempts so far", server_default="0"),
    Column("succeeded", Boolean, nullable=True, comment="whether the mined attempt did anything, null until mined"),
    blob("tx_hash", "the attempt that was mined, null until then", nullable=True),
    integer("block_number", "height at which it was mined, null until then", nullable=True),
    blob("block_hash", "block in which it was mined, null until then", nullable=True),
    integer("created_at", "when it was made, in milliseconds since 1970", server_default=NOW_MS),
    integer("updated_at", "when it last changed, in milliseconds since 1970", server_default=NOW_MS),
    Index("ix_job_live", "sender", "job_id", postgresql_where="state in ('queued', 'sent', 'mined')"),
    Index("ix_job_nonce", "chain_id", "sender", "nonce", unique=True, postgresql_where="state in ('sent', 'mined')"),
    comment="What the keepers have to get mined.",
)

payout_wait = Table(
    "payout_wait",
    metadata,
    blob("withdrawal_hash", "digest of the held withdrawal", primary_key=True),
    integer("seen_at", "when a keeper last met the limit with it, in milliseconds since 1970", server_default=NOW_MS),
    comment="Fast withdrawals that wait for approvals, because they are above their token's outflow limit.",
)

payout_rest = Table(
    "payout_rest",
    metadata,
    blob("withdrawal_hash", "digest of the held withdrawal", primary_key=True),
    string("because", "gas_budget, given_up, wallet_rests or unsigned"),
    integer("until_ms", "when the keeper looks at it again, in milliseconds since 1970"),
    comment="Fast withdrawals that the keeper does not send now, though they need no approvals, and why.",
)

attempt = Table(
    "attempt",
    metadata,
    blob("tx_hash", "hash of the signed transaction", primary_key=True),
    integer("job_id", "the job it is for"),
    chain_id(),
    blob("sender", "address that signed"),
    string("kind", "call, or cancel for the transfer to self"),
    integer("nonce", "account nonce"),
    integer("max_fee", "wei per gas at most", kind=token_amount()),
    integer("priority_fee", "wei per gas for the proposer at most", kind=token_amount()),
    integer("gas_limit", "gas limit"),
    blob("raw", "the signed bytes, written before they are broadcast"),
    integer("sent_at", "when it was signed and about to be sent, in milliseconds since 1970"),
    string("outcome", "live, mined, final, reverted, replaced, cancelled or superseded"),
    integer("cost", "wei paid for its gas, null until mined", nullable=True, kind=token_amount()),
    integer("block_number", "height at which it was mined, null until then", nullable=True),
    blob("block_hash", "block in which it was mined, null until then", nullable=True),
    integer("fencing_token", "token of the leader that signed it"),
    integer("created_at", "when it was signed, in milliseconds since 1970", server_default=NOW_MS),
    Index(None, "sender", "nonce"),
    Index(None, "job_id"),
    ForeignKeyConstraint(["job_id"], ["job.job_id"]),
    comment="Every transaction a keeper ever signed.",
)
leader = Table(
    "leader",
    metadata,
    string("duty", "which duty is led", primary_key=True),
    integer("fencing_token", "rises with every new leader"),
    string("holder", "who leads, for people"),
    integer("acquired_at", "since when, in milliseconds since 1970", server_default=NOW_MS),
    comment="Leaders of duties; a write with an older token is refused.",
)

deposit_address = Table(
    "deposit_address",
    metadata,
    chain_id(primary_key=True),
    blob("account", "whose address it is; where it is follows from the account", primary_key=True),
    integer("asked_at", "when the account asked for it last, in milliseconds since 1970", server_default=NOW_MS),
    comment="Accounts whose deposit addresses the keeper looks at.",
)

published_piece = Table(
    "published_piece",
    metadata,
    integer("first_seq", "journal sequence of its first record", primary_key=True, autoincrement=False),
    integer("last_seq", "journal sequence of its last record"),
    blob("head", "the journal's head after its last record"),
    blob("root", "Merkle root of its records"),
    blob("signature", "the receipt key's, over range, head and root"),
    blob("raw_sha256", "SHA-256 of the file for auditors"),
    blob("public_sha256", "SHA-256 of the file for everybody"),
    integer("published_at", "when, in milliseconds since 1970"),
    integer("current_at", "when it last was all that was durable, in milliseconds since 1970"),
    comment="Published pieces of the journal; the files and their index are the truth.",
)

surveillance_case = Table(
    "surveillance_case",
    metadata,
    integer("case_id", "id of the case, in the order in which they were found", primary_key=True, autoincrement=True),
    string("pattern", "what it is about"),
    string("subject", "pattern, market and accounts: the same conduct"),
    integer("market", "id of the market"),
    Column("accounts", JSONB, nullable=False, comment="addresses as 0x hex"),
    integer("first_seq", "journal sequence of the first record that belongs to it"),
    integer("last_seq", "journal sequence of the last record that belongs to it"),
    integer("began_at", "time of the first record, in milliseconds since 1970"),
    integer("ended_at", "time of the last record, in milliseconds since 1970"),
    Column("figures", JSONB, nullable=False, comment="the figures that crossed thresholds"),
    Column("evidence", JSONB, nullable=False, comment="ids of orders or trades, the first twenty"),
    string("text", "the case in a sentence"),
    integer("found_at", "when it was found, in milliseconds since 1970", server_default=NOW_MS),
    UniqueConstraint("subject", "first_seq"),
    Index(None, "pattern", "case_id"),
    comment="Cases of market surveillance, append-only.",
)

surveillance_position = Table(
    "surveillance_position",
    metadata,
    integer("id", "always 1", primary_key=True, autoincrement=False),
    integer("from_seq", "first journal sequence of the window that was looked at last"),
    integer("until_ms", "time up to which it was looked at, in milliseconds since 1970"),
    comment="How far market surveillance is.",
)

session = Table(
    "session",
    metadata,
    blob("token_hash", "SHA-256 of the bearer token", primary_key=True),
    blob("address", "the wallet that signed in"),
    string("purpose", "account, to read one's own; or operator, for the console", server_default="account"),
    integer("created_at", "when, in milliseconds since 1970", server_default=NOW_MS),
    integer("expires_at", "until when, in milliseconds since 1970"),
    Index(None, "expires_at"),
    comment="Sign-ins.",
)

siwe_nonce = Table(
    "siwe_nonce",
    metadata,
    string("nonce", "the challenge", primary_key=True),
    integer("expires_at", "until when it can be used, in milliseconds since 1970"),
    Index(None, "expires_at"),
    comment="Sign-in challenges that are still unused.",
)
