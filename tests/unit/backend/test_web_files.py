"""The files of the web app: a name that a stranger makes up costs nothing, and is asked of nothing but a list."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from starlette.requests import Request
from starlette.responses import Response

from backend.context import Api
from backend.middleware import SECURITY_HEADERS
from backend.web import endpoints
from exchange.domain.errors import ErrorCode, Refusal

ROOT = Path(__file__).parents[3]
REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})


@pytest.mark.parametrize("answer", [endpoints.asset, endpoints.brand_file])
def test_names_of_no_file_leave_nothing_in_memory(answer: Callable[[Request, str], Awaitable[Response]]) -> None:
    before = endpoints._packed.cache_info().currsize
    for name in (*(f"junk-{number}.js" for number in range(1_000)), "a" * 300, "..", "", "\0"):
        with pytest.raises(Refusal) as refused:
            asyncio.run(_answered(answer, name))
        assert refused.value.code is ErrorCode.not_found
    assert endpoints._packed.cache_info().currsize == before


async def _answered(answer: Callable[[Request, str], Awaitable[Response]], name: str) -> Response:
    return await answer(REQUEST, name)


def test_every_listed_file_is_served_and_packed_once() -> None:
    assert ("", "index.html") in endpoints._FILES
    assert any(folder == "assets" for folder, _ in endpoints._FILES)
    for folder, name in endpoints._FILES:
        assert endpoints._read(folder, name) is endpoints._read(folder, name)
    assert endpoints._packed.cache_info().currsize <= len(endpoints._FILES)


def _worker(chain_url: str | None) -> Response:
    return asyncio.run(endpoints.worker(cast(Api, SimpleNamespace(public_rpc_url=chain_url))))


def test_the_service_worker_holds_the_policy_that_the_document_is_answered_with() -> None:
    text = bytes(_worker("https://node.example/'`${x}").body).decode()
    assert "%POLICY%" not in text
    held = endpoints._in_script(endpoints.policy("https://node.example/'`${x}")).decode()
    assert held in text
    assert not set(held) & set("'`$\"")
    assert json.loads(f'"{held}"') == endpoints.policy("https://node.example/'`${x}")


def test_the_service_worker_answers_with_the_headers_that_the_api_answers_with() -> None:
    kept = (ROOT / "web/src/worker/kept.ts").read_text()
    for name, value in SECURITY_HEADERS.items():
        assert f'"{name}": "{value}"' in kept, name
    for folder, name in endpoints._FILES:
        kind = endpoints._found(folder, name).kind
        assert f': "{kind}' in kept, name


def test_the_service_worker_is_asked_for_anew_and_talks_to_its_own_origin_alone() -> None:
    answer = _worker("https://node.example/")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == "default-src 'none'; connect-src 'self'"
    assert answer.headers["content-type"].startswith("text/javascript")
    kept = bytes(answer.body).decode()
    for folder, name in endpoints._FILES:
        if folder:
            assert f"/{folder}/{name}" in kept, name
