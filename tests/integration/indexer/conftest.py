"""Chain traffic with a mirror on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from bizzan.supervisor.anvil import Anvil
from exchange.chain.rpc import Rpc
from exchange.database.engine import create_engine
from exchange.domain.deployment import Deployment
from indexer.effects import Effects
from indexer.main import contract_of
from indexer.mirror import Depths, Mirror
from tests.conftest import start_anvil
from tests.utils.traffic import Traffic, deploy_custody

DEPTHS = Depths(credit=3, final=24, retained=256)


@pytest.fixture(scope="session")
def funded(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Deployment]:
    """The state of a node with the real contract, in which the users have money."""
    node = start_anvil(tmp_path_factory)
    try:
        deployment = deploy_custody(node)
        Traffic(node, deployment, seed=7)
        return node.rpc("anvil_dumpState"), deployment
    finally:
        node.kill()


@pytest.fixture
def traffic(make_anvil: Callable[..., Anvil], funded: tuple[str, Deployment]) -> Traffic:
    """Traffic on a fresh node with the real contract."""
    node = make_anvil()
    state, deployment = funded
    node.rpc("anvil_loadState", state)
    return Traffic(node, deployment, seed=7, funded=True)


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
