"""What order entry counts, for Prometheus; names start with `bizzan_entry_`."""

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from exchange.domain.frame_codes import ACCEPTED, code_of

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class EntryMetrics:
    """Orders and messages by kind: `frame`, `mac_frame`, `orders`, or `brake` for what takes orders back."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.messages = Counter("bizzan_entry_messages_total", "Messages of a session", ["kind"], registry=registry)
        self.accepted = Counter("bizzan_entry_accepted_orders_total", "Orders accepted", ["kind"], registry=registry)
        self.refused = Counter(
            "bizzan_entry_refused_orders_total", "Orders refused one by one", ["kind", "reason"], registry=registry
        )
        self.refusals = Counter(
            "bizzan_entry_refusals_total", "Messages refused as a whole", ["reason"], registry=registry
        )
        self.judge_seconds = Histogram(
            "bizzan_entry_judge_seconds",
            "From a message to the verdict of a judge, waiting included",
            buckets=_SECONDS,
            registry=registry,
        )
        self.ack_seconds = Histogram(
            "bizzan_entry_ack_seconds",
            "From a whole message to its durable acknowledgement",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.connections = Gauge("bizzan_entry_connections", "Open connections", registry=registry)
        self.sessions = Gauge("bizzan_entry_sessions", "Open sessions", registry=registry)
        self.dropped = Counter(
            "bizzan_entry_dropped_connections_total", "Connections cut off", ["reason"], registry=registry
        )

    def watch(self, held: Callable[[], int], at_engine: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Show queues: orders under way, those that the engine has, and what waits for a judge."""
        for name, text, function in (
            ("bizzan_entry_orders_under_way", "Orders read and not answered", held),
            ("bizzan_entry_orders_at_engine", "Orders that the engine has not answered", at_engine),
            ("bizzan_entry_unjudged", "Pieces of work that wait for a judge", waiting),
        ):
            Gauge(name, text, registry=self.registry).set_function(function)

    def count_codes(self, kind: str, codes: bytes) -> None:
        """What became of the orders of a message, a byte each."""
        accepted = codes.count(ACCEPTED)
        self.accepted.labels(kind).inc(accepted)
        if accepted != len(codes):
            for code in set(codes) - {ACCEPTED}:
                self.refused.labels(kind, _reason(code)).inc(codes.count(code))


@cache
def _reason(code: int) -> str:
    return str(code_of(code))
