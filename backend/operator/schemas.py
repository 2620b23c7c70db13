"""Shapes of the operator's console."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from backend.announcements.schemas import AnnouncementView, Severity
from backend.powers import Role

ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
"""Something that can be seen, without control characters."""
REASON_LENGTH = 500
TEXT_LENGTH = 500
LANGUAGES = 10
MAX_SECONDS = 90 * 86_400
"""How far ahead anything may be set here."""

Reason = Annotated[
    str,
    Field(
        min_length=3,
        max_length=REASON_LENGTH,
        pattern=ONE_LINE,
        description="why, in a sentence: it stands in the log for ever",
        examples=["The price feed of the reference market is wrong."],
    ),
]
Line = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH, pattern=ONE_LINE)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$", max_length=8)]
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS)]


class Request(BaseModel):
    """What every write says."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class SessionView(BaseModel):
    """Who is signed in at the console."""

    address: str
    roles: list[Role] = Field(description="what the wallet is for the exchange now")
    commands: bool = Field(description="whether it may do more than look and sign transactions")
    until: int = Field(description="when the session ends, in milliseconds")
    server_time: int = Field(description="milliseconds")


class LogoutAnswer(BaseModel):
    """The session is over."""

    ended: bool


class Done(BaseModel):
    """What was asked for, and how far it is."""

    entry_id: int = Field(description="its entry in the log")
    hash: str = Field(description="the entry's hash")
    outcome: Literal["asked", "applied", "done"] = Field(
        description="`asked`: the engine has not answered yet, and obeys when it does"
    )
    seq: int | None = Field(description="journal sequence from which it counts")


class AuctionRequest(Request):
    """Gather orders in a market."""

    seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=0, description="how long; 0: until the market is opened"
    )


class PostAnnouncement(Request):
    """What everybody shall be told."""

    severity: Severity
    texts: dict[Language, Line] = Field(
        max_length=LANGUAGES, description="by language tag, `en` at least", examples=[{"en": "Withdrawals are slow."}]
    )
    from_ms: int | None = Field(default=None, ge=0, le=(1 << 53) - 1, description="milliseconds; null: now")
    until_ms: int = Field(ge=0, le=(1 << 53) - 1, description="milliseconds, at most 90 days ahead")

    @field_validator("texts")
    @classmethod
    def _check_texts(cls, texts: dict[str, str]) -> dict[str, str]:
        if "en" not in texts:
            raise ValueError("there must be a text in en: whoever speaks no other language of them reads it")
        return texts


class PostedAnnouncement(Done):
    """The announcement is posted."""

    announcement_id: int


class KeptAnnouncement(AnnouncementView):
    """An announcement as the operator sees it."""

    posted_at: int = Field(description="milliseconds")
    withdrawn_at: int | None = Field(description="milliseconds; null unless it was withdrawn")


class AnnouncementPage(BaseModel):
    """Announcements, latest first."""

    announcements: list[KeptAnnouncement]
    next_before: int | None
    server_time: int = Field(description="milliseconds")


class MarketState(BaseModel):
    """A market as the operator sees it."""

    market_id: int
    symbol: str
    status: str
    auction_ends_at: int | None = Field(description="unix seconds; 0: until it is opened; null: no auction")
    halted_on_chain: str | None = Field(description="why the contract halts it; null: it does not")
    collar_bps: int
    max_quantity: str
    max_notional: str
    max_open_orders: int
    max_open_notional: str


class MarketStates(BaseModel):
    """All markets."""

    markets: list[MarketState]
    server_time: int = Field(description="milliseconds")


class LogEntry(BaseModel):
    """Something that was done by the console or on the machine, or what became of it."""

    entry_id: int
    at: int = Field(description="milliseconds")
    operator: str | None = Field(description="the wallet that was signed in; null: the machine's command line")
    action: str
    subject: str
    details: dict[str, Any]
    reason: str
    follows: int | None = Field(description="the entry whose outcome this is; null for what was asked")
    outcome: Literal["asked", "done", "applied", "refused", "unknown"]
    prev_hash: str
    hash: str = Field(description="SHA-256 over `prev_hash` and all of the above")


class LogPage(BaseModel):
    """Entries, latest first. `entries` and `head` are of the whole log: note them elsewhere, and a cut shows."""

    log: list[LogEntry]
    next_before: int | None
    entries: int
    head: str
    server_time: int = Field(description="milliseconds")
