"""How much dearer a batch may become is counted per word that a credit may find empty."""

from collections.abc import Sequence

from exchange.domain.order import Order, Side
from exchange.domain.settlement import Execution
from keeper.growth import BASE, FRESH, LIMITS, growth

APART, TOGETHER, UNKNOWN = 1, 2, 3
SLOTS = {APART: (1, 0), TOGETHER: (0, 0)}


def fresh(*executions: tuple[int, Side, int]) -> int:
    """How many words may be written first, of executions given as account, side and market."""
    batch = [execution(*each) for each in executions]
    extra = growth(batch, SLOTS) - BASE - LIMITS * len(batch) - FRESH  # one for the fee account
    assert extra % FRESH == 0
    return extra // FRESH


def execution(account: int, side: Side, market: int) -> Execution:
    order = Order(bytes((account,)) * 20, market, side, 100, 50, 1, 2_000_000_000, 0, 30, 0)
    return Execution(order, 0, b"", 1, 100, 0)


def repeated(*executions: tuple[int, Side, int], times: int) -> Sequence[tuple[int, Side, int]]:
    return executions * times


def test_each_account_that_only_buys_may_have_emptied_what_it_buys() -> None:
    assert fresh((1, Side.buy, APART), (2, Side.buy, APART), (3, Side.buy, APART)) == 3


def test_credits_after_the_first_come_to_a_word_that_is_not_empty() -> None:
    assert fresh(*repeated((1, Side.buy, APART), times=5)) == 1


def test_what_is_sold_again_may_leave_the_word_empty_again() -> None:
    assert fresh(*repeated((1, Side.buy, APART), (1, Side.sell, APART), times=3)) == 3


def test_two_sales_of_what_one_purchase_brought_prove_no_funds() -> None:
    once = ((1, Side.buy, APART), (1, Side.sell, APART), (1, Side.sell, APART), (1, Side.buy, APART))
    assert fresh(*once) == 2


def test_a_word_that_is_debited_first_was_not_empty() -> None:
    assert fresh((1, Side.sell, APART), (1, Side.buy, APART)) == 1, "what the sale brought, not what was sold"


def test_a_word_that_pays_and_receives_at_once_is_never_empty() -> None:
    assert fresh((1, Side.buy, TOGETHER), (2, Side.sell, TOGETHER), (1, Side.sell, APART)) == 0


def test_a_market_that_is_not_known_proves_nothing() -> None:
    assert fresh(*repeated((1, Side.buy, UNKNOWN), times=3)) == 3
    assert fresh((1, Side.buy, UNKNOWN), (1, Side.sell, APART), (1, Side.buy, APART)) == 3 + 1, (
        "and one for the fee account"
    )
