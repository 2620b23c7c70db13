"""Create the tables of market surveillance; cases are never changed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

REFUSE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed', tg_table_name;
end $$
"""
TRIGGER = """
create trigger append_only before update or delete on surveillance_case
for each row execute function refuse_change()
"""


def _integer(name: str, comment: str, **more: Any) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, comment=comment, **more)


def upgrade() -> None:
    op.create_table(
        "surveillance_case",
        _integer("case_id", "id of the case, in the order in which they were found", autoincrement=True),
        sa.Column("pattern", sa.Text(), nullable=False, comment="what it is about"),
        sa.Column("subject", sa.Text(), nullable=False, comment="pattern, market and accounts: the same conduct"),
        _integer("market", "id of the market"),
        sa.Column("accounts", postgresql.JSONB(), nullable=False, comment="addresses as 0x hex"),
        _integer("first_seq", "journal sequence of the first record that belongs to it"),
        _integer("last_seq", "journal sequence of the last record that belongs to it"),
        _integer("began_at", "time of the first record, in milliseconds since 1970"),
        _integer("ended_at", "time of the last record, in milliseconds since 1970"),
        sa.Column("figures", postgresql.JSONB(), nullable=False, comment="the figures that crossed thresholds"),
        sa.Column("evidence", postgresql.JSONB(), nullable=False, comment="ids of orders or trades, the first twenty"),
        sa.Column("text", sa.Text(), nullable=False, comment="the case in a sentence"),
        _integer(
            "found_at",
            "when it was found, in milliseconds since 1970",
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_surveillance_case")),
        sa.UniqueConstraint("subject", "first_seq", name=op.f("uq_surveillance_case_subject_first_seq")),
        comment="Cases of market surveillance, append-only.",
    )
    op.create_index(op.f("ix_surveillance_case_pattern_case_id"), "surveillance_case", ["pattern", "case_id"])
    op.create_table(
        "surveillance_position",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False, comment="always 1"),
        _integer("from_seq", "first journal sequence of the window that was looked at last"),
        _integer("until_ms", "time up to which it was looked at, in milliseconds since 1970"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surveillance_position")),
        comment="How far market surveillance is.",
    )
    op.execute(REFUSE)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.drop_table("surveillance_position")
    op.drop_table("surveillance_case")
    op.execute("drop function refuse_change()")
