"""Create the mirror of the journal."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column(
            "account_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="id in order of appearance"
        ),
        sa.Column("address", sa.LargeBinary(), nullable=False, comment="address of the wallet"),
        sa.Column("status", sa.Text(), nullable=False, comment="active, exiting or blocked"),
        sa.Column("min_nonce", sa.Numeric(20, 0), nullable=False, comment="order sequences below are refused"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account")),
        sa.UniqueConstraint("address", name=op.f("uq_account_address")),
        comment="Accounts the engine knows.",
    )
    op.create_table(
        "asset",
        sa.Column("asset_id", sa.Integer(), autoincrement=False, nullable=False, comment="id of the asset"),
        sa.Column("symbol", sa.Text(), nullable=False, comment="ticker, unique"),
        sa.Column("decimals", sa.Integer(), nullable=False, comment="decimals of the ledger unit"),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_asset")),
        sa.UniqueConstraint("symbol", name=op.f("uq_asset_symbol")),
        comment="Assets the engine knows.",
    )
    op.create_table(
        "balance",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="whose balance"),
        sa.Column("asset_id", sa.Integer(), autoincrement=False, nullable=False, comment="of which asset"),
        sa.Column("available", sa.BigInteger(), nullable=False, comment="can be traded"),
        sa.Column("held", sa.BigInteger(), nullable=False, comment="backs open orders"),
        sa.Column("reserved", sa.BigInteger(), nullable=False, comment="backs withdrawals"),
        sa.Column(
            "unsettled",
            sa.BigInteger(),
            nullable=False,
            comment="came in from trades that are not final: can be traded, not withdrawn",
        ),
        sa.Column("deficit", sa.BigInteger(), nullable=False, comment="owed after a reorg"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="journal sequence of the last change"),
        sa.CheckConstraint(
            "least(available, held, reserved, unsettled, deficit) >= 0", name=op.f("ck_balance_not_negative")
        ),
        sa.PrimaryKeyConstraint("account_id", "asset_id", name=op.f("pk_balance")),
        comment="Balances as the engine has them.",
    )
    op.create_table(
        "batch",
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False, comment="number of the batch, from 1"),
        sa.Column("from_seq", sa.BigInteger(), nullable=False, comment="its trades are above this journal sequence"),
        sa.Column("to_seq", sa.BigInteger(), nullable=False, comment="and up to this one"),
        sa.Column("prev_head", sa.LargeBinary(), nullable=False, comment="journal head at from_seq"),
        sa.Column("new_head", sa.LargeBinary(), nullable=False, comment="journal head at to_seq"),
        sa.Column("status", sa.Text(), nullable=False, comment="cut or final"),
        sa.Column("cut_seq", sa.BigInteger(), nullable=False, comment="journal sequence of the cut"),
        sa.PrimaryKeyConstraint("batch", name=op.f("pk_batch")),
        comment="Batches the engine cut; whether one is mined stands in batch_settled.",
    )
    op.create_table(
        "candle",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False, comment="which market"),
        sa.Column("interval", sa.Text(), nullable=False, comment="1m 5m 15m 30m 1h 4h 1d 1w 1M"),
        sa.Column(
            "start_ms",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="start of the interval, UTC, milliseconds since 1970",
        ),
        sa.Column("open", sa.BigInteger(), nullable=False, comment="first price"),
        sa.Column("high", sa.BigInteger(), nullable=False, comment="highest price"),
        sa.Column("low", sa.BigInteger(), nullable=False, comment="lowest price"),
        sa.Column("close", sa.BigInteger(), nullable=False, comment="last price"),
        sa.Column("base_volume", sa.Numeric(78, 0), nullable=False, comment="lots traded"),
        sa.Column("quote_volume", sa.Numeric(78, 0), nullable=False, comment="quote ledger units traded"),
        sa.Column("trades", sa.BigInteger(), nullable=False, comment="number of trades"),
        sa.PrimaryKeyConstraint("market_id", "interval", "start_ms", name=op.f("pk_candle")),
        comment="Candles of all trades matched; a reversed trade stays in them, as on every tape.",
    )
    op.create_table(
        "forced_withdrawal",
        sa.Column("request", sa.Text(), nullable=False, comment="the log that requested it"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="whose money"),
        sa.Column("asset_id", sa.Integer(), nullable=False, comment="which asset"),
        sa.Column("requested", sa.BigInteger(), nullable=False, comment="ledger units requested"),
        sa.Column("reserved", sa.BigInteger(), nullable=False, comment="ledger units that could be reserved"),
        sa.Column("status", sa.Text(), nullable=False, comment="reserved or released"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="journal sequence of the last change"),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_forced_withdrawal")),
        comment="Forced withdrawals the engine reserved money for.",
    )
    op.create_table(
        "market",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False, comment="id of the market"),
        sa.Column("symbol", sa.Text(), nullable=False, comment="base/quote, unique"),
        sa.Column("base_asset", sa.Integer(), nullable=False, comment="asset traded"),
        sa.Column("quote_asset", sa.Integer(), nullable=False, comment="asset paid with"),
        sa.Column("lot_size", sa.BigInteger(), nullable=False, comment="base ledger units in one lot"),
        sa.Column("tick_size", sa.BigInteger(), nullable=False, comment="price step in quote ledger units per lot"),
        sa.Column("min_notional", sa.BigInteger(), nullable=False, comment="smallest notional in quote ledger units"),
        sa.Column(
            "band_bps",
            sa.Integer(),
            nullable=False,
            comment="how far a limit price may be from the reference, in basis points; 0 is no band",
        ),
        sa.Column("maker_fee_bps", sa.Integer(), nullable=False, comment="maker's rate"),
        sa.Column("taker_fee_bps", sa.Integer(), nullable=False, comment="taker's rate"),
        sa.Column(
            "reference_price",
            sa.BigInteger(),
            nullable=False,
            comment="reference price at listing, in quote ledger units per lot",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="open, halted or delisted"),
        sa.Column("fee_account", sa.BigInteger(), nullable=False, comment="account id that collects fees"),
        sa.PrimaryKeyConstraint("market_id", name=op.f("pk_market")),
        sa.UniqueConstraint("symbol", name=op.f("uq_market_symbol")),
        comment="Markets the engine matches.",
    )
    op.create_table(
        "orders",
        sa.Column(
            "order_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="journal sequence of the order"
        ),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="whose order"),
        sa.Column("market_id", sa.Integer(), nullable=False, comment="in which market"),
        sa.Column("side", sa.Integer(), nullable=False, comment="0 buy, 1 sell, 2 buy for an amount of quote"),
        sa.Column("price", sa.Numeric(20, 0), nullable=False, comment="limit in quote ledger units per lot"),
        sa.Column("quantity", sa.Numeric(20, 0), nullable=False, comment="lots (quote units for side 2)"),
        sa.Column("nonce", sa.Numeric(20, 0), nullable=False, comment="nonce with its top bit"),
        sa.Column("expiry", sa.BigInteger(), nullable=False, comment="last second of matching, since 1970"),
        sa.Column("max_fee_bps", sa.Integer(), nullable=False, comment="largest rate the user signed"),
        sa.Column("terms", sa.Numeric(39, 0), nullable=False, comment="packed terms, 128 bits"),
        sa.Column("packed", sa.LargeBinary(), nullable=False, comment="the packed order, 80 bytes"),
        sa.Column("order_hash", sa.LargeBinary(), nullable=False, comment="EIP-712 digest"),
        sa.Column("scheme", sa.Integer(), nullable=False, comment="signature scheme"),
        sa.Column("signature", sa.LargeBinary(), nullable=False, comment="r, s, v"),
        sa.Column(
            "signer", sa.LargeBinary(), nullable=False, comment="address that signed: the account or its delegate"
        ),
        sa.Column("client_order_id", sa.Text(), nullable=False, comment="the client's own name for it, may be empty"),
        sa.Column("maker_fee_bps", sa.Integer(), nullable=False, comment="maker's rate for its life"),
        sa.Column("taker_fee_bps", sa.Integer(), nullable=False, comment="taker's rate for its life"),
        sa.Column("status", sa.Text(), nullable=False, comment="open, filled, cancelled, expired or rejected"),
        sa.Column("close_reason", sa.Text(), nullable=True, comment="why it left the book, null while open"),
        sa.Column("filled", sa.Numeric(20, 0), nullable=False, comment="lots filled"),
        sa.Column("remaining", sa.Numeric(20, 0), nullable=False, comment="lots not filled"),
        sa.Column(
            "created_at", sa.BigInteger(), nullable=False, comment="when it was accepted, in milliseconds since 1970"
        ),
        sa.Column("closed_at", sa.BigInteger(), nullable=True, comment="when it was closed, null while open"),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
        comment="Orders the engine accepted.",
    )
    op.create_index(op.f("ix_orders_account_id_order_id"), "orders", ["account_id", "order_id"], unique=False)
    op.create_index(
        "ix_orders_client_order_id",
        "orders",
        ["account_id", "client_order_id"],
        unique=False,
        postgresql_where="client_order_id <> ''",
    )
    op.create_index(
        "ix_orders_open", "orders", ["account_id", "market_id"], unique=False, postgresql_where="status = 'open'"
    )
    op.create_index(op.f("ix_orders_order_hash"), "orders", ["order_hash"], unique=False)
    op.create_table(
        "projection",
        sa.Column("name", sa.Text(), nullable=False, comment="which projection this is the position of"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="last journal sequence projected"),
        sa.Column("head", sa.LargeBinary(), nullable=False, comment="journal head at that sequence"),
        sa.Column("at_ms", sa.BigInteger(), nullable=False, comment="time of that record, in milliseconds since 1970"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_projection")),
        comment="How far the journal is projected; moves in the transaction that writes the rows.",
    )
    op.create_table(
        "reversal",
        sa.Column(
            "trade_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="the trade that never happened"
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="journal sequence of the reversal"),
        sa.Column("cause", sa.Text(), nullable=False, comment="the on-chain state that makes it impossible"),
        sa.Column(
            "because_of", sa.BigInteger(), nullable=False, comment="the trade whose reversal pulled this one, or 0"
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False, comment="when, in milliseconds since 1970"),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("pk_reversal")),
        comment="Trades that were reversed, and why.",
    )
    op.create_index(op.f("ix_reversal_seq"), "reversal", ["seq"], unique=False)
    op.create_table(
        "trade",
        sa.Column("trade_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="id of the trade"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="journal sequence that matched it"),
        sa.Column("market_id", sa.Integer(), nullable=False, comment="in which market"),
        sa.Column("price", sa.BigInteger(), nullable=False, comment="the maker's price, quote ledger units per lot"),
        sa.Column("quantity", sa.BigInteger(), nullable=False, comment="lots"),
        sa.Column("quote", sa.BigInteger(), nullable=False, comment="price x quantity, quote ledger units"),
        sa.Column("taker_side", sa.Integer(), nullable=False, comment="0 the taker bought, 1 it sold"),
        sa.Column("maker_order_id", sa.BigInteger(), nullable=False, comment="the maker's order"),
        sa.Column("taker_order_id", sa.BigInteger(), nullable=False, comment="the taker's order"),
        sa.Column("maker_account_id", sa.BigInteger(), nullable=False, comment="the maker"),
        sa.Column("taker_account_id", sa.BigInteger(), nullable=False, comment="the taker"),
        sa.Column("maker_fee", sa.BigInteger(), nullable=False, comment="the maker's fee, quote ledger units"),
        sa.Column("taker_fee", sa.BigInteger(), nullable=False, comment="the taker's fee, quote ledger units"),
        sa.Column("batch", sa.BigInteger(), nullable=True, comment="batch it is bound to, null until the cut"),
        sa.Column("reversed_cause", sa.Text(), nullable=True, comment="why it was reversed, null if it stands"),
        sa.Column("at_ms", sa.BigInteger(), nullable=False, comment="when it was matched, in milliseconds since 1970"),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("pk_trade")),
        comment="Trades the engine matched.",
    )
    op.create_index(op.f("ix_trade_batch"), "trade", ["batch"], unique=False)
    op.create_index(op.f("ix_trade_maker_account_id_trade_id"), "trade", ["maker_account_id", "trade_id"], unique=False)
    op.create_index(op.f("ix_trade_maker_order_id"), "trade", ["maker_order_id"], unique=False)
    op.create_index(op.f("ix_trade_market_id_trade_id"), "trade", ["market_id", "trade_id"], unique=False)
    op.create_index(op.f("ix_trade_taker_account_id_trade_id"), "trade", ["taker_account_id", "trade_id"], unique=False)
    op.create_index(op.f("ix_trade_taker_order_id"), "trade", ["taker_order_id"], unique=False)
    op.create_index("ix_trade_uncut", "trade", ["seq"], unique=False, postgresql_where="batch is null")
    op.create_table(
        "withdrawal",
        sa.Column("withdrawal_hash", sa.LargeBinary(), nullable=False, comment="EIP-712 digest"),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="whose money"),
        sa.Column("asset_id", sa.Integer(), nullable=False, comment="which asset"),
        sa.Column("amount", sa.BigInteger(), nullable=False, comment="ledger units, fee included"),
        sa.Column("nonce", sa.Numeric(20, 0), nullable=False, comment="withdrawal nonce"),
        sa.Column(
            "deadline", sa.BigInteger(), nullable=False, comment="last second at which it can be mined, since 1970"
        ),
        sa.Column(
            "message",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the signed message, integers as strings",
        ),
        sa.Column("signature", sa.LargeBinary(), nullable=False, comment="the user's signature"),
        sa.Column("status", sa.Text(), nullable=False, comment="held, consumed or released"),
        sa.Column("cause", sa.Text(), nullable=True, comment="why it ended, null while held"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="journal sequence of the hold"),
        sa.Column(
            "created_at", sa.BigInteger(), nullable=False, comment="when it was held, in milliseconds since 1970"
        ),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="when it ended, null while held"),
        sa.PrimaryKeyConstraint("withdrawal_hash", name=op.f("pk_withdrawal")),
        comment="Fast withdrawals the engine holds money for.",
    )
    op.create_index(op.f("ix_withdrawal_account_id_seq"), "withdrawal", ["account_id", "seq"], unique=False)
    op.create_index("ix_withdrawal_held", "withdrawal", ["deadline"], unique=False, postgresql_where="status = 'held'")


def downgrade() -> None:
    op.drop_index("ix_withdrawal_held", table_name="withdrawal", postgresql_where="status = 'held'")
    op.drop_index(op.f("ix_withdrawal_account_id_seq"), table_name="withdrawal")
    op.drop_table("withdrawal")
    op.drop_index("ix_trade_uncut", table_name="trade", postgresql_where="batch is null")
    op.drop_index(op.f("ix_trade_taker_order_id"), table_name="trade")
    op.drop_index(op.f("ix_trade_taker_account_id_trade_id"), table_name="trade")
    op.drop_index(op.f("ix_trade_market_id_trade_id"), table_name="trade")
    op.drop_index(op.f("ix_trade_maker_order_id"), table_name="trade")
    op.drop_index(op.f("ix_trade_maker_account_id_trade_id"), table_name="trade")
    op.drop_index(op.f("ix_trade_batch"), table_name="trade")
    op.drop_table("trade")
    op.drop_index(op.f("ix_reversal_seq"), table_name="reversal")
    op.drop_table("reversal")
    op.drop_table("projection")
    op.drop_index(op.f("ix_orders_order_hash"), table_name="orders")
    op.drop_index("ix_orders_open", table_name="orders", postgresql_where="status = 'open'")
    op.drop_index("ix_orders_client_order_id", table_name="orders", postgresql_where="client_order_id <> ''")
    op.drop_index(op.f("ix_orders_account_id_order_id"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("market")
    op.drop_table("forced_withdrawal")
    op.drop_table("candle")
    op.drop_table("batch")
    op.drop_table("balance")
    op.drop_table("asset")
    op.drop_table("account")
