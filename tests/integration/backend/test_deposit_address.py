"""Asking for the deposit address: always the same, of the signed-in wallet only, and remembered for the keeper."""

from __future__ import annotations

import httpx

from exchange.database import deposit_addresses
from exchange.database.engine import create_engine
from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.deposit_address import deposit_address, sweep_floors
from tests.utils.api_stack import DEPLOYMENT, ApiStack, new_wallet
from tests.utils.refusals import check_refused
from tests.utils.sign_in import sign_in

PATH = "/v1/account/deposit-address"


async def test_the_address_follows_from_the_account(api: httpx.AsyncClient) -> None:
    wallet = new_wallet()
    answer = (await api.post(PATH, headers=await sign_in(api, wallet))).json()
    factory = address_bytes(DEPLOYMENT.deposit_addresses)
    assert answer["account"] == wallet.text_address
    assert answer["deposit_address"] == checksum(deposit_address(factory, wallet.address))
    assert (answer["factory"], answer["chain_id"]) == (DEPLOYMENT.deposit_addresses, DEPLOYMENT.chain_id)
    floors = sweep_floors(DEPLOYMENT, {})
    assert [(t["token_id"], t["symbol"], t["token"], int(t["minimum"])) for t in answer["tokens"]] == [
        (t.token_id, DEPLOYMENT.asset(t.asset_id).symbol, t.address, floors[t.token_id]) for t in DEPLOYMENT.tokens
    ]


async def test_asking_again_answers_the_same_and_is_remembered_once(api: httpx.AsyncClient, stack: ApiStack) -> None:
    wallet = new_wallet()
    headers = await sign_in(api, wallet)
    first, second = [(await api.post(PATH, headers=headers)).json() for _ in range(2)]
    assert first == second
    database = create_engine(stack.database_url, pool_size=1)
    async with database.connect() as conn:
        known = await deposit_addresses.watched(conn, DEPLOYMENT.chain_id, b"", 10_000)
        assert known.count(wallet.address) == 1
        assert await deposit_addresses.count(conn, DEPLOYMENT.chain_id) == len(known)
        assert await deposit_addresses.watched(conn, 1, b"", 10_000) == []
    await database.dispose()


async def test_nobody_asks_without_a_session(api: httpx.AsyncClient) -> None:
    check_refused(await api.post(PATH), 401, "unauthenticated")
