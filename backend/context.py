"""What an API worker holds: built once at its start, handed to every endpoint."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from backend.announcements.service import Announced
from backend.delegates import Delegates
from backend.guards.levels import Levels
from backend.limits import Connections, RateLimiter
from backend.metrics import Metrics
from backend.operator.services import Services
from backend.powers import Powers
from backend.status.totals import Totals
from backend.status.watch import Watch
from backend.stream.feed import Feed
from backend.stream.logins import Logins
from backend.stream.summaries import Summaries
from backend.wallets import Wallets
from exchange.chain.faucet import Faucet
from exchange.domain.deployment import Deployment, address_bytes
from exchange.domain.eip712 import Domain
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Market
from exchange.sequencer.client import EngineClient
from exchange.settings import ApiSettings, ChainSettings


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time() * 1_000)


@dataclass(slots=True)
class Limits:
    """The rate limits and counts of one worker."""

    address: RateLimiter
    session: RateLimiter
    address_writes: RateLimiter
    account_writes: RateLimiter
    operator_writes: RateLimiter
    connections: Connections

    @classmethod
    def of(cls, settings: ApiSettings) -> "Limits":
        """As the settings say; the clock is the machine's monotonic one."""
        bounds = settings.limits
        return cls(
            RateLimiter("address", bounds.requests_per_second, bounds.requests_burst, monotonic),
            RateLimiter("session", bounds.requests_per_second, bounds.requests_burst, monotonic),
            RateLimiter("address", bounds.address_writes_per_second, bounds.address_writes_burst, monotonic),
            RateLimiter("account", bounds.writes_per_second, bounds.writes_burst, monotonic),
            RateLimiter("operator", bounds.operator_writes_per_second, bounds.operator_writes_burst, monotonic),
            Connections(bounds.connections_per_address),
        )


@dataclass(slots=True)
class Api:
    """One worker's parts. `symbols` maps a market's id and symbol, as a path may say it, to the market.

    `sweep_floors` are ledger units by token id, from which on the keeper sweeps deposit addresses;
    `public_rpc_url` is a node of the chain that browsers may ask.
    """

    settings: ApiSettings
    chain: ChainSettings
    deployment: Deployment
    sweep_floors: Mapping[int, int]
    engine: EngineClient
    database: AsyncEngine
    feed: Feed
    delegates: Delegates
    logins: Logins
    limits: Limits
    metrics: Metrics
    watch: Watch
    totals: Totals
    summaries: Summaries
    wallets: Wallets
    levels: Levels
    powers: Powers
    services: Services
    announced: Announced
    published_dir: Path
    public_rpc_url: str | None
    faucet: Faucet | None
    entry_socket: Path
    started_at: int = field(default_factory=now_ms)
    domain: Domain = field(init=False)
    auditors: frozenset[bytes] = field(init=False)
    symbols: Mapping[str, Market] = field(init=False)

    def __post_init__(self) -> None:
        self.domain = self.deployment.domain
        self.auditors = frozenset(map(address_bytes, self.settings.auditors))
        self.symbols = {str(m.market_id): m for m in self.deployment.markets} | {
            symbol_of(m): m for m in self.deployment.markets
        }

    def market(self, name: str) -> Market:
        """The market that a path or channel names, by id or symbol (`BTC-USDC`). Refuses an unknown one."""
        found = self.symbols.get(name.upper())
        if found is None:
            raise Refusal(ErrorCode.unknown_market, f"there is no market {name[:40]}: see /v1/markets", "market")
        return found

    def min_withdrawal(self, asset_id: int) -> int:
        """The smallest signed withdrawal of an asset, in ledger units."""
        symbol = next(asset.symbol for asset in self.deployment.assets if asset.asset_id == asset_id)
        return self.settings.min_withdrawals.get(symbol, 1)

    def name_of(self, market: Market) -> str:
        """A market's symbol as channels say it."""
        return symbol_of(market)

    def check_domain(self, chain_id: int, contract: bytes) -> None:
        """Refuse a message that was signed for another chain or contract."""
        if chain_id != self.domain.chain_id:
            raise Refusal(
                ErrorCode.wrong_chain,
                f"chain_id must be {self.domain.chain_id}: sign for this exchange's chain",
                "chain_id",
                {"chain_id": self.domain.chain_id},
            )
        if contract != self.domain.contract:
            raise Refusal(
                ErrorCode.wrong_contract,
                f"contract must be {self.deployment.custody}: sign for this exchange's contract",
                "contract",
                {"contract": self.deployment.custody},
            )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reads that agree with one another; `unavailable` when the database is away."""
        try:
            async with self.database.connect() as connection:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                yield connection
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            raise database_away(error) from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; committed at the end of the block."""
        try:
            async with self.database.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            raise database_away(error) from error


def database_away(error: SQLAlchemyError | OSError) -> Refusal | SQLAlchemyError | OSError:
    """`unavailable` for a lost or unreachable database; an error of ours stays what it is."""
    if isinstance(error, DBAPIError) and not error.connection_invalidated and not _lost(error):
        return error
    return Refusal(ErrorCode.unavailable, "the database is away: try again in a second")


def _lost(error: DBAPIError) -> bool:
    """PostgreSQL's classes 08 (connection), 53 (resources) and 57 (operator intervention), or no server at all."""
    state = getattr(error.orig, "sqlstate", None)
    return state is None or str(state)[:2] in ("08", "53", "57")


def symbol_of(market: Market) -> str:
    """A market's symbol as the API says it: `BTC-USDC`."""
    return market.symbol.replace("/", "-")
