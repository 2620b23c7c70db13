"""Records of older versions: the shape in which they were written, and the command of today that does the same.

ListMarket 1       the market's rates in basis points
SetMarketFees 1    new rates in basis points, from now on; there was no notice then
SetMarketBounds 1  the market's band stays as it was listed
"""

from typing import Annotated

import msgspec

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.fees import PPM_PER_BPS
from exchange.domain.instrument import Market, MarketStatus
from exchange.engine import commands as c

_Integer = Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)]
_Address = Annotated[bytes, msgspec.Meta(min_length=20, max_length=20)]


class _Market1(msgspec.Struct):
    market_id: int
    symbol: str
    base_asset: int
    quote_asset: int
    lot_size: int
    tick_size: int
    min_notional: int
    band_bps: int
    maker_fee_bps: int
    taker_fee_bps: int
    reference_price: int
    status: MarketStatus


LIST_MARKET_1 = tuple[_Market1, _Address]
SET_MARKET_FEES_1 = tuple[_Integer, _Integer, _Integer, _Integer]
SET_MARKET_BOUNDS_1 = tuple[_Integer, _Integer, _Integer, _Integer, _Integer, _Integer, _Integer]


def list_market_1(market: _Market1, fee_account: bytes) -> c.ListMarket:
    """The same listing with its rates in parts per million."""
    rules = msgspec.structs.asdict(market)
    for role in ("maker", "taker"):
        rules[f"{role}_fee_ppm"] = rules.pop(f"{role}_fee_bps") * PPM_PER_BPS
    return c.ListMarket(Market(**rules), fee_account)


def set_market_fees_1(inbox_id: int, market: int, maker_fee_bps: int, taker_fee_bps: int) -> c.AnnounceFees:
    """An announcement of the same rates for now, with one tier and no floor."""
    rates = maker_fee_bps * PPM_PER_BPS, taker_fee_bps * PPM_PER_BPS
    return c.AnnounceFees(inbox_id, market, 0, (rates,), 0)
