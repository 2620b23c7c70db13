"""Fee schedules as an API worker knows them: those in force and those announced, and who listens for more."""

from collections.abc import Callable, Mapping
from typing import Any

from backend.stream.channels import Channel, Sink
from exchange.domain.amount import BPS
from exchange.domain.fees import FeeRules, Schedule
from exchange.domain.instrument import Market
from exchange.engine import events
from exchange.engine.timeline import Timeline
from exchange.sequencer.protocol import Books

CHANNEL = "fees"


class FeeBoard:
    """A replica of the engine's schedules; `clock` gives milliseconds since 1970."""

    def __init__(self, markets: Mapping[int, Market], names: Mapping[int, str], clock: Callable[[], int]) -> None:
        self.rules = FeeRules(BPS, 0)
        self._names = names
        self._clock = clock
        self._ready = False
        self._schedules = {m: Timeline([(0, _listed(market))]) for m, market in markets.items()}
        self._channel = Channel(CHANNEL, 0)

    def now(self, market_id: int) -> Schedule:
        """The fees of orders accepted now; those at listing while the engine was never there."""
        return self._schedules[market_id].at(self._clock())

    def entries(self, market_id: int) -> list[tuple[int, Schedule]]:
        """The schedule in force and those announced, each with the time from which it holds."""
        timeline = self._schedules[market_id]
        return timeline.entries[timeline.index(self._clock()) :]

    def restart(self, books: Books) -> None:
        """Take the engine's schedules as they are; every listener gets a new snapshot."""
        self.rules = FeeRules(books.fee_cap_bps, books.fee_notice_ms)
        for there in books.markets:
            entries = [(from_ms, Schedule(tiers, floor)) for from_ms, tiers, floor in there.schedules]
            self._schedules[there.market] = Timeline(entries)
        self._ready, self._channel.seq = True, books.seq
        for sink in tuple(self._channel.sinks):
            self._channel.snapshot(sink, self.content())

    def announce(self, seq: int, at_ms: int, event: events.FeesAnnounced) -> None:
        """A market's fees change; listeners hear of it at once."""
        schedule = Schedule(event.tiers, event.floor)
        timeline = self._schedules.setdefault(event.market, Timeline([(event.effective_at, schedule)]))
        timeline.announce(at_ms, event.effective_at, schedule)
        row = {"market": event.market, "symbol": self._names.get(event.market), "announced_at": at_ms}
        self._channel.publish("announced", seq, {**row, **schedule_row(event.effective_at, schedule)})

    def set_rules(self, seq: int, at_ms: int, event: events.FeeRulesChanged) -> None:
        """What binds every schedule has changed."""
        self.rules = FeeRules(event.fee_cap_bps, event.notice_ms)

    def content(self) -> dict[str, Any]:
        """Everything, as JSON carries it."""
        return {
            "fee_cap_bps": self.rules.fee_cap_bps,
            "notice_ms": self.rules.notice_ms,
            "markets": [
                {"market": market_id, "symbol": name, **self._market(market_id)}
                for market_id, name in sorted(self._names.items())
            ],
        }

    def _market(self, market_id: int) -> dict[str, Any]:
        rows = [schedule_row(from_ms, schedule) for from_ms, schedule in self.entries(market_id)]
        return {"current": rows[0], "announced": rows[1:]}

    def listen(self, sink: Sink) -> None:
        """Send the schedules and then each announcement to `sink`."""
        self._channel.sinks.add(sink)
        if self._ready:
            self._channel.snapshot(sink, self.content())

    def leave(self, sink: Sink) -> None:
        """Forget a listener."""
        self._channel.sinks.discard(sink)


def _listed(market: Market) -> Schedule:
    return Schedule(((market.maker_fee_ppm, market.taker_fee_ppm),))


def schedule_row(from_ms: int, schedule: Schedule) -> dict[str, Any]:
    """A schedule as JSON carries it."""
    tiers = [
        {"tier": n, "maker_fee_ppm": maker, "taker_fee_ppm": taker} for n, (maker, taker) in enumerate(schedule.tiers)
    ]
    return {"effective_at": from_ms, "tiers": tiers, "floor": str(schedule.floor)}
