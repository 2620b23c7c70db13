"""Frames: the hashes of many orders at once, and what is signed for them."""

import random
from dataclasses import replace
from hashlib import sha256

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from exchange.domain import frame as f
from exchange.domain import hashing
from exchange.domain.bulk import BulkSignature, Tree
from exchange.domain.eip712 import Scheme, keccak
from exchange.domain.order import Order
from exchange.domain.receipt import frame_subject
from tests.utils.frames import DOMAIN, frame_of
from tests.utils.signing import Signer

MAKER = Signer("maker")
SIZES = (2, 3, 4, 5, 7, 8, 63, 64, 65, 255, 256, 1_000)


def orders(count: int, account: bytes = MAKER.raw, seed: int = 1) -> list[Order]:
    """Orders with numbers of every length."""
    chance = random.Random(seed)

    def number(bits: int) -> int:
        return chance.getrandbits(chance.randint(1, bits))

    return [
        Order(
            account,
            number(32),
            number(8),
            number(64),
            number(64),
            number(64),
            number(40),
            number(64),
            number(16),
            number(128),
        )
        for _ in range(count)
    ]


def packed(items: list[Order]) -> bytes:
    return b"".join(order.pack() for order in items)


def test_keccak_is_that_of_the_library_at_every_length_around_a_block() -> None:
    chance = random.Random(2)
    for size in (*range(140), 271, 272, 273, 1_000):
        data = chance.randbytes(size)
        assert hashing.keccak(data) == keccak(data), size


@pytest.mark.parametrize("count", SIZES)
def test_compiled_hashes_are_those_of_python(count: int) -> None:
    data = packed(orders(count))
    assert f.unfold(data, DOMAIN.separator) == f.unfold_in_python(data, DOMAIN.separator)


@pytest.mark.parametrize("count", SIZES)
def test_hashes_are_those_of_a_bulk_order(count: int) -> None:
    items = orders(count)
    tree, unfolded = Tree(items), f.unfold(packed(items), DOMAIN.separator)
    assert unfolded.root == tree.root
    assert f.frame_digest(DOMAIN.separator, tree.root, count) == tree.digest(DOMAIN)
    signature = bytes(65)
    for index in {0, 1, count // 2, count - 1}:
        assert unfolded.digest(index) == DOMAIN.order_hash(items[index])
        assert unfolded.signature(index, signature) == BulkSignature(signature, tree.proof(index)).pack()


def test_what_is_signed_is_what_a_wallet_signs() -> None:
    items = orders(5)
    wallet = Account.from_key(keccak(b"test wallet maker"))
    signed = wallet.sign_message(encode_typed_data(full_message=Tree(items).typed_data(DOMAIN)))
    frame = frame_of(MAKER, items)
    assert signed.signature == frame.signature
    assert frame.judged().flaw == ""


def test_frame_of_a_delegate_stands_under_its_scheme_only() -> None:
    delegate = Signer("delegate")
    frame = frame_of(delegate, orders(4), account=MAKER.raw)
    assert frame.scheme == Scheme.bulk | Scheme.delegate
    assert frame.judged().flaw == ""
    wrong = f.judge(frame.separator, int(Scheme.bulk), frame.signer, frame.root, frame.signature, frame.orders)
    assert "scheme" in wrong.flaw


def test_a_change_of_any_byte_voids_a_frame() -> None:
    frame = frame_of(MAKER, orders(3))
    parts = {
        "separator": frame.separator,
        "signer": frame.signer,
        "root": frame.root,
        "signature": frame.signature,
        "orders": frame.orders,
    }
    for name, value in parts.items():
        for at in range(len(value)):
            changed = {**parts, name: value[:at] + bytes((value[at] ^ 1,)) + value[at + 1 :]}
            verdict = f.judge(
                changed["separator"],
                frame.scheme,
                changed["signer"],
                changed["root"],
                changed["signature"],
                changed["orders"],
            )
            assert verdict.flaw, (name, at)
            assert verdict.unfolded is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "2 to 1024"),
        (bytes(80), "2 to 1024"),
        (bytes(161), "2 to 1024"),
        (bytes(80 * 1_025), "2 to 1024"),
        (bytes(80) + b"\x01" + bytes(79), "one account"),
    ],
)
def test_frame_of_another_shape_is_void(data: bytes, words: str) -> None:
    assert words in f.judge(bytes(32), 2, bytes(20), bytes(32), bytes(65), data).flaw


