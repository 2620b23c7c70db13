"""Mixed frames, most of whose amends keep their place, beside the reference: events, outcomes, state, and who did it.

Where no order has a trigger, the core does what the reference accepts by itself: none of it may have been Python's. No
more may new orders that display a part, refused ones among them. Between the frames orders are partly filled,
fees rise and fall, money leaves, markets are bounded.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame_codes import number_of
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce
from exchange.domain.order_id import index_of, order_id
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.fast.state import ArrayState
from exchange.engine.orders import OpenOrder
from tests.utils.engine import BTC, BTC_USDC, TAKER, USDC, EngineHarness, only, reasons
from tests.utils.frames import mixed_frame_of
from tests.utils.signing import Signer

QUOTERS = [Signer("quoter"), Signer("another quoter")]
DELEGATE = Signer("delegate")
PRICE = 5_000_000
PLAIN = 32
RESTING = [
    Terms(tif, post_only, mode).pack()
    for tif in (TimeInForce.gtc, TimeInForce.gtd)
    for post_only in (False, True)
    for mode in SelfTrade
]


@pytest.fixture
def by_python(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The ids of the orders of mixed frames that the core has left to Python."""
    found: set[int] = set()
    place_mixed = ArrayState.place_mixed

    def noted(state: ArrayState, index: int) -> int:
        assert state.frame is not None
        found.add(order_id(state.frame.seq, index))
        return place_mixed(state, index)

    monkeypatch.setattr(ArrayState, "place_mixed", noted)
    return found


