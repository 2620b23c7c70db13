"""The operator's console over HTTP: who may open it, what it does, and what stays written of it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from backend.auth.service import console_statement
from bizzan.client.wallet import Wallet
from bizzan.supervisor.postgres import Postgres
from exchange.chain.rpc import Rpc
from exchange.database import approvals, operator_log, sessions
from exchange.database import engine_inbox as inbox
from exchange.database.engine import create_engine
from exchange.database.tables import attempt, chain_status, engine_inbox, job, market
from exchange.domain.deployment import checksum
from exchange.domain.order import Side
from tests.conftest import start_anvil
from tests.integration.backend.test_surveillance import keep
from tests.integration.backend.test_withdrawals import log_row, put, withdrawal_body
from tests.utils.api_stack import (
    AUDITOR,
    DEPLOYMENT,
    PRICE,
    WATCHER,
    ApiStack,
    api_stack,
    heard,
    mirrored,
    new_wallet,
    signed_body,
)
from tests.utils.refusals import check_refused
from tests.utils.scripted_contract import answering
from tests.utils.sign_in import console_login, fresh_nonce, message_for, open_console, sign_in

REASON = "the reference price is wrong"
HOUR_MS = 3_600_000
PATIENT = "from backend.operator import commands; commands.WAIT_SECONDS = 60.0"
"""The API waits for the engine's answer as long as a busy machine may take."""
TRADER = new_wallet()
READS = (
    "session",
    "health",
    "markets",
    "withdrawals",
    "jobs",
    "accounts",
    f"accounts/{TRADER.text_address}",
    "cases",
    "announcements",
    "log",
)
WRITES = (
    "markets/BTC-USDC/halt",
    "markets/BTC-USDC/open",
    "markets/BTC-USDC/auction",
    "markets/BTC-USDC/bounds",
    "markets/BTC-USDC/fees",
    f"accounts/{TRADER.text_address}/stop",
    f"accounts/{TRADER.text_address}/resume",
    f"accounts/{TRADER.text_address}/tier",
    f"accounts/{TRADER.text_address}/limits",
    "cases/1/review",
    "announcements",
    "announcements/1/withdraw",
)


@pytest.fixture(scope="module")
def stack(postgres: Postgres, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStack]:
    """An exchange of its own: here commands come by the inbox's table, and not by the engine's socket as elsewhere."""
    url = postgres.create_database("operator", template=template_database)
    node = start_anvil(tmp_path_factory)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bzn-", dir="/tmp") as folder,
            api_stack(Path(folder), url, node.url, {"api": PATIENT}) as running,
        ):
            asyncio.run(running.fund(TRADER))
            asyncio.run(continue_inbox(running))
            yield running
    finally:
        node.kill()
    postgres.drop_database("operator")


async def continue_inbox(stack: ApiStack) -> None:
    """Let the inbox's table go on above the ids that the socket used."""
    database = create_engine(stack.database_url, pool_size=1)
    row = {"id": 1_000, "kind": "tick", "payload": {}, "dedup_key": "before", "applied_seq": 1}
    async with database.begin() as connection:
        await connection.execute(engine_inbox.insert().values(row))
    await database.dispose()


async def tell(api: httpx.AsyncClient, path: str, headers: dict[str, str], **body: Any) -> httpx.Response:
    """A write, with a reason."""
    return await api.post(f"/v1/operator/{path}", json={"reason": REASON, **body}, headers=headers)


async def bitcoin_market(api: httpx.AsyncClient) -> dict[str, Any]:
    """BTC/USDC, as everybody sees it."""
    there: dict[str, Any] = (await api.get("/v1/markets/BTC-USDC")).json()
    return there


