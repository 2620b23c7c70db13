"""An engine with listed markets, driven by short calls; every accepted command is kept, as a journal does.

After a test: `validate_and_drain()` checks every invariant, empties the book and expects nothing held and every
quantity explained by events, then replays what was kept and expects the same hash.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TypeVar

import pytest

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.accounts import Balance
from exchange.engine.engine import Engine
from tests.utils.quantities import Quantities
from tests.utils.twins import TwinEngine

E = TypeVar("E")

USDC, ETH, BTC, BTI = 0, 1, 2, 3
BTC_USDC, ETH_USDC, ETH_BTC = 1, 2, 3
START_MS = 1_700_000_000_000

MAKER = b"\x01" * 20
TAKER = b"\x02" * 20
OTHER = b"\x03" * 20
DELEGATE = b"\xdd" * 20
FEES = b"\xfe" * 20

ASSETS = (Asset(USDC, "USDC", 6), Asset(ETH, "ETH", 8), Asset(BTC, "BTC", 8), Asset(BTI, "BTI", 8))
MARKETS = (
    Market(BTC_USDC, "BTC/USDC", BTC, USDC, 10_000, 10, 1_000_000, 2_000, 200, 500, 5_000_000),
    Market(ETH_USDC, "ETH/USDC", ETH, USDC, 100_000, 10, 1_000_000, 2_000, 200, 500, 3_000_000),
    Market(ETH_BTC, "ETH/BTC", ETH, BTC, 100_000, 1, 1_000, 2_000, 200, 500, 6_000),
)


class EngineHarness:
    """Applies commands at a time that only the test moves."""

    engine_class: type[Engine] = TwinEngine

    def __init__(self, markets: Iterable[Market] = MARKETS) -> None:
        self.engine: Engine = self.engine_class()
        self.at_ms = START_MS
        self.kept: list[tuple[int, int, c.Command]] = []
        self.quantities = Quantities()
        self.nonces = itertools.count(1)
        self.inbox_ids = itertools.count(1)
        for asset in ASSETS:
            self.apply(c.ListAsset(asset))
        for market in markets:
            self.apply(c.ListMarket(market, FEES))

    @property
    def now(self) -> int:
        """The engine's time in unix seconds."""
        return self.at_ms // 1_000

    def apply(self, command: c.Command) -> list[e.Event]:
        """Apply and keep a command."""
        seq = self.engine.seq + 1
        events = self.engine.apply(seq, self.at_ms, command)
        self.kept.append((seq, self.at_ms, command))
        self.quantities.happened(events)
        return events

    def refuse(self, command: c.Command, code: ErrorCode) -> Refusal:
        """Expect a refusal that changes nothing."""
        before = self.engine.dump()
        with pytest.raises(Refusal) as caught:
            self.engine.apply(self.engine.seq + 1, self.at_ms, command)
        assert caught.value.code == code, caught.value
        assert self.engine.dump() == before
        assert self.engine.state.events == []
        return caught.value

    # money

    def credit(self, account: bytes, asset: int, amount: int) -> list[e.Event]:
        """A deposit arrived."""
        return self.apply(c.Credit(next(self.inbox_ids), account, asset, amount, "deposit"))

    def uncredit(self, account: bytes, asset: int, amount: int) -> list[e.Event]:
        """A reorg removed a deposit."""
        return self.apply(c.Uncredit(next(self.inbox_ids), account, asset, amount, "reorg"))

    def balance(self, account: bytes, asset: int) -> Balance:
        """A balance, zero if there is none."""
        record = self.engine.account(account)
        assert record is not None
        return record.balances.get(asset) or Balance(record, asset)

    def parts(self, account: bytes, asset: int) -> tuple[int, int, int, int, int]:
        """Available, held, reserved, unsettled, deficit."""
        b = self.balance(account, asset)
        return b.available, b.held, b.reserved, b.unsettled, b.deficit

    def hold(self, account: bytes, asset: int, amount: int, nonce: int = 1, deadline: int = 0) -> c.HoldWithdrawal:
        """A signed fast withdrawal."""
        deadline = deadline or self.now + 600
        digest = keccak(account + bytes([asset]) + nonce.to_bytes(32))
        return c.HoldWithdrawal(account, asset, amount, digest, nonce, deadline, "{}", b"\x05" * 65)

    # orders

    def order(
        self,
        account: bytes,
        side: int,
        price: int,
        quantity: int,
        *,
        market: int = BTC_USDC,
        tif: TimeInForce = TimeInForce.gtc,
        post_only: bool = False,
        self_trade: SelfTrade = SelfTrade.cancel_taker,
        terms: int | None = None,
        nonce: int | None = None,
        expiry: int | None = None,
        trigger_price: int = 0,
        max_fee_bps: int = 10,
        scheme: int = 0,
        signature: bytes = b"\x07" * 65,
        signer: bytes | None = None,
        client_order_id: str = "",
    ) -> c.PlaceOrder:
        """A signed order; its hash is that of its packed form."""
        word = Terms(tif, post_only, self_trade).pack() if terms is None else terms
        order = Order(
            account,
            market,
            side,
            price,
            quantity,
            next(self.nonces) if nonce is None else nonce,
            self.now + 3_600 if expiry is None else expiry,
            trigger_price,
            max_fee_bps,
            word,
        )
        return c.PlaceOrder(order, keccak(repr(order).encode()), scheme, signature, signer or account, client_order_id)

    def turns(self) -> list[e.Event]:
        """Let the triggered orders work, each in its tick; what they did."""
        events: list[e.Event] = []
        while self.engine.has_turn(self.at_ms):
            events += self.apply(c.Tick())
        return events

    def buy(self, account: bytes, price: int, quantity: int, **options: object) -> list[e.Event]:
        """Place a buy order."""
        return self.apply(self.order(account, Side.buy, price, quantity, **options))  # type: ignore[arg-type]

    def sell(self, account: bytes, price: int, quantity: int, **options: object) -> list[e.Event]:
        """Place a sell order."""
        return self.apply(self.order(account, Side.sell, price, quantity, **options))  # type: ignore[arg-type]

    def book(self, market: int = BTC_USDC) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bids and asks as (price, lots), best first."""
        levels = {level.market.market_id: level for level in self.engine.books()}[market]
        return levels.bids, levels.asks

    # batches

    def cut(self, batch: int, to_seq: int | None = None) -> list[e.Event]:
        """Cut a batch, up to the last record unless said otherwise."""
        return self.apply(c.CutBatch(next(self.inbox_ids), batch, self.engine.seq if to_seq is None else to_seq))

    def finalize(self, batch: int) -> list[e.Event]:
        """A batch is final."""
        return self.apply(c.FinalizeBatch(next(self.inbox_ids), batch))

    def reverse(self, *trade_ids: int) -> list[e.Event]:
        """The keeper reverses trades."""
        return self.apply(c.ReverseTrades(next(self.inbox_ids), trade_ids, "cause"))

    # the end

    def validate(self) -> None:
        """Every invariant holds, and a loaded snapshot is the same engine."""
        assert self.engine.violations() == []
        self.quantities.explain(self.engine)
        copy = self.engine_class.load(self.engine.dump())
        assert copy.dump() == self.engine.dump()
        assert copy.violations() == []

    def validate_and_drain(self) -> None:
        """Validate, cancel everything, expect an empty book with nothing held, and replay to the same hash."""
        self.validate()
        for address, account in list(self.engine.state.by_address.items()):
            for nonce in list(account.orders):
                self.apply(c.ObeyCancel(next(self.inbox_ids), address, nonce, 0))
        assert all(not book.bids and not book.asks for book in self.engine.books())
        assert all(b.held == 0 for a in self.engine.state.accounts for b in a.balances.values())
        self.quantities.explain_drained(self.engine)
        self.validate()
        assert self.replay().state_hash() == self.engine.state_hash()

    def replay(self) -> Engine:
        """A new engine that has applied every kept command."""
        engine = self.engine_class()
        for seq, at_ms, command in self.kept:
            engine.apply(seq, at_ms, command)
        return engine


def only(events: Iterable[e.Event], kind: type[E]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def reasons(events: Iterable[e.Event]) -> list[tuple[int, str]]:
    """Which orders closed, and why."""
    return [(event.order_id, event.reason.value) for event in only(events, e.OrderClosed)]
