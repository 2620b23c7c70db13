"""What users own by token is the sum over all accounts, at a block that is named."""

from __future__ import annotations

import asyncio

import httpx

from exchange.database.tables import chain_balance
from tests.integration.backend.test_withdrawals import put
from tests.utils.api_stack import DEPLOYMENT, ETH, USDC, ApiStack


async def sums(api: httpx.AsyncClient) -> dict[int, tuple[int, int]]:
    """Trading and funding by token."""
    told = (await api.get("/v1/reserves")).json()
    assert isinstance(told["block"], int)
    return {row["token_id"]: (int(row["trading"]), int(row["funding"])) for row in told["tokens"]}


async def test_reserves_are_the_sum_over_all_accounts(stack: ApiStack, api: httpx.AsyncClient) -> None:
    before = await sums(api)
    assert before.keys() == {token.token_id for token in DEPLOYMENT.tokens}
    rows = [(0xA1, USDC, 700, 30), (0xA2, USDC, 5, 0), (0xA2, ETH, 0, 9)]
    await put(
        stack,
        chain_balance,
        *(
            {
                "chain_id": DEPLOYMENT.chain_id,
                "account": bytes([name]) * 20,
                "token_id": token,
                "trading": trading,
                "funding": funding,
            }
            for name, token, trading, funding in rows
        ),
    )
    wanted = {**before, USDC: (before[USDC][0] + 705, before[USDC][1] + 30), ETH: (before[ETH][0], before[ETH][1] + 9)}
    for _ in range(200):  # sums are kept for two seconds
        if (told := await sums(api)) == wanted:
            break
        await asyncio.sleep(0.1)
    assert told == wanted
