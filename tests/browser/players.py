"""Accounts that are signed in and have money before any page is opened: for tests of what comes after that."""

from __future__ import annotations

import asyncio
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from playwright.sync_api import StorageState

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.wallet import Wallet
from tests.browser.chain import UNIT
from tests.utils.program import Program

T = TypeVar("T")

DEPOSIT = 50_000
"""Whole USDC: half of what the faucet gives, as the page suggests."""
CREDITED_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Player:
    """Its key, and its session as a browser keeps it."""

    key: bytes
    session: dict[str, str | int]

    def storage(self, program: Program, wallet: str = "burner") -> StorageState:
        """A browser's storage that knows it, by the page's own wallet or by one that is announced under this name."""
        items: dict[str, object] = {}
        items |= {"session": self.session, "wallet": wallet} | (
            {"burner": "0x" + self.key.hex()} if wallet == "burner" else {}
        )
        kept = [{"name": f"bizzan.{name}", "value": json.dumps(value)} for name, value in items.items()]
        origin = {"origin": program.api_url, "localStorage": kept}
        return {"cookies": [], "origins": [origin]}  # type: ignore[list-item]


class Players:
    """Gives each once."""

    def __init__(self, program: Program, count: int) -> None:
        self._program = program
        self._ready = _run(_prepare(program, count))

    def take(self) -> Player:
        """One that nobody has had."""
        return self._ready.pop() if self._ready else _run(_player(self._program))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: the browser's library has an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _prepare(program: Program, count: int) -> list[Player]:
    return list(await asyncio.gather(*(_player(program) for _ in range(count))))


async def _player(program: Program) -> Player:
    key = secrets.token_bytes(32)
    wallet = Wallet(key)
    await asyncio.to_thread(give, program, wallet.text_address)
    async with BizzanClient(program.api_url, wallet) as client:
        token = client.exchange.tokens["USDC"]
        async with CustodyClient(program.rpc_url, client.exchange.custody, wallet) as custody:
            await custody.deposit_with_permit(token.address, DEPOSIT * UNIT)
        session = await client.login()
        await _credited(client)
    kept: dict[str, str | int] = {
        "token": session.token,
        "address": wallet.text_address,
        "expires_at": session.expires_at,
    }
    return Player(key, kept)


async def _credited(client: BizzanClient) -> None:
    """Wait until the deposit can be traded with."""
    async with asyncio.timeout(CREDITED_SECONDS):
        while True:
            if any(balance.total for balance in (await client.balances()).balances):
                return
            await asyncio.sleep(0.2)


def give(program: Program, address: str) -> None:
    """Have the faucet fill an address."""
    body = json.dumps({"address": address}).encode()
    request = urllib.request.Request(f"{program.api_url}/v1/faucet", body, {"content-type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error
