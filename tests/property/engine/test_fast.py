"""The fast engine in batches and packed, beside the reference: outcomes, refusals and state after every batch.

One by one the two run side by side in every other engine test (tests/utils/twins.py). Here orders come in runs, most of
them good and many of them wrong in one field, among chain commands that stop accounts, halt markets and settle.
"""

import random
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exchange.domain.bulk import Tree
from exchange.domain.eip712 import keccak
from exchange.domain.errors import Refusal
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import SINGLE_FILL, Order, SelfTrade, Side, Terms, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.engine.fast.engine import RETURN_AFTER, FastEngine, _burden
from exchange.engine.fast.packing import EVENT_SIZE, OUTCOME, TRADE_SIZE, pack_all
from exchange.engine.fast.refusals import REFUSALS
from exchange.engine.fast.state import ArrayState
from tests.utils.engine import ASSETS, BTC, DELEGATE, ETH, FEES, START_MS, USDC, EngineHarness
from tests.utils.frames import frame_of, mixed_frame_of
from tests.utils.quantities import Quantities
from tests.utils.signing import Signer
from tests.utils.twins import Outcome, assert_outcome, assert_same_batch

FRAMERS = [Signer("framer"), Signer("another framer")]
TRADERS = [bytes([number]) * 20 for number in range(1, 7)] + [FEES] + [framer.raw for framer in FRAMERS]
MARKETS = (
    Market(1, "BTC/USDC", BTC, USDC, 10, 1, 200, 5_000, 3_000, 7_000, 100),
    Market(2, "ETH/BTC", ETH, BTC, 10, 1, 200, 0, 1_000, 0, 0),
)
TERMS = [
    Terms(tif, post_only, mode).pack()
    for tif in TimeInForce
    for post_only in (False, tif in (TimeInForce.gtc, TimeInForce.gtd))
    for mode in SelfTrade
    if not (tif == TimeInForce.fok and mode == SelfTrade.decrement)
]
WRONG: dict[str, list[Any]] = {
    "market": [3],
    "side": [2, 3, 255],
    "price": [0, 1, 97_000, 1 << 62, 102],
    "quantity": [0, 1, 1 << 40, 1 << 63],
    "nonce": [1, 2, SINGLE_FILL | 7, 1 << 48, (1 << 64) - 1],
    "expiry": [0, START_MS // 1_000, START_MS // 1_000 + 86_000, START_MS // 1_000 + 40 * 86_400],
    "trigger_price": [5],
    "max_fee_bps": [0, 31, 10_001],
    "terms": [6, 7, 27, 1 << 10, 1 << 96, 7 << 96 | 3],
    "account": [b"\x77" * 20],
}
WORDS = struct.Struct("=11q")
TRADE = struct.Struct("=9q3iBB2x")
assert TRADE.size == TRADE_SIZE


class Stream:
    """Random commands, the same for both engines; `reference` is who knows what is open."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.reference, self.fast = Engine(), FastEngine()
        self.x = EngineHarness(MARKETS)
        self.at_ms = START_MS
        self.inbox_id = self.brakes = 0
        self.seen: Counter[str] = Counter()
        self.waited: set[tuple[str, int]] = set()
        self.quantities = Quantities()
        opening: list[c.Command] = [c.ListAsset(asset) for asset in ASSETS]
        opening += [c.ListMarket(market, FEES) for market in MARKETS] + [c.SetLimits(0, 12, 5)]
        self.both(opening)
        for account in TRADERS:
            for asset in (USDC, ETH, BTC):
                self.both([c.Credit(self.inbox(), account, asset, 90_000 if asset == USDC else 9_000, "first")])

    def inbox(self) -> int:
        self.inbox_id += 1
        return self.inbox_id

    def both(self, commands: list[c.Command]) -> list[Outcome]:
        """Apply a batch to both engines and compare all there is."""
        self.look_who_waits()
        expected = self.reference.apply_batch(self.at_ms, commands)
        assert_same_batch(expected, self.fast.apply_batch(self.at_ms, commands), commands)
        assert self.fast.dump() == self.reference.dump()
        assert self.fast.is_fast
        self.count(expected)
        return expected

    def count(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                self.seen[f"{outcome.code} {outcome.field}"] += 1
            else:
                self.seen.update(type(event).__name__ for event in outcome)
                self.quantities.happened(outcome)
                for event in outcome:
                    self.see_who_waited(event)

    def look_who_waits(self) -> None:
        """Note whose turn it is, and which auctions' end has come, while settlement is behind."""
        state = self.reference.state
        if state.is_behind(self.at_ms):
            self.waited |= {("order", order_id) for order_id in state.due}
            ended = (a for a in state.auctions.values() if a.price or 0 < a.ends_at * 1_000 <= self.at_ms)
            self.waited |= {("auction", auction.market) for auction in ended}

    def see_who_waited(self, event: e.Event) -> None:
        """Count what became of them."""
        if isinstance(event, e.OrderTriggered | e.OrderClosed):
            who = ("order", event.order_id)
        elif isinstance(event, e.AuctionPriced):
            who = ("auction", event.market)
        else:
            return
        if who in self.waited:
            self.waited.discard(who)
            self.seen[f"{type(event).__name__} of one that waited for settlement"] += 1

    def drain(self) -> None:
        """Cancel what is open: nothing is held, and every quantity is explained."""
        nonces = [(o.account.address, o.placed.order.nonce) for o in self.reference.state.orders.values()]
        self.both([c.ObeyCancel(self.inbox(), account, nonce, 0) for account, nonce in nonces])
        assert all(b.held == 0 for a in self.reference.state.accounts for b in a.balances.values())
        self.quantities.explain_drained(self.reference)

    def order(self, account: bytes = b"") -> c.PlaceOrder:
        rng, account = self.rng, account or self.rng.choice(TRADERS)
        placed = self.x.order(
            account,
            rng.choice((Side.buy, Side.sell)),
            rng.randrange(97, 104),
            rng.randrange(2, 60),
            market=rng.choice((1, 2)),
            terms=rng.choice(TERMS),
            max_fee_bps=100,
            expiry=self.at_ms // 1_000 + rng.randrange(1, 100),
            signer=rng.choice((account, account, DELEGATE)),
            client_order_id=rng.choice(("", "", "", str(rng.randrange(50)), "é" * 60)),
        )
        if rng.random() < 0.2:
            path = Tree([placed.order, placed.order]).proof(0)
            bulk = b"\x07" * 65 + path.index.to_bytes(2) + b"".join(path.path)
            signature = rng.choice((bulk, bulk, bulk[:-1], bulk[:67], bulk[:65] + b"\xff\xff" + bulk[67:]))
            placed = replace(placed, scheme=rng.choice((2, 3, 3, 4)), signature=signature)
        if rng.random() < 0.25:
            field = rng.choice(list(WRONG))
            placed = replace(placed, order=replace(placed.order, **{field: rng.choice(WRONG[field])}))
        if rng.random() < 0.3:
            placed = replace(placed, order=self.longer(placed.order))
        if rng.random() < 0.1:
            order = placed.order
            nonce = order.nonce | (SINGLE_FILL if rng.random() < 0.9 else 0)
            by_quote = replace(order, side=Side.buy_quote, quantity=rng.randrange(90, 6_000), nonce=nonce)
            placed = replace(placed, order=replace(by_quote, terms=rng.choice((2, 3, 10, 18, 26, 11, 19, order.terms))))
        return placed

    def longer(self, order: Order) -> Order:
        """The order with terms that a packed command has no room for: a part shown, a trigger, a group."""
        rng, terms, trigger_price = self.rng, order.terms, 0
        if rng.random() < 0.5:
            terms |= rng.randrange(1, 12) << 16
        if rng.random() < 0.6:
            kind = rng.choice((1, 2, 3))
            terms |= kind << 5
            terms |= rng.randrange(100, 500) << 80 if kind == 3 else 0
            trigger_price = 0 if kind == 3 else rng.randrange(96, 105)
        if rng.random() < 0.3:
            terms |= rng.randrange(1, 30) << 96
        return replace(order, terms=terms, trigger_price=trigger_price)

    def amend(self) -> c.Command:
        """Another order on the nonce of an open one, or of one that is closed or unknown."""
        rng, placed = self.rng, self.order()
        found = self.reference.open_orders(placed.order.account)
        if not found or rng.random() < 0.1:
            order = replace(placed.order, nonce=rng.choice((1, 3, 9, 1 << 40)))
        else:
            old = rng.choice(found).placed.order
            order = replace(
                rng.choice((placed.order, old, old, old)), nonce=old.nonce, market=old.market, side=old.side
            )
            order = replace(order, quantity=rng.randrange(1, 60), expiry=placed.order.expiry)
        digest = keccak(repr(order).encode())
        return c.AmendOrder(order, digest, placed.scheme, placed.signature, placed.signer, placed.client_order_id)

    def frame(self) -> c.Command:
        """Orders under one signature: plain ones, or of every kind, among which some amend what stood before or stands
        in the same frame."""
        rng, signer, orders, amends = self.rng, self.rng.choice(FRAMERS), list[Order](), set[int]()
        open_orders = [order.placed.order for order in self.reference.open_orders(signer.raw)]
        mixed = rng.random() < 0.8
        for place in range(rng.randrange(2, 12)):
            order = replace(self.order(signer.raw).order, account=signer.raw)
            if mixed and rng.random() < 0.5 and (open_orders or orders):
                old = rng.choice([*open_orders, *orders])
                alike = {name: getattr(old, name) for name in ("nonce", "market", "side")}
                order = replace(rng.choice((order, old, old)), **alike, quantity=rng.randrange(1, 60))
                amends.add(place)
            if mixed and rng.random() < 0.03:
                amends ^= {place}
            orders.append(replace(order, quantity=order.quantity % (1 << 64)))
        return mixed_frame_of(signer, orders, amends) if mixed else frame_of(signer, orders)

    def two(self) -> c.Command:
        """Both legs of a group, a stop among them; now and then they do not belong together."""
        rng, first, second = self.rng, self.order(), self.order()
        group = rng.randrange(1, 1 << 20) << 96
        stop = {"terms": 1 << 5 | rng.randrange(4) | group, "trigger_price": rng.randrange(97, 104)}
        alike = {name: getattr(first.order, name) for name in ("account", "market", "side")}
        other = replace(second.order, **(alike | stop if rng.random() < 0.9 else stop))
        limit = replace(first.order, terms=rng.choice((0, 0, 4)) | rng.choice((group, group, group, 1 << 96)))
        legs = [replace(first, order=limit), replace(second, order=other, signer=first.signer, client_order_id="")]
        rng.shuffle(legs)
        return c.PlaceGroup(*legs)

    def cancel(self) -> c.Command:
        account = self.rng.choice(TRADERS)
        nonces = [order.placed.order.nonce for order in self.reference.open_orders(account)]
        nonce = self.rng.choice([*nonces, 1, 3, 1 << 50])
        return c.CancelOrder(account, nonce, b"", self.rng.choice((account, DELEGATE)))

    def brake_nonce(self) -> int:
        """A time that no brake has had, or one that is refused."""
        self.brakes += 1
        return self.at_ms + self.brakes if self.rng.random() < 0.95 else self.at_ms - self.rng.choice((0, 10**9))

    def orders(self) -> list[c.Command]:
        """A run of orders and cancels."""
        kinds: list[Callable[[], c.Command]] = [
            *[self.order] * 6,
            self.two,
            self.frame,
            *[self.cancel, self.amend, c.Tick] * 2,
        ]
        return [self.rng.choice(kinds)() for _ in range(self.rng.randrange(1, 40))]

    def chain(self) -> c.Command:
        """Something else that happens."""
        rng, who, asset = self.rng, self.rng.choice(TRADERS), self.rng.choice((USDC, ETH, BTC))
        state, amount = self.reference.state, rng.randrange(1, 4_000)
        trades = list(state.trades) or [1]
        tiers = ((rng.randrange(5_000), rng.randrange(9_000)), (10, 20))
        request, market = f"request {rng.randrange(4)}", rng.choice((1, 2))
        hold = self.x.hold(who, asset, amount, nonce=next(self.x.nonces), deadline=self.at_ms // 1_000 + 600)
        held = rng.choice([*state.withdrawals, hold.withdrawal_hash])
        choices: list[c.Command] = [
            c.Credit(self.inbox(), who, asset, amount * 4, "more"),
            c.Credit(self.inbox(), who, asset, amount * 4, "more"),
            c.Uncredit(self.inbox(), who, asset, amount, "reorg"),
            c.ReserveForced(self.inbox(), who, asset, amount, request),
            c.ReleaseForced(self.inbox(), request),
            c.Debit(self.inbox(), who, asset, amount, request, "claimed"),
            c.CancelAll(who, rng.randrange(1, 2_000), b"", who),
            c.ObeyCancel(self.inbox(), who, rng.randrange(1, 5_000), 0),
            c.ObeyRevocation(self.inbox(), who, DELEGATE),
            c.AllowDelegate(self.inbox(), who, DELEGATE),
            c.SetExiting(self.inbox(), who, rng.random() < 0.3),
            c.SetFrozen(self.inbox(), who, rng.random() < 0.3),
            c.SetMarketStatus(self.inbox(), rng.choice((1, 2)), rng.choice(("halted", "open", "open", "open"))),
            c.SetMarketStatus(self.inbox(), market, "open"),
            c.StartAuction(self.inbox(), market, rng.choice((0, 1, 10)) and self.at_ms // 1_000 + rng.randrange(1, 15)),
            c.AnnounceFees(self.inbox(), rng.choice((1, 2)), self.at_ms + 500, tiers, rng.randrange(4)),
            c.SetAccountTier(self.inbox(), who, rng.randrange(3), self.at_ms + 200),
            c.SetLimits(rng.choice((0, 3_000, 60_000)), 12, rng.randrange(1, 6)),
            self.bounds(),
            self.bounds(),
            self.limits(who),
            self.limits(who),
            c.CutBatch(self.inbox(), state.last_batch + 1, state.seq),
            c.FinalizeBatch(self.inbox(), state.batches[0].batch if state.batches else 1),
            c.ReverseTrades(self.inbox(), (rng.choice(trades),), "cause"),
            hold,
            hold,
            c.ConsumeWithdrawal(self.inbox(), held, "end"),
            c.ReleaseWithdrawal(self.inbox(), held, "end"),
            c.MassCancel(who, rng.choice((0, market, 3)), rng.randrange(4), self.brake_nonce(), b"", who),
            c.MassCancel(who, market, 2, self.brake_nonce(), b"", DELEGATE),
            c.SetCountdown(who, rng.choice((0, 1, 20, 10**6)), self.brake_nonce(), b"", who),
            c.StopTrading(who, rng.random() < 0.3, self.brake_nonce(), b""),
            c.StopTrading(who, False, self.brake_nonce(), b""),
            c.SetTradingStop(self.inbox(), who, rng.random() < 0.2),
        ]
        return rng.choice(choices)

    def bounds(self) -> c.Command:
        """Bounds of a market, or none."""
        rng = self.rng
        collar_bps, *sizes = (rng.choice((0, 0, 0, bound)) for bound in (150, 40, 4_000, 4, 9_000))
        quantity, notional, orders, open_notional = sizes
        band_bps = rng.choice((None, None, 0, 300, 5_000, 20_000))
        market = rng.choice((1, 2))
        return c.SetMarketBounds(self.inbox(), market, collar_bps, quantity, notional, orders, open_notional, band_bps)

    def limits(self, who: bytes) -> c.Command:
        """Limits of an account, or none."""
        rng = self.rng
        asset, most = rng.choice((USDC, USDC, BTC, 9)), rng.choice((0, 6_000, 15_000))
        return c.SetAccountLimits(self.inbox(), who, rng.choice((0, 0, 3, 20)), asset, most)

    def live(self, rounds: int) -> None:
        """Batches of everything, compared after each."""
        for number in range(rounds):
            batch = self.orders()
            for _ in range(self.rng.randrange(5)):
                batch.insert(self.rng.randrange(len(batch) + 1), self.chain())
            batch.sort(key=lambda command: getattr(command, "inbox_id", 0))
            self.both(batch)
            self.at_ms += self.rng.choice((0, 1, 700, 12_000))
            if number % 20 == 0:
                assert self.fast.violations() == []
                self.fast = FastEngine.load(self.fast.dump())
        assert self.fast.violations() == []
        self.drain()

    def packed(self, rounds: int) -> None:
        """Runs of packed commands: the same refusals by code and field, and the same state."""
        for _ in range(rounds):
            commands = [order for order in self.orders() if not _unpackable(order)]
            buffer, blob = pack_all(commands)
            expected = self.reference.apply_batch(self.at_ms, commands)
            told = self.fast.run_packed(self.at_ms, buffer, blob)
            assert _refusals(told) == {
                at: (outcome.code, outcome.field) for at, outcome in enumerate(expected) if isinstance(outcome, Refusal)
            }
            assert len(told) // EVENT_SIZE == sum(1 if isinstance(done, Refusal) else len(done) for done in expected)
            assert self.fast.dump() == self.reference.dump()
            self.count(expected)
            self.at_ms += self.rng.choice((0, 1, 700, 12_000))
        self.drain()

    def brief(self, rounds: int) -> None:
        """Runs where nobody follows, a third of them told: the same outcomes, trades and state."""
        for number in range(rounds):
            commands = [order for order in self.orders() if not _unpackable(order)]
            first, seq = self.reference.state.last_trade + 1, self.reference.seq
            expected = self.reference.apply_batch(self.at_ms, commands)
            if number % 3 == 0:
                self.fast.run_packed(self.at_ms, *pack_all(commands))
            else:
                outcomes = list(OUTCOME.iter_unpack(self.fast.run_brief(self.at_ms, *pack_all(commands))))
                accepted = 0
                for told, outcome, command in zip(outcomes, expected, commands, strict=True):
                    accepted += not isinstance(outcome, Refusal)
                    assert_outcome(told, outcome, command, seq + accepted)
                assert isinstance(self.fast.state, ArrayState)
                told_trades = TRADE.iter_unpack(self.fast.state.core.trade_records(first))
                made = [event for done in expected if isinstance(done, list) for event in done]
                matched = [event for event in made if isinstance(event, e.TradeMatched)]
                assert [trade[:7] for trade in told_trades] == [
                    (t.taker_order, self.at_ms, t.price, t.quantity, t.maker_order, t.maker_fee, t.taker_fee)
                    for t in matched
                ]
            assert self.fast.dump() == self.reference.dump()
            self.count(expected)
            for command in [self.chain() for _ in range(number % 3)]:
                self.both([command])
            self.at_ms += self.rng.choice((0, 1, 700, 12_000))
        self.drain()


def _unpackable(command: c.Command) -> bool:
    try:
        pack_all([command])
    except ValueError:
        return True
    return False


def _refusals(told: memoryview) -> dict[int, object]:
    events = [WORDS.unpack_from(told, at) for at in range(0, len(told), EVENT_SIZE)]
    return {event[0] >> 8: REFUSALS[event[1]] for event in events if event[0] & 255 == 0}


EXPECTED_EVENTS = {
    kind.__name__
    for kind in (e.OrderAccepted, e.TradeMatched, e.OrderClosed, e.OrderReduced, e.LevelChanged, e.BalanceChanged)
} | {
    "OrderTriggered",
    "OrderAmended",
    "MarketBoundsChanged",
    "AccountLimitsChanged",
    "AccountChanged",
    "ForcedReserved",
    "TradeReversed",
    "BatchFinalized",
    "FeesAnnounced",
    "AuctionPriced",
    "CountdownSet",
    "TradingStopChanged",
    "WithdrawalHeld",
    "WithdrawalEnded",
}


def test_batches_do_the_same_in_both_engines() -> None:
    seen: Counter[str] = Counter()
    for seed in range(4):
        stream = Stream(seed)
        stream.live(60)
        seen += stream.seen
    assert set(seen) >= EXPECTED_EVENTS
    assert len([kind for kind in seen if " " in kind]) > 25
    assert seen["auction_call time_in_force"]


class LateStream(Stream):
    """A stream in which settlement is behind again and again, while orders are due and auctions end."""

    def chain(self) -> c.Command:
        """Something else that happens, much of it about settlement."""
        rng, state, market = self.rng, self.reference.state, self.rng.choice((1, 2))
        if rng.random() < 0.3:
            return super().chain()
        settles: list[c.Command] = [
            c.CutBatch(self.inbox(), state.last_batch + 1, state.seq),
            c.FinalizeBatch(self.inbox(), state.batches[0].batch if state.batches else 1),
        ]
        if state.is_behind(self.at_ms) and rng.random() < 0.8:
            return rng.choice([*settles, *settles, c.SetLimits(0, 12, 3)])
        choices: list[c.Command] = [
            *settles,
            *[c.SetLimits(2_000, 12, 3)] * 4,
            *[c.SetMarketStatus(self.inbox(), market, "open")] * 4,
            c.SetMarketStatus(self.inbox(), market, "halted"),
            c.StartAuction(self.inbox(), market, self.at_ms // 1_000 + rng.randrange(1, 4)),
            *[c.Credit(self.inbox(), account, USDC, 9_000, "more") for account in TRADERS],
        ]
        return rng.choice(choices)

    def orders(self) -> list[c.Command]:
        """A run of orders, among them stops near the last price, and few ticks but where somebody has waited."""
        likely = 0.2 if self.reference.is_behind(self.at_ms) or not self.waited else 1
        kept = [one for one in super().orders() if not isinstance(one, c.Tick) or self.rng.random() < likely]
        stops = [self.order() for _ in range(4)]
        terms, price = 1 << 5 | self.rng.choice((0, 2, 4)), self.rng.randrange(98, 103)
        return [replace(one, order=replace(one.order, terms=terms, trigger_price=price)) for one in stops] + kept


WAITED = (
    "OrderTriggered of one that waited for settlement",
    "OrderClosed of one that waited for settlement",
    "AuctionPriced of one that waited for settlement",
)


def test_both_engines_stop_matching_while_settlement_is_behind() -> None:
    seen: Counter[str] = Counter()
    for seed in range(302, 306):
        stream = LateStream(seed)
        stream.live(120)
        seen += stream.seen
    for kind in WAITED:
        assert seen[kind] >= 3, seen
    assert seen["settlement_backlog None"]


def test_runs_while_settlement_is_behind_do_the_same_as_the_reference() -> None:
    stream = LateStream(97)
    stream.brief(80)
    stream = LateStream(96)
    stream.packed(20)
    stream.live(20)
    stream.packed(40)
    assert stream.seen["settlement_backlog None"]


def test_packed_commands_do_the_same_as_the_reference() -> None:
    stream = Stream(99)
    stream.packed(80)
    assert len([kind for kind in stream.seen if " " in kind]) > 12


def test_runs_that_nobody_follows_do_the_same_as_the_reference() -> None:
    stream = Stream(98)
    stream.brief(120)
    assert len([kind for kind in stream.seen if " " in kind]) > 12
    assert stream.fast.violations() == []


def test_what_accounts_remember_is_the_same_after_thousands_of_orders() -> None:
    """Order hashes come again while they are known, in either generation, and long after."""
    stream = Stream(5)
    hashes: list[bytes] = []
    for number in range(52):
        batch: list[c.Command] = []
        for _ in range(100):
            placed = stream.x.order(TRADERS[0], Side.buy, 100, 10, tif=TimeInForce.ioc, max_fee_bps=100)
            if hashes and stream.rng.random() < 0.05:
                placed = replace(placed, order_hash=stream.rng.choice(hashes))
            hashes.append(placed.order_hash)
            batch.append(placed)
        expected = stream.reference.apply_batch(stream.at_ms, batch)
        assert_same_batch(expected, stream.fast.apply_batch(stream.at_ms, batch), batch)
        if number % 13 == 12:
            assert stream.fast.dump() == stream.reference.dump()
            stream.fast = FastEngine.load(stream.fast.dump())
    for order_hash in hashes[::7]:
        again = replace(placed, order_hash=order_hash)
        assert stream.fast.find_duplicate(again) == stream.reference.find_duplicate(again)


def test_thousands_of_levels_and_expiries_come_and_go_the_same() -> None:
    """Far more orders are closed than are open, so that what waits for their expiries is cleared on the way."""
    stream = Stream(6)
    stream.both([c.SetLimits(0, 5_000, 5)])
    for number in range(30):
        batch: list[c.Command] = []
        for at in range(150):
            price = 50 + (at * 7 + number) % 50
            expiry = stream.at_ms // 1_000 + 5 + stream.rng.randrange(400)
            batch.append(stream.x.order(TRADERS[at % 6], Side.buy, price, 4, max_fee_bps=100, expiry=expiry))
        for account in TRADERS:
            nonces = [order.placed.order.nonce for order in stream.reference.open_orders(account)]
            batch += [c.CancelOrder(account, nonce, b"", account) for nonce in nonces if stream.rng.random() < 0.9]
        stream.both(batch)
        for seconds in (40, 50, 40, 0) * 10 if number % 10 == 0 else ():
            stream.brakes += 1
            stream.both([c.SetCountdown(TRADERS[1], seconds, stream.at_ms + stream.brakes, b"", TRADERS[1])])
        assert stream.fast.next_expiry == stream.reference.next_expiry
        stream.at_ms += stream.rng.choice((0, 3_000))
    stream.at_ms += 500_000
    stream.both([c.Tick()])
    assert stream.fast.next_expiry is None
    assert not list(stream.fast.open_orders(TRADERS[0]))
    assert stream.fast.violations() == []


def test_arrays_keep_what_they_hold_when_they_outgrow_their_pages() -> None:
    stream = Stream(7)
    stream.both([c.SetLimits(0, 20_000, 5)])
    orders: list[c.Command] = [
        stream.x.order(TRADERS[at % 6], Side.buy, 50 + at % 50, 4, max_fee_bps=100) for at in range(9_000)
    ]
    stream.fast.run_packed(stream.at_ms, *pack_all(orders))
    expected = stream.reference.apply_batch(stream.at_ms, orders)
    assert stream.fast.dump() == stream.reference.dump()
    assert sum(not isinstance(outcome, Refusal) for outcome in expected) > 1_000
    assert stream.fast.violations() == []


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1_000, 1_100))
def test_batches_do_the_same_in_both_engines_for_long(seed: int) -> None:
    stream = LateStream(seed) if seed % 3 == 0 else Stream(seed)
    stream.live(400)
    stream.packed(100)
    stream.brief(100)


def test_a_time_that_the_core_does_not_know_makes_it_the_reference() -> None:
    reasons: list[str] = []
    engine = FastEngine(on_handover=reasons.append)
    reference = Engine()
    for command in (c.ListAsset(Asset(0, "USDC", 6)), c.Tick(), c.ListAsset(Asset(1, "ETH", 8))):
        at_ms = START_MS if reference.seq < 2 else 1 << 60
        assert engine.apply(engine.seq + 1, at_ms, command) == reference.apply(reference.seq + 1, at_ms, command)
    assert not engine.is_fast
    assert len(reasons) == 1
    assert engine.dump() == reference.dump()
    assert engine.apply(10, 1 << 60, c.Tick()) == []


def test_a_sum_beyond_what_the_core_counts_makes_it_the_reference() -> None:
    x = EngineHarness(MARKETS)
    for account in (TRADERS[0], TRADERS[1]):
        x.apply(c.ReserveForced(next(x.inbox_ids), account, USDC, 2**63 - 1, account.hex()))
    x.engine.may_hand_over = True  # type: ignore[attr-defined]
    x.apply(c.ReserveForced(next(x.inbox_ids), TRADERS[0], USDC, 2**63 - 1, "again"))
    assert x.engine.dump()
    assert x.engine.reasons == ["a sum of requests"]  # type: ignore[attr-defined]


def test_it_returns_to_the_arrays_when_they_can_hold_the_state_again() -> None:
    x = EngineHarness(MARKETS)
    for account in (TRADERS[0], TRADERS[1]):
        x.apply(c.ReserveForced(next(x.inbox_ids), account, USDC, 2**63 - 1, account.hex()))
    x.engine.may_hand_over = True  # type: ignore[attr-defined]
    fast: FastEngine = x.engine.fast  # type: ignore[attr-defined]
    returns: list[int] = []
    fast.on_return = lambda: returns.append(fast.seq)
    x.apply(c.ReserveForced(next(x.inbox_ids), TRADERS[0], USDC, 2**63 - 1, "again"))
    handed_over = fast.seq
    for _ in range(RETURN_AFTER):
        x.apply(c.Tick())
    assert returns == [], "the requests are still more than the arrays count"
    x.apply(c.ReleaseForced(next(x.inbox_ids), "again"))
    while fast.seq < handed_over + 4 * RETURN_AFTER:
        x.apply(c.Tick())
    assert len(returns) == 1
    assert x.engine.dump()
    x.apply(c.ReserveForced(next(x.inbox_ids), TRADERS[0], USDC, 2**63 - 1, "once more"))
    assert len(x.engine.reasons) == 2  # type: ignore[attr-defined]
    handed_over = fast.seq
    for _ in range(4 * RETURN_AFTER - 2):
        x.apply(c.Tick())
    assert len(returns) == 1, "each time it looks after twice as many records"


def test_a_return_counts_the_hashes_and_nonces_that_it_must_copy() -> None:
    x = EngineHarness(MARKETS)
    x.credit(TRADERS[0], USDC, 10**12)
    fresh = _burden(x.engine.state)
    placed = x.order(TRADERS[0], Side.buy, 100, 10, max_fee_bps=100)
    x.apply(placed)
    x.apply(c.CancelOrder(TRADERS[0], placed.order.nonce, TRADERS[0], b""))
    assert not x.engine.state.orders
    assert _burden(x.engine.state) == fresh + 2


def test_the_mass_of_an_asset_is_the_sum_of_every_part_of_its_balances() -> None:
    stream = Stream(8)
    stream.live(10)
    for account in TRADERS[:3]:
        stream.both([c.Credit(stream.inbox(), account, ETH, 1 << 60, "much")])
        stream.both([c.ReserveForced(stream.inbox(), account, ETH, (1 << 62) + (1 << 61), account.hex())])
    expected: Counter[int] = Counter()
    for owner in stream.reference.state.accounts:
        for asset, b in owner.balances.items():
            expected[asset] += b.available + b.held + b.reserved + b.unsettled + b.deficit + b.owed
    assert expected[ETH] > 1 << 64
    assert isinstance(stream.fast.state, ArrayState)
    assert stream.fast.state.core.mass() == dict(expected)


def test_a_command_that_both_refuse_hands_nothing_over() -> None:
    engine = FastEngine()
    with pytest.raises(TypeError, match="str is no command"):
        engine.apply(1, START_MS, "buy")  # type: ignore[arg-type]
    assert engine.is_fast


def test_packed_commands_that_name_bytes_beyond_the_blob_are_refused() -> None:
    engine = FastEngine()
    placed = EngineHarness(MARKETS).order(TRADERS[0], Side.buy, 100, 10, signature=b"\x07" * 200)
    buffer, blob = pack_all([placed])
    told = engine.run_packed(START_MS, buffer, blob[:-1])
    assert [event[:2] for event in WORDS.iter_unpack(told)] == [(0, 32)]
    assert engine.run_brief(START_MS, buffer, blob[:-1]).cast("i")[0] == 32
    assert engine.seq == 0
