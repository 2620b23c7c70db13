"""The sums of quantities fail where an event is missing, is told twice, or tells another number."""

from dataclasses import replace
from typing import TypeVar

import pytest

from exchange.engine import events as e
from exchange.engine.engine import Engine
from tests.property.engine.test_life import Life
from tests.utils.quantities import Quantities

E = TypeVar("E", bound=e.Event)

MOST = 25
"""So many events of a kind are left out, one after another."""


@pytest.fixture(scope="module")
def told() -> list[e.Event]:
    """All events of a life that ends with empty books."""
    life = Life(3)
    life.live(400)
    life.machine.teardown()
    engine = Engine()
    return [event for seq, at_ms, command in life.machine.x.kept for event in engine.apply(seq, at_ms, command)]


def is_explained(events: list[e.Event]) -> bool:
    """Whether the events account for every lot."""
    quantities = Quantities()
    try:
        quantities.happened(events)
        quantities.expect_drained()
    except AssertionError:
        return False
    return True


def places(told: list[e.Event], kind: type[E]) -> list[int]:
    """Where events of a kind stand, spread over the whole life."""
    found = [place for place, event in enumerate(told) if isinstance(event, kind)]
    assert len(found) >= 5
    return found[:: len(found) // MOST + 1]


def test_a_whole_life_is_explained(told: list[e.Event]) -> None:
    assert is_explained(told)


@pytest.mark.parametrize("kind", [e.OrderAccepted, e.OrderAmended, e.TradeMatched, e.OrderReduced, e.OrderClosed])
def test_an_event_that_is_missing_or_told_twice_is_noticed(told: list[e.Event], kind: type[E]) -> None:
    for place in places(told, kind):
        assert not is_explained(told[:place] + told[place + 1 :]), told[place]
        assert not is_explained(told[: place + 1] + told[place:]), told[place]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (e.OrderAccepted, "quantity"),
        (e.OrderAmended, "remaining"),
        (e.TradeMatched, "quantity"),
        (e.TradeMatched, "maker_remaining"),
        (e.TradeMatched, "taker_remaining"),
        (e.OrderReduced, "quantity"),
        (e.OrderReduced, "remaining"),
        (e.OrderClosed, "remaining"),
    ],
)
def test_another_number_is_noticed(told: list[e.Event], kind: type[E], field: str) -> None:
    for place in places(told, kind):
        event = told[place]
        wrong = replace(event, **{field: getattr(event, field) + 1})
        assert not is_explained([*told[:place], wrong, *told[place + 1 :]]), event