@pytest.mark.parametrize("at", range(20))
@pytest.mark.parametrize("compiled", sorted({False, f.IS_COMPILED}))
def test_any_byte_of_the_account_tells(at: int, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f, "IS_COMPILED", compiled)
    data = bytearray(b"".join(order.pack() for order in orders(3)))
    assert f.flaw_of_shape(bytes(data)) == ""
    data[160 + at] ^= 1
    assert "one account" in f.flaw_of_shape(bytes(data))
    data[160 + at] ^= 1
    data[80 + 20 + at] ^= 1
    assert f.flaw_of_shape(bytes(data)) == "", "what is behind the account differs from order to order"


def test_orders_swapped_are_not_what_was_signed() -> None:
    frame = frame_of(MAKER, orders(2))
    swapped = frame.orders[80:] + frame.orders[:80]
    assert f.judge(frame.separator, frame.scheme, frame.signer, frame.root, frame.signature, swapped).flaw


def test_bits_say_which_orders_amend() -> None:
    amends = f.pack_amends(11, (0, 7, 8, 10))
    assert amends == b"\x81\x05"
    assert [place for place in range(11) if f.amends_at(amends, place)] == [0, 7, 8, 10]
    assert f.flaw_of_amends(amends, 11) == ""
    assert f.flaw_of_amends(f.pack_amends(8, range(8)), 8) == ""


@pytest.mark.parametrize(
    ("amends", "count", "words"),
    [
        (b"", 2, "1 bytes"),
        (b"\0\0", 8, "1 bytes"),
        (b"\0", 9, "2 bytes"),
        (b"\x04", 2, "none of the 2"),
        (b"\0\x80", 15, "none of the 15"),
    ],
)
def test_bits_of_another_shape_are_a_flaw(amends: bytes, count: int, words: str) -> None:
    assert words in f.flaw_of_amends(amends, count)


@pytest.mark.parametrize("place", [-1, 2])
def test_a_place_beyond_the_orders_is_no_bit(place: int) -> None:
    with pytest.raises(ValueError, match="there are 2 orders"):
        f.pack_amends(2, (0, place))


def test_only_orders_of_more_than_plain_terms_need_a_mixed_frame() -> None:
    plain = [replace(order, terms=31) for order in orders(2)]
    assert not f.needs_mixed(plain)
    assert all(f.needs_mixed([*plain, replace(plain[0], terms=1 << bit)]) for bit in range(5, 128))


def test_the_subject_of_a_frame_is_that_of_no_other() -> None:
    """Whatever is told apart by it cannot be exchanged behind a receipt: orders, bits, and the kind of frame."""
    count, digest = 640, b"\x05" * 32
    there = packed(orders(count))
    bits = there[:80]  # which are as long as an order, and could stand for one
    mixed = frame_subject(digest, there, bits)
    assert mixed != frame_subject(digest, there + bits)
    assert mixed != frame_subject(digest, there)
    assert mixed != frame_subject(digest, there, bytes(80))
    assert frame_subject(digest, there, b"") != frame_subject(digest, there)
    assert frame_subject(digest, there) == sha256(digest + there).digest(), "as ever"


def test_what_costs_the_engine_more_weighs_more() -> None:
    plain, wide = replace(orders(1)[0], terms=31), replace(orders(1)[0], terms=1 << 127)
    there = packed([plain, wide, plain])
    assert f.weight_of(there, b"") == 3
    assert f.weight_of(packed([plain] * 3), b"\0") == 3
    assert f.weight_of(there, b"\0") == 2 + f.SLOW_WEIGHT
    assert f.weight_of(there, b"\x03") == 1 + 2 * f.SLOW_WEIGHT
