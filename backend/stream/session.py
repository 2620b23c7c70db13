"""One stream connection: reads requests, answers each by its id, and carries the channels it listens to.

Requests are read one after another and commands are pipelined: a command reaches the engine in the order
in which it came, and its answer leaves when it is durable. A client with too many open requests is not
read further until some are answered; one that does not read is cut off (close code 4008). Binary messages of order
entry's protocol go to order entry.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.frames import CloseCode

from backend.context import Api
from backend.deps import session_address, token_hash
from backend.errors import RateLimited, internal
from backend.orders import service as orders
from backend.orders.schemas import Ack, GroupAck
from backend.stream import schemas
from backend.stream.outbox import Outbox, SlowReader
from backend.stream.relay import FIRST_BYTE, Relay
from backend.stream.subscriptions import Subscriptions
from backend.wire import decode
from exchange.domain.errors import ErrorCode, Refusal

log = structlog.get_logger()

CLOSE_SLOW_READER = 4008
CLOSE_GOING_AWAY = 1001

_requests: msgspec.json.Decoder[schemas.Request] = msgspec.json.Decoder(schemas.Request)
_ids = msgspec.json.Decoder(schemas.OnlyId)
_encode = msgspec.json.Encoder().encode
_NESTED = ("order.", "group.", "cancel.", "cancel_all.", "mass_cancel.", "countdown.", "trading_stop.")


class Session:
    """Runs one accepted connection from `address` to its end."""

    def __init__(self, api: Api, websocket: WebSocket, address: str) -> None:
        self._api = api
        self._websocket = websocket
        self._ip = address
        self._account: bytes | None = None
        self._session: bytes | None = None
        limits = api.settings.limits
        self._outbox = Outbox(limits.queued_messages, limits.stalled_seconds)
        self._subscriptions = Subscriptions(api, self._outbox)
        self._tasks: set[asyncio.Task[None]] = set()
        self._relay = Relay(websocket, api.entry_socket, address, limits.stalled_seconds)

    async def run(self) -> None:
        """Read and write until either ends."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._outbox.drain(self._websocket))
        try:
            stalled = self._relay.stalled
            await asyncio.wait((reader, writer, stalled), return_when=asyncio.FIRST_COMPLETED)
            if any(one.done() and isinstance(one.exception(), SlowReader) for one in (reader, writer, stalled)):
                self._api.metrics.slow.inc()
                await self._close(CLOSE_SLOW_READER, "slow_reader: you do not read as fast as you subscribed")
        finally:
            self._subscriptions.leave_all()
            self._leave_session()
            await self._relay.close()
            for task in (reader, writer, *self._tasks):
                task.cancel()
            await asyncio.gather(reader, writer, *self._tasks, return_exceptions=True)

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(code, reason)

    async def _read(self) -> None:
        while True:
            await self._outbox.room()
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                if message.get("code") == CloseCode.INVALID_DATA:
                    self._api.metrics.not_text.inc()
                return
            text = message.get("text")
            if text is None and message["bytes"].startswith(FIRST_BYTE):
                await self._relay_message(message["bytes"])
                continue
            self._outbox.begin()
            await self._answer(text if text is not None else message["bytes"])

    async def _relay_message(self, data: bytes) -> None:
        """Hand a message of the binary protocol to order entry."""
        try:
            self._api.limits.address_writes.take(self._ip)
        except RateLimited as refusal:
            params: dict[str, str | int] = {"retry_after_ms": 1_000 * refusal.retry_after}
            await self._relay.refuse(data, Refusal(refusal.code, refusal.message, None, params))
        else:
            await self._relay.forward(data)

    async def _answer(self, text: str | bytes) -> None:
        """Answer one message; commands go on in the background."""
        try:
            request = decode(_requests, text)
        except Refusal as refusal:
            self._refuse(_id_of(text), refusal)
            return
        try:
            command = self._command(request)
            if command is None:
                self._api.limits.address.take(self._ip)
                await self._serve(request)
        except Refusal as refusal:
            self._refuse(request.id, refusal)
        except Exception:
            log.exception("stream_request_failed", op=type(request).__name__)
            self._refuse(request.id, internal())
        else:
            if command is not None:
                self._start(request.id, command)
            else:
                self._outbox.end(_encode(schemas.Done(id=request.id, op=_OPS[type(request)])))

    def _start(self, request_id: str, command: Coroutine[None, None, Ack | GroupAck]) -> None:
        task = asyncio.create_task(self._acknowledge(request_id, command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _command(self, request: schemas.Request) -> Coroutine[None, None, Ack | GroupAck] | None:
        if not isinstance(request, schemas.Command):
            return None
        self._api.limits.address_writes.take(self._ip)
        match request:
            case schemas.Place():
                return orders.place(self._api, request.order)
            case schemas.PlaceTwo():
                return orders.place_group(self._api, request.group)
            case schemas.Amend():
                return orders.amend(self._api, request.order)
            case schemas.Cancel():
                return orders.cancel(self._api, request.cancel)
            case schemas.CancelEverything():
                return orders.cancel_all(self._api, request.cancel_all)
            case schemas.CancelMany():
                return orders.mass_cancel(self._api, request.mass_cancel)
            case schemas.CancelLater():
                return orders.countdown(self._api, request.countdown)
            case schemas.Stop():
                return orders.trading_stop(self._api, request.trading_stop)

    async def _acknowledge(self, request_id: str, command: Awaitable[Ack | GroupAck]) -> None:
        try:
            ack = await command
        except Refusal as refusal:
            self._refuse(request_id, refusal)
        except Exception:
            log.exception("stream_command_failed")
            self._refuse(request_id, internal())
        else:
            self._outbox.end(_encode(schemas.AckMessage(id=request_id, ack=ack)))

    async def _serve(self, request: schemas.Request) -> None:
        match request:
            case schemas.Subscribe():
                await self._subscriptions.add(request.channels, self._account)
            case schemas.Unsubscribe():
                self._subscriptions.remove(request.channels)
            case schemas.Login():
                account = await session_address(self._api, request.token)
                self._leave_session()
                self._account, self._session = account, token_hash(request.token)
                self._api.logins.enter(self._session, self._end_session)

    def _leave_session(self) -> None:
        """Speak for nobody."""
        self._subscriptions.remove_account()
        if self._session is not None:
            self._api.logins.leave(self._session, self._end_session)
        self._account = self._session = None

    def _end_session(self) -> None:
        """The session has ended: say so, and say no more of its account."""
        self._leave_session()
        refusal = Refusal(ErrorCode.unauthenticated, "the session has ended: log in again", "account")
        self._outbox.push(_encode(schemas.ErrorMessage(id="", error=refusal.as_dict())))

    def _refuse(self, request_id: str, refusal: Refusal) -> None:
        error = refusal.as_dict()
        if refusal.field is not None:
            error["field"] = _short(refusal.field)
        self._outbox.end(_encode(schemas.ErrorMessage(id=request_id, error=error)))


_OPS: dict[type, str] = {
    schemas.Subscribe: "subscribe",
    schemas.Unsubscribe: "unsubscribe",
    schemas.Login: "login",
    schemas.Ping: "pong",
}


def _short(field: str) -> str:
    """A field's name as in REST, without the object that wraps it on the stream."""
    for prefix in _NESTED:
        if field.startswith(prefix):
            return field.removeprefix(prefix)
    return field


def _id_of(text: str | bytes) -> str:
    try:
        return _ids.decode(text).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
