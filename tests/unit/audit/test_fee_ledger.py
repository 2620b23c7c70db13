"""The audit computes every fee by itself: it agrees with an honest engine, and names what a dishonest one did."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bizzan.audit.fee_ledger import FeeLedger
from exchange.domain.errors import Refusal
from exchange.domain.fees import TakerFees
from exchange.domain.order import Side, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine import fees as engine_fees
from exchange.engine.engine import Engine
from exchange.journal.reader import Record
from tests.utils.engine import BTC_USDC, MAKER, TAKER, USDC, EngineHarness

BTC = 2
PRICE = 5_000_000
HOUR = 3_600_000
NOW = ((200, 500),)
TIERED = ((200, 500), (25, 350))
HIGHER = ((300, 900),)


class Audited(EngineHarness):
    """An engine whose every command the ledger sees, as a replay of its journal would. Tests make it charge wrongly."""

    engine_class = Engine

    def __init__(self) -> None:
        self.ledger = FeeLedger()
        super().__init__()
        for account in (MAKER, TAKER):
            self.credit(account, USDC, 10**12)
            self.credit(account, BTC, 10**12)

    def apply(self, command: c.Command) -> list[e.Event]:
        record = Record(self.engine.seq + 1, self.at_ms, command, b"")
        events = super().apply(command)
        self.ledger.command(record)
        self.ledger.happened(record, events)
        return events

    def announce(self, tiers: Iterable[tuple[int, int]], at_ms: int = 0, floor: int = 0) -> None:
        self.apply(c.AnnounceFees(next(self.inbox_ids), BTC_USDC, at_ms, tuple(tiers), floor))

    def set_tier(self, account: bytes, tier: int, at_ms: int = 0) -> None:
        self.apply(c.SetAccountTier(next(self.inbox_ids), account, tier, at_ms))

    def trade(self, lots: int = 100) -> None:
        self.sell(MAKER, PRICE, lots, max_fee_bps=100, post_only=True)
        self.buy(TAKER, PRICE, lots, max_fee_bps=100, tif=TimeInForce.ioc)

    @property
    def first(self) -> str:
        """The first counterexample."""
        where, text = self.ledger.problems[0]
        return f"{where}: {text}"


@pytest.fixture
def x() -> Audited:
    return Audited()


def test_an_honest_exchange_has_no_problems(x: Audited) -> None:
    x.apply(c.SetFeeRules(100, HOUR))
    x.announce(TIERED)
    x.set_tier(TAKER, 1)
    x.announce(HIGHER, x.at_ms + HOUR, 70_000)
    x.set_tier(TAKER, 0, x.at_ms + HOUR)
    x.trade()
    x.at_ms += HOUR
    x.trade()
    x.trade(2)
    assert x.ledger.problems == []
    assert x.ledger.fills == 6


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_ledger_agrees_with_the_engine_whatever_happens(data: st.DataObject) -> None:
    x = Audited()
    x.apply(c.SetFeeRules(100, 500))
    rates = st.integers(0, 10_000)
    for _ in range(data.draw(st.integers(1, 25))):
        x.at_ms += data.draw(st.integers(0, 300))
        later = x.at_ms + data.draw(st.sampled_from([0, 0, 100, 500, 700]))
        account = data.draw(st.sampled_from([MAKER, TAKER]))
        try:
            match data.draw(st.sampled_from(["fees", "tier", "order", "order", "order"])):
                case "fees":
                    first = data.draw(rates), data.draw(rates)
                    second = data.draw(st.integers(0, first[0])), data.draw(st.integers(0, first[1]))
                    x.announce((first, second), later, data.draw(st.integers(0, 200_000)))
                case "tier":
                    x.set_tier(account, data.draw(st.integers(0, 2)), later)
                case _:
                    side, cap = data.draw(st.sampled_from([Side.buy, Side.sell])), data.draw(st.integers(1, 120))
                    price = PRICE + 10 * data.draw(st.integers(-2, 2))
                    post_only = data.draw(st.booleans())
                    lots = data.draw(st.integers(1, 40))
                    x.apply(x.order(account, side, price, lots, max_fee_bps=cap, post_only=post_only))
        except Refusal:
            continue
    assert x.ledger.problems == []


def test_a_wrong_fee_is_named(x: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = TakerFees.charge
    monkeypatch.setattr(TakerFees, "charge", lambda self, quote: honest(self, quote) + 1)
    x.trade()
    assert x.first == (
        f"journal sequence {x.engine.seq}: trade 1, quote 500000000: the taker, order {x.engine.seq}, pays 250001, "
        "the schedule of its acceptance asks 250000 (maker 200 ppm, taker 500 ppm, floor 0, cap 100 bps)"
    )


def test_a_fee_above_the_signed_cap_is_named(x: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TakerFees, "charge", lambda self, quote: quote // 10)
    x.trade()
    assert "pays 50000000, above its signed cap of 100 bps" in x.first


def test_a_floor_charged_twice_is_named(x: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TakerFees, "charge", lambda self, quote: max(quote * self.rate_ppm // 10**6, self.floor))
    x.announce(NOW, floor=30_000)
    for _ in range(2):
        x.sell(MAKER, PRICE, 10, max_fee_bps=100, post_only=True)
    x.buy(TAKER, PRICE, 20, max_fee_bps=100)
    assert "pays 30000, the schedule of its acceptance asks 20000" in x.first


def test_a_change_without_notice_is_named(x: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    x.apply(c.SetFeeRules(100, HOUR))
    monkeypatch.setattr(engine_fees, "_told", lambda *_: [])
    x.announce(HIGHER, x.at_ms + HOUR - 1)
    assert (
        "raises the fees of market 1 without notice: tier 0 pays (maker ppm, taker ppm, floor) (300, 900, 0)" in x.first
    )
    assert x.first.startswith(f"journal sequence {x.engine.seq}: ")


def test_a_tier_lowered_without_notice_is_named(x: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    x.apply(c.SetFeeRules(100, HOUR))
    x.set_tier(TAKER, 2)
    monkeypatch.setattr(engine_fees, "_told", lambda *_: [])
    x.set_tier(TAKER, 1)
    assert f"lowers 0x{TAKER.hex()} from tier 2 to 1" in x.first


def test_rates_of_another_tier_are_named(x: Audited) -> None:
    x.announce(TIERED)
    account = x.engine.account(TAKER)
    assert account is not None
    x.set_tier(TAKER, 1)
    account.tiers = None
    x.trade()
    assert "the order has (maker ppm, taker ppm, floor) (200, 500, 0)" in x.first
    assert "the schedule of its time says (25, 350, 0)" in x.first


def test_loosened_rules_and_rates_beyond_the_cap_are_named() -> None:
    ledger = FeeLedger()
    ledger.command(Record(1, 0, c.SetFeeRules(10, 500), b""))
    ledger.command(Record(2, 0, c.SetFeeRules(11, 499), b""))
    ledger.command(Record(3, 0, c.SetFeeRules(10, 500), b""))
    ledger.command(Record(4, 0, c.AnnounceFees(1, 1, 0, ((0, 1_001),), 0), b""))
    assert [where for where, _ in ledger.problems] == ["journal sequence 2", "journal sequence 4"]
