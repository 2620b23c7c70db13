"""Order entry over REST: what is acknowledged, and each refusal with its exact code."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from bizzan.client.wallet import Wallet
from exchange.domain.eip712 import Domain
from exchange.domain.order import SINGLE_FILL, Side, TimeInForce
from exchange.engine.commands import SetMarketStatus
from tests.utils.api_stack import (
    DEPLOYMENT,
    DOMAIN,
    ETH_BTC,
    ETH_USDC,
    PRICE,
    ApiStack,
    an_order,
    cancel_all_body,
    cancel_body,
    heard,
    mirrored,
    new_wallet,
    order_body,
    signed_body,
)
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in

LOW = 500_000


@pytest.fixture
async def trader(stack: ApiStack) -> Wallet:
    """A wallet with money."""
    return await stack.trader()


async def test_a_signed_order_is_acknowledged_and_in_the_book(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader, Side.buy, 571_230, 7))
    assert answer.status_code == 200, answer.text
    ack = answer.json()
    assert ack["order_id"] == ack["seq"]
    assert ack["duplicate"] is False
    assert ["571230", "7"] in (await book_with(api, "BTC-USDC", answer))["bids"]


async def book_with(api: httpx.AsyncClient, market: str, answer: httpx.Response) -> dict[str, Any]:
    """The book once it has what was acknowledged; all of it, for other tests leave orders at better prices."""
    assert answer.status_code == 200, answer.text
    await heard(api, answer.json()["seq"])
    book: dict[str, Any] = (await api.get(f"/v1/markets/{market}/book", params={"depth": 1_000})).json()
    return book


async def test_the_same_order_again_is_a_duplicate(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, price=LOW) | {"client_order_id": "grid-1"}
    first = (await api.post("/v1/orders", json=body)).json()
    again = (await api.post("/v1/orders", json=body)).json()
    assert again["duplicate"] is True
    assert again["order_id"] == first["order_id"]


async def test_the_same_order_keeps_its_first_client_order_id(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, price=LOW) | {"client_order_id": "first"}
    ack = (await api.post("/v1/orders", json=body)).json()
    again = (await api.post("/v1/orders", json=body | {"client_order_id": "second"})).json()
    assert (again["order_id"], again["duplicate"]) == (ack["order_id"], True)
    await mirrored(api, ack["seq"])
    order = await api.get(f"/v1/orders/{ack['order_id']}", headers=await sign_in(api, trader))
    assert order.json()["order"]["client_order_id"] == "first"


async def test_two_orders_meet(api: httpx.AsyncClient, stack: ApiStack) -> None:
    maker, taker = await stack.trader(), await stack.trader()
    assert (await api.post("/v1/orders", json=signed_body(maker, Side.sell, 601_000, 5))).status_code == 200
    body = signed_body(taker, Side.buy, 601_000, 5, time_in_force=TimeInForce.ioc, nonce=SINGLE_FILL | 77)
    book = await book_with(api, "1", await api.post("/v1/orders", json=body))
    assert ["601000", "5"] not in book["asks"]


async def test_a_buy_for_an_amount_of_quote_takes_whole_lots(api: httpx.AsyncClient, stack: ApiStack) -> None:
    maker, taker = await stack.trader(), await stack.trader()
    offer = signed_body(maker, Side.sell, 600_990, 5)
    assert (await api.post("/v1/orders", json=offer)).status_code == 200
    amount = 3 * 600_990 + 7
    body = signed_body(taker, Side.buy_quote, 600_990, amount, time_in_force=TimeInForce.ioc, nonce=SINGLE_FILL | 78)
    book = await book_with(api, "1", await api.post("/v1/orders", json=body))
    assert ["600990", "2"] in book["asks"]
    body = signed_body(taker, Side.buy_quote, 600_990, amount, time_in_force=TimeInForce.ioc, nonce=79)
    check_refused(await api.post("/v1/orders", json=body), 400, "terms_conflict", "nonce")
    # what rests is the best offer, which other tests must not meet
    taken_back = await api.post("/v1/orders/cancel", json=cancel_body(maker, int(offer["nonce"])))
    assert taken_back.status_code == 200, taken_back.text


async def test_a_cancel_takes_the_order_out(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, Side.buy, 590_010, 3)
    placed = await api.post("/v1/orders", json=body)
    assert ["590010", "3"] in (await book_with(api, "BTC-USDC", placed))["bids"]
    answer = await api.post("/v1/orders/cancel", json=cancel_body(trader, int(body["nonce"])))
    assert ["590010", "3"] not in (await book_with(api, "BTC-USDC", answer))["bids"]
    again = await api.post("/v1/orders/cancel", json=cancel_body(trader, int(body["nonce"])))
    assert again.json()["code"] in ("unknown_order", "order_closed")


async def test_cancel_all_refuses_lower_nonces_for_ever(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, Side.buy, LOW, 3, nonce=5)
    assert (await api.post("/v1/orders", json=body)).status_code == 200
    assert (await api.post("/v1/orders/cancel-all", json=cancel_all_body(trader, 1_000))).status_code == 200
    check_refused(await api.post("/v1/orders", json=signed_body(trader, nonce=999)), 409, "nonce_too_low", "nonce")


async def test_preview_names_the_worst_cost(api: httpx.AsyncClient, trader: Wallet) -> None:
    fields = {
        key: value
        for key, value in signed_body(trader, Side.buy, 600_000, 100).items()
        if key not in ("chain_id", "contract", "signature", "scheme")
    }
    preview = (await api.post("/v1/orders/preview", json=fields)).json()
    assert preview["notional"] == "60000000"
    assert preview["worst_fee"] == preview["taker_fee"] == str(60_000_000 * 5 // 10_000)
    assert preview["maker_fee"] == str(60_000_000 * 2 // 10_000)
    assert (preview["tier"], preview["max_fee_bps"], preview["fee_cap_bps"]) == (0, 5, 100)
    assert preview["holds_amount"] == str(60_000_000 + 30_000)


# who signed what


async def test_refuses_a_signature_of_another_key(api: httpx.AsyncClient, trader: Wallet) -> None:
    forged = order_body(new_wallet().sign_order(DOMAIN, an_order(trader)), scheme="account")
    check_refused(await api.post("/v1/orders", json=forged), 400, "wrong_signature", "signature")


@pytest.mark.parametrize("change", [{"price": "600010"}, {"quantity": "11"}, {"side": "sell"}, {"max_fee_bps": 11}])
async def test_refuses_a_field_changed_after_signing(
    api: httpx.AsyncClient, trader: Wallet, change: dict[str, object]
) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader) | change)
    check_refused(answer, 400, "wrong_signature", "signature")


async def test_refuses_a_signature_with_a_high_s(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader)
    raw = bytes.fromhex(body["signature"][2:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = order - int.from_bytes(raw[32:64])
    twin = raw[:32] + high.to_bytes(32) + bytes((55 - raw[64],))
    answer = await api.post("/v1/orders", json=body | {"signature": "0x" + twin.hex()})
    check_refused(answer, 400, "wrong_signature", "signature")


@pytest.mark.parametrize("signature", ["0x" + "00" * 64 + "1b", "0x" + "ff" * 65, "0x" + "11" * 64 + "00"])
async def test_refuses_a_signature_that_is_none(api: httpx.AsyncClient, trader: Wallet, signature: str) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader) | {"signature": signature})
    check_refused(answer, 400, "wrong_signature", "signature")


async def test_refuses_another_chain(api: httpx.AsyncClient, trader: Wallet) -> None:
    elsewhere = Domain(DOMAIN.name, 1, DOMAIN.contract)
    body = order_body(trader.sign_order(elsewhere, an_order(trader)), chain_id=1)
    error = check_refused(await api.post("/v1/orders", json=body), 400, "wrong_chain", "chain_id")
    assert error["params"] == {"chain_id": 31_337}


async def test_refuses_a_signature_for_another_chain_under_our_id(api: httpx.AsyncClient, trader: Wallet) -> None:
    elsewhere = Domain(DOMAIN.name, 1, DOMAIN.contract)
    body = order_body(trader.sign_order(elsewhere, an_order(trader)))
    check_refused(await api.post("/v1/orders", json=body), 400, "wrong_signature", "signature")


async def test_refuses_another_contract(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader) | {"contract": "0x" + "dd" * 20}
    error = check_refused(await api.post("/v1/orders", json=body), 400, "wrong_contract", "contract")
    assert error["params"] == {"contract": DEPLOYMENT.custody}


async def test_orders_that_were_signed_in_bulk_are_taken_one_by_one(
    api: httpx.AsyncClient, stack: ApiStack, trader: Wallet
) -> None:
    for body in bulk_bodies(trader):
        answer = await api.post("/v1/orders", json=body)
        assert answer.status_code == 200, answer.text
        ack = answer.json()
        again = (await api.post("/v1/orders", json=body)).json()
        assert (again["order_id"], again["duplicate"]) == (ack["order_id"], True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"path": []}, "path"),
        ({"index": 8}, "path"),
        ({"index": 1}, "signature"),
        ({"path": ["0x" + "11" * 32]}, "signature"),
        ({"path": ["0x" + "11" * 32] * 3}, "signature"),
        ({"price": str(LOW + 10)}, "signature"),
        ({"scheme": "account"}, "path"),
        ({"scheme": "delegate"}, "path"),
    ],
)
async def test_refuses_an_order_that_is_not_in_the_signed_tree(
    api: httpx.AsyncClient, trader: Wallet, change: dict[str, Any], field: str
) -> None:
    answer = await api.post("/v1/orders", json=bulk_bodies(trader)[0] | change)
    code = "unknown_delegate" if field == "signature" else "wrong_signature"
    error = check_refused(answer, 400, code, field)
    assert code != "unknown_delegate" or "another path" in error["message"]


@pytest.mark.parametrize("path", [["0x11"], ["11" * 33], ["0x" + "11" * 32] * 11, "0x" + "11" * 32])
async def test_refuses_a_path_that_is_none(api: httpx.AsyncClient, trader: Wallet, path: object) -> None:
    answer = await api.post("/v1/orders", json=bulk_bodies(trader)[0] | {"path": path})
    assert answer.status_code == 422, answer.text


def bulk_bodies(trader: Wallet) -> list[dict[str, Any]]:
    """Five orders under one signature."""
    orders = [an_order(trader, price=LOW) for _ in range(5)]
    return [order_body(signed) for signed in trader.sign_orders(DOMAIN, orders)]


async def test_refuses_a_delegate_that_nobody_named(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = order_body(new_wallet().sign_order(DOMAIN, an_order(trader)))
    assert body["scheme"] == "delegate"
    check_refused(await api.post("/v1/orders", json=body), 400, "unknown_delegate", "signature")


async def test_refuses_a_cancel_by_another_key(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, price=LOW)
    await api.post("/v1/orders", json=body)
    forged = cancel_body(new_wallet(), int(body["nonce"]), trader.address)
    check_refused(await api.post("/v1/orders/cancel", json=forged), 400, "wrong_signature", "signature")


# the rules of the exchange


async def test_refuses_an_expired_order(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, expiry=int(time.time()) - 1)
    check_refused(await api.post("/v1/orders", json=body), 400, "expired", "expiry")


async def test_refuses_an_expiry_too_far(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, expiry=int(time.time()) + 31 * 86_400)
    check_refused(await api.post("/v1/orders", json=body), 400, "expiry_too_far", "expiry")


async def test_refuses_a_replayed_nonce(api: httpx.AsyncClient, trader: Wallet) -> None:
    await api.post("/v1/orders", json=signed_body(trader, price=LOW, nonce=42))
    answer = await api.post("/v1/orders", json=signed_body(trader, price=LOW + 10, nonce=42))
    check_refused(answer, 409, "nonce_used", "nonce")


async def test_refuses_a_nonce_out_of_range(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader, nonce=1 << 48))
    check_refused(answer, 400, "nonce_out_of_range", "nonce")


async def test_refuses_a_price_off_tick(api: httpx.AsyncClient, trader: Wallet) -> None:
    error = check_refused(
        await api.post("/v1/orders", json=signed_body(trader, price=PRICE + 1)), 400, "price_off_tick", "price"
    )
    assert "10" in error["message"]


async def test_refuses_a_price_out_of_band(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader, price=PRICE * 2))
    check_refused(answer, 400, "price_out_of_band", "price")


@pytest.mark.parametrize("quantity", ["0.5", "1e3", "-1", "01", "", " 1"])
async def test_refuses_a_quantity_that_is_not_whole_lots(api: httpx.AsyncClient, trader: Wallet, quantity: str) -> None:
    """A quantity counts lots, so one that is off the lot cannot be written down as an integer."""
    answer = await api.post("/v1/orders", json=signed_body(trader) | {"quantity": quantity})
    check_refused(answer, 422, "malformed", "quantity")


async def test_refuses_a_quantity_of_nothing(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader, quantity=0))
    assert answer.status_code == 400
    assert answer.json()["code"] in ("amount_out_of_range", "quantity_off_lot")
    assert answer.json()["field"] == "quantity"


async def test_refuses_below_the_minimum_notional(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader, quantity=1))
    check_refused(answer, 400, "below_min_notional", "quantity")


async def test_refuses_an_insufficient_balance(api: httpx.AsyncClient, stack: ApiStack) -> None:
    poor = new_wallet()
    await stack.fund(poor, amount=5_000_000)
    check_refused(await api.post("/v1/orders", json=signed_body(poor)), 409, "insufficient_balance", "quantity")


async def test_refuses_an_account_that_never_deposited(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/orders", json=signed_body(new_wallet()))
    assert answer.json()["code"] in ("unknown_account", "insufficient_balance")


async def test_refuses_a_fee_cap_below_the_rate(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader, max_fee_bps=1))
    check_refused(answer, 400, "fee_cap_too_low", "max_fee_bps")


async def test_refuses_an_unknown_market(api: httpx.AsyncClient, trader: Wallet) -> None:
    check_refused(await api.post("/v1/orders", json=signed_body(trader, market=99)), 404, "unknown_market", "market")


async def test_refuses_a_halted_market(api: httpx.AsyncClient, stack: ApiStack, trader: Wallet) -> None:
    (ack,) = await stack.submit(SetMarketStatus(stack.inbox_id(), ETH_BTC, "halted"))
    body = signed_body(trader, price=50, quantity=100, market=ETH_BTC)
    check_refused(await api.post("/v1/orders", json=body), 409, "market_halted", "market")
    await heard(api, ack.seq)
    assert (await api.get("/v1/markets/ETH-BTC")).json()["status"] == "halted"
    await stack.submit(SetMarketStatus(stack.inbox_id(), ETH_BTC, "open"))


async def test_refuses_a_client_order_id_with_other_content(api: httpx.AsyncClient, trader: Wallet) -> None:
    await api.post("/v1/orders", json=signed_body(trader, price=LOW) | {"client_order_id": "mine"})
    answer = await api.post("/v1/orders", json=signed_body(trader, price=LOW + 10) | {"client_order_id": "mine"})
    check_refused(answer, 409, "duplicate_client_order_id", "client_order_id")


# malformed requests


async def test_refuses_an_oversized_body(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/orders", content=b'{"account":"' + b"a" * 70_000 + b'"}')
    error = check_refused(answer, 413, "body_too_large")
    assert error["params"] == {"limit": 65_536}


async def test_refuses_an_oversized_body_without_a_length(api: httpx.AsyncClient) -> None:
    async def chunks() -> object:
        for _ in range(100):
            yield b"x" * 1_000

    answer = await api.post("/v1/orders", content=chunks())  # type: ignore[arg-type]
    check_refused(answer, 413, "body_too_large")


async def test_refuses_an_unknown_field(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader) | {"leverage": "10"})
    check_refused(answer, 422, "unknown_field", "leverage")


async def test_refuses_a_missing_field(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader)
    del body["price"]
    check_refused(await api.post("/v1/orders", json=body), 422, "malformed", "price")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{" * 30_000, b"[" * 60_000])
async def test_refuses_malformed_json(api: httpx.AsyncClient, content: bytes) -> None:
    check_refused(await api.post("/v1/orders", content=content), 422, "malformed")


@pytest.mark.parametrize(
    "signature", ["0x", "12", "0x" + "zz" * 65, "0x" + "11" * 64, "11" * 65, "0x" + "11" * 65 + "\n"]
)
async def test_refuses_malformed_hex(api: httpx.AsyncClient, trader: Wallet, signature: str) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader) | {"signature": signature})
    check_refused(answer, 422, "malformed", "signature")


@pytest.mark.parametrize("price", [600_000, 6e5, None, True, "0x10", "1" * 79])
async def test_refuses_a_price_that_is_not_a_decimal_string(
    api: httpx.AsyncClient, trader: Wallet, price: object
) -> None:
    answer = await api.post("/v1/orders", content=json.dumps(signed_body(trader) | {"price": price}))
    check_refused(answer, 422, "malformed", "price")


async def test_refuses_a_price_beyond_64_bits(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader) | {"price": str(1 << 64)})
    check_refused(answer, 400, "amount_out_of_range", "price")


async def test_refuses_terms_with_a_reserved_bit(api: httpx.AsyncClient, trader: Wallet) -> None:
    answer = await api.post("/v1/orders", json=signed_body(trader) | {"terms": str(1 << 12)})
    check_refused(answer, 400, "unsupported_terms", "terms")


async def test_post_only_orders_do_not_take(api: httpx.AsyncClient, stack: ApiStack) -> None:
    maker, other = await stack.trader(), await stack.trader()
    offer = signed_body(maker, Side.sell, 300_000, 100, market=ETH_USDC)
    assert (await api.post("/v1/orders", json=offer)).status_code == 200
    body = signed_body(other, Side.buy, 300_000, 100, market=ETH_USDC, post_only=True)
    book = await book_with(api, "ETH-USDC", await api.post("/v1/orders", json=body))
    assert ["300000", "100"] in book["asks"]
    # what rests is the best offer, which other tests must not meet
    taken_back = await api.post("/v1/orders/cancel", json=cancel_body(maker, int(offer["nonce"])))
    assert taken_back.status_code == 200, taken_back.text
