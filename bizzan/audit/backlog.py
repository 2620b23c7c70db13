"""Whether matching stops while settlement is behind, by the journal and the deployment's windows alone.

The windows say how old an unsettled trade may become while anybody trades. The engine is told by `SetLimits`, so a
journal that tells it something else, or nothing before the first order, replays without a complaint and is found here;
and so is an order that was accepted all the same, and a trade, whatever made it: an order that came, one whose turn it
was, or an auction. All is counted without the engine's rules.

The same command says how many fills one order may have. No engine ever changes that: told before one order and taken
back behind it, it would end that order early, as every replay would.
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
class Unsettled:
    """The trades that are not final. `oldest` is the first of them and when it was matched, None if there is none."""

    oldest: tuple[int, int] | None = None
    _trades: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Sequence and time at which each was matched, by trade."""
    _ends: dict[int, int] = field(default_factory=dict)
    """The last sequence of each batch that is cut."""

    def hear(self, record: Record, event: e.Event) -> None:
        """Follow what the engine says that a command did."""
        if isinstance(event, e.TradeMatched):
            self._trades[event.trade_id] = (record.seq, record.at_ms)
            self.oldest = self.oldest or (event.trade_id, record.at_ms)
        elif isinstance(event, e.TradeReversed):
            self._forget([event.trade_id])
        elif isinstance(event, e.BatchCut):
            self._ends[event.batch] = event.to_seq
        elif isinstance(event, e.BatchFinalized):
            to_seq = self._ends.pop(event.batch)
            self._forget([number for number, (seq, _) in self._trades.items() if seq <= to_seq])

    def age_ms(self, at_ms: int) -> int:
        """How old the oldest is at a time; 0 if there is none."""
        return 0 if self.oldest is None else at_ms - self.oldest[1]

    def _forget(self, trade_ids: Iterable[int]) -> None:
        for trade_id in trade_ids:
            self._trades.pop(trade_id, None)
        oldest = next(iter(self._trades), None)
        self.oldest = None if oldest is None else (oldest, self._trades[oldest][1])


@dataclass(slots=True)
class BacklogLedger:
    """When nobody may trade; `problems` in the order of the journal."""

    windows: Windows
    problems: list[Problem] = field(default_factory=list)
    _limit_ms: int = 0
    _is_told: bool = False
    _max_fills: int | None = None
    _unsettled: Unsettled = field(default_factory=Unsettled)

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
        if self._max_fills is None:
            self._max_fills = command.max_fills
        elif self._max_fills != command.max_fills:
            self._add(record, f"lets one order have {command.max_fills} fills, the first said {self._max_fills}")

    def happened(self, record: Record, events: Iterable[e.Event], placed: Mapping[int, c.PlaceOrder]) -> None:
        """Follow what the engine says that a command did; `placed` are the orders of the record."""
        for event in events:
            if isinstance(event, e.OrderAccepted):
                self._accepted(record, event.order_id, placed[event.order_id])
            elif isinstance(event, e.TradeMatched):
                self._matched(record, event.trade_id)
            self._unsettled.hear(record, event)

    def _accepted(self, record: Record, order_id: int, placed: c.PlaceOrder) -> None:
        if not self._is_told:
            self._is_told = True
            self._add(record, "the first order is accepted before any command says when matching stops (SetLimits)")
        if (backlog := self._backlog(record)) and not placed.order.terms & POST_ONLY:
            self._add(
                record,
                f"order {order_id} is accepted, which may take, though {backlog}: from {self._limit_ms} ms on only "
                "post_only orders are",
            )

    def _matched(self, record: Record, trade_id: int) -> None:
        if backlog := self._backlog(record):
            self._add(record, f"trade {trade_id} is made, though {backlog}: from {self._limit_ms} ms on nobody trades")

    def _backlog(self, record: Record) -> str:
        """In words, how far settlement is behind; empty while matching goes on."""
        oldest, age_ms = self._unsettled.oldest, self._unsettled.age_ms(record.at_ms)
        if oldest is None or age_ms <= self._limit_ms:
            return ""
        return f"trade {oldest[0]} has been unsettled for {age_ms} ms"

    def _add(self, record: Record, text: str) -> None:
        self.problems.append((f"journal sequence {record.seq}", text))
