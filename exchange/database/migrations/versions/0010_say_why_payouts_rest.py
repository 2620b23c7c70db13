"""Say why the keeper does not send a withdrawal now."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payout_rest",
        sa.Column("withdrawal_hash", sa.LargeBinary(), nullable=False, comment="digest of the held withdrawal"),
        sa.Column("because", sa.Text(), nullable=False, comment="gas_budget, given_up, wallet_rests or unsigned"),
        sa.Column(
            "until_ms",
            sa.BigInteger(),
            nullable=False,
            comment="when the keeper looks at it again, in milliseconds since 1970",
        ),
        sa.PrimaryKeyConstraint("withdrawal_hash", name=op.f("pk_payout_rest")),
        comment="Fast withdrawals that the keeper does not send now, though they need no approvals, and why.",
    )


def downgrade() -> None:
    op.drop_table("payout_rest")
