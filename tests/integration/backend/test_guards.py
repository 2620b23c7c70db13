"""What protects money: an account's freeze and allow-list from the mirror, levels of outflow from the contract."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from backend.guards.levels import PERIOD_SECONDS
from bizzan.client.wallet import Wallet
from exchange.chain.rpc import Rpc
from exchange.database.tables import account_freeze, allow_list, chain_status
from exchange.domain.deployment import checksum
from exchange.domain.order import Side
from exchange.engine.commands import SetFrozen
from tests.integration.backend.test_withdrawals import log_row, put
from tests.utils.api_stack import BTC, DEPLOYMENT, ETH, USDC, ApiStack, mirrored, new_wallet, signed_body
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in

HOUR = 3_600
PLACE = 500_000
NOTHING: dict[str, Any] = {
    "frozen": False,
    "settlement_ends_at": None,
    "frozen_until": None,
    "freeze_nonce": "0",
    "allow_list": False,
    "allow_list_until": None,
    "recipients": [],
    "next_after": None,
}


async def guards(api: httpx.AsyncClient, wallet: Wallet, **params: Any) -> dict[str, Any]:
    """What the account's owner is told."""
    answer = await api.get("/v1/account/guards", params=params, headers=await sign_in(api, wallet))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def freeze_row(place: int, wallet: Wallet, kind: str, effective_at: int, nonce: int = 0) -> dict[str, Any]:
    """A freeze or thaw as the indexer keeps it."""
    return log_row(PLACE + place, account=wallet.address, kind=kind, effective_at=effective_at, nonce=nonce)


def listing(place: int, wallet: Wallet, kind: str, at: int = 0, **values: Any) -> dict[str, Any]:
    """A change of an allow-list as the indexer keeps it."""
    columns = {"account": wallet.address, "recipient": None, "enabled": None, "kind": kind, "effective_at": at}
    return log_row(PLACE + place, **(columns | values))


