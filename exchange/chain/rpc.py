"""A slim client of a chain node: JSON-RPC over HTTP, answers decoded straight into values.

Reads are retried when the node is away; anything that may change the chain is sent once, because only
the caller knows whether sending it again is harmless.

    ChainError
      NodeUnavailable      no connection, no answer in time, or an HTTP error that says "later"
      InvalidAnswer        the node answered something that is not JSON-RPC, or of the wrong shape
      RpcRefused           the node answered with an error (`code`, `message`, `data`)
        RangeTooLarge      the range of logs holds more than the node will give at once
        ExecutionReverted  the call reverted; `reason` is what the contract said
"""

import asyncio
import itertools
import os
import re
import ssl
from collections.abc import Sequence
from functools import cache
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast, get_args, overload

import aiohttp
import msgspec

from exchange.chain.types import Header, Log, Receipt, SimulatedBlock, SimulatedCall

T = TypeVar("T")
Call = tuple[str, Sequence[object]]

READS = re.compile(
    r"eth_(get|call|simulate|chainId|blockNumber|estimateGas|feeHistory|gasPrice|maxPriority)|net_|web3_"
)
BATCH_LIMIT = 100
"""Calls in one HTTP request."""

SIMULATED_GAS = 1 << 40
"""Of a simulated block: no limit to speak of; a node has its own."""

LONG_BODY = 1 << 20
"""Bytes of an answer that is decoded beside the loop."""

_TOO_LARGE = re.compile(r"too (large|many|big|wide)|limit|more than|exceed|range", re.IGNORECASE)
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_ERROR_SELECTOR = "0x08c379a0"


class ChainError(Exception):
    """The chain node could not be asked, or refused."""


class NodeUnavailable(ChainError):
    """No answer; the same request may succeed later."""


class InvalidAnswer(ChainError):
    """An answer that makes no sense."""


class RpcRefused(ChainError):
    """The node answered with an error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message
        self.data = data


class RangeTooLarge(RpcRefused):
    """Ask for fewer blocks."""


class ExecutionReverted(RpcRefused):
    """The call reverted. `reason` is the contract's text, or empty."""

    @property
    def reason(self) -> str:
        """The `Error(string)` the contract gave, or what the node's message says."""
        if isinstance(self.data, str) and self.data.startswith(_ERROR_SELECTOR):
            raw = bytes.fromhex(self.data[10:])
            return raw[64 : 64 + int.from_bytes(raw[32:64])].decode(errors="replace")
        return self.message.removeprefix("execution reverted").removeprefix(":").strip()


class _Error(msgspec.Struct):
    code: int
    message: str
    data: object = None


class _Answer(msgspec.Struct, Generic[T]):
    id: int | None = None
    result: T | None = None
    error: _Error | None = None


@cache
def _decoder(returns: Any, many: bool) -> msgspec.json.Decoder[Any]:
    """The decoder of one answer, or of a batch's, whose results are `returns`."""
    return msgspec.json.Decoder(list[_Answer[returns]] if many else _Answer[returns])


_encode = msgspec.json.Encoder().encode


