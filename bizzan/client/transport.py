"""One HTTP connection pool to the exchange: sends, decodes to types, turns refusals into `ApiError`.

A request that got no answer is sent again a few times. That is safe for every request of this API: reads change
nothing, and what is signed carries a nonce that counts once.
"""

import asyncio
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from bizzan.client.errors import ApiError, Unreachable

T = TypeVar("T")

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.2
TIMEOUT_SECONDS = 15.0


class ErrorBody(msgspec.Struct):
    """A refusal as the API sends it."""

    code: str
    message: str
    field: str | None = None
    params: dict[str, str | int] = {}


class Transport:
    """Requests to one base address; `token` is sent as bearer once it is set."""

    def __init__(self, base_url: str, *, attempts: int = ATTEMPTS) -> None:
        self.token: str | None = None
        self._attempts = attempts
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, answer: type[T], path: str, **query: Any) -> T:
        """GET, with the query's empty values left out."""
        params = {name: str(value) for name, value in query.items() if value is not None}
        return await self.request(answer, "GET", path, params=params)

    async def post(self, answer: type[T], path: str, body: dict[str, Any]) -> T:
        """POST a JSON body."""
        return await self.request(answer, "POST", path, json=body)

    async def request(self, answer: type[T], method: str, path: str, **options: Any) -> T:
        """Send, and decode the body to `answer`. Raises ApiError, or Unreachable after the last attempt."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        for attempt in range(self._attempts):
            try:
                response = await self._http.request(method, path, headers=headers, **options)
                break
            except httpx.TransportError as error:
                if attempt + 1 == self._attempts:
                    reason = str(error) or type(error).__name__
                    raise Unreachable(f"{method} {self._http.base_url}{path}: {reason}") from error
                await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        if response.status_code >= 400:
            raise _refusal(response)
        try:
            # Amounts travel as decimal strings; `strict=False` reads them into integers.
            return msgspec.json.decode(response.content, type=answer, strict=False)
        except msgspec.MsgspecError as error:
            raise Unreachable(f"{method} {path} answered what this client cannot read: {error}") from error


def _refusal(response: httpx.Response) -> Exception:
    try:
        body = msgspec.json.decode(response.content, type=ErrorBody)
    except msgspec.MsgspecError:
        return Unreachable(f"{response.request.url} answered {response.status_code} without a reason")
    retry_after = response.headers.get("retry-after", "")
    seconds = float(retry_after) if retry_after.isdigit() else None
    return ApiError(response.status_code, body.code, body.message, body.field, body.params, seconds)
