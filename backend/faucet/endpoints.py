"""`/v1/faucet`: play money, on the local chain."""

from fastapi import APIRouter

from backend.deps import ApiDep
from backend.errors import responses
from backend.faucet import schemas, service

router = APIRouter(prefix="/v1/faucet", tags=["faucet"])


@router.post("", responses=responses(404, 413))
async def give(api: ApiDep, body: schemas.FaucetRequest) -> schemas.FaucetAnswer:
    """Coins for gas and test tokens for any address; on the local chain only."""
    return await service.give(api.faucet, body)
