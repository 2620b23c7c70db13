"""`/v1/withdrawals`, `/v1/funding-transfers`: money out, by signature."""

from fastapi import APIRouter

from backend.deps import AddressDep, ApiDep, Before, Limit
from backend.errors import responses
from backend.withdrawals import schemas, service

router = APIRouter(prefix="/v1", tags=["withdrawals"])


@router.post("/withdrawals", responses=responses(400, 404, 409, 413))
async def create_withdrawal(api: ApiDep, body: schemas.WithdrawalRequest) -> schemas.WithdrawalAck:
    """Withdraw from the trading balance. Held at once; mined by the keeper, or by you with the co-signature."""
    return await service.withdraw(api, body)


@router.post("/funding-transfers", responses=responses(400, 404, 409, 413))
async def create_funding_transfer(api: ApiDep, body: schemas.FundingTransferRequest) -> schemas.WithdrawalAck:
    """Move from the trading to the funding balance."""
    return await service.transfer(api, body)


@router.get("/withdrawals", responses=responses(401))
async def list_withdrawals(
    api: ApiDep, address: AddressDep, before: Before = None, limit: Limit = 100
) -> schemas.WithdrawalPage:
    """Your withdrawals, latest first."""
    return await service.page(api, address, before, limit)
