"""The packed order and its terms: exact layout, exact inverse, nothing that does not fit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.order import PACKED_SIZE, SINGLE_FILL, Order, SelfTrade, Terms, TimeInForce, TriggerType

U64 = st.integers(0, (1 << 64) - 1)
ORDERS = st.builds(
    Order,
    account=st.binary(min_size=20, max_size=20),
    market=st.integers(0, (1 << 32) - 1),
    side=st.integers(0, 255),
    price=U64,
    quantity=U64,
    nonce=U64,
    expiry=st.integers(0, (1 << 40) - 1),
    trigger_price=U64,
    max_fee_bps=st.integers(0, (1 << 16) - 1),
    terms=st.integers(0, (1 << 128) - 1),
)
TERMS = st.builds(
    Terms,
    st.sampled_from(TimeInForce),
    st.booleans(),
    st.sampled_from(SelfTrade),
    st.sampled_from(TriggerType),
    st.integers(0, 3),
    U64,
    st.integers(0, (1 << 16) - 1),
    st.integers(0, (1 << 32) - 1),
)
ORDER = Order(b"\xaa" * 20, 1, 1, 2, 3, 4, 5, 6, 7, 8)


def test_the_layout_is_the_documented_one() -> None:
    data = ORDER.pack()
    assert data[:20] == b"\xaa" * 20
    assert data[20:32].hex() == "00000001" + "0000000005" + "0007" + "01"
    assert [int.from_bytes(data[i : i + 8]) for i in range(32, 64, 8)] == [2, 3, 4, 6]
    assert int.from_bytes(data[64:]) == 8


@given(ORDERS)
def test_unpack_inverts_pack(order: Order) -> None:
    data = order.pack()
    assert len(data) == PACKED_SIZE
    assert Order.unpack(data) == order
    assert b"".join(word.to_bytes(32) for word in order.words()) == data[:64]


@pytest.mark.parametrize(
    "wide",
    [
        {"side": 256},
        {"market": 1 << 32},
        {"expiry": 1 << 40},
        {"max_fee_bps": 1 << 16},
        {"price": 1 << 64},
        {"quantity": 1 << 64},
        {"nonce": 1 << 64},
        {"trigger_price": 1 << 64},
        {"terms": 1 << 128},
        {"price": -1},
        {"expiry": -1},
    ],
)
def test_a_field_that_does_not_fit_is_refused(wide: dict[str, int]) -> None:
    with pytest.raises(OverflowError):
        replace(ORDER, **wide).pack()  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 79, 81])
def test_another_length_is_no_order(size: int) -> None:
    with pytest.raises(ValueError, match="80 bytes"):
        Order.unpack(bytes(size))


def test_the_top_bit_of_the_nonce_is_no_part_of_the_sequence() -> None:
    order = replace(ORDER, nonce=SINGLE_FILL | 9)
    assert (order.single_fill, order.sequence) == (True, 9)
    assert (ORDER.single_fill, ORDER.sequence) == (False, 4)


@given(TERMS)
def test_terms_unpack_inverts_pack(terms: Terms) -> None:
    assert Terms.unpack(terms.pack()) == terms


@pytest.mark.parametrize("name", ["trigger_source", "displayed_quantity", "trail_bps", "group"])
def test_a_number_that_terms_have_no_room_for_changes_no_other(name: str) -> None:
    width = {"trigger_source": 2, "displayed_quantity": 64, "trail_bps": 16, "group": 32}[name]
    assert Terms(**{name: (1 << width) - 1}).pack()  # type: ignore[arg-type]
    for wrong in (-1, 1 << width):
        with pytest.raises(ValueError, match=f"{name} must be 0 to"):
            Terms(**{name: wrong}).pack()  # type: ignore[arg-type]


@pytest.mark.parametrize("word", [1 << 10, 1 << 15, 1 << 128, 7 << 5])
def test_terms_with_reserved_bits_or_unknown_choices_are_refused(word: int) -> None:
    with pytest.raises(ValueError, match=r"reserved|not a valid"):
        Terms.unpack(word)
