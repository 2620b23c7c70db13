"""Mass cancel, countdown and trading stop over REST and stream."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import httpx
import pytest

from bizzan.client.wallet import Wallet
from exchange.domain.order import Side
from tests.integration.backend.test_orders import book_with
from tests.utils.api_stack import (
    BTC_USDC,
    ApiStack,
    countdown_body,
    mass_cancel_body,
    new_wallet,
    signed_body,
    trading_stop_body,
)
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in

PRICE = 588_000


@pytest.fixture
async def trader(stack: ApiStack) -> Wallet:
    """A wallet with money."""
    return await stack.trader()


async def bids(api: httpx.AsyncClient, answer: httpx.Response) -> list[list[str]]:
    """The bids once the book has what was acknowledged."""
    found: list[list[str]] = (await book_with(api, "BTC-USDC", answer))["bids"]
    return found


async def test_a_mass_cancel_ends_the_bids_of_a_market(api: httpx.AsyncClient, trader: Wallet) -> None:
    assert (await api.post("/v1/orders", json=signed_body(trader, Side.buy, PRICE + 20, 3))).status_code == 200
    sells = await api.post("/v1/orders/mass-cancel", json=mass_cancel_body(trader, BTC_USDC, "sell"))
    assert [str(PRICE + 20), "3"] in await bids(api, sells)
    buys = mass_cancel_body(trader, BTC_USDC, "buy")
    assert [str(PRICE + 20), "3"] not in await bids(api, await api.post("/v1/orders/mass-cancel", json=buys))
    check_refused(await api.post("/v1/orders/mass-cancel", json=buys), 409, "nonce_too_low", "nonce")


async def test_a_countdown_ends_the_orders_of_a_client_that_falls_silent(
    api: httpx.AsyncClient, trader: Wallet
) -> None:
    placed = await api.post("/v1/orders", json=signed_body(trader, Side.buy, PRICE + 30, 4))
    assert [str(PRICE + 30), "4"] in await bids(api, placed)
    armed = await api.post("/v1/orders/countdown", json=countdown_body(trader, 1))
    assert armed.status_code == 200, armed.text
    async with asyncio.timeout(60):
        while [str(PRICE + 30), "4"] in await bids(api, armed):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    headers = await sign_in(api, trader)
    async with asyncio.timeout(60):
        while (order := await order_of(api, placed, headers))["status"] == "open":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert (order["close_reason"], order["closed_at"] >= armed.json()["at"] + 1_000) == ("countdown", True)


async def order_of(api: httpx.AsyncClient, placed: httpx.Response, headers: dict[str, str]) -> dict[str, Any]:
    """The order as its owner sees it."""
    found: dict[str, Any] = (await api.get(f"/v1/orders/{placed.json()['order_id']}", headers=headers)).json()["order"]
    return found


async def test_a_trading_stop_holds_until_it_is_lifted(api: httpx.AsyncClient, trader: Wallet) -> None:
    assert (await api.post("/v1/orders/trading-stop", json=trading_stop_body(trader, True))).status_code == 200
    check_refused(await api.post("/v1/orders", json=signed_body(trader, Side.buy, PRICE, 3)), 409, "trading_stopped")
    headers = await sign_in(api, trader)
    brakes = {"trading_stopped_by_owner": True, "trading_stopped_by_operator": False, "countdown_at": 0}
    assert (await api.get("/v1/account", headers=headers)).json()["brakes"] == brakes
    assert (await api.post("/v1/orders/trading-stop", json=trading_stop_body(trader, False))).status_code == 200
    assert (await api.post("/v1/orders", json=signed_body(trader, Side.buy, PRICE, 3))).status_code == 200


async def test_an_engine_that_hangs_keeps_nobody_from_the_rest_of_the_account(
    api: httpx.AsyncClient, stack: ApiStack, trader: Wallet
) -> None:
    headers = await sign_in(api, trader)
    assert (await api.get("/v1/account", headers=headers)).json()["limits"] is not None
    stack.signal("engine", signal.SIGSTOP)
    try:
        told = (await api.get("/v1/account", headers=headers, timeout=30)).json()
    finally:
        stack.signal("engine", signal.SIGCONT)
    assert (told["status"], told["brakes"], told["limits"]) == ("active", None, None)
    async with asyncio.timeout(60):
        while None in (told["brakes"], told["limits"]):
            told = (await api.get("/v1/account", headers=headers, timeout=30)).json()


async def test_nobody_else_stops_an_account(api: httpx.AsyncClient, trader: Wallet) -> None:
    forged = trading_stop_body(new_wallet(), True) | {"account": trader.text_address}
    check_refused(await api.post("/v1/orders/trading-stop", json=forged), 400, "wrong_signature", "signature")
