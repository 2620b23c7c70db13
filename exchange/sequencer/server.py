"""The engine's socket: frames in, one queue, group commits, answers and committed events out.

One loop takes whatever has queued up, commits it as one group, and answers. Questions stand in the same queue and
are answered between two groups, so they see durable state only. Everything is bounded: a queue that is full
answers `unavailable`, and a client that does not read is dropped.
"""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame_codes import ACCEPTED
from exchange.engine.telling import Telling, of_followed
from exchange.journal.errors import JournalError
from exchange.sequencer import views
from exchange.sequencer.committer import Committer
from exchange.sequencer.following import Following
from exchange.sequencer.frames import FramesResult, commit_frames
from exchange.sequencer.groups import GroupResult
from exchange.sequencer.items import FrameItem, Item, parse_frame, parse_item
from exchange.sequencer.metrics import EngineMetrics
from exchange.sequencer.packing import packed_outcome
from exchange.sequencer.protocol import (
    EVENTS,
    MAX_FRAME,
    Ack,
    Answer,
    Ask,
    Committed,
    Follow,
    FrameAck,
    FrameOutcomes,
    Frames,
    Group,
    Journaled,
    OrdersPlaced,
    Outcomes,
    PlaceOrders,
    ProtocolError,
    Question,
    Refused,
    Submit,
    Subscribe,
    WireRecord,
    decode_from_client,
    encode_body,
    encode_frame,
    read_frame,
    unavailable,
)
from exchange.sequencer.singles import SinglesResult, commit_singles

MAX_PENDING = 50_000
MAX_GROUP = 1_024
MAX_FRAME_COMMANDS = 4_096
MAX_FRAMES = 64
MAX_FRAME_ORDERS = 8_192
"""Orders of frames in one group, at most."""
MAX_UNREAD = 16 << 20
_EVENT_FRAME_ROOM = MAX_FRAME // 2
_RETRY_MS = 100

ADDRESS_SIZE = 20

Outcome = Ack | Refused | bytes
Result = GroupResult | SinglesResult

_log = structlog.get_logger("engine")


