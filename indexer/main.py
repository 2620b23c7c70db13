"""The indexer process: follows the chain until it is told to stop.

    run(settings)    blocks; SIGTERM and SIGINT stop it cleanly

A node or a database that is away is waited for; everything else about restarts is the mirror's position.
"""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable

import structlog
import uvloop
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.chain.rpc import ChainError, Rpc
from exchange.database.engine import create_engine
from exchange.domain.deployment import Deployment
from exchange.sequencer.health import serve_health
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.seed import SeedError, load_deployment
from exchange.settings import ChainSettings, Settings
from indexer.effects import Effects
from indexer.follower import FollowerError
from indexer.metrics import make_registry
from indexer.mirror import Contract, Depths, Mirror

_log = structlog.get_logger("indexer")

LONGEST_PAUSE_SECONDS = 5.0


class WrongChainError(Exception):
    """The node is on another chain than the deployment."""


def run(settings: Settings) -> None:
    """Run the indexer until it is told to stop. SystemExit with a message when it cannot run."""
    configure_logs(settings.log_level, "indexer")
    tune()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except (SeedError, WrongChainError) as error:
        _log.error("indexer cannot run", error=str(error))
        raise SystemExit(str(error)) from None


def tune() -> None:
    """Collect garbage rarely: a span of logs is many objects, and none of them forms a cycle."""
    gc.set_threshold(200_000, 20, 100)


async def _run(settings: Settings) -> None:
    deployment = load_deployment(settings.deployment_file)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    engine = create_engine(settings.database_url(), pool_size=2)
    try:
        async with Rpc(settings.rpc_url) as rpc:
            await _follow(settings, deployment, rpc, engine, stop)
    finally:
        await engine.dispose()
    _log.info("indexer stopped")


async def _follow(
    settings: Settings, deployment: Deployment, rpc: Rpc, engine: AsyncEngine, stop: asyncio.Event
) -> None:
    effects = Effects(deployment.chain_id, {token.token_id: token.asset_id for token in deployment.tokens})
    mirror = Mirror(rpc, engine, contract_of(deployment), depths_of(settings.chain), effects)
    loop = Loop(mirror.step, settings.chain.poll_milliseconds / 1_000, stop)
    registry = make_registry(mirror, effects)
    async with serve_health(settings.metrics.host, settings.metrics.indexer, registry, lambda: loop.trouble):
        _log.info("indexer follows", chain_id=deployment.chain_id, custody=deployment.custody)
        await loop.run(lambda: check_chain(rpc, deployment))


def contract_of(deployment: Deployment) -> Contract:
    """What a deployment asks to be mirrored."""
    return Contract(deployment.chain_id, deployment.custody.lower(), deployment.block_number)


def depths_of(chain: ChainSettings) -> Depths:
    """The depths that the settings ask for."""
    return Depths(
        chain.credit_confirmations,
        chain.final_confirmations,
        chain.retained_blocks,
        chain.finalized_tag,
        chain.history_headers,
    )


async def check_chain(rpc: Rpc, deployment: Deployment) -> None:
    """Raise WrongChainError unless the node is on the deployment's chain."""
    found = await rpc.chain_id()
    if found != deployment.chain_id:
        raise WrongChainError(
            f"the node at the configured RPC_URL is on chain {found}, the deployment on {deployment.chain_id}"
        )


class Loop:
    """Takes steps until told to stop: at once while there is work, after a pause otherwise, longer in trouble."""

    def __init__(self, step: Callable[[], Awaitable[bool]], pause_seconds: float, stop: asyncio.Event) -> None:
        self._step = step
        self._pause = pause_seconds
        self._stop = stop
        self.trouble: str | None = "not started"
        """Why the last step failed, None when it did not."""

    async def run(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """`prepare` must succeed once first. Returns when told to stop."""
        ready = False
        pause = self._pause
        while not self._stop.is_set():
            try:
                if not ready:
                    await prepare()
                    ready = True
                again = await self._step()
            except (ChainError, FollowerError, DBAPIError, OSError) as error:
                self._report(error)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                again = False
            else:
                self._recovered()
                pause = self._pause
            if not again:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    def _report(self, error: Exception) -> None:
        text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        if self.trouble != text:
            _log.warning("indexer waits", error=text, kind=type(error).__name__)
        self.trouble = text

    def _recovered(self) -> None:
        if self.trouble is not None:
            _log.info("indexer is well")
        self.trouble = None
