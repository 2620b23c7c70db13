"""The chain of the exchange that the browser looks at: asked, hurried and held by the test."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.utils.program import Program

BLOCK_SECONDS = 1
UNIT = 10**6
"""One USDC in the token's smallest units."""
FINAL_BLOCKS = 30
"""More than the local chain waits before it takes something for final."""


def ask(program: Program, method: str, *params: Any) -> Any:
    """Ask the chain."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(program.rpc_url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = json.load(answer)
    assert "error" not in content, content
    return content["result"]


def height(program: Program) -> int:
    """The number of its last block."""
    return int(ask(program, "eth_blockNumber"), 16)


def mine(program: Program, blocks: int = 1) -> None:
    """So many blocks at once."""
    ask(program, "anvil_mine", hex(blocks))


def finalize(program: Program) -> None:
    """Everything that is on chain becomes final."""
    mine(program, FINAL_BLOCKS)


def pass_seconds(program: Program, seconds: int) -> None:
    """Its clock goes on at once."""
    ask(program, "evm_increaseTime", seconds)
    mine(program)


@contextmanager
def held(program: Program) -> Iterator[None]:
    """No block comes but by `mine`."""
    ask(program, "evm_setIntervalMining", 0)
    try:
        yield
    finally:
        ask(program, "evm_setIntervalMining", BLOCK_SECONDS)


def exchange_of(program: Program) -> dict[str, Any]:
    """What the exchange says that it is."""
    with urllib.request.urlopen(f"{program.api_url}/v1/exchange", timeout=30) as answer:
        content: dict[str, Any] = json.load(answer)
    return content


def usdc(program: Program) -> dict[str, Any]:
    """The token, as the exchange tells it."""
    return next(token for token in exchange_of(program)["tokens"] if token["symbol"] == "USDC")


def held_by(program: Program, token: str, account: str) -> int:
    """What an address holds of a token outside the exchange."""
    data = "0x70a08231" + account.removeprefix("0x").lower().rjust(64, "0")
    return int(ask(program, "eth_call", {"to": token, "data": data}, "latest"), 16)
