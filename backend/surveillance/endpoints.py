"""`/v1/surveillance`: what market surveillance found, for operators."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.deps import ApiDep, Before, Limit
from backend.errors import responses
from backend.operator.staff import OperatorDep
from backend.surveillance import schemas, service
from exchange.surveillance.tape import Pattern

router = APIRouter(prefix="/v1/surveillance", tags=["surveillance"])

Account = Annotated[
    str | None, Query(pattern=r"^0x[0-9a-fA-F]{40}$", max_length=42, description="cases about this account only")
]


@router.get("/cases", responses=responses(401, 403))
async def list_cases(
    api: ApiDep,
    operator: OperatorDep,
    pattern: Pattern | None = None,
    account: Account = None,
    before: Before = None,
    limit: Limit = 100,
) -> schemas.CasePage:
    """Cases of market surveillance, latest first. For operators of the exchange, by a session of the console."""
    return await service.page(api, before, limit, pattern and pattern.value, account)
