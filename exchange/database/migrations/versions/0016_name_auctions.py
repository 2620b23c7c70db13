"""Name auctions among the states of a market."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BEFORE = "open, halted or delisted"
AFTER = "open, auction, halted or delisted"


def upgrade() -> None:
    op.alter_column("market", "status", existing_type=sa.Text(), existing_comment=BEFORE, comment=AFTER)


def downgrade() -> None:
    op.alter_column("market", "status", existing_type=sa.Text(), existing_comment=AFTER, comment=BEFORE)
