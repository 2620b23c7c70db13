"""A contract wallet (EIP-1271) signs in, names a delegated key once, and trades through it until settlement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.wallet import ContractWallet, Wallet
from bizzan.faucet import fund
from exchange.domain.deployment import address_bytes
from exchange.domain.order import Side
from exchange.settings import LOCAL_KEYS
from tests.utils.contract_wallet import contract_wallet
from tests.utils.program import Program

MARKET, MARKET_BIT = "BTC-USDC", 1 << 1
DEPOSITED = 5_000_000_000  # ledger units of USDC
SECONDS = 240


async def until(what: str, probe: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    for _ in range(SECONDS * 2):
        if await probe():
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{what}: not within {SECONDS} s")


async def open_account(client: BizzanClient, custody: CustodyClient, program: Program) -> None:
    """The owner's money, deposited for the wallet."""
    exchange, token = client.exchange, client.exchange.tokens["USDC"]
    owner = custody.wallet.text_address
    await fund(program.rpc_url, exchange.chain_id, exchange.custody, exchange.tokens, LOCAL_KEYS["faucet"], owner)
    await custody.deposit_token(token, DEPOSITED, account=client.text_account)


async def trade(program: Program) -> None:
    """The whole path; the wallet itself never sends a transaction."""
    key, delegate = Wallet.create(), Wallet.create()
    owner = ContractWallet(address_bytes(contract_wallet(program.rpc_url, key)), key.sign_digest)
    async with (
        BizzanClient(program.api_url, delegate, owner=owner) as client,
        CustodyClient(program.rpc_url, client.exchange.custody, key) as custody,
    ):
        await open_account(client, custody, program)
        now = int(time.time())
        await custody.add_delegate_signed(
            owner, client.exchange.domain, delegate.text_address, now + 7 * 86_400, 1, MARKET_BIT
        )
        await client.login()

        async def credited() -> bool:
            balance = (await client.balances()).balance("USDC")
            return balance is not None and balance.available >= DEPOSITED

        async def settled() -> bool:
            return any(fill.status in ("settled", "final") for fill in await client.fills())

        async def traded() -> bool:
            return (await client.ticker(MARKET)).last_price is not None

        await until("the credit", credited)
        await until("a trade of others", traded)
        market = client.market(MARKET)
        last = market.price_text((await client.ticker(MARKET)).last_price or 0)
        worst = market.floor_price(Decimal(last) * Decimal("1.02"))
        # it rests if nobody sells at this moment, as the best bid, which somebody takes soon
        await client.place(MARKET, Side.buy, market.price_text(worst), "0.01")
        await until("the settlement", settled)


def test_a_contract_wallet_trades_through_its_delegate(program: Program) -> None:
    asyncio.run(trade(program))
