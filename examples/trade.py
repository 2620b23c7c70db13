"""A whole trade of a new wallet, through the public API and the contract only.

    new wallet -> faucet -> deposit -> signed order -> fill -> settlement on chain -> withdrawal

Run it while `make run` is up:  .venv/bin/python examples/trade.py
Each run makes a new wallet. When nobody else trades, a second new wallet is the other side.
What was bought goes back to the wallet; the rest of the deposit stays on the exchange.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.errors import Unreachable
from bizzan.client.orders import OrderBuilder
from bizzan.client.schemas import Fill
from bizzan.client.wallet import Wallet
from bizzan.faucet import fund
from exchange.domain.amount import format_amount, parse_amount
from exchange.domain.order import Side, TimeInForce
from exchange.settings import Settings, load_settings

MARKET = "BTC-USDC"
QUANTITY = "0.01"
DEPOSIT_USDC = "5000"
DEPOSIT_BTC = "0.02"
FIRST_PRICE = "8000"
TRIES = 5
WAIT_SECONDS = 180
POLL_SECONDS = 0.5

T = TypeVar("T")


async def wait_for(what: str, probe: Callable[[], Awaitable[T | None]]) -> T:
    """Ask until there is an answer."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (answer := await probe()) is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {WAIT_SECONDS} s; is every service of 'bizzan status' up?")
        await asyncio.sleep(POLL_SECONDS)
    return answer


async def open_account(
    settings: Settings, client: BizzanClient, custody: CustodyClient, symbol: str, text: str
) -> None:
    """Fund a new wallet, deposit one asset and wait until it can be traded."""
    exchange = client.exchange
    amount = parse_amount(text, exchange.assets[symbol].decimals)
    key, wallet = settings.key("faucet"), client.wallet.text_address
    for gift in await fund(settings.rpc_url, exchange.chain_id, exchange.custody, exchange.tokens, key, wallet):
        print(f"  faucet      {gift.symbol:<5} {gift.tx_hash}")
    receipt = await custody.deposit_token(exchange.tokens[symbol], amount)
    print(f"  deposit     {symbol:<5} {receipt.tx_hash}")
    await client.login()

    async def credited() -> bool | None:
        balance = (await client.balances()).balance(symbol)
        return True if balance and balance.available >= amount else None

    await wait_for("credit of the deposit", credited)
    print(f"  credited    {text} {symbol}, after {exchange.credit_confirmations} confirmations")


async def lowest_ask(settings: Settings, client: BizzanClient, market: OrderBuilder) -> int:
    """The best price at which somebody sells. When nobody does, a second wallet sells, which others may take first."""

    async def asked() -> int | None:
        asks = (await client.book(MARKET)).asks
        return asks[0][0] if asks else None

    price = await asked()
    if price is None:
        print("nobody sells: a second wallet does")
        await offer(settings, client, market)
        price = await wait_for("somebody who sells", asked)
    return price


async def offer(settings: Settings, client: BizzanClient, market: OrderBuilder) -> None:
    """Sell from a new wallet at the last price."""
    wallet = Wallet.create()
    async with BizzanClient(client.base_url, wallet) as seller:
        async with CustodyClient(settings.rpc_url, seller.exchange.custody, wallet) as custody:
            await open_account(settings, seller, custody, market.base.symbol, DEPOSIT_BTC)
        last = (await seller.ticker(MARKET)).last_price
        price = market.price_text(last) if last else FIRST_PRICE
        ack = await seller.place(MARKET, Side.sell, price, QUANTITY)
        print(f"  sell order  {ack.order_hash}")


async def buy(client: BizzanClient, market: OrderBuilder, ask: int) -> Fill | None:
    """Take what is asked for, or what stands up to one per cent above it, and return the first fill if there is one."""
    worst = market.floor_price(Decimal(market.price_text(ask)) * Decimal("1.01"))
    price = market.price_text(worst)
    said = await client.preview(MARKET, Side.buy, price, QUANTITY, time_in_force=TimeInForce.ioc)
    fee, most = (format_amount(amount, market.quote.decimals) for amount in (said.fills_now_fee, said.taker_fee))
    print(f"fee           {fee} {market.quote.symbol} now, {most} at most; cap to sign {said.max_fee_bps} bps")
    ack = await client.place(MARKET, Side.buy, price, QUANTITY, time_in_force=TimeInForce.ioc)
    print(f"order         {ack.order_hash} (journal sequence {ack.seq})")

    async def closed() -> bool | None:
        rows = await client.orders()
        return True if any(row.order_id == ack.order_id and row.status != "open" for row in rows) else None

    await wait_for("end of the order", closed)
    fills = await client.fills(order_id=ack.order_id)
    if not fills:
        print("no fill       somebody else was faster")
        return None
    print(f"fill          {market.quantity_text(fills[0].quantity)} at {market.price_text(fills[0].price)}")
    return fills[0]


async def buy_from_somebody(settings: Settings, client: BizzanClient, market: OrderBuilder) -> Fill:
    """Buy at the best price that is asked for, and again where somebody else was faster."""
    for _ in range(TRIES):
        if fill := await buy(client, market, await lowest_ask(settings, client, market)):
            return fill
    raise SystemExit(f"somebody else was faster {TRIES} times: run it again when there are fewer buyers")


async def settled(client: BizzanClient, fill: Fill, *states: str) -> Fill:
    """Wait until the fill's settlement is in one of the states."""

    async def there() -> Fill | None:
        now = next(found for found in await client.fills(order_id=fill.order_id) if found.trade_id == fill.trade_id)
        if now.status == "reversed":
            raise SystemExit(f"the trade was reversed: {now.reversed_because}")
        return now if now.status in states else None

    return await wait_for("settlement", there)


async def withdraw_all(client: BizzanClient, custody: CustodyClient, symbol: str) -> None:
    """Withdraw what can be withdrawn of an asset to the wallet, and show what it has then."""
    token, decimals = client.exchange.tokens[symbol], client.exchange.assets[symbol].decimals

    async def withdrawable() -> int | None:
        balance = (await client.balances()).balance(symbol)
        return balance.withdrawable if balance and balance.withdrawable else None

    amount = await wait_for("money that can be withdrawn", withdrawable)
    ack = await client.withdraw(symbol, amount)

    async def paid() -> str | None:
        rows = await client.withdrawals()
        return next((row.tx_hash for row in rows if row.withdrawal_hash == ack.withdrawal_hash), None)

    tx_hash = await wait_for("withdrawal", paid)
    print(f"withdrawal    {format_amount(amount, decimals)} {symbol} in {tx_hash}")
    owned = await custody.token_balance(token.address)
    print(f"wallet        has {format_amount(owned, token.decimals)} {symbol}")


async def main() -> None:
    """Trade once."""
    settings = load_settings()
    wallet = Wallet.create()
    print(f"wallet        {wallet.text_address}")
    async with (
        BizzanClient(f"http://{settings.api.host}:{settings.api.port}", wallet) as client,
        CustodyClient(settings.rpc_url, client.exchange.custody, wallet) as custody,
    ):
        market = client.market(MARKET)
        await open_account(settings, client, custody, market.quote.symbol, DEPOSIT_USDC)
        fill = await settled(client, await buy_from_somebody(settings, client, market), "settled", "final")
        print(f"settled       batch {fill.batch} in {fill.tx_hash}")
        await settled(client, fill, "final")
        print(f"final         block {fill.block_number}")
        await withdraw_all(client, custody, market.base.symbol)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except Unreachable as error:
        sys.exit(f"{error}: start the exchange with 'make run'")
