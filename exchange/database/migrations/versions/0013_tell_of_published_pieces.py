"""Create the table of the journal's published pieces."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NUMBERS = {
    "last_seq": "journal sequence of its last record",
    "published_at": "when, in milliseconds since 1970",
    "current_at": "when it last was all that was durable, in milliseconds since 1970",
}
BYTES = {
    "head": "the journal's head after its last record",
    "root": "Merkle root of its records",
    "signature": "the receipt key's, over range, head and root",
    "raw_sha256": "SHA-256 of the file for auditors",
    "public_sha256": "SHA-256 of the file for everybody",
}


def upgrade() -> None:
    op.create_table(
        "published_piece",
        sa.Column(
            "first_seq",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="journal sequence of its first record",
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False, comment=text) for name, text in NUMBERS.items()),
        *(sa.Column(name, sa.LargeBinary(), nullable=False, comment=text) for name, text in BYTES.items()),
        sa.PrimaryKeyConstraint("first_seq", name=op.f("pk_published_piece")),
        comment="Published pieces of the journal; the files and their index are the truth.",
    )


def downgrade() -> None:
    op.drop_table("published_piece")
