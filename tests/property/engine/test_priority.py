"""The audit's own judgement of price-time priority, beside the engine under random commands: it never objects."""

from typing import Any

import pytest
from hypothesis import settings

from bizzan.audit.priority import PriorityLedger
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.journal.reader import Record
from tests.property.engine.machine import MARKETS, EngineMachine
from tests.property.engine.test_machine import COMMON


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


@pytest.mark.deep
class TestJudgedMachineForLong(JudgedMachine.TestCase):  # type: ignore[valid-type, misc]
    settings = settings(max_examples=2_000, **COMMON)
