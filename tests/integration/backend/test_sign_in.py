"""Sign-in with Ethereum: a session for the wallet that signed, and nothing for anybody else."""

from __future__ import annotations

import httpx
import pytest

from tests.utils.api_stack import ApiStack, new_wallet
from tests.utils.contract_wallet import contract_wallet
from tests.utils.refusals import check_refused
from tests.utils.sign_in import fresh_nonce, login, message_for, sign_in
from tests.utils.waiting import wait_for


async def test_a_signed_message_earns_a_session_until_logout(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    headers = await sign_in(api, wallet)
    assert (await api.get("/v1/account", headers=headers)).json()["account"] == wallet.text_address
    assert (await api.post("/v1/auth/logout", headers=headers)).json() == {"ended": True}
    check_refused(await api.get("/v1/account", headers=headers), 401, "unauthenticated")


def test_what_a_sign_in_needs_is_loaded_before_anybody_does(stack: ApiStack) -> None:
    log = stack.folder / "api.log"
    wait_for(lambda: "sign_in_is_prepared" in log.read_text(), "the API to prepare for sign-ins", 300)


@pytest.mark.parametrize("path", ["account", "orders", "orders/1", "fills", "deposits", "withdrawals"])
async def test_private_reads_need_a_session(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(f"/v1/{path}")
    check_refused(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    check_refused(await api.get(f"/v1/{path}", headers={"authorization": "Bearer nonsense"}), 401, "unauthenticated")


async def test_a_contract_wallet_signs_in_by_its_owner(stack: ApiStack, api: httpx.AsyncClient) -> None:
    owner = new_wallet()
    address = contract_wallet(stack.rpc_url, owner)
    for key, status in ((owner, 200), (new_wallet(), 400)):
        message = message_for(key, await fresh_nonce(api), address=address)
        answer = await login(api, key, message)
        assert answer.status_code == status, answer.text
        if status == 200:
            headers = {"authorization": f"Bearer {answer.json()['token']}"}
            assert (await api.get("/v1/account", headers=headers)).json()["account"] == address
        else:
            check_refused(answer, 400, "wrong_signature", "signature")


async def test_a_signature_of_another_length_is_for_contract_wallets_only(
    stack: ApiStack, api: httpx.AsyncClient
) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api))
    answer = await api.post("/v1/auth/login", json={"message": message, "signature": "0x1234"})
    check_refused(answer, 400, "wrong_signature", "signature")


async def test_a_nonce_works_once(api: httpx.AsyncClient) -> None:
    wallet, nonce = new_wallet(), await fresh_nonce(api)
    message = message_for(wallet, nonce)
    assert (await login(api, wallet, message)).status_code == 200
    error = check_refused(await login(api, wallet, message), 401, "unauthenticated", "message")
    assert error["params"] == {"part": "nonce"}


async def test_a_nonce_is_used_up_by_a_failed_attempt(api: httpx.AsyncClient) -> None:
    wallet, nonce = new_wallet(), await fresh_nonce(api)
    message = message_for(wallet, nonce)
    check_refused(await login(api, new_wallet(), message), 400, "wrong_signature", "signature")
    check_refused(await login(api, wallet, message), 401, "unauthenticated", "message")


async def test_refuses_a_nonce_of_nobody(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api), nonce="0123456789abcdef")
    check_refused(await login(api, wallet, message), 401, "unauthenticated", "message")


async def test_refuses_another_site(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api), domain="evil.example")
    error = check_refused(await login(api, wallet, message), 401, "unauthenticated", "message")
    assert error["params"] == {"part": "domain"}


@pytest.mark.parametrize("uri", ["https://evil.example", "http://localhost:1@evil.example", "urn:x"])
async def test_refuses_a_message_whose_uri_is_another_site(api: httpx.AsyncClient, uri: str) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api), uri=uri)
    error = check_refused(await login(api, wallet, message), 401, "unauthenticated", "message")
    assert error["params"] == {"part": "uri"}


async def test_refuses_another_site_that_forwards_its_name(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    nonce = (await api.post("/v1/auth/nonce", headers={"host": "evil.example"})).json()
    assert nonce["domain"] != "evil.example"
    message = message_for(wallet, nonce, domain="evil.example")
    body = {"message": message, "signature": "0x" + wallet.sign_text(message).hex()}
    answer = await api.post("/v1/auth/login", json=body, headers={"host": "evil.example"})
    check_refused(answer, 401, "unauthenticated", "message")


async def test_refuses_another_chain(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api), chain_id="1")
    check_refused(await login(api, wallet, message), 400, "wrong_chain", "message")


async def test_refuses_an_expired_message(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api), more="\nExpiration Time: 2020-01-01T00:00:00Z")
    check_refused(await login(api, wallet, message), 400, "expired", "message")


async def test_refuses_a_message_of_the_future(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api), more="\nNot Before: 2999-01-01T00:00:00Z")
    error = check_refused(await login(api, wallet, message), 401, "unauthenticated", "message")
    assert error["params"] == {"part": "not_before"}


async def test_refuses_a_message_issued_in_the_future(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api), issued_at="2999-01-01T00:00:00Z")
    error = check_refused(await login(api, wallet, message), 401, "unauthenticated", "message")
    assert error["params"] == {"part": "issued_at"}


@pytest.mark.parametrize("message", ["", "hello", "x" * 4_000])
async def test_refuses_what_is_no_message(api: httpx.AsyncClient, message: str) -> None:
    check_refused(await login(api, new_wallet(), message), 422, "malformed", "message")


async def test_refuses_text_after_the_message(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    message = message_for(wallet, await fresh_nonce(api)) + "\nP.S. and all my money"
    check_refused(await login(api, wallet, message), 422, "malformed", "message")
