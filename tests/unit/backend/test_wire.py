"""JSON in and out: what is refused, and by which field."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from backend.app import create_app
from backend.errors import STATUS
from backend.wire import SHAPES, Digits, HexAddress, checksum, decode, integer
from exchange.domain.errors import ErrorCode, Refusal
from exchange.settings import load_settings


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """A nested object."""

    amount: Digits


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    """A request."""

    account: HexAddress
    inner: Inner


DECODER = msgspec.json.Decoder(Outer)
ACCOUNT = "0x" + "ab" * 20


def _refusal(body: object) -> Refusal:
    with pytest.raises(Refusal) as refused:
        decode(DECODER, body if isinstance(body, bytes) else msgspec.json.encode(body))
    return refused.value


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"account": ACCOUNT}, "malformed", "inner"),
        ({"account": ACCOUNT, "inner": {}}, "malformed", "inner.amount"),
        ({"account": ACCOUNT, "inner": {"amount": "1"}, "x": 1}, "unknown_field", "x"),
        ({"account": ACCOUNT, "inner": {"amount": "1", "x": 1}}, "unknown_field", "inner.x"),
        ({"account": ACCOUNT, "inner": {"amount": 1}}, "malformed", "inner.amount"),
        ({"account": ACCOUNT, "inner": {"amount": "-1"}}, "malformed", "inner.amount"),
        ({"account": ACCOUNT, "inner": {"amount": "5\n"}}, "malformed", "inner.amount"),
        ({"account": ACCOUNT[:-1], "inner": {"amount": "1"}}, "malformed", "account"),
        ({"account": ACCOUNT + "\n", "inner": {"amount": "1"}}, "malformed", "account"),
        (b"{", "malformed", None),
        (b"[]", "malformed", None),
        (b"[" * 100_000, "malformed", None),
        (b"\xff", "malformed", None),
    ],
)
def test_refusals_name_the_field(body: object, code: str, field: str | None) -> None:
    refusal = _refusal(body)
    assert (refusal.code, refusal.field) == (code, field)


def test_a_text_of_another_shape_is_told_what_it_must_be() -> None:
    assert _refusal({"account": "0x12", "inner": {"amount": "1"}}).message == (
        "account must be an address: 0x and 40 hex digits"
    )
    assert _refusal({"account": ACCOUNT, "inner": {"amount": "1e5"}}).message == (
        'inner.amount must be a whole number in decimal digits, as a string such as "1000000"'
    )


def test_every_pattern_of_the_api_has_its_words() -> None:
    document = json.dumps(create_app(load_settings()).openapi())
    patterns = {json.loads(found) for found in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', document)}
    assert len(patterns) > 5
    assert patterns <= set(SHAPES)


def test_integers_must_fit() -> None:
    assert integer(str((1 << 64) - 1), "price") == (1 << 64) - 1
    with pytest.raises(Refusal) as refused:
        integer(str(1 << 64), "price")
    assert (refused.value.code, refused.value.field) == (ErrorCode.amount_out_of_range, "price")


def test_addresses_get_their_capitals() -> None:
    """The examples of EIP-55."""
    for text in ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"):
        assert checksum(bytes.fromhex(text[2:])) == text


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)
    assert all(400 <= status < 600 for status in STATUS.values())
