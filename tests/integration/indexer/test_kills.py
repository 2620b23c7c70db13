"""The real process, killed at random moments under traffic: the tables stay those of a fresh index."""

from __future__ import annotations

import asyncio
import json
import os
import random
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bizzan.supervisor.ports import free_port
from tests.integration.indexer.helpers import check_balances, check_inbox, compare, query
from tests.utils.traffic import Traffic
from tests.utils.waiting import wait_for
from tests.utils.warm import WarmProcess, serve


class Process:
    """The indexer as `bizzan up` runs it, on a port of its own."""

    def __init__(self, traffic: Traffic, database_url: str, folder: Path) -> None:
        deployment = folder / "deployment.json"
        deployment.write_text(json.dumps(traffic.deployment.to_json()))
        self.port = free_port()
        self._log = folder / "indexer.log"
        self._environment = {
            **os.environ,
            "BIZZAN_CHAIN__RPC_URL": traffic.node.url,
            "BIZZAN_CHAIN__DEPLOYMENT_FILE": str(deployment),
            "BIZZAN_CHAIN__POLL_MILLISECONDS": "20",
            "BIZZAN_DATABASE__URL": database_url,
            "BIZZAN_PATHS__STATE_DIR": str(folder),
            "BIZZAN_METRICS__INDEXER": str(self.port),
        }

    @contextmanager
    def running(self) -> Iterator[WarmProcess]:
        """Start it; it is dead afterwards."""
        process = WarmProcess(serve, "indexer.main", environment=self._environment, output=self._log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def healthy(self) -> bool:
        """Whether /healthz says so."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as response:
                return bool(json.load(response)["ok"])
        except OSError:
            return False

    def metrics(self) -> str:
        """What /metrics says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as response:
            return str(response.read().decode())


def indexed(url: str) -> int:
    """Height of the mirror, -1 before its first block."""
    rows = asyncio.run(query(url, "select number from cursor"))
    return int(rows[0].number) if rows else -1


def kill_under_traffic(traffic: Traffic, database_url: str, folder: Path, kills: int) -> None:
    """Kill the process so many times, with blocks and small reorgs all the while, then let it catch up."""
    process = Process(traffic, database_url, folder)
    moments = random.Random(5)
    for _ in range(kills):
        with process.running() as running:
            wait_for(process.healthy, "the indexer")
            target = indexed(database_url) + moments.randrange(1, 8)
            while indexed(database_url) < target:
                traffic.block()
                if moments.random() < 0.2:
                    traffic.go_back(moments.randint(1, min(4, traffic.since_start)))
            for _ in range(moments.randrange(4)):
                traffic.block()
            running.kill()
    with process.running() as running:
        traffic.block()
        wait_for(lambda: indexed(database_url) == traffic.height, "the mirror at the head")
        at_the_head = f"bizzan_indexer_indexed_block {traffic.height:.1f}"
        wait_for(lambda: at_the_head in process.metrics(), "the metric")
        assert asyncio.run(compare(traffic, database_url)) == []
        running.terminate()
        assert running.wait(60) == 0
    asyncio.run(check_balances(traffic, database_url))
    asyncio.run(check_inbox(traffic, database_url, 3))


def test_kills_at_random_moments_leave_identical_tables(traffic: Traffic, database_url: str, tmp_path: Path) -> None:
    kill_under_traffic(traffic, database_url, tmp_path, kills=3)


@pytest.mark.deep
def test_many_kills_at_random_moments_leave_identical_tables(
    traffic: Traffic, database_url: str, tmp_path: Path
) -> None:
    kill_under_traffic(traffic, database_url, tmp_path, kills=30)


def test_node_that_goes_away_is_waited_for(traffic: Traffic, database_url: str, tmp_path: Path) -> None:
    process = Process(traffic, database_url, tmp_path)
    with process.running():
        wait_for(process.healthy, "the indexer")
        state = traffic.node.rpc("anvil_dumpState")
        traffic.node.kill()
        wait_for(lambda: not process.healthy(), "the indexer to notice")
        traffic.node.start()
        traffic.node.wait_ready()
        traffic.node.rpc("anvil_loadState", state)
        traffic.node.rpc("evm_mine")
        wait_for(process.healthy, "the indexer to recover")
        wait_for(lambda: indexed(database_url) == traffic.height, "the mirror at the head")


def test_deployment_of_another_chain_is_refused(traffic: Traffic, database_url: str, tmp_path: Path) -> None:
    process = Process(traffic, database_url, tmp_path)
    document = traffic.deployment.to_json() | {"chain_id": 5}
    (tmp_path / "deployment.json").write_text(json.dumps(document))
    with process.running() as running:
        assert running.wait(60) == 1
    assert "is on chain 31337, the deployment on 5" in (tmp_path / "indexer.log").read_text()
