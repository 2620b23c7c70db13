"""What the engine matches settles as it was matched: random streams of orders through engine, batcher and contract.

The engine's balances, which holds and fees shape, and the contract's, which knows executions only, are equal after
every batch. In journal order every batch settles; one section per market settles to the same, or some balance would be
negative in passing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import boa
import pytest

from exchange.domain.bulk import Tree
from exchange.domain.eip712 import Scheme
from exchange.domain.errors import Refusal
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.domain.settlement import Execution, Fill, aggregate, in_order
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.contracts import BTC_USDC, ETH_USDC, World, reverts, single
from tests.utils.engine import FEES, MARKETS, EngineHarness, only
from tests.utils.signing import Signer

TRADERS = [Signer(name) for name in ("maker", "taker", "both")]
TOKENS = range(3)
DEPOSITS = [(10**10, 10**9, 10**8), (10**10, 10**9, 10**8), (0, 8_000_000, 0)]  # of each trader, in each token
PRICES = {BTC_USDC: 5_000_000, ETH_USDC: 3_000_000}


@pytest.fixture(scope="module")
def exchange() -> World:
    """Two traders with plenty, and one with little, who spends what it sold for and bought."""
    world = World()
    for trader, token, amount in deposits():
        world.deposit(trader, token, amount)
    return world


def deposits() -> Iterator[tuple[Signer, int, int]]:
    """Who deposited how much of which token."""
    for trader, amounts in zip(TRADERS, DEPOSITS, strict=True):
        yield from ((trader, token, amount) for token, amount in zip(TOKENS, amounts, strict=True) if amount)


class Stream:
    """The engine with the same money, and what it matched since the last batch."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.engine = EngineHarness(MARKETS[:2])
        self.engine.at_ms = world.now * 1_000
        self.orders: dict[int, tuple[Order, int, bytes]] = {}
        self.seen: Counter[str] = Counter()
        self.amended: set[int] = set()
        for trader, token, amount in deposits():
            self.engine.credit(trader.raw, token, amount)

    def order(self) -> Iterator[Fill]:
        """A random order; the fills of what it matched."""
        trader, market = self.chance.choice(TRADERS), self.chance.choice((BTC_USDC, ETH_USDC))
        resting = self.chance.random() < 0.6
        nonce = next(self.engine.nonces)
        open_orders = self.engine.engine.open_orders(trader.raw)
        if open_orders and self.chance.random() < 0.25:
            yield from self.amend(trader, self.chance.choice(open_orders).placed.order)
            return
        side = self.chance.choice((Side.buy, Side.sell) if resting else tuple(Side))
        price, quantity = PRICES[market] + 10 * self.chance.randint(-4, 4), self.chance.randint(1, 20)
        if side is Side.buy_quote:
            quantity = price * quantity + self.chance.randrange(price)
        fields: dict[str, Any] = {
            "side": side,
            "market": market,
            "price": price,
            "quantity": quantity,
            "nonce": single(nonce) if side is Side.buy_quote or not (resting or self.chance.random() < 0.5) else nonce,
            "terms": Terms(
                TimeInForce.gtc if resting else TimeInForce.ioc, self_trade=self.chance.choice(list(SelfTrade))
            ).pack(),
        }
        if side is not Side.buy_quote and self.chance.random() < 0.2:
            kind = self.chance.choice((TriggerType.stop_loss, TriggerType.take_profit))
            fields["terms"] |= Terms(trigger_type=kind).pack()
            fields["trigger_price"] = PRICES[market] + 10 * self.chance.randint(-4, 4)
        yield from self.place(c.PlaceOrder, trader, self.world.order(trader, **fields))

    def amend(self, trader: Signer, old: Order) -> Iterator[Fill]:
        """Another price and quantity for an open order, on its nonce."""
        price = old.price + 10 * self.chance.randint(-2, 2)
        quantity = max(1, old.quantity + self.chance.randint(-10, 10))
        yield from self.place(c.AmendOrder, trader, replace(old, price=price, quantity=quantity))

    def place(self, kind: type[c.PlaceOrder], trader: Signer, order: Order) -> Iterator[Fill]:
        """The fills of what an order matched, and of what that triggered."""
        scheme, signature = self.sign(trader, order)
        placed = kind(order, self.world.domain.order_hash(order), int(scheme), signature, trader.raw, "")
        if self.engine.engine.find_duplicate(placed) is not None:
            return
        try:
            events = self.engine.apply(placed)
        except Refusal:
            return
        self.orders[self.engine.engine.seq] = (order, int(scheme), signature)
        if kind is c.AmendOrder:
            self.amended.add(self.engine.engine.seq)
        events = [*events, *self.engine.turns()]
        matched = bool(only(events, e.TradeMatched))
        self.seen["by_quote"] += order.side == Side.buy_quote and matched
        self.seen["triggered"] += bool(only(events, e.OrderTriggered)) and matched
        yield from self.fills(events)

    def auction(self, orders: int) -> Iterator[Fill]:
        """Orders that gather in one market, and trade in parts at one price when it opens; the fills of all."""
        self.engine.apply(c.SetLimits(0, 100, 4))
        self.engine.apply(c.StartAuction(next(self.engine.inbox_ids), BTC_USDC, 0))
        for _ in range(orders):
            yield from self.order()
        self.engine.apply(c.SetMarketStatus(next(self.engine.inbox_ids), BTC_USDC, "open"))
        events = self.engine.turns()
        self.seen["auctioned"] += len(only(events, e.TradeMatched))
        yield from self.fills(events)

    def fills(self, events: Sequence[e.Event]) -> Iterator[Fill]:
        """Both sides of each trade."""
        for match in only(events, e.TradeMatched):
            for order_id, fee in ((match.maker_order, match.maker_fee), (match.taker_order, match.taker_fee)):
                self.seen["amended"] += order_id in self.amended
                yield Fill(order_id, *self.orders[order_id], match.quantity, match.quote, fee)

    def sign(self, trader: Signer, order: Order) -> tuple[Scheme, bytes]:
        if self.chance.random() < 0.7:
            return Scheme.account, trader.sign_order(self.world.domain, order)
        tree = Tree([order, self.world.order(trader, nonce=10**6 + order.sequence)])
        return Scheme.bulk, tree.signatures(trader.key.sign(tree.digest(self.world.domain)))[0]

    def compare(self) -> None:
        """The contract holds for everybody what the engine does."""
        accounts = [(trader, trader.raw) for trader in TRADERS] + [(self.world.fee_account, FEES)]
        for signer, account in accounts:
            for token in TOKENS:
                available, held = self.engine.parts(account, token)[:2]
                assert self.world.trading(signer, token) == available + held

    def settle(self, fills: Sequence[Fill]) -> bool:
        """Settle in journal order; whether one section per market would have done as well."""
        by_market = aggregate(fills)
        with boa.env.anchor():
            whole = self.tried(by_market)
        self.world.settle(in_order(fills))
        self.compare()
        return whole

    def tried(self, executions: Sequence[Execution]) -> bool:
        try:
            self.world.settle(executions)
        except boa.BoaError:
            with reverts("ledger: too little trading"):
                self.world.settle(executions)
            return False
        self.compare()
        return True


