"""The hand-packed EIP-712 hashes equal those of eth_account, for every message."""

from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.eip712 import TYPES, Domain, order_struct_hash, struct_hash
from exchange.domain.order import Order

DOMAIN = Domain("Bizzan", 31_337, b"\xc0" * 20)


def values_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            field: st.binary(min_size=20, max_size=20)
            if kind == "address"
            else st.binary(min_size=32, max_size=32)
            if kind == "bytes32"
            else st.integers(0, (1 << int(kind.removeprefix("uint"))) - 1)
            for field, kind in TYPES[name]
        }
    )


@pytest.mark.parametrize("name", sorted(TYPES))
@given(data=st.data())
def test_the_digest_is_that_of_eth_account(name: str, data: st.DataObject) -> None:
    values = data.draw(values_of(name))
    types = {name: [{"name": field, "type": kind} for field, kind in TYPES[name]]}
    domain = {"name": "Bizzan", "version": "1", "chainId": 31_337, "verifyingContract": "0x" + "c0" * 20}
    message = {key: "0x" + value.hex() if isinstance(value, bytes) else value for key, value in values.items()}
    expected = _hash_eip191_message(encode_typed_data(domain, types, message))
    assert DOMAIN.hash(name, values) == bytes(expected)


def test_the_hot_path_for_orders_gives_the_same_hash() -> None:
    order = Order(b"\x01" * 20, 2, 1, 3, 4, 5, 6, 7, 8, 9)
    fields = {field: getattr(order, field) for field, _ in TYPES["Order"]}
    assert order_struct_hash(order) == struct_hash("Order", fields)
    assert DOMAIN.order_hash(order) == DOMAIN.hash("Order", fields)


def test_values_of_a_wrong_size_are_refused() -> None:
    values: dict[str, Any] = {"account": b"\x01" * 20, "nonce": 1}
    with pytest.raises(ValueError, match="nonce does not fit"):
        struct_hash("Cancel", {**values, "nonce": 1 << 64})
    with pytest.raises(ValueError, match="account has 19 bytes"):
        struct_hash("Cancel", {**values, "account": bytes(19)})
    with pytest.raises(KeyError):
        struct_hash("Cancel", {"account": bytes(20)})