async def log_of(api: httpx.AsyncClient, headers: dict[str, str], **params: Any) -> dict[str, Any]:
    """A page of the log."""
    answer = await api.get("/v1/operator/log", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


@asynccontextmanager
async def roles_on_chain(stack: ApiStack, api: httpx.AsyncClient, **wallets: Wallet) -> AsyncIterator[None]:
    """The contract says that these wallets hold these roles; `approver` is one of its approvers."""
    held = {role: wallet.address for role, wallet in wallets.items()}
    names = ("owner", "operator", "standby_operator", "co_signer", "guardian", "fee_account")
    words = b"".join(held.get(name, bytes(20)).rjust(32, b"\0") for name in names)
    approvers = [held["approver"]] if "approver" in held else []
    listed = b"".join(word.rjust(32, b"\0") for word in (b"\x20", bytes([len(approvers)]), *approvers))
    async with Rpc(stack.rpc_url) as rpc:
        before = await rpc.call("eth_getCode", DEPLOYMENT.custody, "latest", returns=str)
        await rpc.call("anvil_setCode", DEPLOYMENT.custody, answering({"roles()": words, "approvers()": listed}))
        await until_admitted(api, wallets.values(), 200)
        try:
            yield
        finally:
            await rpc.call("anvil_setCode", DEPLOYMENT.custody, before)
            await until_admitted(api, wallets.values(), 403)


async def until_admitted(api: httpx.AsyncClient, wallets: Iterable[Wallet], status: int) -> None:
    """Wait until the console answers them so: what the API has read of the contract's roles may be seconds old."""
    async with asyncio.timeout(60):
        for wallet in wallets:
            while (await console_login(api, wallet)).status_code != status:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


async def test_an_operator_of_the_settings_opens_the_console(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    told = (await api.get("/v1/operator/session", headers=headers)).json()
    assert (told["address"], told["roles"], told["commands"]) == (WATCHER.text_address, ["operator"], True)
    assert 0 < told["until"] - told["server_time"] <= 1_800_000
    assert (await api.post("/v1/operator/logout", headers=headers)).json() == {"ended": True}
    check_refused(await api.get("/v1/operator/session", headers=headers), 401, "unauthenticated")


async def test_nobody_else_does(api: httpx.AsyncClient, stack: ApiStack) -> None:
    for wallet in (new_wallet(), AUDITOR):
        error = check_refused(await console_login(api, wallet), 403, "forbidden")
        assert "has no role here" in error["message"]


async def test_a_session_of_an_account_opens_nothing_here_and_this_one_nothing_there(api: httpx.AsyncClient) -> None:
    account, console = await sign_in(api, WATCHER), await open_console(api, WATCHER)
    for name in READS:
        check_refused(await api.get(f"/v1/operator/{name}"), 401, "unauthenticated")
        check_refused(await api.get(f"/v1/operator/{name}", headers=account), 401, "unauthenticated")
    for name in WRITES:
        check_refused(await tell(api, name, {}), 401, "unauthenticated")
        check_refused(await tell(api, name, account), 401, "unauthenticated")
    check_refused(await api.get("/v1/account", headers=console), 401, "unauthenticated")


async def test_what_is_signed_says_what_it_opens(api: httpx.AsyncClient) -> None:
    minutes = (await fresh_nonce(api))["console_minutes"]
    statement, longer = console_statement(minutes * 60), console_statement((minutes + 1) * 60)
    assert f" for {minutes} minutes. " in statement
    for other in ("Sign in to read your account. This moves no money.", longer):
        answer = await console_login(api, WATCHER, statement=other)
        assert check_refused(answer, 401, "unauthenticated", "message")["params"] == {"part": "statement"}
    for said in (longer, statement):
        message = message_for(WATCHER, await fresh_nonce(api)).replace("\n\n\n", f"\n\n{said}\n\n", 1)
        body = {"message": message, "signature": "0x" + WATCHER.sign_text(message).hex()}
        answer = await api.post("/v1/auth/login", json=body)
        assert check_refused(answer, 401, "unauthenticated", "message")["params"] == {"part": "statement"}
    answer = await api.post("/v1/operator/login", json=body)
    assert check_refused(answer, 401, "unauthenticated", "message")["params"] == {"part": "nonce"}


async def test_a_role_of_the_contract_looks_and_one_that_is_gone_ends_every_session(
    api: httpx.AsyncClient, stack: ApiStack
) -> None:
    guardian, operator, approver = new_wallet(), new_wallet(), new_wallet()
    async with roles_on_chain(stack, api, guardian=guardian, operator=operator, approver=approver):
        headers = await open_console(api, guardian)
        other = await open_console(api, guardian)
        told = (await api.get("/v1/operator/session", headers=headers)).json()
        assert (told["roles"], told["commands"]) == (["guardian"], False)
        for name in READS:
            assert (await api.get(f"/v1/operator/{name}", headers=headers)).status_code == 200
        for name in WRITES:
            error = check_refused(await tell(api, name, headers), 403, "forbidden")
            assert "only an operator may do this" in error["message"]
        assert (await tell(api, "markets/ETH-USDC/halt", await open_console(api, operator))).status_code == 200
        assert (await tell(api, "markets/ETH-USDC/open", await open_console(api, operator))).status_code == 200
        told = (await api.get("/v1/operator/session", headers=await open_console(api, approver))).json()
        assert told["roles"] == ["approver"]
    answer = await api.get("/v1/operator/session", headers=headers)
    assert (answer.status_code, answer.json()["code"]) in ((403, "forbidden"), (401, "unauthenticated"))
    for ended in (headers, other):
        check_refused(await api.get("/v1/operator/session", headers=ended), 401, "unauthenticated")


async def test_a_market_is_halted_and_opened_and_both_stand_in_the_log(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    done = (await tell(api, "markets/BTC-USDC/halt", headers)).json()
    assert done["outcome"] == "applied"
    check_refused(await api.post("/v1/orders", json=signed_body(TRADER)), 409, "market_halted", "market")
    await heard(api, done["seq"])
    states = (await api.get("/v1/operator/markets", headers=headers)).json()["markets"]
    assert [state["status"] for state in states] == ["halted", "open", "open"]
    assert (await tell(api, "markets/1/open", headers)).json()["outcome"] == "applied"
    assert (await api.post("/v1/orders", json=signed_body(TRADER))).status_code == 200

    page = await log_of(api, headers, limit=4)
    assert [(entry["action"], entry["outcome"]) for entry in page["log"]] == [
        ("open_market", "applied"),
        ("open_market", "asked"),
        ("halt_market", "applied"),
        ("halt_market", "asked"),
    ]
    outcome, asked = page["log"][2:]
    assert (asked["entry_id"], asked["hash"]) == (done["entry_id"], done["hash"])
    assert (asked["operator"], asked["subject"], asked["reason"]) == (WATCHER.text_address, "BTC-USDC", REASON)
    assert (outcome["follows"], outcome["details"]) == (asked["entry_id"], {"seq": done["seq"]})
    assert outcome["prev_hash"] == asked["hash"]
    assert (page["entries"], page["head"]) == (page["log"][0]["entry_id"], page["log"][0]["hash"])
    rest = await log_of(api, headers, before=page["next_before"], limit=1)
    assert rest["log"][0]["entry_id"] == page["log"][-1]["entry_id"] - 1 or rest["log"] == []
    only = await log_of(api, headers, action="halt_market", subject="BTC-USDC")
    assert {entry["action"] for entry in only["log"]} == {"halt_market"}


async def test_an_auction_gathers_and_ends_when_the_market_opens(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    done = (await tell(api, "markets/ETH-BTC/auction", headers, seconds=600)).json()
    assert done["outcome"] == "applied"
    await heard(api, done["seq"])
    state = (await api.get("/v1/operator/markets", headers=headers)).json()["markets"][2]
    assert state["status"] == "auction"
    assert state["auction_ends_at"] > time.time()
    assert (await tell(api, "markets/ETH-BTC/open", headers)).status_code == 200


async def test_a_market_that_the_contract_halts_is_not_opened_here(stack: ApiStack, api: httpx.AsyncClient) -> None:
    headers, kind = await open_console(api, WATCHER), "market_status_changed"
    row = log_row(700_001, kind=kind, params={"market_id": "3", "halted": True})
    await put(stack, chain_status, row)
    error = check_refused(await tell(api, "markets/ETH-BTC/open", headers), 409, "market_halted", "market")
    assert "its owner halted the market" in error["message"]
    state = (await api.get("/v1/operator/markets", headers=headers)).json()["markets"][2]
    assert state["halted_on_chain"] == "its owner halted the market"
    await put(stack, chain_status, log_row(700_002, kind=kind, params={"market_id": "3", "halted": False}))
    assert (await tell(api, "markets/ETH-BTC/open", headers)).status_code == 200


async def test_a_reason_is_needed_and_bounded(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    for reason in (None, "", "  ", "ab", "a\nb c", "x" * 501, 7):
        answer = await tell(api, "markets/BTC-USDC/halt", headers, reason=reason)
        check_refused(answer, 422, "malformed", "reason")
    check_refused(await tell(api, "markets/BTC-USDC/halt", headers, force=True), 422, "unknown_field", "force")
    check_refused(await tell(api, "markets/NONE/halt", headers), 404, "unknown_market", "market")


async def test_bounds_and_fees_are_announced_and_what_the_engine_refuses_is_logged(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    bounds = {"collar_bps": 300, "max_quantity": "5000", "max_open_orders": 7}
    done = (await tell(api, "markets/ETH-BTC/bounds", headers, **bounds)).json()
    assert done["outcome"] == "applied"
    await heard(api, done["seq"])
    state = (await api.get("/v1/operator/markets", headers=headers)).json()["markets"][2]
    assert (state["collar_bps"], state["max_quantity"], state["max_open_orders"]) == (300, "5000", 7)
    too_much = {"max_quantity": str(2**63)}
    answer = await tell(api, "markets/ETH-BTC/bounds", headers, **too_much)
    check_refused(answer, 400, "amount_out_of_range", "max_quantity")
    assert (await tell(api, "markets/ETH-BTC/bounds", headers)).status_code == 200

    lower, higher = ([{"maker_fee_ppm": fee, "taker_fee_ppm": 2 * fee}] for fee in (100, 5_000))
    assert (await tell(api, "markets/ETH-BTC/fees", headers, tiers=lower)).json()["outcome"] == "applied"
    refused = await tell(api, "markets/ETH-BTC/fees", headers, tiers=higher)
    assert (refused.status_code, refused.json()["code"]) == (400, "fee_notice_too_short")
    outcome, asked = (await log_of(api, headers, limit=2))["log"]
    assert (asked["action"], asked["details"]["tiers"], outcome["outcome"]) == (
        "announce_fees",
        [[5000, 10000]],
        "refused",
    )
    assert outcome["details"]["code"] == "fee_notice_too_short"


async def test_an_account_is_found_stopped_and_resumed(api: httpx.AsyncClient) -> None:
    headers, path = await open_console(api, WATCHER), f"accounts/{TRADER.text_address}"
    beginning = TRADER.text_address[:9].lower()  # an odd number of digits
    found = (await api.get("/v1/operator/accounts", params={"address": beginning}, headers=headers)).json()
    assert [row["account"] for row in found["accounts"]] == [TRADER.text_address]
    placed = await api.post("/v1/orders", json=signed_body(TRADER, price=PRICE - 1_000))
    assert placed.status_code == 200, placed.text
    await mirrored(api, placed.json()["seq"])
    assert (await api.get(f"/v1/operator/{path}", headers=headers)).json()["open_orders"]["1"] >= 1

    assert (await tell(api, f"{path}/tier", headers, tier=2)).json()["outcome"] == "applied"
    done = (await tell(api, f"{path}/stop", headers)).json()
    check_refused(await api.post("/v1/orders", json=signed_body(TRADER)), 409, "trading_stopped")
    await mirrored(api, done["seq"])
    told = (await api.get(f"/v1/operator/{path}", headers=headers)).json()
    assert told["open_orders"] == {}
    assert told["account"]["brakes"]["trading_stopped_by_operator"] is True
    assert [tier["tier"] for tier in told["tiers"]] == [2]
    assert [entry["action"] for entry in told["log"]] == ["stop_account"] * 2 + ["set_account_tier"] * 2
    assert (await tell(api, f"{path}/resume", headers)).status_code == 200
    assert (await api.post("/v1/orders", json=signed_body(TRADER))).status_code == 200
    stranger = f"accounts/{new_wallet().text_address}"
    check_refused(await tell(api, f"{stranger}/stop", headers), 404, "unknown_account", "account")
    assert (await api.get(f"/v1/operator/{stranger}", headers=headers)).json()["account"]["status"] == "unknown"
    check_refused(await api.get("/v1/operator/accounts/0x12", headers=headers), 422, "malformed", "account")


async def test_an_account_is_limited_in_all_markets_and_the_limit_lifted(api: httpx.AsyncClient) -> None:
    headers, path = await open_console(api, WATCHER), f"accounts/{TRADER.text_address}"
    free = (await api.get(f"/v1/operator/{path}", headers=headers)).json()["account"]["limits"]
    assert free == {"max_open_orders": 1_000, "own_max_open_orders": 0, "max_open_notional": {}}
    quote = (await bitcoin_market(api))["quote_asset"]
    placed = await api.post("/v1/orders", json=signed_body(TRADER, price=PRICE - 1_000))
    assert placed.status_code == 200, placed.text

    limits = {"max_open_orders": 1, "asset_id": quote, "max_open_notional": "7"}
    assert (await tell(api, f"{path}/limits", headers, **limits)).json()["outcome"] == "applied"
    refused = await api.post("/v1/orders", json=signed_body(TRADER, price=PRICE - 1_000))
    check_refused(refused, 409, "too_many_open_orders")
    assert refused.json()["params"]["limit"] == 1
    told = (await api.get(f"/v1/operator/{path}", headers=headers)).json()
    assert told["account"]["limits"] == {
        "max_open_orders": 1,
        "own_max_open_orders": 1,
        "max_open_notional": {str(quote): "7"},
    }
    asked = next(entry for entry in (await log_of(api, headers, limit=2))["log"] if entry["follows"] is None)
    assert (asked["action"], asked["details"]) == (
        "limit_account",
        {"max_open_orders": "1", "asset": quote, "max_open_notional": "7"},
    )
    more = {"max_open_orders": 0, "asset_id": quote, "max_open_notional": "7"}
    assert (await tell(api, f"{path}/limits", headers, **more)).status_code == 200
    refused = await api.post("/v1/orders", json=signed_body(TRADER, price=PRICE - 1_000))
    check_refused(refused, 409, "too_much_open", "quantity")
    assert (await tell(api, f"{path}/limits", headers, **(more | {"max_open_notional": "0"}))).status_code == 200
    assert (await api.post("/v1/orders", json=signed_body(TRADER, price=PRICE - 1_000))).status_code == 200

    check_refused(
        await tell(api, f"{path}/limits", headers, **(more | {"asset_id": 99})), 404, "unknown_asset", "asset"
    )
    stranger = f"accounts/{new_wallet().text_address}"
    check_refused(await tell(api, f"{stranger}/limits", headers, **more), 404, "unknown_account", "account")


async def test_a_band_is_set_and_stays_when_it_is_left_out(
    api: httpx.AsyncClient, database_of_stack: AsyncEngine
) -> None:
    headers = await open_console(api, WATCHER)
    before = (await bitcoin_market(api))["band_bps"]
    assert (await tell(api, "markets/BTC-USDC/bounds", headers, band_bps=100)).json()["outcome"] == "applied"
    done = (await tell(api, "markets/BTC-USDC/bounds", headers, collar_bps=50)).json()
    assert done["outcome"] == "applied"
    await mirrored(api, done["seq"])
    async with database_of_stack.connect() as connection:
        kept = await connection.scalar(select(market.c.band_bps).where(market.c.symbol == "BTC/USDC"))
    assert kept == 100
    await heard(api, done["seq"])
    there = await bitcoin_market(api)
    assert (there["band_bps"], there["collar_bps"]) == (100, 50)
    state = (await api.get("/v1/operator/markets", headers=headers)).json()["markets"][0]
    assert (state["band_bps"], state["collar_bps"]) == (100, 50)
    far = signed_body(TRADER, Side.sell, PRICE // 2)
    check_refused(await api.post("/v1/orders", json=far), 400, "price_out_of_band", "price")
    assert (await tell(api, "markets/BTC-USDC/bounds", headers, band_bps=before)).status_code == 200


async def test_a_case_is_reviewed_and_stays_as_it_is(api: httpx.AsyncClient, database_of_stack: AsyncEngine) -> None:
    headers = await open_console(api, WATCHER)
    await keep(database_of_stack, ("wash_trades", TRADER.address), ("layering", TRADER.address))
    cases = (await api.get("/v1/operator/cases", headers=headers)).json()["cases"]
    assert [case["review"] for case in cases] == [None, None]
    number = cases[0]["case_id"]
    for verdict in ("watch", "no_abuse"):
        assert (await tell(api, f"cases/{number}/review", headers, verdict=verdict)).json()["outcome"] == "done"
    reviewed = (await api.get("/v1/operator/cases", params={"pattern": "layering"}, headers=headers)).json()["cases"]
    assert (reviewed[0]["review"]["verdict"], reviewed[0]["review"]["reason"]) == ("no_abuse", REASON)
    assert reviewed[0] | {"review": None} == cases[0]
    check_refused(await tell(api, "cases/999/review", headers, verdict="abuse"), 404, "not_found", "case")
    check_refused(await tell(api, f"cases/{number}/review", headers, verdict="fine"), 422, "malformed", "verdict")


async def test_jobs_say_what_is_stuck_sent_again_and_paid(
    api: httpx.AsyncClient, database_of_stack: AsyncEngine
) -> None:
    headers, now = await open_console(api, WATCHER), int(time.time() * 1_000)
    base = {"chain_id": 31_337, "sender": b"\x05" * 20, "duty": "settle", "payload": {}}
    rows = [
        base | {"key": "settle/1", "state": "final", "succeeded": True, "attempts": 2},
        base | {"key": "settle/2", "state": "sent", "nonce": 2, "attempts": 1, "updated_at": now - 300_000},
        base | {"key": "settle/3", "state": "queued", "updated_at": now},
    ]
    paid = {"chain_id": 31_337, "sender": b"\x05" * 20, "kind": "call", "nonce": 1, "max_fee": 1, "priority_fee": 1}
    paid |= {"gas_limit": 1, "raw": b"", "sent_at": now, "fencing_token": 1, "outcome": "final"}
    async with database_of_stack.begin() as connection:
        for row in rows:
            await connection.execute(job.insert().values(row))
        first = await connection.scalar(select(job.c.job_id).where(job.c.key == "settle/1"))
        for number, cost in ((1, 70), (2, 30)):
            await connection.execute(
                attempt.insert().values(paid | {"tx_hash": bytes([number]) * 32, "job_id": first, "cost": cost})
            )

    async def keys(show: str) -> list[str]:
        page = (await api.get("/v1/operator/jobs", params={"show": show}, headers=headers)).json()
        return [row["key"] for row in page["jobs"]]

    page = (await api.get("/v1/operator/jobs", headers=headers)).json()
    assert [(row["key"], row["stuck"], row["cost_wei"]) for row in page["jobs"]] == [
        ("settle/3", False, "0"),
        ("settle/2", True, "0"),
        ("settle/1", False, "100"),
    ]
    assert page["duties"] == [
        {"duty": "settle", "sender": checksum(b"\x05" * 20), "waiting": 2, "stuck": 1, "day_cost_wei": "100"}
    ]
    assert await keys("stuck") == ["settle/2"]
    assert await keys("live") == ["settle/3", "settle/2"]
    assert await keys("retried") == ["settle/1"]
    assert await keys("failed") == []


async def test_health_names_who_answers_and_who_does_not(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    async with asyncio.timeout(60):  # each has two seconds to answer
        while True:
            told = (await api.get("/v1/operator/health", headers=headers)).json()
            states = {one["name"]: one["state"] for one in told["services"]}
            if states["engine"] == states["projector"] == "ok":
                break
    assert states.keys() == {"engine", "projector", "indexer", "keeper", "publisher", "surveillance", "entry"}
    assert told["status"]["journal_seq"] > 0


async def test_withdrawals_that_wait_are_shown_as_they_were_signed(
    api: httpx.AsyncClient, database_of_stack: AsyncEngine
) -> None:
    headers = await open_console(api, WATCHER)
    assert (await api.get("/v1/operator/withdrawals", headers=headers)).json()["withdrawals"] == []
    body = withdrawal_body(TRADER)
    held = await api.post("/v1/withdrawals", json=body)
    assert held.status_code == 200, held.text
    digest = held.json()["withdrawal_hash"]
    await mirrored(api, held.json()["seq"])
    async with database_of_stack.begin() as connection:
        await approvals.note(connection, [bytes.fromhex(digest[2:])])
    (row,) = (await api.get("/v1/operator/withdrawals", headers=headers)).json()["withdrawals"]
    assert (row["withdrawal_hash"], row["account"], row["given_by"]) == (digest, TRADER.text_address, [])
    assert (row["signature"], row["amount"]) == (body["signature"], "1000000")
    for name in ("account", "token", "amount", "recipient", "max_fee", "nonce", "deadline"):
        assert row["message"][name].lower() == str(body[name]).lower()


def announcement(**changes: Any) -> dict[str, Any]:
    """What is announced, for an hour."""
    now = int(time.time() * 1_000)
    texts = {"en": "Withdrawals are slow today.", "zh-CN": "今天提款较慢。"}
    return {"severity": "warning", "texts": texts, "until_ms": now + HOUR_MS} | changes


async def test_an_announcement_is_shown_to_everybody_until_it_is_withdrawn(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    posted = (await tell(api, "announcements", headers, **announcement())).json()
    number = posted["announcement_id"]
    shown = (await api.get("/v1/announcements")).json()["announcements"]
    assert [(one["announcement_id"], one["severity"], one["texts"]["en"]) for one in shown] == [
        (number, "warning", "Withdrawals are slow today.")
    ]
    later = announcement(from_ms=int(time.time() * 1_000) + HOUR_MS // 2)
    coming = (await tell(api, "announcements", headers, **later)).json()["announcement_id"]
    assert len((await api.get("/v1/announcements")).json()["announcements"]) == 1
    page = (await api.get("/v1/operator/announcements", headers=headers)).json()
    assert [one["announcement_id"] for one in page["announcements"]] == [coming, number]
    for one in (number, coming):
        assert (await tell(api, f"announcements/{one}/withdraw", headers)).json()["outcome"] == "done"
        check_refused(await tell(api, f"announcements/{one}/withdraw", headers), 404, "not_found", "announcement")
    assert (await api.get("/v1/announcements")).json()["announcements"] == []
    entries = (await log_of(api, headers, limit=4))["log"]
    assert [entry["action"] for entry in entries] == ["withdraw_announcement"] * 2 + ["post_announcement"] * 2
    assert entries[3]["details"]["texts"]["en"] == "Withdrawals are slow today."


async def test_announcements_are_bounded(api: httpx.AsyncClient) -> None:
    headers, now = await open_console(api, WATCHER), int(time.time() * 1_000)
    refused: list[tuple[dict[str, Any], int, str, str | None]] = [
        ({"severity": "loud"}, 422, "malformed", "severity"),
        ({"texts": {}}, 422, "malformed", "texts"),
        ({"texts": {"zh-CN": "今天"}}, 422, "malformed", "texts"),
        ({"texts": {"en": "x" * 501}}, 422, "malformed", "texts.en"),
        ({"texts": {"en": "two\nlines"}}, 422, "malformed", "texts.en"),
        ({"texts": {"en": "one", "../../": "two"}}, 422, "malformed", "texts.../../.[key]"),
        ({"until_ms": now - 1}, 400, "expired", "until_ms"),
        ({"from_ms": now + 2, "until_ms": now + 1}, 400, "expired", "until_ms"),
        ({"until_ms": now + 91 * 86_400_000}, 400, "expiry_too_far", "until_ms"),
    ]
    for changes, status, code, field in refused:
        answer = await tell(api, "announcements", headers, **announcement(**changes))
        error = answer.json()
        assert (answer.status_code, error["code"]) == (status, code), (changes, error)
        assert field is None or error["field"] == field, (changes, error)
    numbers = []
    for _ in range(10):
        numbers.append((await tell(api, "announcements", headers, **announcement())).json()["announcement_id"])
    check_refused(await tell(api, "announcements", headers, **announcement()), 409, "too_many_announcements")
    for number in numbers:
        assert (await tell(api, f"announcements/{number}/withdraw", headers)).status_code == 200


async def test_operators_who_announce_at_once_are_bounded_together(api: httpx.AsyncClient) -> None:
    headers = await open_console(api, WATCHER)
    answers = await asyncio.gather(*(tell(api, "announcements", headers, **announcement()) for _ in range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 6
    assert len((await api.get("/v1/announcements")).json()["announcements"]) == 10
    for answer in answers:
        if answer.status_code == 200:
            done = await tell(api, f"announcements/{answer.json()['announcement_id']}/withdraw", headers)
            assert done.status_code == 200, done.text


async def test_a_session_ends_with_its_role_also_when_nobody_uses_it(
    api: httpx.AsyncClient, stack: ApiStack, database_of_stack: AsyncEngine
) -> None:
    wallet = new_wallet()
    async with roles_on_chain(stack, api, operator=wallet):
        headers = await open_console(api, wallet)
    async with asyncio.timeout(60):
        while True:
            async with database_of_stack.connect() as connection:
                if wallet.address not in await sessions.addresses(connection, "operator", 0):
                    break
            await asyncio.sleep(0.1)
    async with roles_on_chain(stack, api, operator=wallet):
        check_refused(await api.get("/v1/operator/session", headers=headers), 401, "unauthenticated")


async def test_an_open_waits_for_the_chains_halt_that_is_being_written(
    api: httpx.AsyncClient, database_of_stack: AsyncEngine
) -> None:
    headers, kind = await open_console(api, WATCHER), "market_status_changed"
    params = {"market_id": "3", "halted": True}
    async with database_of_stack.begin() as connection:
        await connection.execute(chain_status.insert().values(log_row(700_100, kind=kind, params=params)))
        await inbox.hold(connection)
        opening = asyncio.create_task(tell(api, "markets/ETH-BTC/open", headers))
        await asyncio.sleep(0.5)
    check_refused(await opening, 409, "market_halted", "market")
    async with database_of_stack.begin() as connection:
        row = log_row(700_101, kind=kind, params=params | {"halted": False})
        await connection.execute(chain_status.insert().values(row))


async def test_an_operator_writes_so_often(stack: ApiStack) -> None:
    limits = {"BIZZAN_API__LIMITS__OPERATOR_WRITES_PER_SECOND": "1", "BIZZAN_API__LIMITS__OPERATOR_WRITES_BURST": "2"}
    url = stack.start_api("strict", limits)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30) as api:
            headers = await open_console(api, WATCHER)
            answers = await asyncio.gather(*(tell(api, "announcements/0/withdraw", headers) for _ in range(60)))
        assert {answer.status_code for answer in answers} == {404, 429}
    finally:
        stack.kill("strict")


async def test_the_log_is_never_changed_and_shows_what_was_done_to_it(
    api: httpx.AsyncClient, database_of_stack: AsyncEngine
) -> None:
    headers = await open_console(api, WATCHER)
    await tell(api, "announcements/1/withdraw", headers)
    posted = (await tell(api, "announcements", headers, **announcement())).json()["announcement_id"]
    await tell(api, f"announcements/{posted}/withdraw", headers)
    for statement in (
        "update operator_log set reason = 'another'",
        "delete from operator_log",
        "truncate operator_log cascade",
    ):
        with pytest.raises(DBAPIError, match="are never changed"):
            async with database_of_stack.begin() as connection:
                await connection.execute(text(statement))
    last = (await log_of(api, headers, limit=1))["entries"]
    assert await tampered(database_of_stack, "select 1") == []
    assert await tampered(database_of_stack, f"update operator_log set reason = 'x' where entry_id = {last}") == [
        f"entry {last} of the operators' log was changed"
    ]
    assert await tampered(database_of_stack, f"delete from operator_log where entry_id = {last - 1}") == [
        f"entries {last - 1} to {last - 1} of the operators' log are missing",
        f"announcement {posted} has no entry in the operators' log",
    ]


async def test_markets_say_that_the_engine_is_away_and_nothing_opens(api: httpx.AsyncClient, stack: ApiStack) -> None:
    headers = await open_console(api, WATCHER)

    async def until_live_is(expected: bool) -> None:
        async with asyncio.timeout(60):
            while True:
                told = (await api.get("/v1/operator/markets", headers=headers)).json()
                assert len(told["markets"]) == 3
                if told["live"] is expected:
                    return
                await asyncio.sleep(0.1)

    await until_live_is(True)
    stack.kill("engine")
    await until_live_is(False)
    for path in ("markets/ETH-BTC/open", "markets/ETH-BTC/auction", f"accounts/{TRADER.text_address}/resume"):
        check_refused(await tell(api, path, headers), 503, "unavailable")
    stack.spawn("engine", "exchange.sequencer.main")
    await until_live_is(True)
    assert (await tell(api, "markets/ETH-BTC/open", headers)).json()["outcome"] == "applied"


async def tampered(database: AsyncEngine, statement: str) -> list[str]:
    """What the log shows after somebody who may do everything changed it; it is taken back."""
    async with database.connect() as connection:
        await connection.execute(text("set session_replication_role = replica"))  # no triggers
        await connection.execute(text(statement))
        found = await operator_log.breaks(connection)
        await connection.rollback()
    return found
