"""What the engine process and the projector tell about themselves."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_SIZES = (1, 4, 16, 64, 256, 1_024, 4_096)


class EngineMetrics:
    """The engine process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter(
            "bizzan_engine_commands_total", "Commands by outcome", ["outcome"], registry=self.registry
        )
        self.group_size = Histogram(
            "bizzan_engine_group_size", "Commands in a group commit", buckets=_SIZES, registry=self.registry
        )
        self.commit_seconds = Histogram(
            "bizzan_engine_commit_seconds", "Time of a group commit", buckets=_SECONDS, registry=self.registry
        )
        self.sequence = Gauge("bizzan_engine_sequence", "Last durable sequence", registry=self.registry)
        self.pending = Gauge("bizzan_engine_pending_commands", "Commands that wait", registry=self.registry)
        self.connections = Gauge("bizzan_engine_connections", "Open connections", registry=self.registry)
        self.dropped = Counter(
            "bizzan_engine_dropped_connections_total", "Connections dropped", ["reason"], registry=self.registry
        )
        self.fast = Gauge("bizzan_engine_fast", "1 while the fast implementation does the work", registry=self.registry)
        self.handovers = Counter(
            "bizzan_engine_handovers_total", "Times that the fast engine became the reference", registry=self.registry
        )
        self.journal_full = Gauge("bizzan_engine_journal_full", "1 while there is no room", registry=self.registry)


class ProjectorMetrics:
    """The projector."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sequence = Gauge("bizzan_projector_sequence", "Last sequence projected", registry=self.registry)
        self.lag = Gauge("bizzan_projector_lag_records", "Durable records not projected yet", registry=self.registry)
        self.write_seconds = Histogram(
            "bizzan_projector_write_seconds", "Time of a transaction", buckets=_SECONDS, registry=self.registry
        )
        self.failures = Counter(
            "bizzan_projector_failures_total", "Failures that were retried", ["part"], registry=self.registry
        )
        self.inbox = Counter(
            "bizzan_projector_inbox_total", "Inbox commands by outcome", ["outcome"], registry=self.registry
        )
