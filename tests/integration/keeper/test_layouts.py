"""Trades that pass money from market to market settle in one batch: the engine, the duty and the contract together."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boa
from eth.exceptions import Revert
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exchange.chain.rpc import ExecutionReverted
from exchange.chain.submission import Call
from exchange.database.batches import Batch, MatchedTrade, SignedOrder
from exchange.domain.deployment import address_bytes
from exchange.domain.errors import Refusal
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, Side, Terms, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from keeper.custody import Block, CustodyState
from keeper.settle import Cut, Reverse, Send, Settle, SettlePolicy, Wait
from tests.unit.keeper.test_settle import FakeJobs, FakeLedgers
from tests.utils.contracts import BTC, BTC_USDC, ETH_USDC, ETHER, USDC, World, revert_reason
from tests.utils.signing import Signer
from tests.utils.submission import FakeClock

ETH_BTC = 3
ASSETS = (Asset(USDC, "USDC", 6), Asset(ETHER, "ETH", 8), Asset(BTC, "BTC", 8))
MARKETS = (
    Market(BTC_USDC, "BTC/USDC", BTC, USDC, 10_000, 10, 1_000_000, 2_000, 200, 500, 6_000_000),
    Market(ETH_USDC, "ETH/USDC", ETHER, USDC, 100_000, 10, 1_000_000, 2_000, 200, 500, 3_000_000),
    Market(ETH_BTC, "ETH/BTC", ETHER, BTC, 100_000, 1, 1_000, 2_000, 200, 500, 5_000),
)


class Chain:
    """The contract on the in-memory chain, as the duty sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.address = address_bytes(str(world.custody.address))
        self.number = 1

    async def state(self) -> CustodyState:
        custody = self._world.custody
        return CustodyState(
            await self.block("latest"), custody.batch_seq(), custody.journal_head(), custody.last_seen()
        )

    async def block(self, place: int | str) -> Block:
        number = place if isinstance(place, int) else self.number
        return Block(number, number.to_bytes(32), self._world.now)

    async def refusal(self, sender: bytes, data: bytes, gas: int | None = None) -> str | None:
        with boa.env.anchor():
            return self.execute(data)[0]

    async def refusal_after(
        self, before: Sequence[bytes], sender: bytes, data: bytes, gas: int, block: Block
    ) -> str | None:
        with boa.env.anchor():
            assert [self.execute(each)[0] for each in before] == [None] * len(before)
            return self.execute(data)[0]

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        with boa.env.anchor():
            reason, gas = self.execute(data)
        if reason is not None:
            raise ExecutionReverted(3, reason)
        return gas

    def call(self, data: bytes, gas: int) -> Call:
        return Call(self.address, data, gas)

    def execute(self, data: bytes) -> tuple[str | None, int]:
        """Call as the operator: why it fails, and its gas."""
        try:
            answer: Any = boa.env.raw_call(
                str(self._world.custody.address), sender=self._world.operator.address, data=data
            )
        except Revert as error:
            return revert_reason(bytes(error.args[0])), 0
        return None, 21_000 + answer.get_gas_used()


