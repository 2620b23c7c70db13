"""The live stream: channels that prove that nothing was missed, and orders sent over the same connection.

Each message of a channel names the one before it (`prev_seq`). When one is missing, or the connection was lost, the
channel starts again with a fresh snapshot: whoever reads the stream sees a `snapshot` and takes it as the truth.

    async with Stream(client) as stream:
        await stream.subscribe("book.BTC-USDC", "account")
        async for message in stream: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bizzan.client import schemas
from bizzan.client.api import BizzanClient
from bizzan.client.brakes import Brake
from bizzan.client.errors import ApiError, ClientError, Unreachable
from bizzan.client.transport import ErrorBody
from bizzan.client.wallet import SignedOrder
from exchange.domain.order import Side

FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
WAITING_MESSAGES = 1_000
ANSWER_SECONDS = 15.0
ACCOUNT = "account"
ENVELOPE = ("type", "channel", "seq", "prev_seq")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a channel: `kind` is `snapshot`, or what changed; `content` as docs/api.md says."""

    kind: str
    channel: str
    seq: int
    content: dict[str, Any]


class Channels:
    """Which channels are listened to, and the last sequence seen of each."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self._seen: dict[str, int] = {}

    def forget(self) -> None:
        """The connection is new: every channel starts with a snapshot."""
        self._seen.clear()

    def accept(self, message: dict[str, Any]) -> bool | None:
        """True for a message to pass on, False to drop it, None when one is missing before it."""
        channel, seq = message["channel"], message["seq"]
        if message["type"] != "snapshot":
            if channel not in self._seen:
                return False
            if message["prev_seq"] != self._seen[channel]:
                del self._seen[channel]
                return None
        self._seen[channel] = seq
        return True


class Stream:
    """A connection that comes back by itself. Channel messages are read by iterating, by one reader."""

    def __init__(self, client: BizzanClient) -> None:
        self._client = client
        self._url = client.base_url.replace("http", "ws", 1) + "/v1/stream"
        self._channels = Channels()
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._messages: asyncio.Queue[Message] = asyncio.Queue(WAITING_MESSAGES)
        self._socket: ClientConnection | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay_connected())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            yield await self._messages.get()

    async def subscribe(self, *channels: str) -> None:
        """Listen to channels such as `book.BTC-USDC`, `trades.BTC-USDC`, `account` (after `client.login()`).

        Raises ApiError when the exchange refuses one; a lost connection is made up for.
        """
        new = [name for name in channels if name not in self._channels.wanted]
        self._channels.wanted += new
        try:
            await self._listen(new)
        except ApiError:
            self._channels.wanted = [name for name in self._channels.wanted if name not in new]
            raise
        except Unreachable:
            return  # the connection is being made again, with all wanted channels

    async def place(self, signed: SignedOrder, client_order_id: str = "") -> schemas.Ack:
        """Place an order; many may be under way at once. Raises ApiError, or Unreachable: then place it again."""
        await self._client.demand_bond()
        ack = await self._command("place", order=self._client.order_body(signed, client_order_id))
        return self._client.checked_order(ack, signed)

    async def amend(self, signed: SignedOrder, client_order_id: str = "") -> schemas.Ack:
        """Replace the open order on this order's nonce by it."""
        await self._client.demand_bond()
        ack = await self._command("amend", order=self._client.order_body(signed, client_order_id))
        return self._client.checked_order(ack, signed)

    async def place_group(
        self, first: SignedOrder, second: SignedOrder, *, client_order_ids: tuple[str, str] = ("", "")
    ) -> schemas.GroupAck:
        """Place both legs of a group, of which only one ever fills, or neither; see `BizzanClient.place_group`."""
        await self._client.demand_bond()
        answer = await self._ask("place_group", group=self._client.group_body(first, second, client_order_ids))
        return self._client.checked_group(msgspec.convert(answer["ack"], schemas.GroupAck), first, second)

    async def cancel(self, nonce: int) -> schemas.Ack:
        """Cancel the open order on `nonce`."""
        return await self._brake(self._client.brakes.cancel(self._client.exchange, nonce))

    async def mass_cancel(self, symbol: str | None = None, side: Side | None = None) -> schemas.Ack:
        """Cancel the open orders of one market or all, of one side or both, at once."""
        return await self._brake(self._client.brakes.mass_cancel(self._client.exchange, symbol, side))

    async def countdown(self, seconds: int) -> schemas.Ack:
        """All open orders end so many seconds from now, unless this is called again before; 0 ends the countdown."""
        return await self._brake(self._client.brakes.countdown(self._client.exchange, seconds))

    async def stop_trading(self, stopped: bool = True) -> schemas.Ack:
        """Have every order of this account refused and the open ones cancelled, or orders taken again."""
        return await self._brake(self._client.brakes.trading_stop(self._client.exchange, stopped))

    async def cancel_all(self, min_nonce: int | None = None) -> schemas.Ack:
        """Cancel every order below `min_nonce`, by default all that this client could have signed so far."""
        limit = self._client.limit_of_nonces(min_nonce)
        ack = await self._brake(self._client.brakes.cancel_all(self._client.exchange, limit))
        self._client.nonces.raise_to(limit)
        return ack

    async def _brake(self, brake: Brake) -> schemas.Ack:
        ack = await self._command(brake.op, **{brake.op: brake.body})
        return self._client.checked(ack, brake.subject)

    async def _command(self, op: str, **body: Any) -> schemas.Ack:
        answer = await self._ask(op, **body)
        return msgspec.convert(answer["ack"], schemas.Ack)

    async def _listen(self, channels: list[str]) -> None:
        if not channels:
            return
        if ACCOUNT in channels:
            await self._ask("login", token=self._client.transport.token or "")
        await self._ask("subscribe", channels=channels)

    async def _ask(self, op: str, **body: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        await asyncio.wait_for(self._connected.wait(), ANSWER_SECONDS)
        number = str(next(self._ids))
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            assert self._socket is not None  # dev: set before the event
            await self._socket.send(msgspec.json.encode({"op": op, "id": number, **body}).decode())
            answer = await asyncio.wait_for(future, ANSWER_SECONDS)
        except (WebSocketException, TimeoutError) as error:
            raise Unreachable(f"{op} over {self._url}: no answer") from error
        finally:
            self._waiting.pop(number, None)
        if answer["type"] == "error":
            raise _refusal(answer["error"])
        return answer

    async def _stay_connected(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with connect(self._url, max_size=None) as socket:
                    await self._serve(socket)
                    pause = FIRST_PAUSE_SECONDS
            except (WebSocketException, OSError, TimeoutError, ClientError):
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
            finally:
                self._disconnect()
            await asyncio.sleep(pause)

    async def _serve(self, socket: ClientConnection) -> None:
        """Read until the connection ends, while the wanted channels are asked for again."""
        self._socket = socket
        self._connected.set()
        self._channels.forget()
        reader = asyncio.create_task(self._read(socket))
        try:
            await self._listen_again(list(self._channels.wanted))
            await reader
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketException):
                await reader

    async def _listen_again(self, channels: list[str]) -> None:
        try:
            await self._listen(channels)
        except ApiError as error:
            if error.code != "unauthenticated":
                raise
            await self._client.login()  # the session is over
            await self._listen(channels)

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            message: dict[str, Any] = msgspec.json.decode(text)
            if "channel" in message:
                await self._take(socket, message)
            elif (future := self._waiting.get(message.get("id", ""))) is not None and not future.done():
                future.set_result(message)
            elif message["type"] == "error" and message["error"]["code"] == "unauthenticated":
                await socket.close()  # the session has ended: a new connection logs in again

    async def _take(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        """Pass a channel's message on, or start the channel again when one is missing."""
        accepted = self._channels.accept(message)
        name = message["channel"]
        if accepted:
            content = {
                key: value for key, value in message.items() if key not in ("type", "channel", "seq", "prev_seq")
            }
            await self._messages.put(Message(message["type"], name, message["seq"], content))
        elif accepted is None:
            for op in ("unsubscribe", "subscribe"):
                await socket.send(msgspec.json.encode({"op": op, "channels": [name]}).decode())

    def _disconnect(self) -> None:
        self._socket = None
        self._connected.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unreachable(f"the connection to {self._url} was lost before the answer"))


def _refusal(error: dict[str, Any]) -> ApiError:
    body = msgspec.convert(error, ErrorBody)
    retry_after = body.params.get("retry_after")
    return ApiError(
        0, body.code, body.message, body.field, body.params, retry_after if isinstance(retry_after, int) else None
    )
