"""Refusals over HTTP: one table from code to status, one body `{code, field, params, message}`.

A handler raises `Refusal` and nothing else; whatever else escapes is a defect, is logged with its
stack and reaches the client as `internal` without one. 422 means a malformed request only.

    Refusal              exchange.domain.errors
      RateLimited        too_many_requests, with the seconds after which to try again
"""

from collections.abc import Mapping

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from backend.wire import SHAPES
from exchange.domain.errors import ErrorCode, Refusal

log = structlog.get_logger()

RETRY_SECONDS = 1

_UNPROCESSABLE = (ErrorCode.malformed, ErrorCode.unknown_field)
_CONFLICT = (
    ErrorCode.nonce_used,
    ErrorCode.group_used,
    ErrorCode.nonce_too_low,
    ErrorCode.duplicate_client_order_id,
    ErrorCode.market_halted,
    ErrorCode.auction_call,
    ErrorCode.insufficient_balance,
    ErrorCode.account_blocked,
    ErrorCode.account_exiting,
    ErrorCode.trading_stopped,
    ErrorCode.account_frozen,
    ErrorCode.recipient_not_allowed,
    ErrorCode.order_closed,
    ErrorCode.too_many_open_orders,
    ErrorCode.too_much_open,
    ErrorCode.duplicate_withdrawal,
    ErrorCode.too_many_withdrawals,
    ErrorCode.too_many_announcements,
)
_NOT_FOUND = (
    ErrorCode.not_found,
    ErrorCode.unknown_market,
    ErrorCode.unknown_asset,
    ErrorCode.unknown_account,
    ErrorCode.unknown_order,
    ErrorCode.unknown_withdrawal,
    ErrorCode.unknown_batch,
    ErrorCode.unknown_trade,
)

STATUS: Mapping[ErrorCode, int] = {
    **dict.fromkeys(ErrorCode, 400),
    **dict.fromkeys(_UNPROCESSABLE, 422),
    **dict.fromkeys(_CONFLICT, 409),
    **dict.fromkeys(_NOT_FOUND, 404),
    ErrorCode.body_too_large: 413,
    ErrorCode.too_many_requests: 429,
    ErrorCode.too_many_subscriptions: 429,
    ErrorCode.unauthenticated: 401,
    ErrorCode.forbidden: 403,
    ErrorCode.method_not_allowed: 405,
    ErrorCode.unavailable: 503,
    ErrorCode.settlement_backlog: 503,
    ErrorCode.internal: 500,
}
"""HTTP status of every code; a rule that the request itself breaks is 400, a conflict with the state 409."""


class RateLimited(Refusal):
    """Too many requests; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int, key: str) -> None:
        super().__init__(
            ErrorCode.too_many_requests,
            f"too many requests for this {key}: try again in {retry_after} s",
            None,
            {"retry_after": retry_after, "key": key},
        )
        self.retry_after = retry_after


class UrlTooLong(Refusal):
    """A URL beyond what any endpoint needs."""

    def __init__(self, limit: int) -> None:
        super().__init__(ErrorCode.malformed, f"the URL must have at most {limit} bytes", None, {"limit": limit})


class ErrorBody(BaseModel):
    """Every error's body. `code` is stable; `params` holds what a sentence in another language needs."""

    code: ErrorCode = Field(examples=["price_off_tick"])
    field: str | None = Field(examples=["price"])
    params: dict[str, str | int] = Field(examples=[{"tick_size": "10"}])
    message: str = Field(examples=["price must be a multiple of 10"])


def error_bytes(refusal: Refusal) -> bytes:
    """The body of a refusal, as JSON."""
    return msgspec.json.encode(refusal.as_dict())


def internal() -> Refusal:
    """The refusal of a request that met a defect; the log has the stack."""
    return Refusal(ErrorCode.internal, "something went wrong on our side; it has been recorded")


def error_response(refusal: Refusal) -> Response:
    """The HTTP answer to a refusal."""
    headers: dict[str, str] = {}
    status = 414 if isinstance(refusal, UrlTooLong) else STATUS[refusal.code]
    if isinstance(refusal, RateLimited):
        headers["retry-after"] = str(refusal.retry_after)
    elif status == 503:
        headers["retry-after"] = str(RETRY_SECONDS)
    elif status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(error_bytes(refusal), status, headers, "application/json")


def responses(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The error answers of an endpoint, for the OpenAPI document; 414, 422, 429 and 503 are always possible."""
    texts = {
        400: "The request breaks a rule of the exchange; `code` says which",
        401: "No valid session",
        403: "Not for this account",
        404: "There is no such thing",
        409: "The request conflicts with the present state",
        413: "The body is too large",
        414: "The URL is too long",
        422: "The request is malformed",
        429: "Too many requests: see Retry-After",
        503: "A part is away or behind: try again after Retry-After",
    }
    return {s: {"model": ErrorBody, "description": texts[s]} for s in sorted({*statuses, 414, 422, 429, 503})}


def install(app: FastAPI) -> None:
    """Make every error of the application, its framework and its defects answer in one shape."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error_response(error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    """The first thing wrong that pydantic found; `field` is its path without the place it came from."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or None
    if first["type"] == "extra_forbidden":
        return error_response(Refusal(ErrorCode.unknown_field, f"there is no field {field}", field))
    shape = SHAPES.get(first.get("ctx", {}).get("pattern", ""))
    if shape and field:
        return error_response(Refusal(ErrorCode.malformed, f"{field} must be {shape}", field))
    where = f"{field}: " if field and first["type"] != "json_invalid" else ""
    field = None if first["type"] == "json_invalid" else field
    return error_response(Refusal(ErrorCode.malformed, f"{where}{first['msg']}", field))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        return error_response(Refusal(ErrorCode.not_found, f"there is no {path}: see /docs", None))
    if error.status_code == 405:
        answer = error_response(
            Refusal(ErrorCode.method_not_allowed, f"{path} does not take {request.method}: see /docs", None)
        )
        answer.headers.update(error.headers or {})
        return answer
    return error_response(Refusal(ErrorCode.malformed, str(error.detail), None))
