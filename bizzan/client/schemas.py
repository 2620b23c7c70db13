"""What the API answers, as typed values. Amounts, prices, quantities and nonces are integers; times milliseconds.

Fields that a newer API adds are ignored.
"""

import msgspec

from exchange.domain.receipt import Receipt

Level = tuple[int, int]
"""Price (quote ledger units per lot) and quantity (lots)."""


class AssetRow(msgspec.Struct, frozen=True):
    """What balances count."""

    asset_id: int
    symbol: str
    decimals: int


class TokenRow(msgspec.Struct, frozen=True):
    """The token that carries an asset on the chain."""

    token_id: int
    asset_id: int
    address: str
    decimals: int
    unit: int
    min_withdrawal: int = 1


class MarketRow(msgspec.Struct, frozen=True):
    """A market's rules; `symbol` is like `BTC-USDC`."""

    market_id: int
    symbol: str
    base_asset: int
    quote_asset: int
    lot_size: int
    tick_size: int
    min_notional: int
    band_bps: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    fee_floor: int
    reference_price: int
    status: str


class WindowsRow(msgspec.Struct, frozen=True):
    """The contract's fixed times, in seconds."""

    delay: int
    grace: int
    claim_window: int


class ExchangeRow(msgspec.Struct, frozen=True):
    """What `/v1/exchange` says; `bizzan.client.exchange` makes an `Exchange` of it."""

    name: str
    chain_id: int
    contract: str
    deposit_addresses: str
    fee_account: str
    assets: list[AssetRow]
    tokens: list[TokenRow]
    markets: list[MarketRow]
    windows: WindowsRow
    credit_confirmations: int
    final_confirmations: int


class TierRow(msgspec.Struct, frozen=True):
    """The rates of one fee tier, in parts per million."""

    tier: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class ScheduleRow(msgspec.Struct, frozen=True):
    """Fees of orders accepted from `effective_at` (milliseconds) on; `floor` in quote ledger units."""

    effective_at: int
    tiers: list[TierRow]
    floor: int


class MarketFees(msgspec.Struct, frozen=True):
    """One market's fees in force, and the changes that were announced."""

    market: int
    symbol: str
    current: ScheduleRow
    announced: list[ScheduleRow]


class Fees(msgspec.Struct, frozen=True):
    """All fee schedules; `fee_cap_bps` bounds every rate, a rise is announced `notice_ms` before it counts."""

    fee_cap_bps: int
    notice_ms: int
    markets: list[MarketFees]
    seq: int
    server_time: int


class OwnRates(msgspec.Struct, frozen=True):
    """What the account's orders pay in one market, if they are accepted now."""

    market: int
    symbol: str
    maker_fee_ppm: int
    taker_fee_ppm: int
    floor: int


class TierChange(msgspec.Struct, frozen=True):
    """A change of the account's tier that was announced."""

    tier: int
    effective_at: int


class AccountFees(msgspec.Struct, frozen=True):
    """The account's fee tier and rates."""

    account: str
    tier: int
    announced: list[TierChange]
    markets: list[OwnRates]
    server_time: int


class Preview(msgspec.Struct, frozen=True):
    """What an order would pay and meet if it were accepted now; `max_fee_bps` is the lowest cap to sign."""

    market: int
    side: str
    tier: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    fee_floor: int
    max_fee_bps: int
    fee_cap_bps: int
    notional: int
    maker_fee: int
    taker_fee: int
    worst_fee: int
    holds_asset: int
    holds_amount: int
    fills_now: int
    fills_now_quote: int
    fills_now_fee: int
    book_seq: int


class ReceiptRow(msgspec.Struct, frozen=True):
    """A receipt as it travels; `receipt()` makes one of it that checks."""

    name: str
    chain_id: int
    bond: str
    first_seq: int
    last_seq: int
    head: str
    seq: int
    at_ms: int
    subject: str
    record_head: str
    path: list[str]
    signature: str

    def receipt(self) -> Receipt:
        """The receipt; ReceiptError when it is none."""
        return Receipt.from_json(msgspec.structs.asdict(self))


