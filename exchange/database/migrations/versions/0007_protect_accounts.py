"""Protect accounts: freezes, allow-lists, approvals of large withdrawals and those that wait for them.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the four tables."""
    _derived(
        "withdrawal_approval",
        "Approvals of withdrawals above their token's outflow limit.",
        _blob("withdrawal_hash", "EIP-712 digest that the account signed"),
        _blob("account", "address of the user"),
        _blob("approver", "who approved; counts while it is an approver"),
    )
    op.create_index(
        op.f("ix_withdrawal_approval_withdrawal_hash"), "withdrawal_approval", ["withdrawal_hash"], unique=False
    )
    _derived(
        "account_freeze",
        "Freezes of accounts by their owners, and thaws. The last row per account counts.",
        sa.Column("kind", sa.Text(), nullable=False, comment="frozen or unfrozen"),
        _blob("account", "address of the user"),
        sa.Column(
            "effective_at",
            sa.BigInteger(),
            nullable=False,
            comment="when a freeze binds settlement, or a thaw everything, in seconds since 1970",
        ),
        sa.Column(
            "nonce",
            sa.Numeric(precision=20, scale=0),
            nullable=False,
            comment="how often the account was frozen before; 0 in a thaw",
        ),
    )
    _derived(
        "allow_list",
        "Allow-lists for withdrawals: on and off, and their entries. The last row per account and recipient counts.",
        sa.Column("kind", sa.Text(), nullable=False, comment="switched, allowed or disallowed"),
        _blob("account", "address of the user"),
        _blob("recipient", "whom the entry allows; null where the list itself is switched", nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=True, comment="whether the list is switched on; null for an entry"),
        sa.Column(
            "effective_at",
            sa.BigInteger(),
            nullable=False,
            comment="when it binds, in seconds since 1970; 0 for disallowed, which binds at once",
        ),
    )
    for table in ("account_freeze", "allow_list"):
        op.create_index(op.f(f"ix_{table}_account_block_number"), table, ["account", "block_number"], unique=False)
    op.create_table(
        "payout_wait",
        _blob("withdrawal_hash", "digest of the held withdrawal"),
        sa.Column(
            "seen_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="when a keeper last met the limit with it, in milliseconds since 1970",
        ),
        sa.PrimaryKeyConstraint("withdrawal_hash", name=op.f("pk_payout_wait")),
        comment="Fast withdrawals that wait for approvals, because they are above their token's outflow limit.",
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("payout_wait", "allow_list", "account_freeze", "withdrawal_approval"):
        op.drop_table(table)


def _derived(name: str, comment: str, *columns: sa.Column[object]) -> None:
    """A table of the mirror: its rows live as long as their logs."""
    op.create_table(
        name,
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        _blob("block_hash", "hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        _blob("tx_hash", "hash of the transaction"),
        *columns,
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f(f"pk_{name}")),
        comment=comment,
    )
    op.create_index(op.f(f"ix_{name}_block_number"), name, ["block_number"], unique=False)


def _blob(name: str, comment: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable, comment=comment)
