"""Every engine test ends with a valid book that drains to nothing and replays to the same hash."""

from collections.abc import Iterator

import pytest

from tests.utils.engine import BTC, ETH, MAKER, OTHER, TAKER, USDC, EngineHarness


@pytest.fixture
def x() -> Iterator[EngineHarness]:
    """Three traders with money in every asset."""
    harness = EngineHarness()
    for account in (MAKER, TAKER, OTHER):
        harness.credit(account, USDC, 10_000_000_000)
        harness.credit(account, BTC, 1_000_000_000)
        harness.credit(account, ETH, 10_000_000_000)
    yield harness
    harness.validate_and_drain()


@pytest.fixture
def empty() -> Iterator[EngineHarness]:
    """Markets, and nobody with money."""
    harness = EngineHarness()
    yield harness
    harness.validate_and_drain()
