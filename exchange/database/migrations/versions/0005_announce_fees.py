"""Announce fees: rates in parts per million, schedules and tiers with the times from which they hold.

Rates of orders are kept. Schedules that were announced before come with `bizzan rebuild`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_VOID = "from when it holds, in milliseconds; a later row for then or before makes it void"


def upgrade() -> None:
    op.create_table(
        "fee_schedule",
        sa.Column(
            "seq", sa.BigInteger(), autoincrement=False, nullable=False, comment="journal sequence of the announcement"
        ),
        sa.Column("market_id", sa.Integer(), nullable=False, comment="fees of which market"),
        sa.Column(
            "announced_at",
            sa.BigInteger(),
            nullable=False,
            comment="when it was announced, in milliseconds since 1970",
        ),
        sa.Column("effective_at", sa.BigInteger(), nullable=False, comment=_VOID),
        sa.Column(
            "tiers",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[maker, taker] in parts per million, from tier 0",
        ),
        sa.Column(
            "floor",
            sa.BigInteger(),
            nullable=False,
            comment="least fee for all that an order takes, quote ledger units",
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_fee_schedule")),
        comment="Fee schedules, as announced.",
    )
    op.create_index(op.f("ix_fee_schedule_market_id_seq"), "fee_schedule", ["market_id", "seq"], unique=False)
    op.create_table(
        "account_tier",
        sa.Column(
            "seq", sa.BigInteger(), autoincrement=False, nullable=False, comment="journal sequence of the change"
        ),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="whose tier"),
        sa.Column(
            "announced_at",
            sa.BigInteger(),
            nullable=False,
            comment="when it was announced, in milliseconds since 1970",
        ),
        sa.Column("effective_at", sa.BigInteger(), nullable=False, comment=_VOID),
        sa.Column("tier", sa.Integer(), nullable=False, comment="fee tier; accounts without a row have tier 0"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_account_tier")),
        comment="Fee tiers of accounts, as announced.",
    )
    op.create_index(op.f("ix_account_tier_account_id_seq"), "account_tier", ["account_id", "seq"], unique=False)
    for name in ("maker", "taker"):
        op.drop_column("market", f"{name}_fee_bps")
        op.alter_column(
            "orders",
            f"{name}_fee_bps",
            new_column_name=f"{name}_fee_ppm",
            comment=f"{name}'s rate for its life, parts per million",
        )
        op.execute(f"update orders set {name}_fee_ppm = {name}_fee_ppm * 100")
    op.add_column(
        "orders",
        sa.Column(
            "fee_floor",
            sa.BigInteger(),
            nullable=False,
            server_default="0",
            comment="least fee for all that it takes, quote ledger units",
        ),
    )
    op.alter_column("orders", "fee_floor", server_default=None)


def downgrade() -> None:
    op.drop_column("orders", "fee_floor")
    for name in ("maker", "taker"):
        op.execute(f"update orders set {name}_fee_ppm = {name}_fee_ppm / 100")
        op.alter_column(
            "orders", f"{name}_fee_ppm", new_column_name=f"{name}_fee_bps", comment=f"{name}'s rate for its life"
        )
        op.add_column(
            "market",
            sa.Column(f"{name}_fee_bps", sa.Integer(), nullable=False, server_default="0", comment=f"{name}'s rate"),
        )
        op.alter_column("market", f"{name}_fee_bps", server_default=None)
    op.drop_index(op.f("ix_account_tier_account_id_seq"), table_name="account_tier")
    op.drop_table("account_tier")
    op.drop_index(op.f("ix_fee_schedule_market_id_seq"), table_name="fee_schedule")
    op.drop_table("fee_schedule")
