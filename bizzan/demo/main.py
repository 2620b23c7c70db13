"""The demo's process: funds its wallets, then lets them trade around the replayed prices until it is stopped.

Every failure of another part (a restart, a refusal, a reorg) is waited out: a trader asks for its state again and
goes on. Nothing here has a key but its own wallets', the local chain's faucet for their first coins, and that chain's
approvers, who approve the demo's own large withdrawals.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.errors import ApiError, ClientError
from bizzan.client.wallet import Wallet
from bizzan.demo import download, prices, tiers
from bizzan.demo.actors import WALLET_OWNER, WATCHER, WITHDRAWER, Actor, Cast
from bizzan.demo.approver import Approvers
from bizzan.demo.pace import Pace
from bizzan.demo.replay import Replay, near_last, resume, save
from bizzan.demo.traders import Trader
from bizzan.demo.withdrawer import SmallWithdrawer, Withdrawer
from bizzan.faucet import faucet_client
from bizzan.operator import Reach
from bizzan.supervisor.deployment import read_deployment
from exchange.chain.rpc import ChainError, Rpc
from exchange.database.engine import create_engine
from exchange.sequencer.logs import configure_logs
from exchange.settings import LOCAL_CHAIN_ID, Settings, SettingsError

log = structlog.get_logger()

PAUSE_SECONDS = 2.0
STEP_SECONDS = 1.0
SAVE_STEPS = 5
REPORT_SECONDS = 30.0
PRICES_FOLDER = Path(".tools") / "data"
LOST_RIGHTS = frozenset({"unknown_delegate", "delegate_expired"})
"""Refusals after which an actor makes sure of its delegation: the chain may have lost it."""


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
        self._database_url = settings.database_url()
        self._clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
        self._last: dict[str, Decimal] = {}
        self._replay: Replay | None = None
        self._refused: Counter[str] = Counter()

    async def run(self, series: list[prices.Prices]) -> None:
        """Fund and trade, until cancelled."""
        cast = Cast(self._settings, Pace(self._settings.demo.orders_per_second, self._clock), self._clock)
        async with cast.client(WATCHER) as watcher:
            await self._until_done("wait_for_api", watcher.connect)
            await self._until_done("offer_tiers", lambda: tiers.offer(watcher, Reach.of(self._settings)))
            self._open(watcher, series)
            actors = cast.actors()
            async with asyncio.TaskGroup() as tasks, self._custody(watcher.exchange.custody) as faucet:
                tasks.create_task(self._watch(watcher))
                tasks.create_task(self._tell_time())
                tasks.create_task(self._report(actors))
                for number, actor in enumerate(actors):
                    tasks.create_task(self._live(actor, faucet, number))
                tasks.create_task(self._withdraw_much(cast.client(WITHDRAWER), faucet))
                pocket = cast.wallet_client()
                small = SmallWithdrawer(pocket, cast.wallet(WALLET_OWNER).text_address)
                tasks.create_task(self._withdraw(pocket, small.step))
                tasks.create_task(self._approve(cast.wallet(WITHDRAWER)))
                await asyncio.Event().wait()

    def _open(self, watcher: BizzanClient, series: list[prices.Prices]) -> None:
        """Take the reference prices as the last ones known, where there are any, and find the place in the series."""
        for symbol, builder in watcher.exchange.markets.items():
            if builder.market.reference_price:
                self._last[symbol] = Decimal(builder.price_text(builder.market.reference_price))
        file = self._settings.state_dir / "demo.json"
        self._replay = resume(series, file, self._last.get("BTC-USDC"), self._last.get("ETH-BTC"))
        log.info("demo_starts", hour=self._replay.hour.at.isoformat(), btc=str(self._replay.hour.btc))

    def _custody(self, custody: str, wallet: Wallet | None = None) -> CustodyClient:
        """The contract as `wallet`, or the faucet, calls it."""
        if wallet is None:
            return faucet_client(self._settings.rpc_url, custody, self._settings.key("faucet"))
        return CustodyClient(self._settings.rpc_url, custody, wallet)

    async def _live(self, actor: Actor, faucet: CustodyClient, number: int) -> None:
        """One actor, for ever."""
        trader = actor.trader
        chance = random.Random(f"{self._settings.demo.seed}:{number}")
        custody = self._custody(faucet.custody, actor.payer)
        async with trader.client.transport, custody:
            await self._until_done("arrive", lambda: actor.arrive(custody, faucet))
            log.info("trader_ready", account=trader.client.text_account, kind=type(trader).__name__)
            while True:
                refused = await self._act(trader, chance)
                if refused in LOST_RIGHTS or not trader.solvent(actor.purse):  # a reorg took it back
                    await self._until_done("arrive", lambda: actor.arrive(custody, faucet))
                    trader.doubt()
                    await asyncio.sleep(PAUSE_SECONDS)
                await asyncio.sleep(chance.uniform(0.2, 0.8))

    async def _withdraw_much(self, client: BizzanClient, faucet: CustodyClient) -> None:
        """Large withdrawals, for ever."""
        async with self._custody(faucet.custody, client.wallet) as custody:
            await self._withdraw(client, Withdrawer(client, custody, faucet).step)

    async def _withdraw(self, client: BizzanClient, step: Callable[[int], Awaitable[object]]) -> None:
        """Take a step again and again; sign in when that is needed."""
        async with client.transport:
            await self._until_done("connect", client.connect)
            while True:
                try:
                    await step(int(time.time() * 1_000))
                except ClientError as error:
                    if isinstance(error, ApiError) and error.status == 401:
                        await self._until_done("login", client.login)
                    else:
                        log.warning("waiting", what="withdraw", reason=str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _approve(self, withdrawer: Wallet) -> None:
        """Approvals of the demo's large withdrawals, for ever."""
        keys = [self._settings.key(name) for name in ("approver_1", "approver_2", "approver_3")]
        deployment = read_deployment(self._settings)
        approvers = Approvers(self._settings.rpc_url, deployment, keys, [withdrawer.address])
        database = create_engine(self._database_url, pool_size=1)
        async with Rpc(self._settings.rpc_url) as rpc:
            while True:
                try:
                    await approvers.step(database, rpc, self._clock())
                except (SQLAlchemyError, ChainError, OSError) as error:
                    log.warning("waiting", what="approve", reason=str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _act(self, trader: Trader, chance: random.Random) -> str | None:
        """One action; the code of its refusal, if it was refused."""
        try:
            await trader.refresh()
            await trader.act(self.beliefs(), chance)
        except ApiError as error:
            self._refused[error.code] += 1
            trader.doubt()
            await asyncio.sleep(error.retry_after or PAUSE_SECONDS)
            return error.code
        except ClientError as error:
            log.warning("waiting", account=trader.client.text_account, reason=str(error))
            trader.doubt()
            await asyncio.sleep(PAUSE_SECONDS)
        return None

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

    async def _report(self, actors: list[Actor]) -> None:
        """Say now and then what happened: refusals are part of trading, so only their number is told."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            placed = sum(actor.trader.placed for actor in actors)
            hour = self._replay.hour.at.isoformat() if self._replay else None
            log.info("traffic", placed=placed, hour=hour, refused=dict(self._refused))

    async def _until_done(self, what: str, action: Callable[[], Awaitable[object]]) -> None:
        """Try again until it works: other parts may still be starting."""
        while True:
            try:
                await action()
            except ClientError as error:
                log.warning("waiting", what=what, reason=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
