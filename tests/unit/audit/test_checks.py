"""What the audit compares of a batch."""

from bizzan.audit.chain_ledger import Executed
from bizzan.audit.checks import per_order


def executed(order: int, lots: int, quote: int, fee: int) -> Executed:
    return Executed(b"\x01" * 20, order.to_bytes(32), 1, 2, lots, quote, fee)


def test_an_order_counts_with_its_sums_over_all_sections() -> None:
    sums = per_order([executed(7, 1, 10, 2), executed(8, 2, 20, 0), executed(7, 3, 33, 1), executed(7, 1, 9, 0)])
    assert list(sums.values()) == [executed(7, 5, 52, 3), executed(8, 2, 20, 0)]
