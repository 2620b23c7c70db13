"""Money for the demo's wallets: coins from the local chain's faucet account, tokens minted by each wallet itself.

A wallet deposits itself, or pays its deposit address by plain transfers, as somebody would who comes from another
exchange. Wallets that already own something in the exchange are left alone, so a restart deposits nothing twice.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from exchange.domain.deployment import ETH
from exchange.domain.instrument import Token

GAS_WEI = 10**18
"""What a wallet keeps for its own transactions."""

Purse = Mapping[str, Decimal]
"""Whole coins to deposit, by symbol."""


async def missing(client: BizzanClient, custody: CustodyClient, purse: Purse, address: str | None) -> list[str]:
    """The symbols of the purse of which the account has nothing: in the engine, on its way, on chain, at `address`."""
    account = await client.balances()
    empty = []
    for symbol in purse:
        balance = account.balance(symbol)
        if balance is not None and (balance.total or balance.uncredited):
            continue
        token = client.exchange.tokens[symbol]
        if address is not None and await custody.token_balance(token.address, address) >= token.unit:
            continue
        if not await custody.trading_balance(token.token_id, client.text_account):
            empty.append(symbol)
    return empty


async def provide(
    client: BizzanClient, custody: CustodyClient, faucet: CustodyClient, purse: Purse, *, plainly: bool = False
) -> None:
    """Deposit what is missing of the purse, or pay it to the deposit address when `plainly`.

    Raises TransactionFailed, Unreachable, ApiError.
    """
    address = (await client.deposit_address()).deposit_address if plainly else None
    empty = await missing(client, custody, purse, address)
    if not empty:
        return
    tokens = {symbol: client.exchange.tokens[symbol] for symbol in empty}
    amounts = {symbol: int(purse[symbol].scaleb(token.decimals)) for symbol, token in tokens.items()}
    await fill_up(custody, faucet, sum(amounts[s] for s, token in tokens.items() if token.address == ETH))
    account = client.text_account
    await asyncio.gather(*(_pay_in(custody, t, amounts[symbol], account, address) for symbol, t in tokens.items()))


async def fill_up(custody: CustodyClient, faucet: CustodyClient, deposit_wei: int = 0) -> None:
    """Bring the wallet's coins up to the deposit and the gas of a long life."""
    short = deposit_wei + GAS_WEI - await custody.token_balance(ETH)
    if short > 0:
        await faucet.transact(custody.wallet.text_address, value=short)


async def pay_in(custody: CustodyClient, token: Token, amount: int) -> None:
    """Deposit token units for the wallet itself. Raises TransactionFailed, Unreachable."""
    await _pay_in(custody, token, amount, custody.wallet.text_address, None)


async def _pay_in(custody: CustodyClient, token: Token, amount: int, account: str, address: str | None) -> None:
    """Deposit token units for `account`, or send them to `address`; minted first when the wallet has too few."""
    if token.address != ETH:
        short = amount - await custody.token_balance(token.address)
        if short > 0:
            await custody.send(token.address, "faucet(uint256)", short)
    if address is None:
        await custody.deposit_token(token, amount // token.unit, account=account)
    else:
        await custody.transfer(token.address, address, amount)
