"""What the exchange is, as a client needs it: domain to sign for, assets, tokens, markets and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, TypeVar

from bizzan.client.orders import OrderBuilder
from bizzan.client.schemas import ExchangeRow, Fees, MarketRow, WindowsRow
from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import Domain
from exchange.domain.fees import Schedule
from exchange.domain.instrument import Asset, Market, MarketStatus, Token

T = TypeVar("T")


class Listed(dict[str, T]):
    """Things of a kind by symbol; the KeyError of one that there is not says which there are."""

    def __init__(self, kind: str, things: Mapping[str, T]) -> None:
        super().__init__(things)
        self._kind = kind

    def __missing__(self, symbol: str) -> NoReturn:
        raise KeyError(f"there is no {self._kind} {symbol!r}; there are {', '.join(self)}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange. Symbols of assets are like `BTC`, of markets like `BTC-USDC`; unknown ones are KeyErrors."""

    chain_id: int
    custody: str
    deposit_addresses: str
    domain: Domain
    windows: WindowsRow
    credit_confirmations: int
    final_confirmations: int
    assets: Mapping[str, Asset]
    tokens: Mapping[str, Token]
    markets: Mapping[str, OrderBuilder]

    @classmethod
    def parse(cls, row: ExchangeRow) -> Exchange:
        """The exchange that `/v1/exchange` describes."""
        assets = {a.asset_id: Asset(a.asset_id, a.symbol, a.decimals) for a in row.assets}
        tokens = {
            assets[t.asset_id].symbol: Token(row.chain_id, t.token_id, t.address, t.asset_id, t.decimals, t.unit)
            for t in row.tokens
        }
        markets = {
            m.symbol: OrderBuilder(_market(m), assets[m.base_asset], assets[m.quote_asset], (_schedule(m),))
            for m in row.markets
        }
        return cls(
            chain_id=row.chain_id,
            custody=row.contract,
            deposit_addresses=row.deposit_addresses,
            domain=Domain(row.name, row.chain_id, address_bytes(row.contract)),
            windows=row.windows,
            credit_confirmations=row.credit_confirmations,
            final_confirmations=row.final_confirmations,
            assets=Listed("asset", {asset.symbol: asset for asset in assets.values()}),
            tokens=Listed("token", tokens),
            markets=Listed("market", markets),
        )

    def with_fees(self, fees: Fees) -> Exchange:
        """The same exchange, whose markets know these schedules."""
        markets = dict(self.markets)
        for row in fees.markets:
            schedules = tuple(
                Schedule(tuple((tier.maker_fee_ppm, tier.taker_fee_ppm) for tier in known.tiers), known.floor)
                for known in (row.current, *row.announced)
            )
            markets[row.symbol] = replace(markets[row.symbol], schedules=schedules, fee_cap_bps=fees.fee_cap_bps)
        return replace(self, markets=Listed("market", markets))


def _schedule(row: MarketRow) -> Schedule:
    return Schedule(((row.maker_fee_ppm, row.taker_fee_ppm),), row.fee_floor)


def _market(row: MarketRow) -> Market:
    return Market(
        market_id=row.market_id,
        symbol=row.symbol,
        base_asset=row.base_asset,
        quote_asset=row.quote_asset,
        lot_size=row.lot_size,
        tick_size=row.tick_size,
        min_notional=row.min_notional,
        band_bps=row.band_bps,
        maker_fee_ppm=row.maker_fee_ppm,
        taker_fee_ppm=row.taker_fee_ppm,
        reference_price=row.reference_price,
        status=MarketStatus(row.status),
    )