def run(world: World, seeds: range, batches: int) -> tuple[int, int]:
    """How many batches settled, and how many of them in either layout."""
    settled = either = 0
    seen: Counter[str] = Counter()
    for seed in seeds:
        with boa.env.anchor():
            stream = Stream(world, seed)
            for _ in range(batches):
                fills = [fill for _ in range(stream.chance.randint(1, 40)) for fill in stream.order()]
                either += stream.settle(fills)
                settled += 1
            stream.engine.validate()
            seen += stream.seen
    assert min(seen[what] for what in ("by_quote", "amended", "triggered")) > 5, seen
    return settled, either


def test_what_the_engine_matches_settles_as_it_was_matched(exchange: World) -> None:
    settled, either = run(exchange, range(6), 6)
    assert 0 < either < settled


def test_what_an_auction_trades_settles_at_its_price(exchange: World) -> None:
    """The contract asks for a price within both limits, and nobody's own."""
    seen: Counter[str] = Counter()
    for seed in range(50, 54):
        with boa.env.anchor():
            stream = Stream(exchange, seed)
            stream.settle([fill for _ in range(10) for fill in stream.order()])
            stream.settle(list(stream.auction(60)))
            stream.settle([fill for _ in range(10) for fill in stream.order()])
            stream.engine.validate()
            seen += stream.seen
    assert seen["auctioned"] > 5, seen


@pytest.mark.deep
def test_what_the_engine_matches_settles_for_long(exchange: World) -> None:
    settled, either = run(exchange, range(1_000, 1_100), 20)
    assert 0 < either < settled
