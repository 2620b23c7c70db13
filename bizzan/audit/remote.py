"""An exchange's API as an auditor reads it: nothing that it answers is believed, or may be large or slow.

FetchError      the exchange did not give what was asked; the message says what, and what to do
└── TryAgain    it may give it the next time
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from bizzan.audit.findings import plain
from bizzan.client.login import login_message
from bizzan.client.schemas import LoginNonce, Session
from bizzan.client.transport import ErrorBody
from bizzan.client.wallet import Wallet
from exchange.settings import setting_name

T = TypeVar("T")

MAX_ANSWER_BYTES = 1 << 20
PATIENCE_SECONDS = 30.0
"""An answer may take so long, and besides as long as its bytes take at `SLOWEST`."""
SLOWEST = 16 << 10
PAUSES = (0.5, 2.0, 8.0)
MAX_PAUSE_SECONDS = 60
_SHOWN = 200


class FetchError(Exception):
    """The exchange did not give what was asked."""


class TryAgain(FetchError):
    """It may give it the next time, after so many seconds where it named some."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class Remote:
    """Requests to the API at `url`; with a wallet also what only auditors may read. An async context manager."""

    def __init__(self, url: str, wallet: Wallet | None = None) -> None:
        """FetchError when it is no address of an API."""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise FetchError(f"{url} is no address of an API: write it like https://exchange.example")
        self.url = url.rstrip("/")
        headers = {"accept-encoding": "identity"}  # a small answer could unpack to a huge one
        self._http = httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_SECONDS, headers=headers)
        self._wallet = wallet
        self._token = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, kind: type[T], path: str, **query: int) -> T:
        """A public answer, decoded. Raises FetchError."""
        return await patiently(lambda: self._decoded(kind, "GET", path, params=query))

    async def read(self, path: str, take: Callable[[bytes], None]) -> None:
        """Hand on the bytes of a public answer as they come; `take` bounds them. Raises FetchError, TryAgain."""
        await self._request(take, "GET", path)

    async def read_as_auditor(self, path: str, take: Callable[[bytes], None]) -> None:
        """As `read`, of what only auditors may read."""
        if not self._token:
            self._token = await self._login()
        headers = {"authorization": f"Bearer {self._token}"}
        await self._request(take, "GET", path, headers=headers)

    async def _login(self) -> str:
        """The token of a session, by the client's way of signing in."""
        if self._wallet is None:
            raise FetchError("only who signs in as an auditor may read the records")
        asked = await self._decoded(LoginNonce, "POST", "/v1/auth/nonce", json={})
        address = self._wallet.text_address
        message = login_message(self.url, address, asked.chain_id, asked.nonce, datetime.now(UTC))
        body = {"message": message, "signature": "0x" + self._wallet.sign_text(message).hex()}
        return (await self._decoded(Session, "POST", "/v1/auth/login", json=body)).token

    async def _decoded(self, kind: type[T], method: str, path: str, **options: Any) -> T:
        body = bytearray()
        await self._request(bounded(body, MAX_ANSWER_BYTES, path), method, path, **options)
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise FetchError(f"the answer to {path} is not one of this API: {_plain(str(error))}") from None

    async def _request(self, take: Callable[[bytes], None], method: str, path: str, **options: Any) -> None:
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE_SECONDS
        try:
            async with asyncio.timeout_at(until) as patience, self._http.stream(method, path, **options) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise await self._refusal(path, answer)
                async for chunk in answer.aiter_raw():
                    until += len(chunk) / SLOWEST
                    take(chunk)
                    patience.reschedule(until)
        except TimeoutError:
            raise TryAgain(f"{self.url}{path} answers too slowly: less than {SLOWEST:,} bytes a second") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TryAgain(f"{self.url}{path} does not answer: {_plain(str(error)) or type(error).__name__}") from None

    async def _refusal(self, path: str, answer: httpx.Response) -> FetchError:
        """What a status other than 200 means for who fetches."""
        body = bytearray()
        async for chunk in answer.aiter_raw():
            bounded(body, MAX_ANSWER_BYTES, path)(chunk)
        try:
            reason = _plain(msgspec.json.decode(body, type=ErrorBody).message)
        except (msgspec.MsgspecError, RecursionError):
            reason = "without a reason"
        text = f"{self.url}{path} answers {answer.status_code}: {reason}"
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._token:
            self._token = ""  # the session has ended: the next attempt signs in again
            return TryAgain(text)
        if answer.status_code == httpx.codes.FORBIDDEN and self._wallet is not None:
            key = setting_name("keys", "auditor")
            return FetchError(f"{text}; the key in {key} is {self._wallet.text_address}'s")
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.status_code >= 500:
            named = answer.headers.get("retry-after", "")
            return TryAgain(text, min(int(named), MAX_PAUSE_SECONDS) if named.isdecimal() and len(named) < 9 else None)
        return FetchError(text)


def bounded(body: bytearray, limit: int, path: str) -> Callable[[bytes], None]:
    """Gathers an answer of at most so many bytes."""

    def take(chunk: bytes) -> None:
        if len(body) + len(chunk) > limit:
            raise FetchError(f"the answer to {path} is larger than {limit:,} bytes: no honest one is")
        body.extend(chunk)

    return take


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do what may fail for a moment, a few times."""
    for pause in PAUSES:
        try:
            return await work()
        except TryAgain as again:
            await asyncio.sleep(again.seconds or pause)
    return await work()


def _plain(text: str) -> str:
    """What others wrote, fit for a terminal."""
    return plain(text[:_SHOWN])
