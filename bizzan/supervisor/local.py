"""What the local stack consists of, in the order in which it starts.

    chain node, database  ->  migrate  ->  deploy
      ->  engine, projector, indexer, api, entry, keeper, publisher, surveillance  ->  demo

The chain node and the database are left out when the settings name others.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.deployment import ensure_deployed
from bizzan.supervisor.errors import StartError
from bizzan.supervisor.lock import MARKER_NAME
from bizzan.supervisor.postgres import Postgres
from bizzan.supervisor.service import ListeningPort, Service
from bizzan.supervisor.stack import Part, Stage, Task
from exchange.database.engine import create_engine, migrate
from exchange.sequencer.emptied import EmptiedDatabase, check_not_emptied
from exchange.settings import Settings, SettingsError, runtime_dir, setting_name

# Nobody waits for these by the millisecond, as everybody does for the engine and the API: they go after them when the
# processors are busy, and catch up when not.
_NICENESS = {"projector": 5, "indexer": 5, "keeper": 5, "publisher": 5, "surveillance": 10, "demo": 5}


def build_stages(settings: Settings, demo: bool) -> list[Stage]:
    """The stages of the stack for these settings."""
    servers: list[Part] = []
    chain = build_anvil(settings)
    database = build_postgres(settings)
    servers += [part for part in (chain, database) if part is not None]

    def prepare_database() -> None:
        if database is not None:
            database.create_database("bizzan")
        migrate(settings.database_url())
        asyncio.run(_check_not_emptied(settings))

    def deploy() -> None:
        # Saved at once: a chain killed before its next regular save would come back without the contracts.
        if ensure_deployed(settings) and chain is not None:
            chain.save()

    stages: list[Stage] = [
        servers,
        Task("migrate", prepare_database),
        Task("deploy", deploy),
        # Together, since each waits for what it needs: loading their code is what takes the time.
        [
            build_service(settings, "engine", metrics=settings.metrics.engine),
            build_service(settings, "projector", metrics=settings.metrics.projector),
            build_service(settings, "indexer", metrics=settings.metrics.indexer),
            _api(settings),
            build_entry(settings),
            build_service(settings, "keeper", metrics=settings.metrics.keeper),
            build_service(settings, "publisher", metrics=settings.metrics.publisher),
            build_service(settings, "surveillance", metrics=settings.metrics.surveillance),
        ],
    ]
    if demo:
        stages.append([build_service(settings, "demo", ready=lambda: True)])
    return stages


async def _check_not_emptied(settings: Settings) -> None:
    database = create_engine(settings.database_url(), pool_size=1)
    try:
        await check_not_emptied(settings.journal_dir, database)
    except EmptiedDatabase as error:
        raise StartError(str(error)) from None
    finally:
        await database.dispose()


def build_anvil(settings: Settings) -> Anvil | None:
    """The local chain node; None when the settings name another one."""
    if settings.chain.rpc_url is not None:
        return None
    folder = settings.state_dir / "anvil"
    folder.mkdir(parents=True, exist_ok=True)
    return Anvil(
        settings.local.chain_port,
        log_file=settings.log_dir / "anvil.log",
        state_file=folder / "state.json.gz",
        pid_file=settings.state_dir / "run" / "anvil.pid",
        block_seconds=settings.local.chain_block_seconds,
        save_seconds=settings.local.chain_state_seconds,
        chain_id=settings.chain.chain_id,
        port_setting=setting_name("local", "chain_port"),
    )


def build_postgres(settings: Settings) -> Postgres | None:
    """The local database server; None when the settings name another one."""
    if settings.database.url is not None:
        return None
    return Postgres(
        settings.state_dir / "postgres",
        settings.local.database_port,
        password_file=settings.database_password_file,
        log_file=settings.log_dir / "postgres.log",
        pid_file=settings.state_dir / "run" / "postgres.pid",
        port_setting=setting_name("local", "database_port"),
    )


def remove_state(settings: Settings) -> None:
    """Delete the state folder and what belongs to it elsewhere. The stack must not be running.

    Raises SettingsError when the folder was not made by `bizzan up`.
    """
    if not (settings.state_dir / MARKER_NAME).exists():
        raise SettingsError(f"{settings.state_dir} was not made by 'bizzan up': nothing is deleted")
    database = build_postgres(settings)
    if database is not None:
        database.remove()
    shutil.rmtree(runtime_dir(settings.state_dir))
    shutil.rmtree(settings.state_dir)


def build_service(
    settings: Settings, name: str, *, metrics: int | None = None, ready: Callable[[], bool] | None = None
) -> Service:
    """A process of the exchange, with its port for metrics and its niceness."""
    ports = [] if metrics is None else [ListeningPort(metrics, setting_name("metrics", name), settings.metrics.host)]
    return Service(
        name,
        log_dir=settings.log_dir,
        run_dir=settings.state_dir / "run",
        ports=ports,
        socket_path=settings.engine_socket() if name == "engine" else None,
        ready=ready,
        niceness=_NICENESS.get(name, 0),
    )


def build_entry(settings: Settings) -> Service:
    """Order entry, with both of its ports."""
    return Service(
        "entry",
        log_dir=settings.log_dir,
        run_dir=settings.state_dir / "run",
        ports=[
            ListeningPort(settings.entry.port, setting_name("entry", "port"), settings.entry.host),
            ListeningPort(settings.metrics.entry, setting_name("metrics", "entry"), settings.metrics.host),
        ],
    )


def _api(settings: Settings) -> Service:
    return Service(
        "api",
        log_dir=settings.log_dir,
        run_dir=settings.state_dir / "run",
        ports=[ListeningPort(settings.api.port, setting_name("api", "port"), settings.api.host)],
    )
