"""The projector process: the journal in the database, the inbox in the engine, whatever is killed meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.supervisor.postgres import Postgres
from exchange.database import engine_inbox
from exchange.database.engine import create_engine, migrate_async
from exchange.database.tables import balance, batch, forced_withdrawal, orders, trade, withdrawal
from exchange.domain.eip712 import keccak
from exchange.domain.order import SelfTrade, Side, TimeInForce
from exchange.engine import commands as c
from exchange.journal.reader import Reader
from exchange.journal.recovery import recover
from exchange.sequencer.client import EngineClient
from exchange.sequencer.emptied import EmptiedDatabase, check_not_emptied
from exchange.sequencer.inbox import kind_of, to_payload
from exchange.sequencer.protocol import Ack
from tests.integration.sequencer.engine_process import (
    BTC,
    PRICE,
    USDC,
    EngineProcess,
    ProjectorProcess,
    funding,
    place,
    trader,
)
from tests.integration.sequencer.mirror import assert_equals_engine, caught_up, project_all, read_tables
from tests.utils.local_stack import make_postgres, open_folder

TRADERS = 6


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A fresh database with all tables."""
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def projector(engine: EngineProcess, database_url: str) -> Iterator[ProjectorProcess]:
    """A running projector of the engine."""
    process = ProjectorProcess(engine.folder, database_url)
    process.start()
    yield process
    process.kill()


@pytest.fixture
async def make_database(
    postgres: Postgres, template_database: str, tmp_path: Path
) -> AsyncIterator[Callable[[], AsyncEngine]]:
    """Further fresh databases."""
    made: list[tuple[str, AsyncEngine]] = []

    def make() -> AsyncEngine:
        name = f"further_{tmp_path.name}_{len(made)}".lower()[:60]
        made.append((name, create_engine(postgres.create_database(name, template=template_database))))
        return made[-1][1]

    yield make
    for name, engine in made:
        await engine.dispose()
        postgres.drop_database(name)


async def _post(database: AsyncEngine, *commands: c.Command) -> list[int]:
    """Post commands to the inbox, as the indexer and the keepers do."""
    ids = []
    async with database.begin() as conn:
        for command in commands:
            payload = to_payload(command)
            key = f"{type(command).__name__}:{payload}"
            ids.append(await engine_inbox.post(conn, kind_of(type(command)), payload, key))
    return ids


async def _applied(database: AsyncEngine, inbox_id: int) -> dict[str, Any] | None:
    """Wait until an inbox command is applied or refused; its refusal."""
    query = text("select applied_seq, refusal from engine_inbox where id = :id")
    async with asyncio.timeout(60):
        while True:
            async with database.connect() as conn:
                row = (await conn.execute(query, {"id": inbox_id})).one()
            if row.applied_seq is not None or row.refusal is not None:
                return row.refusal  # type: ignore[no-any-return]
            await asyncio.sleep(0.02)


async def _trade(client: EngineClient, rounds: int, first_nonce: int = 1) -> int:
    """Orders that rest, trade, are refused and are cancelled; the next unused nonce."""
    for nonce in range(first_nonce, first_nonce + rounds):
        sides = [Side((nonce + number) % 2) for number in range(TRADERS)]
        orders: list[c.Command] = [
            place(
                trader(number),
                nonce,
                side,
                PRICE + 10 * (nonce % 5) * (1 if side is Side.sell else -1),
                2 + (nonce + number) % 6,
                TimeInForce(2 * (nonce % 7 == 0)),
                self_trade=SelfTrade(nonce % 4),
                client_order_id=f"{number}/{nonce}\0",
            )
            for number, side in enumerate(sides)
        ]
        if nonce % 4 == 0:
            account = trader(nonce % TRADERS)
            orders.append(c.CancelOrder(account, nonce - 1, b"", account))
        await client.submit_many(orders)
    return first_nonce + rounds


