"""Cases of surveillance over HTTP: operators read them, page by page, and nobody else does."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import surveillance as rows
from exchange.domain.deployment import checksum
from tests.utils.api_stack import AUDITOR, WATCHER, ApiStack
from tests.utils.sign_in import open_console, sign_in

ONE, OTHER = b"\x0a" * 20, b"\xbc" * 20


async def keep(database: AsyncEngine, *pairs: tuple[str, bytes]) -> None:
    """Cases as the process writes them."""
    async with database.begin() as connection:
        await rows.add(
            connection,
            [
                {
                    "pattern": pattern,
                    "subject": f"{pattern}:1:{account.hex()}",
                    "market": 1,
                    "accounts": ["0x" + account.hex()],
                    "first_seq": number,
                    "last_seq": number + 5,
                    "began_at": 1_000,
                    "ended_at": 2_000,
                    "figures": {"trades": number},
                    "evidence": [number],
                    "text": "what happened",
                }
                for number, (pattern, account) in enumerate(pairs, start=1)
            ],
        )
        await rows.move(connection, rows.Position(3, 9_000))


async def test_operators_read_cases_page_by_page(
    api: httpx.AsyncClient, stack: ApiStack, database_of_stack: AsyncEngine
) -> None:
    await keep(database_of_stack, ("wash_trades", ONE), ("layering", ONE), ("layering", OTHER))
    headers, url = await open_console(api, WATCHER), "/v1/surveillance/cases"
    first = (await api.get(url, params={"limit": 2}, headers=headers)).json()
    assert [case["figures"]["trades"] for case in first["cases"]] == [3, 2]
    assert first["cases"][0]["accounts"] == [checksum(OTHER)]
    assert first["looked_until"] == 9_000
    rest = (await api.get(url, params={"before": first["next_before"]}, headers=headers)).json()
    assert [case["pattern"] for case in rest["cases"]] == ["wash_trades"]
    assert rest["next_before"] is None
    by_pattern = (await api.get(url, params={"pattern": "layering"}, headers=headers)).json()
    assert len(by_pattern["cases"]) == 2
    by_account = (await api.get(url, params={"account": checksum(ONE)}, headers=headers)).json()
    assert [case["pattern"] for case in by_account["cases"]] == ["layering", "wash_trades"]
    assert (await api.get(url, params={"pattern": "weather"}, headers=headers)).status_code == 422


async def test_nobody_else_does(api: httpx.AsyncClient, stack: ApiStack) -> None:
    url = "/v1/surveillance/cases"
    assert (await api.get(url)).status_code == 401
    for wallet in (await stack.trader(), AUDITOR, WATCHER):  # an operator's account session opens nothing here
        answer = await api.get(url, headers=await sign_in(api, wallet))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_a_case_is_never_changed(database_of_stack: AsyncEngine) -> None:
    await keep(database_of_stack, ("self_trades", ONE))
    for statement in ("update surveillance_case set text = 'nothing'", "delete from surveillance_case"):
        with pytest.raises(DBAPIError, match="are never changed"):
            async with database_of_stack.begin() as connection:
                await connection.execute(text(statement))
    await keep(database_of_stack, ("self_trades", ONE))