class Rpc:
    """One node. Use as `async with Rpc(url) as rpc`, or `close()` it."""

    def __init__(self, url: str, *, timeout_seconds: float = 30, tries: int = 4, pause_seconds: float = 0.1) -> None:
        """`tries` bounds the attempts of a read; the pause between them doubles from `pause_seconds`."""
        self.url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._tries = tries
        self._pause = pause_seconds
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @overload
    async def call(self, method: str, *params: object) -> Any: ...
    @overload
    async def call(self, method: str, *params: object, returns: type[T]) -> T: ...

    async def call(self, method: str, *params: object, returns: Any = Any) -> Any:
        """The result of one method, decoded as `returns`. Raises ChainError."""
        body = await self.post(method, *params)
        if len(body) < LONG_BODY:
            return _read(body, method, returns)
        return await asyncio.to_thread(_read, body, method, returns)

    async def post(self, method: str, *params: object) -> bytes:
        """The bytes the node answers to one method, unread; a read is retried. Raises NodeUnavailable."""
        request = _encode({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params})
        return await self._send(request, bool(READS.match(method)))

    async def batch(self, calls: Sequence[Call], returns: type[T]) -> list[T]:
        """The results of several methods in order, in as few requests as possible. Raises ChainError."""
        results: list[T] = []
        for start in range(0, len(calls), BATCH_LIMIT):
            results += await self._batch(calls[start : start + BATCH_LIMIT], returns)
        return results

    async def _batch(self, calls: Sequence[Call], returns: type[T]) -> list[T]:
        ids = [next(self._ids) for _ in calls]
        request = _encode(
            [
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                for number, (method, params) in zip(ids, calls, strict=True)
            ]
        )
        body = await self._send(request, all(READS.match(method) for method, _ in calls))
        answers = {answer.id: answer for answer in _decode(_decoder(cast(Any, returns), True), body, calls[0][0])}
        if answers.keys() != set(ids):
            raise InvalidAnswer(f"the node answered {len(answers)} of {len(ids)} calls of a batch")
        return [_result(answers[number], calls[place][0], returns) for place, number in enumerate(ids)]

    async def _send(self, request: bytes, may_retry: bool) -> bytes:
        for attempt in itertools.count(1):
            try:
                return await self._send_once(request)
            except NodeUnavailable:
                if not may_retry or attempt >= self._tries:
                    raise
            await asyncio.sleep(self._pause * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    async def _send_once(self, request: bytes) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, headers={"content-type": "application/json"}, read_bufsize=2**20
            )
        try:
            async with self._session.post(self.url, data=request) as response:
                body = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise NodeUnavailable(f"no answer from {_origin(self.url)}: {_why(error)}") from error
        if response.status in _BUSY:
            raise NodeUnavailable(f"{_origin(self.url)} answered HTTP {response.status}")
        return body

    async def chain_id(self) -> int:
        """The chain the node is on."""
        return int(await self.call("eth_chainId", returns=str), 16)

    async def block_number(self) -> int:
        """Height of the node's head."""
        return int(await self.call("eth_blockNumber", returns=str), 16)

    async def header(self, block: int | str | bytes) -> Header | None:
        """A header by height, tag (`latest`, `finalized`, ...) or hash; None when the node has no such block."""
        if isinstance(block, bytes):
            return await self.call("eth_getBlockByHash", "0x" + block.hex(), False, returns=Header | None)  # type: ignore[arg-type]
        place = hex(block) if isinstance(block, int) else block
        return await self.call("eth_getBlockByNumber", place, False, returns=Header | None)  # type: ignore[arg-type]

    async def headers(self, first: int, last: int) -> list[Header | None]:
        """The headers from `first` to `last`, both included; None where the node has none."""
        calls: list[Call] = [("eth_getBlockByNumber", (hex(n), False)) for n in range(first, last + 1)]
        return await self.batch(calls, Header | None)  # type: ignore[arg-type]

    async def logs(self, address: str, first: int, last: int) -> list[Log]:
        """All logs of `address` in the blocks from `first` to `last`. Raises RangeTooLarge."""
        query = {"address": address, "fromBlock": hex(first), "toBlock": hex(last)}
        return await self.call("eth_getLogs", query, returns=list[Log])

    async def logs_of_blocks(self, address: str, hashes: Sequence[str]) -> list[Log]:
        """All logs of `address` in exactly these blocks (0x hex). RpcRefused if one is not the node's any more."""
        calls: list[Call] = [("eth_getLogs", ({"address": address, "blockHash": value},)) for value in hashes]
        return [log for logs in await self.batch(calls, list[Log]) for log in logs]

    async def transaction_count(self, address: bytes, block: str = "latest") -> int:
        """The next nonce of `address` as of `block` (`latest`: mined only)."""
        return int(await self.call("eth_getTransactionCount", "0x" + address.hex(), block, returns=str), 16)

    async def balance(self, address: bytes, block: str = "latest") -> int:
        """Wei of `address`."""
        return int(await self.call("eth_getBalance", "0x" + address.hex(), block, returns=str), 16)

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction; None if it is not in the node's chain."""
        return await self.call("eth_getTransactionReceipt", "0x" + tx_hash.hex(), returns=Receipt | None)  # type: ignore[arg-type]

    async def eth_call(
        self,
        to: bytes | None,
        data: bytes,
        *,
        sender: bytes | None = None,
        block: int | str = "latest",
        gas: int | None = None,
    ) -> bytes:
        """What a call returns, without sending it; without `to`, what `data` returns as code.

        Raises ExecutionReverted with the contract's reason.
        """
        place = hex(block) if isinstance(block, int) else block
        result = await self.call("eth_call", _call_object(to, data, sender, gas), place, returns=str)
        return bytes.fromhex(result[2:])

    async def estimate_gas(self, to: bytes, data: bytes, *, sender: bytes | None = None) -> int:
        """Gas the call would need now. Raises ExecutionReverted."""
        return int(await self.call("eth_estimateGas", _call_object(to, data, sender, None), returns=str), 16)

    async def simulate(self, calls: Sequence[dict[str, str]], block: int, timestamp: int) -> list[SimulatedCall]:
        """What call objects do one after the other in a block on top of `block`, whose gas has no limit.

        RpcRefused if the node simulates nothing, or does not give so much gas.
        """
        limits = {"gasLimit": hex(SIMULATED_GAS), "time": hex(timestamp)}
        wanted = {"blockStateCalls": [{"blockOverrides": limits, "calls": list(calls)}], "validation": False}
        blocks = await self.call("eth_simulateV1", wanted, hex(block), returns=list[SimulatedBlock])
        found = [call for each in blocks for call in each.calls]
        if len(found) != len(calls):
            raise InvalidAnswer(f"the node answered {len(found)} of {len(calls)} simulated calls")
        return found

    async def send_raw_transaction(self, raw: bytes) -> bytes:
        """Hand a signed transaction to the node and return its hash. Sent once. RpcRefused if it is not taken."""
        return bytes.fromhex((await self.call("eth_sendRawTransaction", "0x" + raw.hex(), returns=str))[2:])