class Connection:
    """One client."""

    def __init__(self, writer: asyncio.StreamWriter, dropped: Callable[[str], None]) -> None:
        self._writer = writer
        self._dropped = dropped
        self.subscribed = False
        self.selective = False
        """Whether it is told only what `follows` and everybody want."""
        self.follows: set[bytes] = set()

    def send(self, frame: bytes) -> None:
        """Send a frame, or drop a client that has left too much unread."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MAX_UNREAD:
            self._dropped("slow")
            self._writer.transport.abort()
            return
        self._writer.write(frame)


class Work(NamedTuple):
    """What a client asked for, in the queue. `frames` are None for all but frames; `size` counts commands or orders."""

    connection: Connection
    id: int
    items: list[Item]
    question: Ask | Subscribe | Follow | None = None
    frames: list[FrameItem] | None = None
    early: bool = False
    size: int = 0
    singles: list[bytes] | None = None
    """Orders that order entry has judged: answered in its own bytes."""


class Server:
    """Serves one committer to any number of clients on a Unix socket."""

    def __init__(
        self,
        committer: Committer,
        metrics: EngineMetrics,
        max_pending: int = MAX_PENDING,
        separator: bytes = b"",
    ) -> None:
        """`separator` is that of the domain under which frames are signed."""
        self._separator = separator
        self._committer = committer
        self._metrics = metrics
        self._max_pending = max_pending
        self._queue: deque[Work] = deque()
        self._pending = 0
        self._wake = asyncio.Event()
        self._connections: set[Connection] = set()
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._finding = asyncio.Semaphore(1)
        self._following = Following(committer.engine)

    async def serve(self, path: Path) -> None:
        """Listen on `path` (mode 0600) and commit until `stop`; an error of the journal ends it."""
        listener = await _listen(path, self._handle)
        try:
            await self._commit_forever()
        finally:
            listener.close()
            _remove(path)

    def stop(self) -> None:
        """End `serve` after the group in progress; what still waits is not committed and not answered."""
        self._stopping = True
        self._wake.set()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one client's frames until it goes away."""
        connection = Connection(writer, lambda reason: self._metrics.dropped.labels(reason).inc())
        self._connections.add(connection)
        self._metrics.connections.set(len(self._connections))
        try:
            while not self._stopping:
                self._receive(connection, await read_frame(reader, MAX_FRAME))
        except ProtocolError as error:
            _log.warning("client dropped", reason=str(error))
            self._metrics.dropped.labels("protocol").inc()
        except (OSError, EOFError):
            pass
        finally:
            self._connections.discard(connection)
            self._following.end(connection.follows, tuple(connection.follows))
            self._metrics.connections.set(len(self._connections))
            writer.close()

    def _receive(self, connection: Connection, body: bytes) -> None:
        message = decode_from_client(body)
        if isinstance(message, Frames):
            self._receive_frames(connection, message)
            return
        if isinstance(message, Ask | Subscribe | Follow):
            self._enqueue(Work(connection, message.id, [], message))
            return
        singles = message.orders if isinstance(message, PlaceOrders) else None
        commands = message.commands if isinstance(message, Submit) else message.orders
        count = len(commands)
        if count > MAX_FRAME_COMMANDS:
            raise ProtocolError(f"a frame of {count} commands; at most {MAX_FRAME_COMMANDS} are allowed")
        if self._pending + count > self._max_pending:
            refused = Refused.of(unavailable("the engine's queue is full; try again shortly", _RETRY_MS))
            self._metrics.commands.labels("queue_full").inc(count)
            connection.send(_refuse_all(message.id, refused, count, singles is not None))
            return
        items = [parse_item(payload) for payload in commands] if singles is None else []
        self._enqueue(Work(connection, message.id, items, size=count, singles=singles))

    def _receive_frames(self, connection: Connection, message: Frames) -> None:
        if len(message.frames) > MAX_FRAMES:
            raise ProtocolError(f"a message of {len(message.frames)} frames; at most {MAX_FRAMES} are allowed")
        frames = [parse_frame(payload, self._separator) for payload in message.frames]
        size = sum(1 if isinstance(frame, Refused) else frame[1].weight for frame in frames)
        if self._pending + size > self._max_pending:
            refused = Refused.of(unavailable("the engine's queue is full; try again shortly", _RETRY_MS))
            self._metrics.commands.labels("queue_full").inc(size)
            self._answer_frames(connection, message.id, message.early, [refused] * len(frames))
            return
        self._enqueue(Work(connection, message.id, [], None, frames, message.early, size))

    def _answer_frames(self, connection: Connection, number: int, early: bool, refused: list[Refused]) -> None:
        if early:
            connection.send(encode_frame(Journaled(number, list(refused))))
        connection.send(encode_frame(FrameOutcomes(number, list(refused))))

    def _enqueue(self, work: Work) -> None:
        self._queue.append(work)
        self._pending += work.size
        self._wake.set()

    async def _commit_forever(self) -> None:
        while not self._stopping:
            due = self._committer.tick_due_in_ms()
            if due is not None and due <= 0:
                self._finish([], await self._committer.tick(), 0.0)
            if not self._queue:
                await self._wait(None if due is None else max(due, 1) / 1_000)
                continue
            works = self._take()
            started = time.perf_counter()
            if works[0].frames is not None:
                await self._commit_frames(works)
                self._metrics.commit_seconds.observe(time.perf_counter() - started)
                continue
            self._finish(works, await self._commit(works), time.perf_counter() - started)

    async def _wait(self, seconds: float | None) -> None:
        """Sleep until there is work, or for so many seconds."""
        self._wake.clear()
        if self._queue or self._stopping:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _take(self) -> list[Work]:
        """Whole messages from the queue's front, of frames or of all else, up to a group's size; one at least."""
        works: list[Work] = []
        size = 0
        of_frames = self._queue[0].frames is not None
        limit = MAX_FRAME_ORDERS if of_frames else MAX_GROUP
        while self._queue and (not works or size + self._queue[0].size <= limit):
            if (self._queue[0].frames is not None) is not of_frames:
                break
            work = self._queue.popleft()
            works.append(work)
            size += work.size
        self._pending -= size
        return works

    async def _commit_frames(self, works: list[Work]) -> None:
        """Commit a group of frames: answer who asked for it when they are durable, and all when they are applied."""

        def durable(acks: list[Ack | Refused]) -> None:
            position = 0
            for work in works:
                count = len(work.frames or ())
                if work.early:
                    work.connection.send(encode_frame(Journaled(work.id, acks[position : position + count])))
                position += count

        items = [frame for work in works for frame in work.frames or ()]
        result = await commit_frames(self._committer, items, durable, self._telling)
        self._publish(result.committed)
        position = 0
        for work in works:
            count = len(work.frames or ())
            work.connection.send(encode_frame(FrameOutcomes(work.id, result.outcomes[position : position + count])))
            position += count
        self._observe_frames(works, result)

    def _observe_frames(self, works: list[Work], result: FramesResult) -> None:
        accepted = sum(outcome.codes.count(0) for outcome in result.outcomes if isinstance(outcome, FrameAck))
        frames = [frame for work in works for frame in work.frames or ()]
        size = sum(1 if isinstance(frame, Refused) else frame[1].count for frame in frames)
        self._metrics.group_size.observe(size)
        self._count(accepted, size)

    async def _commit(self, works: list[Work]) -> Result:
        """Commit a group of commands and single orders; orders alone without objects, if they can be taken so."""
        if not any(work.items for work in works):
            payloads = [payload for work in works for payload in work.singles or ()]
            taken = await commit_singles(self._committer, payloads, self._telling) if payloads else None
            if taken is not None:
                return taken
        items = [item for work in works for item in (*work.items, *map(parse_item, work.singles or ()))]
        return await self._committer.commit(items)

    def _finish(self, works: list[Work], result: Result, seconds: float) -> None:
        """Publish what was committed and answer every frame and question of the group."""
        self._publish(result.committed)
        position = 0
        for work in works:
            if isinstance(work.question, Ask) and work.question.question is Question.receipt:
                self._tell_later(self._tell_receipt(work.connection, work.question))
                continue
            if work.question is not None:
                work.connection.send(self._answer(work.connection, work.question))
                continue
            outcomes = result.outcomes[position : position + work.size]
            position += work.size
            work.connection.send(_answer_to(work, outcomes))
        if works and result.outcomes:
            self._metrics.group_size.observe(len(result.outcomes))
            self._metrics.commit_seconds.observe(seconds)
        if works:
            self._count(sum(map(_is_accepted, result.outcomes)), len(result.outcomes))

    def _answer(self, connection: Connection, question: Ask | Subscribe | Follow) -> bytes:
        """The frame that answers a question; a client's mistake, or too much to tell, is refused."""
        engine, head = self._committer.engine, self._committer.journal.head
        try:
            if isinstance(question, Subscribe):
                frame = encode_frame(Answer(question.id, encode_body(views.books(engine, head))))
                connection.subscribed, connection.selective = True, question.selective
                return frame
            if isinstance(question, Follow):
                self._follow(connection, question)
                return encode_frame(Answer(question.id, encode_body(None)))
            full = self._committer.journal_full
            body = views.answer(
                question.question, question.subject, engine, head, self._pending, full, self._committer.now_ms()
            )
            return encode_frame(Answer(question.id, body))
        except Refusal as refusal:
            refused = Refused.of(refusal)
        except ProtocolError as error:
            refused = Refused.of(Refusal(ErrorCode.internal, f"the answer is too large: {error}"))
        return encode_frame(Answer(question.id, encode_body(None), refused))

    def _tell_later(self, telling: Coroutine[None, None, None]) -> None:
        """Answer beside the loop of commits."""
        task = asyncio.create_task(telling)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_receipt(self, connection: Connection, ask: Ask) -> None:
        """Answer with the ack of a durable record and its receipt."""
        notary, ack = self._committer.notary, None
        refused = Refused.of(Refusal(ErrorCode.not_found, "no message that this account signed stands there"))
        if notary is not None:
            try:
                async with self._finding:
                    seq, account = int.from_bytes(ask.subject[:8]), ask.subject[8:]
                    ack = await asyncio.to_thread(notary.again, seq, account)
            except JournalError as error:
                _log.error("receipt not found", error=str(error))
                refused = Refused.of(Refusal(ErrorCode.internal, "the journal cannot be read"))
        connection.send(encode_frame(Answer(ask.id, encode_body(ack), None if ack else refused)))

    @property
    def _telling(self) -> Telling:
        """What those who subscribed want to be told, together."""
        wanted = {connection.selective for connection in self._connections if connection.subscribed}
        return Telling.everything if False in wanted else Telling.followed if wanted else Telling.nothing

    def _follow(self, connection: Connection, change: Follow) -> None:
        """A connection follows other accounts from now on. Refusal for what is no address."""
        if any(len(address) != ADDRESS_SIZE for address in (*change.begin, *change.end)):
            raise Refusal(ErrorCode.malformed, f"an address has {ADDRESS_SIZE} bytes", "begin")
        if connection in self._connections:  # it may have gone away meanwhile
            self._following.begin(connection.follows, change.begin)
            self._following.end(connection.follows, change.end)

    def _publish(self, committed: list[Committed]) -> None:
        """Send the commands to every subscriber; they are encoded once for those who are told everything, and once for
        the others."""
        self._following.note(committed)
        subscribers = [connection for connection in self._connections if connection.subscribed and committed]
        for selective in {connection.selective for connection in subscribers}:
            told = _selected(committed, self._committer.engine.followed) if selective else committed
            for frame in _event_frames(told):
                for connection in subscribers:
                    if connection.selective is selective:
                        connection.send(frame)

    def _count(self, accepted: int, size: int) -> None:
        """What became of a group of that many commands or orders."""
        metrics = self._metrics
        metrics.commands.labels("acked").inc(accepted)
        metrics.commands.labels("refused").inc(size - accepted)
        metrics.sequence.set(self._committer.journal.seq)
        metrics.pending.set(self._pending)
        metrics.journal_full.set(self._committer.journal_full)


