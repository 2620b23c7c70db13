"""What the indexer tells about itself."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from indexer.effects import Effects
from indexer.mirror import Mirror


class MirrorCollector(Collector):
    """Reads the mirror when it is asked, so that the mirror knows nothing of metrics."""

    def __init__(self, mirror: Mirror, effects: Effects) -> None:
        self._mirror = mirror
        self._effects = effects

    def collect(self) -> Iterable[Metric]:
        """Heights, lag and counts."""
        position, stats = self._mirror.position, self._mirror.stats
        indexed = position.number if position else 0
        yield _gauge("head_block", "Height of the node's head", self._mirror.head)
        yield _gauge("indexed_block", "Height of the last block indexed", indexed)
        yield _gauge(
            "finalized_block", "Height up to which blocks are final", position.finalized_number if position else 0
        )
        yield _gauge("lag_blocks", "Blocks the mirror is behind the node", max(0, self._mirror.head - indexed))
        yield _counter("blocks", "Blocks indexed", stats.blocks)
        yield _counter("events", "Events indexed", stats.events)
        yield _counter("unknown_events", "Events that have no handler", stats.unknown_events)
        yield _counter("reorgs", "Reorgs followed", stats.reorgs)
        yield _gauge("deepest_reorg_blocks", "Depth of the deepest reorg", stats.deepest_reorg)
        yield _counter("irreversible_effects", "Final effects that a reorg removed", self._effects.irreversible)


def make_registry(mirror: Mirror, effects: Effects) -> CollectorRegistry:
    """A registry with everything above."""
    registry = CollectorRegistry()
    registry.register(MirrorCollector(mirror, effects))
    return registry


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"bizzan_indexer_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"bizzan_indexer_{name}", text, value=value)
