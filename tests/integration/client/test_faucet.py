"""The faucet's key pays in several processes at once: the API's faucet, the demo, the command line, the examples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bizzan.client.wallet import Wallet
from bizzan.faucet import faucet_client
from bizzan.supervisor.anvil import Anvil
from exchange.chain.faucet import Faucet
from exchange.chain.rpc import Rpc, RpcRefused
from exchange.chain.signing import Key, Transaction
from exchange.domain.deployment import ETH
from exchange.domain.instrument import Token

PAYER = Wallet.from_seed("faucet", 1)
SOMEBODY = Wallet.from_seed("faucet", 2)
COINS = Token(chain_id=31_337, token_id=1, address=ETH, asset_id=1, unit=10**10, decimals=18)
CONTRACT = "0x" + "11" * 20
"""A contract's address that nothing here calls."""


@pytest.fixture
async def rpc(anvil: Anvil) -> AsyncIterator[Rpc]:
    """A chain on which the payer has ether."""
    async with Rpc(anvil.url) as rpc:
        await rpc.call("anvil_setBalance", PAYER.text_address, hex(10**22))
        yield rpc


async def offers(rpc: Rpc, tx_hash: str) -> int:
    """Wei per gas that a transaction offers."""
    found: dict[str, Any] = await rpc.call("eth_getTransactionByHash", tx_hash)
    return int(found["maxFeePerGas"], 16)


async def test_all_who_pay_with_its_key_offer_the_same_whatever_a_block_costs(anvil: Anvil, rpc: Rpc) -> None:
    faucet = Faucet(rpc, 31_337, Key(PAYER.key), {"ETH": COINS})
    async with faucet_client(anvil.url, CONTRACT, PAYER.key.hex()) as other:
        seen = set()
        for base_fee in (10**9, 7 * 10**9):
            await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
            await rpc.call("evm_mine")
            [gift] = await faucet.give(SOMEBODY.address)
            receipt = await other.transact(SOMEBODY.text_address, value=1)
            seen |= {await offers(rpc, gift.tx_hash), await offers(rpc, receipt.tx_hash)}
    assert len(seen) == 1


async def test_what_offers_the_same_takes_nobodys_place(anvil: Anvil, rpc: Rpc) -> None:
    """The node's own rule, on which this stands: what offers a wei more does."""
    key = Key(PAYER.key)
    await rpc.call("evm_setAutomine", False)
    try:
        nonce = await rpc.transaction_count(key.address, "pending")

        async def send(max_fee: int, value: int) -> bytes:
            transaction = Transaction(31_337, nonce, 10**9, max_fee, 21_000, SOMEBODY.address, value, b"")
            return await rpc.send_raw_transaction(transaction.sign(key).raw)

        await send(10**12, 1)
        with pytest.raises(RpcRefused, match="underpriced"):
            await send(10**12, 2)
        await send(10**12 + 1, 3)
    finally:
        await rpc.call("evm_mine")
        await rpc.call("evm_setAutomine", True)


async def test_many_at_once_all_give(anvil: Anvil, rpc: Rpc) -> None:
    faucets = [Faucet(rpc, 31_337, Key(PAYER.key), {"ETH": COINS}) for _ in range(4)]
    gifts = await asyncio.gather(*(faucet.give(SOMEBODY.address) for faucet in faucets))
    assert len({gift.tx_hash for [gift] in gifts}) == 4
