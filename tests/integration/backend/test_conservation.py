"""Nothing that a user can say to the API changes how much money there is.

Every operation of the OpenAPI document and of the stream is here, so a new one fails until it is covered. Each is
called as meant and wrongly, by a trader who signed in; the sum of all balances stays what was credited.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import httpx
import pytest
from sqlalchemy import text

from backend.stream import schemas
from bizzan.client.wallet import Wallet
from exchange.database.engine import create_engine
from exchange.domain.order import SINGLE_FILL, Side, Terms, TimeInForce, TriggerType
from exchange.sequencer.client import EngineClient
from tests.integration.backend.test_order_types import group_of
from tests.integration.backend.test_withdrawals import funding_body, withdrawal_body
from tests.utils.api_stack import (
    AUDITOR,
    FUNDS,
    WATCHER,
    ApiStack,
    an_order,
    cancel_all_body,
    cancel_body,
    countdown_body,
    mass_cancel_body,
    mirrored,
    new_wallet,
    signed_body,
    trading_stop_body,
)
from tests.utils.sign_in import fresh_nonce, message_for, open_console, sign_in
from tests.utils.stream import open_stream

SUMS = "select asset_id, sum(available + held + reserved - deficit)::bigint as total from balance group by asset_id"
Call = dict[str, Any]
"""`method`, `url` and what else a request has."""


@dataclass(frozen=True)
class Trader:
    """A wallet with money, its session, an open order (on `nonce`) and a trade."""

    wallet: Wallet
    headers: dict[str, str]
    nonce: int
    order_id: int
    api: httpx.AsyncClient


@pytest.fixture
async def trader(api: httpx.AsyncClient, stack: ApiStack) -> Trader:
    """The trader."""
    wallet, maker = await stack.trader(), await stack.trader()
    await api.post("/v1/orders", json=signed_body(maker, Side.sell, 601_000, 2))
    taking = signed_body(wallet, Side.buy, 601_000, 2, time_in_force=TimeInForce.ioc, nonce=SINGLE_FILL | 1)
    assert (await api.post("/v1/orders", json=taking)).status_code == 200
    body = signed_body(wallet, Side.buy, 500_000, 3)
    ack = (await api.post("/v1/orders", json=body)).json()
    await mirrored(api, ack["seq"])
    return Trader(wallet, await sign_in(api, wallet), int(body["nonce"]), ack["order_id"], api)


@pytest.fixture
async def sums(stack: ApiStack, api: httpx.AsyncClient) -> AsyncIterator[Callable[[], Awaitable[dict[int, int]]]]:
    """What all accounts own by asset, when the mirror has all that the engine has done."""
    database = create_engine(stack.database_url, pool_size=1)

    async def read() -> dict[int, int]:
        async with EngineClient(stack.folder / "engine.sock") as client:
            done = await client.status()
        await mirrored(api, done.seq)
        async with database.connect() as conn:
            return {row.asset_id: row.total for row in await conn.execute(text(SUMS))}

    yield read
    await database.dispose()


async def login_body(trader: Trader, wallet: Wallet) -> dict[str, str]:
    """A sign-in as the trader, signed by a wallet."""
    message = message_for(trader.wallet, await fresh_nonce(trader.api))
    return {"message": message, "signature": "0x" + wallet.sign_text(message).hex()}


def read(path: str, wrong: Mapping[str, Any], wrong_path: str | None = None) -> Callable[[Trader], Awaitable[Calls]]:
    """A read, with the trader's session; wrongly with other parameters."""

    async def calls(trader: Trader) -> Calls:
        url = path.replace("{order}", str(trader.order_id))
        good = {"method": "GET", "url": url, "headers": trader.headers}
        return Calls([good], [good | {"url": wrong_path or url, "params": dict(wrong)}, good | {"method": "PATCH"}])

    return calls


def write(path: str, body: Callable[[Trader], dict[str, Any]], *wrong: Mapping[str, Any]) -> Callable[..., Any]:
    """A write; wrongly with other fields, by a stranger's signature, and as no JSON."""

    async def calls(trader: Trader) -> Calls:
        post = {"method": "POST", "url": path, "headers": trader.headers}
        good = body(trader)
        bad = [post | {"json": good | dict(change)} for change in (*wrong, {"gift": "1"}, {"amount": "-1"})]
        return Calls([post | {"json": good}], [*bad, post | {"content": b"{"}])

    return calls


@dataclass(frozen=True)
class Calls:
    """Requests that are answered, and requests that are refused."""

    good: list[Call]
    bad: list[Call]


async def nonce(trader: Trader) -> Calls:
    """Ask for a challenge."""
    return Calls([{"method": "POST", "url": "/v1/auth/nonce"}], [{"method": "GET", "url": "/v1/auth/nonce"}])


