"""Shapes of what protects money: an account's own guards, and the limits of outflow."""

from pydantic import BaseModel, Field

from backend.accounts.schemas import Mirrored


class RecipientView(BaseModel):
    """An entry of an allow-list."""

    recipient: str
    allowed_at: int = Field(description="from when it counts, in seconds since 1970")
    in_force: bool = Field(description="whether it counts by now")


class GuardsView(Mirrored):
    """What the account set up against the theft of its key. Times are in seconds since 1970."""

    account: str
    frozen: bool = Field(description="whether fast withdrawals, funding and new delegates are stopped now")
    settlement_ends_at: int | None = Field(description="from when a frozen account does not settle; null if not frozen")
    frozen_until: int | None = Field(description="when the account thaws; null if not frozen, or without an end")
    freeze_nonce: str = Field(description="what a signed `AccountFreeze` must name next", examples=["0"])
    allow_list: bool = Field(description="whether only `recipients` in force can be paid now")
    allow_list_until: int | None = Field(description="when the list goes off; null if it is off, or has no end")
    recipients: list[RecipientView] = Field(description="in the order of their addresses")
    next_after: str | None = Field(description="pass it as `after` for the next page of recipients")
    server_time: int = Field(description="what `frozen`, `allow_list` and `in_force` speak of")


class TokenOutflow(BaseModel):
    """One token's limit, in ledger units. `level` and `available` are those of the chain's latest block."""

    token_id: int
    asset_id: int
    symbol: str
    limit: str = Field(description="0: no limit", examples=["500000000000"])
    level: str = Field(description="what counts against the limit now, rounded up; 0 without a limit")
    available: str | None = Field(description="what can go out now without approvals; null without a limit")


class OutflowView(Mirrored):
    """The limits of what leaves by signed withdrawals. Forced withdrawals and exits have none."""

    window_seconds: int = Field(description="in which a full level drains", examples=[86_400])
    approvers: list[str] = Field(description="who may approve what is above a limit")
    threshold: int = Field(description="how many of them must")
    tokens: list[TokenOutflow]
