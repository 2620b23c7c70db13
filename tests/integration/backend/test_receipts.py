"""Receipts over REST and stream: in every ack, and later for an order's owner; one user checks each alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bizzan.client.receipts import ReceiptCheck, recover
from bizzan.client.schemas import Ack
from bizzan.client.wallet import Wallet
from exchange.domain.deployment import address_bytes
from exchange.domain.order import Side
from exchange.domain.receipt import Receipt, cancel_subject
from tests.integration.backend.test_orders import LOW
from tests.utils.api_stack import DEPLOYMENT, ApiStack, cancel_body, mirrored, signed_body
from tests.utils.sign_in import sign_in

SIGNER = address_bytes(DEPLOYMENT.receipt_signer)
CHECK = ReceiptCheck(SIGNER, DEPLOYMENT.bond_domain)


@pytest.fixture
async def trader(stack: ApiStack) -> Wallet:
    """A wallet with money."""
    return await stack.trader()


def checked(ack: dict[str, Any], subject: bytes) -> Receipt:
    """The receipt in an ack, checked as the client does."""
    row = Ack(**{**ack, "receipt": None})
    receipt = Receipt.from_json(ack["receipt"])
    receipt.check(SIGNER, recover, subject)
    assert (receipt.seq, receipt.at_ms, receipt.domain) == (row.seq, row.at, DEPLOYMENT.bond_domain)
    return receipt


async def test_an_order_and_its_cancel_have_receipts(api: httpx.AsyncClient, trader: Wallet) -> None:
    body = signed_body(trader, Side.buy, LOW, 7)
    ack = (await api.post("/v1/orders", json=body)).json()
    checked(ack, bytes.fromhex(ack["order_hash"][2:]))
    nonce = int(body["nonce"])
    cancelled = (await api.post("/v1/orders/cancel", json=cancel_body(trader, nonce))).json()
    checked(cancelled, cancel_subject(trader.address, nonce))


async def test_the_owner_gets_a_receipt_later_and_nobody_else(
    api: httpx.AsyncClient, stack: ApiStack, trader: Wallet
) -> None:
    body = signed_body(trader, Side.buy, LOW, 7)
    ack = (await api.post("/v1/orders", json=body)).json()
    given = checked(ack, bytes.fromhex(ack["order_hash"][2:]))
    duplicate = (await api.post("/v1/orders", json=body)).json()
    assert (duplicate["duplicate"], duplicate["receipt"]) == (True, None)
    await mirrored(api, ack["seq"])
    path = f"/v1/orders/{ack['order_id']}/receipt"
    answer = await api.get(path, headers=await sign_in(api, trader))
    assert answer.status_code == 200, answer.text
    again = Receipt.from_json(answer.json()["receipt"])
    again.check(SIGNER, recover, given.subject)
    assert again.record_hash == given.record_hash
    assert answer.json()["signer"] == DEPLOYMENT.receipt_signer
    assert (await api.get(path)).status_code == 401
    other = await stack.trader()
    assert (await api.get(path, headers=await sign_in(api, other))).json()["code"] == "unknown_order"


async def test_the_exchange_says_whose_receipts_it_gives(api: httpx.AsyncClient) -> None:
    told = (await api.get("/v1/exchange")).json()
    assert told["receipt_signer"] == DEPLOYMENT.receipt_signer
    assert told["operator_bond"] == DEPLOYMENT.operator_bond
