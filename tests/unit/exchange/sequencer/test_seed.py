"""What the engine is told at its start: only what it does not know yet."""

from __future__ import annotations

from exchange.domain.fees import FeeRules
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.sequencer.seed import missing_commands, unsettled_limit_ms
from tests.integration.sequencer.engine_process import DEPLOYMENT

RULES = FeeRules(100, 0)
AGE_MS = unsettled_limit_ms(DEPLOYMENT.windows)


def started(engine: Engine, max_open_orders: int) -> list[c.Command]:
    """What an engine is told that starts with this setting, and does."""
    commands = missing_commands(engine, DEPLOYMENT, RULES, max_open_orders)
    for command in commands:
        engine.apply(engine.seq + 1, 1, command)
    return commands


def test_how_many_orders_all_accounts_may_have_open_is_told_when_the_setting_changes() -> None:
    engine = Engine()
    assert started(engine, 1_000)[-1] == c.SetLimits(AGE_MS, 1_000, 200)
    assert started(engine, 1_000) == []
    assert started(engine, 50) == [c.SetLimits(AGE_MS, 50, 200)]
    assert engine.state.limits.max_open_orders == 50
