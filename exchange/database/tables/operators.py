"""What operators of the exchange do by its console: the log of it, and what they announce."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table
from sqlalchemy.dialects.postgresql import JSONB

from exchange.database.tables.columns import NOW_MS, blob, integer, metadata, string

operator_log = Table(
    "operator_log",
    metadata,
    integer("entry_id", "place in the log, from 1 without holes", primary_key=True, autoincrement=False),
    integer("at_ms", "when, in milliseconds since 1970"),
    blob("operator", "the wallet that was signed in; empty: the command line of the machine"),
    string("action", "what was done, in snake_case"),
    string("subject", "to what: a market, an account, a case, an announcement"),
    Column("details", JSONB, nullable=False, comment="the terms of it, amounts as strings"),
    string("reason", "why, in the operator's words"),
    integer("follows", "the entry whose outcome this is, null for what was asked", nullable=True, unique=True),
    string("outcome", "asked, done, applied, refused or unknown"),
    blob("prev_hash", "hash of the entry before, zeros for the first"),
    blob("hash", "SHA-256 over prev_hash and all of the above"),
    ForeignKeyConstraint(["follows"], ["operator_log.entry_id"]),
    Index(None, "action", "subject", "entry_id"),
    comment="What operators did, append-only, each entry chained to the one before by its hash.",
)

announcement = Table(
    "announcement",
    metadata,
    integer("announcement_id", "id of the announcement", primary_key=True, autoincrement=True),
    string("severity", "info, warning or critical"),
    Column("texts", JSONB, nullable=False, comment="the text by language tag; en is always there"),
    integer("from_ms", "from when it is shown, in milliseconds since 1970"),
    integer("until_ms", "until when it is shown, in milliseconds since 1970"),
    integer("posted_at", "when it was posted, in milliseconds since 1970", server_default=NOW_MS),
    integer("withdrawn_at", "when it was withdrawn, null unless it was", nullable=True),
    Index(None, "until_ms"),
    comment="What the operator tells everybody; who posted it stands in operator_log.",
)
