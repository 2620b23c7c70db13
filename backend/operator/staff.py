"""Who is signed in at the console, and as what: asked anew for every request.

A session of the console is opened by a message of its own, is short, and reads nothing of an account's. It holds while
its wallet has a role; when the role is gone, all sessions of the wallet end.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from backend.auth import service as auth
from backend.auth.schemas import LoginAnswer, LoginRequest
from backend.context import Api
from backend.deps import ApiDep, Bearer, find_session, token_hash
from backend.powers import Role
from backend.wire import checksum
from exchange.database import sessions
from exchange.domain.errors import ErrorCode, Refusal


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody with a role. `until` is when the session ends, in milliseconds."""

    address: bytes
    roles: frozenset[Role]
    token_hash: bytes
    until: int


async def login(api: Api, host: str, request: LoginRequest) -> LoginAnswer:
    """Open a session of the console for a wallet that has a role."""
    address = await auth.console_address(api, host, request)
    await _roles(api, address)
    return await auth.open_session(api, checksum(address), api.settings.operator_session_seconds, "operator")


async def logout(api: Api, staff: Staff) -> None:
    """End this session."""
    async with api.writing() as connection:
        await sessions.end_session(connection, staff.token_hash)


async def get_staff(api: ApiDep, bearer: Bearer) -> Staff:
    """Who is signed in at the console. Refuses who has no role any more, and ends their sessions."""
    if bearer is None:
        raise Refusal(
            ErrorCode.unauthenticated, "sign in at /v1/operator/login and send Authorization: Bearer <token>", None
        )
    address, until = await find_session(api, bearer.credentials, "operator")
    try:
        roles = await _roles(api, address)
    except Refusal as refusal:
        if refusal.code is ErrorCode.forbidden:
            async with api.writing() as connection:
                await sessions.end_sessions(connection, address, "operator")
        raise
    return Staff(address, roles, token_hash(bearer.credentials), until)


async def get_operator(staff: Annotated[Staff, Depends(get_staff)]) -> Staff:
    """Who is signed in at the console, if it operates the exchange."""
    if Role.operator not in staff.roles:
        held = ", ".join(sorted(staff.roles))
        raise Refusal(
            ErrorCode.forbidden,
            f"only an operator may do this, and {checksum(staff.address)} is {held}: operators are those whom the "
            "exchange's settings name (BIZZAN_API__OPERATORS), and the contract's operator",
        )
    return staff


async def get_commander(api: ApiDep, staff: Annotated[Staff, Depends(get_operator)]) -> Staff:
    """Who is signed in, if it may tell the engine and everybody what to do."""
    api.limits.operator_writes.take(staff.address)
    return staff


StaffDep = Annotated[Staff, Depends(get_staff)]
OperatorDep = Annotated[Staff, Depends(get_operator)]
CommanderDep = Annotated[Staff, Depends(get_commander)]


async def _roles(api: Api, address: bytes) -> frozenset[Role]:
    roles = await api.powers.of(address)
    if not roles:
        raise Refusal(
            ErrorCode.forbidden,
            f"{checksum(address)} has no role here: the console is for the contract's owner, operator, guardian and "
            "approvers, and for the operators in the exchange's settings (BIZZAN_API__OPERATORS)",
        )
    return roles
