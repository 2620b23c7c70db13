"""Places sixteen quotes under one signature through order entry, then moves those that rest by amends in one frame.

The second frame is sent with the session's MAC: each order in it takes the place of an open one on its nonce, but for
the last, which is new.

Run it beside `bizzan up`: it makes a wallet, takes play money from the faucet, deposits it, and waits until
its first fill is settled on chain.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.entry import EntryClient
from bizzan.client.errors import Unreachable
from bizzan.client.schemas import Fill
from bizzan.client.wallet import Wallet
from bizzan.faucet import fund
from exchange.domain.entry import Outcome
from exchange.domain.instrument import Market
from exchange.domain.order import Order, Side
from exchange.domain.order_id import order_id
from exchange.settings import Settings, load_settings

MARKET = "BTC-USDC"
DEPOSIT_USDC = 1_000
LOTS = 20
ORDERS = 16
WAIT_SECONDS = 180
POLL_SECONDS = 0.5

T = TypeVar("T")


async def wait_for(what: str, probe: Callable[[], Awaitable[T | None]]) -> T:
    """Ask until there is an answer."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (answer := await probe()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {WAIT_SECONDS} s; is every service of 'bizzan status' up?")
        await asyncio.sleep(POLL_SECONDS)
    return answer


async def open_account(settings: Settings, api: BizzanClient) -> None:
    """Fund the wallet, deposit play money and wait until it can be traded."""
    exchange, token = api.exchange, api.exchange.tokens["USDC"]
    await fund(
        settings.rpc_url,
        exchange.chain_id,
        exchange.custody,
        exchange.tokens,
        settings.key("faucet"),
        api.wallet.text_address,
    )
    async with CustodyClient(settings.rpc_url, exchange.custody, api.wallet) as custody:
        await custody.deposit_token(token, DEPOSIT_USDC * 10**token.decimals)
    await api.login()

    async def credited() -> bool:
        balance = (await api.balances()).balance("USDC")
        return balance is not None and balance.available > 0

    await wait_for("credit of the deposit", credited)


def quotes(wallet: Wallet, market: Market, first: int, prices: list[int]) -> list[Order]:
    """One bid for each price, on nonces that count up."""
    expiry = int(time.time()) + 600
    return [
        Order(wallet.address, market.market_id, Side.buy, price, LOTS, first + n, expiry, 0, 100, 0)
        for n, price in enumerate(prices)
    ]


async def settled(api: BizzanClient, taker: int) -> list[Fill]:
    """All trades of an order that fills, one for each maker that it met, once the contract has settled them."""

    async def found() -> list[Fill] | None:
        fills = [fill for fill in await api.fills(order_id=taker) if fill.status in ("settled", "final")]
        return fills if sum(fill.quantity for fill in fills) == LOTS else None

    return await wait_for("settlement", found)


async def lowest_ask(api: BizzanClient) -> int:
    """The best price at which somebody sells: the demo's wallets do, as soon as they are there."""

    async def asks() -> list[int]:
        return [price for price, *_ in (await api.book(MARKET)).asks]

    return (await wait_for("somebody who sells", asks))[0]


def said(outcome: Outcome) -> str:
    """An outcome in one line."""
    return json.dumps({"seq": outcome.seq, "codes": list(outcome.codes)})


async def main() -> None:
    """Fund a wallet, place quotes, of which one takes, move the others, and say what became of them."""
    settings = load_settings()
    wallet = Wallet.create()
    async with BizzanClient(f"http://{settings.api.host}:{settings.api.port}", wallet) as api:
        await open_account(settings, api)
        market = api.market(MARKET).market
        ask = await lowest_ask(api)
        below, through = (ask * part // 100 // market.tick_size * market.tick_size for part in (90, 102))
        async with EntryClient(settings.entry.host, settings.entry.port, api.exchange.domain, wallet) as entry:
            first, *rest = quotes(wallet, market, 1, [through] + [below] * (ORDERS - 1))
            outcome = await entry.place_frame([first, *rest])
            print("signed:", said(outcome))
            moved = [replace(quote, price=quote.price - market.tick_size) for quote in rest]
            new = quotes(wallet, market, 101, [below])
            early, later = await entry.place_frame_early([*moved, *new], amends=range(len(moved)))
            print("durable at", early.seq)
            print("moved, with a MAC:", said(await later))
        for fill in await settled(api, order_id(outcome.seq, 0)):
            print(f"settled: {fill.quantity} lots at {fill.price} in {fill.tx_hash}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except Unreachable as error:
        sys.exit(f"{error}: start the exchange with 'make run'")
