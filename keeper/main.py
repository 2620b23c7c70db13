"""The keeper process: one runner per duty, each with a key of its own.

    run(settings)    blocks; SIGTERM and SIGINT stop it

Run a second one beside it, on any machine: it follows, and takes over when the first is gone.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

import structlog
import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.chain.node import NodeChain
from exchange.chain.rpc import Rpc
from exchange.chain.signing import Key
from exchange.chain.submitter import Policy, Submitter
from exchange.database import deposit_addresses, payouts
from exchange.database.engine import create_engine
from exchange.database.jobs import JobStore
from exchange.database.payouts import HeldWithdrawal
from exchange.domain.deployment import Deployment, DeploymentError, address_bytes
from exchange.domain.deposit_address import sweep_floors
from exchange.sequencer.ending import end
from exchange.sequencer.health import serve_health
from exchange.sequencer.logs import configure_logs
from exchange.sequencer.seed import SeedError, load_deployment
from exchange.settings import Settings, SettingsError
from keeper import settle, sweep, withdraw
from keeper.breakers import Breakers, Limits
from keeper.co_signer import CoSigner
from keeper.custody import Custody
from keeper.deposit_addresses import DepositAddresses
from keeper.gas_budget import GasLimits
from keeper.growth import slots_of
from keeper.health import KeeperCollector, ailment, complaint
from keeper.ledger import DatabaseLedgers
from keeper.runner import Runner, Term

_log = structlog.get_logger("keeper")


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class DatabaseOutflows:
    """The co-signer's reads of the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find_held(self, withdrawal_hash: bytes) -> HeldWithdrawal | None:
        """The withdrawal the engine holds money for."""
        async with self._engine.connect() as conn:
            return await payouts.find_held(conn, withdrawal_hash)

    async def outflow(self, payout: HeldWithdrawal, settled_batch: int) -> int:
        """Ledger units that leave the account's settled balance besides this withdrawal."""
        async with self._engine.connect() as conn:
            return await payouts.outflow(conn, payout, settled_batch)


class DatabaseWatched:
    """The accounts that asked for their deposit address."""

    def __init__(self, engine: AsyncEngine, chain_id: int) -> None:
        self._engine = engine
        self._chain_id = chain_id

    async def watched(self, after: bytes, limit: int) -> list[bytes]:
        """The next `limit` accounts after one, in the order of their bytes."""
        async with self._engine.connect() as conn:
            return await deposit_addresses.watched(conn, self._chain_id, after, limit)

    async def count(self) -> int:
        """How many there are."""
        async with self._engine.connect() as conn:
            return await deposit_addresses.count(conn, self._chain_id)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the process: one per duty, because each has one row of nonces, and the co-signer's."""

    operator: Key
    keeper: Key
    sweeper: Key
    co_signer: Key

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """From the settings. SettingsError if one is missing or two duties have the same."""
        keys = cls(*(Key(settings.key(name)) for name in ("operator", "keeper", "sweeper", "co_signer")))
        owners: dict[bytes, str] = {}
        for name, key in (("OPERATOR", keys.operator), ("KEEPER", keys.keeper), ("SWEEPER", keys.sweeper)):
            first = owners.setdefault(key.address, name)
            if first != name:
                raise SettingsError(
                    f"BIZZAN_KEYS__{name} must not be the key of BIZZAN_KEYS__{first}: they share no nonces"
                )
        return keys


