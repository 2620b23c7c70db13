"""Accounts that leave trading to another key: one of an ordinary key, and one that is a contract (EIP-1271).

What is there already, the contract and the delegation, is left alone, so a restart adds nothing.
"""

from __future__ import annotations

import time

from bizzan.client.custody import CustodyClient
from bizzan.client.errors import TransactionFailed
from bizzan.client.wallet import ContractWallet, Owner, Wallet
from bizzan.contracts import artifact
from exchange.domain.deposit_address import created_address
from exchange.domain.eip712 import Domain

TEST_WALLET = "test_wallets/TestWallet"
DELEGATED_SECONDS = 365 * 86_400
RENEW_SECONDS = 7 * 86_400
"""A delegation with less time left is renewed at the start."""


def contract_wallet(owner: Wallet) -> ContractWallet:
    """The test wallet of `owner`, which is the first contract that this key ever creates."""
    return ContractWallet(created_address(owner.address, 0), owner.sign_digest)


async def create_wallet(custody: CustodyClient, wallet: ContractWallet) -> None:
    """Create the test wallet unless it stands; `custody` is its owner's. Raises TransactionFailed, Unreachable."""
    if await custody.has_code(wallet.text_address):
        return
    code = bytes.fromhex(artifact(TEST_WALLET).bytecode.removeprefix("0x"))
    await custody.transact(None, code + custody.wallet.address.rjust(32, b"\0"))
    if not await custody.has_code(wallet.text_address):
        raise TransactionFailed(f"the wallet is not at {wallet.text_address}: its owner sent transactions before")


async def delegate(custody: CustodyClient, owner: Owner, domain: Domain, key: Wallet) -> None:
    """Let `key` trade for `owner`, unless it may: by the owner's signature, which `custody` posts.

    Raises TransactionFailed, Unreachable.
    """
    now = int(time.time())
    if await custody.delegate_expiry(key.text_address, owner.text_address) < now + RENEW_SECONDS:
        await custody.add_delegate_signed(owner, domain, key.text_address, now + DELEGATED_SECONDS, nonce=now)
