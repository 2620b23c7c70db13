"""Frames in the engine, the reference and the fast one: each order as if it came alone, one bound for all."""

import random
from collections.abc import Iterator

import pytest

from exchange.domain.eip712 import Scheme
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import ACCEPTED, code_of
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.domain.order_id import order_id, seq_of
from exchange.domain.settlement import MAX_PROOFS
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.fast.engine import FastEngine
from exchange.engine.telling import Telling
from tests.utils.engine import BTC, BTC_USDC, USDC, EngineHarness, only, reasons
from tests.utils.frames import frame_of
from tests.utils.signing import Signer
from tests.utils.twins import TwinEngine

QUOTER = Signer("quoter")
TAKER = Signer("taker")
PRICE = 5_000_000


@pytest.fixture
def x() -> Iterator[EngineHarness]:
    harness = EngineHarness()
    for signer in (QUOTER, TAKER):
        harness.credit(signer.raw, USDC, 10**14)
        harness.credit(signer.raw, BTC, 10**14)
    yield harness
    harness.validate_and_drain()


def order(x: EngineHarness, signer: Signer, side: int, price: int, lots: int, **options: object) -> Order:
    return x.order(signer.raw, side, price, lots, **options).order  # type: ignore[arg-type]


def codes_of(x: EngineHarness, frame: c.PlaceFrame) -> list[ErrorCode | None]:
    """Place a frame in both engines; what became of each order."""
    seq = x.engine.seq + 1
    outcome = x.engine.apply_frame(seq, x.at_ms, frame)
    x.kept.append((seq, x.at_ms, frame))
    x.quantities.happened(outcome.events)
    return [code_of(code) for code in outcome.codes]


def test_orders_of_a_frame_rest_and_match_in_their_order(x: EngineHarness) -> None:
    x.apply(frame_of(QUOTER, [order(x, QUOTER, Side.sell, PRICE + 10 * i, 100) for i in range(4)]))
    quotes = x.engine.seq
    events = x.apply(frame_of(TAKER, [order(x, TAKER, Side.buy, PRICE, 60), order(x, TAKER, Side.buy, PRICE + 10, 90)]))
    seq = x.engine.seq
    trades = [(t.taker_order, t.maker_order, t.quantity) for t in only(events, e.TradeMatched)]
    assert trades == [
        (seq, quotes, 60),
        (order_id(seq, 1), quotes, 40),
        (order_id(seq, 1), order_id(quotes, 1), 50),
    ]
    assert all(trade.seq == seq for trade in x.engine.state.trades.values())
    assert [seq_of(o.order_id) for o in x.engine.open_orders(QUOTER.raw)] == [quotes] * 3


def test_orders_of_a_frame_gather_in_an_auction(x: EngineHarness) -> None:
    x.apply(c.StartAuction(next(x.inbox_ids), BTC_USDC, x.now + 5))
    kinds = {"tif": TimeInForce.ioc}, {"post_only": True}, {"tif": TimeInForce.fok}
    orders = [order(x, TAKER, Side.buy, PRICE + 10 * i, 50) for i in range(2)]
    orders += [order(x, TAKER, Side.buy, PRICE, 50, **kind) for kind in kinds]
    assert codes_of(x, frame_of(TAKER, orders)) == [None, None, *[ErrorCode.auction_call] * 3]
    crossing = [order(x, TAKER, Side.sell, PRICE, 60, self_trade=mode) for mode in SelfTrade]
    assert codes_of(x, frame_of(TAKER, crossing)) == [None] * 4
    assert not x.engine.state.trades
    x.at_ms += 5_000
    late = [order(x, TAKER, Side.buy, PRICE, 50)] * 2
    assert codes_of(x, frame_of(TAKER, late)) == [ErrorCode.unavailable] * 2
    x.turns()
    x.apply(c.Tick())


def test_a_snapshot_with_frames_in_it_is_adopted_by_the_fast_engine(x: EngineHarness) -> None:
    x.apply(frame_of(QUOTER, [order(x, QUOTER, Side.sell, PRICE + 10 * i, 100) for i in range(4)]))
    x.apply(frame_of(TAKER, [order(x, TAKER, Side.buy, PRICE, 60), order(x, TAKER, Side.buy, PRICE + 10, 90)]))
    x.sell(QUOTER.raw, PRICE + 100, 10)
    loaded = FastEngine.load(x.engine.dump())
    assert loaded.is_fast
    assert loaded.dump() == x.engine.dump()
    assert loaded.violations() == []


