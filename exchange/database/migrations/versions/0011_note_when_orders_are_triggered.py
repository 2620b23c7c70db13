"""Note when an order that waited for a price was triggered."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COMMENT = "when the price for which it waited had come, null before and for others"


def upgrade() -> None:
    op.add_column("orders", sa.Column("triggered_at", sa.BigInteger(), nullable=True, comment=COMMENT))


def downgrade() -> None:
    op.drop_column("orders", "triggered_at")
