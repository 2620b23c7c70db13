"""Receipts over REST and stream: in every ack, and later for an order's owner; one user checks each alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bizzan.client.api import BizzanClient
from bizzan.client.errors import NoReceipt
from bizzan.client.receipts import ReceiptCheck, recover
from bizzan.client.wallet import Wallet
from exchange.domain.deployment import address_bytes
from exchange.domain.order import Side
from exchange.domain.receipt import Receipt, cancel_subject
from tests.integration.backend.test_orders import LOW
from tests.integration.backend.test_withdrawals import funding_body, withdrawal_body
from tests.utils.api_stack import DEPLOYMENT, ApiStack, cancel_body, mirrored, signed_body, trading_stop_body
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in

SIGNER = address_bytes(DEPLOYMENT.receipt_signer)
CHECK = ReceiptCheck(SIGNER, DEPLOYMENT.bond_domain)


@pytest.fixture
async def trader(stack: ApiStack) -> Wallet:
    """A wallet with money."""
    return await stack.trader()


def checked(ack: dict[str, Any], subject: bytes) -> Receipt:
    """The receipt in an ack, checked as the client does."""
    receipt = Receipt.from_json(ack["receipt"])
    receipt.check(SIGNER, recover, subject)
    assert (receipt.seq, receipt.at_ms, receipt.domain) == (ack["seq"], ack["at"], DEPLOYMENT.bond_domain)
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


async def test_what_is_no_order_gets_its_receipt_later_too(
    api: httpx.AsyncClient, stack: ApiStack, trader: Wallet
) -> None:
    body = signed_body(trader, Side.buy, LOW, 7)
    await api.post("/v1/orders", json=body)
    nonce = int(body["nonce"])
    cancelled = (await api.post("/v1/orders/cancel", json=cancel_body(trader, nonce))).json()
    stopped = (await api.post("/v1/orders/trading-stop", json=trading_stop_body(trader, True))).json()
    headers, stranger = await sign_in(api, trader), await sign_in(api, await stack.trader())
    for ack in (cancelled, stopped):
        path = f"/v1/receipts/{ack['seq']}"
        answer = (await api.get(path, headers=headers)).json()
        given = Receipt.from_json(ack["receipt"])
        again = Receipt.from_json(answer["receipt"])
        again.check(SIGNER, recover, given.subject)
        assert (again.record_hash, answer["signer"]) == (given.record_hash, DEPLOYMENT.receipt_signer)
        check_refused(await api.get(path, headers=stranger), 404, "not_found")
        assert (await api.get(path)).status_code == 401
    assert Receipt.from_json(cancelled["receipt"]).subject == cancel_subject(trader.address, nonce)
    for nothing in (1, stopped["seq"] + 1):
        check_refused(await api.get(f"/v1/receipts/{nothing}", headers=headers), 404, "not_found")
    assert (await api.get("/v1/receipts/0", headers=headers)).status_code == 422


async def test_a_withdrawal_has_a_receipt_of_its_hash(api: httpx.AsyncClient, stack: ApiStack, trader: Wallet) -> None:
    for path, body in (
        ("/v1/withdrawals", withdrawal_body(trader)),
        ("/v1/funding-transfers", funding_body(trader, nonce=2)),
    ):
        ack = (await api.post(path, json=body)).json()
        given = checked(ack, bytes.fromhex(ack["withdrawal_hash"][2:]))
        await mirrored(api, ack["seq"])
        again_at = f"/v1/withdrawals/{ack['withdrawal_hash']}/receipt"
        answer = (await api.get(again_at, headers=await sign_in(api, trader))).json()
        again = Receipt.from_json(answer["receipt"])
        again.check(SIGNER, recover, given.subject)
        assert (again.record_hash, answer["signer"]) == (given.record_hash, DEPLOYMENT.receipt_signer)
        stranger = await sign_in(api, await stack.trader())
        check_refused(await api.get(again_at, headers=stranger), 404, "unknown_withdrawal", "hash")
        assert (await api.get(again_at)).status_code == 401


async def test_the_client_asks_for_the_receipts_of_withdrawals(stack: ApiStack, trader: Wallet) -> None:
    async with BizzanClient(stack.base_url, trader, receipts=CHECK) as client:
        await client.login()
        ack = await client.withdraw("USDC", 1_000_000)
        moved = await client.move_to_funding("USDC", 1_000_000)
        await mirrored(client.transport._http, moved.seq)
        assert ack.receipt is not None
        held = ack.receipt.receipt()
        assert (await client.withdrawal_receipt(ack.withdrawal_hash)).record_hash == held.record_hash
        assert (await client.receipt_at(ack.seq, held.subject)).record_hash == held.record_hash
        with pytest.raises(NoReceipt, match="it is for"):
            await client.receipt_at(moved.seq, held.subject)


async def test_the_exchange_says_whose_receipts_it_gives(api: httpx.AsyncClient) -> None:
    told = (await api.get("/v1/exchange")).json()
    assert told["receipt_signer"] == DEPLOYMENT.receipt_signer
    assert told["operator_bond"] == DEPLOYMENT.operator_bond
