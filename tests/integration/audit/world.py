"""A whole exchange on which two wallets have traded, for audits; and a dishonest operator."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from sqlalchemy import RowMapping, select, text

from bizzan.audit.evidence import Sources
from bizzan.audit.findings import Report
from bizzan.audit.main import audit, sources_of
from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.errors import ApiError
from bizzan.client.schemas import Fill as ClientFill
from bizzan.client.wallet import SignedOrder, Wallet
from bizzan.faucet import fund
from exchange.database import engine_inbox
from exchange.database.engine import create_engine
from exchange.database.tables import batch, job, orders, trade
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Order, Side, TimeInForce
from exchange.domain.settlement import Fill, aggregate
from exchange.settings import LOCAL_KEYS, load_settings
from keeper.custody import SettleCall
from tests.utils.program import Program

MARKET = "BTC-USDC"
PRICE = "8000"
QUANTITY = "0.01"
POLL_SECONDS = 0.2
WAIT_POLLS = 1_500


@dataclass
class World:
    """A running exchange with a seller of BTC and a buyer."""

    program: Program
    sources: Sources
    seller: Wallet
    buyer: Wallet

    @classmethod
    def of(cls, program: Program) -> World:
        """Around a program that is up."""
        local = {"chain_port": urlsplit(program.rpc_url).port, "database_port": program.database_port}
        settings = load_settings(paths={"state_dir": program.state_dir}, local=local)
        return cls(program, sources_of(settings), Wallet.create(), Wallet.create())

    def audit(self) -> Report:
        """Audit it as it stands."""
        return asyncio.run(audit(self.sources))

    async def open_accounts(self) -> None:
        """Fund both wallets and deposit what each will sell."""
        await asyncio.gather(
            self._deposit(self.seller, "BTC", 10**8), self._deposit(self.buyer, "USDC", 10_000 * 10**6)
        )

    async def _deposit(self, wallet: Wallet, symbol: str, amount: int) -> None:
        async with BizzanClient(self.program.api_url, wallet) as client:
            there = client.exchange
            tokens = {name: there.tokens[name] for name in ("ETH", symbol)}
            key = LOCAL_KEYS["faucet" if wallet is self.seller else "guardian"]
            await fund(self.program.rpc_url, there.chain_id, there.custody, tokens, key, wallet.text_address)
            async with CustodyClient(self.program.rpc_url, there.custody, wallet) as custody:
                await custody.deposit_token(tokens[symbol], amount)
            await client.login()
            for _ in range(WAIT_POLLS):
                balance = (await client.balances()).balance(symbol)
                if balance and balance.available == amount:
                    return
                await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"the deposit of {symbol} was not credited")

    async def fund_by_plain_transfers(self, amounts: Mapping[str, int]) -> None:
        """Another wallet sends ledger units to a new seller's deposit address; the keeper is killed in the middle."""
        self.seller, sender = Wallet.create(), Wallet.create()
        async with BizzanClient(self.program.api_url, self.seller) as client:
            there = client.exchange
            await fund(
                self.program.rpc_url,
                there.chain_id,
                there.custody,
                {name: there.tokens[name] for name in amounts},
                LOCAL_KEYS["guardian"],
                sender.text_address,
            )
            await client.login()
            address = (await client.deposit_address()).deposit_address
            async with CustodyClient(self.program.rpc_url, there.custody, sender) as custody:
                for name, amount in amounts.items():
                    token = there.tokens[name]
                    await custody.transfer(token.address, address, amount * token.unit)
            await self._kill_keeper_in_a_sweep()
            for _ in range(WAIT_POLLS):
                balances = await client.balances()
                found = {name: balance.available for name in amounts if (balance := balances.balance(name))}
                if found == dict(amounts):
                    break
                await asyncio.sleep(POLL_SECONDS)
            assert found == dict(amounts)
            assert {deposit.amount for deposit in await client.deposits()} == set(amounts.values())

    async def _kill_keeper_in_a_sweep(self) -> None:
        """As soon as it has queued one; the supervisor brings it back."""
        engine = create_engine(self.sources.database_url, pool_size=1)
        try:
            for _ in range(WAIT_POLLS):
                async with engine.connect() as conn:
                    if await conn.scalar(select(job.c.job_id).where(job.c.duty == "sweep").limit(1)):
                        break
                await asyncio.sleep(POLL_SECONDS / 10)
        finally:
            await engine.dispose()
        pid = self.program.pid("keeper")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    async def trade(self) -> ClientFill:
        """One trade between the two; its fill as the buyer sees it."""
        async with (
            BizzanClient(self.program.api_url, self.seller) as seller,
            BizzanClient(self.program.api_url, self.buyer) as buyer,
        ):
            await seller.place(MARKET, Side.sell, PRICE, QUANTITY)
            ack = await buyer.place(MARKET, Side.buy, PRICE, QUANTITY, time_in_force=TimeInForce.ioc)
            return (await self._mirrored(buyer, ack.order_id, 1))[0]

    async def _mirrored(self, client: BizzanClient, order_id: int | None, count: int) -> list[ClientFill]:
        """An order's fills, once there are so many."""
        await client.login()
        for _ in range(WAIT_POLLS):
            fills = await client.fills(order_id=order_id)
            if len(fills) >= count:
                return list(fills)
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError("the trade was not mirrored")

    async def buy_for(self, spend: str) -> ClientFill:
        """The buyer spends an amount of quote on what the seller offers; its fill as the buyer sees it."""
        async with (
            BizzanClient(self.program.api_url, self.seller) as seller,
            BizzanClient(self.program.api_url, self.buyer) as buyer,
        ):
            await seller.place(MARKET, Side.sell, PRICE, QUANTITY, time_in_force=TimeInForce.gtc)
            ack = await buyer.place(MARKET, Side.buy_quote, PRICE, spend, time_in_force=TimeInForce.ioc)
            return (await self._mirrored(buyer, ack.order_id, 1))[0]

    async def trade_in_bulk(self, count: int = 5) -> None:
        """The buyer takes what the seller offered under one signature, and its delegated key under another."""
        key = Wallet.create()
        async with (
            BizzanClient(self.program.api_url, self.seller) as seller,
            BizzanClient(self.program.api_url, key, account=self.seller.address) as delegate,
            BizzanClient(self.program.api_url, self.buyer) as buyer,
            CustodyClient(self.program.rpc_url, seller.exchange.custody, self.seller) as custody,
        ):
            await custody.add_delegate(key.text_address, await custody.chain_time() + 80_000)
            market = seller.market(MARKET)
            price, lots = market.price(PRICE), market.quantity(QUANTITY)
            for client, scheme in ((seller, Scheme.bulk), (delegate, Scheme.bulk | Scheme.delegate)):
                orders = [client.build(market, Side.sell, price, lots) for _ in range(count)]
                for signed in client.sign_all(orders):
                    assert signed.scheme == scheme
                    await self._place_when_known(client, signed)
            ack = await buyer.place(
                MARKET, Side.buy, PRICE, str(Decimal(QUANTITY) * 2 * count), time_in_force=TimeInForce.fok
            )
            await self._mirrored(buyer, ack.order_id, 2 * count)

    async def _place_when_known(self, client: BizzanClient, signed: SignedOrder) -> None:
        """A delegated key trades once the indexer has seen it."""
        for _ in range(WAIT_POLLS):
            try:
                await client.place_signed(signed)
            except ApiError as error:
                if error.code != "unknown_delegate":
                    raise
                await asyncio.sleep(POLL_SECONDS)
            else:
                return
        raise AssertionError("the delegated key was not mirrored")

    async def wait_final(self) -> None:
        """Wait until all trades so far are final."""
        async with BizzanClient(self.program.api_url, self.buyer) as buyer:
            await buyer.login()
            for _ in range(WAIT_POLLS):
                if all(fill.status == "final" for fill in await buyer.fills()):
                    return
                await asyncio.sleep(POLL_SECONDS)
        raise AssertionError("the trades did not become final")

    async def execute(self, statement: str) -> None:
        """Change the database behind everybody's back."""
        engine = create_engine(self.sources.database_url, pool_size=1)
        try:
            async with engine.begin() as conn:
                await conn.execute(text(statement))
        finally:
            await engine.dispose()

    def hold_keeper(self, held: bool) -> None:
        """Stop the honest keeper where it is, or let it go on."""
        pid = self.program.pid("keeper")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP if held else signal.SIGCONT)

    async def settle_without(self, left_out: int) -> str:
        """Cut a batch of all open trades and settle it as the operator, but leave one trade out.

        Returns the transaction's hash.
        """
        engine = create_engine(self.sources.database_url, pool_size=1)
        try:
            async with engine.begin() as conn:
                rows = (await conn.execute(select(trade).where(trade.c.batch.is_(None)))).mappings().all()
                last = (await conn.execute(select(batch).order_by(batch.c.batch.desc()).limit(1))).mappings().one()
                number, to_seq = last["batch"] + 1, max(row["seq"] for row in rows)
                await engine_inbox.post(conn, "cut_batch", {"batch": number, "to_seq": to_seq}, f"cut:{number}")
                placed = {row["order_id"]: row for row in (await conn.execute(select(orders))).mappings()}
            for _ in range(WAIT_POLLS):
                async with engine.connect() as conn:
                    cut = (await conn.execute(select(batch).where(batch.c.batch == number))).mappings().first()
                if cut is not None:
                    break
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await engine.dispose()
        assert cut is not None, "the batch was not cut"
        fills = [fill for row in rows if row["trade_id"] != left_out for fill in _fills(row, placed)]
        call = SettleCall(number, bytes(cut["prev_head"]), bytes(cut["new_head"]), tuple(aggregate(fills)))
        operator = Wallet.from_hex(LOCAL_KEYS["operator"])
        async with CustodyClient(self.program.rpc_url, self.sources.deployment.custody, operator) as custody:
            return (await custody.transact(custody.custody, call.data())).tx_hash


def _fills(row: RowMapping, placed: dict[int, RowMapping]) -> Sequence[Fill]:
    """Both sides of a trade."""
    sides = ((row["maker_order_id"], row["maker_fee"]), (row["taker_order_id"], row["taker_fee"]))
    return [
        Fill(
            order_id,
            Order.unpack(bytes(placed[order_id]["packed"])),
            placed[order_id]["scheme"],
            bytes(placed[order_id]["signature"]),
            row["quantity"],
            row["quote"],
            fee,
        )
        for order_id, fee in sides
    ]
