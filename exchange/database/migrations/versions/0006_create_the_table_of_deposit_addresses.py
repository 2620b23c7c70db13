"""Create the table of deposit addresses."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deposit_address",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column(
            "account",
            sa.LargeBinary(),
            nullable=False,
            comment="whose address it is; where it is follows from the account",
        ),
        sa.Column(
            "asked_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="when the account asked for it last, in milliseconds since 1970",
        ),
        sa.PrimaryKeyConstraint("chain_id", "account", name=op.f("pk_deposit_address")),
        comment="Accounts whose deposit addresses the keeper looks at.",
    )


def downgrade() -> None:
    op.drop_table("deposit_address")
