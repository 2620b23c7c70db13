"""`/v1/operator`: the console of those who run the exchange."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from backend.auth.schemas import LoginAnswer, LoginRequest
from backend.deps import ApiDep, Before, Limit
from backend.errors import responses
from backend.markets.endpoints import MarketName
from backend.operator import readings, schemas, service, staff
from backend.operator.staff import CommanderDep, StaffDep
from backend.surveillance.endpoints import Account
from exchange.database.console import JobsShown
from exchange.surveillance.tape import Pattern

router = APIRouter(prefix="/v1/operator", tags=["operator"])

Id = Annotated[int, Path(ge=0, le=(1 << 63) - 1)]
AccountName = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{40}$", max_length=42)]
Beginning = Annotated[
    str, Query(pattern=r"^0x[0-9a-fA-F]{0,40}$", max_length=42, description="how the address begins, in 0x hex")
]
Word = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z_-]+$", max_length=42)]

READS, WRITES = responses(401, 403), responses(400, 401, 403, 404, 409, 413)


@router.post("/login", responses=responses(400, 401, 403, 413))
async def login(api: ApiDep, request: Request, body: LoginRequest) -> LoginAnswer:
    """Open the console: exchange an EIP-4361 message with the console's statement for a short session."""
    return await staff.login(api, request.headers.get("host", ""), body)


@router.post("/logout", responses=READS)
async def logout(api: ApiDep, who: StaffDep) -> schemas.LogoutAnswer:
    """End this session."""
    await staff.logout(api, who)
    return schemas.LogoutAnswer(ended=True)


@router.get("/session", responses=READS)
async def get_session(who: StaffDep) -> schemas.SessionView:
    """Who is signed in, and with which roles."""
    return service.session_view(who)


@router.get("/markets", responses=READS)
async def list_markets(api: ApiDep, who: StaffDep) -> schemas.MarketStates:
    """All markets, and what halts them."""
    return await service.market_states(api)


@router.post("/markets/{market}/halt", responses=WRITES)
async def halt_market(api: ApiDep, who: CommanderDep, market: MarketName, body: schemas.Request) -> schemas.Done:
    """Take no new orders; cancels go on, open orders stay, what is matched settles."""
    return await service.halt(api, who, market, body.reason)


@router.post("/markets/{market}/open", responses=WRITES)
async def open_market(api: ApiDep, who: CommanderDep, market: MarketName, body: schemas.Request) -> schemas.Done:
    """Take orders again; what gathered in an auction trades first."""
    return await service.open_market(api, who, market, body.reason)


@router.post("/markets/{market}/auction", responses=WRITES)
async def start_auction(
    api: ApiDep, who: CommanderDep, market: MarketName, body: schemas.AuctionRequest
) -> schemas.Done:
    """Gather orders without matching; when it ends, all that meet trade at one price."""
    return await service.start_auction(api, who, market, body)


@router.post("/markets/{market}/bounds", responses=WRITES)
async def bound_market(api: ApiDep, who: CommanderDep, market: MarketName, body: schemas.BoundsRequest) -> schemas.Done:
    """Bound orders and accounts, instead of what was bounded before; open orders stay."""
    return await service.bound_market(api, who, market, body)


@router.post("/markets/{market}/fees", responses=WRITES)
async def announce_fees(api: ApiDep, who: CommanderDep, market: MarketName, body: schemas.FeesRequest) -> schemas.Done:
    """Announce the fees of orders to come; open orders keep theirs."""
    return await service.announce_fees(api, who, market, body)


@router.get("/health", responses=READS)
async def get_health(api: ApiDep, who: StaffDep) -> schemas.ConsoleHealth:
    """How every process is, how far everything is, and which markets are not open."""
    return await readings.health(api)


@router.get("/withdrawals", responses=READS)
async def list_withdrawals(api: ApiDep, who: StaffDep) -> schemas.WaitingWithdrawals:
    """Withdrawals that wait for approvals, the first to lapse first."""
    return await readings.withdrawals(api)


