"""A contract's refusal reaches the caller as a typed error: before it is sent, and when the block decides otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from eth_abi.abi import encode
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from bizzan.client.custody import CustodyClient
from bizzan.client.errors import TransactionFailed
from bizzan.client.wallet import Wallet
from bizzan.contracts import artifact
from bizzan.supervisor.anvil import Anvil
from exchange.domain.errors import ErrorCode
from tests.utils.waiting import wait_for

OWNER = Wallet.from_seed("refusals", 1)
HEIR = Wallet.from_seed("refusals", 2).text_address


@pytest.fixture(scope="module")
def chain(anvil: Anvil) -> Web3:
    """A chain on which the owner has ether."""
    web3 = Web3(HTTPProvider(anvil.url))
    web3.provider.make_request(RPCEndpoint("anvil_setBalance"), [OWNER.text_address, hex(10**20)])
    return web3


@pytest.fixture(scope="module")
def token(chain: Web3) -> str:
    """A test token."""
    code = artifact("test_tokens/TestToken").bytecode + encode(["string", "string", "uint8"], ["T", "T", 0]).hex()
    sent = chain.eth.send_transaction({"from": chain.eth.accounts[0], "data": code})  # type: ignore[typeddict-item]
    return str(chain.eth.wait_for_transaction_receipt(sent)["contractAddress"])


@pytest.fixture
async def owner(anvil: Anvil, token: str) -> AsyncIterator[CustodyClient]:
    """The owner's client."""
    async with CustodyClient(anvil.url, token, OWNER) as client:
        yield client


async def test_a_refusal_is_known_before_anything_is_sent(owner: CustodyClient, token: str) -> None:
    with pytest.raises(TransactionFailed, match=r"^transfer: not allowed$") as refused:
        await owner.send(token, "transferFrom(address,address,uint256)", HEIR, HEIR, 1)
    assert (refused.value.code, refused.value.tx_hash) == (ErrorCode.insufficient_allowance, None)
    assert refused.value.advice == "Call the token's `approve` first."


async def test_a_refusal_without_a_reason_says_so(owner: CustodyClient, token: str) -> None:
    with pytest.raises(TransactionFailed, match="without a reason") as refused:
        await owner.send(token, "no_such_function()")
    assert (refused.value.reason, refused.value.code) == ("", ErrorCode.contract_refused)


async def test_a_transaction_that_its_block_refuses_has_the_reason_too(
    anvil: Anvil, chain: Web3, owner: CustodyClient, token: str
) -> None:
    """Two that each could be mined, and together cannot."""
    await owner.send(token, "faucet(uint256)", 10)
    chain.provider.make_request(RPCEndpoint("evm_setAutomine"), [False])
    async with CustodyClient(anvil.url, token, OWNER) as other:
        first = asyncio.create_task(owner.send(token, "transfer(address,uint256)", HEIR, 10))
        await asyncio.to_thread(wait_for, lambda: pending(chain) == 1, "the first to wait")
        second = asyncio.create_task(other.send(token, "transfer(address,uint256)", HEIR, 10))
        await asyncio.to_thread(wait_for, lambda: pending(chain) == 2, "both to wait")
        chain.provider.make_request(RPCEndpoint("evm_mine"), [])
        await first
        with pytest.raises(TransactionFailed, match="transfer: too little balance") as refused:
            await second
    assert (refused.value.reason, refused.value.code) == (
        "transfer: too little balance",
        ErrorCode.insufficient_balance,
    )
    assert refused.value.tx_hash is not None


def pending(chain: Web3) -> int:
    """How many transactions wait."""
    status = chain.provider.make_request(RPCEndpoint("txpool_status"), [])["result"]
    return int(status["pending"], 16)


async def test_senders_who_share_a_key_do_not_stand_in_each_others_way(anvil: Anvil, chain: Web3, token: str) -> None:
    """They draw the same nonce until the chain has taken one of them."""
    chain.provider.make_request(RPCEndpoint("evm_setAutomine"), [True])
    clients = [CustodyClient(anvil.url, token, OWNER) for _ in range(4)]
    try:
        receipts = await asyncio.gather(*(client.send(token, "faucet(uint256)", 1) for client in clients))
    finally:
        for client in clients:
            await client.close()
    assert len({receipt.tx_hash for receipt in receipts}) == len(clients)


async def test_what_the_node_says_is_told(anvil: Anvil, chain: Web3, token: str) -> None:
    """A wallet without ether cannot pay for gas; the library's own words would not say so."""
    async with CustodyClient(anvil.url, token, Wallet.from_seed("refusals", 3)) as poor:
        with pytest.raises(TransactionFailed, match="(?i)insufficient funds"):
            await poor.transact(HEIR, value=1)
