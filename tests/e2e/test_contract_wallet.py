"""A contract wallet (EIP-1271) signs in, names a delegated key once, and trades through it until settlement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.wallet import Wallet
from bizzan.faucet import fund
from exchange.domain.deployment import address_bytes
from exchange.domain.order import Side, TimeInForce
from exchange.settings import LOCAL_KEYS
from tests.utils.contract_wallet import contract_wallet
from tests.utils.program import Program
from tests.utils.sign_in import fresh_nonce, login, message_for

MARKET, MARKET_BIT = "BTC-USDC", 1 << 1
DEPOSITED = 5_000_000_000  # ledger units of USDC
SECONDS = 120


async def until(what: str, probe: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    for _ in range(SECONDS * 2):
        if await probe():
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{what}: not within {SECONDS} s")


async def open_account(client: BizzanClient, custody: CustodyClient, program: Program, address: str) -> None:
    """The owner's money, deposited for the wallet."""
    exchange, token = client.exchange, client.exchange.tokens["USDC"]
    owner = client.wallet.text_address
    await fund(program.rpc_url, exchange.chain_id, exchange.custody, exchange.tokens, LOCAL_KEYS["faucet"], owner)
    await custody.approve(token.address)
    await custody.deposit(token.address, DEPOSITED, account=address)


async def trade(program: Program) -> None:
    """The whole path; the wallet itself never sends a transaction."""
    owner, delegate = Wallet.create(), Wallet.create()
    address = contract_wallet(program.rpc_url, owner)
    async with (
        BizzanClient(program.api_url, owner) as client,
        CustodyClient(program.rpc_url, client.exchange.custody, owner) as custody,
        BizzanClient(program.api_url, delegate, account=address_bytes(address)) as trader,
        httpx.AsyncClient(base_url=program.api_url, timeout=30) as api,
    ):
        await open_account(client, custody, program, address)
        expiry = int(time.time()) + 7 * 86_400
        message: dict[str, int | bytes] = {
            "account": address_bytes(address),
            "delegate": delegate.address,
            "markets": MARKET_BIT,
            "expiry": expiry,
            "nonce": 1,
        }
        signature = owner.sign(client.exchange.domain, "Delegation", message)
        await custody.send(
            client.exchange.custody,
            "add_delegate_signed(address,address,uint256,uint256,uint256,bytes)",
            address,
            delegate.text_address,
            MARKET_BIT,
            expiry,
            1,
            signature,
        )
        answer = await login(api, owner, message_for(owner, await fresh_nonce(api), address=address))
        assert answer.status_code == 200, answer.text
        headers = {"authorization": f"Bearer {answer.json()['token']}"}

        async def read(path: str) -> dict[str, Any]:
            shown: dict[str, Any] = (await api.get(path, headers=headers)).json()
            return shown

        async def credited() -> bool:
            balances = (await read("/v1/account"))["balances"]
            return any(int(row["available"]) >= DEPOSITED for row in balances if row["symbol"] == "USDC")

        async def settled() -> bool:
            fills = (await read("/v1/fills"))["fills"]
            return any(fill["status"] in ("settled", "final") for fill in fills)

        async def asks() -> bool:
            return bool((await client.book(MARKET)).asks)

        await until("the credit", credited)
        await until("an offer", asks)
        market = client.market(MARKET)
        best = market.price_text((await client.book(MARKET)).asks[0][0])
        worst = market.floor_price(Decimal(best) * Decimal("1.02"))
        await trader.place(MARKET, Side.buy, market.price_text(worst), "0.01", time_in_force=TimeInForce.ioc)
        await until("the settlement", settled)


def test_a_contract_wallet_trades_through_its_delegate(program: Program) -> None:
    asyncio.run(trade(program))