@router.get("/jobs", responses=READS)
async def list_jobs(
    api: ApiDep, who: StaffDep, show: JobsShown = "all", before: Before = None, limit: Limit = 50
) -> schemas.JobPage:
    """What the keepers have to get mined, latest first."""
    return await readings.jobs(api, show, before, limit)


@router.get("/accounts", responses=READS)
async def list_accounts(
    api: ApiDep, who: StaffDep, address: Beginning = "0x", before: Before = None, limit: Limit = 50
) -> schemas.AccountList:
    """Accounts whose address begins so, the newest first."""
    return await readings.accounts(api, address, before, limit)


@router.get("/accounts/{account}", responses=READS)
async def get_account(api: ApiDep, who: StaffDep, account: AccountName) -> schemas.AccountDetail:
    """One account: money, brakes, tiers, open orders, and what operators did to it."""
    return await readings.account(api, account)


@router.post("/accounts/{account}/stop", responses=WRITES)
async def stop_account(api: ApiDep, who: CommanderDep, account: AccountName, body: schemas.Request) -> schemas.Done:
    """Refuse its orders and cancel the open ones. Its withdrawals go on, and what is matched settles."""
    return await service.stop_account(api, who, account, True, body.reason)


@router.post("/accounts/{account}/resume", responses=WRITES)
async def resume_account(api: ApiDep, who: CommanderDep, account: AccountName, body: schemas.Request) -> schemas.Done:
    """Take its orders again, unless its owner stopped it as well."""
    return await service.stop_account(api, who, account, False, body.reason)


@router.post("/accounts/{account}/tier", responses=WRITES)
async def set_tier(api: ApiDep, who: CommanderDep, account: AccountName, body: schemas.TierRequest) -> schemas.Done:
    """Give it a fee tier; a lower one needs the notice."""
    return await service.set_tier(api, who, account, body)


@router.post("/accounts/{account}/limits", responses=WRITES)
async def limit_account(
    api: ApiDep, who: CommanderDep, account: AccountName, body: schemas.LimitsRequest
) -> schemas.Done:
    """Bound how much it has open in orders, in all markets together; what is open stays."""
    return await service.limit_account(api, who, account, body)


@router.get("/cases", responses=READS)
async def list_cases(
    api: ApiDep,
    who: StaffDep,
    pattern: Pattern | None = None,
    account: Account = None,
    before: Before = None,
    limit: Limit = 50,
) -> schemas.ReviewedCasePage:
    """Cases of market surveillance, latest first, each with its last review."""
    return await readings.cases(api, before, limit, pattern and pattern.value, account)


@router.post("/cases/{case}/review", responses=WRITES)
async def review_case(api: ApiDep, who: CommanderDep, case: Id, body: schemas.ReviewRequest) -> schemas.Done:
    """Note what came out of looking at a case."""
    return await service.review_case(api, who, case, body)


@router.get("/announcements", responses=READS)
async def list_announcements(
    api: ApiDep, who: StaffDep, before: Before = None, limit: Limit = 50
) -> schemas.AnnouncementPage:
    """All announcements there were, latest first."""
    return await service.announcement_page(api, before, limit)


@router.post("/announcements", responses=WRITES)
async def post_announcement(
    api: ApiDep, who: CommanderDep, body: schemas.PostAnnouncement
) -> schemas.PostedAnnouncement:
    """Tell everybody something."""
    return await service.post_announcement(api, who, body)


@router.post("/announcements/{announcement}/withdraw", responses=WRITES)
async def withdraw_announcement(
    api: ApiDep, who: CommanderDep, announcement: Id, body: schemas.Request
) -> schemas.Done:
    """Show an announcement no more."""
    return await service.withdraw_announcement(api, who, announcement, body.reason)


@router.get("/log", responses=READS)
async def list_log(
    api: ApiDep,
    who: StaffDep,
    action: Word = None,
    subject: Word = None,
    before: Before = None,
    limit: Limit = 100,
) -> schemas.LogPage:
    """What operators did, latest first."""
    return await service.log_page(api, before, limit, action, subject)
