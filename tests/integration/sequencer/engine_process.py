"""An engine process of one's own, and commands to send it."""

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bizzan.supervisor.ports import free_port
from exchange.domain.deployment import Deployment, Windows, checksum
from exchange.domain.eip712 import keccak
from exchange.domain.instrument import Asset, Market, Token
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce
from exchange.engine.commands import Credit, PlaceOrder
from tests.utils.waiting import wait_for
from tests.utils.warm import WarmProcess, serve

FEE_ACCOUNT = b"\xfe" * 20
CUSTODY = b"\xcc" * 20
USDC, ETH, BTC = 0, 1, 2
BTC_USDC = 1
PRICE = 600_000
_FUNDS = 10**15

DEPLOYMENT = Deployment(
    chain_id=31_337,
    custody=checksum(CUSTODY),
    deposit_addresses=checksum(b"\xda" * 20),
    block_number=1,
    block_hash="0x" + "11" * 32,
    commit="test",
    domain_name="Bizzan",
    windows=Windows(600, 600, 600, 3_600, 120, 172_800),
    fee_cap_bps=100,
    fee_account=checksum(FEE_ACCOUNT),
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
        Market(2, "ETH/USDC", ETH, USDC, 100_000, 10, 1_000_000, 2_000, 200, 500, 300_000),
    ),
    operator_bond=checksum(b"\xbb" * 20),
    receipt_signer="0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
)
SEED_COMMANDS = 7


class Service:
    """A process of ours that can be killed. `folder` must have a short name: it holds the engine's socket."""

    def __init__(self, folder: Path, name: str, module: str, ready: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self.log_file = folder / f"{name}.log"
        self.prologue = ""
        """Python that runs before it starts."""
        self._ready = ready
        self._module = module
        self.environment = {
            **os.environ,
            "BIZZAN_PATHS__STATE_DIR": str(folder),
            "BIZZAN_CHAIN__DEPLOYMENT_FILE": str(folder / "deployment.json"),
            **environment,
        }
        self._process: WarmProcess | None = None

    def spawn(self) -> None:
        """Start it."""
        self._process = WarmProcess(
            serve, self._module, self.prologue, environment=self.environment, output=self.log_file
        )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        before = self.log_text().count(self._ready)
        self.spawn()
        process = self._process

        def ready() -> bool:
            if process is not None and process.poll() is not None:
                raise AssertionError(f"it ended with {process.returncode}: {self.log_text()[-2_000:]}")
            return self.log_text().count(self._ready) > before

        wait_for(ready, self._ready)

    def log_text(self) -> str:
        """Everything it has logged."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def kill(self) -> None:
        """End it at once, as a power switch would end the process."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it cleanly; its exit code."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code, when it ends by itself."""
        if self._process is None:
            raise AssertionError("the process was not started")
        return self._process.wait(60)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(60)
        self._process = None
        return code


class EngineProcess(Service):
    """The engine."""

    def __init__(self, folder: Path) -> None:
        self.journal_dir = folder / "journal"
        self.socket = folder / "engine.sock"
        self.metrics_port = free_port()
        (folder / "deployment.json").write_text(json.dumps(DEPLOYMENT.to_json()))
        environment = {"BIZZAN_METRICS__ENGINE": str(self.metrics_port)}
        super().__init__(folder, "engine", "exchange.sequencer.main", "engine listens", environment)


class ProjectorProcess(Service):
    """The projector of the engine in the same folder."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.metrics_port = free_port()
        environment = {"BIZZAN_METRICS__PROJECTOR": str(self.metrics_port), "DATABASE_URL": database_url}
        super().__init__(folder, "projector", "exchange.sequencer.projector_main", "projector starts", environment)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A temporary folder whose name leaves room for a socket."""
    with tempfile.TemporaryDirectory(prefix="bzn-", dir="/tmp") as name:
        yield Path(name)


@contextmanager
def engine_process() -> Iterator[EngineProcess]:
    """A running engine with an empty journal."""
    with short_folder() as folder:
        engine = EngineProcess(folder)
        engine.start()
        try:
            yield engine
        finally:
            engine.kill()


def trader(number: int) -> bytes:
    """An address."""
    return keccak(b"trader %d" % number)[:20]


def funding(traders: int, first_inbox_id: int = 1) -> list[Credit]:
    """Money for so many traders, in USDC and BTC."""
    credits: list[Credit] = []
    for number in range(traders):
        for asset in (USDC, BTC):
            inbox_id = first_inbox_id + len(credits)
            credits.append(Credit(inbox_id, trader(number), asset, _FUNDS, f"deposit {inbox_id}"))
    return credits


def place(
    account: bytes,
    nonce: int,
    side: Side = Side.buy,
    price: int = PRICE,
    quantity: int = 10,
    time_in_force: TimeInForce = TimeInForce.gtc,
    expiry: int | None = None,
    client_order_id: str = "",
    self_trade: SelfTrade = SelfTrade.cancel_taker,
) -> PlaceOrder:
    """An order as it comes from an API worker; the engine takes its signature as checked."""
    deadline = expiry if expiry is not None else _far_expiry()
    terms = Terms(time_in_force, self_trade=self_trade).pack()
    order = Order(account, BTC_USDC, side, price, quantity, nonce, deadline, 0, 10, terms)
    return PlaceOrder(order, keccak(order.pack()), 0, b"\x01" * 65, account, client_order_id)


def _far_expiry() -> int:
    """A day from now."""
    return int(time.time()) + 86_400
