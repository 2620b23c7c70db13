"""Amounts: integers in ledger units, and the two places where a person reads or types them.

A ledger amount counts the smallest unit of an *asset* (its `decimals`), fits 64 bits and is never
negative. A *token* on a chain holds the same asset with its own decimals; `unit` token units make
one ledger unit. Only the custody contract and its callers convert between the two.
"""

from decimal import Decimal, InvalidOperation

from exchange.domain.errors import ErrorCode, Refusal

MAX_AMOUNT = 2**63 - 1
"""Largest ledger amount anything off chain handles, so that it fits a signed 64-bit column."""

BPS = 10_000
"""Basis points in one."""


def format_amount(amount: int, decimals: int) -> str:
    """`amount` ledger units as a person reads them, without trailing zeros."""
    text = f"{Decimal(amount).scaleb(-decimals):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_amount(text: str, decimals: int, field: str = "amount") -> int:
    """What a person typed, in ledger units. Refuses signs, excess digits and amounts over 63 bits."""
    try:
        scaled = Decimal(text).scaleb(decimals)
    except InvalidOperation:
        raise Refusal(ErrorCode.malformed, f"{field} is not a decimal number", field) from None
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise Refusal(
            ErrorCode.malformed,
            f"{field} has more than {decimals} digits after the point",
            field,
            {"decimals": decimals},
        )
    if not 0 <= scaled <= MAX_AMOUNT:
        raise Refusal(ErrorCode.amount_out_of_range, f"{field} must be 0 to {MAX_AMOUNT}", field)
    return int(scaled)
