"""`/v1/fees` for everybody, `/v1/account/fees` for the wallet that signed in."""

from fastapi import APIRouter

from backend.deps import AddressDep, ApiDep
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
