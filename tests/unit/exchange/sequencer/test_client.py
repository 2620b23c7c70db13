"""The engine's client, at the moment at which the engine goes away."""

import asyncio
from pathlib import Path

import uvloop

from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.commands import Tick
from exchange.sequencer.client import COMMANDS_PER_FRAME, EngineClient

TURNS = 50
"""More than the loop takes until everybody has heard that the connection has ended."""


async def outcomes_as_it_goes(socket: Path) -> list[object]:
    """What comes of questions and commands that are sent in every turn of the loop while the engine ends."""
    gone = asyncio.Event()

    async def go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.transport.abort()

    server = await asyncio.start_unix_server(go, socket)
    client = EngineClient(socket, max_in_flight=4 * TURNS * COMMANDS_PER_FRAME)
    await client.connect()
    gone.set()
    server.close()
    asked: list[asyncio.Task[object]] = []
    for _ in range(TURNS):
        asked.append(asyncio.create_task(client.status()))
        asked.append(asyncio.create_task(client.submit_many([Tick()] * (COMMANDS_PER_FRAME + 1))))
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    await client.close()
    return outcomes


def test_what_is_sent_as_the_engine_goes_away_is_refused_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    refusals: list[object] = []
    for outcome in uvloop.run(outcomes_as_it_goes(tmp_path / "engine")):
        refusals += outcome if isinstance(outcome, list) else [outcome]
    assert len(refusals) == TURNS * (COMMANDS_PER_FRAME + 2)
    for refusal in refusals:
        assert isinstance(refusal, Refusal)
        assert refusal.code == ErrorCode.unavailable
