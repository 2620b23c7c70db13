"""Shapes of fees. Rates are in parts per million, hundredths of a basis point; caps in basis points."""

from pydantic import BaseModel, Field


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
    current: ScheduleView | None
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
