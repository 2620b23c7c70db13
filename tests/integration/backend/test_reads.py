"""What the mirror answers: market data for everybody, an account for its owner."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from bizzan.client.wallet import Wallet
from exchange.domain.order import SINGLE_FILL, Side, TimeInForce
from exchange.engine.commands import CutBatch
from tests.utils.api_stack import BTC, DEPLOYMENT, FUNDS, USDC, ApiStack, mirrored, new_wallet, signed_body
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in

MIRROR = {"indexed_block", "finalized_block", "journal_seq"}


class Trade:
    """One trade of 5 lots at 601,000 between two wallets that signed in."""

    def __init__(self, maker: Wallet, taker: Wallet, maker_id: int, taker_id: int, seq: int) -> None:
        self.maker, self.taker, self.maker_id, self.taker_id, self.seq = maker, taker, maker_id, taker_id, seq
        self.maker_headers: dict[str, str] = {}
        self.taker_headers: dict[str, str] = {}


@pytest.fixture
async def trade(api: httpx.AsyncClient, stack: ApiStack) -> Trade:
    """The trade, mirrored."""
    maker, taker = await stack.trader(), await stack.trader()
    resting = signed_body(maker, Side.sell, 601_000, 5) | {"client_order_id": "resting"}
    first = (await api.post("/v1/orders", json=resting)).json()
    body = signed_body(taker, Side.buy, 601_000, 5, time_in_force=TimeInForce.ioc, nonce=SINGLE_FILL | 1)
    second = (await api.post("/v1/orders", json=body)).json()
    await mirrored(api, second["seq"])
    made = Trade(maker, taker, first["order_id"], second["order_id"], second["seq"])
    made.maker_headers = await sign_in(api, maker)
    made.taker_headers = await sign_in(api, taker)
    return made


async def test_exchange_says_all_a_client_needs(api: httpx.AsyncClient) -> None:
    exchange = (await api.get("/v1/exchange")).json()
    assert exchange["contract"] == DEPLOYMENT.custody
    assert exchange["domain"]["chainId"] == 31_337
    assert exchange["types"]["Order"][0] == {"name": "account", "type": "address"}
    assert [market["symbol"] for market in exchange["markets"]] == ["BTC-USDC", "ETH-USDC", "ETH-BTC"]
    assert exchange.keys() >= MIRROR


async def test_status_counts_trades_and_finds_no_mismatch(api: httpx.AsyncClient, trade: Trade) -> None:
    status = (await api.get("/v1/status")).json()
    assert status["engine_implementation"] in ("fast", "reference"), "which one, hangs on what was traded before"
    async with asyncio.timeout(60):
        while not status["trades"]:  # counts are kept for two seconds
            await asyncio.sleep(0.1)
            status = (await api.get("/v1/status")).json()
    assert status["mismatches"] == 0
    assert isinstance(status["block"], int)
    assert status.keys() >= MIRROR


async def test_markets_are_found_by_id_and_symbol(api: httpx.AsyncClient) -> None:
    by_id = (await api.get("/v1/markets/1")).json()
    assert by_id == (await api.get("/v1/markets/btc-usdc")).json()
    assert by_id in (await api.get("/v1/markets")).json()
    check_refused(await api.get("/v1/markets/DOGE-USDC/book"), 404, "unknown_market", "market")


async def test_the_tape_candles_and_ticker_show_the_trade(api: httpx.AsyncClient, trade: Trade) -> None:
    page = (await api.get("/v1/markets/BTC-USDC/trades", params={"limit": 1})).json()
    assert page["trades"][0]["price"] == "601000"
    assert page["trades"][0]["quantity"] == "5"
    assert page["trades"][0]["taker_side"] == "buy"
    assert page.keys() >= MIRROR
    candles = (await api.get("/v1/markets/BTC-USDC/candles", params={"interval": "1d"})).json()
    assert candles["candles"][-1]["close"] == "601000"
    ticker = (await api.get("/v1/markets/BTC-USDC/ticker")).json()
    assert ticker["last_price"] == "601000"
    assert int(ticker["base_volume_24h"]) >= 5


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1M"])
async def test_every_interval_has_its_candle(api: httpx.AsyncClient, trade: Trade, interval: str) -> None:
    page = (await api.get("/v1/markets/1/candles", params={"interval": interval})).json()
    assert len(page["candles"]) >= 1


async def test_refuses_an_unknown_interval(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/markets/1/candles", params={"interval": "7m"})
    check_refused(answer, 422, "malformed", "interval")


async def test_account_shows_both_assets_of_a_trade(api: httpx.AsyncClient, trade: Trade) -> None:
    account = (await api.get("/v1/account", headers=trade.taker_headers)).json()
    assert account["account"] == trade.taker.text_address
    assert account["status"] == "active"
    balances = {row["asset_id"]: row for row in account["balances"]}
    quote = 601_000 * 5
    assert int(balances[USDC]["available"]) == FUNDS - quote - quote * 5 // 10_000
    assert int(balances[BTC]["available"]) == FUNDS + 5 * 10_000
    assert int(balances[BTC]["unsettled"]) == 5 * 10_000
    assert int(balances[BTC]["withdrawable"]) == FUNDS
    assert account.keys() >= MIRROR


async def test_an_account_that_nobody_knows_is_empty(api: httpx.AsyncClient) -> None:
    account = (await api.get("/v1/account", headers=await sign_in(api, new_wallet()))).json()
    assert account["status"] == "unknown"
    assert {row["available"] for row in account["balances"]} == {"0"}


async def test_orders_are_found_by_id_hash_and_client_id(api: httpx.AsyncClient, trade: Trade) -> None:
    headers = trade.maker_headers
    order = (await api.get(f"/v1/orders/{trade.maker_id}", headers=headers)).json()["order"]
    assert order["status"] == "filled"
    assert order["filled"] == "5"
    assert order == (await api.get(f"/v1/orders/{order['order_hash']}", headers=headers)).json()["order"]
    assert order == (await api.get("/v1/orders/client:resting", headers=headers)).json()["order"]
    page = (await api.get("/v1/orders", params={"status": "filled"}, headers=headers)).json()
    assert page["orders"] == [order]
    assert (await api.get("/v1/orders", params={"status": "open"}, headers=headers)).json()["orders"] == []


async def test_orders_of_others_are_not_found(api: httpx.AsyncClient, trade: Trade) -> None:
    answer = await api.get(f"/v1/orders/{trade.maker_id}", headers=trade.taker_headers)
    check_refused(answer, 404, "unknown_order", "order")


async def test_a_fill_goes_from_matched_to_submitted(api: httpx.AsyncClient, stack: ApiStack, trade: Trade) -> None:
    for headers, role, side, rate in (
        (trade.maker_headers, "maker", "sell", 2),
        (trade.taker_headers, "taker", "buy", 5),
    ):
        page = (await api.get("/v1/fills", headers=headers)).json()
        fill = page["fills"][0]
        assert (fill["role"], fill["side"], fill["status"]) == (role, side, "matched")
        assert fill["fee"] == str(601_000 * 5 * rate // 10_000)
        assert fill["tx_hash"] is None
    batches = (await api.get("/v1/status")).json()["batches"]
    (ack,) = await stack.submit(CutBatch(stack.inbox_id(), batches + 1, trade.seq))
    await mirrored(api, ack.seq)
    fill = (await api.get("/v1/fills", headers=trade.maker_headers)).json()["fills"][0]
    assert (fill["status"], fill["batch"]) == ("submitted", batches + 1)


async def test_pages_go_on_where_the_last_one_ended(api: httpx.AsyncClient, stack: ApiStack) -> None:
    trader = await stack.trader()
    ids = []
    for step in range(5):
        body = signed_body(trader, Side.buy, 500_000 + 10 * step)
        ids.append((await api.post("/v1/orders", json=body)).json()["order_id"])
    await mirrored(api, ids[-1])
    headers, seen, before = await sign_in(api, trader), [], None
    while True:
        params = {"limit": 2} | ({} if before is None else {"before": before})
        page = (await api.get("/v1/orders", params=params, headers=headers)).json()
        seen += [order["order_id"] for order in page["orders"]]
        before = page["next_before"]
        if before is None:
            break
    assert seen == ids[::-1]


async def test_deposits_and_withdrawals_answer_pages(api: httpx.AsyncClient, trade: Trade) -> None:
    deposits = (await api.get("/v1/deposits", headers=trade.maker_headers)).json()
    assert deposits["deposits"] == []
    withdrawals = (await api.get("/v1/withdrawals", headers=trade.maker_headers)).json()
    assert withdrawals["withdrawals"] == []
    assert deposits.keys() & withdrawals.keys() >= MIRROR