@dataclass
class Desk:
    """An engine beside the contract, both with the same deposits."""

    world: World = field(default_factory=World)
    engine: Engine = field(default_factory=Engine)
    trades: list[MatchedTrade] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    seq: int = 0
    _placed: dict[int, c.PlaceOrder] = field(default_factory=dict)
    _nonces: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.world.scheduled("list_market", ETHER, BTC, 100_000)
        for asset in ASSETS:
            self.apply(c.ListAsset(asset))
        for market in MARKETS:
            self.apply(c.ListMarket(market, self.world.fee_account.raw))

    def apply(self, command: c.Command) -> None:
        """Apply a command; remember its trades as the mirror would."""
        self.seq += 1
        if isinstance(command, c.PlaceOrder):
            self._placed[self.seq] = command
        for event in self.engine.apply(self.seq, self.world.now * 1_000, command):
            if isinstance(event, e.TradeMatched):
                sides = (self._signed(event.maker_order), self._signed(event.taker_order))
                fees = (event.maker_fee, event.taker_fee)
                self.trades.append(
                    MatchedTrade(event.trade_id, self.seq, 0, event.quantity, event.quote, *sides, *fees)
                )

            elif isinstance(event, e.TradeReversed):
                self.undone.append(event.trade_id)

    def _signed(self, order_id: int) -> SignedOrder:
        placed = self._placed[order_id]
        return SignedOrder(order_id, placed.order.pack(), placed.scheme, placed.signature)

    def deposit(self, signer: Signer, asset: int, amount: int, lost: bool = False) -> None:
        """Deposit on chain, and tell the engine; one that is `lost` to a reorg is only in the engine."""
        if not lost:
            self.world.deposit(signer, asset, amount)
        self.apply(c.Credit(self.seq + 1, signer.raw, asset, amount, f"deposit {self.seq}"))

    def place(self, signer: Signer, market: int, side: Side, price: int, lots: int, kind: TimeInForce) -> None:
        """Place a signed order."""
        nonce, expiry = next(self._nonces), self.world.now + 3_600
        order = Order(signer.raw, market, int(side), price, lots, nonce, expiry, 0, 10, Terms(kind).pack())
        signature = signer.sign_order(self.world.domain, order)
        self.apply(c.PlaceOrder(order, self.world.domain.order_hash(order), 0, signature, signer.raw))

    def trade(self, maker: Signer, taker: Signer, market: int, side: Side, price: int, lots: int) -> None:
        """`maker` rests on `side`, `taker` takes it."""
        other = Side.buy if side is Side.sell else Side.sell
        self.place(maker, market, side, price, lots, TimeInForce.gtc)
        self.place(taker, market, other, price, lots, TimeInForce.ioc)


def traded_in_circles(cycles: int) -> Desk:
    """One account turns the same few dollars from BTC to ETH to USDC to BTC, between the trades of others."""
    desk = Desk()
    runner, maker, buyer, seller = (Signer(name) for name in ("runner", "maker", "buyer", "seller"))
    desk.deposit(runner, BTC, 12_000)
    for asset in (USDC, ETHER, BTC):
        desk.deposit(maker, asset, 10**9)
    desk.deposit(buyer, USDC, 10**10)
    desk.deposit(seller, BTC, 10**8)
    for _ in range(cycles):
        desk.trade(maker, runner, ETH_BTC, Side.sell, 5_000, 2)
        desk.trade(maker, runner, ETH_USDC, Side.buy, 3_000_000, 2)
        desk.trade(maker, runner, BTC_USDC, Side.sell, 5_990_000, 1)
        desk.trade(seller, buyer, BTC_USDC, Side.sell, 6_000_000, 5)
    assert desk.engine.violations() == []
    return desk


def test_money_that_runs_through_all_markets_settles_in_one_batch() -> None:
    desk = traded_in_circles(6)
    chain, ledgers = Chain(desk.world), FakeLedgers(uncut=desk.trades)
    duty = Settle(desk.world.operator.raw, chain, ledgers, FakeJobs(), FakeClock(), SettlePolicy(confirmations=3))
    assert len(desk.trades) == 24
    assert asyncio.run(duty.plan()) == Cut(1, desk.seq, 24)
    ledgers.batch, ledgers.trades = Batch(1, 0, desk.seq, bytes(32), b"\x09" * 32), desk.trades
    action = asyncio.run(duty.plan())
    assert isinstance(action, Send)
    assert chain.execute(action.call.data)[0] is None
    for name in ("runner", "maker", "buyer", "seller"):
        signer = Signer(name)
        account = desk.engine.account(signer.raw)
        assert account is not None
        for asset, balance in account.balances.items():
            assert desk.world.trading(signer, asset) == balance.available + balance.held


