"""`/v1/account`, `/v1/fills`, `/v1/deposits`: what the wallet that signed in has, and where it can be paid."""

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


@router.post("/account/deposit-address", responses=responses(401))
async def ask_deposit_address(api: ApiDep, address: AddressDep) -> schemas.DepositAddressView:
    """Your deposit address, always the same, which is looked at from now on; asking again is harmless.

    Tokens and ETH that come there by a plain transfer, from a wallet or another exchange, are deposited into your
    trading balance from each token's `minimum` on.
    """
    return await service.deposit_address_view(api, address)


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
