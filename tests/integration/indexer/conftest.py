"""Chain traffic with a mirror on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from bizzan.supervisor.anvil import Anvil
from exchange.chain.rpc import Rpc
from exchange.database.engine import create_engine
from indexer.effects import Effects
from indexer.main import contract_of
from indexer.mirror import Depths, Mirror
from tests.utils.traffic import Traffic, deploy_custody

DEPTHS = Depths(credit=3, final=24, retained=256)


@pytest.fixture
def traffic(make_anvil: Callable[..., Anvil]) -> Traffic:
    """Traffic on a fresh node with the real contract."""
    node = make_anvil()
    return Traffic(node, deploy_custody(node), seed=7)


OpenMirror = Callable[[], AbstractAsyncContextManager[Mirror]]


@pytest.fixture
def open_mirror(traffic: Traffic, database_url: str) -> OpenMirror:
    """Open a mirror of the traffic, with the engine's inbox."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Mirror]:
        engine = create_engine(database_url, pool_size=2)
        try:
            async with Rpc(traffic.node.url) as rpc:
                effects = Effects(traffic.deployment.chain_id, {})
                yield Mirror(rpc, engine, contract_of(traffic.deployment), DEPTHS, effects)
        finally:
            await engine.dispose()

    return make
