"""Long seeded lives of the machine: dense trading, with reorgs, reversals, batches and withdrawals in between.

Hypothesis finds small counterexamples; these runs reach what needs a past: cascades over many accounts.
"""

import random
from collections import Counter

import pytest

from exchange.domain.order import SelfTrade, Side, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.property.engine.machine import TRADERS, EngineMachine
from tests.utils.engine import only

KINDS = [(TimeInForce.gtc, False)] * 5 + [(TimeInForce.ioc, False), (TimeInForce.fok, False), (TimeInForce.gtd, True)]
WEIGHTS = {
    "place": 110,
    "wait": 12,
    "place_two": 12,
    "cancel": 20,
    "amend": 10,
    "pass_time": 2,
    "credit": 4,
    "repay": 6,
    "uncredit": 4,
    "hold": 2,
    "end_hold": 2,
    "force": 1,
    "end_force": 2,
    "exit": 1,
    "stay": 10,
    "cut": 3,
    "finalize": 2,
    "reverse": 6,
    "call": 5,
    "open": 15,
}


class CountingMachine(EngineMachine):
    """The machine, counting what happened."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        super().__init__()

    def apply(self, command: c.Command) -> list[e.Event] | None:
        events = super().apply(command)
        self.seen.update(type(event).__name__ for event in events or [])
        self.seen["kept_place"] += sum(event.kept_place for event in only(events or [], e.OrderAmended))
        self.seen["cascaded"] += sum(event.because_of > 0 for event in only(events or [], e.TradeReversed))
        self.seen["grouped"] += sum(event.reason == "group" for event in only(events or [], e.OrderClosed))
        self.seen["auctions"] += sum(event.bids > 0 for event in only(events or [], e.AuctionPriced))
        self.seen["short"] += sum(event.short > 0 for event in only(events or [], e.Debited))
        return events


class Life:
    """Draws commands by weight and applies them through the machine."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.machine = CountingMachine()
        self.machine.fund()

    def live(self, steps: int) -> None:
        """Take `steps` steps, and check everything after each."""
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        for step in range(steps):
            name = self.rng.choices(names, weights)[0]
            getattr(self, name)()
            self.machine.every_invariant_holds()
            self.machine.books_equal_the_naive_ones()
            if step % 50 == 0:
                self.machine.a_loaded_snapshot_is_the_same_engine()

    def apply(self, command: c.Command) -> bool:
        """Whether the command was accepted."""
        events = self.machine.step(command)
        self.machine.follow(events)
        return events is not None

    def who(self) -> bytes:
        return self.rng.choice(TRADERS)

    def asset(self) -> int:
        return self.rng.choice((0, 1, 2))

    def place(self) -> None:
        tif, post_only = self.rng.choice(KINDS)
        market, price = self.rng.choice((1, 2)), self.rng.randrange(98, 103)
        immediate = tif in (TimeInForce.ioc, TimeInForce.fok)
        side = self.rng.choice(list(Side) if immediate else [Side.buy, Side.sell])
        lots, lifetime = self.rng.randrange(2, 40), self.rng.randrange(1, 200)
        mode = self.rng.choice(list(SelfTrade))
        shown, leg = self.rng.choice((0, 0, 3, 7)), not immediate and self.rng.random() < 0.2
        self.machine.place(
            self.who(), market, side, price, lots, tif, post_only, mode, lifetime, displayed=shown, is_leg=leg
        )

    def wait(self) -> None:
        kind = self.rng.choice((TriggerType.stop_loss, TriggerType.take_profit, TriggerType.trailing))
        tif, mode, side = self.rng.choice(list(TimeInForce)), SelfTrade.cancel_maker, self.rng.choice((0, 1))
        if tif == TimeInForce.fok:
            mode = SelfTrade.cancel_taker
        price, trigger = self.rng.randrange(97, 104), self.rng.randrange(97, 104)
        lots, lifetime = self.rng.randrange(2, 40), self.rng.randrange(1, 200)
        who, market, leg = self.who(), self.rng.choice((1, 2)), self.rng.random() < 0.8
        account = self.machine.x.engine.account(who)
        for alone in list(account.groups.values())[:1] if account is not None and leg else ():
            market, side = alone.placed.order.market, alone.side
        self.machine.wait(who, market, side, kind, price, trigger, lots, tif, mode, lifetime, leg)

    def place_two(self) -> None:
        side, tif = self.rng.choice((Side.buy, Side.sell)), self.rng.choice(list(TimeInForce))
        price, trigger = self.rng.randrange(98, 103), self.rng.randrange(98, 103)
        lots, other = self.rng.randrange(2, 40), self.rng.randrange(2, 40)
        market, post_only, turned = self.rng.choice((1, 2)), self.rng.random() < 0.3, self.rng.random() < 0.5
        mode = self.rng.choice(list(SelfTrade))
        self.machine.place_two(self.who(), market, side, price, trigger, lots, other, tif, post_only, mode, turned)

    def cancel(self) -> None:
        account = self.who()
        orders = self.machine.x.engine.open_orders(account)
        if not orders:
            return
        self.apply(c.CancelOrder(account, self.rng.choice(orders).placed.order.nonce, b"", account))

    def amend(self) -> None:
        orders = self.machine.x.engine.open_orders(self.who())
        if orders:
            old = self.rng.choice(orders)
            price = self.rng.choice((old.price, old.price, self.rng.randrange(98, 103)))
            self.machine.replace(old, price, self.rng.randrange(2, 40))

    def pass_time(self) -> None:
        self.machine.later(self.rng.randrange(20_000))

    def credit(self) -> None:
        amount = self.rng.randrange(1, 10_000)
        self.apply(c.Credit(self.machine.inbox(), self.who(), self.asset(), amount, "more"))

    def repay(self) -> None:
        owing = [b for a in self.machine.x.engine.state.accounts for b in a.balances.values() if b.deficit]
        if not owing:
            return
        balance = self.rng.choice(owing)
        amount = balance.deficit + 5_000
        self.apply(c.Credit(self.machine.inbox(), balance.account.address, balance.asset, amount, "repaid"))

    def uncredit(self) -> None:
        account, asset = self.who(), self.asset()
        most = max(self.machine.x.balance(account, asset).total, 1) * 3 // 2
        self.apply(c.Uncredit(self.machine.inbox(), account, asset, self.rng.randint(1, most), "reorg"))

    def hold(self) -> None:
        nonce = next(self.machine.x.nonces)
        command = self.machine.x.hold(self.who(), self.asset(), self.rng.randrange(1, 3_000), nonce=nonce)
        if self.apply(command):
            self.machine.withdrawals.append(command.withdrawal_hash)

    def end_hold(self) -> None:
        if not self.machine.withdrawals:
            return
        kind = self.rng.choice((c.ConsumeWithdrawal, c.ReleaseWithdrawal))
        self.apply(kind(self.machine.inbox(), self.machine.withdrawals.pop(0), "end"))

    def force(self) -> None:
        self.machine.force(self.who(), self.asset(), self.rng.randrange(1, 10_000))

    def end_force(self) -> None:
        if self.machine.requests:
            self.machine.end_force(self.rng.choice((0, self.rng.randrange(1, 10_000))))

    def exit(self) -> None:
        self.machine.exit(self.who())

    def stay(self) -> None:
        self.machine.stay()

    def cut(self) -> None:
        self.machine.cut(self.rng.randrange(1, 60))

    def finalize(self) -> None:
        if self.machine.x.engine.state.batches:
            self.machine.finalize()

    def call(self) -> None:
        self.machine.call(self.rng.choice((1, 2)), self.rng.choice((0, 0, 30)))

    def open(self) -> None:
        if self.machine.calls:
            self.machine.open_market(self.rng.choice(sorted(self.machine.calls)), self.rng.random() < 0.2)

    def reverse(self) -> None:
        trades = list(self.machine.x.engine.state.trades)[:12]
        if not trades:
            return
        chosen = tuple(self.rng.choices(trades, k=self.rng.randrange(1, 4)))
        self.apply(c.ReverseTrades(self.machine.inbox(), chosen, "cause"))


def check(seed: int, steps: int) -> Counter[str]:
    life = Life(seed)
    life.live(steps)
    life.machine.teardown()
    return life.machine.seen


def test_long_lives_meet_everything() -> None:
    seen = sum((check(seed, 1_000) for seed in range(6)), Counter[str]())
    wanted = {
        "OrderReduced": 100,
        "OrderTriggered": 60,
        "OrderAmended": 60,
        "kept_place": 5,
        "grouped": 40,
        "auctions": 20,
        "TradeMatched": 600,
        "TradeReversed": 50,
        "cascaded": 5,
        "short": 5,
        "BatchFinalized": 20,
    }
    for what, least in wanted.items():
        assert seen[what] >= least, (what, seen)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_long_lives(seed: int) -> None:
    check(seed, 5_000)
