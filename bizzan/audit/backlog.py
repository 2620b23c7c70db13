"""Whether matching stops while settlement is behind, by the journal and the deployment's windows alone.

The windows say how old an unsettled trade may become while orders that take are still accepted. The engine is told by
`SetLimits`, so a journal that tells it something else, or nothing before the first order, replays without a complaint
and is found here; and so is an order that was accepted all the same, counted without the engine's rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bizzan.audit.comparing import Problem
from exchange.domain.deployment import Windows
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.journal.reader import Record
from exchange.sequencer.seed import SeedError, unsettled_limit_ms

POST_ONLY = 4


@dataclass(slots=True)
class BacklogLedger:
    """The trades that are not final, oldest first; `problems` in the order of the journal."""

    windows: Windows
    problems: list[Problem] = field(default_factory=list)
    _limit_ms: int = 0
    _is_told: bool = False
    _unsettled: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Sequence and time at which each was matched, by trade."""
    _ends: dict[int, int] = field(default_factory=dict)
    """The last sequence of each batch that is cut."""

    def __post_init__(self) -> None:
        try:
            self._limit_ms = unsettled_limit_ms(self.windows)
        except SeedError as error:
            self.problems.append(("the deployment", str(error)))

    def command(self, record: Record) -> None:
        """Take note of a command."""
        command = record.command
        if not isinstance(command, c.SetLimits):
            return
        self._is_told = True
        if command.max_unsettled_ms != self._limit_ms:
            given = f"at {command.max_unsettled_ms} ms" if command.max_unsettled_ms else "at no age"
            self._add(
                record,
                f"has matching stop {given} of the oldest unsettled trade: the deployment's windows say "
                f"{self._limit_ms} ms",
            )

    def happened(self, record: Record, events: Iterable[e.Event], placed: Mapping[int, c.PlaceOrder]) -> None:
        """Follow what the engine says that a command did; `placed` are the orders of the record."""
        for event in events:
            if isinstance(event, e.OrderAccepted):
                self._accepted(record, event.order_id, placed[event.order_id])
            elif isinstance(event, e.TradeMatched):
                self._unsettled[event.trade_id] = (record.seq, record.at_ms)
            elif isinstance(event, e.TradeReversed):
                self._unsettled.pop(event.trade_id, None)
            elif isinstance(event, e.BatchCut):
                self._ends[event.batch] = event.to_seq
            elif isinstance(event, e.BatchFinalized):
                self._settle(self._ends.pop(event.batch))

    def _accepted(self, record: Record, order_id: int, placed: c.PlaceOrder) -> None:
        if not self._is_told:
            self._is_told = True
            self._add(record, "the first order is accepted before any command says when matching stops (SetLimits)")
        trade_id = next(iter(self._unsettled), None)
        if trade_id is None or placed.order.terms & POST_ONLY:
            return
        age_ms = record.at_ms - self._unsettled[trade_id][1]
        if age_ms > self._limit_ms:
            self._add(
                record,
                f"order {order_id} is accepted, which may take, though trade {trade_id} has been unsettled for "
                f"{age_ms} ms: from {self._limit_ms} ms on only post_only orders are",
            )

    def _settle(self, to_seq: int) -> None:
        """Forget the trades up to there."""
        for trade_id in [number for number, (seq, _) in self._unsettled.items() if seq <= to_seq]:
            del self._unsettled[trade_id]

    def _add(self, record: Record, text: str) -> None:
        self.problems.append((f"journal sequence {record.seq}", text))
