"""Each pattern is found where it is, and not in what honest traders do that looks like it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.surveillance.detect import detect, unknown
from exchange.surveillance.relations import MOST_LINKED, Relations, relations_of
from exchange.surveillance.tape import (
    BUY,
    MAX_EVIDENCE,
    SELL,
    Case,
    Ended,
    Fact,
    Link,
    Pattern,
    Placed,
    Stopped,
    Traded,
)
from exchange.surveillance.thresholds import Thresholds

A, B, C, D, BOT = (bytes([n]) * 20 for n in range(1, 6))
LIMITS = Thresholds()
PRICE = 100_000


class Story:
    """A tape that is written call by call, a second apart unless told otherwise."""

    def __init__(self) -> None:
        self.tape: list[Fact] = []
        self.at_ms = 1_000
        self.orders: dict[int, Placed] = {}

    def later(self, milliseconds: int) -> Story:
        self.at_ms += milliseconds
        return self

    def place(self, account: bytes, side: int, quantity: int = 10, price: int = PRICE, market: int = 1) -> int:
        seq = len(self.tape) + 1
        placed = Placed(seq, self.at_ms, seq, account, account, market, side, price, quantity)
        self.tape.append(placed)
        self.orders[seq] = placed
        return seq

    def end(self, order_id: int, reason: str = "cancelled", remaining: int | None = None) -> None:
        placed = self.orders[order_id]
        left = placed.quantity if remaining is None else remaining
        seq = len(self.tape) + 1
        self.tape.append(Ended(seq, self.at_ms, order_id, placed.account, placed.market, reason, left))

    def trade(
        self, maker: bytes, taker: bytes, taker_side: int, quantity: int = 10, price: int = PRICE, market: int = 1
    ) -> None:
        """A maker's order, and a taker that meets all of it."""
        made = self.place(maker, 1 - taker_side, quantity, price, market)
        self.meet(made, taker, quantity)

    def meet(self, made: int, taker: bytes, quantity: int) -> None:
        """Take a part of an order."""
        placed = self.orders[made]
        taker_side = 1 - placed.side
        took = self.place(taker, taker_side, quantity, placed.price, placed.market)
        seq = len(self.tape) + 1
        self.tape.append(
            Traded(
                seq,
                self.at_ms,
                seq,
                placed.market,
                placed.price,
                quantity,
                quantity * placed.price,
                taker_side,
                made,
                took,
                placed.account,
                taker,
            )
        )
        self.end(took, "filled", 0)

    def found(self, *links: Link, limits: Thresholds = LIMITS) -> list[Case]:
        return detect(self.tape, Relations(links), limits)


def patterns(cases: list[Case]) -> list[Pattern]:
    """What the cases are about."""
    return [case.pattern for case in cases]


# wash trades

SHARED_KEY = (Link("signer", A, BOT), Link("signer", B, BOT))


def washed() -> Story:
    """Two accounts trade twice, among much else."""
    story = Story()
    for taker in (B, C, B, D):
        story.trade(A, taker, BUY)
        story.trade(C, D, SELL)
        story.trade(D, B, SELL, 100)
    return story


def test_wash_trades_of_accounts_with_one_key_are_found() -> None:
    (case,) = washed().found(*SHARED_KEY)
    assert (case.pattern, case.market, case.accounts) == (Pattern.wash_trades, 1, (A, B))
    assert case.figures == {"trades": 2, "quote": 20 * PRICE}
    assert len(case.evidence) == 2


def test_wash_trades_of_an_account_and_who_funded_it_are_found() -> None:
    assert patterns(washed().found(Link("funder", B, A))) == [Pattern.wash_trades]


def test_relations_go_over_others() -> None:
    links = (Link("signer", A, BOT), Link("signer", C, BOT), Link("funder", B, C))
    assert patterns(washed().found(*links)) == [Pattern.wash_trades]
    assert washed().found(*links[:2]) == []


def test_the_same_trades_of_strangers_are_no_case() -> None:
    assert washed().found(Link("signer", A, BOT), Link("signer", B, C[:19] + b"x")) == []


def test_one_trade_of_related_accounts_is_chance() -> None:
    story = Story()
    story.trade(A, B, BUY)
    assert story.found(*SHARED_KEY) == []


def test_a_key_of_very_many_accounts_relates_nobody() -> None:
    """A custodian that funds all its customers."""
    many = [Link("funder", bytes([0, n]) * 10, BOT) for n in range(MOST_LINKED + 1)]
    assert not relations_of(many).related(many[0].account, many[1].account)
    assert relations_of(many[1:]).related(many[1].account, many[2].account)


