"""Mixed frames: orders of every kind under one signature, and such that take the place of others, in both engines."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import code_of
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.domain.order_id import order_id
from exchange.domain.settlement import MAX_PROOFS
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.fast.engine import FastEngine
from exchange.engine.fast.state import ArrayState
from exchange.engine.frames import may_wait
from tests.utils.engine import BTC, BTC_USDC, USDC, EngineHarness, only, reasons
from tests.utils.frames import frame_of, mixed_frame_of
from tests.utils.signing import Signer

QUOTER = Signer("quoter")
TAKER = Signer("taker")
PRICE = 5_000_000
STOP = Terms(trigger_type=TriggerType.stop_loss).pack()
ICEBERG = Terms(displayed_quantity=10).pack()


@pytest.fixture
def x() -> Iterator[EngineHarness]:
    harness = EngineHarness()
    for signer in (QUOTER, TAKER):
        harness.credit(signer.raw, USDC, 10**14)
        harness.credit(signer.raw, BTC, 10**14)
    yield harness
    harness.validate_and_drain()


@pytest.fixture
def by_python(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The places of the orders that the core has left to Python."""
    found: list[int] = []
    place_mixed = ArrayState.place_mixed

    def noted(state: ArrayState, index: int) -> int:
        found.append(index)
        return place_mixed(state, index)

    monkeypatch.setattr(ArrayState, "place_mixed", noted)
    return found


def order(x: EngineHarness, signer: Signer, side: int, price: int, lots: int, **options: object) -> Order:
    return x.order(signer.raw, side, price, lots, **options).order  # type: ignore[arg-type]


def send(x: EngineHarness, frame: c.PlaceFrame) -> tuple[list[ErrorCode | None], list[e.Event]]:
    """Place a frame in both engines; what became of each order, and all that happened."""
    seq = x.engine.seq + 1
    outcome = x.engine.apply_frame(seq, x.at_ms, frame)
    x.kept.append((seq, x.at_ms, frame))
    x.quantities.happened(outcome.events)
    assert x.engine.violations() == []
    x.engine.state_hash()
    return [code_of(code) for code in outcome.codes], outcome.events


def codes_of(x: EngineHarness, frame: c.PlaceFrame) -> list[ErrorCode | None]:
    return send(x, frame)[0]


def quotes(x: EngineHarness, count: int = 4, lots: int = 100) -> list[Order]:
    """Asks upwards from the price, placed as a plain frame."""
    orders = [order(x, QUOTER, Side.sell, PRICE + 10 * n, lots) for n in range(count)]
    assert codes_of(x, frame_of(QUOTER, orders)) == [None] * count
    return orders


def moved(orders: Sequence[Order], by: int) -> list[Order]:
    return [replace(one, price=one.price + by) for one in orders]


def test_quotes_move_in_the_call_of_an_auction_and_meet_nobody(x: EngineHarness) -> None:
    old = quotes(x)
    x.apply(c.StartAuction(next(x.inbox_ids), BTC_USDC, 0))
    x.buy(TAKER.raw, PRICE, 50)
    codes, events = send(x, mixed_frame_of(QUOTER, moved(old, -50), range(4)))
    assert codes == [None] * 4
    assert len(only(events, e.OrderAmended)) == 4
    assert not only(events, e.TradeMatched)
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    assert [trade.quantity for trade in only(x.turns(), e.TradeMatched)] == [50]


def test_quotes_move_by_amends_in_one_record(x: EngineHarness) -> None:
    old = quotes(x)
    before, (codes, events) = x.engine.seq, send(x, mixed_frame_of(QUOTER, moved(old, 50), range(4)))
    seq = x.engine.seq
    assert codes == [None] * 4
    assert [(a.order_id, a.replaced, a.remaining, a.kept_place) for a in only(events, e.OrderAmended)] == [
        (order_id(seq, n), order_id(before, n), 100, False) for n in range(4)
    ]
    assert reasons(events) == [(order_id(before, n), "amended") for n in range(4)]
    assert x.book()[1] == [(PRICE + 50 + 10 * n, 100) for n in range(4)]


