"""A client's messages: taken one after another, worked off in the order in which they came.

Messages with orders are judged at once, side by side, and stand in a line until the engine gets them in the order in
which they came. A message that is malformed is refused with what is wrong.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

import structlog

from backend.entry.brakes import Brakes
from backend.entry.client import Client, End, Step, retry_of
from backend.entry.court import JudgesLost
from backend.entry.exchange import Exchange
from backend.entry.frames import Frames
from backend.entry.opening import Opening
from backend.entry.single_orders import SingleOrders
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode, Refusal

YIELD_EVERY = 64
"""So many messages of one connection are worked off before the others have their turn."""
MAX_UNOPENED = 16
"""Messages before there is a session; one needs two."""
MAX_MALFORMED = 64
"""Malformed messages beyond those that were taken."""
PING_SIZE = 8

_log = structlog.get_logger("entry")


class Desk:
    """One client's. `send` and `end` are its connection's.

    `worked_off` is told a message's size when it is done, `opened` how many seconds a session lasts that was opened.
    """

    def __init__(
        self,
        exchange: Exchange,
        send: Callable[[bytes], None],
        end: End,
        worked_off: Callable[[int], None],
        opened: Callable[[int], None],
    ) -> None:
        self.client = client = Client(exchange, send, self._end)
        self._tell_end = end
        self._worked_off = worked_off
        self._opening = Opening(client, opened)
        self._frames, self._orders, self._brakes = Frames(client), SingleOrders(client), Brakes(client)
        self._unopened = 0
        self._malformed = 0
        self._queue: deque[tuple[int, bytes, float]] = deque()
        self._line: deque[tuple[Step, int]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._placing: asyncio.Task[None] | None = None

    def leave(self) -> None:
        """The client is gone; what came whole is placed all the same."""
        self.client.leave()

    def take(self, kind: int, body: bytes) -> None:
        """A whole message."""
        if self.client.is_ended:
            return
        self._queue.append((kind, body, perf_counter()))
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        """Take the queue's messages until there are none; after some of them the other connections have their turn."""
        taken = 0
        try:
            while self._queue:
                kind, body, since = self._queue.popleft()
                step = await self._take(kind, body, since)
                if step is None:
                    self._worked_off(len(body))
                else:
                    self._stand_in_line(step, len(body))
                taken += 1
                if not taken % YIELD_EVERY:
                    await asyncio.sleep(0)
        except JudgesLost:
            self.client.exchange.break_off()
        except Exception:
            self._fail()
        finally:
            self._reading = None

    async def _take(self, kind: int, body: bytes, since: float) -> Step | None:
        """Do what a message asks for, or say why not; who brings nothing but refused ones is sent away."""
        if self.client.session is None:
            self._unopened += 1
            if self._unopened > MAX_UNOPENED:
                self._end(ErrorCode.too_many_requests, f"{MAX_UNOPENED} messages and no session: connect again")
                return None
        try:
            step = await self._handle(kind, body, since)
        except wire.ProtocolError as error:
            self.client.refuse(wire.number_in(kind, body), ErrorCode.malformed, str(error))
            self._malformed += 1
            if self._malformed > MAX_MALFORMED:
                self._end(ErrorCode.malformed, f"{MAX_MALFORMED} messages were malformed: this ends")
            return None
        except Refusal as refusal:
            self.client.refuse(wire.number_in(kind, body), refusal.code, refusal.message, retry_of(refusal))
            return None
        self._malformed = max(0, self._malformed - 1)
        return step

    def _end(self, code: ErrorCode, text: str) -> None:
        """End the connection. What is in line is placed all the same, what was not looked at is not."""
        self.client.is_ended = True
        self._queue.clear()
        self._tell_end(code, text)

    def _stand_in_line(self, step: Step, size: int) -> None:
        self._line.append((step, size))
        if self._placing is None:
            self._placing = asyncio.get_running_loop().create_task(self._place_in_order())

    async def _place_in_order(self) -> None:
        """Work off the line: each message when it is judged, and after those before it."""
        try:
            while self._line:
                step, size = self._line.popleft()
                await self._work_off(step)
                self._worked_off(size)
        finally:
            self._placing = None

    async def _work_off(self, step: Step) -> None:
        """Do what remains; what fails gives back what it holds, and those behind it have their turn all the same."""
        try:
            await step.work()
        except JudgesLost:
            step.give_back()
            self.client.exchange.break_off()
        except Exception:
            step.give_back()
            self._fail()

    def _fail(self) -> None:
        _log.exception("message failed", address=self.client.address)
        self._end(ErrorCode.internal, "this message could not be worked off: what it held may have been placed")

    async def _handle(self, kind: int, body: bytes, since: float) -> Step | None:
        """What a message asks for; of one with orders, what remains to be done when it is judged."""
        if kind == wire.Kind.frame:
            return await self._frames.judge(body, since)
        if kind == wire.Kind.orders:
            return await self._orders.judge(body, since)
        if wire.is_brake(kind):
            return await self._brakes.judge(kind, body, since)
        if kind == wire.Kind.ping:
            if len(body) != PING_SIZE:
                raise wire.ProtocolError(f"ping has {PING_SIZE} bytes, here are {len(body)}")
            self.client.send(wire.message(wire.Kind.pong, body))
        elif kind == wire.Kind.hello:
            self._opening.hello(body)
        elif kind == wire.Kind.open:
            await self._opening.open(body)
        else:
            raise wire.ProtocolError(f"no message of kind {kind}: 1 to 10 are taken")
        return None
