"""The machine under hypothesis, which shrinks what it finds."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.property.engine.machine import EngineMachine

COMMON: dict[str, Any] = {
    "stateful_step_count": 40,
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
}


class TestEngineMachine(EngineMachine.TestCase):  # type: ignore[valid-type, misc]
    settings = settings(max_examples=60, **COMMON)


@pytest.mark.deep
class TestEngineMachineForLong(EngineMachine.TestCase):  # type: ignore[valid-type, misc]
    settings = settings(max_examples=3_000, **COMMON)
