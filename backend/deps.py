"""What endpoints ask for: the worker's parts, and who is signed in."""

from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from backend.context import Api, now_ms
from exchange.database import sessions
from exchange.domain.errors import ErrorCode, Refusal

MAX_PAGE = 500

_bearer = HTTPBearer(auto_error=False, description="The token of POST /v1/auth/login")


def get_api(request: Request) -> Api:
    """The worker's parts."""
    api: Api = request.app.state.api
    return api


ApiDep = Annotated[Api, Depends(get_api)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return sha256(token.encode()).digest()


async def check_query(connection: HTTPConnection) -> None:
    """Refuse query parameters that the endpoint does not know, and one that is given twice: none takes a list."""
    query, route = connection.query_params, connection.scope.get("route")
    if not query or not isinstance(route, APIRoute):
        return
    known, seen = _query_names(route), set[str]()
    for name, _ in query.multi_items():
        if name not in known:
            raise Refusal(ErrorCode.unknown_field, f"there is no parameter {name}", name)
        if name in seen:
            raise Refusal(ErrorCode.malformed, f"{name} is given twice", name)
        seen.add(name)


def _query_names(route: APIRoute) -> frozenset[str]:
    parts, names = [route.dependant], set[str]()
    while parts:
        part = parts.pop()
        names |= {field.alias for field in part.query_params}
        parts += part.dependencies
    return frozenset(names)


async def session_address(api: Api, token: str) -> bytes:
    """The address of a live session. Refuses an unknown or ended one."""
    return (await find_session(api, token, "account"))[0]


async def find_session(api: Api, token: str, purpose: sessions.Purpose) -> tuple[bytes, int]:
    """The address of a live session for this purpose, and when it ends. Refuses an unknown or ended one."""
    digest = token_hash(token)
    async with api.reading() as connection:
        found = await sessions.find_session(connection, digest, purpose)
    if found is None or found[1] <= now_ms():
        raise Refusal(ErrorCode.unauthenticated, "the session is unknown or has ended: sign in again")
    api.limits.session.take(digest)
    return found


async def get_address(api: ApiDep, bearer: Bearer) -> bytes:
    """The address that is signed in."""
    if bearer is None:
        raise Refusal(
            ErrorCode.unauthenticated, "sign in at /v1/auth/login and send Authorization: Bearer <token>", None
        )
    return await session_address(api, bearer.credentials)


AddressDep = Annotated[bytes, Depends(get_address)]


Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="at most so many rows")]
Before = Annotated[
    int | None, Query(ge=0, le=(1 << 63) - 1, description="page on: `next_before` of the page before this one")
]