def test_amends_that_ask_for_less_keep_their_places(x: EngineHarness) -> None:
    old = quotes(x, 2)
    x.sell(TAKER.raw, PRICE, 5)
    smaller = [replace(one, quantity=40) for one in old]
    codes, events = send(x, mixed_frame_of(QUOTER, smaller, (0, 1)))
    assert codes == [None, None]
    assert [event.kept_place for event in only(events, e.OrderAmended)] == [True, True]
    x.credit(b"\x0b" * 20, USDC, 10**12)
    trades = only(x.buy(b"\x0b" * 20, PRICE, 45), e.TradeMatched)
    assert [trade.quantity for trade in trades] == [40, 5], "before who came meanwhile"


@pytest.mark.parametrize("change", [{"quantity": 99}, {"quantity": 20}, {"max_fee_bps": 11}, {"expiry": 1_700_000_500}])
def test_the_core_amends_plain_orders_that_keep_their_places(
    x: EngineHarness, by_python: list[int], change: dict[str, int]
) -> None:
    """One of them is partly filled; then all of it once more, in a frame that amends each order twice."""
    old = quotes(x, 4)
    x.buy(TAKER.raw, PRICE, 5)
    used = (5, 0, 0, 0)
    first = [replace(one, **change) for one in old]  # type: ignore[arg-type]
    for orders in (first, [replace(one, max_fee_bps=12 + turn) for turn in (0, 1) for one in first]):
        codes, events = send(x, mixed_frame_of(QUOTER, orders, range(len(orders))))
        assert codes == [None] * len(orders)
        amended = only(events, e.OrderAmended)
        assert [event.kept_place for event in amended] == [True] * len(orders)
        assert [event.remaining for event in amended[:4]] == [first[0].quantity - of_it for of_it in used]
    assert by_python == []
    assert x.parts(QUOTER.raw, BTC)[1] == sum(first[0].quantity - of_it for of_it in used) * 10_000
    loaded = FastEngine.load(x.engine.dump())
    assert loaded.dump() == x.engine.dump()
    x.buy(TAKER.raw, PRICE, 3)
    x.apply(c.CancelOrder(QUOTER.raw, old[1].nonce, b"", QUOTER.raw))
    assert x.engine.state.replaced.keys() == {event.order_id for event in amended[4:] if event.order_id >> 40 != 5}


def test_the_core_amends_for_delegates_and_orders_that_lose_their_places(
    x: EngineHarness, by_python: list[int]
) -> None:
    old = quotes(x, 3)
    mode = Terms(self_trade=SelfTrade.cancel_maker).pack()
    orders = [replace(old[0], quantity=90), replace(old[1], terms=mode), replace(old[2], quantity=101)]
    codes, events = send(x, mixed_frame_of(Signer("delegate"), orders, (0, 1, 2), account=QUOTER.raw))
    assert codes == [None] * 3
    assert [event.kept_place for event in only(events, e.OrderAmended)] == [True, False, False]
    assert by_python == []


def test_an_amend_holds_by_the_fees_of_now(x: EngineHarness, by_python: list[int]) -> None:
    """A schedule that came later asks for more, or for less; the place is kept in either case."""
    bid = order(x, QUOTER, Side.buy, PRICE, 100, max_fee_bps=40)
    assert codes_of(x, frame_of(QUOTER, [bid, order(x, QUOTER, Side.buy, PRICE, 10)])) == [None] * 2
    held = [x.parts(QUOTER.raw, USDC)[1]]
    for cap, taker_ppm in ((41, 3_000), (42, 200)):
        x.apply(c.AnnounceFees(next(x.inbox_ids), BTC_USDC, x.at_ms, ((200, taker_ppm),), 0))
        new = order(x, QUOTER, Side.buy, PRICE - 100, 1, max_fee_bps=40)
        codes, events = send(x, mixed_frame_of(QUOTER, [replace(bid, max_fee_bps=cap), new], (0,)))
        assert codes == [None] * 2
        assert only(events, e.OrderAmended)[0].kept_place
        held.append(x.parts(QUOTER.raw, USDC)[1])
    notional = 100 * PRICE
    assert held[1] - held[0] == notional * 2_500 // 1_000_000 + hold_of_one(3_000)
    assert held[2] - held[1] == -notional * 2_800 // 1_000_000 + hold_of_one(200)
    assert by_python == []


