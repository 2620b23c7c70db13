"""`/v1/receipts`: the receipt of anything that you signed."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from backend.deps import AddressDep, ApiDep
from backend.openapi import answers
from backend.receipts import schemas, service
from backend.wire import json_response

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])

Seq = Annotated[int, Path(ge=1, le=(1 << 63) - 1, description="the `seq` of its ack, or of what it did on `account`")]


@router.get("/{seq}", responses=answers(schemas.SignedReceipt, 401, 404), response_class=Response)
async def get_receipt(api: ApiDep, address: AddressDep, seq: Seq) -> Response:
    """The receipt of a message of your account, signed again: an order, a cancel, a stop, a withdrawal.

    It says the same as that in the ack, and serves as well.
    """
    return json_response(await service.again(api, address, seq))
