"""Withdrawals by signature, and delegated keys: who may take money out, and who may only trade."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from bizzan.client.wallet import ContractWallet, Owner, Wallet
from exchange.database.engine import create_engine
from exchange.database.jobs import MAX_GENERATIONS
from exchange.database.tables import (
    account_freeze,
    allow_list,
    chain_status,
    delegate,
    deposit,
    job,
    payout_rest,
    payout_wait,
    withdrawal_approval,
)
from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.eip712 import Scheme
from tests.utils.api_stack import (
    BTC,
    BTC_USDC,
    DEPLOYMENT,
    DOMAIN,
    ETH,
    ETH_USDC,
    FUNDS,
    USDC,
    ApiStack,
    an_order,
    cancel_body,
    mirrored,
    new_wallet,
    order_body,
)
from tests.utils.contract_wallet import contract_wallet, hand_over
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in

HOUR = 3_600


@pytest.fixture
async def owner(stack: ApiStack) -> Wallet:
    """A wallet with money."""
    return await stack.trader()


def withdrawal_body(signer: Owner, asset: int = USDC, amount: int = 1_000_000, **changes: Any) -> dict[str, Any]:
    """A withdrawal to a stranger, signed over `changes` as well; amounts in token units."""
    message: dict[str, Any] = {
        "account": signer.address,
        "token": address_bytes(DEPLOYMENT.token_of_asset(asset).address),
        "amount": amount,
        "recipient": b"\x77" * 20,
        "max_fee": 0,
        "nonce": 1,
        "deadline": int(time.time()) + HOUR,
    } | changes
    signature = signer.sign(DOMAIN, "Withdrawal", message)
    return {
        "chain_id": DOMAIN.chain_id,
        "contract": DEPLOYMENT.custody,
        **{key: checksum(message[key]) for key in ("account", "token", "recipient")},
        **{key: str(message[key]) for key in ("amount", "max_fee", "nonce")},
        "deadline": message["deadline"],
        "signature": "0x" + signature.hex(),
    }


def funding_body(signer: Owner, **changes: Any) -> dict[str, Any]:
    """A transfer to funding, signed over `changes` as well."""
    body = withdrawal_body(signer, **changes)
    del body["recipient"]
    message: dict[str, Any] = {name: int(body[name]) for name in ("amount", "max_fee", "nonce", "deadline")}
    message |= {name: address_bytes(body[name]) for name in ("account", "token")}
    return body | {"signature": "0x" + signer.sign(DOMAIN, "FundingTransfer", message).hex()}


async def test_a_signed_withdrawal_is_held(api: httpx.AsyncClient, owner: Wallet) -> None:
    answer = await api.post("/v1/withdrawals", json=withdrawal_body(owner, ETH, 5 * 10**18))
    assert answer.status_code == 200, answer.text
    ack = answer.json()
    assert (ack["asset_id"], ack["amount"]) == (ETH, str(5 * 10**8))
    await mirrored(api, ack["seq"])
    headers = await sign_in(api, owner)
    (shown,) = (await api.get("/v1/withdrawals", headers=headers)).json()["withdrawals"]
    assert (shown["status"], shown["kind"], shown["withdrawal_hash"]) == ("held", "withdrawal", ack["withdrawal_hash"])
    assert shown["message"]["amount"] == str(5 * 10**18)
    balances = {row["asset_id"]: row for row in (await api.get("/v1/account", headers=headers)).json()["balances"]}
    assert balances[ETH]["reserved"] == str(5 * 10**8)
    assert balances[ETH]["withdrawable"] == str(FUNDS - 5 * 10**8)


async def test_a_transfer_to_funding_is_held(api: httpx.AsyncClient, owner: Wallet) -> None:
    ack = (await api.post("/v1/funding-transfers", json=funding_body(owner))).json()
    await mirrored(api, ack["seq"])
    (shown,) = (await api.get("/v1/withdrawals", headers=await sign_in(api, owner))).json()["withdrawals"]
    assert shown["kind"] == "funding_transfer"


async def test_smallest_withdrawal_is_told_before_it_is_signed(api: httpx.AsyncClient, owner: Wallet) -> None:
    told = {row["asset_id"]: int(row["min_withdrawal"]) for row in (await api.get("/v1/exchange")).json()["tokens"]}
    assert told == {USDC: 1_000_000, ETH: 50_000, BTC: 2_000}
    unit = DEPLOYMENT.token_of_asset(ETH).unit
    less = await api.post("/v1/withdrawals", json=withdrawal_body(owner, ETH, (told[ETH] - 1) * unit))
    assert less.json()["params"] == {"min": "50000"}
    assert (await api.post("/v1/withdrawals", json=withdrawal_body(owner, ETH, told[ETH] * unit))).status_code == 200


async def test_refuses_a_withdrawal_signed_by_another_key(api: httpx.AsyncClient, owner: Wallet) -> None:
    body = withdrawal_body(new_wallet(), account=owner.address)
    check_refused(await api.post("/v1/withdrawals", json=body), 400, "wrong_signature", "signature")


async def test_a_contract_wallet_withdraws_while_it_stands_by_its_signature(
    stack: ApiStack, api: httpx.AsyncClient
) -> None:
    key = new_wallet()
    address = contract_wallet(stack.rpc_url, key)
    wallet = ContractWallet(address_bytes(address), key.sign_digest)
    await stack.fund(wallet)
    held = await api.post("/v1/withdrawals", json=withdrawal_body(wallet))
    assert held.status_code == 200, held.text
    longer = ContractWallet(wallet.address, lambda digest: key.sign_digest(digest).ljust(1_024, b"\7"))
    assert (await api.post("/v1/withdrawals", json=withdrawal_body(longer, nonce=2))).status_code == 200
    hand_over(stack.rpc_url, address, key, new_wallet().text_address)
    refused = await api.post("/v1/withdrawals", json=withdrawal_body(wallet, nonce=3))
    check_refused(refused, 400, "wrong_signature", "signature")


async def test_refuses_what_a_contract_wallet_did_not_sign(stack: ApiStack, api: httpx.AsyncClient) -> None:
    wallet = ContractWallet(address_bytes(contract_wallet(stack.rpc_url, new_wallet())), new_wallet().sign_digest)
    await stack.fund(wallet)
    answer = await api.post("/v1/withdrawals", json=withdrawal_body(wallet))
    check_refused(answer, 400, "wrong_signature", "signature")


@pytest.mark.parametrize("signature", ["0x", "0x1", "0x" + "11" * 1_025])
async def test_a_signature_has_1_to_1024_bytes(api: httpx.AsyncClient, owner: Wallet, signature: str) -> None:
    body = withdrawal_body(owner) | {"signature": signature}
    check_refused(await api.post("/v1/withdrawals", json=body), 422, "malformed", "signature")


async def test_refuses_a_changed_recipient(api: httpx.AsyncClient, owner: Wallet) -> None:
    body = withdrawal_body(owner) | {"recipient": checksum(b"\x66" * 20)}
    check_refused(await api.post("/v1/withdrawals", json=body), 400, "wrong_signature", "signature")


def log_row(place: int, **values: Any) -> dict[str, Any]:
    """A derived row of the mirror at a place of its own."""
    head = {"chain_id": DOMAIN.chain_id, "block_hash": bytes(31) + b"\x51", "block_number": 1}
    return head | {"log_index": place, "tx_hash": bytes(32)} | values


async def put(stack: ApiStack, table: Any, *rows: dict[str, Any]) -> None:
    """Put rows into the mirror."""
    engine = create_engine(stack.database_url, pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(insert(table), list(rows))
    await engine.dispose()


async def test_refuses_while_the_account_is_frozen(stack: ApiStack, api: httpx.AsyncClient, owner: Wallet) -> None:
    frozen = {"account": owner.address, "nonce": 0, "effective_at": int(time.time())}
    await put(stack, account_freeze, log_row(1, kind="frozen", **frozen))
    check_refused(await api.post("/v1/withdrawals", json=withdrawal_body(owner)), 409, "account_frozen", "account")
    thaw = frozen | {"effective_at": int(time.time()) + HOUR}
    await put(stack, account_freeze, log_row(2, kind="unfrozen", **thaw))
    check_refused(await api.post("/v1/withdrawals", json=withdrawal_body(owner)), 409, "account_frozen", "account")
    await put(stack, account_freeze, log_row(3, kind="unfrozen", **frozen))
    assert (await api.post("/v1/withdrawals", json=withdrawal_body(owner))).status_code == 200


async def test_refuses_a_recipient_that_is_not_on_the_list(
    stack: ApiStack, api: httpx.AsyncClient, owner: Wallet
) -> None:
    now, friend = int(time.time()), b"\x66" * 20
    columns = {"account": owner.address, "recipient": None, "enabled": None}
    rows = (
        {"kind": "switched", "enabled": True, "effective_at": now},
        {"kind": "allowed", "recipient": friend, "effective_at": now},
        {"kind": "allowed", "recipient": b"\x77" * 20, "effective_at": now + HOUR},
        {"kind": "allowed", "recipient": owner.address, "effective_at": now + HOUR},
    )
    await put(stack, allow_list, *(log_row(10 + i, **(columns | row)) for i, row in enumerate(rows)))
    answer = await api.post("/v1/withdrawals", json=withdrawal_body(owner))
    check_refused(answer, 409, "recipient_not_allowed", "recipient")
    answer = await api.post("/v1/withdrawals", json=withdrawal_body(owner, recipient=owner.address))
    check_refused(answer, 409, "recipient_not_allowed", "recipient")
    answer = await api.post("/v1/withdrawals", json=withdrawal_body(owner, recipient=friend))
    assert answer.status_code == 200
    gone = columns | {"kind": "disallowed", "recipient": friend, "effective_at": 0}
    await put(stack, allow_list, log_row(20, **gone))
    answer = await api.post("/v1/withdrawals", json=withdrawal_body(owner, recipient=friend, nonce=9))
    check_refused(answer, 409, "recipient_not_allowed", "recipient")


async def test_shows_the_approvals_of_a_withdrawal(stack: ApiStack, api: httpx.AsyncClient, owner: Wallet) -> None:
    ack = (await api.post("/v1/withdrawals", json=withdrawal_body(owner))).json()
    await mirrored(api, ack["seq"])
    digest, mine, other = bytes.fromhex(ack["withdrawal_hash"][2:]), b"\xa1" * 20, b"\xa2" * 20
    status = [("approver_changed", {"approver": "0x" + a.hex(), "approved": True}) for a in (mine, other)]
    status += [("approval_threshold_changed", {"threshold": "2"})]
    status += [("approver_changed", {"approver": "0x" + other.hex(), "approved": False})]
    await put(stack, chain_status, *(log_row(30 + i, kind=kind, params=p) for i, (kind, p) in enumerate(status)))
    given = [{"withdrawal_hash": digest, "account": owner.address, "approver": a} for a in (mine, other)]
    await put(stack, withdrawal_approval, *(log_row(40 + i, **row) for i, row in enumerate(given)))
    await put(stack, payout_wait, {"withdrawal_hash": digest})
    (shown,) = (await api.get("/v1/withdrawals", headers=await sign_in(api, owner))).json()["withdrawals"]
    assert shown["approvals"] == {"needed": 2, "given": 1, "by": [checksum(mine)]}
    assert shown["waits_because"] == "needs_approvals"


async def test_shows_that_a_withdrawal_was_given_up(stack: ApiStack, api: httpx.AsyncClient, owner: Wallet) -> None:
    ack = (await api.post("/v1/withdrawals", json=withdrawal_body(owner))).json()
    await mirrored(api, ack["seq"])
    headers = await sign_in(api, owner)
    assert (await api.get("/v1/withdrawals", headers=headers)).json()["withdrawals"][0]["waits_because"] is None
    key = f"withdraw/{ack['withdrawal_hash'][2:]}/{MAX_GENERATIONS - 1}"
    ended = {"chain_id": DOMAIN.chain_id, "sender": bytes(20), "duty": "withdraw", "state": "cancelled", "payload": {}}
    await put(stack, job, ended | {"key": key})
    (shown,) = (await api.get("/v1/withdrawals", headers=headers)).json()["withdrawals"]
    assert (shown["status"], shown["waits_because"]) == ("held", "given_up")

    for _ in range(300):  # the count is read every two seconds
        if (await api.get("/v1/status")).json()["withdrawals_given_up"] == 1:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the status does not tell")


async def test_shows_why_the_keeper_does_not_send_it(stack: ApiStack, api: httpx.AsyncClient, owner: Wallet) -> None:
    ack = (await api.post("/v1/withdrawals", json=withdrawal_body(owner))).json()
    await mirrored(api, ack["seq"])
    headers, until = await sign_in(api, owner), int(time.time() * 1_000) + 60_000
    digest = bytes.fromhex(ack["withdrawal_hash"][2:])
    await put(stack, payout_rest, {"withdrawal_hash": digest, "because": "gas_budget", "until_ms": until})
    (shown,) = (await api.get("/v1/withdrawals", headers=headers)).json()["withdrawals"]
    assert (shown["waits_because"], shown["waits_until"]) == ("gas_budget", until)


async def test_refuses_the_same_withdrawal_twice(api: httpx.AsyncClient, owner: Wallet) -> None:
    body = withdrawal_body(owner)
    assert (await api.post("/v1/withdrawals", json=body)).status_code == 200
    answer = await api.post("/v1/withdrawals", json=body)
    assert answer.status_code == 409
    assert answer.json()["code"] in ("duplicate_withdrawal", "nonce_used")


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"amount": FUNDS + 1}, 409, "insufficient_balance", "amount"),
        ({"amount": 0}, 400, "amount_out_of_range", "amount"),
        ({"amount": 999_999}, 400, "amount_out_of_range", "amount"),
        ({"amount": 1 << 64}, 400, "amount_out_of_range", "amount"),
        ({"max_fee": 1_000_000}, 400, "fee_cap_out_of_range", "max_fee"),
        ({"deadline": 1}, 400, "withdrawal_deadline", "deadline"),
        ({"deadline": 1 << 39}, 400, "withdrawal_deadline", "deadline"),
        ({"token": b"\x99" * 20}, 404, "unknown_asset", "token"),
        ({"recipient": bytes(20)}, 400, "bad_recipient", "recipient"),
        ({"recipient": address_bytes(DEPLOYMENT.custody)}, 400, "bad_recipient", "recipient"),
    ],
)
async def test_refuses_by_field(
    api: httpx.AsyncClient, owner: Wallet, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = await api.post("/v1/withdrawals", json=withdrawal_body(owner, **changes))
    check_refused(answer, status, code, field)


async def test_refuses_a_part_of_a_ledger_unit(api: httpx.AsyncClient, owner: Wallet) -> None:
    error = check_refused(
        await api.post("/v1/withdrawals", json=withdrawal_body(owner, ETH, 10**18 + 1)),
        400,
        "amount_out_of_range",
        "amount",
    )
    assert error["params"] == {"unit": str(10**10)}


async def test_refuses_another_chain_contract_and_field(api: httpx.AsyncClient, owner: Wallet) -> None:
    body = withdrawal_body(owner)
    check_refused(await api.post("/v1/withdrawals", json=body | {"chain_id": 1}), 400, "wrong_chain", "chain_id")
    other = body | {"contract": "0x" + "dd" * 20}
    check_refused(await api.post("/v1/withdrawals", json=other), 400, "wrong_contract", "contract")
    check_refused(await api.post("/v1/withdrawals", json=body | {"memo": "x"}), 422, "unknown_field", "memo")


async def _add_delegate(stack: ApiStack, owner: Wallet, key: Wallet, expiry: int, number: int) -> None:
    """A row as the indexer writes it for a `DelegateAdded` event; the key may trade BTC-USDC only."""
    engine = create_engine(stack.database_url)
    row = {
        "chain_id": DOMAIN.chain_id,
        "block_hash": number.to_bytes(32),
        "log_index": 0,
        "block_number": number,
        "tx_hash": number.to_bytes(32),
        "kind": "added",
        "account": owner.address,
        "delegate": key.address,
        "markets": 1 << BTC_USDC,
        "expiry": expiry,
        "effective_at": 0,
        "nonce": 1,
    }
    async with engine.begin() as connection:
        await connection.execute(insert(delegate).values(row))
    await engine.dispose()


async def test_a_delegated_key_trades_its_market_and_takes_nothing_out(
    api: httpx.AsyncClient, stack: ApiStack, owner: Wallet
) -> None:
    key, now = new_wallet(), int(time.time())
    await _add_delegate(stack, owner, key, now + HOUR, 1)
    order = an_order(owner, price=500_000, expiry=now + 600)
    body = order_body(key.sign_order(DOMAIN, order))
    assert body["scheme"] == Scheme.delegate.name
    assert (await api.post("/v1/orders", json=body)).status_code == 200
    cancelled = await api.post("/v1/orders/cancel", json=cancel_body(key, order.nonce, owner.address))
    assert cancelled.status_code == 200
    elsewhere = order_body(key.sign_order(DOMAIN, an_order(owner, price=300_000, market=ETH_USDC, expiry=now + 600)))
    check_refused(await api.post("/v1/orders", json=elsewhere), 400, "delegate_out_of_scope", "market")
    later = order_body(key.sign_order(DOMAIN, an_order(owner, expiry=now + 2 * HOUR)))
    check_refused(await api.post("/v1/orders", json=later), 400, "delegate_expired", "expiry")
    theft = withdrawal_body(key, account=owner.address)
    check_refused(await api.post("/v1/withdrawals", json=theft), 400, "wrong_signature", "signature")


async def test_a_delegated_key_signs_in_bulk(api: httpx.AsyncClient, stack: ApiStack, owner: Wallet) -> None:
    key, stranger, now = new_wallet(), new_wallet(), int(time.time())
    await _add_delegate(stack, owner, key, now + HOUR, 3)
    orders = [an_order(owner, price=500_000, quantity=2, expiry=now + 600) for _ in range(5)]
    for signed in key.sign_orders(DOMAIN, orders):
        assert signed.scheme == Scheme.bulk | Scheme.delegate
        assert (await api.post("/v1/orders", json=order_body(signed))).status_code == 200
    theirs = order_body(stranger.sign_orders(DOMAIN, orders)[0])
    check_refused(await api.post("/v1/orders", json=theirs), 400, "unknown_delegate", "signature")


async def test_an_expired_delegated_key_is_refused(api: httpx.AsyncClient, stack: ApiStack, owner: Wallet) -> None:
    key, now = new_wallet(), int(time.time())
    await _add_delegate(stack, owner, key, now - 10, 2)
    body = order_body(key.sign_order(DOMAIN, an_order(owner, expiry=now + 600)))
    check_refused(await api.post("/v1/orders", json=body), 400, "delegate_expired", "signature")


async def test_deposits_show_how_far_they_are(api: httpx.AsyncClient, stack: ApiStack) -> None:
    wallet = new_wallet()
    engine = create_engine(stack.database_url)
    common: dict[str, Any] = {
        "chain_id": DOMAIN.chain_id,
        "block_hash": b"\x05" * 32,
        "block_number": 5,
        "tx_hash": b"\x05" * 32,
        "kind": "deposit",
        "account": wallet.address,
        "token_id": USDC,
        "sender": wallet.address,
        "amount": 7,
    }
    rows: list[dict[str, Any]] = [
        {"log_index": 0, "to_funding": False, "credit_inbox_id": 1},
        {"log_index": 1, "to_funding": False, "credit_inbox_id": None},
        {"log_index": 2, "to_funding": True, "credit_inbox_id": None},
    ]
    async with engine.begin() as connection:
        await connection.execute(insert(deposit), [common | row for row in rows])
    await engine.dispose()
    headers = await sign_in(api, wallet)
    first = (await api.get("/v1/deposits", params={"limit": 2}, headers=headers)).json()
    assert [row["status"] for row in first["deposits"]] == ["in_funding", "confirming"]
    second = (await api.get("/v1/deposits", params={"before": first["next_before"]}, headers=headers)).json()
    assert [row["status"] for row in second["deposits"]] == ["credited"]
    balances = (await api.get("/v1/account", headers=headers)).json()["balances"]
    assert {row["asset_id"]: row["uncredited"] for row in balances}[USDC] == "7"
    check_refused(await api.get("/v1/deposits", params={"before": "x"}, headers=headers), 422, "malformed", "before")