class Amender:
    """Random frames of two accounts, and what happens between them, in all engines at once."""

    def __init__(self, seed: int, by_python: set[int]) -> None:
        self.rng, self.x, self.by_python = random.Random(seed), EngineHarness(), by_python
        self.seen: Counter[str] = Counter()
        by_python.clear()
        self.brakes = 0
        for account in (*(quoter.raw for quoter in QUOTERS), TAKER):
            self.x.credit(account, USDC, 10**13)
            self.x.credit(account, BTC, 10**13)

    # orders

    def fresh(self, account: bytes) -> Order:
        rng, side = self.rng, self.rng.choice((Side.buy, Side.sell))
        lots = rng.randrange(20, 90)
        displayed = rng.choice((lots, 100, 1)) if rng.random() < 0.15 else rng.randrange(1, 20)
        return self.x.order(
            account,
            side,
            PRICE + rng.randrange(-2, 4) * (10 if side == Side.sell else -10),
            lots,
            terms=rng.choice(RESTING) | (0 if rng.random() < 0.8 else displayed << 16),
            expiry=self.x.now + rng.randrange(2, 700),
            max_fee_bps=rng.choice((10, 15, 40)),
        ).order

    def variant(self, old: Order, used: int) -> tuple[str, Order]:
        """Another order on a nonce, and what is other about it."""
        rng = self.rng
        left = max(old.quantity - used, 1)
        return rng.choice(
            [
                ("the very same", old),
                ("same quantity", replace(old, expiry=self.x.now + rng.randrange(2, 700))),
                ("less", replace(old, quantity=used + rng.randrange(1, left + 1), max_fee_bps=old.max_fee_bps + 1)),
                ("less", replace(old, quantity=used + rng.randrange(1, left + 1), max_fee_bps=old.max_fee_bps + 1)),
                ("no more than used", replace(old, quantity=rng.randrange(0, used + 1))),
                ("other fee cap", replace(old, max_fee_bps=rng.choice((2, 11, 20, 41, 60)))),
                ("other expiry", replace(old, expiry=self.x.now + rng.choice((0, 1, 5, 300, 3_000, 10**7)))),
                ("other mode", replace(old, terms=old.terms ^ 1 << 3)),
                ("other part", replace(old, terms=old.terms % PLAIN | rng.choice((0, 0, 5, 9, left)) << 16)),
                ("more", replace(old, quantity=old.quantity + rng.randrange(1, 30))),
                ("other price", replace(old, price=old.price + rng.choice((-30, 10, 20, 5)))),
            ]
        )

    def frame(self) -> None:
        """A frame of new orders and amends, some of them of one another, by an account or its delegate."""
        rng, quoter = self.rng, self.rng.choice(QUOTERS)
        state = self.x.engine.account(quoter.raw)
        assert state is not None
        known = {nonce: (o.placed.order, o.placed.order.quantity - o.remaining) for nonce, o in state.orders.items()}
        orders, whats, amends = list[Order](), list[str](), set[int]()
        for place in range(rng.randrange(2, 24)):
            if known and rng.random() < (0.9 if len(known) > 20 else 0.6):
                nonce = rng.choice(list(known))
                what, order = self.variant(*known[nonce])
                again = any(one.nonce == nonce for one in orders)
                amends.add(place)
                whats.append(f"{what}, again" if again else what)
            else:
                order = self.fresh(quoter.raw)
                whats.append("new")
            orders.append(order)
            known[order.nonce] = order, known.get(order.nonce, (order, 0))[1]
        signer = DELEGATE if rng.random() < 0.3 else quoter
        self.place(mixed_frame_of(signer, orders, amends, account=quoter.raw), orders, whats)

    def place(self, frame: c.PlaceMixedFrame, orders: list[Order], whats: list[str]) -> None:
        """Place it, and see that what the core can do was not Python's."""
        before, held = dict(self.x.engine.state.orders), self.held()
        seq = self.x.engine.seq + 1
        outcome = self.x.engine.apply_frame(seq, self.x.at_ms, frame)
        self.x.kept.append((seq, self.x.at_ms, frame))
        self.x.quantities.happened(outcome.events)
        terms = {number: order.placed.order.terms for number, order in before.items()}
        terms |= {order_id(seq, place): order.terms for place, order in enumerate(orders)}
        for place, (code, what, order) in enumerate(zip(outcome.codes, whats, orders, strict=True)):
            self.seen[f"{what}: {code or 'done'}"] += 1
            if what == "new" and order.terms >= PLAIN:
                assert order_id(seq, place) not in self.by_python, "it displays a part"
                self.seen[f"displayed: {code or 'done'}"] += 1
        for event in only(outcome.events, e.OrderAmended):
            what = whats[index_of(event.order_id)]
            self.seen["kept" if event.kept_place else "lost"] += 1
            self.seen[f"{what}: kept"] += event.kept_place
            self.seen["kept, partly filled"] += event.kept_place and is_filled(before.get(event.replaced))
            assert event.order_id not in self.by_python, (what, event)
            self.seen["done by the core"] += 1
            hides = terms[event.order_id] >= PLAIN, terms[event.replaced] >= PLAIN
            self.seen[f"hides, hid: {hides}, {'kept' if event.kept_place else 'lost'}"] += 1
        self.seen["holds grew"] += self.held() > held
        self.seen["expired in a frame"] += [reason for _, reason in reasons(outcome.events)].count("expired")

    def held(self) -> int:
        return sum(b.held for account in self.x.engine.state.accounts for b in account.balances.values())

    # what else happens

    def take(self) -> None:
        side, lots = self.rng.choice((Side.buy, Side.sell)), self.rng.randrange(1, 60)
        price = PRICE + (100 if side == Side.buy else -100)
        self.attempt(self.x.order(TAKER, side, price, lots, tif=TimeInForce.ioc, max_fee_bps=60))

    def others(self) -> Iterator[c.Command]:
        rng, x = self.rng, self.x
        who, market, inbox = rng.choice(QUOTERS).raw, BTC_USDC, x.inbox_ids
        self.brakes += 1
        brake = x.at_ms + self.brakes
        bounds = [rng.choice((0, 0, most)) for most in (60, 3 * 10**8, 9, 2 * 10**9)]
        tiers = ((rng.choice((200, 300, 900)), rng.choice((500, 900))), (100, 200))
        yield c.Tick()
        yield c.AnnounceFees(next(inbox), market, x.at_ms + 1, tiers, rng.choice((0, 0, 3)))
        yield c.SetAccountTier(next(inbox), who, rng.randrange(2), x.at_ms + 1)
        yield c.HoldWithdrawal(who, USDC, 1, brake.to_bytes(32), brake, x.now + 600, "{}", b"\x05" * 65)
        asset = rng.choice((USDC, BTC))
        yield c.ReserveForced(next(inbox), who, asset, x.balance(who, asset).available, f"request {self.brakes}")
        yield c.SetMarketBounds(next(inbox), market, 0, *bounds)
        yield c.SetAccountLimits(next(inbox), who, rng.choice((0, 0, 12)), USDC, rng.choice((0, 0, 2 * 10**9)))
        yield c.SetLimits(0, rng.choice((8, 25, 200)), 20)
        yield c.SetMarketStatus(next(inbox), market, rng.choice(("open", "open", "halted")))
        yield c.StartAuction(next(inbox), market, x.now + 2)
        yield c.SetCountdown(who, rng.choice((0, 2)), brake, b"", who)
        yield c.ObeyRevocation(next(inbox), who, DELEGATE.raw)
        yield c.AllowDelegate(next(inbox), who, DELEGATE.raw)
        yield c.Credit(next(inbox), who, rng.choice((USDC, BTC)), 10**13, "more")

    def attempt(self, command: c.Command) -> None:
        """Apply what may be refused."""
        x = self.x
        try:
            x.apply(command)
        except Refusal:
            self.seen[f"refused {type(command).__name__}"] += 1

    def live(self, rounds: int) -> None:
        """Frames, and something between them."""
        steps: list[Callable[[], None]] = [self.frame] * 6 + [self.take] * 2
        for number in range(rounds):
            self.rng.choice(steps)()
            if self.rng.random() < 0.25:
                self.attempt(self.rng.choice(list(self.others())))
                self.x.apply(c.SetMarketStatus(next(self.x.inbox_ids), BTC_USDC, "open"))
            self.x.at_ms += self.rng.choice((0, 0, 1, 900, 5_000))
            if number % 10 == 9:
                self.reload()
        self.x.validate_and_drain()

    def reload(self) -> None:
        """Every invariant holds, and all engines go on from a snapshot."""
        self.x.validate()
        self.x.engine = type(self.x.engine).load(self.x.engine.dump())


