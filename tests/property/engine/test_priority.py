"""The audit's own judgement of price-time priority, beside the engine under random commands: it never objects."""

from typing import Any

import pytest
from hypothesis import settings

from bizzan.audit.fee_ledger import FeeLedger
from bizzan.audit.priority import PriorityLedger
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.journal.reader import Record
from tests.property.engine.machine import MARKETS, EngineMachine
from tests.property.engine.test_fast import WAITED, LateStream
from tests.property.engine.test_machine import COMMON
from tests.utils.engine import only
from tests.utils.twins import Outcome


class JudgedMachine(EngineMachine):
    """The machine of the engine, whose every command the ledger judges."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = PriorityLedger()
        self.ledger.waiting.last = {market.market_id: market.reference_price for market in MARKETS}
        harness: Any = self.x
        apply = harness.apply

        def judged(command: c.Command) -> list[e.Event]:
            record = Record(harness.engine.seq + 1, harness.at_ms, command, b"")
            events: list[e.Event] = apply(command)
            self.ledger.happened(record, events)
            assert self.ledger.problems == []
            return events

        harness.apply = judged


class TestJudgedMachine(JudgedMachine.TestCase):  # type: ignore[valid-type, misc]
    settings = settings(max_examples=20, **COMMON)


class JudgedStream(LateStream):
    """Batches of commands, frames of every kind of order among them, of which the audit's ledgers judge each."""

    def __init__(self, seed: int) -> None:
        self.priority, self.fees = PriorityLedger(), FeeLedger()
        super().__init__(seed)

    def both(self, commands: list[c.Command]) -> list[Outcome]:
        """Apply a batch, and have the ledgers judge it."""
        if self.reference.ends_call(self.at_ms):  # as whoever commits them does
            commands = [c.Tick(), *commands]
        settling = (c.SetLimits, c.FinalizeBatch, c.ReverseTrades)
        commands = [
            one for command in commands for one in ([command, c.Tick()] if isinstance(command, settling) else [command])
        ]
        seq = self.reference.seq
        outcomes = super().both(commands)
        for command, outcome in zip(commands, outcomes, strict=True):
            if isinstance(outcome, list):
                seq += 1
                record = Record(seq, self.at_ms, command, b"")
                self.fees.command(record)
                self.fees.happened(record, outcome)
                self.priority.happened(record, outcome)
                assert not (self.priority._is_behind(record) and only(outcome, e.TradeMatched))
        assert (self.priority.problems, self.fees.problems) == ([], [])
        return outcomes


@pytest.mark.parametrize("seed", range(200, 204))
def test_the_audit_objects_to_no_stream_with_frames_in_it(seed: int) -> None:
    stream = JudgedStream(seed)
    stream.live(60)
    assert stream.seen["OrderAmended"] > 20
    assert stream.seen["OrderTriggered"]
    assert any(stream.seen[kind] for kind in WAITED)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2_000, 2_050))
def test_the_audit_objects_to_no_long_stream_with_frames_in_it(seed: int) -> None:
    JudgedStream(seed).live(400)


@pytest.mark.deep
class TestJudgedMachineForLong(JudgedMachine.TestCase):  # type: ignore[valid-type, misc]
    settings = settings(max_examples=2_000, **COMMON)
