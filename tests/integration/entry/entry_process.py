"""Order entry as a process of its own, in front of an engine's, and orders to send it."""

import random
import time

import httpx
from sqlalchemy import insert

from bizzan.client.entry import EntryClient
from bizzan.client.wallet import Wallet
from bizzan.supervisor.ports import free_port
from exchange.database.engine import create_engine
from exchange.database.tables import account
from exchange.domain.eip712 import Domain
from exchange.domain.order import Order, Side
from exchange.engine.commands import Credit
from exchange.sequencer.client import EngineClient
from tests.integration.sequencer.engine_process import BTC, BTC_USDC, DEPLOYMENT, PRICE, USDC, EngineProcess, Service

DOMAIN = DEPLOYMENT.domain
WALLETS = [Wallet(bytes([n + 1]) * 32) for n in range(3)]


class EntryProcess(Service):
    """Order entry in front of the engine in the same folder."""

    def __init__(self, engine: EngineProcess, database_url: str) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        environment = {
            "BIZZAN_ENTRY__PORT": str(self.port),
            "BIZZAN_METRICS__ENTRY": str(self.metrics_port),
            "BIZZAN_ENTRY__WORKERS": "1",
            "BIZZAN_ENTRY__SESSIONS_PER_ACCOUNT": "2",
            "BIZZAN_ENTRY__FRAMES_IN_FLIGHT": "4",
            "DATABASE_URL": database_url,
        }
        super().__init__(engine.folder, "entry", "backend.entry.main", "entry listens", environment)

    async def metrics(self) -> dict[str, float]:
        """What it counts."""
        async with httpx.AsyncClient(timeout=60) as client:
            text = (await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}


async def know_accounts(database_url: str) -> None:
    """Write down what the projector would: it does not run here."""
    database = create_engine(database_url)
    async with database.begin() as conn:
        for number, wallet in enumerate(WALLETS, 1):
            row = {"account_id": number, "address": wallet.address, "status": "active", "min_nonce": 0}
            await conn.execute(insert(account).values(row))
    await database.dispose()


async def fund(engine: EngineProcess) -> None:
    pairs = [(wallet, asset) for wallet in WALLETS for asset in (USDC, BTC)]
    async with EngineClient(engine.socket) as client:
        await client.submit_many([Credit(n + 1, w.address, a, 10**15, f"d {n}") for n, (w, a) in enumerate(pairs)])


def orders(wallet: Wallet, first: int, count: int, seed: int = 1) -> list[Order]:
    chance, expiry = random.Random(seed), int(time.time()) + 3_600
    return [
        Order(
            wallet.address,
            BTC_USDC,
            chance.choice((Side.buy, Side.sell)),
            PRICE + 10 * chance.randint(-9, 9),
            chance.randint(2, 20),
            first + n,
            expiry,
            0,
            10,
            0,
        )
        for n in range(count)
    ]


def client_of(entry: EntryProcess, wallet: Wallet = WALLETS[0], domain: Domain = DOMAIN) -> EntryClient:
    return EntryClient("127.0.0.1", entry.port, domain, wallet)