def hold_of_one(ppm: int) -> int:
    """What backs a bid for one lot, 100 below the price."""
    return (PRICE - 100) + (PRICE - 100) * ppm // 1_000_000


def test_an_account_with_as_many_orders_as_it_may_have_amends_them_in_the_core(
    x: EngineHarness, by_python: list[int]
) -> None:
    old = quotes(x, 4)
    x.apply(c.SetLimits(0, 4, 200))
    orders = [replace(one, quantity=50) for one in old[:2]] + moved(old[2:], 10)
    assert codes_of(x, mixed_frame_of(QUOTER, orders, range(4))) == [None] * 4
    assert codes_of(x, frame_of(QUOTER, fresh(x))) == [ErrorCode.too_many_open_orders] * 2
    assert by_python == []


def fresh(x: EngineHarness) -> list[Order]:
    """Two new asks."""
    return [order(x, QUOTER, Side.sell, PRICE, 10) for _ in range(2)]


@pytest.mark.parametrize("first", ["what stands", "what has expired"])
def test_what_has_expired_ends_before_the_core_amends(x: EngineHarness, by_python: list[int], first: str) -> None:
    """An order of the same frame's account that has expired is not replaced any more, be it told or not."""
    old = quotes(x, 2)
    late = order(x, QUOTER, Side.sell, PRICE + 500, 10, expiry=x.now + 2)
    x.apply(x.order(TAKER.raw, Side.buy, PRICE - 50, 1, expiry=x.now + 2))
    assert codes_of(x, frame_of(QUOTER, [late, order(x, QUOTER, Side.sell, PRICE + 600, 10)])) == [None] * 2
    x.at_ms += 2_000
    less, again = replace(old[0], quantity=50), replace(late, expiry=x.now + 90)
    orders = [less, again] if first == "what stands" else [again, less]
    codes, events = send(x, mixed_frame_of(QUOTER, orders, (0, 1)))
    assert dict(zip(orders, codes, strict=True)) == {less: None, again: ErrorCode.order_closed}
    assert [reason for _, reason in reasons(events)] == ["expired", "expired", "amended"]
    assert set(by_python) == {orders.index(again)}, "who is refused"


def test_the_core_replaces_nothing_of_an_account_whose_countdown_has_ended(
    x: EngineHarness, by_python: list[int]
) -> None:
    old = quotes(x, 2)
    x.apply(c.SetCountdown(QUOTER.raw, 2, x.at_ms, b"", QUOTER.raw))
    x.at_ms += 2_000
    codes = codes_of(x, mixed_frame_of(QUOTER, [replace(one, quantity=50) for one in old], (0, 1)))
    assert codes == [ErrorCode.order_closed] * 2
    assert set(by_python) == {0, 1}


def test_bounds_are_against_amends_that_ask_for_more_only(x: EngineHarness, by_python: list[int]) -> None:
    old = quotes(x, 4)
    x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 50, 0, 0, 4 * 100 * PRICE))
    less, same, lower = replace(old[0], quantity=90), replace(old[1], max_fee_bps=20), moved(old[2:3], -10)[0]
    codes = codes_of(x, mixed_frame_of(QUOTER, [less, same, lower, replace(old[3], quantity=101)], range(4)))
    assert codes == [None, None, None, ErrorCode.order_too_large]
    assert set(by_python) == {3}, "who is refused"
    x.apply(c.SetMarketBounds(next(x.inbox_ids), BTC_USDC, 0, 200, 0, 0, 4 * 100 * PRICE))
    codes = codes_of(x, mixed_frame_of(QUOTER, [replace(old[3], quantity=105), replace(old[2], quantity=120)], (0, 1)))
    assert codes == [None, ErrorCode.too_much_open]
    assert set(by_python) == {3, 1}


def test_amends_new_orders_icebergs_and_stops_come_in_one_frame_in_their_order(x: EngineHarness) -> None:
    old = quotes(x, 2)
    frame = mixed_frame_of(
        QUOTER,
        [
            *moved(old, 100),
            order(x, QUOTER, Side.buy, PRICE - 10, 100, terms=ICEBERG),
            order(x, QUOTER, Side.sell, PRICE - 100, 10, terms=STOP, trigger_price=PRICE - 50),
            order(x, QUOTER, Side.buy, PRICE - 20, 30),
        ],
        (0, 1),
    )
    assert may_wait(frame) == 1
    assert codes_of(x, frame) == [None] * 5
    assert x.book() == ([(PRICE - 10, 10), (PRICE - 20, 30)], [(PRICE + 100, 100), (PRICE + 110, 100)])
    assert x.engine.waiting == 1
    trades = only(x.sell(TAKER.raw, PRICE - 10, 25), e.TradeMatched)
    assert [trade.quantity for trade in trades] == [10, 10, 5]


