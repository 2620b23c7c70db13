"""The engine's client: commands in, acks out, over its Unix socket.

Everything is pipelined: what is submitted in the same turn of the event loop travels in one frame, and answers
come back in order. The client reconnects by itself. A command whose ack was lost with the connection is refused
as `unavailable` with `outcome: unknown`; submit it again, and the engine acks it as a duplicate if it was placed.

    client = EngineClient(settings.engine_socket())
    await client.connect()
    ack = await client.submit(command)          # Refusal when the engine refuses

    async with client.subscribe() as feed:
        show(feed.books)
        async for committed in feed: ...        # FeedLost when it must start again
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from exchange.domain.errors import Refusal
from exchange.domain.order import Order
from exchange.engine.commands import Command
from exchange.engine.preview import Preview
from exchange.journal.codec import encode_command
from exchange.sequencer.protocol import (
    MAX_ANSWER,
    MAX_FRAME,
    AccountView,
    Ack,
    Answer,
    Ask,
    Books,
    Committed,
    EngineStatus,
    Follow,
    FromClient,
    FromEngine,
    Group,
    OpenOrderView,
    Outcomes,
    ProtocolError,
    Question,
    Refused,
    Submit,
    Subscribe,
    committed,
    decode_body,
    decode_from_engine,
    encode_frame,
    read_frame,
    unavailable,
)

MAX_IN_FLIGHT = 20_000
COMMANDS_PER_FRAME = 1_024
_FRAME_ROOM = MAX_FRAME // 2
_RETRY_MS = 500
_FIRST_BACKOFF = 0.02
_MAX_BACKOFF = 1.0

T = TypeVar("T")
Waiting = list[asyncio.Future[Ack]] | asyncio.Future[Any]


class FeedLost(Exception):
    """The subscription ended (the engine went away, or this reader was too slow): subscribe again."""


class EngineClient:
    """A connection to the engine at the socket `path`, for one event loop."""

    def __init__(self, path: Path | str, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._path = str(path)
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._last_id = 0
        self._waiting: dict[int, Waiting] = {}
        self._outbox: list[tuple[bytes, asyncio.Future[Ack]]] = []
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the engine can be reached at present."""
        return self._to_engine() is not None

    async def connect(self, timeout_seconds: float = 10.0) -> None:
        """Connect, and stay connected until `close`. Refusal `unavailable` if the engine does not come up in time."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected())
        try:
            await asyncio.wait_for(self._connected.wait(), timeout_seconds)
        except TimeoutError:
            raise self._not_running() from None

    async def close(self) -> None:
        """Disconnect; what is still in flight is refused."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def submit(self, command: Command) -> Ack:
        """Submit one command and wait until it is durable. Raises the engine's Refusal."""
        return await self._enqueue(command)

    async def submit_many(self, commands: Sequence[Command]) -> list[Ack | Refusal]:
        """Submit commands, kept together and in order; the outcome of each. Either all are sent or none is."""
        if obstacle := self._obstacle(len(commands)):
            return [obstacle] * len(commands)
        futures = [self._enqueue(command) for command in commands]
        results = await asyncio.gather(*futures, return_exceptions=True)
        outcomes: list[Ack | Refusal] = []
        for result in results:
            if not isinstance(result, Ack | Refusal):
                raise result
            outcomes.append(result)
        return outcomes

    async def books(self) -> Books:
        """All order books."""
        return await self._ask(Question.books, Books)

    async def status(self) -> EngineStatus:
        """Where the engine stands."""
        return await self._ask(Question.status, EngineStatus)

    async def journal_head(self) -> tuple[int, bytes]:
        """Sequence and head of the last durable command."""
        status = await self.status()
        return status.seq, status.head

    async def state_hash(self) -> tuple[int, bytes]:
        """The sequence, and the hash of the engine's whole state after it. Walks all state: for audits and tests."""
        seq, digest = await self._ask(Question.state_hash, tuple[int, bytes])
        return seq, digest

    async def account(self, address: bytes) -> AccountView:
        """Live balances of the account at `address`; Refusal `unknown_account` when it never had any."""
        return await self._ask(Question.account, AccountView, address)

    async def open_orders(self, address: bytes) -> list[OpenOrderView]:
        """Open orders of the account at `address`, in order of acceptance; none when it is unknown."""
        return await self._ask(Question.open_orders, list[OpenOrderView], address)

    async def preview(self, order: Order) -> Preview:
        """What an unsigned order would meet and pay now."""
        return await self._ask(Question.preview, Preview, order.pack())

    async def receipt(self, seq: int, account: bytes) -> Ack:
        """The ack of a durable command that was signed for an account, with its receipt; Refusal `not_found` for any
        other.
        """
        return await self._ask(Question.receipt, Ack, seq.to_bytes(8) + account)

    def subscribe(self, selective: bool = False) -> "Feed":
        """A feed of everything that is committed from now on; use it with `async with`.

        A `selective` one leaves out what is one account's alone, unless that account is followed.
        """
        return Feed(self._path, selective)

    def _enqueue(self, command: Command) -> asyncio.Future[Ack]:
        """Queue a command for the frame that leaves at the end of this turn of the loop."""
        if obstacle := self._obstacle(1):
            raise obstacle
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Ack] = loop.create_future()
        if not self._outbox:
            loop.call_soon(self._flush)
        self._outbox.append((encode_command(command), future))
        self._in_flight += 1
        return future

    def _obstacle(self, count: int) -> Refusal | None:
        """Why so many commands cannot be sent now."""
        if not self.connected:
            return self._not_running()
        if self._in_flight + count > self._max_in_flight:
            return unavailable("too many commands wait for the engine", _RETRY_MS)
        return None

    def _flush(self) -> None:
        """Send the outbox, in as few frames as their bounds allow."""
        outbox, self._outbox = self._outbox, []
        first = size = 0
        for index, (data, _) in enumerate(outbox):
            if index - first == COMMANDS_PER_FRAME or size + len(data) > _FRAME_ROOM:
                self._send_commands(outbox[first:index])
                first, size = index, 0
            size += len(data)
        if outbox:
            self._send_commands(outbox[first:])

    def _send_commands(self, items: list[tuple[bytes, asyncio.Future[Ack]]]) -> None:
        futures = [future for _, future in items]
        writer = self._to_engine()
        if writer is None:
            self._fail(futures, unavailable("the engine has gone away; nothing was sent", _RETRY_MS))
            return
        self._last_id += 1
        self._waiting[self._last_id] = futures
        writer.write(encode_frame(Submit(self._last_id, [data for data, _ in items])))

    async def _ask(self, question: Question, kind: type[T], address: bytes = b"") -> T:
        writer = self._to_engine()
        if writer is None:
            raise self._not_running()
        self._last_id += 1
        future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = future
        writer.write(encode_frame(Ask(self._last_id, question, address)))
        return decode_body(await future, kind)

    async def _stay_connected(self) -> None:
        backoff = _FIRST_BACKOFF
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _MAX_BACKOFF)
                continue
            backoff = _FIRST_BACKOFF
            self._connected.set()
            try:
                with contextlib.suppress(OSError, EOFError, ProtocolError):
                    await self._receive(reader)
            finally:
                self._disconnect()
            await asyncio.sleep(backoff)

    def _to_engine(self) -> asyncio.StreamWriter | None:
        """Where to write; None while the engine is away, also before the end of the connection was read."""
        return None if self._writer is None or self._writer.is_closing() else self._writer

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while True:
            self._dispatch(decode_from_engine(await read_frame(reader, MAX_ANSWER)))

    def _dispatch(self, message: FromEngine) -> None:
        waiting = None if isinstance(message, Group) else self._waiting.pop(message.id, None)
        if isinstance(message, Outcomes) and isinstance(waiting, list):
            self._in_flight -= len(waiting)
            for future, outcome in zip(waiting, message.outcomes, strict=True):
                if future.done():  # the caller no longer waits
                    continue
                if isinstance(outcome, Ack):
                    future.set_result(outcome)
                else:
                    future.set_exception(outcome.refusal())
        elif isinstance(message, Answer) and isinstance(waiting, asyncio.Future):
            _resolve(waiting, message)
        else:
            raise ProtocolError(f"an answer that nobody asked for: {type(message).__name__}")

    def _disconnect(self) -> None:
        """Refuse whatever is in flight: nobody can say whether it was committed."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._connected.clear()
        waiting, self._waiting = self._waiting, {}
        lost = unavailable("the engine went away before it answered; submit again", _RETRY_MS, outcome="unknown")
        for item in waiting.values():
            if isinstance(item, list):
                self._fail(item, lost)
            elif not item.done():
                item.set_exception(lost)

    def _fail(self, futures: list[asyncio.Future[Ack]], refusal: Refusal) -> None:
        self._in_flight -= len(futures)
        for future in futures:
            if not future.done():
                future.set_exception(refusal)

    def _not_running(self) -> Refusal:
        return unavailable("the engine does not answer; try again shortly", _RETRY_MS)


class Feed:
    """A subscription on a connection of its own: `books` first, then every command committed after them."""

    def __init__(self, path: str, selective: bool = False) -> None:
        self._path = path
        self._selective = selective
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._last_id = 1
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self.books = Books(0, 0, b"", [], 0, 0)

    async def __aenter__(self) -> Self:
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(self._path)
            self._send(self._writer, Subscribe(1, self._selective))
            answer = await self._next(self._reader)
        except (OSError, EOFError):
            raise FeedLost("the engine does not answer") from None
        if not isinstance(answer, Answer):
            raise ProtocolError(f"expected the books, not {type(answer).__name__}")
        if answer.refused is not None:
            raise answer.refused.refusal()
        self.books = decode_body(answer.body, Books)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._end()
        if self._writer is not None:
            self._writer.close()

    def _end(self) -> None:
        """Nothing is answered any more."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(FeedLost("the engine ended the feed"))
                future.exception()

    async def follow(self, address: bytes) -> None:
        """Be told of an address' account in every command that is committed after this returns; it may open later.

        It returns only while the feed is read. FeedLost when the feed ends before.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._change([address], [])
        self._waiting[self._last_id] = future
        await future

    def leave(self, address: bytes) -> None:
        """Be told no more of an account, soon."""
        self._change([], [address])

    def _change(self, begin: list[bytes], end: list[bytes]) -> None:
        if self._writer is None or self._writer.is_closing():
            raise FeedLost("the feed is not open; use it with 'async with'")
        self._last_id += 1
        self._send(self._writer, Follow(self._last_id, begin, end))

    async def __aiter__(self) -> AsyncIterator[Committed]:
        if self._reader is None:
            raise FeedLost("the feed is not open; use it with 'async with'")
        while True:
            try:
                message = await self._next(self._reader)
            except (OSError, EOFError):
                self._end()
                raise FeedLost("the engine ended the feed") from None
            if isinstance(message, Answer):
                self._hear(message)
                continue
            if not isinstance(message, Group):
                raise ProtocolError(f"expected a group of commands, not {type(message).__name__}")
            for record in message.records:
                yield committed(record)

    def _hear(self, answer: Answer) -> None:
        waiting = self._waiting.pop(answer.id, None)
        if waiting is None or waiting.done():
            return
        if answer.refused is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(answer.refused.refusal())

    @staticmethod
    def _send(writer: asyncio.StreamWriter, message: FromClient) -> None:
        writer.write(encode_frame(message))

    @staticmethod
    async def _next(reader: asyncio.StreamReader) -> FromEngine:
        return decode_from_engine(await read_frame(reader, MAX_ANSWER))


def _resolve(future: asyncio.Future[msgspec.Raw], answer: Answer) -> None:
    if future.done():
        return
    refused: Refused | None = answer.refused
    if refused is None:
        future.set_result(answer.body)
    else:
        future.set_exception(refused.refusal())
