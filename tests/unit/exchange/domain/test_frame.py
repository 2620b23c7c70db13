"""Frames: the hashes of many orders at once, and what is signed for them."""

import random

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from exchange.domain import frame as f
from exchange.domain import hashing
from exchange.domain.bulk import BulkSignature, Tree
from exchange.domain.eip712 import Scheme, keccak
from exchange.domain.order import Order
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


def test_orders_swapped_are_not_what_was_signed() -> None:
    frame = frame_of(MAKER, orders(2))
    swapped = frame.orders[80:] + frame.orders[:80]
    assert f.judge(frame.separator, frame.scheme, frame.signer, frame.root, frame.signature, swapped).flaw
