"""When matching stops, as the audit judges it: by the deployment's windows, whatever the engine was told."""

from __future__ import annotations

from dataclasses import replace

from bizzan.audit.backlog import BacklogLedger
from bizzan.audit.placed import placed_in
from exchange.domain.order import Terms, TriggerType
from exchange.engine import commands as c
from exchange.journal.reader import Record
from exchange.sequencer.seed import unsettled_limit_ms
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.utils.engine import BTC, MAKER, TAKER, USDC, EngineHarness

PRICE = 5_000_000
LIMIT_MS = unsettled_limit_ms(DEPLOYMENT.windows)
TOLD = c.SetLimits(LIMIT_MS, 1_000, 200)


class Judged:
    """An engine that never stops matching, and the judge, which is told what `limits` say."""

    def __init__(self, *limits: c.SetLimits) -> None:
        self.x = EngineHarness()
        self.ledger = BacklogLedger(DEPLOYMENT.windows)
        for each in limits:
            self.ledger.command(Record(self.x.engine.seq, self.x.at_ms, each, b""))
        for account in (MAKER, TAKER):
            for asset in (BTC, USDC):
                self.tell(c.Credit(next(self.x.inbox_ids), account, asset, 10**12, "deposit"))

    def tell(self, command: c.Command) -> int:
        record = Record(self.x.engine.seq + 1, self.x.at_ms, command, b"")
        self.ledger.command(record)
        self.ledger.happened(record, self.x.apply(command), placed_in(record))
        return record.seq

    def trade(self) -> int:
        """Two orders meet; the sequence of the second."""
        self.order(MAKER, 1)
        return self.order(TAKER, 0)

    def order(self, account: bytes, side: int, terms: int = 0) -> int:
        price = PRICE if not terms else PRICE - 1_000
        return self.tell(self.x.order(account, side, price, 100, terms=terms))

    def settle(self) -> None:
        """Everything so far becomes final."""
        batch = self.x.engine.state.last_batch + 1
        self.tell(c.CutBatch(next(self.x.inbox_ids), batch, self.x.engine.seq))
        self.tell(c.FinalizeBatch(next(self.x.inbox_ids), batch))

    @property
    def texts(self) -> str:
        return "\n".join(f"{where}: {text}" for where, text in self.ledger.problems)


def test_orders_are_taken_until_the_oldest_unsettled_trade_has_the_age_of_the_windows() -> None:
    day = Judged(TOLD)
    day.trade()
    day.x.at_ms += LIMIT_MS
    day.trade()
    assert day.texts == ""


def test_an_order_that_is_accepted_later_is_found_with_the_trade_and_its_age() -> None:
    day = Judged(TOLD)
    day.trade()
    day.x.at_ms += LIMIT_MS + 1
    seq = day.order(MAKER, 1)
    assert day.texts == (
        f"journal sequence {seq}: order {seq} is accepted, which may take, though trade 1 has been unsettled for "
        f"{LIMIT_MS + 1} ms: from {LIMIT_MS} ms on only post_only orders are"
    )


def test_post_only_orders_are_taken_all_the_same() -> None:
    day = Judged(TOLD)
    day.trade()
    day.x.at_ms += LIMIT_MS + 1
    day.order(TAKER, 0, Terms(post_only=True).pack())
    assert day.texts == ""


def test_what_is_final_or_reversed_counts_no_more() -> None:
    day = Judged(TOLD)
    day.trade()
    day.settle()
    day.trade()
    day.tell(c.ReverseTrades(next(day.x.inbox_ids), (2,), "block 0x00: order: expired"))
    day.x.at_ms += LIMIT_MS + 1
    day.trade()
    assert day.texts == ""


def test_a_batch_settles_no_trade_after_it() -> None:
    day = Judged(TOLD)
    day.trade()
    day.tell(c.CutBatch(next(day.x.inbox_ids), 1, day.x.engine.seq))
    day.trade()
    day.tell(c.FinalizeBatch(next(day.x.inbox_ids), 1))
    day.x.at_ms += LIMIT_MS + 1
    day.order(MAKER, 1)
    assert "though trade 2 has been unsettled" in day.texts


