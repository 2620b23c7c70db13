"""Play money on the local chain: coins for gas and test tokens for any address.

The tokens of the local chain mint for whoever calls their `faucet`; the coins come from a funded development
account. Anywhere but on the local chain there is nothing to hand out, and the command says so.

    FaucetRefused   not the local chain, or not an address
"""

import asyncio
from collections.abc import Mapping

from bizzan.client.custody import CustodyClient
from bizzan.client.wallet import Wallet
from exchange.chain.faucet import MAX_FEE, Gift, gift_of
from exchange.domain.deployment import ETH, Deployment, address_bytes, checksum
from exchange.domain.instrument import Token
from exchange.settings import LOCAL_CHAIN_ID


class FaucetRefused(Exception):
    """There is no faucet for this chain or address."""


def faucet_client(rpc_url: str, custody: str, faucet_key: str) -> CustodyClient:
    """A client that pays with the faucet's key, beside all others who do."""
    return CustodyClient(rpc_url, custody, Wallet.from_hex(faucet_key), max_fee_per_gas=MAX_FEE)


async def fund(
    rpc_url: str, chain_id: int, custody: str, tokens: Mapping[str, Token], faucet_key: str, recipient: str
) -> list[Gift]:
    """Send ETH and each test token (by symbol) to `recipient`.

    Raises FaucetRefused, TransactionFailed, Unreachable.
    """
    address = _checked(chain_id, recipient)
    async with faucet_client(rpc_url, custody, faucet_key) as faucet:
        gifts = (_give(faucet, symbol, token, address) for symbol, token in tokens.items())
        return list(await asyncio.gather(*gifts))


async def _give(faucet: CustodyClient, symbol: str, token: Token, address: str) -> Gift:
    """Send one token; the test tokens mint to whoever asks, so they take two transactions."""
    amount = gift_of(symbol, token)
    if token.address == ETH:
        receipt = await faucet.transact(address, value=amount)
    else:
        await faucet.send(token.address, "faucet(uint256)", amount)
        receipt = await faucet.send(token.address, "transfer(address,uint256)", address, amount)
    return Gift(symbol, amount, token.decimals, receipt.tx_hash)


def fund_now(rpc_url: str, deployment: Deployment, faucet_key: str, recipient: str) -> list[Gift]:
    """`fund` with all tokens of a deployment, for callers without an event loop."""
    tokens = {deployment.asset(token.asset_id).symbol: token for token in deployment.tokens}
    return asyncio.run(fund(rpc_url, deployment.chain_id, deployment.custody, tokens, faucet_key, recipient))


def _checked(chain_id: int, recipient: str) -> str:
    if chain_id != LOCAL_CHAIN_ID:
        raise FaucetRefused(f"chain {chain_id} has no faucet: only the local chain {LOCAL_CHAIN_ID} has one")
    try:
        return checksum(address_bytes(recipient))
    except ValueError as error:
        raise FaucetRefused(f"address: {error}") from None