class Keeper:
    """Everything the duties share, built once."""

    def __init__(
        self,
        settings: Settings,
        deployment: Deployment,
        keys: Keys,
        rpc: Rpc,
        engine: AsyncEngine,
        co_signer: CoSigner,
    ) -> None:
        self._settings = settings
        self._deployment = deployment
        self._keys = keys
        self._node = NodeChain(rpc)
        self._custody = Custody(rpc, address_bytes(deployment.custody))
        self._deposit_addresses = DepositAddresses(rpc, deployment)
        self._floors = _floors(settings, deployment)
        self._engine = engine
        self._co_signer = co_signer
        self._clock = SystemClock()

    def runners(self) -> list[Runner]:
        """One per duty."""
        poll = self._settings.keeper.poll_milliseconds / 1_000
        return [Runner(name, self._engine, start, self._clock, poll) for name, start in self.terms().items()]

    def terms(self) -> dict[str, Callable[[int], Term]]:
        """What starts each duty under a fencing token, by its name."""
        return {settle.DUTY: self.settle_term, withdraw.DUTY: self.withdraw_term, sweep.DUTY: self.sweep_term}

    def settle_term(self, token: int) -> Term:
        """The settle duty under a fencing token."""
        key = self._keys.operator
        store = self._store(key, settle.DUTY, token)
        keeper = self._settings.keeper
        policy = settle.SettlePolicy(
            confirmations=self._settings.chain.final_confirmations,
            interval_ms=keeper.batch_milliseconds,
            heartbeat_seconds=keeper.heartbeat_seconds,
            slots=slots_of(self._deployment),
        )
        ledgers = DatabaseLedgers(self._engine, settle.DUTY, token)
        duty = settle.Settle(key.address, self._custody, ledgers, store, self._clock, policy)
        return Term(duty, self._submitter(key, store))

    def withdraw_term(self, token: int) -> Term:
        """The withdraw duty under a fencing token."""
        key = self._keys.keeper
        store = self._store(key, withdraw.DUTY, token)
        ledgers = DatabaseLedgers(self._engine, withdraw.DUTY, token)
        keeper = self._settings.keeper
        limits = GasLimits(keeper.account_gas_per_day, keeper.wallet_gas_per_day, keeper.wallets_gas_per_day)
        policy = withdraw.WithdrawPolicy(gas=limits)
        tokens = self._deployment.tokens
        duty = withdraw.Withdraw(
            key.address, self._custody, tokens, ledgers, self._co_signer, store, self._clock, policy
        )
        return Term(duty, self._submitter(key, store))

    def sweep_term(self, token: int) -> Term:
        """The sweep duty under a fencing token."""
        key = self._keys.sweeper
        store = self._store(key, sweep.DUTY, token)
        settings = self._settings.sweep
        policy = sweep.SweepPolicy(self._floors, settings.accounts_at_once, settings.milliseconds)
        watched = DatabaseWatched(self._engine, self._deployment.chain_id)
        duty = sweep.Sweep(key.address, self._deposit_addresses, watched, store, self._clock, policy)
        return Term(duty, self._submitter(key, store, settings.max_fee_per_gas))

    def _store(self, key: Key, duty: str, token: int) -> JobStore:
        return JobStore(self._engine, self._deployment.chain_id, key.address, duty, token)

    def _submitter(self, key: Key, store: JobStore, max_fee: int | None = None) -> Submitter:
        """The submitter of a key, which pays at most `max_fee` wei per gas, or what every duty may."""
        keeper = self._settings.keeper
        limits = Limits(
            balance_floor=keeper.balance_floor,
            gas_per_day=keeper.gas_per_day,
            revert_streak=keeper.revert_streak,
            chain_lag_seconds=keeper.chain_lag_seconds,
        )
        policy = Policy(
            confirmations=self._settings.chain.final_confirmations,
            priority_fee=keeper.priority_fee_per_gas,
            max_fee=min(max_fee or keeper.max_fee_per_gas, keeper.max_fee_per_gas),
            cancel_max_fee=keeper.cancel_max_fee_per_gas,
            replace_after_ms=1_000 * keeper.replace_after_seconds,
            in_flight=keeper.in_flight,
        )
        guard = Breakers(key.address, self._node, store, self._clock, limits)
        return Submitter(key, self._deployment.chain_id, self._node, store, guard, self._clock, policy)


def _floors(settings: Settings, deployment: Deployment) -> dict[int, int]:
    """What the keeper sweeps from on, by token id. SettingsError for a floor of no asset."""
    try:
        return sweep_floors(deployment, settings.sweep.floors)
    except DeploymentError as error:
        raise SettingsError(f"BIZZAN_SWEEP__FLOORS: {error}") from None


@asynccontextmanager
async def open_keeper(settings: Settings) -> AsyncIterator[Keeper]:
    """A keeper with its connections. SettingsError or SeedError when it cannot be built."""
    deployment = load_deployment(settings.deployment_file)
    keys = Keys.load(settings)
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(Rpc(settings.rpc_url))
        engine = create_engine(settings.database_url(), settings.database.pool_size)
        stack.push_async_callback(engine.dispose)
        yield Keeper(settings, deployment, keys, rpc, engine, await _co_signer(settings, deployment, keys, stack))


async def _co_signer(settings: Settings, deployment: Deployment, keys: Keys, stack: AsyncExitStack) -> CoSigner:
    """The co-signer, on connections of its own."""
    own = settings.co_signer
    rpc = await stack.enter_async_context(Rpc(own.rpc_url or settings.rpc_url))
    url = own.database_url.get_secret_value() if own.database_url else settings.database_url()
    engine = create_engine(url, pool_size=2)
    stack.push_async_callback(engine.dispose)
    custody = Custody(rpc, address_bytes(deployment.custody))
    return CoSigner(keys.co_signer, deployment, custody, DatabaseOutflows(engine))


def run(settings: Settings) -> None:
    """Run the keeper until it is told to stop. SystemExit with a message when it cannot run."""
    configure_logs(settings.log_level, "keeper")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_dry_run(settings) if settings.keeper.dry_run else _run(settings))
    except (SettingsError, SeedError) as error:
        _log.error("keeper cannot run", error=str(error))
        raise SystemExit(str(error)) from None


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_keeper(settings) as keeper:
        runners = keeper.runners()
        registry = CollectorRegistry()
        registry.register(KeeperCollector(runners))
        metrics = settings.metrics
        async with serve_health(
            metrics.host,
            metrics.keeper,
            registry,
            lambda: ailment(runners, SystemClock().now_ms()),
            lambda: complaint(runners, SystemClock().now_ms()),
        ):
            tasks = [asyncio.create_task(runner.run(), name=runner.progress.name) for runner in runners]
            _log.info("keeper runs", duties=[runner.progress.name for runner in runners])
            await stop.wait()
            await end(tasks)


async def _dry_run(settings: Settings) -> None:
    """Say once what each duty would do, and do nothing: a token of 0 can write nowhere."""
    async with open_keeper(settings) as keeper:
        for name, start_term in keeper.terms().items():
            plan = await start_term(0).duty.plan()
            for action in plan if isinstance(plan, list) else [plan]:
                _log.info("would do", duty=name, action=describe(action))


def describe(action: object) -> str:
    """One line for a person; call data only by its length."""
    if isinstance(action, settle.Send):
        return f"send {action.key}: {len(action.call.data)} bytes of call data, gas limit {action.call.gas}"
    return repr(action)