def test_other_limits_than_those_of_the_windows_are_found_wherever_they_stand() -> None:
    day = Judged(TOLD)
    none, longer = (day.tell(c.SetLimits(age_ms, 1_000, 200)) for age_ms in (0, LIMIT_MS + 1))
    assert day.texts == (
        f"journal sequence {none}: has matching stop at no age of the oldest unsettled trade: the deployment's windows "
        f"say {LIMIT_MS} ms\n"
        f"journal sequence {longer}: has matching stop at {LIMIT_MS + 1} ms of the oldest unsettled trade: the "
        f"deployment's windows say {LIMIT_MS} ms"
    )


def test_another_bound_of_fills_than_the_first_is_found() -> None:
    day = Judged(TOLD)
    day.trade()
    fewer = day.tell(replace(TOLD, max_fills=1))
    day.tell(replace(TOLD, max_open_orders=5))
    day.order(TAKER, 0)
    assert day.texts == f"journal sequence {fewer}: lets one order have 1 fills, the first said {TOLD.max_fills}"


def test_the_first_order_without_a_limit_is_found_once() -> None:
    day = Judged()
    first = day.order(MAKER, 1)
    day.order(TAKER, 0)
    assert day.texts == (
        f"journal sequence {first}: the first order is accepted before any command says when matching stops (SetLimits)"
    )


def test_windows_within_which_nothing_settles_are_found() -> None:
    windows = replace(DEPLOYMENT.windows, pause_max=DEPLOYMENT.windows.delay)
    ledger = BacklogLedger(windows)
    assert ledger.problems == [
        (
            "the deployment",
            "windows.pause_max must be below windows.delay and windows.grace: no trade could settle in time",
        )
    ]


def test_a_triggered_order_that_trades_all_the_same_is_found() -> None:
    """No order is accepted then: the trade itself is what must not be."""
    day = Judged(TOLD)
    word = Terms(trigger_type=TriggerType.stop_loss).pack()
    day.tell(day.x.order(TAKER, 1, PRICE - 1_000, 100, terms=word, trigger_price=PRICE - 10))
    day.tell(day.x.order(MAKER, 0, PRICE - 1_000, 100))
    for account, side in ((MAKER, 1), (TAKER, 0)):
        day.tell(day.x.order(account, side, PRICE - 10, 100))
    day.x.at_ms += LIMIT_MS + 1
    seq = day.tell(c.Tick())
    assert day.texts == (
        f"journal sequence {seq}: trade 2 is made, though trade 1 has been unsettled for {LIMIT_MS + 1} ms: "
        f"from {LIMIT_MS} ms on nobody trades"
    )


def test_an_auction_that_trades_all_the_same_is_found() -> None:
    day = Judged(TOLD)
    day.trade()
    day.tell(c.StartAuction(next(day.x.inbox_ids), 1, day.x.now + 30))
    for account, side in ((MAKER, 1), (TAKER, 0)):
        day.order(account, side)
    day.x.at_ms += LIMIT_MS + 1
    seq = day.tell(c.Tick())
    assert day.texts == (
        f"journal sequence {seq}: trade 2 is made, though trade 1 has been unsettled for {LIMIT_MS + 1} ms: "
        f"from {LIMIT_MS} ms on nobody trades"
    )


def test_an_engine_that_is_told_lets_nobody_trade_and_is_not_objected_to() -> None:
    day = Judged(TOLD)
    day.tell(TOLD)
    day.trade()
    day.tell(c.StartAuction(next(day.x.inbox_ids), 1, day.x.now + 30))
    for account, side in ((MAKER, 1), (TAKER, 0)):
        day.order(account, side)
    day.x.at_ms += LIMIT_MS + 1
    day.tell(c.Tick())
    assert day.x.engine.state.last_trade == 1
    day.settle()
    day.tell(c.Tick())
    assert day.x.engine.state.last_trade == 2
    assert day.texts == ""
