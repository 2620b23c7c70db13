"""Describe the signatures of orders that were signed in bulk."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OLD = "r, s, v"
NEW = "r, s, v; of an order signed in bulk also its index and path"


def upgrade() -> None:
    op.alter_column("orders", "signature", existing_type=sa.LargeBinary(), existing_comment=OLD, comment=NEW)


def downgrade() -> None:
    op.alter_column("orders", "signature", existing_type=sa.LargeBinary(), existing_comment=NEW, comment=OLD)
