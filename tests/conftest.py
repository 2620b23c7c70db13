"""Fixtures that every test may use: a real database server, fresh databases, real chain nodes.

Under pytest-xdist each worker has a server and nodes of its own, on ports of their own; files that share a running
exchange go to one worker.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.ports import free_port
from bizzan.supervisor.postgres import Postgres
from exchange.database.engine import migrate
from tests.utils.local_stack import make_postgres, open_folder

# No example fails because the machine is slow.
settings.register_profile("bizzan", deadline=None)
settings.load_profile("bizzan")

# They run in environments of their own: tests/integration/consoles.
collect_ignore = ["ape", "brownie"]

_database_numbers = itertools.count(1)
_TOGETHER = {
    f"tests/e2e/test_{name}.py": "tests/e2e/test_kills.py"
    for name in ("contract_wallet", "custody_in_use", "large_withdrawal", "trade_life")
}
"""Files that go where another goes, because they share its exchange."""

_BROWSER = "tests/browser/"
_MONEY = tuple(
    f"{_BROWSER}test_{name}.py"
    for name in ("funds", "money_ways", "newcomer", "outage", "pages", "reorgs", "tour", "wallets", "worth")
)
"""Half of the browser tests, by the time that they take: these share one exchange, and the others another."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute by file, as `--dist loadfile` does, but for those that belong together."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):  # type: ignore[misc] # the package has no types
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            if file.startswith(_BROWSER):
                return _MONEY[0] if file.startswith(_MONEY) else _BROWSER
            return _TOGETHER.get(file, file)

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A database server for the whole session, without fsync: no test of the session cuts the power."""
    with open_folder() as folder:
        server = make_postgres(folder, options={"fsync": "off", "full_page_writes": "off"})
        server.start()
        try:
            server.wait_ready()
            yield server
        finally:
            server.stop()
            server.remove()


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """The address of a fresh database without tables."""
    name = f"empty_{next(_database_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def template_database(postgres: Postgres) -> str:
    """The name of a database with all tables, empty, from which others are copied."""
    migrate(postgres.create_database("migrated"))
    return "migrated"


@pytest.fixture
def database_url(postgres: Postgres, template_database: str) -> Iterator[str]:
    """The address of a fresh database with all tables, empty."""
    name = f"fresh_{next(_database_numbers)}"
    yield postgres.create_database(name, template=template_database)
    postgres.drop_database(name)


@pytest.fixture
def make_anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Anvil]]:
    """Start chain nodes with settings of one's own; all are ended after the test.

    Arguments: `block_seconds` (None mines each transaction at once), `state_file`, `save_seconds`, `chain_id`.
    """
    nodes: list[Anvil] = []

    def make(block_seconds: int | None = None, state_file: Path | None = None, chain_id: int = 31_337) -> Anvil:
        nodes.append(start_anvil(tmp_path_factory, block_seconds, state_file, chain_id))
        return nodes[-1]

    yield make
    for node in nodes:
        node.kill()


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """A fresh chain node for the test module, which mines each transaction at once."""
    node = start_anvil(tmp_path_factory)
    yield node
    node.kill()


def start_anvil(
    tmp_path_factory: pytest.TempPathFactory,
    block_seconds: int | None = None,
    state_file: Path | None = None,
    chain_id: int = 31_337,
) -> Anvil:
    """A chain node that answers."""
    node = Anvil(
        free_port(),
        log_file=tmp_path_factory.mktemp("anvil") / "anvil.log",
        state_file=state_file,
        block_seconds=block_seconds,
        chain_id=chain_id,
    )
    node.start()
    node.wait_ready()
    return node
