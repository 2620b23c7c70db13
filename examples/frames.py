"""Places sixteen orders under one signature through order entry, then sixteen more with the session's MAC.

Run it beside `bizzan up`: it makes a wallet, takes play money from the faucet, deposits it, and trades.
"""

import asyncio
import json
import time

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.entry import EntryClient
from bizzan.client.wallet import Wallet
from bizzan.faucet import fund_now
from bizzan.supervisor.deployment import read_deployment
from exchange.domain.order import Order, Side
from exchange.settings import load_settings


async def main() -> None:
    """Fund a wallet, then place two frames and say what became of them."""
    settings = load_settings()
    wallet = Wallet.create()
    fund_now(settings.rpc_url, read_deployment(settings), settings.key("faucet"), wallet.text_address)
    async with BizzanClient(f"http://{settings.api.host}:{settings.api.port}", wallet) as api:
        exchange, market = api.exchange, api.market("BTC-USDC").market
        async with CustodyClient(settings.rpc_url, exchange.custody, wallet) as custody:
            token = exchange.tokens["USDC"]
            await custody.approve(token.address)
            await custody.deposit(token.address, 1_000 * 10**token.decimals)
        await api.login()
        for _ in range(120):
            balance = (await api.balances()).balance("USDC")
            if balance is not None and balance.available:
                break
            await asyncio.sleep(0.5)
    price = market.reference_price * 9 // 10 // market.tick_size * market.tick_size
    expiry = int(time.time()) + 600

    def quotes(first: int) -> list[Order]:
        return [
            Order(wallet.address, market.market_id, Side.buy, price, 20, first + n, expiry, 0, 100, 0)
            for n in range(16)
        ]

    async with EntryClient(settings.entry.host, settings.entry.port, exchange.domain, wallet) as entry:
        outcome = await entry.place_frame(quotes(1))
        print("signed:", json.dumps({"seq": outcome.seq, "codes": list(outcome.codes)}))
        early, later = await entry.place_frame_early(quotes(101))
        print("durable at", early.seq)
        print("with a MAC:", json.dumps({"seq": (await later).seq, "codes": list((await later).codes)}))


if __name__ == "__main__":
    asyncio.run(main())
