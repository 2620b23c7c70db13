"""Name frozen accounts among the statuses of an account."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OLD = "active, exiting or blocked"
NEW = "active, exiting, frozen (by its owner) or blocked"


def upgrade() -> None:
    op.alter_column("account", "status", existing_type=sa.Text(), existing_comment=OLD, comment=NEW)


def downgrade() -> None:
    op.alter_column("account", "status", existing_type=sa.Text(), existing_comment=NEW, comment=OLD)
