"""The API with everything behind it: engine, projector and API as processes, a database and a chain node."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bizzan.client.wallet import Owner, SignedOrder, Wallet
from bizzan.supervisor.ports import free_port
from exchange.domain.bulk import BulkSignature
from exchange.domain.deployment import Deployment, Windows, checksum
from exchange.domain.eip712 import Scheme
from exchange.domain.instrument import Asset, Market, Token
from exchange.domain.order import Order, Side, Terms, TimeInForce
from exchange.engine.commands import Command, Credit
from exchange.sequencer.client import EngineClient
from exchange.sequencer.protocol import Ack
from tests.utils.waiting import wait_for
from tests.utils.warm import WarmProcess, serve

USDC, ETH, BTC = 0, 1, 2
BTC_USDC, ETH_USDC, ETH_BTC = 1, 2, 3
PRICE = 600_000
FUNDS = 10**15
AUDITOR, WATCHER = Wallet.from_seed("auditor", 1), Wallet.from_seed("operator", 1)
"""Wallets that the API's settings name: one that may read the journal, one that operates the exchange."""
OPERATOR_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"

DEPLOYMENT = Deployment(
    chain_id=31_337,
    custody=checksum(b"\xcc" * 20),
    deposit_addresses=checksum(b"\xda" * 20),
    block_number=1,
    block_hash="0x" + "11" * 32,
    commit="test",
    domain_name="Bizzan",
    # So long that trades, which nobody settles here, are not so old that matching stops.
    windows=Windows(3_600, 3_600, 600, 3_600, 120, 172_800),
    fee_cap_bps=100,
    fee_account=checksum(b"\xfe" * 20),
    operator=checksum(b"\x01" * 20),
    co_signer=checksum(b"\x02" * 20),
    assets=(Asset(USDC, "USDC", 6), Asset(ETH, "ETH", 8), Asset(BTC, "BTC", 8)),
    tokens=(
        Token(31_337, USDC, checksum(b"\x03" * 20), USDC, 6, 1),
        Token(31_337, ETH, checksum(bytes(20)), ETH, 18, 10**10),
        Token(31_337, BTC, checksum(b"\x04" * 20), BTC, 8, 1),
    ),
    markets=(
        Market(BTC_USDC, "BTC/USDC", BTC, USDC, 10_000, 10, 1_000_000, 2_000, 200, 500, PRICE),
        Market(ETH_USDC, "ETH/USDC", ETH, USDC, 100_000, 10, 1_000_000, 2_000, 200, 500, 300_000),
        Market(ETH_BTC, "ETH/BTC", ETH, BTC, 100_000, 1, 1_000, 2_000, 200, 500, 50),
    ),
    operator_bond=checksum(b"\xbb" * 20),
    receipt_signer="0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
)
DOMAIN = DEPLOYMENT.domain

_nonces = itertools.count(1)
_wallets = itertools.count(1)


