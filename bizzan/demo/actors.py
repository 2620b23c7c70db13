"""Who takes part in the demo: makers, takers, accounts with a delegated key, and one who trades with itself.

Wallet numbers are fixed by kind, so that more makers or takers never change the others' wallets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.wallet import Owner, Wallet
from bizzan.demo import owners, tiers
from bizzan.demo.funding import Purse, fill_up, provide
from bizzan.demo.pace import Pace
from bizzan.demo.quotes import Style
from bizzan.demo.traders import Careless, Maker, Taker, Trader
from bizzan.operator import Reach
from exchange.settings import Settings

MAKER_PURSE: Purse = {"USDC": Decimal(500_000), "ETH": Decimal(60), "BTC": Decimal(30)}
TAKER_PURSE: Purse = {"USDC": Decimal(50_000), "ETH": Decimal(20), "BTC": Decimal(5)}
STYLES = (Style(), Style(levels=4, spread_bps=12, step_bps=10), Style(levels=2, spread_bps=5, step_bps=20))

WATCHER, FIRST_MAKER, FIRST_TAKER = 0, 1, 101
KEY_OWNER, KEY_DELEGATE, WALLET_OWNER, WALLET_DELEGATE, WITHDRAWER = 1_001, 1_002, 1_011, 1_012, 1_021
CARELESS = 1_031

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Actor:
    """A trader, what it owns at first, and the key that pays for its transactions.

    `plainly` money comes by transfers to its deposit address. `prepare` is what stands before it signs in, `complete`
    what it does once it has money; both are done again after anything unexpected, and do nothing twice.
    """

    trader: Trader
    purse: Purse
    payer: Wallet
    plainly: bool = False
    prepare: Callable[[CustodyClient], Awaitable[None]] | None = None
    complete: Callable[[CustodyClient], Awaitable[None]] | None = None

    async def arrive(self, custody: CustodyClient, faucet: CustodyClient) -> None:
        """Sign in, and have money and rights. `custody` is the payer's. Raises ClientError."""
        client = self.trader.client
        await client.connect()
        if self.prepare is not None:
            await fill_up(custody, faucet)
            await self.prepare(custody)
        await client.login()
        await provide(client, custody, faucet, self.purse, plainly=self.plainly)
        if self.complete is not None:
            await self.complete(custody)


class Cast:
    """Makes the actors of these settings."""

    def __init__(self, settings: Settings, pace: Pace, clock: Clock) -> None:
        self._demo = settings.demo
        self._url = f"http://{settings.api.host}:{settings.api.port}"
        self._reach = Reach.of(settings)
        self._pace = pace
        self._clock = clock

    def actors(self) -> list[Actor]:
        """All of them; the first taker comes by plain transfers."""
        makers = [self._maker(n) for n in range(self._demo.makers)]
        takers = [self._taker(n) for n in range(self._demo.takers)]
        return [*makers, *takers, self._key_with_delegate(), self._contract_wallet(), self._careless()]

    def wallet(self, number: int) -> Wallet:
        """The wallet with this number."""
        return Wallet.from_seed(self._demo.seed, number)

    def client(self, number: int, owner: Owner | None = None) -> BizzanClient:
        """Access to the exchange with a wallet, its own or as a delegated key of `owner`."""
        return BizzanClient(self._url, self.wallet(number), owner=owner)

    def wallet_client(self) -> BizzanClient:
        """Access of the contract wallet, whose owner's key signs for it."""
        return self.client(WALLET_DELEGATE, owners.contract_wallet(self.wallet(WALLET_OWNER)))

    def _maker(self, n: int) -> Actor:
        """The first maker signs in bulk."""
        client = self.client(FIRST_MAKER + n)
        maker = Maker(client, self._pace, self._clock, STYLES[n % len(STYLES)], bulk=not n)

        async def complete(_: CustodyClient) -> None:
            await tiers.join(client, self._reach)

        return Actor(maker, MAKER_PURSE, client.wallet, complete=complete)

    def _taker(self, n: int) -> Actor:
        client = self.client(FIRST_TAKER + n)
        return Actor(Taker(client, self._pace, self._clock), TAKER_PURSE, client.wallet, plainly=not n)

    def _careless(self) -> Actor:
        client = self.client(CARELESS)
        return Actor(Careless(client, self._pace, self._clock), TAKER_PURSE, client.wallet)

    def _key_with_delegate(self) -> Actor:
        """An account of an ordinary key, which signs in and deposits; another key trades."""
        owner = self.wallet(KEY_OWNER)
        return self._delegated(KEY_DELEGATE, owner, owner)

    def _contract_wallet(self) -> Actor:
        """An account that is a contract; its owner's key pays and signs for it, another key trades."""
        payer = self.wallet(WALLET_OWNER)
        wallet = owners.contract_wallet(payer)

        async def prepare(custody: CustodyClient) -> None:
            await owners.create_wallet(custody, wallet)

        return self._delegated(WALLET_DELEGATE, wallet, payer, prepare)

    def _delegated(
        self,
        key: int,
        owner: Owner,
        payer: Wallet,
        prepare: Callable[[CustodyClient], Awaitable[None]] | None = None,
    ) -> Actor:
        client = self.client(key, owner)

        async def complete(custody: CustodyClient) -> None:
            await owners.delegate(custody, owner, client.exchange.domain, client.wallet)

        return Actor(Taker(client, self._pace, self._clock), TAKER_PURSE, payer, prepare=prepare, complete=complete)
