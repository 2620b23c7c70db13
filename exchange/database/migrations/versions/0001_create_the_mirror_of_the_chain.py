"""Create the mirror of the chain."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


ORDER_EXECUTED = """
create view order_executed as
select
    l.chain_id,
    l.block_hash,
    l.log_index,
    s.block_number,
    substring(l.topics from 45 for 20) as account,
    substring(l.data from 1 for 32) as order_hash,
    ('x' || encode(substring(l.data from 37 for 4), 'hex'))::bit(32)::int as market_id,
    get_byte(l.data, 35) as side,
    ('x' || encode(substring(l.data from 41 for 8), 'hex'))::bit(64)::bigint as lots,
    ('x' || encode(substring(l.data from 49 for 8), 'hex'))::bit(64)::bigint as quote,
    ('x' || encode(substring(l.data from 57 for 8), 'hex'))::bit(64)::bigint as fee,
    s.seq as batch
from log l
join batch_settled s on s.block_hash = l.block_hash and s.tx_hash = l.tx_hash
where substring(l.topics from 1 for 32) = '\\x3b30d874a1731cd03fa687a03f50bf6665a8ba0244989d56df68ddb1a3d8a0ea'::bytea
"""


def upgrade() -> None:
    op.create_table(
        "batch_settled",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="number of the batch, from 1"),
        sa.Column("prev_head", sa.LargeBinary(), nullable=False, comment="journal head before the batch's first trade"),
        sa.Column("new_head", sa.LargeBinary(), nullable=False, comment="journal head that the batch settles"),
        sa.Column("executions", sa.Integer(), nullable=False, comment="number of orders executed"),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_batch_settled")),
        comment="Batches mined.",
    )
    op.create_index(op.f("ix_batch_settled_block_number"), "batch_settled", ["block_number"], unique=False)
    op.create_index(op.f("ix_batch_settled_seq"), "batch_settled", ["seq"], unique=False)
    op.create_table(
        "block",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column(
            "parent_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="hash of the block before it; null where old history was read without headers",
        ),
        sa.Column("timestamp", sa.BigInteger(), nullable=False, comment="time of the block, in seconds since 1970"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_block")),
        comment="Headers of the indexed blocks.",
    )
    op.create_index(op.f("ix_block_chain_id_number"), "block", ["chain_id", "number"], unique=True)
    op.create_table(
        "chain_balance",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="address of the user"),
        sa.Column(
            "token_id", sa.Integer(), autoincrement=False, nullable=False, comment="id of the token in the contract"
        ),
        sa.Column("trading", sa.BigInteger(), nullable=False, comment="trading balance in ledger units"),
        sa.Column("funding", sa.BigInteger(), nullable=False, comment="funding balance in ledger units"),
        sa.PrimaryKeyConstraint("chain_id", "account", "token_id", name=op.f("pk_chain_balance")),
        comment="Balances in the contract at the indexed block, the sum of its logs; all-zero rows are absent.",
    )
    op.create_table(
        "chain_effect",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("key", sa.Text(), nullable=False, comment="what was done: kind, and the log or account it concerns"),
        sa.Column(
            "generation", sa.Integer(), autoincrement=False, nullable=False, comment="how often it was done before"
        ),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="block of the log that caused it"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of that log in its block"),
        sa.Column("do_inbox_id", sa.BigInteger(), nullable=False, comment="the inbox command that did it"),
        sa.Column(
            "undo_inbox_id",
            sa.BigInteger(),
            nullable=True,
            comment="the inbox command that undid it, null while it stands",
        ),
        sa.PrimaryKeyConstraint("chain_id", "key", "generation", name=op.f("pk_chain_effect")),
        comment="What the engine was told because of the chain, so that a reorg can take it back exactly once.",
    )
    op.create_index(
        op.f("ix_chain_effect_chain_id_block_hash"), "chain_effect", ["chain_id", "block_hash"], unique=False
    )
    op.create_index(
        "ix_chain_effect_standing",
        "chain_effect",
        ["chain_id", "key"],
        unique=True,
        postgresql_where="undo_inbox_id is null",
    )
    op.create_table(
        "chain_status",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("kind", sa.Text(), nullable=False, comment="name of the event in snake_case"),
        sa.Column(
            "params",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="its fields: integers as strings, bytes as 0x hex",
        ),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_chain_status")),
        comment="Every other event of the contract: roles, pauses, freezes, listing status, schedules.",
    )
    op.create_index(op.f("ix_chain_status_block_number"), "chain_status", ["block_number"], unique=False)
    op.create_index(op.f("ix_chain_status_kind_block_number"), "chain_status", ["kind", "block_number"], unique=False)
    op.create_table(
        "cursor",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("name", sa.Text(), nullable=False, comment="which index this is the position of"),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="height of the last block indexed"),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="hash of the last block indexed"),
        sa.Column(
            "confirmed_number", sa.BigInteger(), nullable=False, comment="deposits up to this height have been credited"
        ),
        sa.Column("finalized_number", sa.BigInteger(), nullable=False, comment="blocks up to this height are final"),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="catching_up, or live once it has reached the node's head"
        ),
        sa.PrimaryKeyConstraint("chain_id", "name", name=op.f("pk_cursor")),
        comment="How far each index is; moves in the transaction that writes the rows.",
    )
    op.create_table(
        "delegate",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("kind", sa.Text(), nullable=False, comment="added or revoked"),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="address of the user"),
        sa.Column("delegate", sa.LargeBinary(), nullable=False, comment="address of the delegated key"),
        sa.Column(
            "markets", sa.Numeric(78, 0), nullable=False, comment="bit per market the key may trade; 0 when revoked"
        ),
        sa.Column(
            "expiry",
            sa.BigInteger(),
            nullable=False,
            comment="last second at which the key is valid, since 1970; 0 when revoked",
        ),
        sa.Column(
            "effective_at",
            sa.BigInteger(),
            nullable=False,
            comment="when a revocation binds settlement, in seconds since 1970; 0 when added",
        ),
        sa.Column("nonce", sa.Numeric(20, 0), nullable=False, comment="delegation nonce"),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_delegate")),
        comment="Delegated keys: added and revoked. The last row per account and delegate counts.",
    )
    op.create_index(
        op.f("ix_delegate_account_delegate_block_number"),
        "delegate",
        ["account", "delegate", "block_number"],
        unique=False,
    )
    op.create_index(op.f("ix_delegate_block_number"), "delegate", ["block_number"], unique=False)
    op.create_table(
        "deposit",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("kind", sa.Text(), nullable=False, comment="deposit or moved_to_trading"),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="address of the user"),
        sa.Column("token_id", sa.Integer(), nullable=False, comment="id of the token in the contract"),
        sa.Column(
            "sender", sa.LargeBinary(), nullable=False, comment="who paid; the account itself for moved_to_trading"
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False, comment="ledger units that arrived"),
        sa.Column(
            "to_funding", sa.Boolean(), nullable=False, comment="whether it went to funding, which is not credited"
        ),
        sa.Column(
            "credit_inbox_id",
            sa.BigInteger(),
            nullable=True,
            comment="the inbox command that credited it, null until then",
        ),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_deposit")),
        comment="Money that came into an account: deposits, and funding moved to trading.",
    )
    op.create_index(op.f("ix_deposit_account_block_number"), "deposit", ["account", "block_number"], unique=False)
    op.create_index(op.f("ix_deposit_block_number"), "deposit", ["block_number"], unique=False)
    op.create_table(
        "exit_request",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("kind", sa.Text(), nullable=False, comment="requested or cancelled"),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="address of the user"),
        sa.Column(
            "effective_at",
            sa.BigInteger(),
            nullable=False,
            comment="when settlement stops, in seconds since 1970; 0 in a cancellation",
        ),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_exit_request")),
        comment="Exits: requests and their cancellations. The last row per account counts.",
    )
    op.create_index(
        op.f("ix_exit_request_account_block_number"), "exit_request", ["account", "block_number"], unique=False
    )
    op.create_index(op.f("ix_exit_request_block_number"), "exit_request", ["block_number"], unique=False)
    op.create_table(
        "fees_collected",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("market_id", sa.Integer(), nullable=False, comment="market whose quote token it is"),
        sa.Column("fee_account", sa.LargeBinary(), nullable=False, comment="account that received the fees"),
        sa.Column("amount", sa.BigInteger(), nullable=False, comment="quote ledger units"),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_fees_collected")),
        comment="Fees that a batch credited to the fee account, per market.",
    )
    op.create_index(op.f("ix_fees_collected_block_number"), "fees_collected", ["block_number"], unique=False)
    op.create_table(
        "log",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("tx_index", sa.Integer(), nullable=False, comment="position of the transaction in its block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("address", sa.LargeBinary(), nullable=False, comment="contract that logged"),
        sa.Column(
            "topics",
            sa.LargeBinary(),
            nullable=False,
            comment="the topics one after the other, 32 bytes each, the event's signature first",
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="the data of the log"),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_log")),
        comment="Logs of the contract, exactly as the node gave them.",
    )
    op.create_table(
        "market_listed",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("market_id", sa.Integer(), nullable=False, comment="id of the market"),
        sa.Column("base_token_id", sa.Integer(), nullable=False, comment="token traded"),
        sa.Column("quote_token_id", sa.Integer(), nullable=False, comment="token paid with"),
        sa.Column("lot_size", sa.BigInteger(), nullable=False, comment="base ledger units in one lot"),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_market_listed")),
        comment="Markets the contract settles.",
    )
    op.create_index(op.f("ix_market_listed_block_number"), "market_listed", ["block_number"], unique=False)
    op.create_index(op.f("ix_market_listed_market_id"), "market_listed", ["market_id"], unique=False)
    op.create_table(
        "posted_cancel",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="address of the user"),
        sa.Column(
            "nonce",
            sa.Numeric(20, 0),
            nullable=False,
            comment="the nonce cancelled; 0 for a cancel of all below min_nonce",
        ),
        sa.Column(
            "min_nonce",
            sa.Numeric(20, 0),
            nullable=False,
            comment="all sequences below are cancelled; 0 for a single nonce",
        ),
        sa.Column(
            "effective_at", sa.BigInteger(), nullable=False, comment="when it binds settlement, in seconds since 1970"
        ),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_posted_cancel")),
        comment="Cancels posted on chain.",
    )
    op.create_index(
        op.f("ix_posted_cancel_account_block_number"), "posted_cancel", ["account", "block_number"], unique=False
    )
    op.create_index(op.f("ix_posted_cancel_block_number"), "posted_cancel", ["block_number"], unique=False)
    op.create_table(
        "token_listed",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("token_id", sa.Integer(), nullable=False, comment="id of the token in the contract"),
        sa.Column("token", sa.LargeBinary(), nullable=False, comment="address of the token; zero is ETH"),
        sa.Column("unit", sa.Numeric(78, 0), nullable=False, comment="token units in one ledger unit"),
        sa.Column("decimals", sa.Integer(), nullable=False, comment="decimals of the token"),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_token_listed")),
        comment="Tokens the contract takes.",
    )
    op.create_index(op.f("ix_token_listed_block_number"), "token_listed", ["block_number"], unique=False)
    op.create_index(op.f("ix_token_listed_token_id"), "token_listed", ["token_id"], unique=False)
    op.create_table(
        "withdrawal_event",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="withdrawn, moved_to_funding, funding_withdrawn, claimed (forced) or exit_claimed",
        ),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="address of the user"),
        sa.Column("token_id", sa.Integer(), nullable=False, comment="id of the token in the contract"),
        sa.Column("recipient", sa.LargeBinary(), nullable=True, comment="who was paid; null where it is the account"),
        sa.Column(
            "amount",
            sa.BigInteger(),
            nullable=False,
            comment="ledger units that left trading (funding for funding_withdrawn), fee included",
        ),
        sa.Column("fee", sa.BigInteger(), nullable=False, comment="ledger units of it that the submitter earned"),
        sa.Column(
            "funding_amount", sa.BigInteger(), nullable=False, comment="ledger units that left funding in an exit"
        ),
        sa.Column("nonce", sa.Numeric(20, 0), nullable=True, comment="withdrawal nonce of a signed withdrawal"),
        sa.Column("withdrawal_hash", sa.LargeBinary(), nullable=True, comment="EIP-712 digest of a signed withdrawal"),
        sa.Column(
            "submitter", sa.LargeBinary(), nullable=True, comment="who sent the transaction of a signed withdrawal"
        ),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_withdrawal_event")),
        comment="Money that left trading or funding.",
    )
    op.create_index(
        op.f("ix_withdrawal_event_account_block_number"), "withdrawal_event", ["account", "block_number"], unique=False
    )
    op.create_index(op.f("ix_withdrawal_event_block_number"), "withdrawal_event", ["block_number"], unique=False)
    op.create_index(op.f("ix_withdrawal_event_withdrawal_hash"), "withdrawal_event", ["withdrawal_hash"], unique=False)
    op.create_table(
        "withdrawal_request",
        sa.Column("chain_id", sa.BigInteger(), nullable=False, comment="the chain this row comes from"),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False, comment="hash of the block"),
        sa.Column("log_index", sa.Integer(), nullable=False, comment="position of the log in its block"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="height of the block"),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False, comment="hash of the transaction"),
        sa.Column("kind", sa.Text(), nullable=False, comment="requested or cancelled"),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="address of the user"),
        sa.Column("token_id", sa.Integer(), nullable=False, comment="id of the token in the contract"),
        sa.Column("recipient", sa.LargeBinary(), nullable=True, comment="who shall be paid; null in a cancellation"),
        sa.Column("amount", sa.BigInteger(), nullable=False, comment="ledger units requested; 0 in a cancellation"),
        sa.Column(
            "claimable_at",
            sa.BigInteger(),
            nullable=False,
            comment="when the claim opens, in seconds since 1970; 0 in a cancellation",
        ),
        sa.Column(
            "lapses_at",
            sa.BigInteger(),
            nullable=False,
            comment="when the claim window closes, in seconds since 1970; 0 in a cancellation",
        ),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_withdrawal_request")),
        comment="Forced withdrawals: requests and their cancellations. The last row per account and token counts.",
    )
    op.create_index(
        op.f("ix_withdrawal_request_account_token_id_block_number"),
        "withdrawal_request",
        ["account", "token_id", "block_number"],
        unique=False,
    )
    op.create_index(op.f("ix_withdrawal_request_block_number"), "withdrawal_request", ["block_number"], unique=False)
    op.execute(ORDER_EXECUTED)


def downgrade() -> None:
    op.execute("drop view order_executed")
    op.drop_index(op.f("ix_withdrawal_request_block_number"), table_name="withdrawal_request")
    op.drop_index(op.f("ix_withdrawal_request_account_token_id_block_number"), table_name="withdrawal_request")
    op.drop_table("withdrawal_request")
    op.drop_index(op.f("ix_withdrawal_event_withdrawal_hash"), table_name="withdrawal_event")
    op.drop_index(op.f("ix_withdrawal_event_block_number"), table_name="withdrawal_event")
    op.drop_index(op.f("ix_withdrawal_event_account_block_number"), table_name="withdrawal_event")
    op.drop_table("withdrawal_event")
    op.drop_index(op.f("ix_token_listed_token_id"), table_name="token_listed")
    op.drop_index(op.f("ix_token_listed_block_number"), table_name="token_listed")
    op.drop_table("token_listed")
    op.drop_index(op.f("ix_posted_cancel_block_number"), table_name="posted_cancel")
    op.drop_index(op.f("ix_posted_cancel_account_block_number"), table_name="posted_cancel")
    op.drop_table("posted_cancel")
    op.drop_index(op.f("ix_market_listed_market_id"), table_name="market_listed")
    op.drop_index(op.f("ix_market_listed_block_number"), table_name="market_listed")
    op.drop_table("market_listed")
    op.drop_table("log")
    op.drop_index(op.f("ix_fees_collected_block_number"), table_name="fees_collected")
    op.drop_table("fees_collected")
    op.drop_index(op.f("ix_exit_request_block_number"), table_name="exit_request")
    op.drop_index(op.f("ix_exit_request_account_block_number"), table_name="exit_request")
    op.drop_table("exit_request")
    op.drop_index(op.f("ix_deposit_block_number"), table_name="deposit")
    op.drop_index(op.f("ix_deposit_account_block_number"), table_name="deposit")
    op.drop_table("deposit")
    op.drop_index(op.f("ix_delegate_block_number"), table_name="delegate")
    op.drop_index(op.f("ix_delegate_account_delegate_block_number"), table_name="delegate")
    op.drop_table("delegate")
    op.drop_table("cursor")
    op.drop_index(op.f("ix_chain_status_kind_block_number"), table_name="chain_status")
    op.drop_index(op.f("ix_chain_status_block_number"), table_name="chain_status")
    op.drop_table("chain_status")
    op.drop_index("ix_chain_effect_standing", table_name="chain_effect", postgresql_where="undo_inbox_id is null")
    op.drop_index(op.f("ix_chain_effect_chain_id_block_hash"), table_name="chain_effect")
    op.drop_table("chain_effect")
    op.drop_table("chain_balance")
    op.drop_index(op.f("ix_block_chain_id_number"), table_name="block")
    op.drop_table("block")
    op.drop_index(op.f("ix_batch_settled_seq"), table_name="batch_settled")
    op.drop_index(op.f("ix_batch_settled_block_number"), table_name="batch_settled")
    op.drop_table("batch_settled")
