"""Log what operators do; keep their announcements; tell their sessions from those of accounts."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TRIGGERS = (
    """
create trigger append_only before update or delete on operator_log
for each row execute function refuse_change()
""",
    """
create trigger never_emptied before truncate on operator_log
for each statement execute function refuse_change()
""",
)


def _integer(name: str, comment: str, **more: Any) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), comment=comment, **({"nullable": False} | more))


def _text(name: str, comment: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _blob(name: str, comment: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(), nullable=False, comment=comment)


def upgrade() -> None:
    op.create_table(
        "operator_log",
        _integer("entry_id", "place in the log, from 1 without holes", autoincrement=False),
        _integer("at_ms", "when, in milliseconds since 1970"),
        _blob("operator", "the wallet that was signed in; empty: the command line of the machine"),
        _text("action", "what was done, in snake_case"),
        _text("subject", "to what: a market, an account, a case, an announcement"),
        sa.Column("details", postgresql.JSONB(), nullable=False, comment="the terms of it, amounts as strings"),
        _text("reason", "why, in the operator's words"),
        _integer("follows", "the entry whose outcome this is, null for what was asked", nullable=True),
        _text("outcome", "asked, done, applied, refused or unknown"),
        _blob("prev_hash", "hash of the entry before, zeros for the first"),
        _blob("hash", "SHA-256 over prev_hash and all of the above"),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_operator_log")),
        sa.UniqueConstraint("follows", name=op.f("uq_operator_log_follows")),
        sa.ForeignKeyConstraint(["follows"], ["operator_log.entry_id"], name=op.f("fk_operator_log_follows")),
        comment="What operators did, append-only, each entry chained to the one before by its hash.",
    )
    op.create_index(op.f("ix_operator_log_action_subject_entry_id"), "operator_log", ["action", "subject", "entry_id"])
    op.create_table(
        "announcement",
        _integer("announcement_id", "id of the announcement", autoincrement=True),
        _text("severity", "info, warning or critical"),
        sa.Column("texts", postgresql.JSONB(), nullable=False, comment="the text by language tag; en is always there"),
        _integer("from_ms", "from when it is shown, in milliseconds since 1970"),
        _integer("until_ms", "until when it is shown, in milliseconds since 1970"),
        _integer(
            "posted_at",
            "when it was posted, in milliseconds since 1970",
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
        ),
        _integer("withdrawn_at", "when it was withdrawn, null unless it was", nullable=True),
        sa.PrimaryKeyConstraint("announcement_id", name=op.f("pk_announcement")),
        comment="What the operator tells everybody; who posted it stands in operator_log.",
    )
    op.create_index(op.f("ix_announcement_until_ms"), "announcement", ["until_ms"])
    op.add_column(
        "session",
        sa.Column(
            "purpose",
            sa.Text(),
            nullable=False,
            server_default="account",
            comment="account, to read one's own; or operator, for the console",
        ),
    )
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    if op.get_bind().scalar(sa.text("select exists (select from operator_log)")):
        raise RuntimeError("the operators' log is not empty: nothing else remembers it, so it is not dropped")
    op.drop_column("session", "purpose")
    op.drop_table("announcement")
    op.drop_table("operator_log")
