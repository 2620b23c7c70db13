"""Checking that a request was refused, for the right reason and in the one shape that errors have."""

from __future__ import annotations

from typing import Any

import httpx


def check_refused(answer: httpx.Response, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    """The error, after checking status, code, field and shape."""
    assert answer.headers["content-type"] == "application/json", answer.text
    error: dict[str, Any] = answer.json()
    assert set(error) == {"code", "field", "params", "message"}, error
    assert (answer.status_code, error["code"], error["field"]) == (status, code, field), error
    assert error["message"]
    return error
