"""A small world for the keeper: a real chain with the real contract, a real database, and a scribe.

The scribe stands where engine, projector and indexer stand: it writes orders, trades and batches as the projector
would, and answers the inbox as the engine would. Everything else is what runs in production.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from exchange.chain.rpc import Rpc
from exchange.chain.signing import Key, Transaction
from exchange.database.tables import account, asset, batch, engine_inbox, market, orders, projection, trade, withdrawal
from exchange.domain.deployment import Deployment, address_bytes
from exchange.domain.eip712 import keccak
from exchange.domain.fees import fee_of
from exchange.domain.order import Order, Side
from exchange.settings import KeyName, Settings, load_settings
from keeper.main import open_keeper

CHAIN_ID = 31_337
MARKET = 1
GENESIS = bytes(32)
FUNDS = {0: 1_000_000_000_000, 2: 1_000_000_000}  # a million USDC and ten BTC, in ledger units = token units


def head_at(seq: int) -> bytes:
    """The scribe's journal head at a sequence."""
    return hashlib.sha256(seq.to_bytes(8)).digest() if seq else GENESIS


def word(value: int | bytes) -> bytes:
    """One ABI word."""
    return value.rjust(32, b"\0") if isinstance(value, bytes) else value.to_bytes(32)


def call_data(signature: str, *values: int | bytes) -> bytes:
    """Call data of a function with static arguments."""
    return keccak(signature.encode())[:4] + b"".join(word(value) for value in values)


