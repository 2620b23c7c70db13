"""Amounts as people type and read them."""

import pytest

from exchange.domain.amount import MAX_AMOUNT, format_amount, parse_amount
from exchange.domain.errors import ErrorCode, Refusal


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [(1_500_000, 6, "1.5"), (100, 0, "100"), (1, 8, "0.00000001"), (0, 6, "0"), (MAX_AMOUNT, 0, str(MAX_AMOUNT))],
)
def test_an_amount_is_read_as_it_was_typed(amount: int, decimals: int, text: str) -> None:
    assert format_amount(amount, decimals) == text
    assert parse_amount(text, decimals) == amount


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("one", ErrorCode.malformed),
        ("", ErrorCode.malformed),
        ("0.0000001", ErrorCode.malformed),
        ("NaN", ErrorCode.malformed),
        ("Infinity", ErrorCode.malformed),
        ("-1", ErrorCode.amount_out_of_range),
        (str(MAX_AMOUNT), ErrorCode.amount_out_of_range),
    ],
)
def test_what_is_no_amount_is_refused(text: str, code: ErrorCode) -> None:
    with pytest.raises(Refusal) as caught:
        parse_amount(text, 6, "amount")
    assert (caught.value.code, caught.value.field) == (code, "amount")