def _refuse_all(number: int, refused: Refused, count: int, packed: bool) -> bytes:
    """The frame that refuses commands, in the engine's own form or in that of order entry."""
    if packed:
        return encode_frame(OrdersPlaced(number, [packed_outcome(refused)] * count))
    return encode_frame(Outcomes(number, [refused] * count))


def _answer_to(work: Work, outcomes: Sequence[Outcome]) -> bytes:
    """The frame that answers commands, in the engine's own form or in that of order entry."""
    if work.singles is None:
        return encode_frame(Outcomes(work.id, [one for one in outcomes if not isinstance(one, bytes)]))
    packed = [one if isinstance(one, bytes) else packed_outcome(one) for one in outcomes]
    return encode_frame(OrdersPlaced(work.id, packed))


def _is_accepted(outcome: Outcome) -> bool:
    return outcome[0] == ACCEPTED if isinstance(outcome, bytes) else isinstance(outcome, Ack)


def _selected(committed: list[Committed], followed: Collection[int]) -> list[Committed]:
    """What who follows those accounts is told of a group."""
    selected = [done._replace(events=of_followed(done.events, followed)) for done in committed]
    return [done for done in selected if done.events or done is selected[-1]]


def _event_frames(committed: list[Committed]) -> list[bytes]:
    """The commands in as few frames as their bound allows."""
    frames: list[bytes] = []
    records: list[WireRecord] = []
    size = 0
    for done in committed:
        events = [EVENTS.encode(event) for event in done.events]
        length = sum(map(len, events))
        if records and size + length > _EVENT_FRAME_ROOM:
            frames.append(encode_frame(Group(records)))
            records, size = [], 0
        records.append(WireRecord(done.seq, done.at_ms, done.head, events))
        size += length
    frames.append(encode_frame(Group(records)))
    return frames


async def _listen(
    path: Path, handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]
) -> asyncio.AbstractServer:
    """Listen on `path`, which only this user may open; the journal's lock says that no other engine does."""
    _remove(path)
    previous = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(handle, str(path))  # type: ignore[arg-type]
    finally:
        os.umask(previous)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
