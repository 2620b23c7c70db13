"""Whether a bond still stands behind the receipts: read from the chain, before an order relies on them.

A receipt proves what the operator said; the bond makes a contradiction expensive, and only while it can be taken. Its
owner may retire it, in public, and take it back a delay later. So a client that demands receipts looks at `retired_at`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

import aiohttp
from eth_typing import ChecksumAddress, HexStr
from eth_utils.abi import function_signature_to_4byte_selector
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import Web3Exception

from bizzan.client.errors import NoBond, Unreachable
from bizzan.client.receipts import ReceiptCheck
from exchange.domain.deployment import checksum

MARGIN_SECONDS = 86_400
"""How long before a retired bond can be withdrawn it is no longer relied on: time to notice and report a fraud."""
RENEW_SECONDS = 60
VIEWS = ("signer()", "bond()", "retired_at()", "slashed_at()", "delay()")

View = Callable[[str], Awaitable[bytes]]
"""Answers a view of the bond's contract, by its signature."""


@dataclass(frozen=True, slots=True)
class BondState:
    """What the contract says: the key it stands for, wei at stake, times in seconds since 1970 (0: never)."""

    signer: bytes
    amount: int
    retired_at: int
    slashed_at: int
    delay: int

    @property
    def stands_until(self) -> int | None:
        """The second from which it can be withdrawn; None while it is not retired."""
        return self.retired_at + self.delay if self.retired_at else None

    def problem(self, signer: bytes, at: int, margin_seconds: int = MARGIN_SECONDS) -> str | None:
        """Why a receipt of `signer`, given at `at` (seconds since 1970), would have nothing behind it, or None."""
        if self.signer != signer:
            return f"the bond stands behind {checksum(self.signer)}, not behind {checksum(signer)}"
        if self.slashed_at:
            return f"the bond was taken at {self.slashed_at}: the receipt key has contradicted itself"
        until = self.stands_until
        if until is not None and at >= until - margin_seconds:
            return f"the bond was retired at {self.retired_at} and can be withdrawn from {until} on"
        return None if self.amount else "the bond is empty"


class BondCheck:
    """Reads the bond again once a minute at most. `view` asks its contract; `over` makes one for a node."""

    def __init__(self, receipts: ReceiptCheck, view: View, margin_seconds: int = MARGIN_SECONDS) -> None:
        self.receipts = receipts
        self.state: BondState | None = None
        self._view = view
        self._margin = margin_seconds
        self._read_at = 0.0
        self._lock = asyncio.Lock()
        self._provider: AsyncHTTPProvider | None = None

    @classmethod
    def over(cls, rpc_url: str, receipts: ReceiptCheck, margin_seconds: int = MARGIN_SECONDS) -> Self:
        """For the bond of `receipts`, by a node that the client trusts (not one of the exchange's)."""
        provider = AsyncHTTPProvider(rpc_url)
        check = cls(receipts, _asking(provider, receipts.bond.contract), margin_seconds)
        check._provider = provider
        return check

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection to the node."""
        if self._provider is not None:
            await self._provider.disconnect()

    async def demand(self) -> BondState:
        """The bond, if it can be taken for a receipt given now. Raises NoBond, or Unreachable without a node."""
        async with self._lock:
            if self.state is None or time.monotonic() - self._read_at > RENEW_SECONDS:
                self.state = await self.read()
                self._read_at = time.monotonic()
        if problem := self.state.problem(self.receipts.signer, int(time.time()), self._margin):
            raise NoBond(f"no order is sent: {problem}")
        return self.state

    async def read(self) -> BondState:
        """What the contract says now. Raises NoBond when there is none, Unreachable without a node."""
        words = [await self._view(signature) for signature in VIEWS]
        if any(len(word) != 32 for word in words):
            raise NoBond(f"there is no bond at {checksum(self.receipts.bond.contract)}")
        amount, retired_at, slashed_at, delay = (int.from_bytes(word) for word in words[1:])
        return BondState(words[0][12:], amount, retired_at, slashed_at, delay)


def _asking(provider: AsyncHTTPProvider, contract: bytes) -> View:
    web3: AsyncWeb3[AsyncHTTPProvider] = AsyncWeb3(provider)
    to = cast(ChecksumAddress, checksum(contract))

    async def view(signature: str) -> bytes:
        data = HexStr("0x" + function_signature_to_4byte_selector(signature).hex())
        try:
            return bytes(await web3.eth.call({"to": to, "data": data}))
        except (Web3Exception, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"the chain's node at {provider.endpoint_uri} does not answer: {error}") from error

    return view
