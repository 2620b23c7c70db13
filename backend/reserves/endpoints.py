"""`/v1/reserves`, for everybody: what users own, to be held against the chain."""

from fastapi import APIRouter

from backend.deps import ApiDep
from backend.errors import responses
from backend.reserves import schemas

router = APIRouter(prefix="/v1", tags=["status"])


@router.get("/reserves", responses=responses())
async def get_reserves(api: ApiDep) -> schemas.ReservesView:
    """By token, the sum of what all accounts have in trading and in funding, at one block that it names.

    Ask any node of the chain for the contract's `liabilities(token_id)` at that block, which must be the same, and for
    the contract's balance of the token, which must be at least that many times the token's `unit`.
    """
    owned = (await api.totals.read()).owned
    return schemas.ReservesView(
        block=owned.block,
        tokens=[
            schemas.TokenReserve(
                token_id=token.token_id,
                asset_id=token.asset_id,
                symbol=api.deployment.asset(token.asset_id).symbol,
                trading=str(owned.amounts.get(token.token_id, (0, 0))[0]),
                funding=str(owned.amounts.get(token.token_id, (0, 0))[1]),
            )
            for token in api.deployment.tokens
        ],
    )
