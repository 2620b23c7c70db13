"""What the keeper shows of itself: `/metrics` for Prometheus, `/healthz` for a supervisor."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from keeper.runner import Progress, Runner

STALE_MS = 30_000
"""A duty without a round for so long is not well."""

_GAUGES = {
    "leading": "1 while this process leads the duty",
    "fencing_token": "token of the present term",
    "mined_nonce": "nonces of the duty's key that are mined",
    "unmined_jobs": "jobs sent and not mined",
    "unfinal_jobs": "jobs that hold a nonce and are not final",
    "closed": "1 while a breaker lets nothing new be sent",
    "head_block": "latest block seen",
    "stepped_timestamp_seconds": "when the last round ended",
}
_COUNTERS = {"rounds": "rounds done", "errors": "rounds that failed"}
_FIGURES = {
    "watched_addresses": "deposit addresses that are looked at in turn",
    "refused_sweeps": "sweeps that the contract refused of late and that are tried again",
    "queued_sweeps": "sweeps queued in the present term",
    "given_up_withdrawals": "held withdrawals for which nothing is sent any more",
    "gas_budget_withdrawals": "held withdrawals whose accounts used up the gas that is paid for in a day",
    "outgrown_batch": "the batch that is cut and needs more gas than a transaction may have, or 0",
}


@runtime_checkable
class Measured(Protocol):
    """A duty with figures of its own."""

    def figures(self) -> Mapping[str, float]:
        """By the name of a metric."""


@runtime_checkable
class Ailing(Protocol):
    """A duty that may need an operator."""

    def ailment(self) -> str | None:
        """What must be mended."""


class KeeperCollector(Collector):
    """Reads the runners' progress when Prometheus asks."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        self._runners = runners

    def collect(self) -> Iterable[Metric]:
        """All metrics, one sample per duty."""
        gauges = {name: GaugeMetricFamily(f"keeper_{name}", text, labels=["duty"]) for name, text in _GAUGES.items()}
        counters = {
            name: CounterMetricFamily(f"keeper_{name}", text, labels=["duty"]) for name, text in _COUNTERS.items()
        }
        for runner in self._runners:
            progress = runner.progress
            for name, value in _values(progress).items():
                gauges[name].add_metric([progress.name], value)
            counters["rounds"].add_metric([progress.name], progress.rounds)
            counters["errors"].add_metric([progress.name], progress.errors)
        return [*gauges.values(), *counters.values(), *self._figures()]

    def _figures(self) -> Iterable[Metric]:
        """What duties measure themselves; 0 in a process that does not lead them."""
        duties = [runner.progress.term.duty for runner in self._runners if runner.progress.term is not None]
        known = {name: value for duty in duties if isinstance(duty, Measured) for name, value in duty.figures().items()}
        return [GaugeMetricFamily(f"keeper_{name}", text, known.get(name, 0)) for name, text in _FIGURES.items()]


def _values(progress: Progress) -> dict[str, float]:
    status = None if progress.term is None else progress.term.submitter.status
    return {
        "leading": progress.leading,
        "fencing_token": progress.token,
        "mined_nonce": status.mined_nonce if status else 0,
        "unmined_jobs": status.unmined if status else 0,
        "unfinal_jobs": status.unfinal if status else 0,
        "closed": bool(status and status.closed),
        "head_block": status.head.number if status and status.head else 0,
        "stepped_timestamp_seconds": progress.stepped_at / 1_000,
    }


def ailment(runners: Sequence[Runner], now_ms: int) -> str | None:
    """Why the process is not well, None if each duty has ended a round (or looked whether it may lead) of late."""
    for runner in runners:
        progress = runner.progress
        if now_ms - progress.stepped_at > STALE_MS:
            return f"{progress.name} has ended no round for {STALE_MS // 1_000} s; last error: {progress.last_error}"
    return None


def complaint(runners: Sequence[Runner], now_ms: int) -> str | None:
    """Why the process is not well, or what an operator must mend and a restart would not."""
    duties = [runner.progress.term.duty for runner in runners if runner.progress.term is not None]
    told = [duty.ailment() for duty in duties if isinstance(duty, Ailing)]
    return next(filter(None, told), ailment(runners, now_ms))
