"""Connections of order entry: bytes in, whole messages to the desk, answers out, each bounded.

A message whose length cannot be believed ends the connection, because nothing after it can be. Who does not read is not
read from, and is cut off before its answers fill the memory. Where a trusted proxy connects, it says first for whom.
"""

import asyncio
import socket
from typing import cast

import structlog

from backend.addresses import counted_as, is_trusted
from backend.entry.desk import Desk
from backend.entry.exchange import Exchange
from backend.entry.proxied import ProxyError, read_header
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import number_of

MAX_UNREAD = 4 << 20
MAX_QUEUED = 1 << 20
MIN_WEIGHT = 256
"""Bytes that a message counts as at least, in what waits to be worked off: small ones are work too."""
CLOSE_SECONDS = 5
"""Who has not read its last answers by then is cut off."""
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds, and how often; not every system has them."""
_HEAD = wire.LENGTH.size

_log = structlog.get_logger("entry")


class Connection(asyncio.Protocol):
    """One client. `is_local`: the other end is a process of ours, which says for whom it speaks."""

    def __init__(self, exchange: Exchange, is_local: bool = False) -> None:
        self._exchange = exchange
        self._transport: asyncio.Transport | None = None
        self._address = ""
        self._is_announced = is_local
        """Whether a header of the PROXY protocol comes first."""
        self._counted = False
        self._buffer = bytearray()
        self._queued = 0
        self._is_deaf = False
        self._is_paused = False
        self._late: asyncio.TimerHandle | None = None
        """What ends it: without a session, at the session's end, or when it does not close."""
        self.desk = Desk(exchange, self.send, self._end, self._worked_off, self._opened)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, or end it."""
        self._transport = cast(asyncio.Transport, transport)
        peer = self._transport.get_extra_info("peername") or ("",)
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._is_announced = self._is_announced or is_trusted(self._address, self._exchange.settings.proxies)
        keep_alive(self._transport.get_extra_info("socket"))
        self._exchange.connections.add(self)
        self._end_later(self._exchange.settings.opening_seconds, "no session was opened in time")
        if not self._is_announced:
            self._come_in()

    def _come_in(self) -> None:
        self._address = self.desk.client.address = counted_as(self._address)
        self._counted = self._exchange.door.connect(self._address)
        if self._counted:
            self._exchange.metrics.connections.inc()
        else:
            self._end(ErrorCode.too_many_requests, "too many connections, from this address or in all", 1_000)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._transport = None
        if self._late is not None:
            self._late.cancel()
        self._exchange.connections.discard(self)
        if self._counted:
            self._exchange.door.disconnect(self._address)
            self._exchange.metrics.connections.dec()
        self.desk.leave()

    def pause_writing(self) -> None:
        """It does not read: nothing more is taken from it."""
        self._is_deaf = True
        self._steer()

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_deaf = False
        self._steer()

    def _steer(self) -> None:
        """Read from it unless it does not read, or has sent more than is worked off."""
        transport, pause = self._transport, self._is_deaf or self._queued > MAX_QUEUED
        if transport is None or transport.is_closing() or pause is self._is_paused:
            return
        self._is_paused = pause
        if pause:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Whole messages are taken, in order."""
        if self._transport is None or self._transport.is_closing():
            return
        self._buffer += data
        if self._is_announced and not self._read_header():
            return
        self._take_messages()

    def _take_messages(self) -> None:
        """Those that came whole, as far as there is room for them; the others when there is."""
        buffer, at = self._buffer, 0
        while len(buffer) - at >= _HEAD and self._queued <= MAX_QUEUED:
            size = int.from_bytes(buffer[at : at + _HEAD])
            if not 0 < size <= wire.MAX_MESSAGE:
                limit = wire.MAX_MESSAGE
                text = f"a message has 1 to {limit} bytes, not {size}: nothing after it can be read, so this ends"
                buffer.clear()
                self._end(ErrorCode.body_too_large if size else ErrorCode.malformed, text)
                return
            if len(buffer) - at < _HEAD + size:
                break
            self._queued += max(MIN_WEIGHT, size)
            self.desk.take(buffer[at + _HEAD], bytes(buffer[at + _HEAD + 1 : at + _HEAD + size]))
            at += _HEAD + size
        del buffer[:at]
        self._steer()

    def _read_header(self) -> bool:
        """Whether the proxy has said whose connection this is, which then counts."""
        try:
            header = read_header(bytes(self._buffer[:4_096]))
        except ProxyError as error:
            self._end(ErrorCode.malformed, str(error))
            return False
        if header is None:
            return False
        del self._buffer[: header.size]
        self._is_announced = False
        self._address = header.address or self._address
        self._come_in()
        return self._counted

    def _worked_off(self, size: int) -> None:
        """A message's body of so many bytes is worked off."""
        self._queued -= max(MIN_WEIGHT, 1 + size)
        if self._buffer and not self._is_announced:
            self._take_messages()
        else:
            self._steer()

    def close(self) -> None:
        """End it: when what was sent is read, or after some seconds."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.close()
        if self._late is not None:
            self._late.cancel()
        self._late = asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)

    # answers

    def send(self, data: bytes) -> None:
        """Send, or cut off who has left too much unread."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNREAD:
            _log.warning("slow reader", address=self._address)
            self._exchange.metrics.dropped.labels("slow").inc()
            transport.abort()
            return
        transport.write(data)

    def _end(self, code: ErrorCode, text: str, retry_ms: int = 0) -> None:
        """End it, and say why unless that was said."""
        if text:
            self.send(wire.pack_refused(0, number_of(code), retry_ms, text))
        self._exchange.metrics.dropped.labels(code.value).inc()
        self.close()

    def _opened(self, seconds: int) -> None:
        """A session was opened that lasts so long."""
        self._end_later(seconds, "the session has ended: connect again")

    def _end_later(self, seconds: int, text: str) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._late is not None:
            self._late.cancel()
        self._late = asyncio.get_running_loop().call_later(seconds, self._end, ErrorCode.unauthenticated, text)


def keep_alive(connection: socket.socket | None) -> None:
    """Have the system ask a silent client now and then whether it is there; one without an answer is lost."""
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
