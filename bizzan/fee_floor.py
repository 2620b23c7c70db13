"""A floor that pays for gas: what one trade costs to settle, in the quote asset's ledger units, rounded up."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

WEI_DECIMALS = 18


def wei_per_trade(batches: Iterable[Mapping[str, Any]]) -> int | None:
    """Wei paid for gas per trade, rounded up, over batches of `/v1/fees/batches`; None when none was paid."""
    paid = [(int(batch["gas_wei"]), int(batch["trades"])) for batch in batches if batch["gas_wei"] and batch["trades"]]
    trades = sum(count for _, count in paid)
    return -(-sum(wei for wei, _ in paid) // trades) if trades else None


def floor_for(wei: int, coin_price: Decimal, quote_decimals: int) -> int:
    """What `wei` are worth when the chain's coin costs `coin_price` of the quote asset, in its ledger units."""
    exact = (Decimal(wei) * coin_price).scaleb(quote_decimals - WEI_DECIMALS)
    return int(exact.to_integral_value(ROUND_CEILING))
