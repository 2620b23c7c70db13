"""Between JSON and the domain: decimal strings, 0x hex, addresses, and msgspec decoding with clear refusals.

Amounts, prices, quantities and nonces are decimal strings of integers, so that no client rounds them;
ids, basis points and times are numbers; bytes are 0x hex, addresses with EIP-55 capitals on the way out.
"""

import re
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.responses import Response

from exchange.domain import deployment
from exchange.domain.errors import ErrorCode, Refusal

T = TypeVar("T")

Digits = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(0|[1-9][0-9]{0,77})$(?!\n)",
        description="a non-negative integer, in decimal digits",
        examples=["1000000"],
    ),
]
HexAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^0x[0-9a-fA-F]{40}$",
        max_length=42,
        description="20 bytes in 0x hex; any case",
        examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
    ),
]
HexSignature = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^0x[0-9a-fA-F]{130}$",
        max_length=132,
        description="65 bytes r, s, v (27 or 28) in 0x hex, low s",
    ),
]

HexHash = Annotated[
    str,
    msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{64}$", max_length=66, description="32 bytes in 0x hex"),
]

SHAPES = {
    r"^(0|[1-9][0-9]{0,77})$(?!\n)": 'a whole number in decimal digits, as a string such as "1000000"',
    r"^(0|[1-9][0-9]{0,77})$": 'a whole number in decimal digits, as a string such as "1000000"',
    r"^(0|[1-9][0-9]{0,18})$": 'a whole number of at most 19 decimal digits, as a string such as "1000000"',
    r"^0x[0-9a-fA-F]{40}$": "an address: 0x and 40 hex digits",
    r"^0x[0-9a-fA-F]{130}$": "a signature of 65 bytes: 0x and 130 hex digits",
    r"^0x[0-9a-fA-F]{64}$": "32 bytes: 0x and 64 hex digits",
    r"^0x([0-9a-fA-F]{2}){1,1024}$": "1 to 1,024 bytes: 0x and two hex digits for each",
    r"^[0-9A-Za-z_.:\-]{0,64}$(?!\n)": "at most 64 letters, digits and _ . : - characters",
    r"^0x[0-9a-fA-F]{0,40}$": "how an address begins: 0x and at most 40 hex digits",
    r"^[0-9A-Za-z_-]+$": "letters, digits, _ and - only",
    r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$": "a language tag, such as en or zh-CN",
    r"^[0-9A-Za-z-]+$": "a market's id or symbol, such as BTC-USDC",
    r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$": "one line of text, and not a blank one",
}
"""What a text must be, for people, by the pattern that it must match."""

_PATH = re.compile(r"^(.*) - at `\$\.?(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_SHAPE = re.compile(r"Expected `str` matching regex (.*)", re.DOTALL)
_SHAPES = {repr(pattern): words for pattern, words in SHAPES.items()}


def decode(decoder: msgspec.json.Decoder[T], body: bytes | str) -> T:
    """The request in `body`. Refuses malformed JSON, unknown and missing fields and wrong types by field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(ErrorCode.malformed, f"the body is not JSON: {error}", None) from None
    except RecursionError:
        raise Refusal(ErrorCode.malformed, "the body is nested too deeply", None) from None


def _refusal(text: str) -> Refusal:
    found = _PATH.match(text)
    reason, path = (found[1], found[2]) if found else (text, "")
    prefix = f"{path}." if path else ""
    if unknown := _UNKNOWN.match(reason):
        field = prefix + unknown[1]
        return Refusal(ErrorCode.unknown_field, f"there is no field {field}", field)
    if missing := _MISSING.match(reason):
        field = prefix + missing[1]
        return Refusal(ErrorCode.malformed, f"{field} is missing", field)
    if (shape := _SHAPE.match(reason)) and shape[1] in _SHAPES:
        return Refusal(ErrorCode.malformed, f"{path} must be {_SHAPES[shape[1]]}", path or None)
    return Refusal(ErrorCode.malformed, f"{path}: {reason}" if path else reason, path or None)


def integer(text: str, field: str, bits: int = 64) -> int:
    """A decimal string that must fit `bits` bits."""
    value = int(text)
    if value >> bits:
        raise Refusal(ErrorCode.amount_out_of_range, f"{field} must be below 2**{bits}", field, {"bits": bits})
    return value


def address_of(text: str) -> bytes:
    """The 20 bytes of a checked `HexAddress`."""
    return bytes.fromhex(text[2:])


def hexed(data: bytes) -> str:
    """0x hex."""
    return "0x" + data.hex()


checksum = lru_cache(maxsize=65_536)(deployment.checksum)
"""An address (20 bytes) with EIP-55 capitals."""


def json_response(value: Any, status: int = 200) -> Response:
    """`value` encoded by msgspec, without pydantic in between."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def to_builtins(value: Any) -> Any:
    """`value` as dicts and lists, for messages that are encoded later."""
    return msgspec.to_builtins(value)