@dataclass
class World:
    """The chain and the database of one test."""

    node: Anvil
    rpc: Rpc
    engine: AsyncEngine
    deployment: Deployment
    settings: Settings
    seq: int = 0
    traders: list[Key] = field(default_factory=list)
    nonces: dict[bytes, int] = field(default_factory=dict)
    last_block: int = 0
    """Where the last transaction of a user stands."""

    @property
    def custody(self) -> bytes:
        """The contract's address."""
        return address_bytes(self.deployment.custody)

    async def send(self, key: Key, to: bytes, data: bytes = b"", value: int = 0) -> None:
        """Put a transaction of a user on the chain and wait until it is mined."""
        nonce = await self.rpc.transaction_count(key.address)
        fee = 3 * 10**9
        transaction = Transaction(CHAIN_ID, nonce, 10**9, 100 * fee, 1_000_000, to, value, data)
        tx_hash = await self.rpc.send_raw_transaction(transaction.sign(key).raw)

        async def mined() -> bool:
            receipt = await self.rpc.receipt(tx_hash)
            assert receipt is None or receipt.succeeded
            self.last_block = receipt.block_number if receipt else self.last_block
            return receipt is not None

        await until(mined, "a user's transaction", pause=0.01)

    def start_blocks(self) -> None:
        """From now on a block each second, as on a real chain."""
        self.node.rpc("evm_setAutomine", False)
        self.node.rpc("evm_setIntervalMining", 1)

    def reorganise(self, first: int) -> None:
        """Replace all blocks from this height on by empty ones; no other comes before `start_blocks`."""
        self.node.rpc("evm_setIntervalMining", 0)
        self.node.rpc("anvil_reorg", int(self.node.rpc("eth_blockNumber"), 16) - first + 1, [])

    async def add_trader(self, deposits: dict[int, int] | None = None) -> Key:
        """A new trader with ether, and with `deposits` (token id to token units) in the contract."""
        key = Key(keccak(b"trader" + bytes((len(self.traders),)) + self.custody))
        self.node.rpc("anvil_setBalance", "0x" + key.address.hex(), hex(10**21))
        for token_id, amount in (FUNDS if deposits is None else deposits).items():
            token = address_bytes(self.deployment.token(token_id).address)
            if not any(token):
                await self.send(key, self.custody, call_data("deposit_eth(address,bool)", key.address, 0), amount)
                continue
            await self.send(key, token, call_data("faucet(uint256)", amount))
            await self.send(key, token, call_data("approve(address,uint256)", self.custody, amount))
            deposit = call_data("deposit(address,uint256,address,bool)", token, amount, key.address, 0)
            await self.send(key, self.custody, deposit)
        self.traders.append(key)
        async with self.engine.begin() as conn:
            row = {"account_id": len(self.traders), "address": key.address, "status": "active", "min_nonce": 0}
            await conn.execute(insert(account).values(row))
        return key

    async def balance(self, key: Key, token_id: int) -> int:
        """A trading balance in the contract."""
        data = call_data("trading_balance(address,uint256)", key.address, token_id)
        return int.from_bytes(await self.rpc.eth_call(self.custody, data))

    async def batch_seq(self) -> int:
        """The last batch settled."""
        return int.from_bytes(await self.rpc.eth_call(self.custody, call_data("batch_seq()")))

    def order(self, key: Key, side: Side, price: int, quantity: int, market: int) -> Order:
        """An order of a trader."""
        nonce = self.nonces[key.address] = self.nonces.get(key.address, 0) + 1
        return Order(key.address, market, side, price, quantity, nonce, int(time.time()) + 3_600, 0, 30, 0)

    async def match(self, seller: Key, buyer: Key, price: int, lots: int, market: int = MARKET) -> int:
        """The engine matches a resting sell order with a buy order; the trade's id."""
        first = self.seq + 1
        self.seq += 2
        quote = price * lots
        async with self.engine.begin() as conn:
            for order_id, key, side in ((first, seller, Side.sell), (first + 1, buyer, Side.buy)):
                await conn.execute(
                    insert(orders).values(self._order_row(order_id, self.order(key, side, price, lots, market), key))
                )
            row = {
                "trade_id": self.seq,
                "seq": self.seq,
                "market_id": market,
                "price": price,
                "quantity": lots,
                "quote": quote,
                "taker_side": Side.buy,
                "maker_order_id": first,
                "taker_order_id": first + 1,
                "maker_account_id": self.traders.index(seller) + 1,
                "taker_account_id": self.traders.index(buyer) + 1,
                "maker_fee": fee_of(quote, 200),
                "taker_fee": fee_of(quote, 500),
                "at_ms": time.time_ns() // 1_000_000,
            }
            await conn.execute(insert(trade).values(row))
            await self._project(conn)
        return self.seq

    def _order_row(self, order_id: int, order: Order, key: Key) -> dict[str, object]:
        order_hash = self.deployment.domain.order_hash(order)
        return {
            "order_id": order_id,
            "account_id": self.traders.index(key) + 1,
            "market_id": order.market,
            "side": order.side,
            "price": order.price,
            "quantity": order.quantity,
            "nonce": order.nonce,
            "expiry": order.expiry,
            "max_fee_bps": order.max_fee_bps,
            "terms": order.terms,
            "packed": order.pack(),
            "order_hash": order_hash,
            "scheme": 0,
            "signature": key.sign(order_hash),
            "signer": key.address,
            "client_order_id": "",
            "maker_fee_ppm": 200,
            "taker_fee_ppm": 500,
            "fee_floor": 0,
            "status": "filled",
            "filled": order.quantity,
            "remaining": 0,
            "created_at": 0,
        }

    async def approve(
        self, owner: Key, token_id: int, amount: int, recipient: bytes, deadline: int, name: KeyName
    ) -> None:
        """An approver signs the trader's latest withdrawal, and the trader posts the signature."""
        approver = Key(self.settings.key(name))
        values: dict[str, int | bytes] = {
            "account": owner.address,
            "token": address_bytes(self.deployment.token(token_id).address),
            "amount": amount,
            "recipient": recipient,
            "max_fee": 0,
            "nonce": self.nonces[owner.address],
            "deadline": deadline,
        }
        signature = approver.sign(self.deployment.domain.hash("WithdrawalApproval", values))
        head = call_data(
            "approve_withdrawal(address,address,uint256,address,uint256,uint256,uint256,address,bytes)",
            *values.values(),
            approver.address,
            9 * 32,
            len(signature),
        )
        await self.send(owner, self.custody, head + signature + bytes(31))

    async def hold(self, key: Key, token_id: int, amount: int, recipient: bytes | None, deadline: int) -> bytes:
        """The engine holds `amount` (ledger units, here also token units) for a withdrawal; its digest."""
        nonce = self.nonces[key.address] = self.nonces.get(key.address, 0) + 1
        values: dict[str, int | bytes] = {
            "account": key.address,
            "token": address_bytes(self.deployment.token(token_id).address),
            "amount": amount,
            "max_fee": 0,
            "nonce": nonce,
            "deadline": deadline,
        }
        if recipient is not None:
            values["recipient"] = recipient
        name = "FundingTransfer" if recipient is None else "Withdrawal"
        digest = self.deployment.domain.hash(name, values)
        self.seq += 1
        message = self.deployment.domain.typed_data(name, values)["message"]
        row = {
            "withdrawal_hash": digest,
            "account_id": self.traders.index(key) + 1,
            "asset_id": token_id,
            "amount": amount,
            "nonce": nonce,
            "deadline": deadline,
            "message": message,
            "signature": key.sign(digest),
            "status": "held",
            "seq": self.seq,
            "created_at": 0,
        }
        async with self.engine.begin() as conn:
            await conn.execute(insert(withdrawal).values(row))
            await self._project(conn)
        return digest

    async def token_balance(self, owner: bytes, token_id: int) -> int:
        """Token units outside the contract."""
        token = address_bytes(self.deployment.token(token_id).address)
        return int.from_bytes(await self.rpc.eth_call(token, call_data("balanceOf(address)", owner)))

    async def answer_inbox(self) -> None:
        """Apply what was posted, as engine and projector do."""
        query = select(engine_inbox).where(engine_inbox.c.applied_seq.is_(None)).order_by(engine_inbox.c.id)
        async with self.engine.begin() as conn:
            for row in (await conn.execute(query)).all():
                self.seq += 1
                if row.kind == "cut_batch":
                    await self._cut(conn, row.payload["batch"], row.payload["to_seq"])
                elif row.kind == "reverse_trades":
                    ids, cause = row.payload["trade_ids"], row.payload["cause"]
                    await conn.execute(update(trade).where(trade.c.trade_id.in_(ids)).values(reversed_cause=cause))
                same = engine_inbox.c.id == row.id
                await conn.execute(update(engine_inbox).where(same).values(applied_seq=self.seq))
            await self._project(conn)

    async def keep_answering(self) -> None:
        """Answer the inbox until cancelled."""
        while True:
            await self.answer_inbox()
            await asyncio.sleep(0.05)

    async def _cut(self, conn: AsyncConnection, number: int, to_seq: int) -> None:
        last = (await conn.execute(select(batch).order_by(batch.c.batch.desc()).limit(1))).first()
        assert number == (last.batch + 1 if last else 1)
        from_seq = last.to_seq if last else 0
        heads = {"prev_head": head_at(from_seq), "new_head": head_at(to_seq)}
        row = {"batch": number, "from_seq": from_seq, "to_seq": to_seq, "status": "cut", "cut_seq": self.seq, **heads}
        await conn.execute(insert(batch).values(row))
        await conn.execute(update(trade).where(trade.c.seq <= to_seq, trade.c.batch.is_(None)).values(batch=number))

    async def _project(self, conn: AsyncConnection) -> None:
        values = {"seq": self.seq, "head": head_at(self.seq), "at_ms": 0}
        await conn.execute(update(projection).values(values))


