"""Who may read the journal as it is: whoever the settings name as an auditor, and operators at their console."""

from typing import Annotated

from fastapi import Depends

from backend.deps import ApiDep, Bearer, session_address
from backend.operator.staff import get_operator, get_staff
from exchange.domain.errors import ErrorCode, Refusal


async def get_auditor(api: ApiDep, bearer: Bearer) -> bytes:
    """The address of an auditor who is signed in, or of an operator by a session of the console.

    An ordinary session of an operator's wallet is one for trading, and lies where those do.
    """
    if bearer is None:
        raise Refusal(
            ErrorCode.unauthenticated, "sign in at /v1/auth/login and send Authorization: Bearer <token>", None
        )
    try:
        address = await session_address(api, bearer.credentials)
    except Refusal as refusal:
        if refusal.code is not ErrorCode.unauthenticated:
            raise
        return (await get_operator(await get_staff(api, bearer))).address
    if address not in api.auditors:
        raise Refusal(
            ErrorCode.forbidden,
            "only auditors may read this, and operators by a session of the console: ask the operator",
            None,
        )
    return address


AuditorDep = Annotated[bytes, Depends(get_auditor)]
