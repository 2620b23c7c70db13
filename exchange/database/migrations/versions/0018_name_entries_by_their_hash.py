"""Name an operator's command in the engine's inbox by its whole entry, and not by the entry's number alone."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        update engine_inbox set dedup_key = 'operator:log:' || l.entry_id || ':' || encode(l.hash, 'hex')
        from operator_log l where dedup_key = 'operator:console:' || l.entry_id
    """)


def downgrade() -> None:
    op.execute("""
        update engine_inbox set dedup_key = 'operator:console:' || l.entry_id
        from operator_log l where dedup_key = 'operator:log:' || l.entry_id || ':' || encode(l.hash, 'hex')
    """)
