"""What a stranger sends instead of requests costs little, and ends; what stands in front of every request holds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from backend import http
from backend.http import HEAD_BYTES, HEAD_FIELDS, HttpProtocol
from backend.stream.protocol import StreamProtocol
from bizzan.supervisor.ports import free_port

HOST = "127.0.0.1"


async def _say(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _refuse(request: Request) -> Response:
    return PlainTextResponse("not read")


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive()


class AnnouncedServer(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server with this protocol."""
    routes = [
        Route("/", _say, methods=["GET", "POST"]),
        Route("/unread", _refuse, methods=["POST"]),
        WebSocketRoute("/stream", _stream),
    ]
    number = free_port()
    config = uvicorn.Config(
        Starlette(routes=routes),
        host=HOST,
        port=number,
        http=HttpProtocol,
        ws=StreamProtocol,
        lifespan="off",
        proxy_headers=False,
        timeout_keep_alive=60,
        log_config=None,
    )
    server = AnnouncedServer(config)
    serving = asyncio.create_task(server._serve())
    await server.up.wait()
    yield number
    server.should_exit = server.force_exit = True
    await serving


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, closed at the end."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def say(port: int, *parts: bytes, seconds: float = 60) -> bytes:
    """What comes back until the connection ends, or nothing more comes."""
    answer = b""
    async with connection(port) as (reader, writer):
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while data := await reader.read(65_536):
                    answer += data
                answer += b"<end>"
    return answer


async def test_requests_are_answered_one_after_another_on_one_connection(port: int) -> None:
    body = b"x" * (3 * HEAD_BYTES)
    post = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    answer = await say(port, post, body, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert answer.count(b"200 OK") == 2
    assert str(len(body)).encode() in answer


@pytest.mark.parametrize("beginning", [b"GET /", b"GET / HTTP/1.1\r\nhost: ", b"POST / HTTP/1.1\r\n"])
async def test_head_that_does_not_end_is_cut_off_by_its_bytes(port: int, beginning: bytes) -> None:
    answer = await say(port, beginning, *[b"a" * 16_384] * 64)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"malformed"' in answer
    assert answer.endswith(b"<end>")


async def test_trailers_that_do_not_end_are_cut_off(port: int) -> None:
    chunked = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    answer = await say(port, chunked, *[b"a" * 16_384] * 64)
    assert answer.startswith(b"HTTP/1.1 431 ")
    answer = await say(port, chunked, b"a: b\r\n" * (HEAD_FIELDS + 1))
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_head_of_too_many_fields_is_refused(port: int) -> None:
    last = b"connection: close\r\n\r\n"
    answer = await say(port, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEAD_FIELDS - 1) + last)
    assert answer.startswith(b"HTTP/1.1 200 ")
    answer = await say(port, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEAD_FIELDS + 1) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed"' in answer


async def test_what_is_no_http_is_refused_like_everything(port: int) -> None:
    answer = await say(port, b"\x16\x03\x01\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed"' in answer


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nhost: x", b"\r\n"],
    ids=["nothing", "half a head", "blank lines"],
)
async def test_connection_on_which_no_head_comes_in_time_is_cut_off(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.3)
    answer = await say(port, sent)
    assert answer in (b"", b"<end>")
    await turns()
    assert not HttpProtocol.open, "it is gone"


async def test_body_that_does_not_end_is_awaited_no_longer_than_a_head(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 1.0)
    async with connection(port) as (reader, writer):
        writer.write(b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        with suppress(ConnectionError):
            async with asyncio.timeout(60):
                while await reader.read(65_536):
                    pass
    await turns()
    assert not HttpProtocol.open


UPGRADE = b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
KEY = b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


async def test_stream_on_which_nothing_is_said_goes_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 1.0)
    async with connection(port) as (reader, writer):
        writer.write(UPGRADE + KEY)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await reader.read(1)


async def test_address_has_so_many_connections_and_a_stream_is_none_of_them(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CONNECTIONS_PER_ADDRESS", 1)
    ask = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with connection(port) as (streaming, stream):
        stream.write(UPGRADE + KEY)
        assert (await streaming.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        async with connection(port) as (reader, writer):
            writer.write(ask)
            await reader.readuntil(b"\r\n\r\n")
            answer = await say(port, ask)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b'"code":"too_many_requests"' in answer
        await turns()
        assert (await say(port, last)).startswith(b"HTTP/1.1 200 ")


async def turns() -> None:
    """Let the server hear of what was closed."""
    for _ in range(500):
        if not HttpProtocol.open:
            return
        await asyncio.sleep(0.01)