class ReceiptAnswer(msgspec.Struct, frozen=True):
    """An order's receipt."""

    order_id: int
    receipt: ReceiptRow
    legs: tuple[str, ...] = ()
    """The hashes of both legs that came together, if the order is one of them: the receipt is of both."""


class SignedReceipt(msgspec.Struct, frozen=True):
    """The receipt of a message of the account."""

    receipt: ReceiptRow


class Ack(msgspec.Struct, frozen=True):
    """A command is durable at `seq`. `order_hash` is None for cancels."""

    seq: int
    at: int
    order_id: int | None
    order_hash: str | None
    duplicate: bool
    receipt: ReceiptRow | None = None


class GroupAck(msgspec.Struct, frozen=True):
    """Both legs of a group are durable, in one record with one receipt."""

    first: Ack
    second: Ack


class Order(msgspec.Struct, frozen=True):
    """An order and what became of it; `close_reason` is None while it is open."""

    order_id: int
    order_hash: str
    client_order_id: str
    market: int
    side: str
    price: int
    quantity: int
    filled: int
    remaining: int
    nonce: int
    expiry: int
    status: str
    close_reason: str | None
    created_at: int
    closed_at: int | None
    trigger_type: str = "none"
    trigger_price: int = 0
    triggered_at: int | None = None
    group: int = 0


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, latest first."""

    orders: list[Order]
    next_before: int | None = None


class OrderAnswer(msgspec.Struct, frozen=True):
    """One order."""

    order: Order


class Auction(msgspec.Struct, frozen=True):
    """An auction that is under way, and what it would do now with the lots that the book shows."""

    ends_at: int
    price: int
    volume: int
    surplus: int


class Book(msgspec.Struct, frozen=True):
    """Levels of both sides, best first."""

    market_id: int
    symbol: str
    seq: int
    bids: list[Level]
    asks: list[Level]
    auction: Auction | None = None


class Trade(msgspec.Struct, frozen=True):
    """A trade of the public tape."""

    trade_id: int
    price: int
    quantity: int
    quote: int
    taker_side: str
    at: int
    reversed: bool = False


class TradePage(msgspec.Struct, frozen=True):
    """Trades, latest first."""

    trades: list[Trade]
    next_before: int | None = None


class Candle(msgspec.Struct, frozen=True):
    """One candle; volumes in lots and quote ledger units."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    base_volume: int
    quote_volume: int
    trades: int


class CandlePage(msgspec.Struct, frozen=True):
    """Candles, oldest first."""

    market_id: int
    interval: str
    candles: list[Candle]


class Ticker(msgspec.Struct, frozen=True):
    """A market at a glance; prices are None while there is none."""

    market_id: int
    symbol: str
    last_price: int | None
    best_bid: Level | None
    best_ask: Level | None


class Balance(msgspec.Struct, frozen=True):
    """Money in one asset, in ledger units; see docs/api.md for each part."""

    asset_id: int
    symbol: str
    available: int
    held: int
    reserved: int
    unsettled: int
    withdrawable: int
    deficit: int
    uncredited: int
    trading_on_chain: int
    funding_on_chain: int

    @property
    def total(self) -> int:
        """What the engine holds for the account, less what it owes."""
        return self.available + self.held + self.reserved - self.deficit


class Account(msgspec.Struct, frozen=True):
    """An account: `active`, `exiting`, `frozen`, `blocked`, or `unknown` when the engine never saw it."""

    account: str
    status: str
    min_nonce: int
    balances: list[Balance]
    indexed_block: int
    finalized_block: int

    def balance(self, symbol: str) -> Balance | None:
        """The balance in one asset, None when there never was one."""
        return next((balance for balance in self.balances if balance.symbol == symbol), None)


class Fill(msgspec.Struct, frozen=True):
    """One side of a trade, and how far its settlement is: matched, submitted, settled, final or reversed."""

    trade_id: int
    order_id: int
    market: int
    side: str
    role: str
    price: int
    quantity: int
    quote: int
    fee: int
    at: int
    status: str
    batch: int | None = None
    tx_hash: str | None = None
    block_number: int | None = None
    reversed_because: str | None = None


class FillPage(msgspec.Struct, frozen=True):
    """Fills, latest first."""

    fills: list[Fill]
    next_before: int | None = None