def test_an_amend_counts_what_the_order_before_has_filled(x: EngineHarness) -> None:
    old = quotes(x, 2)
    x.buy(TAKER.raw, PRICE, 60)
    enough, too_little = replace(old[0], quantity=80), replace(old[1], quantity=0)
    codes, events = send(x, mixed_frame_of(QUOTER, [enough, too_little], (0, 1)))
    assert codes == [None, ErrorCode.amount_out_of_range]
    assert only(events, e.OrderAmended)[0].remaining == 20
    again = replace(old[0], quantity=60)
    assert codes_of(x, mixed_frame_of(QUOTER, [again, moved(old, 20)[1]], (0, 1))) == [
        ErrorCode.amount_out_of_range,
        None,
    ]


def test_an_amend_that_crosses_trades_at_once(x: EngineHarness) -> None:
    old = quotes(x, 2)
    x.buy(TAKER.raw, PRICE - 30, 70)
    buyer = x.engine.seq
    crossing = replace(old[0], price=PRICE - 30)
    codes, events = send(x, mixed_frame_of(QUOTER, [crossing, moved(old, 10)[1]], (0, 1)))
    assert codes == [None, None]
    trades = [(t.taker_order, t.maker_order, t.quantity) for t in only(events, e.TradeMatched)]
    assert trades == [(x.engine.seq, buyer, 70)]
    assert x.book() == ([], [(PRICE - 30, 30), (PRICE + 20, 100)])


def test_an_order_of_the_same_frame_is_amended_whatever_it_has_filled(x: EngineHarness) -> None:
    x.buy(TAKER.raw, PRICE, 10)
    first = order(x, QUOTER, Side.sell, PRICE, 30)
    second = replace(first, price=PRICE + 10, quantity=25)
    third = replace(first, quantity=10)
    codes, events = send(x, mixed_frame_of(QUOTER, [first, second, third], (1, 2)))
    seq = x.engine.seq
    assert codes == [None, None, ErrorCode.amount_out_of_range], "ten are used up by the first"
    told = [(a.order_id, a.replaced, a.remaining) for a in only(events, e.OrderAmended)]
    assert told == [(order_id(seq, 1), seq, 15)]
    assert x.book() == ([], [(PRICE + 10, 15)])


def test_the_same_nonce_twice_is_refused_unless_the_second_amends(x: EngineHarness) -> None:
    first = order(x, QUOTER, Side.sell, PRICE, 30)
    second = replace(first, price=PRICE + 10)
    assert codes_of(x, mixed_frame_of(QUOTER, [first, second])) == [None, ErrorCode.nonce_used]
    third, fourth = order(x, QUOTER, Side.sell, PRICE, 30), order(x, QUOTER, Side.sell, PRICE + 50, 30)
    assert codes_of(x, mixed_frame_of(QUOTER, [third, fourth], (0,))) == [ErrorCode.unknown_order, None]
    assert codes_of(x, mixed_frame_of(QUOTER, [third, third], (1,))) == [None, ErrorCode.nonce_used], "itself again"


def test_amends_of_what_is_closed_or_elsewhere_are_refused_and_leave_the_old_order(x: EngineHarness) -> None:
    old = quotes(x, 3)
    x.buy(TAKER.raw, PRICE, 100)
    other_side = replace(old[1], side=Side.buy, price=PRICE - 100)
    grouped = replace(old[2], terms=Terms(group=7).pack())
    frame = mixed_frame_of(QUOTER, [replace(old[0], quantity=200), other_side, grouped], (0, 1, 2))
    assert codes_of(x, frame) == [ErrorCode.order_closed, ErrorCode.terms_conflict, ErrorCode.unsupported_terms]
    assert x.book() == ([], [(PRICE + 10, 100), (PRICE + 20, 100)])


