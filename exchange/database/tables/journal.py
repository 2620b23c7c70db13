"""The mirror of the journal: what the projector folds from the engine's events."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from exchange.database.tables.columns import Amount, Uint, blob, integer, metadata, string, token_amount, u64
from exchange.domain.order_id import SEQ_LIMIT

projection = Table(
    "projection",
    metadata,
    string("name", "which projection this is the position of", primary_key=True),
    integer("seq", "last journal sequence projected"),
    blob("head", "journal head at that sequence"),
    integer("at_ms", "time of that record, in milliseconds since 1970"),
    comment="How far the journal is projected; moves in the transaction that writes the rows.",
)

asset = Table(
    "asset",
    metadata,
    integer("asset_id", "id of the asset", kind=Integer, primary_key=True, autoincrement=False),
    string("symbol", "ticker, unique", unique=True),
    integer("decimals", "decimals of the ledger unit", kind=Integer),
    comment="Assets the engine knows.",
)

market = Table(
    "market",
    metadata,
    integer("market_id", "id of the market", kind=Integer, primary_key=True, autoincrement=False),
    string("symbol", "base/quote, unique", unique=True),
    integer("base_asset", "asset traded", kind=Integer),
    integer("quote_asset", "asset paid with", kind=Integer),
    integer("lot_size", "base ledger units in one lot"),
    integer("tick_size", "price step in quote ledger units per lot"),
    integer("min_notional", "smallest notional in quote ledger units"),
    integer("band_bps", "how far a limit price may be from the reference, in basis points; 0 is no band", kind=Integer),
    integer("reference_price", "reference price at listing, in quote ledger units per lot"),
    string("status", "open, auction, halted or delisted"),
    integer("fee_account", "account id that collects fees"),
    comment="Markets the engine matches.",
)

account = Table(
    "account",
    metadata,
    integer("account_id", "id in order of appearance", primary_key=True, autoincrement=False),
    blob("address", "address of the wallet", unique=True),
    string("status", "active, exiting, frozen (by its owner) or blocked"),
    integer("min_nonce", "order sequences below are refused", kind=u64()),
    comment="Accounts the engine knows.",
)

fee_schedule = Table(
    "fee_schedule",
    metadata,
    integer("seq", "journal sequence of the announcement", primary_key=True, autoincrement=False),
    integer("market_id", "fees of which market", kind=Integer),
    integer("announced_at", "when it was announced, in milliseconds since 1970"),
    integer("effective_at", "from when it holds, in milliseconds; a later row for then or before makes it void"),
    Column("tiers", JSONB, nullable=False, comment="[maker, taker] in parts per million, from tier 0"),
    integer("floor", "least fee for all that an order takes, quote ledger units", kind=Amount),
    Index(None, "market_id", "seq"),
    comment="Fee schedules, as announced.",
)

account_tier = Table(
    "account_tier",
    metadata,
    integer("seq", "journal sequence of the change", primary_key=True, autoincrement=False),
    integer("account_id", "whose tier"),
    integer("announced_at", "when it was announced, in milliseconds since 1970"),
    integer("effective_at", "from when it holds, in milliseconds; a later row for then or before makes it void"),
    integer("tier", "fee tier; accounts without a row have tier 0", kind=Integer),
    Index(None, "account_id", "seq"),
    comment="Fee tiers of accounts, as announced.",
)

balance = Table(
    "balance",
    metadata,
    integer("account_id", "whose balance", primary_key=True, autoincrement=False),
    integer("asset_id", "of which asset", kind=Integer, primary_key=True, autoincrement=False),
    integer("available", "can be traded", kind=Amount),
    integer("held", "backs open orders", kind=Amount),
    integer("reserved", "backs withdrawals", kind=Amount),
    integer("unsettled", "came in from trades that are not final: can be traded, not withdrawn", kind=Amount),
    integer("deficit", "owed after a reorg", kind=Amount),
    integer("seq", "journal sequence of the last change"),
    CheckConstraint("least(available, held, reserved, unsettled, deficit) >= 0", name="not_negative"),
    comment="Balances as the engine has them.",
)

orders = Table(
    "orders",
    metadata,
    integer(
        "order_id", "journal sequence of the order + its place in a frame << 40", primary_key=True, autoincrement=False
    ),
    integer("account_id", "whose order"),
    integer("market_id", "in which market", kind=Integer),
    integer("side", "0 buy, 1 sell, 2 buy for an amount of quote", kind=Integer),
    integer("price", "limit in quote ledger units per lot", kind=u64()),
    integer("quantity", "lots (quote units for side 2)", kind=u64()),
    integer("nonce", "nonce with its top bit", kind=u64()),
    integer("expiry", "last second of matching, since 1970"),
    integer("max_fee_bps", "largest rate the user signed", kind=Integer),
    integer("terms", "packed terms, 128 bits", kind=Uint(39)),
    blob("packed", "the packed order, 80 bytes"),
    blob("order_hash", "EIP-712 digest"),
    integer("scheme", "signature scheme", kind=Integer),
    blob("signature", "r, s, v; of an order signed in bulk also its index and path"),
    blob("signer", "address that signed: the account or its delegate"),
    string("client_order_id", "the client's own name for it, may be empty"),
    integer("maker_fee_ppm", "maker's rate for its life, parts per million", kind=Integer),
    integer("taker_fee_ppm", "taker's rate for its life, parts per million", kind=Integer),
    integer("fee_floor", "least fee for all that it takes, quote ledger units", kind=Amount),
    string("status", "open, filled, cancelled, expired or rejected"),
    string("close_reason", "why it left the book, null while open", nullable=True),
    integer("filled", "lots filled", kind=u64()),
    integer("remaining", "lots not filled", kind=u64()),
    integer("triggered_at", "when the price for which it waited had come, null before and for others", nullable=True),
    integer("created_at", "when it was accepted, in milliseconds since 1970"),
    integer("closed_at", "when it was closed, null while open", nullable=True),
    Index("ix_orders_age", "account_id", text(f"(order_id & {SEQ_LIMIT - 1})"), "order_id"),
    Index("ix_orders_open", "account_id", "market_id", postgresql_where="status = 'open'"),
    Index(None, "order_hash"),
    Index("ix_orders_client_order_id", "account_id", "client_order_id", postgresql_where="client_order_id <> ''"),
    comment="Orders the engine accepted.",
)

trade = Table(
    "trade",
    metadata,
    integer("trade_id", "id of the trade", primary_key=True, autoincrement=False),
    integer("seq", "journal sequence that matched it"),
    integer("market_id", "in which market", kind=Integer),
    integer("price", "the maker's price, quote ledger units per lot"),
    integer("quantity", "lots"),
    integer("quote", "price x quantity, quote ledger units", kind=Amount),
    integer("taker_side", "0 the taker bought, 1 it sold", kind=Integer),
    integer("maker_order_id", "the maker's order"),
    integer("taker_order_id", "the taker's order"),
    integer("maker_account_id", "the maker"),
    integer("taker_account_id", "the taker"),
    integer("maker_fee", "the maker's fee, quote ledger units", kind=Amount),
    integer("taker_fee", "the taker's fee, quote ledger units", kind=Amount),
    integer("batch", "batch it is bound to, null until the cut", nullable=True),
    string("reversed_cause", "why it was reversed, null if it stands", nullable=True),
    integer("at_ms", "when it was matched, in milliseconds since 1970"),
    Index(None, "market_id", "trade_id"),
    Index(None, "maker_account_id", "trade_id"),
    Index(None, "taker_account_id", "trade_id"),
    Index(None, "maker_order_id"),
    Index(None, "taker_order_id"),
    Index(None, "batch"),
    Index("ix_trade_uncut", "seq", postgresql_where="batch is null"),
    comment="Trades the engine matched.",
)

batch = Table(
    "batch",
    metadata,
    integer("batch", "number of the batch, from 1", primary_key=True, autoincrement=False),
    integer("from_seq", "its trades are above this journal sequence"),
    integer("to_seq", "and up to this one"),
    blob("prev_head", "journal head at from_seq"),
    blob("new_head", "journal head at to_seq"),
    string("status", "cut or final"),
    integer("cut_seq", "journal sequence of the cut"),
    comment="Batches the engine cut; whether one is mined stands in batch_settled.",
)

reversal = Table(
    "reversal",
    metadata,
    integer("trade_id", "the trade that never happened", primary_key=True, autoincrement=False),
    integer("seq", "journal sequence of the reversal"),
    string("cause", "the on-chain state that makes it impossible"),
    integer("because_of", "the trade whose reversal pulled this one, or 0"),
    integer("at_ms", "when, in milliseconds since 1970"),
    Index(None, "seq"),
    comment="Trades that were reversed, and why.",
)

withdrawal = Table(
    "withdrawal",
    metadata,
    blob("withdrawal_hash", "EIP-712 digest", primary_key=True),
    integer("account_id", "whose money"),
    integer("asset_id", "which asset", kind=Integer),
    integer("amount", "ledger units, fee included", kind=Amount),
    integer("nonce", "withdrawal nonce", kind=u64()),
    integer("deadline", "last second at which it can be mined, since 1970"),
    Column("message", JSONB, nullable=False, comment="the signed message, integers as strings"),
    blob("signature", "the user's signature"),
    string("status", "held, consumed or released"),
    string("cause", "why it ended, null while held", nullable=True),
    integer("seq", "journal sequence of the hold"),
    integer("created_at", "when it was held, in milliseconds since 1970"),
    integer("ended_at", "when it ended, null while held", nullable=True),
    Index(None, "account_id", "seq"),
    Index("ix_withdrawal_held", "deadline", postgresql_where="status = 'held'"),
    comment="Fast withdrawals the engine holds money for.",
)

forced_withdrawal = Table(
    "forced_withdrawal",
    metadata,
    string("request", "the log that requested it", primary_key=True),
    integer("account_id", "whose money"),
    integer("asset_id", "which asset", kind=Integer),
    integer("requested", "ledger units requested", kind=Amount),
    integer("reserved", "ledger units that could be reserved", kind=Amount),
    string("status", "reserved or released"),
    integer("seq", "journal sequence of the last change"),
    comment="Forced withdrawals the engine reserved money for.",
)

candle = Table(
    "candle",
    metadata,
    integer("market_id", "which market", kind=Integer, primary_key=True, autoincrement=False),
    string("interval", "1m 5m 15m 30m 1h 4h 1d 1w 1M", primary_key=True),
    integer("start_ms", "start of the interval, UTC, milliseconds since 1970", primary_key=True, autoincrement=False),
    integer("open", "first price", kind=BigInteger),
    integer("high", "highest price"),
    integer("low", "lowest price"),
    integer("close", "last price"),
    integer("base_volume", "lots traded", kind=token_amount()),
    integer("quote_volume", "quote ledger units traded", kind=token_amount()),
    integer("trades", "number of trades"),
    comment="Candles of all trades matched; a reversed trade stays in them, as on every tape.",
)

JOURNAL = (
    projection,
    asset,
    market,
    account,
    fee_schedule,
    account_tier,
    balance,
    orders,
    trade,
    batch,
    reversal,
    withdrawal,
    forced_withdrawal,
    candle,
)
"""Everything that a replay of the journal would build again."""
