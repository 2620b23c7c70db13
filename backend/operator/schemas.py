"""Shapes of the operator's console."""

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from backend.accounts.schemas import AccountView
from backend.announcements.schemas import AnnouncementView, Severity
from backend.powers import Role
from backend.status.schemas import StatusView
from backend.surveillance.schemas import CaseView
from exchange.domain.amount import MAX_AMOUNT
from exchange.engine.exposure import MAX_BAND_BPS

ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
"""Something that can be seen, without control characters."""
REASON_LEAST = 3
REASON_LENGTH = 500
TEXT_LENGTH = 500
LANGUAGES = 10
MAX_SECONDS = 90 * 86_400
"""How far ahead anything may be set here."""

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Fillers and blanks that Unicode counts among letters, marks and symbols."""
_JOINERS = frozenset("\u200c\u200d")
"""Zero-width, and part of how some languages and emoji are written."""


def _seen(text: str) -> str:
    """The text, if all of it can be seen as it was written."""
    kinds = {character: unicodedata.category(character) for character in set(text) - _JOINERS}
    for character, kind in kinds.items():
        if kind in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or character in _INVISIBLE:
            raise ValueError(f"U+{ord(character):04X} cannot be seen, or changes how the rest is seen: leave it out")
    if not any(kind[0] in "LNPS" for kind in kinds.values()):
        raise ValueError("there must be something to see in it")
    return text


Reason = Annotated[
    str,
    AfterValidator(_seen),
    Field(
        min_length=REASON_LEAST,
        max_length=REASON_LENGTH,
        pattern=ONE_LINE,
        description="why, in a sentence: it stands in the log for ever",
        examples=["The price feed of the reference market is wrong."],
    ),
]
Line = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH, pattern=ONE_LINE), AfterValidator(_seen)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$", max_length=8)]
Amount = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,18})$", max_length=19, examples=["0"])]
Verdict = Literal["no_abuse", "watch", "abuse"]
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


class BoundsRequest(Request):
    """Bounds of a market, instead of all that were there; 0 bounds nothing. The band alone stays if it is left out."""

    collar_bps: Annotated[int, Field(ge=0, le=9_999)] = Field(default=0, description="how far one order takes")
    max_quantity: Amount = "0"
    max_notional: Amount = "0"
    max_open_orders: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    max_open_notional: Amount = "0"
    band_bps: Annotated[int, Field(ge=0, le=MAX_BAND_BPS)] | None = Field(
        default=None, description="how far an order's price is from the last one; null: as it is"
    )


class TierRates(BaseModel):
    """Rates of one tier, in parts per million."""

    model_config = ConfigDict(extra="forbid")

    maker_fee_ppm: Annotated[int, Field(ge=0, le=1_000_000)]
    taker_fee_ppm: Annotated[int, Field(ge=0, le=1_000_000)]


class FeesRequest(Request):
    """Fees of orders to come; a rise needs the notice."""

    tiers: Annotated[list[TierRates], Field(min_length=1, max_length=16, description="from tier 0")]
    floor: Amount = Field(default="0", description="least fee of an order for all it takes, quote ledger units")
    after_seconds: Seconds = Field(default=0, description="from now until it counts")


class TierRequest(Request):
    """An account's fee tier; a lower one needs the notice."""

    tier: Annotated[int, Field(ge=0, le=15)]
    after_seconds: Seconds = 0


class LimitsRequest(Request):
    """An account's own limits in all markets together."""

    max_open_orders: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        description="open orders; 0: as many as the exchange lets all have"
    )
    asset_id: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] = Field(
        description="the quote asset that `max_open_notional` is about; limits in other assets stay"
    )
    max_open_notional: Amount = Field(
        default="0", description="ledger units of its open orders in all markets of this quote; 0: any"
    )


class ReviewRequest(Request):
    """What came out of looking at a case; the reason says how it was seen."""

    verdict: Verdict


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
    band_bps: int
    collar_bps: int
    max_quantity: str
    max_notional: str
    max_open_orders: int
    max_open_notional: str


class MarketStates(BaseModel):
    """All markets."""

    markets: list[MarketState]
    live: bool = Field(description="false while the engine is away: the markets are as it told last")
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


class ServiceView(BaseModel):
    """A process of the exchange, as it says of itself."""

    name: str = Field(examples=["engine"])
    state: Literal["ok", "not_ready", "away"]
    reason: str | None


class ConsoleHealth(BaseModel):
    """How everything is."""

    services: list[ServiceView]
    status: StatusView
    not_open: list[str] = Field(description="symbols of the markets that are not open")


class WaitingWithdrawal(BaseModel):
    """A withdrawal above its limit. Who approves it checks the hash and the signature of its message."""

    withdrawal_hash: str
    account: str
    asset_id: int
    amount: str = Field(description="ledger units")
    deadline: int = Field(description="unix seconds")
    message: dict[str, str] = Field(description="as the account signed it, amounts in token units")
    signature: str
    needed: int = Field(description="how many approvals it needs")
    given_by: list[str]
    seen_at: int = Field(description="when the keeper last met the limit with it, in milliseconds")


class WaitingWithdrawals(BaseModel):
    """Withdrawals that wait for approvals, the first to lapse first."""

    withdrawals: list[WaitingWithdrawal]
    approvers: list[str]
    threshold: int
    server_time: int = Field(description="milliseconds")


class JobView(BaseModel):
    """Something that a keeper has to get mined."""

    job_id: int
    duty: str
    key: str
    sender: str
    state: Literal["queued", "sent", "mined", "final", "reverted", "cancelled"]
    succeeded: bool | None
    attempts: int = Field(description="transactions signed for it; more than one: it was sent again")
    stuck: bool = Field(description="it waits, and nothing has changed for two minutes")
    cost_wei: str = Field(description="paid for all its attempts")
    tx_hash: str | None
    block_number: int | None
    created_at: int
    updated_at: int


class DutyView(BaseModel):
    """A keeper's duty."""

    duty: str
    sender: str
    waiting: int
    stuck: int
    day_cost_wei: str = Field(description="paid for what was signed in the last day")


class JobPage(BaseModel):
    """Jobs, latest first."""

    jobs: list[JobView]
    next_before: int | None
    duties: list[DutyView]
    server_time: int = Field(description="milliseconds")


class AccountRow(BaseModel):
    """An account in a list."""

    account: str
    status: str


class AccountList(BaseModel):
    """Accounts, the newest first."""

    accounts: list[AccountRow]
    next_before: int | None
    server_time: int = Field(description="milliseconds")


class TierFrom(BaseModel):
    """A fee tier from a time on."""

    tier: int
    effective_at: int = Field(description="milliseconds")


class AccountDetail(BaseModel):
    """One account as the operator sees it."""

    account: AccountView
    open_orders: dict[str, int] = Field(description="how many, by market id")
    tiers: list[TierFrom] = Field(description="as given, the latest last; none: tier 0")
    log: list[LogEntry] = Field(description="what operators did to it, latest first")


class Review(BaseModel):
    """What somebody found who looked at a case."""

    entry_id: int
    at: int = Field(description="milliseconds")
    operator: str
    verdict: Verdict
    reason: str


class ReviewedCase(CaseView):
    """A case, and its last review."""

    review: Review | None


class ReviewedCasePage(BaseModel):
    """Cases, latest first."""

    cases: list[ReviewedCase]
    next_before: int | None
    looked_until: int = Field(description="up to when the journal was looked at, in milliseconds; 0 before the first")
    server_time: int = Field(description="milliseconds")
