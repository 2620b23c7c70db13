"""Cases from the rows of the surveillance process."""

from backend.context import Api, now_ms
from backend.surveillance import schemas
from backend.wire import address_of, checksum
from exchange.database import surveillance


async def page(api: Api, before: int | None, limit: int, pattern: str | None, account: str | None) -> schemas.CasePage:
    """Cases, latest first."""
    wanted = None if account is None else address_of(account)
    async with api.reading() as connection:
        rows = await surveillance.page(connection, before, limit, pattern, wanted)
        position = await surveillance.position(connection)
    cases = [
        schemas.CaseView(
            **{name: value for name, value in row._mapping.items() if name not in ("subject", "accounts")},
            accounts=[checksum(address_of(each)) for each in row.accounts],
        )
        for row in rows
    ]
    return schemas.CasePage(
        cases=cases,
        next_before=cases[-1].case_id if len(cases) == limit else None,
        looked_until=position.until_ms,
        server_time=now_ms(),
    )