STRANGERS = tuple(Signer(name) for name in ("first", "second", "third", "fourth"))
STEPS = st.lists(
    st.tuples(
        st.permutations(range(4)), st.sampled_from((ETH_BTC, ETH_USDC, BTC_USDC)), st.booleans(), st.integers(1, 9)
    ),
    min_size=1,
    max_size=24,
)
PRICES = {ETH_BTC: 5_000, ETH_USDC: 3_000_000, BTC_USDC: 6_000_000}


def traded_in_batches(lost: set[tuple[int, int]], steps: list[Any]) -> tuple[Desk, FakeLedgers]:
    """Four accounts trade what they have, five trades to a batch; some deposits were lost after that."""
    desk = Desk()
    for place, signer in enumerate(STRANGERS):
        for asset in (USDC, ETHER, BTC):
            desk.deposit(
                signer, asset, {USDC: 60_000_000, ETHER: 2_000_000, BTC: 100_000}[asset], (place, asset) in lost
            )
    for (maker, taker, *_), market, buys, lots in steps:
        side, other = (Side.buy, Side.sell) if buys else (Side.sell, Side.buy)
        with suppress(Refusal):  # who cannot pay any more places nothing
            desk.place(STRANGERS[maker], market, side, PRICES[market], lots, TimeInForce.gtc)
            desk.place(STRANGERS[taker], market, other, PRICES[market], lots, TimeInForce.ioc)
    row = []
    for number, start in enumerate(range(0, len(desk.trades), 5), start=1):
        trades = desk.trades[start : start + 5]
        batch = Batch(
            number, 0, trades[-1].seq, number.to_bytes(32) if number > 1 else bytes(32), (number + 1).to_bytes(32)
        )
        row.append((batch, trades))
        desk.apply(c.CutBatch(desk.seq + 1, number, trades[-1].seq))
    first, trades = row[0] if row else (None, [])
    return desk, FakeLedgers(batch=first, trades=trades, later=row[1:])


def drop(ledgers: FakeLedgers, gone: set[int]) -> None:
    """The mirror does not show reversed trades."""
    ledgers.trades = [each for each in ledgers.trades if each.trade_id not in gone]
    ledgers.later = [(batch, [each for each in some if each.trade_id not in gone]) for batch, some in ledgers.later]


def proceed(ledgers: FakeLedgers) -> None:
    """The next batch is the one to settle."""
    if ledgers.later:
        (ledgers.batch, ledgers.trades), *ledgers.later = ledgers.later


@settings(max_examples=8, deadline=None, phases=(Phase.reuse, Phase.generate))
@given(lost=st.sets(st.tuples(st.integers(0, 3), st.sampled_from((USDC, ETHER, BTC))), max_size=4), steps=STEPS)
def test_what_is_left_of_batches_that_lost_deposits_settles_after_one_wait(
    lost: set[tuple[int, int]], steps: list[Any]
) -> None:
    """Reversed by the engine's rule; every batch is mined, in its place, and the engine agrees with the contract."""
    desk, ledgers = traded_in_batches(lost, steps)
    if ledgers.batch is None:
        return
    chain, jobs = Chain(desk.world), FakeJobs()
    duty = Settle(desk.world.operator.raw, chain, ledgers, jobs, FakeClock(), SettlePolicy(confirmations=3))
    waits, row = 0, [(ledgers.batch, ledgers.trades), *ledgers.later]
    for batch, _ in row:
        while not isinstance(action := asyncio.run(duty.plan()), Send):
            if isinstance(action, Reverse):
                for verdict in action.verdicts:
                    desk.apply(c.ReverseTrades(desk.seq + 1, verdict.trade_ids, verdict.cause))
                drop(ledgers, set(desk.undone))
            waits += isinstance(action, Wait)
            chain.number += 3
        assert action.key == f"settle/{batch.batch}/0"
        assert chain.execute(action.call.data)[0] is None
        proceed(ledgers)
    assert waits <= 1
    assert lost or not desk.undone
    assert desk.engine.violations() == []