def _call_object(to: bytes | None, data: bytes, sender: bytes | None, gas: int | None) -> dict[str, str]:
    call = {"data": "0x" + data.hex()}
    if to is not None:
        call["to"] = "0x" + to.hex()
    if sender is not None:
        call["from"] = "0x" + sender.hex()
    if gas is not None:
        call["gas"] = hex(gas)
    return call


def _read(body: bytes, method: str, returns: Any) -> Any:
    return _result(_decode(_decoder(returns, False), body, method), method, returns)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes, method: str) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidAnswer(f"the node's answer to {method} has the wrong shape: {error}") from None
    except msgspec.DecodeError as error:
        raise InvalidAnswer(f"the node's answer is not JSON-RPC: {error}; it starts {body[:80]!r}") from None


def _result(answer: _Answer[Any], method: str, returns: Any) -> Any:
    if answer.error is not None:
        raise _refusal(answer.error, method)
    if answer.result is None and not _may_be_none(returns):
        raise InvalidAnswer(f"the node's answer to {method} has no result")
    return answer.result


@cache
def _may_be_none(returns: Any) -> bool:
    return returns is Any or type(None) in get_args(returns)


def _refusal(error: _Error, method: str) -> RpcRefused:
    kind = RpcRefused
    if error.code == 3 or error.message.startswith("execution reverted"):
        kind = ExecutionReverted
    elif method == "eth_getLogs" and (error.code == -32005 or _TOO_LARGE.search(error.message)):
        kind = RangeTooLarge
    return kind(error.code, error.message, error.data)


def _why(error: Exception) -> str:
    """What went wrong with a connection, without what the library says of itself."""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ssl.SSLError):  # its errno is OpenSSL's, not the system's
            return error.os_error.reason or str(error.os_error)
        code = error.os_error.errno or 0
        return os.strerror(code) if code > 0 else error.os_error.strerror or str(error.os_error)
    return str(error) or type(error).__name__


def _origin(url: str) -> str:
    """The URL without path and user: providers put their keys there."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/')[0].rsplit('@')[-1]}"
