"""The choice of the implementation, and what is said of it."""

import sys
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from exchange.domain.instrument import Asset
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.fast.engine import FastEngine
from exchange.sequencer.engines import implementation, watch_handover
from exchange.sequencer.metrics import EngineMetrics


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_the_fast_engine_is_taken_where_it_is_compiled() -> None:
    with capture_logs() as logs:
        assert implementation("fast") is FastEngine
    assert logs == [{"event": "engine implementation", "implementation": "fast", "log_level": "info"}]


def test_the_reference_is_taken_when_asked_for() -> None:
    assert implementation("reference") is Engine


def test_without_a_compiled_core_the_reference_does_the_work_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange.engine.fast.core", None)
    monkeypatch.delitem(sys.modules, "exchange.engine.fast.engine")
    monkeypatch.delitem(sys.modules, "exchange.engine.fast.state")
    with capture_logs() as logs:
        assert implementation("fast") is Engine
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "the fast engine was not compiled, the reference engine does its work")
    ]


def test_a_handover_is_told_in_the_log_and_in_the_metrics() -> None:
    metrics, engine = EngineMetrics(), FastEngine()
    watch_handover(engine, metrics)
    assert metrics.registry.get_sample_value("bizzan_engine_fast") == 1
    engine.apply(1, 1 << 60, c.ListAsset(Asset(0, "USDC", 6)))
    assert not engine.is_fast
    assert metrics.registry.get_sample_value("bizzan_engine_fast") == 0
    assert metrics.registry.get_sample_value("bizzan_engine_handovers_total") == 1


def test_a_return_is_told_in_the_log_and_in_the_metrics() -> None:
    metrics, engine = EngineMetrics(), FastEngine()
    watch_handover(engine, metrics)
    engine.apply(1, 1 << 60, c.ListAsset(Asset(0, "USDC", 6)))
    with capture_logs() as logs:
        assert engine.go_back()
    assert metrics.registry.get_sample_value("bizzan_engine_fast") == 1
    assert [entry["event"] for entry in logs] == ["the fast engine is at work again"]


def test_the_reference_has_nothing_to_hand_over() -> None:
    metrics = EngineMetrics()
    watch_handover(Engine(), metrics)
    assert metrics.registry.get_sample_value("bizzan_engine_fast") == 0
    assert metrics.registry.get_sample_value("bizzan_engine_handovers_total") == 0
