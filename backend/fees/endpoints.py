"""`/v1/fees` for everybody, `/v1/account/fees` for the wallet that signed in."""

from fastapi import APIRouter

from backend.deps import AddressDep, ApiDep, Before, Limit
from backend.errors import responses
from backend.fees import schemas, service

router = APIRouter(prefix="/v1", tags=["fees"])


@router.get("/fees", responses=responses())
async def get_fees(api: ApiDep) -> schemas.FeesView:
    """Every market's fees by tier: in force, and announced. The cap that binds them, and the notice of a rise."""
    return service.fees_view(api)


@router.get("/account/fees", responses=responses(401))
async def get_account_fees(api: ApiDep, address: AddressDep) -> schemas.AccountFees:
    """Your fee tier and your rates."""
    return await service.account_fees(api, address)


@router.get("/fees/batches", responses=responses())
async def list_batch_fees(api: ApiDep, before: Before = None, limit: Limit = 100) -> schemas.BatchFeesPage:
    """What each batch charged, what it credited to the treasury on chain, and what its gas cost; latest first."""
    return await service.batch_page(api, before, limit)


@router.get("/fees/totals", responses=responses())
async def get_fee_totals(api: ApiDep) -> schemas.FeeTotals:
    """What the treasury collected since the beginning, by asset."""
    return await service.totals(api)
