"""The server's HTTP protocol, with bounds that uvicorn's own does not have.

The head of a request is bounded in bytes, in fields and in time, whatever its sender does between requests; so are
trailers, and whatever else of a request brings nothing on. An address has so many connections at most, so that nobody
takes all that the process may open. What is no HTTP is refused in the shape of every refusal, and fills no log.
"""

import asyncio
import logging
import resource
from collections import Counter
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from backend.addresses import counted_as, is_trusted
from backend.errors import RateLimited, error_bytes
from exchange.domain.errors import ErrorCode, Refusal

HEAD_BYTES = 32_768
"""Of a request before its body begins, or of whatever comes and is neither a head's end nor a body."""
HEAD_FIELDS = 100
HEAD_SECONDS = 10
LINGER_SECONDS = 2
"""So long what comes behind a refusal is thrown away: to close at once would take the refusal back."""
CONNECTIONS_PER_ADDRESS = 256
"""Of one worker; streams have a bound of their own."""

NO_HTTP = Refusal(ErrorCode.malformed, "this is no HTTP request that can be read: see /docs")
LONG_HEAD = Refusal(ErrorCode.malformed, f"what comes before a body has at most {HEAD_BYTES} bytes")


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools."""

    open: ClassVar[Counter[str]] = Counter()
    """Connections of this process by address."""

    _address = ""
    """What it is counted as; empty while it is not."""
    _unread = 0
    """Bytes since something was brought on."""
    _in_message = False
    _is_refused = False
    _is_stream = False
    _late: asyncio.TimerHandle | None = None

    # connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, or refuse it."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        if host and not (self.config.proxy_headers and is_trusted(host, tuple(self.config.forwarded_allow_ips or ()))):
            address = counted_as(host)
            if self.open[address] >= CONNECTIONS_PER_ADDRESS:
                self._refuse(b"429 Too Many Requests", RateLimited(1, "address"))
                return
            self.open[address] += 1
            self._address = address
        self._end_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """It becomes a stream, which is counted there, and lasts as long as it likes."""
        self._leave()
        self._is_stream = True
        super().handle_websocket_upgrade()

    def _leave(self) -> None:
        self._in_time()
        address, self._address = self._address, ""
        if address:
            self.open[address] -= 1
            if not self.open[address]:
                del self.open[address]

    # requests

    def data_received(self, data: bytes) -> None:
        """Take what comes, as long as it brings something on."""
        if self._is_refused:
            return
        self._unread += len(data)
        super().data_received(data)
        if self._is_refused or self._is_stream or self.parser is None or self.transport.is_closing():
            return
        if self._unread > HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large", LONG_HEAD)
        elif not self._in_message and self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._end_later()  # what came is the beginning of nothing

    def on_message_begin(self) -> None:
        """A request begins: its head has to come in time."""
        self._in_message = True
        super().on_message_begin()
        if self._late is None:
            self._end_later()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field, of a head or behind a body."""
        super().on_header(name, value)
        if len(self.headers) > HEAD_FIELDS:
            raise ValueError(f"a request has at most {HEAD_FIELDS} header fields")

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._unread = 0
        self._in_time()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body is."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is."""
        self._unread = 0
        self._in_message = False
        self._in_time()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered; what of it has not come is awaited no longer than a head."""
        super().on_response_complete()
        if self._in_message and not self.transport.is_closing():
            self._end_later()

    def _end_later(self, seconds: float | None = None) -> None:
        self._in_time()
        self._late = self.loop.call_later(HEAD_SECONDS if seconds is None else seconds, self.transport.abort)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    # refusals

    def send_400_response(self, msg: str) -> None:
        """Say that it is no HTTP."""
        self._refuse(b"400 Bad Request", NO_HTTP)

    def _unsupported_upgrade_warning(self) -> None:
        """What a client asks for fills no log."""

    def _refuse(self, status: bytes, refusal: Refusal) -> None:
        """Say why, and end it when that is read."""
        body = error_bytes(refusal)
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body))
        retry = b"retry-after: %d\r\n" % refusal.retry_after if isinstance(refusal, RateLimited) else b""
        self._is_refused = True
        self._end_later(LINGER_SECONDS)
        self.transport.write(head + retry + b"cache-control: no-store\r\nconnection: close\r\n\r\n" + body)
        self.transport.write_eof()


def _tells_of_us(record: logging.LogRecord) -> bool:
    """Whether a line of the server's tells of more than what somebody sent."""
    return record.msg != "Invalid HTTP request received."


def prepare() -> None:
    """Have this process open as many files as the system lets it, and not log what strangers send."""
    logging.getLogger("uvicorn.error").addFilter(_tells_of_us)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