# round trips


def test_a_pair_that_trades_back_and_forth_is_found() -> None:
    story = Story()
    for side in (BUY, SELL, BUY, SELL):
        story.trade(A, B, side, 50)
    story.trade(A, C, BUY, 20)
    (case,) = story.found()
    assert (case.pattern, case.accounts) == (Pattern.round_trips, (A, B))
    assert case.figures == {"trades": 4, "gross": 200, "net": 0, "share_percent": 90}


@pytest.mark.parametrize(
    "sides",
    [
        (BUY, BUY, BUY, BUY),  # a position changes hands
        (BUY, SELL, BUY),  # too few
    ],
)
def test_a_pair_that_ends_elsewhere_or_hardly_trades_is_no_case(sides: tuple[int, ...]) -> None:
    story = Story()
    for side in sides:
        story.trade(A, B, side, 50)
    assert story.found() == []


def test_two_makers_who_meet_among_many_others_are_no_case() -> None:
    story = Story()
    for side in (BUY, SELL, BUY, SELL):
        story.trade(A, B, side, 50)
        for maker in (A, B):
            story.trade(maker, bytes([len(story.tape)]) * 20, side, 80)
    assert story.found() == []


# layering


def layered(
    *, ratio: int = 10, wait_ms: int = 1_000, reason: str = "cancelled", own_side: int = 0, times: int = 3
) -> Story:
    """An account sells what others come to buy, below bids of its own that it takes back."""
    story = Story()
    for _ in range(times):
        beside = [story.place(A, SELL, own_side, PRICE + 50)] if own_side else []
        ask = story.place(A, SELL, 10)
        bids = [story.place(A, BUY, 10 * ratio // 2, PRICE - 10 * (n + 1)) for n in range(2)]
        story.later(1_000).meet(ask, B, 10)
        story.end(ask, "filled", 0)
        story.later(wait_ms)
        for order in (*bids, *beside):
            story.end(order, reason)
        story.later(20_000)
    return story


@pytest.mark.parametrize("reason", ["cancelled", "amended"])
def test_layering_is_found(reason: str) -> None:
    (case,) = layered(reason=reason).found()
    assert (case.pattern, case.accounts) == (Pattern.layering, (A,))
    assert case.figures == {"episodes": 3, "lots_withdrawn": 300, "lots_traded": 30, "side": SELL}
    assert len(case.evidence) == 6


def test_one_large_order_is_spoofing_as_well() -> None:
    story = Story()
    for _ in range(3):
        wall = story.place(A, SELL, 1_000, PRICE + 10)
        made = story.place(B, SELL, 10)
        story.later(500).meet(made, A, 10)
        story.later(500).end(wall)
        story.later(30_000)
    (case,) = story.found()
    assert case.pattern == Pattern.layering
    assert case.figures["side"] == BUY


@pytest.mark.parametrize(
    ("story", "why"),
    [
        (layered(ratio=2), "the orders against are hardly larger"),
        (layered(wait_ms=6_000), "they stay after the trade"),
        (layered(reason="expired"), "they end by themselves"),
        (layered(own_side=100), "a maker shows as much on the other side, and moves both"),
        (layered(times=2), "it happened twice"),
    ],
)
def test_quoting_that_only_looks_like_layering_is_no_case(story: Story, why: str) -> None:
    assert story.found() == [], why


def moved(*, again: bool, asks: int) -> Story:
    """A maker that moves its ladder is met at its last ask, when the others are taken back and the bids are not yet."""
    story = Story()
    for _ in range(3):
        ladder = [story.place(A, SELL, 100, PRICE + 10 * n) for n in range(1, asks)]
        last = story.place(A, SELL, 10)
        bids = [story.place(A, BUY, 100, PRICE - 10 * n) for n in range(1, 4)]
        story.later(1_000)
        for order in ladder:
            story.end(order)
        story.meet(last, B, 10)
        story.end(last, "filled", 0)
        story.later(500)
        for order in bids:
            story.end(order)
        if again:
            for n in range(1, 4):
                story.place(A, BUY, 100, PRICE - 5 * n)
        story.later(90_000)
    return story


def test_a_maker_that_moves_its_quotes_is_no_case() -> None:
    assert moved(again=False, asks=4).found() == []
    assert moved(again=True, asks=1).found() == []
    assert patterns(moved(again=False, asks=1).found()) == [Pattern.layering]


def test_a_trade_at_the_end_of_the_tape_is_judged_later() -> None:
    """What a maker places again is not there yet."""
    story = layered()
    last = max(fact.at_ms for fact in story.tape if isinstance(fact, Traded))
    assert detect(story.tape, Relations(), LIMITS, last + LIMITS.layering_after_ms - 1) == []
    assert patterns(detect(story.tape, Relations(), LIMITS, last + LIMITS.layering_after_ms)) == [Pattern.layering]


def test_an_order_that_was_filled_itself_was_meant() -> None:
    story = Story()
    for _ in range(3):
        bid = story.place(A, BUY, 100, PRICE - 10)
        story.meet(bid, C, 20)
        story.later(1_000).trade(A, B, BUY)
        story.later(1_000).end(bid, "cancelled", 80)
        story.later(30_000)
    assert story.found() == []


# momentum ignition


def ignited(
    *, steps: int = 5, step: int = 200, others: int = 0, pause_ms: int = 10_000, back: int = 30, gain: int = 100
) -> Story:
    """An account buys a price up, and sells what it bought to those who follow."""
    story = Story()
    for n in range(steps):
        story.trade(C, A, BUY, 10, PRICE + step * n)
        for _ in range(others):
            story.trade(C, D, BUY, 10, PRICE + step * n)
        story.later(500)
    story.later(pause_ms)
    story.trade(A, B, BUY, back, PRICE + step * steps // 2 + gain)
    return story


def test_momentum_ignition_is_found() -> None:
    (case,) = ignited().found()
    assert (case.pattern, case.accounts) == (Pattern.momentum_ignition, (A,))
    assert case.figures == {"trades": 5, "lots": 50, "moved_bps": 80, "share_percent": 100, "lots_back": 30}


def test_the_way_down_is_found_too() -> None:
    story = Story()
    for n in range(5):
        story.trade(C, A, SELL, 10, PRICE - 200 * n)
        story.later(500)
    story.later(5_000).trade(B, A, BUY, 40, PRICE - 900)
    assert patterns(story.found()) == [Pattern.momentum_ignition]


@pytest.mark.parametrize(
    ("story", "why"),
    [
        (ignited(steps=4), "four takings are no burst"),
        (ignited(step=5), "the price hardly moved"),
        (ignited(others=1), "others bought as much"),
        (ignited(pause_ms=70_000), "it sold much later"),
        (ignited(back=10), "it kept what it bought"),
        (ignited(gain=-600), "it sold at a loss"),
    ],
)
def test_a_large_order_worked_at_once_is_no_case(story: Story, why: str) -> None:
    assert story.found() == [], why


# self-trades


def stopped(times: int, reason: str = "self_trade") -> Story:
    """An account meets itself."""
    story = Story()
    for n in range(times):
        order = story.place(A, SELL)
        if n % 2:
            story.tape.append(Stopped(len(story.tape) + 1, story.at_ms, order, A, 1, 10))
        else:
            story.end(order, reason)
    return story


def test_orders_that_meet_their_own_account_again_and_again_are_found() -> None:
    (case,) = stopped(LIMITS.self_trades).found()
    assert (case.pattern, case.figures) == (Pattern.self_trades, {"orders": 10})


def test_a_few_of_them_or_other_ends_are_no_case() -> None:
    assert stopped(LIMITS.self_trades - 1).found() == []
    assert stopped(LIMITS.self_trades, "cancelled").found() == []


# all


def test_markets_are_looked_at_by_themselves() -> None:
    story = Story()
    for market in (1, 2, 1, 2):
        story.trade(A, B, BUY if market == 1 else SELL, 50, market=market)
    assert patterns(story.found(*SHARED_KEY)) == [Pattern.wash_trades] * 2


def test_the_same_tape_gives_the_same_cases_and_known_ones_are_left_out() -> None:
    story = washed()
    cases = story.found(*SHARED_KEY)
    assert cases == story.found(*SHARED_KEY)
    assert unknown(cases, {}) == cases
    assert unknown(cases, {cases[0].subject: cases[0].last_seq}) == []
    assert unknown(cases, {cases[0].subject: cases[0].first_seq - 1}) == cases


def test_thresholds_are_obeyed() -> None:
    assert washed().found(*SHARED_KEY, limits=replace(LIMITS, wash_trades=3)) == []
    assert len(stopped(60).found()[0].evidence) == MAX_EVIDENCE
