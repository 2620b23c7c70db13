"""The connection to the engine: what one turn of the loop brings leaves in one message, answers find their senders."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import cast

from exchange.domain.errors import ErrorCode
from exchange.sequencer.packing import packed_outcome
from exchange.sequencer.protocol import (
    LENGTH_SIZE,
    MAX_ANSWER,
    Ack,
    FrameAck,
    FrameOutcomes,
    Frames,
    Journaled,
    OrdersPlaced,
    Outcomes,
    PlaceOrders,
    Refused,
    Submit,
    decode_from_engine,
    encode_frame,
)

FRAMES_PER_MESSAGE = 16
RETRY_MS = 250
_TEXT = "the engine does not answer; what is lost may be placed"
_AWAY = Refused(ErrorCode.unavailable.value, _TEXT, None, {"retry_after_ms": RETRY_MS})
_AWAY_PACKED = packed_outcome(_AWAY)


@dataclass(slots=True)
class FrameCall:
    """A frame under way: what is told when it is durable (only with `early`), and when it is applied."""

    payload: bytes
    orders: int
    early: bool
    on_journaled: Callable[[Ack | Refused], None]
    on_outcome: Callable[[FrameAck | Refused], None]


@dataclass(slots=True)
class OrdersCall:
    """Single orders under way."""

    payloads: list[bytes]
    on_outcomes: Callable[[list[bytes]], None]


@dataclass(slots=True)
class CommandCall:
    """A command by itself under way."""

    payload: bytes
    on_outcome: Callable[[Ack | Refused], None]


class EngineLink(asyncio.Protocol):
    """One connection that comes back by itself. `pending` counts the orders that the engine has not answered."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._last_id = 0
        self._waiting: dict[int, list[FrameCall] | OrdersCall | CommandCall] = {}
        self._frames: list[FrameCall] = []
        self._flush_planned = False
        self.pending = 0

    @property
    def connected(self) -> bool:
        """Whether the engine can be reached."""
        return self._transport is not None

    async def keep(self) -> None:
        """Stay connected, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            if self._transport is None:
                with contextlib.suppress(OSError):
                    await loop.create_unix_connection(lambda: self, self._path)
            await asyncio.sleep(0.05)

    def place_frame(self, call: FrameCall) -> None:
        """Send a frame with the others of this turn, before whatever else is sent after it."""
        if self._transport is None:
            self._lose([call])
            return
        self.pending += call.orders
        self._frames.append(call)
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush_planned_frames)

    def place_orders(self, call: OrdersCall) -> None:
        """Send single orders."""
        if self._transport is None:
            call.on_outcomes([_AWAY_PACKED] * len(call.payloads))
            return
        self._flush()
        self.pending += len(call.payloads)
        self._last_id += 1
        self._waiting[self._last_id] = call
        self._transport.write(encode_frame(PlaceOrders(self._last_id, call.payloads)))

    def give(self, call: CommandCall) -> None:
        """Send a command."""
        if self._transport is None:
            call.on_outcome(_AWAY)
            return
        self._flush()
        self._last_id += 1
        self._waiting[self._last_id] = call
        self._transport.write(encode_frame(Submit(self._last_id, [call.payload])))

    def _flush_planned_frames(self) -> None:
        self._flush_planned = False
        self._flush()

    def _flush(self) -> None:
        """Send the frames that wait, in the order in which they came."""
        calls, self._frames = self._frames, []
        for early, run in groupby(calls, _is_early):
            chosen = list(run)
            for at in range(0, len(chosen), FRAMES_PER_MESSAGE):
                self._send(chosen[at : at + FRAMES_PER_MESSAGE], early)

    def _send(self, calls: list[FrameCall], early: bool) -> None:
        if self._transport is None:
            self.pending -= sum(call.orders for call in calls)
            self._lose(calls)
            return
        self._last_id += 1
        self._waiting[self._last_id] = calls
        self._transport.write(encode_frame(Frames(self._last_id, early, [call.payload for call in calls])))

    def _lose(self, calls: list[FrameCall]) -> None:
        for call in calls:
            call.on_outcome(_AWAY)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._buffer.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine went away: nobody can say what became of what is under way."""
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        planned, self._frames, self.pending = self._frames, [], 0
        self._lose(planned)
        for call in waiting.values():
            if isinstance(call, list):
                self._lose(call)
            elif isinstance(call, CommandCall):
                call.on_outcome(_AWAY)
            else:
                call.on_outcomes([_AWAY_PACKED] * len(call.payloads))

    def data_received(self, data: bytes) -> None:
        """Answers."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= LENGTH_SIZE:
            size = int.from_bytes(self._buffer[at : at + LENGTH_SIZE])
            if size > MAX_ANSWER and self._transport is not None:
                self._transport.abort()
                return
            if len(self._buffer) - at < LENGTH_SIZE + size:
                break
            body = bytes(self._buffer[at + LENGTH_SIZE : at + LENGTH_SIZE + size])
            at += LENGTH_SIZE + size
            self._dispatch(body)
        del self._buffer[:at]

    def _dispatch(self, body: bytes) -> None:
        answer = decode_from_engine(body)
        if isinstance(answer, Journaled):
            calls = self._waiting[answer.id]
            assert isinstance(calls, list)
            for call, ack in zip(calls, answer.acks, strict=True):
                call.on_journaled(ack)
        elif isinstance(answer, FrameOutcomes):
            calls = self._waiting.pop(answer.id)
            assert isinstance(calls, list)
            for call, outcome in zip(calls, answer.outcomes, strict=True):
                self.pending -= call.orders
                call.on_outcome(outcome)
        elif isinstance(answer, OrdersPlaced):
            orders = self._waiting.pop(answer.id)
            assert isinstance(orders, OrdersCall)
            self.pending -= len(orders.payloads)
            orders.on_outcomes(answer.outcomes)
        elif isinstance(answer, Outcomes):
            command = self._waiting.pop(answer.id)
            assert isinstance(command, CommandCall)
            command.on_outcome(answer.outcomes[0])


def _is_early(call: FrameCall) -> bool:
    return call.early
