"""The contract's EIP-712 hashes against two independent implementations: the domain's and eth_account's."""

from typing import Any

import boa
from eth_account.messages import encode_typed_data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.domain.eip712 import Domain, Value, keccak
from exchange.domain.order import Order
from tests.utils.contracts import World

U64 = st.integers(0, 2**64 - 1)
ORDERS = st.builds(
    Order,
    account=st.binary(min_size=20, max_size=20),
    market=st.integers(0, 2**32 - 1),
    side=st.integers(0, 255),
    price=U64,
    quantity=U64,
    nonce=U64,
    expiry=st.integers(0, 2**40 - 1),
    trigger_price=U64,
    max_fee_bps=st.integers(0, 2**16 - 1),
    terms=st.integers(0, 2**128 - 1),
)


def eth_account_digest(domain: Domain, name: str, values: dict[str, Value]) -> bytes:
    """The digest as a wallet computes it from the typed data."""
    typed: dict[str, Any] = domain.typed_data(name, values)
    fields = {field["name"]: field["type"] for field in typed["types"][name]}
    typed["message"] = {k: int(v) if fields[k].startswith("uint") else v for k, v in typed["message"].items()}
    signable = encode_typed_data(full_message=typed)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=ORDERS)
def test_order_hashes_agree(world: World, order: Order) -> None:
    head, body = order.words()
    ours = world.domain.order_hash(order)
    values: dict[str, Value] = {name: getattr(order, name) for name in Order.__dataclass_fields__}
    assert bytes(world.custody.order_hash(head, body, order.terms)) == ours
    assert eth_account_digest(world.domain, "Order", values) == ours


def test_terms_above_their_width_do_not_reach_the_hash(world: World) -> None:
    assert world.custody.order_hash(1, 2, 3 | 1 << 128) == world.custody.order_hash(1, 2, 3)


def test_domain_separator_agrees(world: World) -> None:
    assert bytes(world.custody.domain_separator()) == world.domain.separator


def test_domain_separator_follows_the_chain_after_a_split(world: World) -> None:
    chain_id = boa.env.evm.patch.chain_id
    try:
        boa.env.evm.patch.chain_id = chain_id + 1
        forked = Domain(world.domain.name, world.domain.chain_id + 1, world.domain.contract)
        assert bytes(world.custody.domain_separator()) == forked.separator
    finally:
        boa.env.evm.patch.chain_id = chain_id
