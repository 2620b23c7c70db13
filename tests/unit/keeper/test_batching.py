"""Trades into executions: records stay whole, orders are counted once."""

from dataclasses import replace

from exchange.database.batches import MatchedTrade, SignedOrder
from exchange.domain.eip712 import keccak
from exchange.domain.order import Order, Side
from keeper.batching import GasModel, Layout, executions_of, fitting, is_one_batch, layouts_of, records


def signed(order_id: int, side: Side, market: int = 1) -> SignedOrder:
    order = Order(bytes((order_id,)) * 20, market, side, 100, 50, order_id, 2_000_000_000, 0, 30, 0)
    return SignedOrder(order_id, order.pack(), 0, b"\x01" * 64 + b"\x1b")


def trade(trade_id: int, seq: int, maker: int, taker: int, lots: int = 1, market: int = 1) -> MatchedTrade:
    quote = 100 * lots
    return MatchedTrade(
        trade_id, seq, 0, lots, quote, signed(maker, Side.sell, market), signed(taker, Side.buy, market), 2, 5
    )


def test_fills_of_an_order_are_added_up() -> None:
    executions = executions_of([trade(1, 9, 1, 9, 3), trade(2, 9, 2, 9, 4)])
    assert [(each.order.side, each.lots, each.quote, each.fee) for each in executions] == [
        (Side.sell, 3, 300, 2),
        (Side.sell, 4, 400, 2),
        (Side.buy, 7, 700, 10),
    ]


def test_executions_are_grouped_by_market() -> None:
    executions = executions_of([trade(1, 9, 1, 9, market=2), trade(2, 10, 2, 10, market=1)])
    assert [each.order.market for each in executions] == [1, 1, 2, 2]


def test_in_order_executions_follow_the_journal() -> None:
    trades = [trade(1, 9, 1, 9, market=2), trade(2, 10, 2, 10, market=1), trade(3, 11, 1, 11, market=2)]
    executions = executions_of(trades, Layout.in_order)
    assert [(each.order.market, each.order.nonce) for each in executions] == [
        (2, 1),
        (2, 9),
        (1, 2),
        (1, 10),
        (2, 1),
        (2, 11),
    ]


def test_layouts_that_are_the_same_are_one() -> None:
    assert len(layouts_of([trade(1, 9, 1, 9), trade(2, 10, 1, 10)])) == 1
    assert len(layouts_of([trade(1, 9, 1, 9, market=2), trade(2, 10, 2, 10, market=1)])) == 2


def test_no_trades_are_no_executions() -> None:
    assert executions_of([]) == ()
    assert layouts_of([]) == [()]


def test_records_keep_their_trades_together() -> None:
    groups = records([trade(1, 9, 1, 9), trade(2, 9, 2, 9), trade(3, 12, 3, 12)])
    assert [[each.trade_id for each in group] for group in groups] == [[1, 2], [3]]


def test_fitting_counts_orders_once_and_takes_one_record_in_any_case() -> None:
    groups = records([trade(1, 9, 1, 9), trade(2, 10, 1, 10), trade(3, 11, 1, 11)])
    assert fitting(groups, 4) == 3
    assert fitting(groups, 3) == 2
    assert fitting(groups, 1) == 1
    assert fitting([], 4) == 0


def test_room_is_what_the_layout_takes() -> None:
    trades = [trade(1, 9, 1, 9, market=2), trade(2, 10, 2, 10, market=1), trade(3, 11, 1, 11, market=2)]
    groups = records(trades)
    for count in (1, 2, 3):
        for layout, room in ((layout, len(executions_of(trades[:count], layout))) for layout in Layout):
            assert fitting(groups[:count], room, layout) == count
            assert fitting(groups[:count], room - 1, layout) == max(1, count - 1)


def test_a_batch_carries_no_more_paths_than_the_contract_takes() -> None:
    """Ten hashes for each order in bulk, once for each order: 51 of them, and orders by themselves as well."""
    trades = [trade(number, number, number, 200 + number % 3, market=1 + number % 2) for number in range(1, 61)]
    bulk = [replace(each, maker=in_bulk(each.maker)) for each in trades]
    groups = records(bulk + bulk[:20])
    for layout in Layout:
        assert fitting(groups, 500, layout) == 51
        assert is_one_batch(executions_of(bulk[:51] + bulk[:20], layout))
        assert not is_one_batch(executions_of(bulk[:52], layout))
        assert fitting(records(trades), 500, layout) == 60
    assert is_one_batch(executions_of(trades[:1]) * 224)
    assert not is_one_batch(executions_of(trades[:1]) * 225)


def in_bulk(order: SignedOrder) -> SignedOrder:
    path = b"".join(keccak(bytes((order.order_id, level))) for level in range(10))
    return replace(order, scheme=2, signature=order.signature + bytes(2) + path)


def test_gas_model_stays_below_the_cap() -> None:
    model = GasModel()
    count = model.executions(1_500_000)
    assert model.fixed + count * model.per_execution <= model.cap - 1_500_000
    assert count >= 201, "one taker with all its fills must fit"
