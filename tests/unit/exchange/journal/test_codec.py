"""Every command survives the codec, and nothing else is accepted as one."""

from dataclasses import fields, replace
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.engine import commands as c
from exchange.journal.codec import COMMAND_KINDS, CodecError, decode_command, encode_command
from exchange.journal.receipts import subject_of
from tests.unit.exchange.journal.samples import ACCOUNT, EVERY_COMMAND, HASH, MARKET, ORDER, SIGNATURE, SIGNER


def test_every_command_has_one_kind() -> None:
    assert set(COMMAND_KINDS.values()) == set(get_args(c.Command))
    assert {type(command) for command in EVERY_COMMAND} == set(get_args(c.Command))


@pytest.mark.parametrize("command", EVERY_COMMAND, ids=lambda command: type(command).__name__)
def test_command_survives_encoding(command: c.Command) -> None:
    assert decode_command(encode_command(command)) == command


def test_bytes_of_a_command_are_fixed() -> None:
    assert encode_command(c.Tick()).hex() == "0005000190"
    assert encode_command(c.FinalizeBatch(14, 1)).hex() == "00150001920e01"


def test_bytes_and_subject_of_a_plain_frame_are_fixed() -> None:
    """Journals hold such frames, and receipts were given of them."""
    frame = c.PlaceFrame(SIGNER, 3, HASH, HASH, SIGNATURE, ORDER.pack() * 2)
    assert encode_command(frame).hex() == (
        "0021000196" + "c414" + SIGNER.hex() + "03" + 2 * ("c420" + HASH.hex()) + "c441" + SIGNATURE.hex()
        + "c4a0" + 2 * ORDER.pack().hex()
    )  # fmt: skip
    assert subject_of(frame).hex() == "d7edc7e8dc0bf3e3b3163de98cc76be5dd198cba314623c3857e3d335a0b6697"


def test_a_frame_and_a_mixed_one_are_never_the_same() -> None:
    plain = c.PlaceFrame(SIGNER, 3, HASH, HASH, SIGNATURE, ORDER.pack() * 2)
    mixed = c.PlaceMixedFrame(SIGNER, 3, HASH, HASH, SIGNATURE, ORDER.pack() * 2, b"\0")
    assert plain != mixed
    others = [replace(mixed, amends=bits) for bits in (b"\x01", b"\x02", b"", b"\0\0")]
    assert len({subject_of(frame) for frame in (plain, mixed, *others)}) == 6


def test_place_order_is_compact() -> None:
    command = c.PlaceOrder(ORDER, HASH, 0, SIGNATURE, SIGNER)
    assert len(encode_command(command)) == 4 + 1 + 82 + 34 + 1 + 67 + 22 + 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter than its prefix"),
        (b"\x00\x05\x00", "shorter than its prefix"),
        (b"\x7f\xff\x00\x01\x90", "unknown kind 32767 version 1"),
        (b"\x00\x05\x00\x02\x90", "unknown kind 5 version 2"),
        (b"\x00\x05\x00\x01", "truncated"),
        (b"\x00\x05\x00\x01\x90\x90", "trailing"),
        (b"\x00\x15\x00\x01\x91\x0e", "length"),
        (b"\x00\x15\x00\x01\x92\x0e\xff", ">= 0"),
        (b"\x00\x15\x00\x01\x92\x0e\xa1x", "int"),
    ],
)
def test_bytes_that_are_no_command_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        decode_command(data)


def test_address_of_wrong_length_is_refused() -> None:
    data = encode_command(c.CancelAll(ACCOUNT[:19], 1, SIGNATURE, SIGNER))
    with pytest.raises(CodecError, match="length"):
        decode_command(data)


@given(st.integers(0, 2**63 - 1), st.text(max_size=40), st.binary(min_size=20, max_size=20))
def test_any_credit_survives_encoding(amount: int, cause: str, account: bytes) -> None:
    command = c.Credit(1, account, 0, amount, cause)
    assert decode_command(encode_command(command)) == command


@given(st.binary(max_size=64))
def test_random_bytes_are_a_command_or_a_codec_error(data: bytes) -> None:
    try:
        decode_command(data)
    except CodecError:
        return


def test_records_of_older_versions_are_read_as_what_does_the_same_today() -> None:
    rules = {field.name: getattr(MARKET, field.name) for field in fields(MARKET)}
    rules |= {"maker_fee_bps": rules.pop("maker_fee_ppm") // 100, "taker_fee_bps": rules.pop("taker_fee_ppm") // 100}
    listed = b"\x00\x07\x00\x01" + msgspec.msgpack.encode((rules, ACCOUNT))
    assert decode_command(listed) == c.ListMarket(MARKET, ACCOUNT)
    changed = b"\x00\x09\x00\x01" + msgspec.msgpack.encode((2, 1, 1, 4))
    assert decode_command(changed) == c.AnnounceFees(2, 1, 0, ((100, 400),), 0)
    bounded = b"\x00\x23\x00\x01" + msgspec.msgpack.encode((2, 1, 500, 10, 20, 3, 40))
    assert decode_command(bounded) == c.SetMarketBounds(2, 1, 500, 10, 20, 3, 40, None)
    for broken in (listed[:-1], changed[:-1], changed + b"\x00", bounded[:-1]):
        with pytest.raises(CodecError):
            decode_command(broken)
