"""`/v1/operator`: the console of those who run the exchange."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from backend.auth.schemas import LoginAnswer, LoginRequest
from backend.deps import ApiDep, Before, Limit
from backend.errors import responses
from backend.markets.endpoints import MarketName
from backend.operator import schemas, service, staff
from backend.operator.staff import CommanderDep, StaffDep

router = APIRouter(prefix="/v1/operator", tags=["operator"])

Id = Annotated[int, Path(ge=0, le=(1 << 63) - 1)]
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