async def deposit_address(trader: Trader) -> Calls:
    """Ask for the deposit address, and without a session."""
    ask = {"method": "POST", "url": "/v1/account/deposit-address"}
    good = ask | {"headers": trader.headers}
    return Calls([good, good], [ask, good | {"method": "GET"}, ask | {"headers": {"authorization": "Bearer nobody"}}])


async def faucet(trader: Trader) -> Calls:
    """Play money, which goes to an address on chain, and for what is no address."""
    post = {"method": "POST", "url": "/v1/faucet"}
    return Calls([post | {"json": {"address": new_wallet().text_address}}], [post | {"json": {"address": "0xab"}}])


async def login(trader: Trader) -> Calls:
    """Sign in, and in another's name."""
    post = {"method": "POST", "url": "/v1/auth/login"}
    mine, stolen = await login_body(trader, trader.wallet), await login_body(trader, new_wallet())
    return Calls([post | {"json": mine}], [post | {"json": stolen}, post | {"json": {}}])


async def first_piece(api: httpx.AsyncClient) -> None:
    """Wait until something is published."""
    async with asyncio.timeout(60):
        while (await api.get("/v1/journal/1/hashes")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def hashes(trader: Trader) -> Calls:
    """Read the first piece's hashes."""
    await first_piece(trader.api)
    return await read("/v1/journal/1/hashes", {}, "/v1/journal/2/hashes")(trader)


async def raw_piece(trader: Trader) -> Calls:
    """Read a piece of the journal as an auditor, and as a trader."""
    await first_piece(trader.api)
    get = {"method": "GET", "url": "/v1/journal/1/raw"}
    good = get | {"headers": await sign_in(trader.api, AUDITOR)}
    return Calls([good], [get, get | {"headers": trader.headers}, good | {"url": "/v1/journal/0/raw"}])


async def withdrawal_receipt(trader: Trader) -> Calls:
    """The receipt of a withdrawal, and of one that there is not."""
    ack = (await trader.api.post("/v1/withdrawals", json=withdrawal_body(trader.wallet, nonce=77))).json()
    await mirrored(trader.api, ack["seq"])
    get = {"method": "GET", "url": f"/v1/withdrawals/{ack['withdrawal_hash']}/receipt"}
    good = get | {"headers": trader.headers}
    wrong = [good | {"url": f"/v1/withdrawals/{name}/receipt"} for name in ("0x" + "11" * 32, "77")]
    return Calls([good], [get, *wrong, good | {"method": "PATCH"}])


async def cases(trader: Trader) -> Calls:
    """Read cases as an operator, and as a trader."""
    get = {"method": "GET", "url": "/v1/surveillance/cases"}
    good = get | {"headers": await open_console(trader.api, WATCHER)}
    return Calls([good], [get, get | {"headers": trader.headers}, good | {"params": {"limit": "0"}}])


async def logout(trader: Trader) -> Calls:
    """End a session of one's own, and one that there is not."""
    post = {"method": "POST", "url": "/v1/auth/logout"}
    other = await sign_in(trader.api, trader.wallet)
    return Calls([post | {"headers": other}], [post | {"headers": {"authorization": "Bearer nobody"}}])


def closed(operation: str) -> Callable[[Trader], Awaitable[Calls]]:
    """What a trader's session, and nobody's, is refused; what it does for others is tested where they are."""
    method, path = operation.split()
    places = {"market": 1, "account": "0x" + "77" * 20, "case": 1, "announcement": 1}
    call: Call = {"method": method, "url": path.format(**places)} | ({"json": {}} if method == "POST" else {})

    async def calls(trader: Trader) -> Calls:
        return Calls([], [call, call | {"headers": trader.headers}])

    return calls


CLOSED = (
    "POST /v1/orders/group",
    "POST /v1/operator/login",
    "POST /v1/operator/logout",
    "GET /v1/operator/session",
    "GET /v1/operator/markets",
    "POST /v1/operator/markets/{market}/halt",
    "POST /v1/operator/markets/{market}/open",
    "POST /v1/operator/markets/{market}/auction",
    "POST /v1/operator/markets/{market}/bounds",
    "POST /v1/operator/markets/{market}/fees",
    "GET /v1/operator/health",
    "GET /v1/operator/withdrawals",
    "GET /v1/operator/jobs",
    "GET /v1/operator/accounts",
    "GET /v1/operator/accounts/{account}",
    "POST /v1/operator/accounts/{account}/stop",
    "POST /v1/operator/accounts/{account}/resume",
    "POST /v1/operator/accounts/{account}/tier",
    "POST /v1/operator/accounts/{account}/limits",
    "GET /v1/operator/cases",
    "POST /v1/operator/cases/{case}/review",
    "GET /v1/operator/announcements",
    "POST /v1/operator/announcements",
    "POST /v1/operator/announcements/{announcement}/withdraw",
    "GET /v1/operator/log",
)
STRANGER = {"signature": "0x" + "11" * 64 + "1b"}
PREVIEW = ("account", "market", "side", "price", "quantity", "nonce", "expiry", "max_fee_bps", "terms")
OPERATIONS: dict[str, Callable[[Trader], Awaitable[Calls]]] = {
    **{operation: closed(operation) for operation in CLOSED},
    "GET /v1/announcements": read("/v1/announcements", {}, "/v1/announcements/x"),
    "GET /healthz": read("/healthz", {}, "/healthz/x"),
    "GET /readyz": read("/readyz", {}, "/readyz/x"),
    "GET /v1/exchange": read("/v1/exchange", {}, "/v1/exchange/x"),
    "GET /v1/status": read("/v1/status", {}, "/v1/status/x"),
    "GET /v1/markets": read("/v1/markets", {}, "/v1/markets/"),
    "GET /v1/markets/{market}": read("/v1/markets/1", {}, "/v1/markets/9"),
    "GET /v1/markets/{market}/book": read("/v1/markets/1/book", {"depth": "-1"}),
    "GET /v1/markets/{market}/trades": read("/v1/markets/1/trades", {"limit": "0"}),
    "GET /v1/markets/{market}/candles": read("/v1/markets/1/candles", {"interval": "7m"}),
    "GET /v1/markets/{market}/ticker": read("/v1/markets/1/ticker", {}, "/v1/markets/9/ticker"),
    "GET /v1/fees": read("/v1/fees", {}, "/v1/fees/x"),
    "GET /v1/fees/batches": read("/v1/fees/batches", {"limit": "0"}),
    "GET /v1/fees/totals": read("/v1/fees/totals", {}, "/v1/fees/totals/x"),
    "GET /v1/account/fees": read("/v1/account/fees", {}, "/v1/account/fees/x"),
    "GET /v1/account": read("/v1/account", {}, "/v1/account/x"),
    "POST /v1/account/deposit-address": deposit_address,
    "GET /v1/account/guards": read("/v1/account/guards", {"after": "0x1"}),
    "GET /v1/outflow": read("/v1/outflow", {}, "/v1/outflow/x"),
    "GET /v1/reserves": read("/v1/reserves", {}, "/v1/reserves/x"),
    "GET /v1/journal": read("/v1/journal", {"before": "-1"}),
    "GET /v1/journal/{first_seq}/hashes": hashes,
    "GET /v1/journal/{first_seq}/raw": raw_piece,
    "GET /v1/surveillance/cases": cases,
    "GET /v1/fills": read("/v1/fills", {"order_id": "-1"}),
    "GET /v1/deposits": read("/v1/deposits", {"before": "x"}),
    "GET /v1/withdrawals": read("/v1/withdrawals", {"limit": "x"}),
    "GET /v1/orders": read("/v1/orders", {"status": "gone"}),
    "GET /v1/orders/{order}": read("/v1/orders/{order}", {}, "/v1/orders/9999999999"),
    "GET /v1/orders/{order}/receipt": read("/v1/orders/{order}/receipt", {}, "/v1/orders/9999999999/receipt"),
    "GET /v1/withdrawals/{hash}/receipt": withdrawal_receipt,
    "GET /v1/receipts/{seq}": read("/v1/receipts/{order}", {}, "/v1/receipts/9999999999"),
    "POST /v1/faucet": faucet,
    "POST /v1/auth/nonce": nonce,
    "POST /v1/auth/login": login,
    "POST /v1/auth/logout": logout,
    "POST /v1/orders": write(
        "/v1/orders",
        lambda trader: signed_body(trader.wallet, Side.sell, 602_000, 4),
        STRANGER,
        {"quantity": "5"},
        {"side": "buy"},
        {"account": "0x" + "77" * 20},
    ),
    "POST /v1/orders/amend": write(
        "/v1/orders/amend",
        lambda trader: signed_body(trader.wallet, Side.buy, 500_010, 4, nonce=trader.nonce),
        STRANGER,
        {"quantity": "5"},
        {"nonce": "77"},
    ),
    "POST /v1/orders/preview": write(
        "/v1/orders/preview",
        lambda trader: {name: value for name, value in signed_body(trader.wallet).items() if name in PREVIEW},
        {"market": 9},
    ),
    "POST /v1/orders/cancel": write(
        "/v1/orders/cancel", lambda trader: cancel_body(trader.wallet, trader.nonce), STRANGER, {"nonce": "77"}
    ),
    "POST /v1/orders/cancel-all": write(
        "/v1/orders/cancel-all", lambda trader: cancel_all_body(trader.wallet, trader.nonce + 1), STRANGER
    ),
    "POST /v1/orders/mass-cancel": write(
        "/v1/orders/mass-cancel", lambda trader: mass_cancel_body(trader.wallet), STRANGER, {"side": "buy"}
    ),
    "POST /v1/orders/countdown": write(
        "/v1/orders/countdown", lambda trader: countdown_body(trader.wallet, 30), STRANGER, {"seconds": 31}
    ),
    "POST /v1/orders/trading-stop": write(
        "/v1/orders/trading-stop", lambda trader: trading_stop_body(trader.wallet, False), STRANGER, {"stopped": True}
    ),
    "POST /v1/withdrawals": write(
        "/v1/withdrawals",
        lambda trader: withdrawal_body(trader.wallet),
        STRANGER,
        {"amount": str(FUNDS)},
        {"recipient": "0x" + "66" * 20},
    ),
    "POST /v1/funding-transfers": write(
        "/v1/funding-transfers", lambda trader: funding_body(trader.wallet), STRANGER, {"amount": str(FUNDS)}
    ),
}


async def test_every_operation_is_covered(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    assert set(OPERATIONS) == {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_operation_makes_no_money(
    trader: Trader, sums: Callable[[], Awaitable[dict[int, int]]], operation: str
) -> None:
    calls = await OPERATIONS[operation](trader)
    before = await sums()
    for call in calls.bad:
        answer = await trader.api.request(**call)
        assert 400 <= answer.status_code < 500, (call, answer.text)
        assert await sums() == before
    for call in calls.good:
        answer = await trader.api.request(**call)
        assert answer.status_code == 200 or operation == "GET /readyz", (call, answer.text)
        assert await sums() == before


def stream_requests(trader: Trader) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """For each operation of the stream what is answered, and what is refused."""
    token = trader.headers["authorization"].removeprefix("Bearer ")
    sold, wallet = signed_body(trader.wallet, Side.sell, 603_000, 4), trader.wallet
    rests = replace(an_order(wallet, Side.sell, 604_000, 4), terms=Terms(group=7).pack())
    terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=7).pack()
    stop = replace(rests, nonce=rests.nonce + 1, price=590_000, trigger_price=595_000, terms=terms)
    return {
        "login": ({"token": token}, {"token": "nobody"}),
        "subscribe": ({"channels": ["book.BTC-USDC", "fees", "account"]}, {"channels": ["weather"]}),
        "unsubscribe": ({"channels": ["book.BTC-USDC"]}, {"channels": []}),
        "ping": ({}, {"gift": "1"}),
        "place": ({"order": sold}, {"order": sold | {"quantity": "5"}}),
        "amend": (
            {"order": signed_body(wallet, Side.buy, 500_010, 4, nonce=trader.nonce)},
            {"order": signed_body(wallet, Side.buy, 500_010, 4, nonce=10**9)},
        ),
        "place_group": (
            {"group": group_of(wallet, rests, stop)},
            {"group": group_of(wallet, rests, replace(stop, terms=terms + (1 << 96)))},
        ),
        "cancel": ({"cancel": cancel_body(wallet, trader.nonce)}, {"cancel": cancel_body(wallet, 10**9)}),
        "cancel_all": (
            {"cancel_all": cancel_all_body(wallet, trader.nonce + 1)},
            {"cancel_all": cancel_all_body(wallet, 1) | STRANGER},
        ),
        "mass_cancel": (
            {"mass_cancel": mass_cancel_body(wallet)},
            {"mass_cancel": mass_cancel_body(wallet) | {"side": "sell"}},
        ),
        "countdown": ({"countdown": countdown_body(wallet, 30)}, {"countdown": countdown_body(wallet, 30) | STRANGER}),
        "trading_stop": (
            {"trading_stop": trading_stop_body(wallet, False)},
            {"trading_stop": trading_stop_body(wallet, False) | {"stopped": True}},
        ),
    }


async def test_stream_makes_no_money(
    trader: Trader, stack: ApiStack, sums: Callable[[], Awaitable[dict[int, int]]]
) -> None:
    requests = stream_requests(trader)
    assert set(requests) == {kind.__struct_config__.tag for kind in get_args(schemas.Request)}
    before = await sums()
    async with open_stream(stack.base_url) as client:
        for operation, (good, bad) in requests.items():
            assert "error" in await client.ask(operation, **bad), operation
            assert await sums() == before
            assert "error" not in await client.ask(operation, **good), operation
            assert await sums() == before


async def test_the_sums_notice_a_credit(stack: ApiStack, sums: Callable[[], Awaitable[dict[int, int]]]) -> None:
    before = await sums()
    await stack.fund(new_wallet(), amount=7)
    assert await sums() == {asset: total + 7 for asset, total in before.items()}
