"""Orders that wait for a price and orders that are amended, as a trader sees them over REST."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx

from bizzan.client.wallet import Wallet
from exchange.domain.order import Order, Side, Terms, TimeInForce, TriggerType
from exchange.domain.order_id import order_id
from exchange.domain.receipt import group_subject
from exchange.engine.commands import SetMarketBounds, SetMarketStatus, StartAuction
from tests.utils.api_stack import (
    DOMAIN,
    ETH_BTC,
    ETH_USDC,
    ApiStack,
    an_order,
    cancel_body,
    mirrored,
    order_body,
    signed_body,
)
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in


def body_of(wallet: Wallet, order: Order) -> dict[str, Any]:
    """A signed order as the API takes it, with what it waits for."""
    return order_body(wallet.sign_order(DOMAIN, order)) | {"trigger_price": str(order.trigger_price)}


async def placed(api: httpx.AsyncClient, body: dict[str, Any], path: str = "/v1/orders") -> dict[str, Any]:
    """The ack of an order, once it is mirrored."""
    answer = await api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    ack: dict[str, Any] = answer.json()
    await mirrored(api, ack["seq"])
    return ack


async def shown(api: httpx.AsyncClient, wallet: Wallet, number: int) -> dict[str, Any]:
    """The order as its owner sees it."""
    order: dict[str, Any] = (await api.get(f"/v1/orders/{number}", headers=await sign_in(api, wallet))).json()["order"]
    return order


async def test_a_stop_waits_works_and_shows_when_it_was_triggered(api: httpx.AsyncClient, stack: ApiStack) -> None:
    owner, maker, taker = [await stack.trader() for _ in range(3)]
    price = int((await api.get("/v1/markets/ETH-USDC")).json()["reference_price"])
    terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
    plain = an_order(owner, Side.sell, price - 3_000, 4, market=ETH_USDC)
    stop = (await placed(api, body_of(owner, replace(plain, terms=terms, trigger_price=price - 1_000))))["order_id"]
    waiting = await shown(api, owner, stop)
    names = ("status", "trigger_type", "trigger_price", "triggered_at", "remaining")
    assert [waiting[name] for name in names] == ["open", "stop_loss", str(price - 1_000), None, "4"]

    await placed(api, signed_body(maker, Side.buy, price - 2_000, 10, market=ETH_USDC))
    await placed(api, signed_body(maker, Side.buy, price - 1_000, 4, market=ETH_USDC))
    ack = await placed(api, signed_body(taker, Side.sell, price - 1_000, 4, market=ETH_USDC))
    await mirrored(api, ack["seq"] + 1)
    done = await shown(api, owner, stop)
    assert (done["status"], done["filled"]) == ("filled", "4")
    assert done["triggered_at"] >= ack["at"]
    fills = (await api.get("/v1/fills", headers=await sign_in(api, owner))).json()["fills"]
    assert [(fill["order_id"], fill["price"], fill["role"]) for fill in fills] == [(stop, str(price - 2_000), "taker")]


async def test_two_legs_of_a_group_show_it_and_one_ends_the_other(api: httpx.AsyncClient, stack: ApiStack) -> None:
    owner, taker = [await stack.trader() for _ in range(2)]
    price = int((await api.get("/v1/markets/ETH-USDC")).json()["reference_price"]) + 20_000
    terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=7).pack()
    plain = an_order(owner, Side.sell, price, 10, market=ETH_USDC)
    stop = replace(plain, nonce=plain.nonce + 1, price=price - 30_000, terms=terms, trigger_price=price - 28_000)
    waits = (await placed(api, body_of(owner, stop)))["order_id"]
    rests = (await placed(api, body_of(owner, replace(plain, terms=Terms(group=7).pack()))))["order_id"]
    assert [(await shown(api, owner, leg))["group"] for leg in (waits, rests)] == [7, 7]
    late = body_of(owner, replace(stop, nonce=plain.nonce + 2))
    check_refused(await api.post("/v1/orders", json=late), 409, "group_used", "group")

    await placed(api, signed_body(taker, Side.buy, price, 4, market=ETH_USDC))
    ended, left = await shown(api, owner, waits), await shown(api, owner, rests)
    assert (ended["status"], ended["close_reason"]) == ("cancelled", "group")
    assert (left["status"], left["filled"], left["remaining"]) == ("open", "4", "6")


def group_of(wallet: Wallet, first: Order, second: Order) -> dict[str, Any]:
    """Two legs, as the API takes them at once."""
    return {"first": body_of(wallet, first), "second": body_of(wallet, second)}


async def test_a_group_is_taken_as_a_whole_or_not_at_all(api: httpx.AsyncClient, stack: ApiStack) -> None:
    owner, maker = [await stack.trader() for _ in range(2)]
    price = int((await api.get("/v1/markets/ETH-USDC")).json()["reference_price"]) + 40_000
    terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=9).pack()
    rests = replace(an_order(owner, Side.sell, price, 10, market=ETH_USDC), terms=Terms(group=9).pack())
    stop = replace(rests, nonce=rests.nonce + 1, price=price - 60_000, terms=terms, trigger_price=price - 58_000)

    other = group_of(owner, rests, replace(stop, terms=Terms(TimeInForce.ioc, group=8).pack()))
    check_refused(await api.post("/v1/orders/group", json=other), 400, "terms_conflict", "group")
    forged = group_of(owner, rests, stop)
    forged["second"]["signature"] = forged["first"]["signature"]
    check_refused(await api.post("/v1/orders/group", json=forged), 400, "wrong_signature", "signature")
    known = group_of(owner, rests, stop) | {"undo": {}}
    check_refused(await api.post("/v1/orders/group", json=known), 422, "unknown_field", "undo")
    refused = await api.post("/v1/orders/group", json=group_of(owner, rests, replace(stop, expiry=1)))
    check_refused(refused, 400, "expired", "expiry")
    large = await api.post("/v1/orders/group", json=group_of(owner, rests, replace(stop, quantity=1 << 40)))
    check_refused(large, 409, "insufficient_balance", "quantity")

    both = group_of(owner, rests, stop)
    answer = (await api.post("/v1/orders/group", json=both)).json()
    first, second = answer["first"], answer["second"]
    assert (first["seq"], first["receipt"]) == (second["seq"], second["receipt"])
    assert (first["order_id"], second["order_id"]) == (first["seq"], order_id(first["seq"], 1))
    again = (await api.post("/v1/orders/group", json=both)).json()
    assert [again[leg]["order_id"] for leg in again] == [answer[leg]["order_id"] for leg in answer]
    assert [again[leg]["duplicate"] for leg in again] == [True, True]
    half = group_of(owner, rests, replace(stop, nonce=stop.nonce + 1))
    check_refused(await api.post("/v1/orders/group", json=half), 409, "nonce_used", "nonce")
    await mirrored(api, second["seq"])
    assert [(await shown(api, owner, answer[leg]["order_id"]))["status"] for leg in answer] == ["open", "open"]
    await check_receipts(api, owner, answer)

    bid = an_order(maker, Side.buy, price, 30, market=ETH_USDC)
    await placed(api, body_of(maker, bid))
    rests, stop = (replace(leg, nonce=leg.nonce + 10, terms=leg.terms + (1 << 96)) for leg in (rests, stop))
    answer = (await api.post("/v1/orders/group", json=group_of(owner, rests, stop))).json()
    await mirrored(api, answer["first"]["seq"])
    went_on, ended = [await shown(api, owner, answer[leg]["order_id"]) for leg in answer]
    assert went_on["filled"] == "10"
    assert (ended["filled"], ended["close_reason"]) == ("0", "group")
    signed = {"signature": "0x" + maker.sign(DOMAIN, "Cancel", {"account": bid.account, "nonce": bid.nonce}).hex()}
    fields = {name: body_of(maker, bid)[name] for name in ("account", "chain_id", "contract", "nonce")}
    await placed(api, fields | signed, "/v1/orders/cancel")


async def check_receipts(api: httpx.AsyncClient, owner: Wallet, answer: dict[str, Any]) -> None:
    """One receipt for both legs, whose hashes it is of; and the hashes again for each."""
    hashes = [answer[leg]["order_hash"] for leg in answer]
    subject = group_subject(*(bytes.fromhex(each[2:]) for each in hashes))
    headers = await sign_in(api, owner)
    for leg in answer:
        told = (await api.get(f"/v1/orders/{answer[leg]['order_id']}/receipt", headers=headers)).json()
        assert (told["legs"], told["receipt"]["subject"]) == (hashes, "0x" + subject.hex())
        assert answer[leg]["receipt"]["subject"] == told["receipt"]["subject"]


async def test_an_amend_takes_the_place_of_the_order_on_its_nonce(api: httpx.AsyncClient, stack: ApiStack) -> None:
    owner = await stack.trader()
    price = int((await api.get("/v1/markets/ETH-USDC")).json()["reference_price"])
    first = an_order(owner, Side.buy, price - 9_000, 10, market=ETH_USDC)
    old = (await placed(api, body_of(owner, first)))["order_id"]
    changed = body_of(owner, replace(first, quantity=6))
    ack = await placed(api, changed, "/v1/orders/amend")
    assert (ack["duplicate"], ack["order_id"]) == (False, ack["seq"])
    assert (await shown(api, owner, old))["close_reason"] == "amended"
    now = await shown(api, owner, ack["order_id"])
    assert (now["status"], now["remaining"], now["nonce"]) == ("open", "6", str(first.nonce))
    assert (await api.post("/v1/orders/amend", json=changed)).json()["duplicate"] is True
    other = body_of(owner, replace(first, side=int(Side.sell)))
    check_refused(await api.post("/v1/orders/amend", json=other), 400, "terms_conflict", "side")
    nobody = body_of(owner, replace(first, nonce=first.nonce + 10**6))
    check_refused(await api.post("/v1/orders/amend", json=nobody), 404, "unknown_order", "nonce")


async def test_a_market_shows_its_bounds_and_refuses_by_them(api: httpx.AsyncClient, stack: ApiStack) -> None:
    trader = await stack.trader()
    price = int((await api.get("/v1/markets/ETH-USDC")).json()["reference_price"])
    await stack.submit(SetMarketBounds(stack.inbox_id(), ETH_USDC, 500, 20, 0, 3, 30 * price))
    names = ("collar_bps", "max_quantity", "max_notional", "max_open_orders", "max_open_notional")
    market: dict[str, Any] = {}
    for _ in range(1_200):
        market = (await api.get("/v1/markets/ETH-USDC")).json()
        if market["max_quantity"] == "20":
            break
        await asyncio.sleep(0.05)
    assert [market[name] for name in names] == [500, "20", "0", 3, str(30 * price)]
    large = signed_body(trader, Side.buy, price - 9_000, 21, market=ETH_USDC)
    check_refused(await api.post("/v1/orders", json=large), 400, "order_too_large", "quantity")
    await placed(api, signed_body(trader, Side.buy, price - 9_000, 20, market=ETH_USDC))
    more = signed_body(trader, Side.buy, price - 9_000, 20, market=ETH_USDC)
    check_refused(await api.post("/v1/orders", json=more), 409, "too_much_open", "quantity")
    await stack.submit(SetMarketBounds(stack.inbox_id(), ETH_USDC, 0, 0, 0, 0, 0))


async def test_an_auction_shows_its_price_and_trades_at_it(api: httpx.AsyncClient, stack: ApiStack) -> None:
    buyer, seller = [await stack.trader() for _ in range(2)]
    market: dict[str, Any] = (await api.get("/v1/markets/ETH-BTC")).json()
    last = (await api.get("/v1/markets/ETH-BTC/ticker")).json()["last_price"]
    price, lots = int(last or market["reference_price"]), 10_000
    await stack.submit(StartAuction(stack.inbox_id(), ETH_BTC, 0))
    await shown_by_market(api, "status", "auction")
    now = signed_body(buyer, Side.buy, price, lots, market=ETH_BTC, time_in_force=TimeInForce.ioc)
    check_refused(await api.post("/v1/orders", json=now), 409, "auction_call", "time_in_force")
    bid_body = signed_body(buyer, Side.buy, price + 5, lots, market=ETH_BTC)
    bid = await placed(api, bid_body)
    ask = await placed(api, signed_body(seller, Side.sell, price - 5, lots // 2, market=ETH_BTC))
    expected = {"ends_at": 0, "price": str(price), "volume": str(lots // 2), "surplus": str(lots // 2)}
    await shown_by_market(api, "auction", expected)
    book = (await api.get("/v1/markets/ETH-BTC/book")).json()
    assert book["auction"] == expected
    assert int(book["bids"][0][0]) > int(book["asks"][0][0])

    await stack.submit(SetMarketStatus(stack.inbox_id(), ETH_BTC, "open"))
    await shown_by_market(api, "auction", None)
    await mirrored(api, ask["seq"] + 2)
    sold, bought = await shown(api, seller, ask["order_id"]), await shown(api, buyer, bid["order_id"])
    assert [(order["status"], order["filled"]) for order in (sold, bought)] == [
        ("filled", str(lots // 2)),
        ("open", str(lots // 2)),
    ]
    fills = [
        (await api.get("/v1/fills", headers=await sign_in(api, who))).json()["fills"][0] for who in (buyer, seller)
    ]
    assert [(fill["price"], fill["role"]) for fill in fills] == [(str(price), "maker"), (str(price), "taker")]
    # what is left is the best bid, which other tests must not meet
    taken_back = await api.post("/v1/orders/cancel", json=cancel_body(buyer, int(bid_body["nonce"])))
    assert taken_back.status_code == 200, taken_back.text


async def shown_by_market(api: httpx.AsyncClient, name: str, value: object) -> None:
    """The market shows it, once the worker has seen it."""
    for _ in range(1_200):
        if (await api.get("/v1/markets/ETH-BTC")).json()[name] == value:
            return
        await asyncio.sleep(0.05)
    raise AssertionError((await api.get("/v1/markets/ETH-BTC")).json())
