"""The application: one worker's parts, put together and taken apart again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from fastapi import Depends, FastAPI
from sqlalchemy import Row

from backend import errors, openapi
from backend.accounts import endpoints as accounts
from backend.announcements import endpoints as announcements
from backend.announcements.service import Announced
from backend.auth import endpoints as auth
from backend.auth import service as auth_service
from backend.context import Api, Limits, now_ms, symbol_of
from backend.delegates import Delegate, Delegates
from backend.deps import check_query
from backend.faucet import endpoints as faucet
from backend.faucet import service as faucet_service
from backend.fees import endpoints as fees
from backend.guards import endpoints as guards
from backend.guards.levels import Levels
from backend.journal import endpoints as journal
from backend.markets import endpoints as markets
from backend.markets import service as market_service
from backend.metrics import Metrics
from backend.middleware import Gate
from backend.operator import endpoints as operator
from backend.operator import upkeep
from backend.operator.services import Services
from backend.orders import endpoints as orders
from backend.powers import Powers
from backend.receipts import endpoints as receipts
from backend.reserves import endpoints as reserves
from backend.status import endpoints as status
from backend.status import site
from backend.status.totals import Counts, Owned, Totals
from backend.status.watch import Watch
from backend.stream import endpoints as stream
from backend.stream.engine_view import load_account
from backend.stream.feed import Feed
from backend.stream.history import keep_history
from backend.stream.logins import Logins
from backend.stream.summaries import Summaries
from backend.surveillance import endpoints as surveillance
from backend.wallets import Wallets
from backend.web import endpoints as web
from backend.wire import to_builtins
from backend.withdrawals import endpoints as withdrawals
from exchange.chain.rpc import Rpc
from exchange.database import announcements as announcement_rows
from exchange.database import balances, delegates, payouts, positions, publication, sessions, trades
from exchange.database import fees as fee_rows
from exchange.database.engine import create_engine
from exchange.database.positions import Position
from exchange.domain.deployment import Deployment, address_bytes
from exchange.domain.deposit_address import sweep_floors
from exchange.domain.errors import Refusal
from exchange.domain.instrument import Market
from exchange.sequencer.client import EngineClient
from exchange.sequencer.ending import end
from exchange.settings import Settings

log = structlog.get_logger()

VERSION = "1.0.0"
TRADING = (markets, fees, orders, accounts, guards, withdrawals)


def create_app(settings: Settings) -> FastAPI:
    """The API as an ASGI application; its parts are made when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.api = await start(settings, stack)
            yield

    app = FastAPI(
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    for module in (*TRADING, receipts, journal, reserves, surveillance, auth, status, announcements, operator):
        app.include_router(module.router, dependencies=[Depends(check_query)])
    if settings.is_local_chain:
        app.include_router(faucet.router, dependencies=[Depends(check_query)])
    for page in (site, web, stream):
        app.include_router(page.router)
    errors.install(app)
    openapi.install(app)
    app.add_middleware(Gate)
    return app


async def start(settings: Settings, stack: AsyncExitStack) -> Api:
    """Make a worker's parts and start its tasks; `stack` takes them apart. It does not wait for the engine."""
    deployment = Deployment.parse(json.loads(settings.deployment_file.read_bytes()))
    database = create_engine(settings.database_url(), settings.database.pool_size)
    stack.push_async_callback(database.dispose)
    rpc = Rpc(settings.rpc_url, timeout_seconds=3, tries=1)
    stack.push_async_callback(rpc.close)
    engine = EngineClient(settings.engine_socket())
    stack.push_async_callback(engine.close)
    feed = Feed(
        engine,
        {market.market_id: market for market in deployment.markets},
        {market.market_id: symbol_of(market) for market in deployment.markets},
        load_account(engine),
        now_ms,
    )
    api = Api(
        settings=settings.api,
        chain=settings.chain,
        deployment=deployment,
        sweep_floors=sweep_floors(deployment, settings.sweep.floors),
        engine=engine,
        database=database,
        feed=feed,
        delegates=Delegates(lambda account, key: _load_delegate(api, account, key), now_ms),
        logins=Logins(lambda hashes: _living(api, hashes)),
        limits=Limits.of(settings.api),
        metrics=Metrics(),
        watch=Watch(
            rpc,
            lambda: _position(api),
            lambda: (feed.seq, feed.ready and engine.connected),
            engine.status,
            settings.api.lag_blocks,
        ),
        totals=Totals(lambda: _totals(api)),
        summaries=Summaries(lambda market, interval: _summary(api, market, interval), lambda: feed.seq),
        wallets=Wallets(rpc),
        levels=Levels(rpc, address_bytes(deployment.custody)),
        services=Services(_addresses(settings)),
        announced=Announced(lambda: _announced(api), now_ms),
        powers=Powers(rpc, address_bytes(deployment.custody), map(address_bytes, settings.api.operators)),
        published_dir=settings.published_dir,
        public_rpc_url=settings.public_rpc_url,
        faucet=faucet_service.build(settings, deployment, rpc),
        entry_socket=settings.entry_socket(),
    )
    tasks = (lambda: keep_history(api), lambda: upkeep.run(api))
    runs = (feed.run, *tasks, api.watch.run, api.summaries.run, api.logins.run, auth_service.prepare)
    for run in (lambda: _connect(engine), *runs):
        _start_task(stack, run)
    return api


def _addresses(settings: Settings) -> dict[str, str]:
    """Where each process tells machines how it is."""
    ports = settings.metrics.model_dump(exclude={"host"})
    return {name: f"http://{settings.metrics.host}:{port}" for name, port in ports.items()}


def _start_task(stack: AsyncExitStack, run: Callable[[], Any]) -> None:
    task = asyncio.create_task(run())

    task.add_done_callback(_log_death)
    stack.push_async_callback(end, [task])


def _log_death(task: asyncio.Task[None]) -> None:
    """No background task fails by itself; if one does, that is a defect and everybody shall see it."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("task_died", exc_info=task.exception())


async def _connect(engine: EngineClient) -> None:
    """Start the client; it reconnects by itself from then on."""
    try:
        await engine.connect()
    except Refusal:
        log.warning("engine_away")


async def _load_delegate(api: Api, account: bytes, key: bytes) -> Delegate | None:
    async with api.reading() as connection:
        row = await delegates.latest(connection, api.domain.chain_id, account, key)
    return None if row is None or row.kind != "added" else Delegate(int(row.markets), row.expiry)


async def _living(api: Api, token_hashes: Collection[bytes]) -> Collection[bytes]:
    async with api.reading() as connection:
        return await sessions.living(connection, token_hashes, now_ms())


async def _position(api: Api) -> Position:
    async with api.reading() as connection:
        return await positions.read(connection, api.domain.chain_id)


async def _totals(api: Api) -> Counts:
    async with api.reading() as connection:
        chain_id = api.domain.chain_id
        return Counts(
            trades=await trades.totals(connection, chain_id),
            mismatches=await trades.mismatches(connection, chain_id),
            given_up=len(await payouts.given_up(connection)),
            fees=await fee_rows.totals(connection, chain_id),
            diverted=await fee_rows.diverted(connection, chain_id),
            published=await publication.published(connection),
            owned=Owned(
                (await positions.read(connection, chain_id)).indexed_block, await balances.owned(connection, chain_id)
            ),
        )


async def _announced(api: Api) -> Sequence[Row[Any]]:
    async with api.reading() as connection:
        return await announcement_rows.shown(connection, now_ms())


async def _summary(api: Api, market: Market, interval: str) -> dict[str, Any]:
    """A ticker, or the latest two candles; without what changes when nothing has happened."""
    if not interval:
        ticker = to_builtins(await market_service.ticker(api, market))
        return {"ticker": {name: value for name, value in ticker.items() if name not in _POSITIONS}}
    page = await market_service.candle_page(api, market, interval, None, None, 2)
    return {"candles": to_builtins(page.candles)}


_POSITIONS = frozenset({"seq", "journal_seq", "indexed_block", "finalized_block"})
