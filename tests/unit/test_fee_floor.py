"""The floor that pays for gas."""

from decimal import Decimal
from typing import Any

from bizzan.fee_floor import floor_for, wei_per_trade

GWEI = 10**9


def test_a_floor_pays_for_the_gas_and_rounds_up() -> None:
    assert floor_for(30_000 * GWEI, Decimal(2_500), 6) == 75_000
    assert floor_for(1, Decimal(2_500), 6) == 1
    assert floor_for(30_000 * GWEI, Decimal("0.05"), 8) == 150


def test_the_gas_of_a_trade_is_that_of_the_batches_that_paid() -> None:
    batches: list[dict[str, Any]] = [
        {"gas_wei": "1000", "trades": 3},
        {"gas_wei": None, "trades": 9},
        {"gas_wei": "50", "trades": 0},
        {"gas_wei": "1000", "trades": 4},
    ]
    assert wei_per_trade(batches) == 286
    assert wei_per_trade(batches[1:3]) is None
