"""A withdrawal above its token's outflow limit waits until enough approvers have approved it, and is paid then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.schemas import Withdrawal
from bizzan.client.wallet import Wallet
from bizzan.faucet import fund
from exchange.settings import LOCAL_KEYS
from tests.utils.program import Program

DEPOSITED = 700_000_000_000  # ledger units of USDC
LARGE = 600_000_000_000  # above the local chain's limit of 500,000
SECONDS = 240
NOBODYS = "0x" + "12" * 32
"""A whole hash: the demo's withdrawals wait as well, and one may begin with few digits like these."""


async def until(what: str, probe: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    for _ in range(SECONDS * 2):
        if await probe():
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{what}: not within {SECONDS} s")


async def approve_and_withdraw(program: Program) -> None:
    """The whole path, by one user and two approvers."""
    wallet = Wallet.create()
    async with (
        BizzanClient(program.api_url, wallet) as client,
        CustodyClient(program.rpc_url, client.exchange.custody, wallet) as custody,
    ):
        exchange, token = client.exchange, client.exchange.tokens["USDC"]
        await fund(
            program.rpc_url,
            exchange.chain_id,
            exchange.custody,
            exchange.tokens,
            LOCAL_KEYS["faucet"],
            wallet.text_address,
        )
        await custody.send(token.address, "faucet(uint256)", DEPOSITED)
        await custody.deposit_token(token, DEPOSITED)
        await client.login()

        async def withdrawable() -> bool:
            balance = (await client.balances()).balance("USDC")
            return balance is not None and balance.withdrawable >= LARGE

        await until("the credit", withdrawable)
        before = await custody.token_balance(token.address)
        ack = await client.withdraw("USDC", LARGE)

        async def row() -> Withdrawal | None:
            return next((r for r in await client.withdrawals() if r.withdrawal_hash == ack.withdrawal_hash), None)

        async def waits() -> bool:
            seen = await row()
            return seen is not None and seen.approvals.needed == 2

        await until("the wait for approvals", waits)
        assert ack.withdrawal_hash[:18] in program.succeed("approvals", "list")
        assert await custody.token_balance(token.address) == before
        for number in ("1", "2"):
            shown = program.succeed("approvals", "approve", ack.withdrawal_hash[:18], "--approver", number, "--yes")
            assert "600000 USDC" in shown.replace(",", "")

        async def paid() -> bool:
            seen = await row()
            return seen is not None and seen.tx_hash is not None

        await until("the payment", paid)
        assert await custody.token_balance(token.address) == before + LARGE
        seen = await row()
        assert seen is not None
        assert seen.approvals.given == 2


def test_a_large_withdrawal_waits_for_its_approvals_and_is_paid(program: Program) -> None:
    assert "refused" not in program.succeed("approvals", "list")
    asyncio.run(approve_and_withdraw(program))
    refused = program.refusal("approvals", "approve", NOBODYS, "--yes")
    assert f"0 waiting withdrawals begin with {NOBODYS}" in refused
    program.succeed("audit")
