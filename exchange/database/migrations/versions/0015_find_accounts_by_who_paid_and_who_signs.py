"""Find accounts by who paid for them and by the keys that sign for them, which surveillance asks at every look."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_deposit_sender_account"), "deposit", ["sender", "account"])
    op.create_index(op.f("ix_delegate_delegate_account"), "delegate", ["delegate", "account"])


def downgrade() -> None:
    op.drop_index(op.f("ix_delegate_delegate_account"), "delegate")
    op.drop_index(op.f("ix_deposit_sender_account"), "deposit")
