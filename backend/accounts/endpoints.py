"""`/v1/account`, `/v1/fills`, `/v1/deposits`: private reads of the wallet that signed in."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.accounts import schemas, service
from backend.deps import AddressDep, ApiDep, Before, Limit
from backend.errors import responses

router = APIRouter(prefix="/v1", tags=["account"])

MarketFilter = Annotated[str | None, Query(max_length=40, description="a market's id or symbol")]


@router.get("/account", responses=responses(401))
async def get_account(api: ApiDep, address: AddressDep) -> schemas.AccountView:
    """Your balances: in the engine, in the contract, and on their way."""
    return await service.account_view(api, address)


@router.get("/fills", responses=responses(401, 404))
async def list_fills(
    api: ApiDep,
    address: AddressDep,
    market: MarketFilter = None,
    order_id: Annotated[int | None, Query(ge=0, le=(1 << 63) - 1, description="fills of one order")] = None,
    before: Before = None,
    limit: Limit = 100,
) -> schemas.FillPage:
    """Your fills, latest first, each with its settlement: matched, submitted, settled, final or reversed."""
    return await service.fill_page(api, address, market, order_id, before, limit)


@router.get("/deposits", responses=responses(401))
async def list_deposits(
    api: ApiDep,
    address: AddressDep,
    before: Annotated[str | None, Query(max_length=40, description="`next_before` of the page before")] = None,
    limit: Limit = 100,
) -> schemas.DepositPage:
    """Your deposits, latest first."""
    return await service.deposit_page(api, address, before, limit)
