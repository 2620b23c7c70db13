"""The edges of the API: every error in one shape, headers, pages, documents, metrics, limits."""

from __future__ import annotations

import httpx
import pytest

from tests.utils.api_stack import UNLIMITED, ApiStack, signed_body
from tests.utils.refusals import check_refused


async def test_errors_of_the_framework_have_our_shape(api: httpx.AsyncClient) -> None:
    check_refused(await api.get("/nowhere"), 404, "not_found")
    answer = await api.delete("/v1/markets")
    check_refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"
    check_refused(await api.get("/v1/markets/1/book", params={"depth": "many"}), 422, "malformed", "depth")
    check_refused(await api.post("/v1/auth/login", json={"message": "m"}), 422, "malformed", "signature")
    body = {"message": "m", "signature": "0x" + "11" * 65, "admin": True}
    check_refused(await api.post("/v1/auth/login", json=body), 422, "unknown_field", "admin")
    check_refused(await api.post("/v1/auth/login", content=b"{"), 422, "malformed")


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("/v1/orders?foo=1", "unknown_field", "foo"),
        ("/v1/markets?limit=1", "unknown_field", "limit"),
        ("/v1/markets/1/book?depth=5&Depth=6", "unknown_field", "Depth"),
        ("/v1/markets/1/book?depth=5&depth=6", "malformed", "depth"),
        ("/v1/account/guards?after=0x&afte=1", "unknown_field", "afte"),
    ],
)
async def test_a_typo_in_a_query_is_not_silent(api: httpx.AsyncClient, path: str, code: str, field: str) -> None:
    check_refused(await api.get(path), 422, code, field)


@pytest.mark.parametrize("path", ["/", "/status", "/healthz", "/readyz", "/v1/markets"])
async def test_head_is_answered_as_get_without_a_body(api: httpx.AsyncClient, path: str) -> None:
    head, full = await api.head(path), await api.get(path)
    assert (head.status_code, head.content) == (full.status_code, b"")
    assert head.headers["content-type"] == full.headers["content-type"]


@pytest.mark.parametrize("path", ["/", "/trade/BTC-USDC", "/status", "/docs", "/v1/markets", "/nowhere"])
async def test_every_answer_carries_security_headers(api: httpx.AsyncClient, path: str) -> None:
    headers = (await api.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/", "/status", "/docs"])
async def test_pages_need_nothing_from_elsewhere(api: httpx.AsyncClient, path: str) -> None:
    page = (await api.get(path)).text
    assert "http://" not in page
    assert "https://" not in page
    for name in ("status.css", "status.js", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js"):
        assert (await api.get(f"/pages/{name}")).status_code == 200


async def test_health_metrics_and_openapi_answer(api: httpx.AsyncClient) -> None:
    assert (await api.get("/healthz")).json() == {"status": "ok"}
    assert "bizzan_api_requests_total" in (await api.get("/metrics")).text
    document = (await api.get("/openapi.json")).json()
    assert "PlaceOrder" in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        if path.startswith("/v1"):
            for operation in methods.values():
                assert {"422", "429", "503"} <= operation["responses"].keys(), path


async def test_too_many_requests_of_an_address_say_when_to_come_back(stack: ApiStack) -> None:
    limits = {"REQUESTS_PER_SECOND": "1", "REQUESTS_BURST": "5"}
    url = stack.start_api("api-limited", {f"BIZZAN_API__LIMITS__{name}": value for name, value in limits.items()})
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            answers = [await client.get("/v1/markets") for _ in range(20)]
            refused = next(answer for answer in answers if answer.status_code != 200)
            error = check_refused(refused, 429, "too_many_requests")
            assert int(refused.headers["retry-after"]) == error["params"]["retry_after"] >= 1
            assert error["params"]["key"] == "address"
            assert (await client.get("/healthz")).status_code == 200
    finally:
        stack.kill("api-limited")


async def test_too_many_orders_of_an_account_do_not_stop_another(stack: ApiStack) -> None:
    limits = {"WRITES_PER_SECOND": "1", "WRITES_BURST": "3"}
    settings = UNLIMITED | {f"BIZZAN_API__LIMITS__{name}": value for name, value in limits.items()}
    url = stack.start_api("api-writes", settings)
    eager, other = await stack.trader(), await stack.trader()
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            answers = [await client.post("/v1/orders", json=signed_body(eager, price=500_000)) for _ in range(20)]
            refused = next(answer for answer in answers if answer.status_code != 200)
            assert check_refused(refused, 429, "too_many_requests")["params"]["key"] == "account"
            assert "retry-after" in refused.headers
            assert (await client.post("/v1/orders", json=signed_body(other, price=500_000))).status_code == 200
    finally:
        stack.kill("api-writes")


async def test_the_app_is_one_document_with_files_that_never_change(api: httpx.AsyncClient) -> None:
    page = await api.get("/trade/BTC-USDC")
    assert page.text == (await api.get("/")).text
    assert page.headers["cache-control"] == "no-cache"
    script = page.text.split('src="')[1].split('"')[0]
    packed = await api.get(script)
    assert "immutable" in packed.headers["cache-control"]
    assert packed.headers["content-encoding"] == "gzip"
    plain = await api.get(script, headers={"accept-encoding": "identity"})
    assert plain.content == packed.content
    for name in ("/assets/none.js", "/assets/..%2Findex.html", "/brand/.hidden"):
        check_refused(await api.get(name), 404, "not_found")


async def test_a_url_is_bounded(api: httpx.AsyncClient) -> None:
    for url in (f"/assets/{'a' * 5_000}", f"/v1/markets?{'a' * 5_000}=1"):
        check_refused(await api.get(url), 414, "malformed")
    check_refused(await api.get(f"/brand/{'a' * 300}"), 404, "not_found")


async def test_the_faucet_gives_every_token_once_mined(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/faucet", json={"address": "0x" + "ab" * 20})
    assert answer.status_code == 200, answer.text
    assert {gift["symbol"] for gift in answer.json()["gifts"]} == {"USDC", "ETH", "BTC"}
    check_refused(await api.post("/v1/faucet", json={"address": "0xab"}), 422, "malformed", "address")