def is_filled(order: OpenOrder | None) -> bool:
    """Whether it is partly filled."""
    return order is not None and order.remaining < order.placed.order.quantity


KEPT = ("same quantity", "less", "other fee cap", "other expiry")
LOST = ("other mode", "other price", "more")
REFUSED = {
    "the very same": ErrorCode.nonce_used,
    "no more than used": ErrorCode.amount_out_of_range,
    "other fee cap": ErrorCode.fee_cap_too_low,
    "other price": ErrorCode.price_off_tick,
    "more": ErrorCode.order_too_large,
    "less": ErrorCode.terms_conflict,
    "other mode": ErrorCode.order_closed,
}


def test_amends_in_frames_do_the_same_in_all_engines(by_python: set[int]) -> None:
    seen: Counter[str] = Counter()
    for seed in range(4):
        stream = Amender(seed, by_python)
        stream.live(150)
        seen += stream.seen
    for what in KEPT:
        assert seen[f"{what}: kept"] > 50, seen
        assert seen[f"{what}, again: kept"] > 20, seen
    for what in LOST:
        assert seen[f"{what}: done"] > 50, seen
    for what, code in REFUSED.items():
        assert seen[f"{what}: {number_of(code)}"], (what, seen)
    for code in (ErrorCode.terms_conflict, ErrorCode.too_much_open, ErrorCode.insufficient_balance):
        assert seen[f"displayed: {number_of(code)}"], seen
    assert seen["displayed: done"] > 100, seen
    for code in (ErrorCode.expired, ErrorCode.expiry_too_far):
        assert seen[f"other expiry: {number_of(code)}"], seen
    assert seen["done by the core"] > 1_000
    for hides in ((True, True), (True, False), (False, True)):
        assert seen[f"hides, hid: {hides}, lost"] > 10, (hides, seen)
    assert seen["hides, hid: (True, True), kept"] > 100, seen
    for what in ("kept, partly filled", "expired in a frame", "holds grew"):
        assert seen[what] > 5, (what, seen)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2_000, 2_040))
def test_amends_in_frames_do_the_same_in_all_engines_for_long(seed: int, by_python: set[int]) -> None:
    stream = Amender(seed, by_python)
    stream.live(600)
    assert stream.seen["kept"] > 300
    assert stream.seen["done by the core"] > 400