def test_what_was_replaced_does_not_come_back_by_any_way(x: EngineHarness) -> None:
    """Its signature is known to others once it is settled; so is a frame's, with all its orders."""
    old = quotes(x, 2)
    amends = mixed_frame_of(QUOTER, moved(old, 20), (0, 1))
    assert codes_of(x, amends) == [None, None]
    assert codes_of(x, amends) == [ErrorCode.nonce_used] * 2, "sent again"
    assert codes_of(x, mixed_frame_of(QUOTER, old, (0, 1))) == [ErrorCode.nonce_used] * 2, "back to before"
    assert codes_of(x, mixed_frame_of(QUOTER, old)) == [ErrorCode.nonce_used] * 2, "as new ones"
    single = x.engine.open_orders(QUOTER.raw)[0].placed
    again = c.AmendOrder(old[0], frame_digest_of(old, 0), single.scheme, single.signature, single.signer)
    x.refuse(again, ErrorCode.nonce_used)


def frame_digest_of(orders: Sequence[Order], place: int) -> bytes:
    """The hash by which an order of a frame is known."""
    unfolded = mixed_frame_of(QUOTER, orders).judged().unfolded
    assert unfolded is not None
    return unfolded.digest(place)


def test_orders_of_frames_are_amended_by_themselves_and_those_by_frames(x: EngineHarness) -> None:
    old = quotes(x, 2)
    alone = replace(old[0], price=PRICE + 70)
    x.apply(c.AmendOrder(alone, b"\x0a" * 32, 0, b"\x07" * 65, QUOTER.raw))
    assert codes_of(x, mixed_frame_of(QUOTER, [replace(alone, price=PRICE + 80), moved(old, 5_000)[1]], (0, 1))) == [
        None,
        None,
    ]
    loaded = FastEngine.load(x.engine.dump())
    assert loaded.is_fast
    assert loaded.dump() == x.engine.dump()


def test_a_waiting_order_is_amended_and_then_waits_for_what_the_new_one_says(x: EngineHarness) -> None:
    x.buy(TAKER.raw, PRICE - 10, 10)
    stop = order(x, QUOTER, Side.sell, PRICE - 200, 10, terms=STOP, trigger_price=PRICE - 20)
    assert codes_of(x, mixed_frame_of(QUOTER, [stop, order(x, QUOTER, Side.sell, PRICE + 50, 10)])) == [None, None]
    nearer = replace(stop, trigger_price=PRICE - 10)
    assert (
        codes_of(x, mixed_frame_of(QUOTER, [nearer, order(x, QUOTER, Side.sell, PRICE + 60, 10)], (0,))) == [None] * 2
    )
    amended = x.engine.seq
    events = x.sell(QUOTER.raw, PRICE - 10, 10) + x.turns()
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [amended]


def test_a_stop_whose_price_has_come_works_at_its_place_in_the_frame(x: EngineHarness) -> None:
    """A trade of an order before it in the frame counts, as the price that it finds."""
    for price in (PRICE - 10, PRICE - 20, PRICE - 30):
        x.buy(TAKER.raw, price, 10)
    stop = order(x, QUOTER, Side.sell, PRICE - 300, 10, terms=STOP, trigger_price=PRICE - 10)
    frame = mixed_frame_of(
        QUOTER, [order(x, QUOTER, Side.sell, PRICE - 10, 10), stop, order(x, QUOTER, Side.sell, PRICE - 30, 10)]
    )
    codes, events = send(x, frame)
    seq = x.engine.seq
    assert codes == [None] * 3
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [order_id(seq, 1)]
    assert [(t.taker_order, t.price) for t in only(events, e.TradeMatched)] == [
        (seq, PRICE - 10),
        (order_id(seq, 1), PRICE - 20),
        (order_id(seq, 2), PRICE - 30),
    ]


