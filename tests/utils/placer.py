"""A trader that never stops placing orders, alone and in frames, and remembers which of them were acknowledged."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.entry import EntryClient, EntryLost, EntryRefused
from bizzan.client.errors import ApiError, ClientError
from bizzan.client.schemas import Ack
from bizzan.client.wallet import Wallet
from bizzan.faucet import fund
from exchange.domain.order import Order, Side, TimeInForce
from exchange.domain.order_id import order_id
from exchange.settings import LOCAL_KEYS
from tests.utils.program import Program

MARKET = "BTC-USDC"
DEPOSIT_USDC = 50_000 * 10**6
_PAUSE_SECONDS = 0.05
_FRAME = 2
_FRAME_PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Placer:
    """Bids far below the market from one wallet, cancelling what rests, until it is stopped.

    `framed` are the ids of orders in frames, by their hashes, that order entry said were durable.
    """

    program: Program
    wallet: Wallet = field(default_factory=Wallet.create)
    acks: dict[str, Ack] = field(default_factory=dict)
    framed: dict[str, int] = field(default_factory=dict)
    refusals: list[ApiError] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Deposit, wait for the credit, then place orders in a thread."""
        asyncio.run(self._open_account())
        self._thread = threading.Thread(target=lambda: asyncio.run(self._trade()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Place no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    async def missing(self) -> list[str]:
        """The hashes of acknowledged orders that the exchange does not know any more, or knows by another id."""
        async with BizzanClient(self.program.api_url, self.wallet) as client:
            await client.login()
            ids = {order_hash: ack.order_id for order_hash, ack in self.acks.items()} | self.framed
            found = {order_hash: await self._find(client, order_hash) for order_hash in ids}
        return [order_hash for order_hash, order_id in ids.items() if found[order_hash] != order_id]

    async def _find(self, client: BizzanClient, order_hash: str) -> int | None:
        while True:
            try:
                return (await client.order(order_hash)).order_id
            except ApiError as error:
                if error.code == "not_found":
                    return None
                if error.retry_after is None:
                    raise
                await asyncio.sleep(error.retry_after)

    async def _open_account(self) -> None:
        rpc_url = self.program.rpc_url
        async with BizzanClient(self.program.api_url, self.wallet) as client:
            exchange = client.exchange
            await fund(
                rpc_url,
                exchange.chain_id,
                exchange.custody,
                exchange.tokens,
                LOCAL_KEYS["faucet"],
                self.wallet.text_address,
            )
            async with CustodyClient(rpc_url, exchange.custody, self.wallet) as custody:
                await custody.deposit_token(exchange.tokens["USDC"], DEPOSIT_USDC)
            await client.login()
            for _ in range(600):
                balance = (await client.balances()).balance("USDC")
                if balance and balance.available:
                    return
                await asyncio.sleep(0.2)
            raise AssertionError("the deposit was not credited")

    async def _trade(self) -> None:
        await asyncio.gather(self._place(), self._place_frames())

    async def _place_frames(self) -> None:
        async with BizzanClient(self.program.api_url, self.wallet) as client:
            domain, builder = client.exchange.domain, client.market(MARKET)
        price, nonce = builder.floor_price(Decimal("2000")), 1
        while not self._stop.is_set():
            entry = EntryClient("127.0.0.1", self.program.entry_port, domain, self.wallet)
            with suppress(EntryLost, EntryRefused, OSError):
                async with entry:
                    while not self._stop.is_set():
                        expiry = int(time.time()) + 600
                        nonces = range(nonce, nonce + _FRAME)
                        nonce += _FRAME
                        orders = [self._bid(builder.market.market_id, price, n, expiry) for n in nonces]
                        durable, _ = await entry.place_frame_early(orders)
                        for index, order in enumerate(orders):
                            self.framed["0x" + domain.order_hash(order).hex()] = order_id(durable.seq, index)
                        await asyncio.sleep(_FRAME_PAUSE_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _bid(self, market: int, price: int, nonce: int, expiry: int) -> Order:
        terms = int(TimeInForce.ioc)
        return Order(self.wallet.address, market, Side.buy, price, 10, nonce, expiry, 0, 100, terms)

    async def _place(self) -> None:
        client = BizzanClient(self.program.api_url, self.wallet)
        await client.connect()
        builder = client.market(MARKET)
        price = builder.floor_price(Decimal("2000"))
        number = 0
        while not self._stop.is_set():
            number += 1
            signed = client.sign(builder, Side.buy, price, 10, post_only=True)
            try:
                ack = await client.place_signed(signed, f"placer-{number}")
                assert ack.order_hash is not None
                self.acks[ack.order_hash] = ack
                await client.cancel(signed.order.nonce)
            except ApiError as error:
                self.refusals.append(error)
            except ClientError:
                pass  # the API is away: what was not acknowledged may or may not be there
            await asyncio.sleep(_PAUSE_SECONDS)
        await client.close()
