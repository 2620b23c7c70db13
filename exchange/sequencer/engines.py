"""Which implementation of the engine does the work, and saying so."""

import importlib

import structlog

from exchange.engine.engine import Engine
from exchange.sequencer.metrics import EngineMetrics

_FAST = "exchange.engine.fast.engine"

_log = structlog.get_logger("engine")


def implementation(choice: str) -> type[Engine]:
    """The engine that was chosen; the reference, with a warning, where the fast one was not compiled."""
    if choice == "reference":
        _log.info("engine implementation", implementation="reference")
        return Engine
    try:
        fast: type[Engine] = importlib.import_module(_FAST).FastEngine
    except ImportError as error:
        _log.warning("the fast engine was not compiled, the reference engine does its work", error=str(error))
        return Engine
    _log.info("engine implementation", implementation="fast")
    return fast


def watch_handover(engine: Engine, metrics: EngineMetrics) -> None:
    """Tell whether the fast engine is at work, when it becomes the reference, and when it is fast again."""
    fast = getattr(engine, "is_fast", False)
    metrics.fast.set(fast)
    if not hasattr(engine, "on_handover"):
        return

    def handed_over(reason: str) -> None:
        metrics.fast.set(0)
        metrics.handovers.inc()
        _log.error("the fast engine became the reference", reason=reason)

    def returned() -> None:
        metrics.fast.set(1)
        _log.info("the fast engine is at work again")

    engine.on_handover = handed_over
    engine.on_return = returned  # type: ignore[attr-defined]
    if not fast:
        handed_over("what the journal holds")
