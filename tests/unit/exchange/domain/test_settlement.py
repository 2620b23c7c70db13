"""Fills become executions: one per order and section, summed, in the contract's layout."""

import pytest

from exchange.domain.order import Order
from exchange.domain.order_id import order_id
from exchange.domain.settlement import Execution, Fill, aggregate, compact_signature, in_order

R = bytes(range(1, 33))
S = b"\x7f" + bytes(31)


def order(market: int = 1, nonce: int = 1) -> Order:
    return Order(b"\x01" * 20, market, 0, 50, 100, nonce, 1_700_000_000, 0, 10, 0b101)


def fill(order_id: int, market: int = 1, lots: int = 1, quote: int = 50, fee: int = 1) -> Fill:
    return Fill(order_id, order(market, order_id), 1, R + S + b"\x1c", lots, quote, fee)


def test_the_fills_of_an_order_are_one_execution() -> None:
    executions = aggregate([fill(7, lots=2, quote=99, fee=3), fill(8), fill(7, lots=5, quote=250, fee=4)])
    assert [(e.order.nonce, e.lots, e.quote, e.fee) for e in executions] == [(7, 7, 349, 7), (8, 1, 50, 1)]


def test_executions_are_sorted_by_market_then_by_order() -> None:
    executions = aggregate([fill(9, market=2), fill(3, market=2), fill(8, market=1), fill(5, market=1)])
    assert [(e.order.market, e.order.nonce) for e in executions] == [(1, 5), (1, 8), (2, 3), (2, 9)]


def test_an_order_of_a_frame_settles_before_one_that_replaces_it() -> None:
    framed, later = order_id(5, 1), 9
    assert framed > later
    executions = aggregate([fill(later), fill(framed)])
    assert [e.order.nonce for e in executions] == [framed, later]


def test_in_order_a_section_ends_where_the_market_changes() -> None:
    fills = [fill(9, market=2), fill(3, market=2), fill(9, market=2), fill(8, market=1), fill(5), fill(9, market=2)]
    executions = [(e.order.market, e.order.nonce, e.lots) for e in in_order(fills)]
    assert executions == [(2, 3, 1), (2, 9, 2), (1, 5, 1), (1, 8, 1), (2, 9, 1)]


def test_nothing_aggregates_to_nothing() -> None:
    assert aggregate([]) == []
    assert in_order([]) == []


@pytest.mark.parametrize("part", [{"lots": 0}, {"quote": 0}, {"fee": -1}])
def test_an_empty_or_negative_fill_is_an_error(part: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="order 7"):
        aggregate([fill(7, **part)])


def test_the_words_are_the_structs_fields() -> None:
    execution = aggregate([fill(7, lots=2, quote=99, fee=3)])[0]
    head, body, filled, tail, r, vs = execution.words()
    packed = execution.order.pack()
    assert (head.to_bytes(32), body.to_bytes(32)) == (packed[:32], packed[32:64])
    assert filled == int.from_bytes(packed[64:]) << 128 | 2 << 64 | 99
    assert tail == 1 << 248 | 3
    assert (r, vs) == (R, b"\xff" + bytes(31))


def test_sums_over_64_bits_are_refused() -> None:
    execution = Execution(order(), 0, R + S + b"\x1b", 1, 1 << 64, 0)
    with pytest.raises(OverflowError, match="split the batch"):
        execution.words()


def test_the_parity_is_the_top_bit_of_vs() -> None:
    assert compact_signature(R + S + b"\x1b") == (R, S)
    assert compact_signature(R + S + b"\x1c") == (R, b"\xff" + bytes(31))


@pytest.mark.parametrize("signature", [R + S, R + S + b"\x00", R + b"\xff" + bytes(31) + b"\x1b", R + S + b"\x1b\x00"])
def test_other_signatures_are_refused(signature: bytes) -> None:
    with pytest.raises(ValueError, match="a signature"):
        compact_signature(signature)
