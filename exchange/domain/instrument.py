"""Instruments: assets, the tokens that carry them on a chain, and the markets between them."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Asset:
    """What balances count. `decimals` is the ledger's precision (ETH: 8), not a token's."""

    asset_id: int
    symbol: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Token:
    """An asset on one chain: `unit` token units make one ledger unit; the zero address is ETH."""

    chain_id: int
    token_id: int
    address: str
    asset_id: int
    decimals: int
    unit: int


class MarketStatus(StrEnum):
    """`open` takes orders; `auction` takes them for later; `halted` takes cancels only; `delisted` is for ever."""

    open = "open"
    auction = "auction"
    halted = "halted"
    delisted = "delisted"


@dataclass(frozen=True, slots=True)
class Market:
    """An order book's rules.

    `lot_size` is in base ledger units. `price` and `tick_size` are in quote ledger units per lot,
    `quantity` is in lots and `min_notional` in quote ledger units, so that notional = price x
    quantity exactly. `band_bps` bounds limit prices around the reference price (0: no band).
    The fee rates, parts per million, are those at listing; `exchange.domain.fees` says what becomes of them.
    """

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
    reference_price: int
    status: MarketStatus = MarketStatus.open
