"""Fees before anybody signs: schedules, announcements on the stream, an account's own rates, previews."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from bizzan.client.api import BizzanClient
from bizzan.client.schemas import Fill
from exchange.database.tables import chain_status
from exchange.domain.order import Side, TimeInForce
from exchange.engine import commands as c
from tests.integration.backend.test_withdrawals import log_row, put
from tests.utils.api_stack import DEPLOYMENT, ETH_USDC, ApiStack
from tests.utils.sign_in import sign_in
from tests.utils.stream import open_stream

CHANNEL = "fees"
HOUR = 3_600_000


def announce(stack: ApiStack, tiers: tuple[tuple[int, int], ...], at_ms: int = 0, floor: int = 0) -> c.AnnounceFees:
    return c.AnnounceFees(stack.inbox_id(), ETH_USDC, at_ms, tiers, floor)


async def market_fees(api: httpx.AsyncClient) -> dict[str, object]:
    found: list[dict[str, object]] = (await api.get("/v1/fees")).json()["markets"]
    return next(market for market in found if market["market"] == ETH_USDC)


async def test_schedules_are_told_with_what_is_announced(api: httpx.AsyncClient, stack: ApiStack) -> None:
    told = (await api.get("/v1/fees")).json()
    assert (told["fee_cap_bps"], told["notice_ms"]) == (100, HOUR)
    due = told["server_time"] + 2 * HOUR
    async with open_stream(stack.base_url) as client:
        await client.ask("subscribe", channels=[CHANNEL])
        assert (await client.next(CHANNEL, "snapshot"))["markets"] == told["markets"]
        await stack.submit(announce(stack, ((200, 450), (25, 300))))
        await stack.submit(announce(stack, ((300, 900),), due, 20_000))
        first, second = await client.next(CHANNEL, "announced"), await client.next(CHANNEL, "announced")
    assert (first["market"], first["symbol"], first["floor"]) == (ETH_USDC, "ETH-USDC", "0")
    assert (second["effective_at"], second["floor"], second["prev_seq"]) == (due, "20000", first["seq"])

    found = await market_fees(api)
    rates = [
        {"tier": 0, "maker_fee_ppm": 200, "taker_fee_ppm": 450},
        {"tier": 1, "maker_fee_ppm": 25, "taker_fee_ppm": 300},
    ]
    assert found["current"] == {"effective_at": first["effective_at"], "tiers": rates, "floor": "0"}
    assert [known["effective_at"] for known in found["announced"]] == [due]  # type: ignore[attr-defined]
    listed = (await api.get("/v1/markets/ETH-USDC")).json()
    assert (listed["maker_fee_ppm"], listed["taker_fee_ppm"], listed["fee_floor"]) == (200, 450, "0")


async def test_an_account_is_told_its_own_rates(api: httpx.AsyncClient, stack: ApiStack) -> None:
    trader = await stack.trader()
    headers = await sign_in(api, trader)
    own = (await api.get("/v1/account/fees", headers=headers)).json()
    assert (own["account"], own["tier"], own["announced"]) == (trader.text_address, 0, [])
    await stack.submit(c.SetAccountTier(stack.inbox_id(), trader.address, 1, 0))
    later = own["server_time"] + 2 * HOUR
    await stack.submit(c.SetAccountTier(stack.inbox_id(), trader.address, 0, later))
    own = (await api.get("/v1/account/fees", headers=headers)).json()
    assert (own["tier"], own["announced"]) == (1, [{"tier": 0, "effective_at": later}])
    assert (await api.get("/v1/account/fees")).status_code == 401


async def test_the_client_signs_the_cap_that_a_preview_asks_and_pays_what_it_says(stack: ApiStack) -> None:
    maker, taker = await stack.trader(), await stack.trader()
    await stack.submit(c.SetAccountTier(stack.inbox_id(), taker.address, 1, 0))
    async with BizzanClient(stack.base_url, maker) as sells, BizzanClient(stack.base_url, taker) as buys:
        symbol, price, quantity = "ETH-BTC", "0.00049", "0.05"
        await sells.place(symbol, Side.sell, price, quantity, post_only=True)
        said = await buys.preview(symbol, Side.buy, price, quantity, time_in_force=TimeInForce.ioc)
        assert (said.tier, said.fills_now, said.max_fee_bps) == (1, 50, 5)
        assert said.max_fee_bps <= buys.market(symbol).fee_cap(said.notional // 50, 50)
        ack = await buys.place(symbol, Side.buy, price, quantity, time_in_force=TimeInForce.ioc)
        await buys.login()
        fills = await _fills(buys, ack.order_id)
        assert (sum(fill.quote for fill in fills), sum(fill.fee for fill in fills)) == (
            said.fills_now_quote,
            said.fills_now_fee,
        )
        assert (await buys.account_fees()).tier == 1


async def _fills(client: BizzanClient, order_id: int | None) -> list[Fill]:
    """The order's fills, when they are mirrored."""
    for _ in range(3_000):
        if fills := await client.fills(order_id=order_id):
            return fills
        await asyncio.sleep(0.02)
    raise AssertionError("the trade was not mirrored")


async def test_fee_account_changed_on_chain_degrades_the_status(stack: ApiStack, api: httpx.AsyncClient) -> None:
    async def told(wanted: bool) -> dict[str, Any]:
        for _ in range(600):  # the counts are read every two seconds
            status: dict[str, Any] = (await api.get("/v1/status")).json()
            if ("fee_account" in status["problems"]) is wanted:
                return status
            await asyncio.sleep(0.1)
        raise AssertionError(f"the status says {status['problems']}")

    def named(place: int, account: str) -> dict[str, Any]:
        return log_row(place, kind="fee_account_changed", params={"fee_account": account.lower()})

    await put(stack, chain_status, named(60, DEPLOYMENT.fee_account))
    await told(False)
    await put(stack, chain_status, named(61, "0x" + "ab" * 20))
    status = await told(True)
    assert status["status"] == "degraded"
    assert "BTC/USDC" in status["problems"]["fee_account"]
    await put(stack, chain_status, named(62, DEPLOYMENT.fee_account))
    await told(False)