async def test_everything_that_happens_is_in_the_tables(
    client: EngineClient, engine: EngineProcess, projector: ProjectorProcess, database: AsyncEngine
) -> None:
    ids = await _post(database, *funding(TRADERS))
    assert await _applied(database, ids[-1]) is None
    await _trade(client, 60)
    hold = c.HoldWithdrawal(trader(0), USDC, 500, keccak(b"w1"), 1, 1_900_000_000, '{"amount": "500"}', b"\1" * 65)
    other = c.HoldWithdrawal(trader(0), BTC, 7, keccak(b"w2"), 2, 1_900_000_000, "no json \0", b"\1" * 65)
    assert all(isinstance(outcome, Ack) for outcome in await client.submit_many([hold, other]))
    cut_at, _ = await client.journal_head()
    ids = await _post(
        database,
        c.CutBatch(0, 1, cut_at),
        c.ConsumeWithdrawal(0, hold.withdrawal_hash, "log 1"),
        c.ReserveForced(0, trader(1), USDC, 900, "request 1"),
        c.ReserveForced(0, trader(2), USDC, 800, "request 2"),
        c.ReleaseForced(0, "request 2"),
        c.FinalizeBatch(0, 1),
        c.Debit(0, trader(1), USDC, 900, "request 1", "claim 1"),
        c.ObeyCancel(0, trader(3), 0, 5_000),
    )
    assert await _applied(database, ids[-1]) is None
    await _trade(client, 20, 6_000)
    await caught_up(database, engine.journal_dir)
    await assert_equals_engine(database, recover(engine.journal_dir).engine)
    async with database.connect() as conn:
        (cut,) = (await conn.execute(select(batch))).all()
        heads = [Reader(engine.journal_dir).head_at(seq) for seq in (0, cut_at)]
        assert (cut.from_seq, cut.to_seq, cut.status) == (0, cut_at, "final")
        assert [cut.prev_head, cut.new_head] == heads
        trades = (await conn.execute(select(trade))).all()
        assert trades
        assert all((row.batch == 1) == (row.seq <= cut_at) for row in trades)
        held = {row.withdrawal_hash: row for row in await conn.execute(select(withdrawal))}
        assert held[hold.withdrawal_hash].status == "consumed"
        assert held[hold.withdrawal_hash].message == {"amount": "500"}
        assert held[other.withdrawal_hash].status == "held"
        forced = {row.request: row.status for row in await conn.execute(select(forced_withdrawal))}
        assert forced == {"request 1": "claimed", "request 2": "released"}
        statuses = set((await conn.execute(select(orders.c.status))).scalars())
        assert statuses == {"open", "filled", "cancelled"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{projector.metrics_port}", timeout=60) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert "bizzan_projector_sequence" in (await http.get("/metrics")).text


async def test_killed_projector_gives_the_tables_of_an_undisturbed_one(
    client: EngineClient,
    engine: EngineProcess,
    projector: ProjectorProcess,
    database: AsyncEngine,
    make_database: Callable[[], AsyncEngine],
) -> None:
    pauses = random.Random(3)
    funded = await _post(database, *funding(TRADERS))
    assert await _applied(database, funded[-1]) is None
    nonce = 1
    for number in range(1, 4):
        seq, _ = await client.journal_head()
        await _post(database, c.CutBatch(0, number, seq))
        loading = asyncio.create_task(_trade(client, 60, nonce))
        await asyncio.sleep(pauses.uniform(0.05, 0.5))
        projector.kill()
        nonce = await loading
        await asyncio.to_thread(projector.start)
    ids = await _post(database, c.Credit(0, trader(0), USDC, 1, "last deposit"))
    assert await _applied(database, ids[0]) is None
    await caught_up(database, engine.journal_dir)
    await assert_equals_engine(database, recover(engine.journal_dir).engine)
    fresh = make_database()
    await project_all(fresh, engine.journal_dir)
    tables = await read_tables(database)
    assert len(tables["batch"]) == 3
    assert await read_tables(fresh) == tables


async def test_lost_database_is_rebuilt_with_its_inbox(
    client: EngineClient,
    engine: EngineProcess,
    projector: ProjectorProcess,
    database: AsyncEngine,
    make_database: Callable[[], AsyncEngine],
) -> None:
    """The rebuilt inbox knows the old credits by their keys, so posting them again credits nobody twice."""
    async with database.begin() as conn:
        for credit in funding(1):
            await engine_inbox.post(conn, "credit", to_payload(credit), credit.cause)
    await _applied(database, 2)
    projector.kill()
    fresh = make_database()
    await project_all(fresh, engine.journal_dir)
    async with fresh.begin() as conn:
        for credit in funding(1):
            assert await engine_inbox.post(conn, "credit", to_payload(credit), credit.cause) == credit.inbox_id
        assert await engine_inbox.post(conn, "set_exiting", {"account": trader(0), "exiting": True}, "new") == 3


async def test_late_database_is_told_from_an_emptied_one(
    client: EngineClient, engine: EngineProcess, database: AsyncEngine, make_database: Callable[[], AsyncEngine]
) -> None:
    """Nothing is projected into either: one has the inbox that the journal was told from, the other has not."""
    credits = funding(1)
    assert await _post(database, *credits) == [credit.inbox_id for credit in credits]
    await client.submit_many(list(credits))
    await check_not_emptied(engine.journal_dir, database)
    with pytest.raises(EmptiedDatabase, match="run 'bizzan rebuild'"):
        await check_not_emptied(engine.journal_dir, make_database())


NO_ASSET = 1 << 32


async def test_refused_inbox_commands_are_marked_and_skipped(
    client: EngineClient, engine: EngineProcess, projector: ProjectorProcess, database: AsyncEngine
) -> None:
    good, unknown, bad, last = await _post(
        database,
        c.Credit(0, trader(0), USDC, 100, "deposit"),
        c.Credit(0, trader(0), NO_ASSET, 100, "unknown asset"),
        c.ReleaseForced(0, "nothing"),
        c.Credit(0, trader(0), USDC, 11, "deposit 2"),
    )
    async with database.begin() as conn:
        no_kind = await engine_inbox.post(conn, "mint", {"amount": 1}, "mint")
        no_field = await engine_inbox.post(conn, "credit", {"account": "0x00"}, "no field")
        internal = await engine_inbox.post(conn, "tick", {}, "tick")
        short = await engine_inbox.post(
            conn, "credit", {"account": b"\1", "asset": 0, "amount": 1, "cause": "x"}, "short"
        )
        negative = await engine_inbox.post(
            conn, "credit", {"account": trader(0), "asset": 0, "amount": -1, "cause": "x"}, "negative"
        )
    codes = {}
    for inbox_id in (good, unknown, bad, last, no_kind, no_field, internal, short, negative):
        refusal = await _applied(database, inbox_id)
        codes[inbox_id] = refusal["code"] if refusal else None
    assert [codes[good], codes[last], codes[unknown]] == [None, None, "unknown_asset"]
    assert codes[bad] is not None
    assert {codes[key] for key in (no_kind, no_field, internal, short, negative)} == {"malformed"}
    view = await client.account(trader(0))
    assert [(b.asset, b.available) for b in view.balances] == [(USDC, 111)]


async def test_inbox_waits_for_a_killed_engine_and_each_command_is_applied_once(
    engine: EngineProcess, projector: ProjectorProcess, database: AsyncEngine
) -> None:
    pauses = random.Random(4)
    ids: list[int] = []
    for number in range(5):
        batch_of = [c.Credit(0, trader(0), USDC, 1, f"deposit {number}/{n}") for n in range(200)]
        ids += await _post(database, *batch_of)
        await asyncio.sleep(pauses.uniform(0.0, 0.3))
        engine.kill()
        await asyncio.to_thread(engine.start)
    for inbox_id in ids:
        assert await _applied(database, inbox_id) is None
    await caught_up(database, engine.journal_dir)
    async with database.connect() as conn:
        (row,) = (await conn.execute(select(balance))).all()
    assert row.available == len(ids) == 1_000


async def test_inbox_command_that_the_journal_passed_over_is_marked_at_the_next_start(
    client: EngineClient, engine: EngineProcess, projector: ProjectorProcess, database: AsyncEngine
) -> None:
    """As after a kill between the engine's refusal and its mark."""
    (first, last) = await _post(
        database, c.Credit(0, trader(0), NO_ASSET, 1, "refused"), c.Credit(0, trader(0), USDC, 1, "taken")
    )
    await _applied(database, last)
    projector.kill()
    async with database.begin() as conn:
        await conn.execute(text("update engine_inbox set refusal = null where id = :id"), {"id": first})
    await asyncio.to_thread(projector.start)
    refusal = await _applied(database, first)
    assert refusal is not None
    assert refusal["code"] == "inbox_out_of_order"


async def test_projector_survives_a_killed_database(engine: EngineProcess) -> None:
    with open_folder() as folder:
        server = make_postgres(folder)
        server.start()
        server.wait_ready()
        url = server.create_database("projected")
        await migrate_async(url)
        projector = ProjectorProcess(engine.folder, url)
        database = create_engine(url)
        try:
            await asyncio.to_thread(projector.start)
            async with EngineClient(engine.socket) as client:
                await _post(database, *funding(TRADERS))
                await caught_up(database, engine.journal_dir)
                loading = asyncio.create_task(_trade(client, 100))
                await asyncio.sleep(0.1)
                server.kill()
                await loading
                await asyncio.to_thread(_restart, server)
                await database.dispose()
                await caught_up(database, engine.journal_dir)
            await assert_equals_engine(database, recover(engine.journal_dir).engine)
        finally:
            projector.kill()
            await database.dispose()
            server.stop()


def _restart(server: Postgres) -> None:
    server.start()
    server.wait_ready()


async def test_database_of_another_journal_is_refused(
    engine: EngineProcess, projector: ProjectorProcess, database: AsyncEngine
) -> None:
    await caught_up(database, engine.journal_dir)
    projector.kill()
    async with database.begin() as conn:
        await conn.execute(text("update projection set head = :head"), {"head": bytes(32)})
    projector.spawn()
    assert projector.wait() == 1
    assert "of another journal" in projector.log_text()
