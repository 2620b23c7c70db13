"""What the account with much money does next, from the chain and the API alone."""

from __future__ import annotations

import pytest

from bizzan.client.schemas import Withdrawal
from bizzan.demo.withdrawer import EVERY_SECONDS, LARGE, PURSE, Move, next_move

NOW = 1_800_000_000_000
RESTED = NOW - EVERY_SECONDS * 1_000


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
