"""Mass cancel, countdown and trading stop over REST and stream."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from bizzan.client.wallet import Wallet
from exchange.domain.order import Side
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


async def bids(api: httpx.AsyncClient) -> list[list[str]]:
    found: list[list[str]] = (await api.get("/v1/markets/BTC-USDC/book")).json()["bids"]
    return found


async def test_a_mass_cancel_ends_the_bids_of_a_market(api: httpx.AsyncClient, trader: Wallet) -> None:
    assert (await api.post("/v1/orders", json=signed_body(trader, Side.buy, PRICE + 20, 3))).status_code == 200
    sells = await api.post("/v1/orders/mass-cancel", json=mass_cancel_body(trader, BTC_USDC, "sell"))
    assert sells.status_code == 200, sells.text
    assert [str(PRICE + 20), "3"] in await bids(api)
    buys = mass_cancel_body(trader, BTC_USDC, "buy")
    assert (await api.post("/v1/orders/mass-cancel", json=buys)).status_code == 200
    assert [str(PRICE + 20), "3"] not in await bids(api)
    check_refused(await api.post("/v1/orders/mass-cancel", json=buys), 409, "nonce_too_low", "nonce")


async def test_a_countdown_ends_the_orders_of_a_client_that_falls_silent(
    api: httpx.AsyncClient, trader: Wallet
) -> None:
    assert (await api.post("/v1/orders", json=signed_body(trader, Side.buy, PRICE + 30, 4))).status_code == 200
    assert (await api.post("/v1/orders/countdown", json=countdown_body(trader, 1))).status_code == 200
    assert [str(PRICE + 30), "4"] in await bids(api)
    for _ in range(200):
        if [str(PRICE + 30), "4"] not in await bids(api):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the order outlived its countdown")


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
    again = (await api.get("/v1/account", headers=headers, timeout=30)).json()
    assert None not in (again["brakes"], again["limits"])


async def test_nobody_else_stops_an_account(api: httpx.AsyncClient, trader: Wallet) -> None:
    forged = trading_stop_body(new_wallet(), True) | {"account": trader.text_address}
    check_refused(await api.post("/v1/orders/trading-stop", json=forged), 400, "wrong_signature", "signature")
