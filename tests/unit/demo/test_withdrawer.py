"""What the account with much money does next, from the chain and the API alone."""

from __future__ import annotations

import pytest

from bizzan.client.schemas import Account, Balance, Withdrawal, WithdrawalAck
from bizzan.demo.withdrawer import (
    EVERY_SECONDS,
    LARGE,
    PURSE,
    SMALL,
    WALLET_EVERY_SECONDS,
    Move,
    SmallWithdrawer,
    next_move,
)
from exchange.settings import KeeperSettings

NOW = 1_800_000_000_000
RESTED = NOW - EVERY_SECONDS * 1_000
WALLET_RESTED = NOW - WALLET_EVERY_SECONDS * 1_000
DAY_SECONDS, CALL_GAS = 86_400, 170_000


def withdrawal(status: str, created_at: int = RESTED, tx_hash: str | None = None) -> Withdrawal:
    return Withdrawal("0x12", "withdrawal", 0, LARGE, 0, status, created_at, tx_hash)


@pytest.mark.parametrize(
    ("on_chain", "withdrawable", "last", "move"),
    [
        (0, 0, None, Move.deposit),
        (PURSE, 0, None, Move.wait),  # not credited yet
        (PURSE, PURSE, None, Move.withdraw),
        (LARGE, LARGE, None, Move.withdraw),
        (PURSE, PURSE - LARGE, withdrawal("held"), Move.wait),
        (PURSE - LARGE, PURSE - LARGE, withdrawal("held", tx_hash="0x34"), Move.deposit),
        (PURSE, PURSE, withdrawal("consumed", tx_hash="0x34"), Move.withdraw),
        (PURSE, PURSE, withdrawal("consumed", RESTED + 1, "0x34"), Move.wait),
        (PURSE, PURSE, withdrawal("released"), Move.withdraw),
    ],
)
def test_the_next_move(on_chain: int, withdrawable: int, last: Withdrawal | None, move: Move) -> None:
    assert next_move(on_chain, withdrawable, last, NOW) is move


class Client:
    """Answers as the API does."""

    text_account = "0x" + "11" * 20

    def __init__(self, withdrawable: int, last: Withdrawal | None) -> None:
        self.withdrawable = withdrawable
        self.last = last
        self.sent: list[tuple[str, int, str]] = []

    async def withdrawals(self) -> list[Withdrawal]:
        return [] if self.last is None else [self.last]

    async def balances(self) -> Account:
        usdc = Balance(0, "USDC", 0, 0, 0, 0, self.withdrawable, 0, 0, 0, 0)
        return Account(self.text_account, "active", 0, [usdc], 0, 0)

    async def withdraw(self, symbol: str, amount: int, *, recipient: str) -> WithdrawalAck:
        self.sent.append((symbol, amount, recipient))
        return WithdrawalAck("0x12", 1, 0, 0, amount)


@pytest.mark.parametrize(
    ("withdrawable", "last", "move"),
    [
        (SMALL, None, Move.withdraw),
        (SMALL - 1, None, Move.wait),
        (SMALL, withdrawal("held", WALLET_RESTED + 1), Move.wait),
        (SMALL, withdrawal("held", WALLET_RESTED), Move.withdraw),
    ],
)
async def test_the_contract_wallet_pays_its_owner_now_and_then(
    withdrawable: int, last: Withdrawal | None, move: Move
) -> None:
    client = Client(withdrawable, last)
    assert await SmallWithdrawer(client, "0x34").step(NOW) is move  # type: ignore[arg-type]
    assert client.sent == ([("USDC", SMALL, "0x34")] if move is Move.withdraw else [])


def test_a_day_of_them_is_within_the_gas_that_the_keeper_pays() -> None:
    keeper = KeeperSettings()
    assert keeper.account_gas_per_day > DAY_SECONDS // EVERY_SECONDS * CALL_GAS
    assert keeper.wallet_gas_per_day > DAY_SECONDS // WALLET_EVERY_SECONDS * CALL_GAS