def test_a_stop_that_a_later_order_of_its_frame_triggers_works_after_the_frame(x: EngineHarness) -> None:
    for price in (PRICE - 10, PRICE - 20):
        x.buy(TAKER.raw, price, 10)
    stop = order(x, QUOTER, Side.sell, PRICE - 300, 10, terms=STOP, trigger_price=PRICE - 10)
    crossing, last = (order(x, QUOTER, Side.sell, PRICE + by, 10) for by in (-10, 40))
    codes, events = send(x, mixed_frame_of(QUOTER, [stop, crossing, last]))
    stopped = x.engine.seq
    assert codes == [None] * 3
    assert x.engine.has_due
    assert not only(events, e.OrderTriggered)
    late = mixed_frame_of(TAKER, [order(x, TAKER, Side.buy, PRICE, 1), order(x, TAKER, Side.buy, PRICE, 1)])
    assert codes_of(x, late) == [ErrorCode.unavailable] * 2, "all of it, whatever kind"
    events = x.turns()
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [stopped]
    assert [trade.price for trade in only(events, e.TradeMatched)] == [PRICE - 20]


def test_a_triggered_order_is_amended_within_the_frame_that_triggered_it_and_never_works(x: EngineHarness) -> None:
    for price in (PRICE - 10, PRICE - 20):
        x.buy(TAKER.raw, price, 10)
    stop = order(x, QUOTER, Side.sell, PRICE - 300, 10, terms=STOP, trigger_price=PRICE - 10)
    calm = replace(stop, price=PRICE + 40, terms=0, trigger_price=0)
    codes, events = send(x, mixed_frame_of(QUOTER, [stop, order(x, QUOTER, Side.sell, PRICE - 10, 10), calm], (2,)))
    assert codes == [None] * 3
    assert not x.engine.has_due
    assert reasons(events)[-1] == (x.engine.seq, "amended")
    assert x.book()[1] == [(PRICE + 40, 10)]


def test_all_that_a_mixed_frame_fills_fits_one_batch(x: EngineHarness) -> None:
    """Two crossing amends on one nonce, and plain orders between them, share one bound."""
    for _ in range(2):
        assert codes_of(x, frame_of(QUOTER, [order(x, QUOTER, Side.sell, PRICE, 10) for _ in range(64)])) == [None] * 64
    bids = [order(x, TAKER, Side.buy, PRICE - 50, 10) for _ in range(32)]
    assert codes_of(x, frame_of(TAKER, bids)) == [None] * 32
    crossing = [replace(bid, price=PRICE) for bid in bids]
    new = [order(x, TAKER, Side.buy, PRICE, 10) for _ in range(32)]
    frame = mixed_frame_of(TAKER, [one for pair in zip(crossing, new, strict=True) for one in pair], range(0, 64, 2))
    codes, events = send(x, frame)
    assert codes == [None] * 64
    assert len(only(events, e.TradeMatched)) == MAX_PROOFS // 12
    assert [reason for _, reason in reasons(events)].count("too_many_fills") == 64 - MAX_PROOFS // 12


def test_hostile_numbers_and_terms_are_refused_one_by_one(x: EngineHarness) -> None:
    old = quotes(x, 1 + 1)
    wide: dict[str, Any] = {"price": (1 << 64) - 1, "quantity": 1 << 63, "trigger_price": 1 << 63}
    orders = [replace(old[0], **{field: value}) for field, value in wide.items()]
    orders += [
        order(x, QUOTER, Side.sell, PRICE, 50, terms=ICEBERG, **{f: v}) for f, v in (("trigger_price", 1 << 63),)
    ]
    terms = {
        1 << 10: ErrorCode.unsupported_terms,
        1 << 8: ErrorCode.terms_conflict,
        1 << 80: ErrorCode.terms_conflict,
        4 << 5: ErrorCode.unsupported_terms,
        6: ErrorCode.terms_conflict,
        1 << 96: ErrorCode.unsupported_terms,
        60 << 16: ErrorCode.terms_conflict,
        TimeInForce.ioc | 10 << 16: ErrorCode.terms_conflict,
        1 << 5: ErrorCode.price_off_tick,
        (1 << 128) - 1: ErrorCode.unsupported_terms,
    }
    orders += [order(x, QUOTER, Side.sell, PRICE, 50, terms=word) for word in terms]
    orders.append(replace(old[1], nonce=(1 << 64) - 1))
    frame = mixed_frame_of(QUOTER, orders, (0, 1, 2, len(orders) - 1))
    assert codes_of(x, frame) == [ErrorCode.amount_out_of_range] * 4 + [*terms.values(), ErrorCode.unknown_order]
    assert x.book()[1] == [(PRICE, 100), (PRICE + 10, 100)]


