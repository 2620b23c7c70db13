"""The server's bounds: a full queue, a client that does not read, many clients at once."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import FeeRules
from exchange.engine.engine import Engine
from exchange.journal.codec import encode_command
from exchange.journal.journal import Journal
from exchange.sequencer import server as server_module
from exchange.sequencer.client import EngineClient
from exchange.sequencer.committer import Committer
from exchange.sequencer.main import now_ms
from exchange.sequencer.metrics import EngineMetrics
from exchange.sequencer.protocol import Ack, Subscribe, encode_frame
from exchange.sequencer.seed import missing_commands
from exchange.sequencer.server import Server
from tests.integration.sequencer.engine_process import DEPLOYMENT, funding, place, short_folder, trader


class Bench:
    """A server in this process."""

    def __init__(self, folder: Path, metrics: EngineMetrics) -> None:
        self.socket = folder / "engine.sock"
        self.metrics = metrics

    def dropped(self, reason: str) -> int:
        """Connections dropped for a reason."""
        value = self.metrics.registry.get_sample_value("bizzan_engine_dropped_connections_total", {"reason": reason})
        return int(value or 0)

    def groups(self) -> int:
        """Groups that were committed."""
        return int(self.metrics.registry.get_sample_value("bizzan_engine_group_size_count") or 0)


@asynccontextmanager
async def serving(max_pending: int = 50_000, engine: type[Engine] = Engine) -> AsyncIterator[Bench]:
    """A server with its journal in a temporary folder."""
    with short_folder() as folder, Journal.open(folder / "journal") as journal, ThreadPoolExecutor(1) as executor:
        committer = Committer(engine(), journal, now_ms, executor)
        commands = missing_commands(committer.engine, DEPLOYMENT, FeeRules(100, 0))
        await committer.commit([(encode_command(command), command) for command in commands])
        metrics = EngineMetrics()
        server = Server(committer, metrics, max_pending, DEPLOYMENT.domain.separator)
        bench = Bench(folder, metrics)
        task = asyncio.create_task(server.serve(bench.socket))
        try:
            yield bench
        finally:
            server.stop()
            await task


async def test_full_queue_refuses_with_a_time_to_wait() -> None:
    async with serving(max_pending=50) as bench, EngineClient(bench.socket) as client:
        assert all(isinstance(outcome, Ack) for outcome in await client.submit_many(funding(20)))
        outcomes = await client.submit_many([place(trader(n % 20), n) for n in range(60)])
        refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        assert {refusal.code for refusal in refusals} == {ErrorCode.unavailable}
        assert len(refusals) == 60
        assert refusals[0].params["retry_after_ms"]
        assert isinstance(await client.submit(place(trader(1), 100)), Ack)


async def test_client_bounds_what_is_in_flight() -> None:
    async with serving() as bench:
        client = EngineClient(bench.socket, max_in_flight=10)
        await client.connect()
        outcomes = await client.submit_many(funding(6))
        assert all(isinstance(outcome, Refusal) and outcome.code is ErrorCode.unavailable for outcome in outcomes)
        assert all(isinstance(outcome, Ack) for outcome in await client.submit_many(funding(5)))
        await client.close()


async def test_subscriber_that_does_not_read_is_dropped_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_UNREAD", 10_000)
    async with serving() as bench, EngineClient(bench.socket) as client:
        await client.submit_many(funding(20))
        _, writer = await asyncio.open_unix_connection(str(bench.socket), limit=1)
        writer.write(encode_frame(Subscribe(1)))
        async with client.subscribe() as feed:
            seen = asyncio.create_task(_count(feed.__aiter__(), 3_000))
            for nonce in range(1, 151):
                await client.submit_many([place(trader(n), nonce, price=600_000 - 10 * nonce) for n in range(20)])
            assert await seen == 3_000
        assert bench.dropped("slow") == 1
        writer.close()


async def _count(feed: AsyncIterator[object], until: int) -> int:
    count = 0
    async for _ in feed:
        count += 1
        if count == until:
            break
    return count


async def test_many_clients_at_once_get_their_own_answers() -> None:
    async with serving() as bench:
        clients = [EngineClient(bench.socket) for _ in range(20)]
        await asyncio.gather(*(client.connect() for client in clients))
        await clients[0].submit_many(funding(20))
        acks = await asyncio.gather(
            *(client.submit(place(trader(number), nonce)) for number, client in enumerate(clients) for nonce in (1, 2))
        )
        assert len({ack.order_id for ack in acks}) == 40
        views = await asyncio.gather(*(client.account(trader(number)) for number, client in enumerate(clients)))
        assert [view.address for view in views] == [trader(number) for number in range(20)]
        await asyncio.gather(*(client.close() for client in clients))
