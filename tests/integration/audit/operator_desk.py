"""An operator with everything in its hand: engine, journal, keeper and receipt key, on a chain with the real contract.

Users deposit, sign and get receipts; what the operator makes of it is up to each test. It cheats as well as it can:
every journal that it writes is whole and hashed anew, every piece is signed, every batch is accepted by the contract.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bizzan.audit.chain_ledger import Movement, read_chain
from bizzan.supervisor.anvil import Anvil
from exchange.chain.rpc import Rpc
from exchange.chain.signing import Key
from exchange.domain.deployment import Deployment, address_bytes
from exchange.domain.order import Order, Side
from exchange.domain.receipt import Receipt, commit_digest
from exchange.domain.settlement import Fill, aggregate
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.events import TradeMatched
from exchange.journal.journal import Journal
from exchange.journal.publication import publish
from exchange.journal.reader import Reader
from exchange.journal.receipts import leaf_of, subject_of
from exchange.sequencer.seed import fee_rules, missing_commands
from exchange.settings import load_settings
from keeper.custody import SettleCall
from tests.integration.keeper.world import call_data
from tests.utils.signing import Signer
from tests.utils.waiting import wait_for

MARKET, LOTS, MAX_FEE_BPS = 1, 100, 10
FIRST, SECOND, WORSE, TAKER = (Signer(f"frauds: {role}") for role in ("first", "second", "worse", "taker"))
STRANGER = Signer("frauds: stranger")
FUNDS = {0: 10**12, 2: 10**10}
_SETTINGS = load_settings()

Commands = list[c.Command]


def orders_in(commands: Iterable[c.Command]) -> list[int]:
    """The sequences at which orders stand."""
    return [seq for seq, command in enumerate(commands, start=1) if isinstance(command, c.PlaceOrder)]


def moved(commands: Commands, seq: int, to_seq: int) -> Commands:
    """With the command at a sequence moved to another."""
    rest = without(commands, seq)
    return [*rest[: to_seq - 1], commands[seq - 1], *rest[to_seq - 1 :]]


def without(commands: Commands, seq: int) -> Commands:
    """Without the command at a sequence."""
    return [*commands[: seq - 1], *commands[seq:]]


def instead(commands: Commands, seq: int, change: Callable[[c.Command], c.Command]) -> Commands:
    """With another command at a sequence."""
    return [*commands[: seq - 1], change(commands[seq - 1]), *commands[seq:]]


@dataclass
class Case:
    """What an auditor is given."""

    published: Path
    receipts: list[Receipt] = field(default_factory=list)


@dataclass
class Desk:
    """The operator. `day` is what honestly happened: deposits, three sellers, a buyer who meets the first of them."""

    node: Anvil
    deployment: Deployment
    folder: Path
    at_ms: int = 0
    day: Commands = field(default_factory=list)

    def open(self) -> None:
        """Users deposit; the exchange is listed; the orders of the day arrive."""
        for signer in (FIRST, SECOND, WORSE, TAKER):
            self._deposit(signer)
        self.at_ms = 1_000 * int(self.node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        engine = Engine()
        self.day = missing_commands(engine, self.deployment, fee_rules(_SETTINGS.fees, self.deployment))
        self.day += [self._credit(number, one) for number, one in enumerate(self._movements(), start=1)]
        price = self.price
        self.day += [self.order(one, Side.sell, price) for one in (FIRST, SECOND)]
        self.day += [self.order(WORSE, Side.sell, price + self.tick), self.order(TAKER, Side.buy, price + self.tick)]

    @property
    def price(self) -> int:
        """The price of the day."""
        return self.deployment.market(MARKET).reference_price or 1_000 * self.tick

    @property
    def tick(self) -> int:
        """The market's."""
        return self.deployment.market(MARKET).tick_size

    @property
    def inbox_id(self) -> int:
        """The next of the inbox after the day's commands."""
        return sum(isinstance(command, c.Credit) for command in self.day) + 1

    def order(self, signer: Signer, side: int, price: int, account: Signer | None = None) -> c.PlaceOrder:
        """An order with its signature; of the signer's own account unless said otherwise."""
        owner = account or signer
        expiry = self.at_ms // 1_000 + 3_600
        order = Order(owner.raw, MARKET, side, price, LOTS, 1, expiry, 0, MAX_FEE_BPS, 0)
        domain = self.deployment.domain
        signature = signer.sign_order(domain, order)
        return c.PlaceOrder(order, domain.order_hash(order), int(signer is not owner), signature, signer.raw)

    # matching and settling

    def match(self, commands: Commands) -> list[tuple[TradeMatched, c.PlaceOrder, c.PlaceOrder]]:
        """The trades that an engine makes of commands, with maker's and taker's orders."""
        engine, trades = Engine(), []
        for seq, command in enumerate(commands, start=1):
            for event in engine.apply(seq, self.at_ms, command):
                if isinstance(event, TradeMatched):
                    maker, taker = commands[event.maker_order - 1], commands[event.taker_order - 1]
                    assert isinstance(maker, c.PlaceOrder)
                    assert isinstance(taker, c.PlaceOrder)
                    trades.append((event, maker, taker))
        return trades

    def settle(self, journal: Commands, matched: Commands | None = None) -> Commands:
        """Cut a batch of the whole journal, and settle in it what an engine makes of `matched`; the journal after."""
        fills = [
            Fill(number, placed.order, placed.scheme, placed.signature, trade.quantity, trade.quote, fee)
            for trade, maker, taker in self.match(journal if matched is None else matched)
            for number, placed, fee in (
                (trade.maker_order, maker, trade.maker_fee),
                (trade.taker_order, taker, trade.taker_fee),
            )
        ]
        head = list(Reader(self.write(journal)).read())[-1].head
        call = SettleCall(1, bytes(32), head, tuple(aggregate(fills)))
        self._send(Key(_SETTINGS.key("operator")).address, address_bytes(self.deployment.custody), call.data())
        return [*journal, c.CutBatch(self.inbox_id, 1, len(journal))]

    # journals and receipts

    def write(self, commands: Commands) -> Path:
        """A journal, whole and hashed."""
        folder = self.folder / f"journal-{len(list(self.folder.iterdir()))}"
        with Journal.open(folder) as journal:
            journal.append([(self.at_ms, command) for command in commands])
            journal.sync()
        return folder

    def publish(self, commands: Commands) -> Path:
        """The same, published and signed."""
        journal = self.write(commands)
        out = journal.with_name(f"{journal.name}-published")
        sign = Key(_SETTINGS.key("receipt_signer")).sign
        assert list(publish(journal, out, self.deployment.bond_domain, sign, self.at_ms))
        return out

    def receipt(self, commands: Commands, seq: int) -> Receipt:
        """What the user got whose command stands there, when it stood there."""
        record = list(Reader(self.write(commands[:seq])).read())[-1]
        domain = self.deployment.bond_domain
        digest = commit_digest(domain, seq, seq, record.head, leaf_of(record))
        signature = Key(_SETTINGS.key("receipt_signer")).sign(digest)
        subject = subject_of(record.command)
        return Receipt(domain, seq, seq, record.head, seq, record.at_ms, subject, record.head, (), signature)

    def files(self, case: Case) -> tuple[Path, Path]:
        """The deployment and the receipts as files."""
        deployment, receipts = self.folder / "deployment.json", self.folder / "receipts.json"
        deployment.write_text(json.dumps(self.deployment.to_json()))
        receipts.write_text(json.dumps([receipt.to_json() for receipt in case.receipts]))
        return deployment, receipts

    # the chain

    def head(self) -> str:
        """The hash of the last block."""
        return str(self.node.rpc("eth_getBlockByNumber", "latest", False)["hash"])

    def _deposit(self, signer: Signer) -> None:
        self.node.rpc("anvil_setBalance", signer.address, hex(10**21))
        custody = address_bytes(self.deployment.custody)
        for token_id, amount in FUNDS.items():
            token = address_bytes(self.deployment.token(token_id).address)
            self._send(signer.raw, token, call_data("faucet(uint256)", amount))
            self._send(signer.raw, token, call_data("approve(address,uint256)", custody, amount))
            deposit = call_data("deposit(address,uint256,address,bool)", token, amount, signer.raw, 0)
            self._send(signer.raw, custody, deposit)

    def _movements(self) -> Sequence[Movement]:
        async def read() -> Sequence[Movement]:
            async with Rpc(self.node.url) as rpc:
                return (await read_chain(rpc, self.deployment, await rpc.block_number())).movements

        return asyncio.run(read())

    def _credit(self, inbox_id: int, one: Movement) -> c.Credit:
        asset = self.deployment.token(one.token_id).asset_id
        cause = f"credit:{one.place.block_hash}:{one.place.log_index}:0"
        return c.Credit(inbox_id, one.account, asset, one.amount, cause)

    def _send(self, sender: bytes, to: bytes, data: bytes) -> None:
        """Send as somebody, by the node's own unlocked accounts; it must succeed."""
        self.node.rpc("anvil_autoImpersonateAccount", True)
        call = {"from": "0x" + sender.hex(), "to": "0x" + to.hex(), "data": "0x" + data.hex(), "gas": hex(3 * 10**6)}
        sent = self.node.rpc("eth_sendTransaction", call)
        wait_for(lambda: self.node.rpc("eth_getTransactionReceipt", sent) is not None, "a transaction of the desk")
        assert self.node.rpc("eth_getTransactionReceipt", sent)["status"] == "0x1"


def dearer(commands: Commands) -> Commands:
    """As listed with a higher fee for takers, within what they signed."""
    return [
        replace(command, market=replace(command.market, taker_fee_ppm=command.market.taker_fee_ppm + 100))
        if isinstance(command, c.ListMarket)
        else command
        for command in commands
    ]
