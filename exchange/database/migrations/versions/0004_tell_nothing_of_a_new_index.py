"""Tell nothing of a new index.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COMMENTS = (
    (
        "cursor",
        "status",
        sa.Text(),
        "catching_up, or live once it has reached the node's head",
        "new until it first reaches the node's head, then live; catching_up after a deep reorg",
    ),
    (
        "chain_effect",
        "block_hash",
        sa.LargeBinary(),
        "block of the log that caused it",
        "block of the log that caused it; empty when only the journal remembers it",
    ),
)


def upgrade() -> None:
    """Say what the columns hold now."""
    for table, column, kind, before, after in COMMENTS:
        op.alter_column(table, column, existing_type=kind, comment=after, existing_comment=before)


def downgrade() -> None:
    """Say what they held."""
    for table, column, kind, before, after in COMMENTS:
        op.alter_column(table, column, existing_type=kind, comment=before, existing_comment=after)