def test_a_trade_of_a_frame_triggers_in_its_turn_only(x: EngineHarness) -> None:
    first, high, low = (PRICE * percent // 100 for percent in (108, 110, 100))
    for price in (first, high):
        x.sell(QUOTER.raw, price, 10)
    x.buy(QUOTER.raw, low, 10)
    x.buy(TAKER.raw, first, 10)
    trail = Terms(trigger_type=TriggerType.trailing, trail_bps=500).pack()
    x.apply(x.order(QUOTER.raw, Side.buy, PRICE * 113 // 100, 5, terms=trail, trigger_price=0))
    orders = [
        order(x, TAKER, Side.buy, high, 10),
        order(x, TAKER, Side.sell, low, 10),
        order(x, TAKER, Side.buy, low - 10, 10),
    ]
    events = x.apply(frame_of(TAKER, orders))
    assert [trade.price for trade in only(events, e.TradeMatched)] == [high, low]
    assert not x.engine.has_due
    (trigger,) = x.engine.state.watches[BTC_USDC].triggers.values()
    assert (trigger.best, trigger.price) == (low, low * 105 // 100)


def test_what_a_frame_triggers_works_after_its_last_order(x: EngineHarness) -> None:
    stop = Terms(trigger_type=TriggerType.stop_loss).pack()
    x.buy(TAKER.raw, PRICE - 10, 10)
    x.apply(x.order(QUOTER.raw, Side.sell, PRICE - 100, 10, terms=stop, trigger_price=PRICE - 10))
    waiting = x.engine.seq
    crossing, resting = order(x, TAKER, Side.sell, PRICE, 10), order(x, TAKER, Side.buy, PRICE - 50, 10)
    own = order(x, QUOTER, Side.sell, PRICE - 10, 10)
    assert codes_of(x, frame_of(QUOTER, [own, order(x, QUOTER, Side.buy, PRICE - 50, 10)])) == [None, None]
    assert x.engine.has_due
    assert codes_of(x, frame_of(TAKER, [crossing, resting])) == [ErrorCode.unavailable] * 2
    events = x.turns()
    assert [event.order_id for event in only(events, e.OrderTriggered)] == [waiting]
    assert codes_of(x, frame_of(TAKER, [resting, order(x, TAKER, Side.buy, PRICE - 60, 10)])) == [None, None]


def test_refused_orders_leave_no_trace_and_the_rest_stands(x: EngineHarness) -> None:
    nonce = next(x.nonces)
    frame = frame_of(
        QUOTER,
        [
            order(x, QUOTER, Side.buy, PRICE, 100, nonce=nonce),
            order(x, QUOTER, Side.buy, PRICE, 100, nonce=nonce),
            order(x, QUOTER, Side.buy, PRICE + 1, 100),
            order(x, QUOTER, Side.buy, PRICE, 1 << 63),
            order(x, QUOTER, Side.buy, PRICE, 100, terms=Terms(displayed_quantity=10).pack()),
            order(x, QUOTER, Side.buy, PRICE, 100, terms=1 << 127),
            order(x, QUOTER, Side.buy, PRICE, 100, market=77),
            order(x, QUOTER, Side.buy, PRICE, 100, expiry=1),
            order(x, QUOTER, Side.sell, PRICE + 10, 10),
        ],
    )
    assert codes_of(x, frame) == [
        None,
        ErrorCode.nonce_used,
        ErrorCode.price_off_tick,
        ErrorCode.amount_out_of_range,
        ErrorCode.unsupported_terms,
        ErrorCode.unsupported_terms,
        ErrorCode.unknown_market,
        ErrorCode.expired,
        None,
    ]
    assert x.book() == ([(PRICE, 100)], [(PRICE + 10, 10)])


def test_frame_sent_again_places_nothing(x: EngineHarness) -> None:
    frame = frame_of(QUOTER, [order(x, QUOTER, Side.buy, PRICE, 100) for _ in range(3)])
    assert codes_of(x, frame) == [None] * 3
    assert codes_of(x, frame) == [ErrorCode.nonce_used] * 3


def test_void_frame_takes_its_place_and_does_nothing(x: EngineHarness) -> None:
    good = frame_of(QUOTER, [order(x, QUOTER, Side.buy, PRICE, 100) for _ in range(2)])
    forged = c.PlaceFrame(good.signer, good.scheme, good.separator, good.root, bytes(64) + b"\x1b", good.orders)
    before = x.engine.seq
    assert x.apply(forged) == []
    assert x.engine.seq == before + 1
    assert x.book() == ([], [])
    assert codes_of(x, forged) == []


def test_delegates_of_a_frame_are_judged_by_the_engine_as_those_of_an_order(x: EngineHarness) -> None:
    delegate = Signer("delegate")
    x.apply(c.ObeyRevocation(next(x.inbox_ids), QUOTER.raw, delegate.raw))
    frame = frame_of(delegate, [order(x, QUOTER, Side.buy, PRICE, 100) for _ in range(2)], account=QUOTER.raw)
    assert frame.scheme == Scheme.bulk | Scheme.delegate
    assert codes_of(x, frame) == [ErrorCode.unknown_delegate] * 2


def test_two_orders_are_the_smallest_frame_and_keep_their_paths(x: EngineHarness) -> None:
    x.apply(frame_of(QUOTER, [order(x, QUOTER, Side.buy, PRICE, 100) for _ in range(2)]))
    kept = [o.placed.signature for o in x.engine.open_orders(QUOTER.raw)]
    fast = [o.placed.signature for o in x.engine.fast.open_orders(QUOTER.raw)]  # type: ignore[attr-defined]
    assert kept == fast
    assert {len(signature) for signature in kept} == {65 + 2 + 32}


def test_all_that_a_frame_fills_fits_one_batch(x: EngineHarness) -> None:
    """Both sides in frames of 64: each trade brings two paths of six hashes, or one where its taker goes on."""
    for _ in range(2):
        x.apply(frame_of(QUOTER, [order(x, QUOTER, Side.sell, PRICE, 10) for _ in range(64)]))
    takers = [order(x, TAKER, Side.buy, PRICE, 10) for _ in range(64)]
    events = x.apply(frame_of(TAKER, takers))
    trades = only(events, e.TradeMatched)
    assert len(trades) == MAX_PROOFS // 12
    assert [reason for _, reason in reasons(events) if reason == "too_many_fills"] == ["too_many_fills"] * (64 - 42)
    again = x.apply(x.order(TAKER.raw, Side.buy, PRICE, 200))
    assert len(only(again, e.TradeMatched)) == 20, "the next record has room of its own"


def test_fill_or_kill_in_a_frame_asks_for_the_room_that_is_left(x: EngineHarness) -> None:
    for _ in range(2):
        x.apply(frame_of(QUOTER, [order(x, QUOTER, Side.sell, PRICE, 10) for _ in range(64)]))
    sweep = order(x, TAKER, Side.buy, PRICE, 800)
    fok = order(x, TAKER, Side.buy, PRICE, 100, tif=TimeInForce.fok)
    events = x.apply(frame_of(TAKER, [sweep, fok]))
    assert (order_id(x.engine.seq, 1), "too_many_fills") in reasons(events)


def test_random_frames_are_the_same_in_both_engines(x: EngineHarness) -> None:
    chance = random.Random(7)
    for _ in range(40):
        signer = chance.choice((QUOTER, TAKER))
        orders = [
            order(
                x,
                signer,
                chance.choice((Side.buy, Side.sell)),
                PRICE + 10 * chance.randint(-8, 8),
                chance.randint(1, 50),
                tif=chance.choice(list(TimeInForce)),
                market=BTC_USDC,
            )
            for _ in range(chance.randint(2, 40))
        ]
        codes = codes_of(x, frame_of(signer, orders))
        assert codes.count(None) > len(codes) // 2
        x.at_ms += 100
    assert isinstance(x.engine, TwinEngine)
    assert x.engine.fast.is_fast


def test_fast_engine_tells_nothing_where_nobody_listens() -> None:
    x = EngineHarness()
    x.credit(QUOTER.raw, USDC, 10**12)
    frame = frame_of(QUOTER, [order(x, QUOTER, Side.buy, PRICE, 10) for _ in range(5)])
    engine = FastEngine.load(x.engine.dump())
    outcome = engine.apply_frame(x.engine.seq + 1, x.at_ms, frame, Telling.nothing)
    assert outcome.codes == bytes([ACCEPTED] * 5)
    assert outcome.events == []
    x.apply(frame)
    assert engine.dump() == x.engine.dump()
