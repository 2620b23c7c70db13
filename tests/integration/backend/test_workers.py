"""Several workers of the API behind one port: what one takes, all tell; what each counts, it counts alone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from exchange.domain.order import Side
from tests.utils.api_stack import UNLIMITED, ApiStack, signed_body
from tests.utils.stream import StreamClient, open_stream

BOOK = "book.ETH-USDC"
MARKET = 2
PRICE = 300_000
BURST = 40
SERVERS_OWN_SECONDS = 5
"""After which the server kills a worker that says nothing, unless it is told otherwise."""
CONNECTIONS = 200
"""The system gives connections to workers as it likes; so many never all go to one of two."""


@pytest.fixture(scope="module")
def workers_url(stack: ApiStack) -> Iterator[str]:
    """An API with two workers, each of which lets an account write `BURST` times in a row."""
    limits = UNLIMITED | {"BIZZAN_API__LIMITS__WRITES_PER_SECOND": "1"}
    limits |= {"BIZZAN_API__LIMITS__WRITES_BURST": str(BURST), "BIZZAN_API__LIMITS__CONNECTIONS_PER_ADDRESS": "1000"}
    yield stack.start_api("workers", limits | {"BIZZAN_API__WORKERS": "2"})
    stack.end("workers")


def worker_of(client: StreamClient, url: str) -> int:
    """The process at the other end of a connection."""
    mine = client.connection.local_address[1]
    theirs = urlsplit(url).port
    ends = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [(int(row[1][-4:], 16), int(row[2][-4:], 16), row[9]) for row in ends]
    socket = next(f"socket:[{inode}]" for local, remote, inode in ports if (local, remote) == (theirs, mine))
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if socket in open_files(folder):
            return int(folder.parent.name)
    raise AssertionError("nobody holds the other end")


def open_files(folder: Path) -> set[str]:
    """What a process has open, but for what it closes meanwhile; nothing of one that has ended."""
    found: set[str] = set()
    with suppress(OSError):
        for entry in folder.iterdir():
            with suppress(OSError):
                found.add(str(entry.readlink()))
    return found


async def one_each(url: str, stack: AsyncExitStack) -> tuple[StreamClient, StreamClient]:
    """Connections to both workers."""
    found: dict[int, StreamClient] = {}
    for _ in range(CONNECTIONS):
        client = await stack.enter_async_context(open_stream(url))
        found.setdefault(worker_of(client, url), client)
        if len(found) == 2:
            one, other = found.values()
            return one, other
    raise AssertionError(f"all of {CONNECTIONS} connections went to one worker")


async def test_order_taken_by_one_worker_is_told_by_the_other(stack: ApiStack, workers_url: str) -> None:
    trader = await stack.trader()
    async with AsyncExitStack() as exits:
        one, other = await one_each(workers_url, exits)
        for client in (one, other):
            await client.ask("subscribe", channels=[BOOK])
            await client.next(BOOK, "snapshot")
        order = signed_body(trader, Side.buy, PRICE - 10_000, 2_000, market=MARKET)
        ack = (await one.ask("place", order=order))["ack"]
        for client in (other, one):
            diff = await client.next(BOOK, "diff")
            assert (diff["seq"], diff["bids"]) == (ack["seq"], [[str(PRICE - 10_000), "2000"]])


async def test_same_order_sent_to_both_workers_is_one_order(stack: ApiStack, workers_url: str) -> None:
    trader = await stack.trader()
    order = signed_body(trader, Side.buy, PRICE - 20_000, 2_000, market=MARKET)
    async with AsyncExitStack() as exits:
        acks = [(await client.ask("place", order=order))["ack"] for client in await one_each(workers_url, exits)]
    assert acks[0]["order_id"] == acks[1]["order_id"]


async def test_a_worker_that_is_late_is_not_killed(workers_url: str) -> None:
    """As one is on a busy machine, when it starts more than at any other time."""
    async with AsyncExitStack() as exits:
        one, other = await one_each(workers_url, exits)
        worker = worker_of(one, workers_url)
        os.kill(worker, signal.SIGSTOP)
        try:
            await asyncio.sleep(SERVERS_OWN_SECONDS + 3)
        finally:
            os.kill(worker, signal.SIGCONT)
        for client in (one, other):
            assert (await client.ask("ping"))["op"] == "pong"
        assert worker_of(one, workers_url) == worker


async def test_each_worker_limits_an_account_by_itself(stack: ApiStack, workers_url: str) -> None:
    trader = await stack.trader()
    async with AsyncExitStack() as exits:
        one, other = await one_each(workers_url, exits)

        async def place(client: StreamClient) -> str:
            order = signed_body(trader, Side.buy, PRICE - 30_000, 2_000, market=MARKET)
            answer = await client.ask("place", order=order)
            return str(answer["error"]["code"]) if answer["type"] == "error" else ""

        taken = 0
        while (code := await place(one)) == "":
            taken += 1
        assert (code, taken >= BURST) == ("too_many_requests", True)
        assert [await place(other) for _ in range(BURST // 2)] == [""] * (BURST // 2)
