"""`/v1/account/guards` for the wallet that signed in, `/v1/outflow` for everybody: what protects money from thieves."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.deps import AddressDep, ApiDep, Limit
from backend.errors import responses
from backend.guards import schemas, service

router = APIRouter(prefix="/v1", tags=["guards"])

After = Annotated[
    str | None,
    Query(pattern=r"^0x[0-9a-fA-F]{40}$", max_length=42, description="page on: `next_after` of the page before"),
]


@router.get("/account/guards", responses=responses(401))
async def get_account_guards(
    api: ApiDep, address: AddressDep, after: After = None, limit: Limit = 100
) -> schemas.GuardsView:
    """Your account's freeze, and the allow-list of its withdrawals, with the times from which they count."""
    return await service.guards_view(api, address, after, limit)


@router.get("/outflow", responses=responses())
async def get_outflow(api: ApiDep) -> schemas.OutflowView:
    """By token, what may leave by signed withdrawals before people must approve, and what can go out now; who approves.

    A limit is full when `level` reaches it, and drains evenly, by the limit in `window_seconds`. Deposits make room.
    """
    return await service.outflow_view(api)
