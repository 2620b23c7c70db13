"""Sort an account's orders by age: by the sequence in their ids, then by their places in frames."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OLD = "journal sequence of the order"
NEW = "journal sequence of the order + its place in a frame << 40"
AGE = "(order_id & 1099511627775)"


def upgrade() -> None:
    op.alter_column("orders", "order_id", existing_type=sa.BigInteger(), existing_comment=OLD, comment=NEW)
    op.create_index("ix_orders_age", "orders", ["account_id", sa.text(AGE), "order_id"])
    op.drop_index("ix_orders_account_id_order_id", "orders")


def downgrade() -> None:
    op.create_index("ix_orders_account_id_order_id", "orders", ["account_id", "order_id"])
    op.drop_index("ix_orders_age", "orders")
    op.alter_column("orders", "order_id", existing_type=sa.BigInteger(), existing_comment=NEW, comment=OLD)
