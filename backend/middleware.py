"""The gate in front of every request: rate limit, body limit, security headers, metrics, no stack ever."""

import asyncio
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.context import Api
from backend.errors import UrlTooLong, error_response, internal
from exchange.domain.errors import ErrorCode, Refusal

log = structlog.get_logger()

BODY_SECONDS = 10
URL_BYTES = 4_096
WRITES = ("/v1/orders", "/v1/withdrawals", "/v1/funding-transfers")
UNLIMITED = ("/healthz", "/readyz", "/metrics")

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}


class Gate:
    """ASGI middleware around the whole application; the stream passes through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens behind."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # answered as GET; the server leaves the body out
            scope = {**scope, "method": "GET"}
        started = perf_counter()
        answer = _Answer(send)
        api: Api | None = getattr(scope["app"].state, "api", None) if "app" in scope else None
        try:
            _limit(api, scope)
            _check_url(scope)
            body = await _read_body(api, scope, receive)
            await self._app(scope, body, answer)
        except Refusal as refusal:
            await error_response(refusal)(scope, receive, answer)
        except Exception:
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if answer.status:
                raise
            await error_response(internal())(scope, receive, answer)
        finally:
            _count(api, scope, answer.status, perf_counter() - started)


class _Answer:
    """Adds the security headers to an answer and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("content-security-policy", API_POLICY)
            headers.setdefault("cache-control", "no-store")
        await self._send(message)


def _limit(api: Api | None, scope: Scope) -> None:
    if api is None or scope["path"] in UNLIMITED:
        return
    address = scope["client"][0] if scope.get("client") else "unknown"
    writes = scope["method"] == "POST" and scope["path"].startswith(WRITES)
    (api.limits.address_writes if writes else api.limits.address).take(address)


def _check_url(scope: Scope) -> None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > URL_BYTES:
        raise UrlTooLong(URL_BYTES)


async def _read_body(api: Api | None, scope: Scope, receive: Receive) -> Receive:
    """The whole body, at most as large as the settings say, as a `receive` that replays it."""
    headers = Headers(scope=scope)
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return receive
    limit = api.settings.limits.body_bytes if api is not None else 65_536
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    break
                body += message.get("body", b"")
                if len(body) > limit:
                    raise _too_large(limit)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Refusal(ErrorCode.malformed, f"the body did not arrive within {BODY_SECONDS} s") from None
    return _Replay(bytes(body), receive)


class _Replay:
    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _too_large(limit: int) -> Refusal:
    return Refusal(ErrorCode.body_too_large, f"the body must have at most {limit} bytes", None, {"limit": limit})


def _count(api: Api | None, scope: Scope, status: int, seconds: float) -> None:
    if api is None:
        return
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if route != "unmatched" else "any"
    api.metrics.requests.labels(method, route, str(status)).inc()
    api.metrics.seconds.labels(method, route).observe(seconds)
