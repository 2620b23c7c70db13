"""A maker's ladder, and the least change that brings the book to it."""

from decimal import Decimal

from bizzan.client.orders import OrderBuilder
from bizzan.demo.quotes import Quote, Resting, Style, changes, ladder
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Side

USDC = Asset(0, "USDC", 6)
BTC = Asset(2, "BTC", 8)
BUILDER = OrderBuilder(Market(1, "BTC-USDC", 2, 0, 10_000, 10, 1_000_000, 2_000, 200, 500, 0), BTC, USDC)
STYLE = Style(levels=2, spread_bps=10, step_bps=30, share_bps=100)
MIDDLE = Decimal(8_000)


def wanted(base: str = "10", quote: str = "80000") -> list[Quote]:
    return ladder(BUILDER, MIDDLE, STYLE, Decimal(base), Decimal(quote))


def test_ladder_stands_on_both_sides_of_the_middle() -> None:
    quotes = wanted()
    assert [BUILDER.price_text(q.price) for q in quotes if q.side is Side.buy] == ["7992", "7968"]
    assert [BUILDER.price_text(q.price) for q in quotes if q.side is Side.sell] == ["8008", "8032"]
    assert {q.quantity for q in quotes} == {BUILDER.quantity("0.1")}


def test_level_below_the_minimum_notional_is_left_out() -> None:
    assert {q.side for q in wanted(base="0.001")} == {Side.buy}
    assert wanted(base="0", quote="0") == []


def test_everything_is_placed_when_nothing_rests() -> None:
    assert changes([], wanted(), 800_000, STYLE) == ([], wanted())


def test_nothing_changes_while_orders_are_close_enough() -> None:
    resting = [Resting(n, q.side, q.price + 500, q.quantity) for n, q in enumerate(wanted())]
    assert changes(resting, wanted(), 800_000, STYLE) == ([], [])


def test_order_too_far_away_is_replaced() -> None:
    far = Resting(7, Side.buy, 700_000, 5)
    resting = [far, *(Resting(n, q.side, q.price, q.quantity) for n, q in enumerate(wanted()[1:]))]
    assert changes(resting, wanted(), 800_000, STYLE) == ([far], [wanted()[0]])


def test_two_orders_at_one_wanted_price_leave_one() -> None:
    first, second = (Resting(n, Side.sell, wanted()[1].price, 5) for n in (1, 2))
    stale, missing = changes([first, second], wanted(), 800_000, STYLE)
    assert stale == [second]
    assert wanted()[1] not in missing
