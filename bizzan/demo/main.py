"""The demo's process: funds its wallets, then lets them trade around the replayed prices until it is stopped.

Every failure of another part (a restart, a refusal, a reorg) is waited out: a trader asks for its state again and
goes on. Nothing here has a key but its own wallets', and the local chain's faucet for their first coins.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import structlog

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.errors import ApiError, ClientError
from bizzan.client.wallet import Wallet
from bizzan.demo import download, prices, tiers
from bizzan.demo.funding import Purse, provide
from bizzan.demo.pace import Pace
from bizzan.demo.quotes import Style
from bizzan.demo.replay import Replay, near_last, resume, save
from bizzan.demo.traders import Maker, Taker, Trader
from exchange.sequencer.logs import configure_logs
from exchange.settings import LOCAL_CHAIN_ID, Settings, SettingsError

log = structlog.get_logger()

MAKER_PURSE: Purse = {"USDC": Decimal(500_000), "ETH": Decimal(60), "BTC": Decimal(30)}
TAKER_PURSE: Purse = {"USDC": Decimal(50_000), "ETH": Decimal(20), "BTC": Decimal(5)}
STYLES = (Style(), Style(levels=4, spread_bps=12, step_bps=10), Style(levels=2, spread_bps=5, step_bps=20))
PAUSE_SECONDS = 2.0
STEP_SECONDS = 1.0
SAVE_STEPS = 5
REPORT_SECONDS = 30.0
PRICES_FOLDER = Path(".tools") / "data"


def run(settings: Settings) -> None:
    """Trade until stopped. Raises SettingsError elsewhere than on the local chain, DownloadError without prices."""
    if settings.chain.chain_id != LOCAL_CHAIN_ID:
        raise SettingsError(f"the demo trades with play money, on the local chain {LOCAL_CHAIN_ID} only")
    configure_logs(settings.log_level, "demo")
    download.fetch(PRICES_FOLDER)
    asyncio.run(Demo(settings).run(prices.load(PRICES_FOLDER)))


class Demo:
    """All actors of one demo, and the prices that they believe in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = f"http://{settings.api.host}:{settings.api.port}"
        self._database_url = settings.database_url()
        self._clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
        self._last: dict[str, Decimal] = {}
        self._replay: Replay | None = None
        self._refused: Counter[str] = Counter()

    async def run(self, series: list[prices.Prices]) -> None:
        """Fund and trade, until cancelled."""
        pace = Pace(self._settings.demo.orders_per_second, self._clock)
        async with self._client(0) as watcher:
            await self._until_done("wait_for_api", watcher.connect)
            await self._until_done("offer_tiers", lambda: tiers.offer(watcher, self._database_url))
            self._open(watcher, series)
            traders = self._traders(pace)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(watcher))
                tasks.create_task(self._tell_time())
                tasks.create_task(self._report(traders))
                async with self._faucet(watcher.exchange.custody) as faucet:
                    for number, (trader, purse) in enumerate(traders):
                        tasks.create_task(self._live(trader, purse, faucet, number))
                    await asyncio.Event().wait()

    def _open(self, watcher: BizzanClient, series: list[prices.Prices]) -> None:
        """Take the reference prices as the last ones known, where there are any, and find the place in the series."""
        for symbol, builder in watcher.exchange.markets.items():
            if builder.market.reference_price:
                self._last[symbol] = Decimal(builder.price_text(builder.market.reference_price))
        file = self._settings.state_dir / "demo.json"
        self._replay = resume(series, file, self._last.get("BTC-USDC"), self._last.get("ETH-BTC"))
        log.info("demo_starts", hour=self._replay.hour.at.isoformat(), btc=str(self._replay.hour.btc))

    def _traders(self, pace: Pace) -> list[tuple[Trader, Purse]]:
        """Makers first, of which the first signs in bulk; wallet numbers start at 1, so that more takers never change
        the others' wallets."""
        demo = self._settings.demo
        makers: list[tuple[Trader, Purse]] = [
            (Maker(self._client(1 + n), pace, self._clock, STYLES[n % len(STYLES)], bulk=not n), MAKER_PURSE)
            for n in range(demo.makers)
        ]
        return makers + [(Taker(self._client(101 + n), pace, self._clock), TAKER_PURSE) for n in range(demo.takers)]

    def _client(self, number: int) -> BizzanClient:
        return BizzanClient(self._url, Wallet.from_seed(self._settings.demo.seed, number))

    def _faucet(self, custody: str) -> CustodyClient:
        wallet = Wallet.from_hex(self._settings.key("faucet"))
        return CustodyClient(self._settings.rpc_url, custody, wallet)

    async def _live(self, trader: Trader, purse: Purse, faucet: CustodyClient, number: int) -> None:
        """One actor, for ever. The first taker comes by plain transfers to its deposit address."""
        client, first_taker = trader.client, self._settings.demo.makers
        chance = random.Random(f"{self._settings.demo.seed}:{number}")
        custody = CustodyClient(self._settings.rpc_url, faucet.custody, client.wallet)

        async def fund() -> None:
            await client.connect()
            await client.login()
            await provide(client, custody, faucet, purse, plainly=number == first_taker)

        async with client.transport, custody:
            await self._until_done("fund", fund)
            if isinstance(trader, Maker):
                await self._until_done("join_tier", lambda: tiers.join(client, self._database_url))
            log.info("trader_ready", account=client.text_account, kind=type(trader).__name__)
            while True:
                await self._act(trader, chance)
                if not trader.solvent(purse):  # a reorg took the deposit back
                    await self._until_done("fund", fund)
                    trader.doubt()
                    await asyncio.sleep(PAUSE_SECONDS)
                await asyncio.sleep(chance.uniform(0.2, 0.8))

    async def _act(self, trader: Trader, chance: random.Random) -> None:
        try:
            await trader.refresh()
            await trader.act(self.beliefs(), chance)
        except ApiError as error:
            self._refused[error.code] += 1
            trader.doubt()
            await asyncio.sleep(error.retry_after or PAUSE_SECONDS)
        except ClientError as error:
            log.warning("waiting", account=trader.client.text_account, reason=str(error))
            trader.doubt()
            await asyncio.sleep(PAUSE_SECONDS)

    def beliefs(self) -> dict[str, Decimal]:
        """What each market is worth now, near its last trade."""
        believed = self._replay.believed() if self._replay else {}
        return {
            symbol: near_last(price, self._last[symbol]) for symbol, price in believed.items() if symbol in self._last
        }

    async def _watch(self, watcher: BizzanClient) -> None:
        """Follow the last price of every market."""
        while True:
            for symbol in watcher.exchange.markets:
                try:
                    last = (await watcher.ticker(symbol)).last_price
                except ClientError:
                    continue
                if last:
                    self._last[symbol] = Decimal(watcher.market(symbol).price_text(last))
            await asyncio.sleep(STEP_SECONDS)

    async def _tell_time(self) -> None:
        """Move the replay on, and keep its place."""
        hours = Decimal(str(STEP_SECONDS)) / self._settings.demo.seconds_per_hour
        step = 0
        while True:
            await asyncio.sleep(STEP_SECONDS)
            step += 1
            if self._replay is not None:
                self._replay.advance(hours)
                if not step % SAVE_STEPS:
                    save(self._replay, self._settings.state_dir / "demo.json")

    async def _report(self, traders: list[tuple[Trader, Purse]]) -> None:
        """Say now and then what happened: refusals are part of trading, so only their number is told."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            placed = sum(trader.placed for trader, _ in traders)
            hour = self._replay.hour.at.isoformat() if self._replay else None
            log.info("traffic", placed=placed, hour=hour, refused=dict(self._refused))

    async def _until_done(self, what: str, action: Callable[[], Awaitable[None]]) -> None:
        """Try again until it works: other parts may still be starting."""
        while True:
            try:
                await action()
            except ClientError as error:
                log.warning("waiting", what=what, reason=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
