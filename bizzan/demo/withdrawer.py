"""Withdrawals now and then: large ones that wait for their approvals, and small ones of the contract wallet.

The one account deposits a purse, withdraws more than the token's outflow limit to itself, and deposits again once it
was paid. The other pays its owner, by signatures that the wallet itself takes. What they do next follows from the chain
and the API alone, so a restart goes on where it was.
"""

from __future__ import annotations

from enum import StrEnum

import structlog

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.schemas import Withdrawal
from bizzan.demo.funding import fill_up, pay_in

SYMBOL = "USDC"
PURSE = 700_000_000_000
LARGE = 600_000_000_000
"""Ledger units; the local chain's limit is 500,000 USDC a day."""
SMALL = 10_000_000
EVERY_SECONDS = 180
WALLET_EVERY_SECONDS = 3_600
"""So that a day of them is within the gas that the keeper pays for a contract wallet."""

log = structlog.get_logger()


class Move(StrEnum):
    """What the account does next."""

    wait = "wait"
    deposit = "deposit"
    withdraw = "withdraw"


def next_move(on_chain: int, withdrawable: int, last: Withdrawal | None, now_ms: int) -> Move:
    """Decide: `on_chain` is the trading balance in the contract, `withdrawable` the engine's word; `last` the latest
    withdrawal. Amounts in ledger units."""
    if last is not None and last.status == "held" and last.tx_hash is None:
        return Move.wait
    if on_chain < LARGE:
        return Move.deposit
    return Move.withdraw if withdrawable >= LARGE and rested(last, now_ms) else Move.wait


def rested(last: Withdrawal | None, now_ms: int, seconds: int = EVERY_SECONDS) -> bool:
    """Whether the latest withdrawal was long enough ago."""
    return last is None or now_ms - last.created_at >= seconds * 1_000


class Withdrawer:
    """One wallet with much money; `client` is signed in."""

    def __init__(self, client: BizzanClient, custody: CustodyClient, faucet: CustodyClient) -> None:
        self._client = client
        self._custody = custody
        self._faucet = faucet

    async def step(self, now_ms: int) -> Move:
        """Do what is next, and say what it was. Raises ClientError."""
        token = self._client.exchange.tokens[SYMBOL]
        last = next(iter(await self._client.withdrawals()), None)
        balance = (await self._client.balances()).balance(SYMBOL)
        on_chain = await self._custody.trading_balance(token.token_id)
        move = next_move(on_chain, balance.withdrawable if balance else 0, last, now_ms)
        if move is Move.deposit:
            await fill_up(self._custody, self._faucet)
            await pay_in(self._custody, token, (PURSE - on_chain) * token.unit)
        elif move is Move.withdraw:
            ack = await self._client.withdraw(SYMBOL, LARGE)
            log.info("large_withdrawal", account=self._client.text_account, withdrawal_hash=ack.withdrawal_hash)
        return move


class SmallWithdrawer:
    """A contract wallet that pays its owner; `client` signs by the wallet."""

    def __init__(self, client: BizzanClient, recipient: str) -> None:
        self._client = client
        self._recipient = recipient

    async def step(self, now_ms: int) -> Move:
        """Do what is next, and say what it was. Raises ClientError."""
        last = next(iter(await self._client.withdrawals()), None)
        balance = (await self._client.balances()).balance(SYMBOL)
        if balance is None or balance.withdrawable < SMALL or not rested(last, now_ms, WALLET_EVERY_SECONDS):
            return Move.wait
        ack = await self._client.withdraw(SYMBOL, SMALL, recipient=self._recipient)
        log.info("wallet_withdrawal", account=self._client.text_account, withdrawal_hash=ack.withdrawal_hash)
        return Move.withdraw
