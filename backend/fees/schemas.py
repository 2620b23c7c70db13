"""Shapes of fees. Rates are in parts per million, hundredths of a basis point; caps in basis points."""

from typing import Literal

from pydantic import BaseModel, Field

from backend.accounts.schemas import Mirrored


class TierView(BaseModel):
    """The rates of one tier; a tier above the last one listed has the last one's."""

    tier: int
    maker_fee_ppm: int = Field(description="maker's rate in parts per million", examples=[200])
    taker_fee_ppm: int = Field(description="taker's rate in parts per million", examples=[500])


class ScheduleView(BaseModel):
    """The fees of orders accepted from `effective_at` on, until the next schedule's."""

    effective_at: int = Field(description="milliseconds")
    tiers: list[TierView]
    floor: str = Field(description="least fee of an order for all it takes, quote ledger units", examples=["0"])


class MarketFees(BaseModel):
    """One market's fees: those in force, and the changes that were announced, in order."""

    market: int
    symbol: str
    current: ScheduleView
    announced: list[ScheduleView]


class FeesView(BaseModel):
    """All schedules. `fee_cap_bps` bounds every rate; a rise is announced at least `notice_ms` before it counts."""

    fee_cap_bps: int
    notice_ms: int
    markets: list[MarketFees]
    seq: int = Field(description="journal sequence up to which the schedules are known")
    server_time: int = Field(description="milliseconds")


class TierChange(BaseModel):
    """A change of an account's tier that was announced."""

    tier: int
    effective_at: int = Field(description="milliseconds")


class OwnRates(BaseModel):
    """What this account's orders pay in one market, if they are accepted now."""

    market: int
    symbol: str
    maker_fee_ppm: int
    taker_fee_ppm: int
    floor: str


class AccountFees(BaseModel):
    """An account's tier and rates now, and the changes of its tier that were announced."""

    account: str
    tier: int
    announced: list[TierChange]
    markets: list[OwnRates]
    server_time: int = Field(description="milliseconds")


class AssetFees(BaseModel):
    """Fees in one asset, in its ledger units."""

    asset_id: int
    symbol: str
    charged: str = Field(description="by the journal: the fees of the batch's trades")
    collected: str = Field(description="by the contract: what the batch credited to the treasury; 0 until it is mined")


class BatchFees(BaseModel):
    """What one batch brought, and what its gas cost."""

    batch: int
    status: Literal["cut", "settled", "final"]
    trades: int
    tx_hash: str | None
    block_number: int | None
    gas_wei: str | None = Field(description="wei paid for its transaction, null until it is mined")
    fees: list[AssetFees]


class BatchFeesPage(Mirrored):
    """Batches with their fees, latest first. `treasury` is the account that collects them."""

    treasury: str
    batches: list[BatchFees]
    next_before: int | None


class AssetTotal(BaseModel):
    """What the treasury collected in one asset since the beginning, in ledger units, as its trading balance shows."""

    asset_id: int
    symbol: str
    collected: str


class FeeTotals(Mirrored):
    """What batches collected on chain since the beginning, and what their gas cost the keeper."""

    treasury: str
    assets: list[AssetTotal]
    batches: int = Field(description="settled batches whose gas is known")
    gas_wei: str
