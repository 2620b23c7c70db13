"""What a worker counts, for Prometheus; one registry per worker, no globals."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The API's own figures; names start with `bizzan_api_`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "bizzan_api_requests", "HTTP requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "bizzan_api_request_seconds",
            "Time from request to answer",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commands = Counter(
            "bizzan_api_commands", "Signed commands, by what became of them", ["kind", "code"], registry=self.registry
        )
        self.command_seconds = Histogram(
            "bizzan_api_command_seconds",
            "Time from a signed command's arrival to its durable acknowledgement",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.connections = Gauge("bizzan_api_stream_connections", "Open stream connections", registry=self.registry)
        self.slow = Counter(
            "bizzan_api_stream_slow", "Stream connections closed because they did not read", registry=self.registry
        )
        self.not_text = Counter(
            "bizzan_api_stream_not_text",
            "Stream connections closed because their text was not UTF-8",
            registry=self.registry,
        )
        self.feed_seq = Gauge("bizzan_api_feed_seq", "Journal sequence of the book replica", registry=self.registry)

        self.fees = Gauge(
            "bizzan_api_fees_collected", "Fees collected on chain, in ledger units", ["asset"], registry=self.registry
        )
        self.gas = Gauge("bizzan_api_settlement_gas_wei", "Wei paid for settled batches", registry=self.registry)
        self.paid_batches = Gauge("bizzan_api_paid_batches", "Settled batches with known gas", registry=self.registry)

    def set_fees(self, collected: Mapping[str, int], gas_wei: int, batches: int) -> None:
        """What batches brought and cost since the beginning."""
        for symbol, amount in collected.items():
            self.fees.labels(symbol).set(amount)
        self.gas.set(gas_wei)
        self.paid_batches.set(batches)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