class ApiStack:
    """Processes in one state folder, whose name must be short. `kill` ends them all."""

    def __init__(self, folder: Path, database_url: str, rpc_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.rpc_url = rpc_url
        deployment = folder / "deployment.json"
        deployment.write_text(json.dumps(DEPLOYMENT.to_json()))
        self.environment = {
            **os.environ,
            "BIZZAN_PATHS__STATE_DIR": str(folder),
            "BIZZAN_CHAIN__DEPLOYMENT_FILE": str(deployment),
            "BIZZAN_METRICS__ENGINE": str(free_port()),
            "BIZZAN_METRICS__PROJECTOR": str(free_port()),
            "BIZZAN_METRICS__PUBLISHER": str(free_port()),
            "BIZZAN_PUBLICATION__EVERY_SECONDS": "1",
            "BIZZAN_API__AUDITORS": json.dumps([AUDITOR.text_address]),
            "BIZZAN_API__OPERATORS": json.dumps([WATCHER.text_address]),
            "DATABASE_URL": database_url,
            "RPC_URL": rpc_url,
        }
        self.prologues: dict[str, str] = {}
        """By a process's name, Python that runs before it starts."""
        self._processes: dict[str, WarmProcess] = {}
        self._inbox_ids = itertools.count(1)
        self.base_url = ""

    def start(self) -> None:
        """Start everything and wait until the API is ready to take orders.

        The projector follows before anything is credited: tests credit without the inbox, and it takes an empty inbox
        beside a journal with credits for a database that was emptied.
        """
        self.spawn("engine", "exchange.sequencer.main")
        self.spawn("projector", "exchange.sequencer.projector_main")
        wait_for(lambda: self._logs("projector", "projector starts"), "the projector")
        self.spawn("publisher", "exchange.sequencer.publisher")
        self.base_url = self.start_api("api", UNLIMITED)

    def start_api(self, name: str, settings: Mapping[str, str]) -> str:
        """Start one more API process; its address."""
        port = free_port()
        self.spawn(name, "backend.main", {"BIZZAN_API__PORT": str(port), **settings})
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: self._follows_engine(name, url), f"{name} to be ready")
        return url

    def spawn(self, name: str, module: str, more: Mapping[str, str] | None = None) -> None:
        """Start one process that runs `module.run(settings)`."""
        environment = {**self.environment, **(more or {})}
        log = self.folder / f"{name}.log"
        prologue = self.prologues.get(name, "")
        self._processes[name] = WarmProcess(serve, module, prologue, environment=environment, output=log)

    def _logs(self, name: str, text: str) -> bool:
        """Whether a process has logged that; AssertionError with its log once it has ended."""
        log = self.folder / f"{name}.log"
        told = log.read_text() if log.exists() else ""
        if self._processes[name].poll() is not None:
            raise AssertionError(f"{name} ended: {told[-3_000:]}")
        return text in told

    def _follows_engine(self, name: str, url: str) -> bool:
        self._logs(name, "")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return True
        except urllib.error.HTTPError as error:
            problems: dict[str, str] = json.loads(error.read())["problems"]
            return not {"engine", "database"} & problems.keys()
        except OSError:
            return False

    def kill(self, *names: str) -> None:
        """End processes at once; all of them by default."""
        for name in names or tuple(self._processes):
            process = self._processes.pop(name)
            process.kill()
            process.wait(60)

    def signal(self, name: str, number: int) -> None:
        """Send one process a signal."""
        self._processes[name].send_signal(number)

    def end(self, name: str) -> None:
        """Ask a process to end, with the processes of its own."""
        process = self._processes.pop(name)
        process.terminate()
        process.wait(60)

    async def submit(self, *commands: Command) -> list[Ack]:
        """Hand commands to the engine as the chain side does."""
        async with EngineClient(self.folder / "engine.sock") as client:
            return [await client.submit(command) for command in commands]

    def inbox_id(self) -> int:
        """The next inbox id."""
        return next(self._inbox_ids)

    async def fund(self, *wallets: Owner, amount: int = FUNDS) -> None:
        """Credit wallets with every asset."""
        credits: list[Command] = []
        for wallet in wallets:
            for asset in (USDC, ETH, BTC):
                inbox_id = self.inbox_id()
                credits.append(Credit(inbox_id, wallet.address, asset, amount, f"deposit {inbox_id}"))
        await self.submit(*credits)

    async def trader(self) -> Wallet:
        """A new wallet with money."""
        wallet = new_wallet()
        await self.fund(wallet)
        return wallet


async def mirrored(api: httpx.AsyncClient, seq: int) -> None:
    """Wait until the mirror has reached a journal sequence."""
    for _ in range(3_000):
        answer = await api.get("/v1/status")
        if answer.status_code == 200 and answer.json()["journal_seq"] >= seq:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the mirror did not reach sequence {seq}: {answer.text}")


async def heard(api: httpx.AsyncClient, seq: int) -> None:
    """Wait until the API has heard of a journal sequence: its books follow the engine by a way of their own."""
    async with asyncio.timeout(60):
        while (await api.get("/v1/status")).json().get("engine_seq", 0) < seq:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


UNLIMITED = {
    f"BIZZAN_API__LIMITS__{name}": "1000000"
    for name in (
        "REQUESTS_PER_SECOND",
        "REQUESTS_BURST",
        "WRITES_PER_SECOND",
        "WRITES_BURST",
        "ADDRESS_WRITES_PER_SECOND",
        "ADDRESS_WRITES_BURST",
        "OPERATOR_WRITES_PER_SECOND",
        "OPERATOR_WRITES_BURST",
    )
}


@contextmanager
def api_stack(
    folder: Path, database_url: str, rpc_url: str, prologues: Mapping[str, str] | None = None
) -> Iterator[ApiStack]:
    """A running stack with an empty journal; `prologues` as it has them."""
    stack = ApiStack(folder, database_url, rpc_url)
    stack.prologues |= prologues or {}
    try:
        stack.start()
        yield stack
    finally:
        stack.kill()


def new_wallet() -> Wallet:
    """A wallet that nobody has used."""
    return Wallet.from_seed("api-tests", next(_wallets))


