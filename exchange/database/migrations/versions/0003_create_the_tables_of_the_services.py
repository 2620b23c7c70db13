"""Create the tables of the services."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "engine_inbox",
        sa.Column(
            "id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="order of the commands, without holes in what is committed",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="command in snake_case"),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="its fields without inbox_id, bytes as 0x hex",
        ),
        sa.Column("dedup_key", sa.Text(), nullable=False, comment="the same key is the same command"),
        sa.Column(
            "created_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="when it was posted, in milliseconds since 1970",
        ),
        sa.Column(
            "applied_seq", sa.BigInteger(), nullable=True, comment="journal sequence of the command, null until applied"
        ),
        sa.Column(
            "refusal",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="the engine's refusal, null unless it refused",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_inbox")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_engine_inbox_dedup_key")),
        comment="Commands from the chain side to the engine, append-only.",
    )
    op.create_index(
        "ix_engine_inbox_open",
        "engine_inbox",
        ["id"],
        unique=False,
        postgresql_where="applied_seq is null and refusal is null",
    )
    op.create_table(
        "job",
        sa.Column("job_id", sa.BigInteger(), autoincrement=True, nullable=False, comment="id of the job"),
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("sender", sa.LargeBinary(), nullable=False, comment="address that signs for it"),
        sa.Column("key", sa.Text(), nullable=False, comment="what must happen exactly once"),
        sa.Column("duty", sa.Text(), nullable=False, comment="the duty that owns it"),
        sa.Column("state", sa.Text(), nullable=False, comment="queued, sent, mined, final, reverted or cancelled"),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the call: to and data as 0x hex, gas, value as a string",
        ),
        sa.Column("nonce", sa.BigInteger(), nullable=True, comment="account nonce it is bound to, null until sent"),
        sa.Column(
            "cancel_requested",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="its nonce shall be taken back",
        ),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False, comment="number of attempts so far"),
        sa.Column(
            "succeeded", sa.Boolean(), nullable=True, comment="whether the mined attempt did anything, null until mined"
        ),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=True, comment="the attempt that was mined, null until then"),
        sa.Column(
            "block_number", sa.BigInteger(), nullable=True, comment="height at which it was mined, null until then"
        ),
        sa.Column(
            "block_hash", sa.LargeBinary(), nullable=True, comment="block in which it was mined, null until then"
        ),
        sa.Column(
            "created_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="when it was made, in milliseconds since 1970",
        ),
        sa.Column(
            "updated_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="when it last changed, in milliseconds since 1970",
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job")),
        sa.UniqueConstraint("key", name=op.f("uq_job_key")),
        comment="What the keepers have to get mined.",
    )
    op.create_index(
        "ix_job_live",
        "job",
        ["sender", "job_id"],
        unique=False,
        postgresql_where="state in ('queued', 'sent', 'mined')",
    )
    op.create_index(
        "ix_job_nonce",
        "job",
        ["chain_id", "sender", "nonce"],
        unique=True,
        postgresql_where="state in ('sent', 'mined')",
    )
    op.create_table(
        "leader",
        sa.Column("duty", sa.Text(), nullable=False, comment="which duty is led"),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False, comment="rises with every new leader"),
        sa.Column("holder", sa.Text(), nullable=False, comment="who leads, for people"),
        sa.Column(
            "acquired_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="since when, in milliseconds since 1970",
        ),
        sa.PrimaryKeyConstraint("duty", name=op.f("pk_leader")),
        comment="Leaders of duties; a write with an older token is refused.",
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the bearer token"),
        sa.Column("address", sa.LargeBinary(), nullable=False, comment="the wallet that signed in"),
        sa.Column(
            "created_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="when, in milliseconds since 1970",
        ),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="until when, in milliseconds since 1970"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
        comment="Sign-ins.",
    )
    op.create_index(op.f("ix_session_expires_at"), "session", ["expires_at"], unique=False)
    op.create_table(
        "siwe_nonce",
        sa.Column("nonce", sa.Text(), nullable=False, comment="the challenge"),
        sa.Column(
            "expires_at",
            sa.BigInteger(),
            nullable=False,
            comment="until when it can be used, in milliseconds since 1970",
        ),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_siwe_nonce")),
        comment="Sign-in challenges that are still unused.",
    )
    op.create_index(op.f("ix_siwe_nonce_expires_at"), "siwe_nonce", ["expires_at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the signed transaction"),
        sa.Column("job_id", sa.BigInteger(), nullable=False, comment="the job it is for"),
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("sender", sa.LargeBinary(), nullable=False, comment="address that signed"),
        sa.Column("kind", sa.Text(), nullable=False, comment="call, or cancel for the transfer to self"),
        sa.Column("nonce", sa.BigInteger(), nullable=False, comment="account nonce"),
        sa.Column("max_fee", sa.Numeric(78, 0), nullable=False, comment="wei per gas at most"),
        sa.Column("priority_fee", sa.Numeric(78, 0), nullable=False, comment="wei per gas for the proposer at most"),
        sa.Column("gas_limit", sa.BigInteger(), nullable=False, comment="gas limit"),
        sa.Column(
            "raw", sa.LargeBinary(), nullable=False, comment="the signed bytes, written before they are broadcast"
        ),
        sa.Column(
            "sent_at",
            sa.BigInteger(),
            nullable=False,
            comment="when it was signed and about to be sent, in milliseconds since 1970",
        ),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=False,
            comment="live, mined, final, reverted, replaced, cancelled or superseded",
        ),
        sa.Column("cost", sa.Numeric(78, 0), nullable=True, comment="wei paid for its gas, null until mined"),
        sa.Column(
            "block_number", sa.BigInteger(), nullable=True, comment="height at which it was mined, null until then"
        ),
        sa.Column(
            "block_hash", sa.LargeBinary(), nullable=True, comment="block in which it was mined, null until then"
        ),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False, comment="token of the leader that signed it"),
        sa.Column(
            "created_at",
            sa.BigInteger(),
            server_default=sa.text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            nullable=False,
            comment="when it was signed, in milliseconds since 1970",
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.job_id"], name=op.f("fk_attempt_job_id")),
        sa.PrimaryKeyConstraint("tx_hash", name=op.f("pk_attempt")),
        comment="Every transaction a keeper ever signed.",
    )
    op.create_index(op.f("ix_attempt_job_id"), "attempt", ["job_id"], unique=False)
    op.create_index(op.f("ix_attempt_sender_nonce"), "attempt", ["sender", "nonce"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_attempt_sender_nonce"), table_name="attempt")
    op.drop_index(op.f("ix_attempt_job_id"), table_name="attempt")
    op.drop_table("attempt")
    op.drop_index(op.f("ix_siwe_nonce_expires_at"), table_name="siwe_nonce")
    op.drop_table("siwe_nonce")
    op.drop_index(op.f("ix_session_expires_at"), table_name="session")
    op.drop_table("session")
    op.drop_table("leader")
    op.drop_index("ix_job_nonce", table_name="job", postgresql_where="state in ('sent', 'mined')")
    op.drop_index("ix_job_live", table_name="job", postgresql_where="state in ('queued', 'sent', 'mined')")
    op.drop_table("job")
    op.drop_index(
        "ix_engine_inbox_open", table_name="engine_inbox", postgresql_where="applied_seq is null and refusal is null"
    )
    op.drop_table("engine_inbox")
