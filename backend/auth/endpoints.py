"""`/v1/auth`: sign-in with Ethereum."""

from fastapi import APIRouter, Request

from backend.auth import schemas, service
from backend.deps import AddressDep, ApiDep, Bearer
from backend.errors import responses

router = APIRouter(prefix="/v1/auth", tags=["auth"])


@router.post("/nonce", responses=responses())
async def create_nonce(api: ApiDep, request: Request) -> schemas.NonceAnswer:
    """Get a nonce, for one attempt to sign in."""
    return await service.new_nonce(api, request.headers.get("host", ""))


@router.post("/login", responses=responses(400, 401, 413))
async def login(api: ApiDep, request: Request, body: schemas.LoginRequest) -> schemas.LoginAnswer:
    """Exchange a signed EIP-4361 message for a session."""
    return await service.login(api, request.headers.get("host", ""), body)


@router.post("/logout", responses=responses(401))
async def logout(api: ApiDep, address: AddressDep, bearer: Bearer) -> schemas.LogoutAnswer:
    """End the session."""
    assert bearer is not None  # dev: AddressDep has refused already
    return await service.logout(api, bearer.credentials)
