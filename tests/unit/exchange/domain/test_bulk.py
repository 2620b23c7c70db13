"""Trees of orders: the same digest as a wallet's, a proof for each order, and signatures that come apart again."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.bulk import EMPTY, MAX_BLOB_SIZE, MAX_HEIGHT, BulkSignature, Proof, Tree, bulk_type
from exchange.domain.eip712 import Domain, keccak, order_struct_hash
from exchange.domain.order import Order

DOMAIN = Domain("Bizzan", 31_337, b"\xc0" * 20)
SIGNATURE = bytes(range(65))


def orders(count: int) -> list[Order]:
    return [Order(b"\x01" * 20, 2, 1, 3, 4, nonce, 6, 7, 8, 9) for nonce in range(count)]


def test_the_type_has_a_dimension_for_each_level() -> None:
    order = "Order(address account,uint32 market,uint8 side,uint64 price,uint64 quantity,uint64 nonce,uint64 expiry"
    assert bulk_type(1).startswith(f"BulkOrder(Order[2] tree){order}")
    assert bulk_type(3).startswith(f"BulkOrder(Order[2][2][2] tree){order}")


@pytest.mark.parametrize("count", [2, 3, 4, 5, 17])
def test_the_digest_is_that_of_a_wallet(count: int) -> None:
    tree = Tree(orders(count))
    typed: dict[str, Any] = tree.typed_data(DOMAIN)
    typed["message"] = numbers(typed["message"])
    assert tree.digest(DOMAIN) == bytes(_hash_eip191_message(encode_typed_data(full_message=typed)))


def numbers(value: Any) -> Any:
    """Decimal text as the numbers that eth_account wants."""
    if isinstance(value, dict):
        return {key: numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [numbers(each) for each in value]
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def test_the_root_is_over_pairs_and_empty_orders_fill_it_up() -> None:
    a, b, c, d = (order_struct_hash(order) for order in (*orders(3), EMPTY))
    assert Tree(orders(3)).root == keccak(keccak(a + b) + keccak(c + d))


@settings(max_examples=30, deadline=None)
@given(count=st.integers(2, 40), data=st.data())
def test_each_order_has_a_proof_and_no_other_order_has_it(count: int, data: st.DataObject) -> None:
    tree = Tree(orders(count))
    index = data.draw(st.integers(0, count - 1))
    signed = BulkSignature.unpack(tree.signatures(SIGNATURE)[index])
    assert signed.signature == SIGNATURE
    assert signed.proof == tree.proof(index)
    assert signed.digest(DOMAIN, tree.orders[index]) == tree.digest(DOMAIN)
    assert signed.digest(DOMAIN, replace(tree.orders[index], price=99)) != tree.digest(DOMAIN)
    assert signed.digest(DOMAIN, tree.orders[(index + 1) % count]) != tree.digest(DOMAIN)


def test_a_hash_inside_the_tree_is_no_order_of_a_lower_tree() -> None:
    """The height is in the type: the upper part of a path proves nothing about the pair below it."""
    tree = Tree(orders(4))
    pair = keccak(b"".join(order_struct_hash(order) for order in tree.orders[:2]))
    upper = Proof(0, tree.proof(0).path[1:])
    assert upper.root(pair) == tree.root
    assert BulkSignature(SIGNATURE, upper).proof.height != tree.height
    assert Tree([tree.orders[0], tree.orders[1]]).digest(DOMAIN) != tree.digest(DOMAIN)


@pytest.mark.parametrize("count", [0, 1, 1025])
def test_trees_of_other_sizes_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="a tree holds 2 to 1024 orders"):
        Tree(orders(count))


def test_the_largest_tree() -> None:
    tree = Tree(orders(1024))
    blob = tree.signatures(SIGNATURE)[1023]
    assert len(blob) == MAX_BLOB_SIZE
    assert BulkSignature.unpack(blob).digest(DOMAIN, tree.orders[1023]) == tree.digest(DOMAIN)


@pytest.mark.parametrize(
    "blob", [b"", SIGNATURE, SIGNATURE + b"\0\0", SIGNATURE + bytes(33), SIGNATURE + bytes(2 + 352)]
)
def test_blobs_of_other_lengths_are_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="a bulk signature|a path"):
        BulkSignature.unpack(blob)


@pytest.mark.parametrize(("index", "height"), [(2, 1), (4, 2), (1 << MAX_HEIGHT, MAX_HEIGHT)])
def test_places_outside_the_tree_are_refused(index: int, height: int) -> None:
    with pytest.raises(ValueError, match="has no place"):
        BulkSignature.unpack(SIGNATURE + index.to_bytes(2) + bytes(32 * height))
