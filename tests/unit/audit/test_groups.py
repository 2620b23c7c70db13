"""Both legs of a group in one command, as the audit judges them: what an engine may say of them, and what not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bizzan.audit.fee_ledger import FeeLedger
from bizzan.audit.placed import placed_in
from bizzan.audit.priority import PriorityLedger
from exchange.domain.order import Side, Terms, TimeInForce, TriggerType
from exchange.domain.order_id import order_id
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.journal.reader import Record
from tests.utils.engine import BTC, MAKER, MARKETS, TAKER, USDC, EngineHarness

PRICE = 5_000_000
LATE, TAKES, WOULD_TAKE = "late", "takes", "would take"
Tampered = Callable[[list[e.Event]], list[e.Event]]


class Judged:
    """An engine whose commands the ledgers of priority and of fees judge; `tamper` changes what it says of the last."""

    def __init__(self) -> None:
        self.x = EngineHarness()
        self.priority, self.fees = PriorityLedger(), FeeLedger()
        self.priority.waiting.last = {market.market_id: market.reference_price for market in MARKETS}
        for seq, at_ms, command in self.x.kept:
            if isinstance(command, c.ListMarket):
                self.fees.command(Record(seq, at_ms, command, b""))
        for account in (MAKER, TAKER):
            for asset in (BTC, USDC):
                self.tell(c.Credit(next(self.x.inbox_ids), account, asset, 10**12, "deposit"))

    def tell(self, command: c.Command, tamper: Tampered = list) -> Record:
        record = Record(self.x.engine.seq + 1, self.x.at_ms, command, b"")
        self.fees.command(record)
        events = tamper(self.x.apply(command))
        self.fees.happened(record, events)
        self.priority.happened(record, events)
        return record

    def group(self, kind: str = "") -> c.PlaceGroup:
        """Two legs that stay; or of which the first fills, the second takes, or the second would take and may not."""
        limit, stop = (
            Terms(group=7, post_only=kind == WOULD_TAKE),
            Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=7),
        )
        if kind:
            self.tell(self.x.order(MAKER, Side.buy, PRICE + 1_000, 4))
        price = PRICE if kind == WOULD_TAKE else PRICE + 1_000
        first = self.x.order(TAKER, Side.sell, price, 10, terms=limit.pack())
        second = self.x.order(TAKER, Side.sell, PRICE - 900_000, 10, terms=stop.pack(), trigger_price=PRICE - 1_000)
        return c.PlaceGroup(first, second) if kind in ("", LATE) else c.PlaceGroup(second, first)

    @property
    def problems(self) -> list[str]:
        return [text for _, text in self.priority.problems + self.fees.problems]


@pytest.mark.parametrize("kind", ["", LATE, TAKES, WOULD_TAKE])
def test_what_the_engine_does_with_two_legs_passes(kind: str) -> None:
    judged = Judged()
    record = judged.tell(judged.group(kind))
    assert list(placed_in(record)) == [record.seq, order_id(record.seq, 1)]
    judged.tell(judged.x.order(MAKER, Side.buy, PRICE + 1_000, 2))
    assert judged.problems == []


def without(kind: type, index: int = -1) -> Tampered:
    """Leaves out one event of a class."""

    def tamper(events: list[e.Event]) -> list[e.Event]:
        left_out = [event for event in events if isinstance(event, kind)][index]
        return [event for event in events if event is not left_out]

    return tamper


def second_goes_on(events: list[e.Event]) -> list[e.Event]:
    closed = [event for event in events if isinstance(event, e.OrderClosed) and event.reason == "group"]
    return [event for event in events if event is not closed[-1]]


def second_ends(events: list[e.Event]) -> list[e.Event]:
    last = [event for event in events if isinstance(event, e.OrderAccepted)][-1]
    closed = e.OrderClosed(last.order_id, last.account, last.market, e.CloseReason.group, last.quantity)
    return [*events, closed]


def dearer(events: list[e.Event]) -> list[e.Event]:
    second = [event for event in events if isinstance(event, e.OrderAccepted)][-1]
    changed = replace(second, taker_fee_ppm=second.taker_fee_ppm + 1, price=second.price - 10)
    return [changed if event is second else event for event in events]


@pytest.mark.parametrize(
    ("kind", "tamper", "words"),
    [
        ("", without(e.OrderAccepted), "was skipped"),
        ("", without(e.OrderAccepted, 0), "was skipped"),
        ("", second_ends, "the other leg did not decide that"),
        (LATE, second_goes_on, "goes on, and the leg that came with it"),
        (TAKES, second_goes_on, "the other leg, stays"),
        (WOULD_TAKE, second_goes_on, "the other leg, stays"),
        ("", dearer, "otherwise than it was signed: price"),
        ("", dearer, "the schedule of its time says"),
    ],
)
def test_what_an_engine_may_not_do_with_two_legs_is_found(kind: str, tamper: Tampered, words: str) -> None:
    judged = Judged()
    judged.tell(judged.group(kind), tamper)
    assert words in "\n".join(judged.problems)
