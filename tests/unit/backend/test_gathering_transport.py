"""What is written in one turn of the event loop leaves together, in order, and before a close."""

import asyncio
from typing import cast

from backend.stream.protocol import GATHERED_BYTES, GatheringTransport


class RecordingTransport:
    """Notes what reaches the socket."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def make() -> tuple[GatheringTransport, RecordingTransport]:
    below = RecordingTransport()
    return GatheringTransport(cast(asyncio.Transport, below), asyncio.get_running_loop()), below


async def test_writes_of_one_turn_leave_together_in_order() -> None:
    transport, below = make()
    transport.write(b"a")
    transport.write(b"b")
    assert below.written == []
    await asyncio.sleep(0)
    assert below.written == [b"ab"]


async def test_each_turn_writes_again() -> None:
    transport, below = make()
    for text in (b"a", b"b"):
        transport.write(text)
        await asyncio.sleep(0)
    assert below.written == [b"a", b"b"]


async def test_much_leaves_at_once() -> None:
    transport, below = make()
    transport.write(bytes(GATHERED_BYTES))
    assert below.written == [bytes(GATHERED_BYTES)]


async def test_close_comes_behind_what_was_written() -> None:
    transport, below = make()
    transport.write(b"last")
    transport.close()
    assert below.written == [b"last"]
    assert transport.is_closing()


async def test_nothing_is_written_after_the_transport_has_closed() -> None:
    transport, below = make()
    transport.write(b"late")
    below.close()
    await asyncio.sleep(0)
    assert below.written == []
