"""The archive beside a whole exchange: old segments go, and everything that reads the journal goes on as before."""

from __future__ import annotations

import asyncio
import json
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from bizzan.cli.app import app
from bizzan.client.receipts import recover as signer_of
from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.postgres import Postgres
from exchange.database import projection
from exchange.database.engine import create_engine
from exchange.domain.deployment import address_bytes
from exchange.domain.order import Side
from exchange.domain.receipt import Receipt
from exchange.journal.archive_index import Index
from exchange.journal.reader import Reader
from exchange.journal.record import list_segments
from exchange.journal.recovery import recover, verify
from tests.conftest import start_anvil
from tests.integration.backend.test_orders import LOW
from tests.integration.sequencer.mirror import assert_equals_engine, caught_up, read_tables
from tests.utils.api_stack import DEPLOYMENT, UNLIMITED, ApiStack, mirrored, signed_body
from tests.utils.sign_in import sign_in
from tests.utils.waiting import wait_for

SIGNER = address_bytes(DEPLOYMENT.receipt_signer)
_SMALL_SEGMENTS = "from exchange.journal.journal import Journal; Journal.open.__func__.__defaults__ = (4_000,)"
_ENGINE, _PROJECTOR = "exchange.sequencer.main", "exchange.sequencer.projector_main"
_PUBLISHER = "exchange.sequencer.publisher"


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """A chain node, for the API to have one."""
    running = start_anvil(tmp_path_factory)
    yield running
    running.kill()


@pytest.fixture
def stack(node: Anvil, database_url: str) -> Iterator[ApiStack]:
    """An exchange of this test's own, whose journal starts a segment every dozen orders."""
    with tempfile.TemporaryDirectory(prefix="bzn-", dir="/tmp") as name:
        running = ApiStack(Path(name), database_url, node.url)
        running.prologues["engine"] = _SMALL_SEGMENTS
        running.environment["BIZZAN_ARCHIVE__EVERY_SECONDS"] = "1"
        try:
            running.start()
            yield running
        finally:
            running.kill()


@pytest.fixture
async def api(stack: ApiStack) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the API."""
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=60) as client:
        yield client


async def _trade(api: httpx.AsyncClient, stack: ApiStack, pairs: int) -> list[dict[str, Any]]:
    """Orders that meet, and some that stay; the acks of the first of each."""
    buyer, seller = await stack.trader(), await stack.trader()
    acks = []
    for number in range(pairs):
        side = Side.buy if number % 3 else Side.sell
        bodies = (signed_body(buyer, Side.buy, LOW), signed_body(seller, Side.sell), signed_body(buyer, side))
        for body in bodies:
            answer = await api.post("/v1/orders", json=body)
            assert answer.status_code == 200, answer.text
            acks.append({**answer.json(), "wallet": buyer if body["account"] == buyer.text_address else seller})
    return acks


def _command(stack: ApiStack, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, env=stack.environment)
    return done.exit_code, done.output


def _metric(stack: ApiStack, name: str) -> float:
    url = f"http://127.0.0.1:{stack.environment['BIZZAN_METRICS__PUBLISHER']}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + " ")))


async def test_an_exchange_goes_on_over_its_archive(
    stack: ApiStack, api: httpx.AsyncClient, postgres: Postgres, database_url: str
) -> None:
    journal, folder = stack.folder / "journal", stack.folder / "archive"
    early = await _trade(api, stack, 4)
    await mirrored(api, early[-1]["seq"])
    stack.kill("projector", "api", "publisher")
    name = database_url.rsplit("/", 1)[1]
    older = postgres.create_database(f"{name}_older", template=name)
    stack.spawn("projector", _PROJECTOR)
    base = stack.start_api("api", UNLIMITED)

    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        late = await _trade(client, stack, 40)
        await mirrored(client, late[-1]["seq"])
        assert len(Index(folder)) == 0
        stack.end("engine")
        stack.spawn("engine", _ENGINE)
        stack.spawn("publisher", _PUBLISHER)
        closed = [int(path.stem) for path in list_segments(journal)]
        assert len(closed) > 8
        wait_for(lambda: len(Index(folder)) >= len(closed) - 2, "segments to be archived")
        archived = Index(folder)[-1].last_seq
        assert archived > early[-1]["seq"]
        wait_for(lambda: _metric(stack, "bizzan_archive_sequence") >= archived, "the metric")
        assert _metric(stack, "bizzan_archive_failures_total") == 0

        wait_for(lambda: stack._follows_engine("api", base), "the API to follow the engine again")
        for ack in (early[0], early[-1], late[0]):
            assert ack["seq"] <= archived
            headers = await sign_in(client, ack["wallet"])
            answer = await client.get(f"/v1/orders/{ack['order_id']}/receipt", headers=headers)
            assert answer.status_code == 200, answer.text
            given = Receipt.from_json(ack["receipt"])
            again = Receipt.from_json(answer.json()["receipt"])
            again.check(SIGNER, signer_of, given.subject)
            assert again.record_hash == given.record_hash
        last = await _trade(client, stack, 2)
        await mirrored(client, last[-1]["seq"])

    stack.kill("projector", "api", "publisher")
    database, restored = create_engine(database_url, pool_size=1), create_engine(older, pool_size=1)
    try:
        async with restored.connect() as connection:
            assert (await projection.position(connection)).seq < archived
        stack.spawn("projector", _PROJECTOR, {"DATABASE_URL": older})
        assert await caught_up(restored, journal) == Reader(journal).durable().seq
        assert await read_tables(restored) == await read_tables(database)
        await assert_equals_engine(restored, recover(journal).engine)
    finally:
        stack.kill("projector")
        for each in (database, restored):
            await each.dispose()
        postgres.drop_database(f"{name}_older")
    assert verify(journal).engine.state_hash() == recover(journal).engine.state_hash()
    await asyncio.to_thread(_at_the_terminal, stack, journal, folder)


def _at_the_terminal(stack: ApiStack, journal: Path, folder: Path) -> None:
    """The commands tell, move and check; the engine starts on what they left."""
    code, told = _command(stack, "journal", "list", "--json")
    files = [json.loads(line) for line in told.splitlines()]
    assert code == 0
    assert [file["first_seq"] for file in files] == [1, *(file["last_seq"] + 1 for file in files[:-1])]
    assert sum(file["archived"] for file in files) == len(Index(folder))
    assert "archived" in _command(stack, "journal", "list")[1]
    assert _command(stack, "journal", "archive") == (
        0,
        "nothing to archive: what is closed is needed at hand, or is archived\n",
    )
    assert _command(stack, "journal", "check") == (
        0,
        f"{len(Index(folder))} archived segments: all as they were archived\n",
    )
    path = Path(files[0]["path"])
    whole = path.read_bytes()
    path.unlink()
    code, told = _command(stack, "journal", "check")
    assert code == 1
    assert f"{path}: the file is missing: put a copy of the file in its place" in told
    path.write_bytes(whole)

    stack.kill("engine")
    for snapshot in journal.glob("*.snapshot"):
        snapshot.unlink()
    stack.spawn("engine", _ENGINE)
    wait_for(
        lambda: stack._logs("engine", f'"replayed": {Reader(journal).durable().seq}'), "the engine, from the first"
    )
    stack.end("engine")
    (journal / "archive").unlink()
    assert _command(stack, "journal", "check")[1] == f"the journal in {journal} has no archive\n"
