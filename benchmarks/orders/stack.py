"""What the benchmark of order entry runs on: entry, engine, projector and a database, started as `bizzan up` does."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bizzan.supervisor.local import build_entry, build_postgres, build_service
from bizzan.supervisor.ports import free_port
from bizzan.supervisor.postgres import Postgres
from bizzan.supervisor.service import Service
from exchange.database.engine import create_engine, migrate
from exchange.database.projection import position
from exchange.domain.deployment import Deployment, Windows, checksum
from exchange.domain.instrument import Asset, Market, Token
from exchange.sequencer.client import EngineClient
from exchange.settings import Settings, load_settings

SERVICES = ("engine", "entry", "projector")
PRICE = 600_000

DEPLOYMENT = Deployment(
    chain_id=31_337,
    custody=checksum(b"\xcc" * 20),
    deposit_addresses=checksum(b"\xda" * 20),
    block_number=1,
    block_hash="0x" + "11" * 32,
    commit="benchmark",
    domain_name="Bizzan",
    windows=Windows(86_400, 86_400, 86_400, 259_200, 3_600, 259_200),
    fee_cap_bps=100,
    fee_account=checksum(b"\xfe" * 20),
    operator=checksum(b"\x01" * 20),
    co_signer=checksum(b"\x02" * 20),
    assets=(Asset(0, "USDC", 6), Asset(1, "ETH", 8), Asset(2, "BTC", 8)),
    tokens=(
        Token(31_337, 0, checksum(b"\x03" * 20), 0, 6, 1),
        Token(31_337, 1, checksum(bytes(20)), 1, 18, 10**10),
        Token(31_337, 2, checksum(b"\x04" * 20), 2, 8, 1),
    ),
    markets=(Market(1, "BTC/USDC", 2, 0, 10_000, 10, 1_000_000, 2_000, 200, 500, PRICE),),
    operator_bond=checksum(b"\xbb" * 20),
    receipt_signer="0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
)
DOMAIN = DEPLOYMENT.domain


@contextmanager
def own_stack() -> Iterator[Settings]:
    """Entry, engine, projector and a database in a temporary folder, on free ports."""
    with tempfile.TemporaryDirectory(prefix="bzn-ord-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        (Path(name) / "deployment.json").write_text(json.dumps(DEPLOYMENT.to_json()))
        changes = {
            "BIZZAN_PATHS__STATE_DIR": str(Path(name) / "state"),
            "BIZZAN_CHAIN__DEPLOYMENT_FILE": str(Path(name) / "deployment.json"),
            "BIZZAN_LOCAL__DATABASE_PORT": str(free_port()),
            "BIZZAN_ENTRY__PORT": str(free_port()),
            "BIZZAN_ENTRY__WASTED_AT_ONCE": str(10**9),
            "BIZZAN_ENGINE__IMPLEMENTATION": "fast",
            **{f"BIZZAN_METRICS__{part.upper()}": str(free_port()) for part in SERVICES},
        }
        before = dict(os.environ)
        os.environ.update(changes)
        settings = load_settings()
        database = build_postgres(settings)
        assert database is not None
        _database[:] = [database]
        try:
            database.start()
            database.wait_ready()
            database.create_database("bizzan")
            migrate(settings.database_url())
            start(settings)
            yield settings
        finally:
            stop()
            database.stop()
            database.remove()
            os.environ.clear()
            os.environ.update(before)


_services: list[Service] = []
_database: list[Postgres] = []


def start(settings: Settings) -> None:
    """Start the services as `bizzan up` does, and wait until they are there."""
    metrics = settings.metrics
    _services[:] = [
        build_service(settings, "engine", metrics=metrics.engine),
        build_entry(settings),
        build_service(settings, "projector", metrics=metrics.projector),
    ]
    for service in _services:
        service.start()
    for service in _services:
        service.wait_ready()


def stop() -> None:
    """End the services, entry before the engine."""
    for service in reversed(_services):
        service.stop()
    _services.clear()


@contextmanager
def follower(settings: Settings) -> Iterator[None]:
    """The API's live view beside them, following the engine."""
    command = [sys.executable, "-m", "benchmarks.orders.follower", str(settings.engine_socket())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    _followers[:] = [process.pid]
    try:
        if process.stdout.readline() != "following\n":
            raise RuntimeError("nobody follows the engine")
        yield
        if process.poll() is not None:
            raise RuntimeError("whoever followed the engine has died")
    finally:
        _followers.clear()
        process.terminate()
        process.wait()


_followers: list[int] = []


async def lag(settings: Settings) -> int:
    """How many records the database is behind the journal."""
    async with EngineClient(settings.engine_socket()) as client:
        seq, _ = await client.journal_head()
    database = create_engine(settings.database_url(), 1)
    try:
        async with database.connect() as conn:
            return seq - (await position(conn)).seq
    finally:
        await database.dispose()


def cpu_seconds() -> dict[str, float]:
    """CPU time so far of this client and of each service, with what each has started."""
    owners = {service.pid: service.name for service in _services} | {_database[0].pid: "database"}
    owners |= dict.fromkeys(_followers, "follower")
    found: dict[str, float] = {"client": time.process_time()}
    fields: dict[int, list[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended
            fields[int(process.name)] = (process / "stat").read_text().rpartition(")")[2].split()
    for pid, (_, parent, *_) in fields.items():
        owner = owners.get(pid) or owners.get(int(parent))
        if owner is None:
            continue
        name = "judges" if owner == "entry" and pid not in owners else owner
        ticks = int(fields[pid][11]) + int(fields[pid][12])
        if owner == "database" and pid in owners:  # and those that have ended
            ticks += int(fields[pid][13]) + int(fields[pid][14])
        found[name] = found.get(name, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return found
