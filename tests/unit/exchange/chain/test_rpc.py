"""The JSON-RPC client, against a real HTTP server that misbehaves as nodes do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bizzan.supervisor.ports import free_port
from exchange.chain.rpc import (
    ExecutionReverted,
    InvalidAnswer,
    NodeUnavailable,
    RangeTooLarge,
    Rpc,
    RpcRefused,
)

Answer = Callable[[Any], web.StreamResponse]


class Node:
    """A server that answers each request with the next of its answers."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[Any] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        return self.answers.pop(0)(self.requests[-1])


def result(value: object) -> Answer:
    return lambda request: web.json_response({"jsonrpc": "2.0", "id": request["id"], "result": value})


def error(code: int, message: str, data: object = None) -> Answer:
    body = {"code": code, "message": message, "data": data}
    return lambda request: web.json_response({"jsonrpc": "2.0", "id": request["id"], "error": body})


def status(code: int) -> Answer:
    return lambda request: web.Response(status=code)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    app = web.Application()
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]] = node.handle
    app.router.add_post("/key", handler)
    async with TestServer(app) as server, Rpc(str(server.make_url("/key")), pause_seconds=0) as client:
        yield client


async def test_call_returns_the_result(rpc: Rpc, node: Node) -> None:
    node.answers = [result("0x7a69")]
    assert await rpc.chain_id() == 31_337
    assert node.requests[0]["method"] == "eth_chainId"


async def test_read_is_tried_again_while_the_node_is_busy(rpc: Rpc, node: Node) -> None:
    node.answers = [status(503), status(429), result("0x10")]
    assert await rpc.block_number() == 16


async def test_read_gives_up_after_its_tries(rpc: Rpc, node: Node) -> None:
    node.answers = [status(503)] * 4
    with pytest.raises(NodeUnavailable, match="HTTP 503"):
        await rpc.block_number()
    assert node.answers == []


async def test_transaction_is_sent_once(rpc: Rpc, node: Node) -> None:
    node.answers = [status(503), result("0x" + "11" * 32)]
    with pytest.raises(NodeUnavailable):
        await rpc.send_raw_transaction(b"\x02")
    assert len(node.requests) == 1


async def test_batch_puts_answers_in_the_order_of_its_calls(rpc: Rpc, node: Node) -> None:
    node.answers = [
        lambda calls: web.json_response(
            [{"jsonrpc": "2.0", "id": call["id"], "result": call["params"][0]} for call in reversed(calls)]
        )
    ]
    assert await rpc.batch([("eth_getBalance", (str(number),)) for number in range(5)], str) == list("01234")


async def test_batch_with_a_missing_answer_is_invalid(rpc: Rpc, node: Node) -> None:
    node.answers = [lambda calls: web.json_response([{"jsonrpc": "2.0", "id": calls[0]["id"], "result": "0x1"}])]
    with pytest.raises(InvalidAnswer, match="1 of 2"):
        await rpc.batch([("eth_getBalance", ("a",)), ("eth_getBalance", ("b",))], str)


async def test_refusal_carries_code_and_message(rpc: Rpc, node: Node) -> None:
    node.answers = [error(-32_601, "Method not found")]
    with pytest.raises(RpcRefused, match="Method not found") as caught:
        await rpc.call("eth_nothing")
    assert caught.value.code == -32_601


@pytest.mark.parametrize(
    "answer",
    [
        error(-32_005, "anything"),
        error(-32_602, "query returned more than 10000 results"),
        error(-32_000, "block range is too wide"),
    ],
)
async def test_too_many_logs_are_told_apart(rpc: Rpc, node: Node, answer: Answer) -> None:
    node.answers = [answer]
    with pytest.raises(RangeTooLarge):
        await rpc.logs("0x", 1, 2)


async def test_revert_carries_the_contracts_reason(rpc: Rpc, node: Node) -> None:
    text = b"order: expired"
    data = "0x08c379a0" + (32).to_bytes(32).hex() + len(text).to_bytes(32).hex() + text.ljust(32, b"\0").hex()
    node.answers = [error(3, "execution reverted: order: expired", data)]
    with pytest.raises(ExecutionReverted) as caught:
        await rpc.eth_call(b"\x01" * 20, b"")
    assert caught.value.reason == "order: expired"


async def test_revert_without_data_falls_back_to_the_message(rpc: Rpc, node: Node) -> None:
    node.answers = [error(-32_000, "execution reverted: settle: wrong seq")]
    with pytest.raises(ExecutionReverted) as caught:
        await rpc.estimate_gas(b"\x01" * 20, b"")
    assert caught.value.reason == "settle: wrong seq"


@pytest.mark.parametrize("body", ["<html>", "{", "[]", '{"id":1,"result":"0x1"'])
async def test_answer_that_is_not_json_rpc_is_invalid(rpc: Rpc, node: Node, body: str) -> None:
    node.answers = [lambda request: web.Response(text=body)]
    with pytest.raises(InvalidAnswer):
        await rpc.block_number()


async def test_answer_of_the_wrong_shape_is_invalid(rpc: Rpc, node: Node) -> None:
    node.answers = [result({"number": "0x1"})]
    with pytest.raises(InvalidAnswer, match="wrong shape"):
        await rpc.header("latest")


async def test_error_names_the_host_and_never_the_key_in_the_address() -> None:
    async with Rpc("http://user:secret@127.0.0.1:1/v2/apikey", tries=1) as rpc:
        with pytest.raises(NodeUnavailable) as caught:
            await rpc.chain_id()
    text = str(caught.value)
    assert "127.0.0.1:1" in text
    assert "secret" not in text
    assert "apikey" not in text


async def test_a_node_that_is_not_there_is_named_with_the_reason_alone() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with Rpc(f"{url}/key", pause_seconds=0) as rpc:
        with pytest.raises(NodeUnavailable) as raised:
            await rpc.chain_id()
    assert str(raised.value) == f"no answer from {url}: Connection refused"


async def test_a_node_that_speaks_no_tls_is_named_with_what_tls_says(rpc: Rpc) -> None:
    async with Rpc(rpc.url.replace("http://", "https://"), tries=1) as secured:
        with pytest.raises(NodeUnavailable, match="[A-Z]_[A-Z]") as raised:
            await secured.chain_id()
    assert "not permitted" not in str(raised.value)
