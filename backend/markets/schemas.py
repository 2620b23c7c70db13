"""Shapes of markets and market data: msgspec structs, because everybody polls them."""

import msgspec

Level = tuple[str, str]


class AuctionView(msgspec.Struct, kw_only=True):
    """An auction that is under way, and what it would do now with the lots that the book shows."""

    ends_at: int
    """Unix seconds; 0: when the operator opens the market."""
    price: str
    """The price of all its trades; 0 where nobody meets."""
    volume: str
    """Lots that would trade."""
    surplus: str
    """Lots at the price that would not: bids above zero, asks below."""


class MarketView(msgspec.Struct, kw_only=True):
    """A market's rules. `price` and `tick_size` are quote ledger units per lot; `lot_size` base ledger units.

    `reference_price` is what the band is around before the first trade, in quote ledger units per lot. The rates are
    those of tier 0 now, in parts per million; `/v1/fees` has all of them, and what is announced.
    """

    market_id: int
    symbol: str
    base_asset: int
    quote_asset: int
    lot_size: str
    tick_size: str
    min_notional: str
    band_bps: int
    collar_bps: int
    """No order takes further than so much from the last price when it came. 0: no bound, here and of the next four."""
    max_quantity: str
    """Lots of one order."""
    max_notional: str
    """Quote ledger units of one order."""
    max_open_orders: int
    """Open orders of one account in this market."""
    max_open_notional: str
    """Quote ledger units of one account's open orders in this market."""
    reference_price: str
    maker_fee_ppm: int
    taker_fee_ppm: int
    fee_floor: str
    status: str
    """`open`; `auction`: orders gather and trade later at one price; `halted`: cancels only; `delisted`."""
    auction: AuctionView | None = None


class BookView(msgspec.Struct, kw_only=True):
    """Levels of both sides, best first: price and quantity in lots. `seq` is the book's last change."""

    market_id: int
    symbol: str
    seq: int
    bids: list[Level]
    asks: list[Level]
    auction: AuctionView | None = None
    """Only in an auction, where the best bid may be above the best ask."""


class TradeView(msgspec.Struct, kw_only=True):
    """A trade of the public tape. `reversed`: it can never settle and was taken back on both sides."""

    trade_id: int
    price: str
    quantity: str
    quote: str
    taker_side: str
    at: int
    reversed: bool = False


class TradePage(msgspec.Struct, kw_only=True):
    """Trades, latest first, as far as the journal is mirrored."""

    trades: list[TradeView]
    next_before: int | None
    journal_seq: int
    indexed_block: int
    finalized_block: int


class CandleView(msgspec.Struct, kw_only=True):
    """One candle; volumes in lots and quote ledger units."""

    start_ms: int
    open: str
    high: str
    low: str
    close: str
    base_volume: str
    quote_volume: str
    trades: int


class CandlePage(msgspec.Struct, kw_only=True):
    """Candles, oldest first, as far as the journal is mirrored. Intervals without a trade are absent."""

    market_id: int
    interval: str
    candles: list[CandleView]
    journal_seq: int
    indexed_block: int
    finalized_block: int


class TickerView(msgspec.Struct, kw_only=True):
    """The market at a glance: the book's best and last trade live, the 24 hours as mirrored."""

    market_id: int
    symbol: str
    last_price: str | None
    best_bid: Level | None
    best_ask: Level | None
    open_24h: str | None
    high_24h: str | None
    low_24h: str | None
    change_bps_24h: int | None
    base_volume_24h: str
    quote_volume_24h: str
    trades_24h: int
    seq: int
    journal_seq: int
    indexed_block: int
    finalized_block: int