@pytest.mark.parametrize(
    ("price", "lots", "displayed", "code"),
    [
        (PRICE, 1 << 57, 1, ErrorCode.terms_conflict),
        (PRICE, 1 << 57, (1 << 48) - 1, ErrorCode.terms_conflict),
        (1 << 60, 100, 100, ErrorCode.terms_conflict),
        (1 << 60, 100, 99, ErrorCode.amount_out_of_range),
        (10, 1 << 60, 1 << 47, ErrorCode.terms_conflict),
        (1_000_000_000_000_000_000, 100, 10, ErrorCode.amount_out_of_range),
        (PRICE, 1 << 54, (1 << 48) - 1, ErrorCode.amount_out_of_range),
    ],
)
def test_what_an_order_too_large_displays_is_judged_first(
    x: EngineHarness, price: int, lots: int, displayed: int, code: ErrorCode
) -> None:
    price -= price % 10
    for side in (Side.buy, Side.sell):
        orders = [order(x, QUOTER, side, price, lots, terms=Terms(displayed_quantity=displayed).pack()) for _ in "ab"]
        assert codes_of(x, mixed_frame_of(QUOTER, orders)) == [code] * 2


def test_a_nonce_is_amended_256_times_in_frames_too(x: EngineHarness) -> None:
    first = order(x, QUOTER, Side.sell, PRICE, 30)
    amends = [replace(first, price=PRICE + 10 * n) for n in range(1, 259)]
    codes = codes_of(x, mixed_frame_of(QUOTER, [first, *amends], range(1, 259)))
    assert codes == [None] * 257 + [ErrorCode.nonce_used] * 2


def test_legs_of_groups_are_not_amended_by_frames(x: EngineHarness) -> None:
    group = Terms(group=7).pack()
    limit = x.order(QUOTER.raw, Side.sell, PRICE + 50, 10, terms=group)
    x.apply(limit)
    x.apply(x.order(QUOTER.raw, Side.sell, PRICE - 300, 10, terms=STOP | group, trigger_price=PRICE - 100))
    plain = replace(limit.order, price=PRICE + 60, terms=0)
    new = order(x, QUOTER, Side.sell, PRICE + 70, 10)
    assert codes_of(x, mixed_frame_of(QUOTER, [plain, new], (0,))) == [ErrorCode.terms_conflict, None]


def test_delegates_amend_as_they_do_by_themselves(x: EngineHarness) -> None:
    delegate = Signer("delegate")
    old = quotes(x, 2)
    frame = mixed_frame_of(delegate, moved(old, 20), (0, 1), account=QUOTER.raw)
    assert codes_of(x, frame) == [None, None]
    x.apply(c.ObeyRevocation(next(x.inbox_ids), QUOTER.raw, delegate.raw))
    assert codes_of(x, mixed_frame_of(delegate, old, (0, 1), account=QUOTER.raw)) == [ErrorCode.order_closed] * 2


@pytest.mark.parametrize("amends", [b"", b"\x03\x00", b"\x04", b"\x80"])
def test_bits_that_are_not_one_for_each_order_void_the_frame(x: EngineHarness, amends: bytes) -> None:
    good = mixed_frame_of(QUOTER, [order(x, QUOTER, Side.buy, PRICE, 10) for _ in range(2)])
    frame = replace(good, amends=amends)
    assert "amend" in frame.judged().flaw
    assert codes_of(x, frame) == []
    assert x.book() == ([], [])


def test_a_plain_frame_takes_what_it_always_took(x: EngineHarness) -> None:
    """What stands in journals as a frame is judged for ever as it was: orders of other kinds are refused in it."""
    orders = [
        order(x, QUOTER, Side.buy, PRICE, 100),
        order(x, QUOTER, Side.buy, PRICE, 100, terms=ICEBERG),
        order(x, QUOTER, Side.sell, PRICE - 300, 10, terms=STOP, trigger_price=PRICE - 100),
    ]
    assert codes_of(x, frame_of(QUOTER, orders)) == [None, ErrorCode.unsupported_terms, ErrorCode.unsupported_terms]
    assert codes_of(x, mixed_frame_of(QUOTER, orders)) == [ErrorCode.nonce_used, None, None]