def an_order(
    wallet: Wallet,
    side: Side = Side.buy,
    price: int = PRICE,
    quantity: int = 10,
    *,
    market: int = BTC_USDC,
    time_in_force: TimeInForce = TimeInForce.gtc,
    post_only: bool = False,
    nonce: int | None = None,
    expiry: int | None = None,
    max_fee_bps: int = 10,
) -> Order:
    """An order on a fresh nonce."""
    return Order(
        wallet.address,
        market,
        int(side),
        price,
        quantity,
        next(_nonces) if nonce is None else nonce,
        int(time.time()) + 3_600 if expiry is None else expiry,
        0,
        max_fee_bps,
        Terms(time_in_force, post_only).pack(),
    )


def order_body(signed: SignedOrder, **changes: Any) -> dict[str, Any]:
    """A signed order as the API takes it; `changes` are made after the signature."""
    order = signed.order
    bulk: dict[str, Any] = {}
    signature, scheme = signed.signature, signed.scheme.name
    if signed.scheme & Scheme.bulk:
        parts = BulkSignature.unpack(signed.signature)
        signature, scheme = parts.signature, "bulk"
        bulk = {"index": parts.proof.index, "path": ["0x" + each.hex() for each in parts.proof.path]}
    return {
        "chain_id": DOMAIN.chain_id,
        "contract": DEPLOYMENT.custody,
        "account": checksum(order.account),
        "market": order.market,
        "side": Side(order.side).name,
        "price": str(order.price),
        "quantity": str(order.quantity),
        "nonce": str(order.nonce),
        "expiry": order.expiry,
        "max_fee_bps": order.max_fee_bps,
        "terms": str(order.terms),
        "signature": "0x" + signature.hex(),
        "scheme": scheme,
        **bulk,
        **changes,
    }


def signed_body(
    wallet: Wallet, side: Side = Side.buy, price: int = PRICE, quantity: int = 10, **more: Any
) -> dict[str, Any]:
    """A signed order's body; `more` as `an_order` takes it."""
    return order_body(wallet.sign_order(DOMAIN, an_order(wallet, side, price, quantity, **more)))


def cancel_body(wallet: Wallet, nonce: int, account: bytes | None = None) -> dict[str, Any]:
    """A signed cancel."""
    owner = account or wallet.address
    signature = wallet.sign(DOMAIN, "Cancel", {"account": owner, "nonce": nonce})
    return {
        "chain_id": DOMAIN.chain_id,
        "contract": DEPLOYMENT.custody,
        "account": checksum(owner),
        "nonce": str(nonce),
        "signature": "0x" + signature.hex(),
    }


def cancel_all_body(wallet: Wallet, min_nonce: int) -> dict[str, Any]:
    """A signed cancel of everything below a nonce."""
    signature = wallet.sign(DOMAIN, "CancelAll", {"account": wallet.address, "min_nonce": min_nonce})
    return {
        "chain_id": DOMAIN.chain_id,
        "contract": DEPLOYMENT.custody,
        "account": wallet.text_address,
        "min_nonce": str(min_nonce),
        "signature": "0x" + signature.hex(),
    }


def mass_cancel_body(wallet: Wallet, market: int = 0, side: str = "both") -> dict[str, Any]:
    """A signed cancel of the orders of a market and side."""
    return _brake(wallet, "MassCancel", {"market": market, "side": ("buy", "sell", "both").index(side)}) | {
        "market": market,
        "side": side,
    }


def countdown_body(wallet: Wallet, seconds: int) -> dict[str, Any]:
    """A signed countdown."""
    return _brake(wallet, "Countdown", {"seconds": seconds}) | {"seconds": seconds}


def trading_stop_body(wallet: Wallet, stopped: bool) -> dict[str, Any]:
    """A signed stop of trading, or its end."""
    return _brake(wallet, "TradingStop", {"stopped": int(stopped)}) | {"stopped": stopped}


_last_brake = itertools.count(1)


def _brake(wallet: Wallet, kind: str, fields: dict[str, int]) -> dict[str, Any]:
    nonce = int(time.time() * 1_000) + next(_last_brake)
    signature = wallet.sign(DOMAIN, kind, {"account": wallet.address, **fields, "nonce": nonce})
    return {
        "chain_id": DOMAIN.chain_id,
        "contract": DEPLOYMENT.custody,
        "account": wallet.text_address,
        "nonce": str(nonce),
        "signature": "0x" + signature.hex(),
    }