async def test_an_account_without_guards_has_none(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    told = await guards(api, wallet)
    assert told | NOTHING == told
    assert told["account"] == wallet.text_address
    assert told.keys() >= {"indexed_block", "finalized_block", "journal_seq", "server_time"}


async def test_a_freeze_says_from_when_until_when_and_the_next_nonce(stack: ApiStack, api: httpx.AsyncClient) -> None:
    wallet, now = new_wallet(), int(time.time())
    await put(stack, account_freeze, freeze_row(1, wallet, "frozen", now + HOUR, 0))
    told = await guards(api, wallet)
    assert (told["frozen"], told["settlement_ends_at"], told["frozen_until"]) == (True, now + HOUR, None)
    assert told["freeze_nonce"] == "1"
    await put(stack, account_freeze, freeze_row(2, wallet, "unfrozen", now + 2 * HOUR))
    told = await guards(api, wallet)
    assert (told["frozen"], told["settlement_ends_at"], told["frozen_until"]) == (True, now + HOUR, now + 2 * HOUR)
    again = freeze_row(3, wallet, "frozen", now + HOUR, 1)
    await put(stack, account_freeze, again, freeze_row(4, wallet, "unfrozen", now - 1))
    told = await guards(api, wallet)
    assert told | NOTHING | {"freeze_nonce": "2"} == told


async def test_an_order_of_a_frozen_account_is_refused_by_that_name(stack: ApiStack, api: httpx.AsyncClient) -> None:
    wallet = await stack.trader()
    headers = await sign_in(api, wallet)
    (ack,) = await stack.submit(SetFrozen(stack.inbox_id(), wallet.address, True))
    await mirrored(api, ack.seq)
    assert (await api.get("/v1/account", headers=headers)).json()["status"] == "frozen"
    check_refused(await api.post("/v1/orders", json=signed_body(wallet, Side.sell, 602_000, 1)), 409, "account_frozen")
    (ack,) = await stack.submit(SetFrozen(stack.inbox_id(), wallet.address, False))
    await mirrored(api, ack.seq)
    assert (await api.get("/v1/account", headers=headers)).json()["status"] == "active"


async def test_an_allow_list_shows_its_entries_with_their_times(stack: ApiStack, api: httpx.AsyncClient) -> None:
    wallet, now = new_wallet(), int(time.time())
    first, second, third = (bytes([byte]) * 20 for byte in (0x11, 0x22, 0x33))
    rows = [
        listing(10, wallet, "allowed", now - 1, recipient=first),
        listing(11, wallet, "allowed", now - 1, recipient=second),
        listing(12, wallet, "allowed", now + HOUR, recipient=third),
        listing(13, wallet, "disallowed", recipient=second),
        listing(14, new_wallet(), "allowed", now, recipient=second),
    ]
    await put(stack, allow_list, *rows)
    told = await guards(api, wallet)
    assert (told["allow_list"], told["allow_list_until"]) == (False, None)
    assert told["recipients"] == [
        {"recipient": checksum(first), "allowed_at": now - 1, "in_force": True},
        {"recipient": checksum(third), "allowed_at": now + HOUR, "in_force": False},
    ]
    await put(stack, allow_list, listing(15, wallet, "switched", now, enabled=True))
    told = await guards(api, wallet)
    assert (told["allow_list"], told["allow_list_until"]) == (True, None)
    await put(stack, allow_list, listing(16, wallet, "switched", now + HOUR, enabled=False))
    told = await guards(api, wallet)
    assert (told["allow_list"], told["allow_list_until"]) == (True, now + HOUR)


async def test_a_long_list_is_paged(stack: ApiStack, api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    entries = [bytes([0x40 + place]) * 20 for place in range(5)]
    rows = [listing(20 + place, wallet, "allowed", 1, recipient=entry) for place, entry in enumerate(entries)]
    await put(stack, allow_list, *rows)
    seen: list[str] = []
    page = await guards(api, wallet, limit=2)
    while True:
        seen += [row["recipient"] for row in page["recipients"]]
        if page["next_after"] is None:
            break
        page = await guards(api, wallet, limit=2, after=page["next_after"])
    assert seen == [checksum(entry) for entry in entries]


async def test_refuses_another_shape_of_page(api: httpx.AsyncClient) -> None:
    headers = await sign_in(api, new_wallet())
    for params, field in (
        ({"after": "0x12"}, "after"),
        ({"after": "0x" + "g" * 40}, "after"),
        ({"limit": 501}, "limit"),
    ):
        check_refused(await api.get("/v1/account/guards", params=params, headers=headers), 422, "malformed", field)
    check_refused(await api.get("/v1/account/guards"), 401, "unauthenticated")


def answers(limit: int, level: int) -> str:
    """Code of a contract that answers every call with two words."""
    code = b"\x7f" + limit.to_bytes(32) + bytes.fromhex("5f52")
    return "0x" + (code + b"\x7f" + level.to_bytes(32) + bytes.fromhex("6020526040" + "5ff3")).hex()


async def test_outflow_says_what_can_go_out_now(stack: ApiStack, api: httpx.AsyncClient) -> None:
    told = (await api.get("/v1/outflow")).json()
    assert [(row["limit"], row["level"], row["available"]) for row in told["tokens"]] == [("0", "0", None)] * 3
    approver = b"\xa7" * 20
    rows: list[tuple[str, dict[str, Any]]] = [
        ("outflow_limit_changed", {"token_id": str(USDC), "limit": "700"}),
        ("outflow_limit_changed", {"token_id": str(ETH), "limit": "9"}),
        ("outflow_limit_changed", {"token_id": str(ETH), "limit": "0"}),
        ("approver_changed", {"approver": "0x" + approver.hex(), "approved": True}),
        ("approval_threshold_changed", {"threshold": "2"}),
    ]
    await put(stack, chain_status, *(log_row(PLACE + 40 + i, kind=k, params=p) for i, (k, p) in enumerate(rows)))
    check_refused(await api.get("/v1/outflow"), 503, "unavailable")  # there is no contract at that address yet
    async with Rpc(stack.rpc_url) as rpc:
        for level, available in ((300, "400"), (900, "0")):
            await rpc.call("anvil_setCode", DEPLOYMENT.custody, answers(700, level))
            await asyncio.sleep(PERIOD_SECONDS)
            told = (await api.get("/v1/outflow")).json()
            by_token = {row["token_id"]: row for row in told["tokens"]}
            usdc = by_token[USDC]
            assert (usdc["limit"], usdc["level"], usdc["available"]) == ("700", str(level), available)
            assert (by_token[ETH]["limit"], by_token[BTC]["available"]) == ("0", None)
    assert (told["threshold"], told["window_seconds"]) == (2, 86_400)
    assert checksum(approver) in told["approvers"]
