"""`/v1/withdrawals`, `/v1/funding-transfers`: money out, by signature."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from backend.deps import AddressDep, ApiDep, Before, Limit
from backend.errors import responses
from backend.openapi import answers
from backend.receipts.schemas import SignedReceipt
from backend.wire import json_response
from backend.withdrawals import schemas, service

router = APIRouter(prefix="/v1", tags=["withdrawals"])


@router.post("/withdrawals", responses=answers(schemas.WithdrawalAck, 400, 404, 409, 413), response_class=Response)
async def create_withdrawal(api: ApiDep, body: schemas.WithdrawalRequest) -> Response:
    """Withdraw from the trading balance. Held at once; mined by the keeper, or by you with the co-signature."""
    return json_response(await service.withdraw(api, body))


@router.post(
    "/funding-transfers", responses=answers(schemas.WithdrawalAck, 400, 404, 409, 413), response_class=Response
)
async def create_funding_transfer(api: ApiDep, body: schemas.FundingTransferRequest) -> Response:
    """Move from the trading to the funding balance."""
    return json_response(await service.transfer(api, body))


@router.get("/withdrawals", responses=responses(401))
async def list_withdrawals(
    api: ApiDep, address: AddressDep, before: Before = None, limit: Limit = 100
) -> schemas.WithdrawalPage:
    """Your withdrawals, latest first."""
    return await service.page(api, address, before, limit)


@router.get("/withdrawals/{hash}/receipt", responses=answers(SignedReceipt, 401, 404), response_class=Response)
async def get_withdrawal_receipt(
    api: ApiDep,
    address: AddressDep,
    withdrawal_hash: Annotated[
        str, Path(alias="hash", pattern=r"^0x[0-9a-fA-F]{64}$", description="of a withdrawal or transfer to funding")
    ],
) -> Response:
    """The receipt of one of your withdrawals, signed again: it says the same as that in the ack, and serves as well."""
    return json_response(await service.receipt_again(api, address, bytes.fromhex(withdrawal_hash[2:])))
