"""Tickers and candles, live: read from the mirror while the market moves, sent when they differ."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from backend.stream.channels import Channel, Sink
from exchange.domain.errors import Refusal
from exchange.domain.instrument import Market

log = structlog.get_logger()

PERIOD_SECONDS = 0.25
SETTLING_ROUNDS = 20
"""Rounds for which a summary is read on after the last event: the mirror follows the engine by a moment."""

Load = Callable[[Market, str], Awaitable[dict[str, Any]]]
"""Content of a ticker (no interval) or of the latest candles of an interval."""


@dataclass(slots=True)
class _Summary:
    market: Market
    interval: str
    channel: Channel
    fresh: set[Sink] = field(default_factory=set)
    content: dict[str, Any] | None = None


class Summaries:
    """`load` reads one summary; `seq` says how far the engine is. Start `run()` in a task."""

    def __init__(self, load: Load, seq: Callable[[], int]) -> None:
        self._load = load
        self._seq = seq
        self._summaries: dict[str, _Summary] = {}

    def listen(self, name: str, market: Market, interval: str, sink: Sink) -> None:
        """Send the summary soon, and whenever it changes."""
        summary = self._summaries.setdefault(name, _Summary(market, interval, Channel(name, 0)))
        summary.channel.sinks.add(sink)
        summary.fresh.add(sink)

    def leave(self, name: str, sink: Sink) -> None:
        """Forget a listener, and the summary with its last one."""
        summary = self._summaries[name]
        summary.channel.sinks.discard(sink)
        summary.fresh.discard(sink)
        if not summary.channel.sinks:
            del self._summaries[name]

    async def run(self) -> None:
        """Look after all summaries until cancelled."""
        last_seq, rounds = -1, 0
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            seq = self._seq()
            rounds = SETTLING_ROUNDS if seq != last_seq else max(0, rounds - 1)
            last_seq = seq
            for summary in tuple(self._summaries.values()):
                if rounds or summary.fresh:
                    await self._refresh(summary)

    async def _refresh(self, summary: _Summary) -> None:
        try:
            content = await self._load(summary.market, summary.interval)
        except Refusal as refusal:
            log.warning("summary_failed", channel=summary.channel.name, reason=refusal.message)
            return
        channel = summary.channel
        if content != summary.content:
            known = channel.sinks - summary.fresh
            fresh, channel.sinks = summary.fresh, known
            channel.publish("update", channel.seq + 1, content)
            channel.sinks = known | fresh
            summary.content = content
        for sink in summary.fresh:
            channel.snapshot(sink, content)
        summary.fresh = set()