@asynccontextmanager
async def running_keeper(world: World) -> AsyncIterator[None]:
    """All duties in this process, and the scribe beside them, on a chain that makes a block each second."""
    world.start_blocks()
    async with open_keeper(world.settings) as keeper:
        tasks = [asyncio.create_task(runner.run()) for runner in keeper.runners()]
        tasks.append(asyncio.create_task(world.keep_answering()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: int = 180, pause: float = 0.1) -> None:
    """Wait until a condition is true; AssertionError after `seconds`."""
    for _ in range(int(seconds / pause)):
        if await condition():
            return
        await asyncio.sleep(pause)
    raise AssertionError(f"{what} did not happen within {seconds} s")


async def build_world(
    node: Anvil, engine: AsyncEngine, database_url: str, folder: Path, confirmations: int = 3
) -> World:
    """Deploy the contract and seed the database."""
    deployment_file = folder / "deployment.json"
    settings = load_settings(
        chain={"rpc_url": node.url, "deployment_file": deployment_file, "final_confirmations": confirmations},
        database={"url": database_url},
        keeper={"poll_milliseconds": 50, "batch_milliseconds": 100, "replace_after_seconds": 3},
    )
    deployment = await asyncio.to_thread(deploy, node.url, settings.key("owner"), config=default_config(settings))
    deployment_file.write_text(json.dumps(deployment.to_json()))
    async with engine.begin() as conn:
        await conn.execute(insert(projection).values(name="journal", seq=0, head=GENESIS, at_ms=0))
        for each in deployment.assets:
            row = {"asset_id": each.asset_id, "symbol": each.symbol, "decimals": each.decimals}
            await conn.execute(insert(asset).values(row))
        for listed in deployment.markets:
            columns = {name: getattr(listed, name) for name in listed.__slots__ if name in market.c}
            await conn.execute(insert(market).values(**columns, fee_account=0))
    return World(node, Rpc(node.url), engine, deployment, settings)
