"""Shapes of surveillance."""

from pydantic import BaseModel, Field


class CaseView(BaseModel):
    """What a person should look at. Cases are found by figures and prove nothing by themselves."""

    case_id: int
    pattern: str = Field(examples=["wash_trades"])
    market: int
    accounts: list[str]
    first_seq: int = Field(description="journal sequence of the first record that belongs to it")
    last_seq: int
    began_at: int = Field(description="milliseconds")
    ended_at: int = Field(description="milliseconds")
    figures: dict[str, int] = Field(description="what crossed the thresholds")
    evidence: list[int] = Field(description="ids of orders or trades, the first twenty")
    text: str
    found_at: int = Field(description="milliseconds")


class CasePage(BaseModel):
    """Cases, latest first."""

    cases: list[CaseView]
    next_before: int | None
    looked_until: int = Field(description="up to when the journal was looked at, in milliseconds; 0 before the first")
    server_time: int = Field(description="milliseconds")