class Deposit(msgspec.Struct, frozen=True):
    """Money that came in on chain; `status` is confirming, credited or in_funding."""

    kind: str
    token_id: int
    amount: int
    to_funding: bool
    tx_hash: str
    block_number: int
    status: str
    confirmations: int


class DepositPage(msgspec.Struct, frozen=True):
    """Deposits, latest first."""

    deposits: list[Deposit]
    next_before: str | None = None


class SweptToken(msgspec.Struct, frozen=True):
    """A token that a deposit address takes, from `minimum` ledger units on."""

    token_id: int
    symbol: str
    token: str
    minimum: int


class DepositAddress(msgspec.Struct, frozen=True):
    """Where plain transfers for an account go; `factory` is whose `sweep` anyone may call."""

    account: str
    deposit_address: str
    factory: str
    tokens: list[SweptToken]


class AllowedRecipient(msgspec.Struct, frozen=True):
    """An entry of an allow-list, which counts from `allowed_at`, in seconds since 1970."""

    recipient: str
    allowed_at: int
    in_force: bool


class Guards(msgspec.Struct, frozen=True):
    """What an account set up against the theft of its key; times in seconds since 1970, None for no end or none set."""

    account: str
    frozen: bool
    settlement_ends_at: int | None
    frozen_until: int | None
    freeze_nonce: int
    allow_list: bool
    allow_list_until: int | None
    recipients: list[AllowedRecipient]
    next_after: str | None = None


class TokenOutflow(msgspec.Struct, frozen=True):
    """A token's limit (0: none), its level, and what can go out without approvals (None: no limit); ledger units."""

    token_id: int
    asset_id: int
    symbol: str
    limit: int
    level: int
    available: int | None = None


class Outflow(msgspec.Struct, frozen=True):
    """Outflow limits by token; above them `threshold` of the `approvers` must approve."""

    window_seconds: int
    approvers: list[str]
    threshold: int
    tokens: list[TokenOutflow]

    def token(self, symbol: str) -> TokenOutflow:
        """The row of one token. KeyError for an unknown symbol."""
        return {token.symbol: token for token in self.tokens}[symbol]


class LoginNonce(msgspec.Struct, frozen=True):
    """What a sign-in message must say."""

    nonce: str
    domain: str
    chain_id: int


class Session(msgspec.Struct, frozen=True):
    """A session for private reads, until `expires_at`."""

    token: str
    address: str
    expires_at: int


class WithdrawalAck(msgspec.Struct, frozen=True):
    """The hold of a signed withdrawal is durable at `seq`; `amount` ledger units are held."""

    withdrawal_hash: str
    seq: int
    at: int
    asset_id: int
    amount: int
    receipt: ReceiptRow | None = None


class Approvals(msgspec.Struct, frozen=True):
    """Approvals of a withdrawal above its token's outflow limit; `needed` is 0 unless it waits for them."""

    needed: int = 0
    given: int = 0
    by: list[str] = []


class Withdrawal(msgspec.Struct, frozen=True):
    """A signed withdrawal or transfer to funding: held, consumed (paid by `tx_hash`, final) or released.

    `tx_hash` is set as soon as it is mined; `created_at`, in milliseconds since 1970, is when it was held.
    """

    withdrawal_hash: str
    kind: str
    asset_id: int
    amount: int
    deadline: int
    status: str
    created_at: int
    tx_hash: str | None = None
    block_number: int | None = None
    approvals: Approvals = Approvals()
    waits_because: str | None = None
    waits_until: int | None = None


class WithdrawalPage(msgspec.Struct, frozen=True):
    """Withdrawals, latest first."""

    withdrawals: list[Withdrawal]


class Status(msgspec.Struct, frozen=True):
    """How far each part of the exchange is; `block` is None while the chain's node is away."""

    status: str
    block: int | None
    indexed_block: int
    finalized_block: int
    journal_seq: int
    batches: int
    batches_settled: int
    trades: int
    trades_settled: int
    mismatches: int
    engine_implementation: str | None = None
    """`fast` or `reference`: which of the two does the work at present; None while the engine is away."""
