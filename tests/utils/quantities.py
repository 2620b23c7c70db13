"""What becomes of every lot of an order, added up from events alone.

For each accepted order: its quantity is what its nonce had used before (an amend), what it filled, what met its own
account, and what remained when it closed. An order for an amount of quote counts quote. A reversed trade stays filled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exchange.domain.order import Side
from exchange.engine import events as e
from exchange.engine.engine import Engine


@dataclass(slots=True)
class Use:
    """Where the quantity of one order has gone; `left` is what remained when it closed."""

    accepted: e.OrderAccepted
    used_before: int = 0
    filled: int = 0
    reduced: int = 0
    left: int = -1
    is_replaced: bool = False

    @property
    def gone(self) -> int:
        """What will not trade any more."""
        return self.used_before + self.filled + self.reduced

    @property
    def remaining(self) -> int:
        """What is left."""
        return self.accepted.quantity - self.gone


class Quantities:
    """The uses of all orders, kept from the first event on; it fails at the first that does not add up."""

    def __init__(self) -> None:
        self.open: dict[int, Use] = {}
        self.closed: dict[int, Use] = {}
        self.trades: dict[int, e.TradeMatched] = {}
        self.levels: dict[tuple[int, int, int], int] = {}
        self.balances: dict[tuple[int, int], tuple[int, ...]] = {}

    def happened(self, events: Iterable[e.Event]) -> None:
        """Take in the events of a record, in order."""
        for event in events:
            match event:
                case e.OrderAccepted():
                    assert event.order_id not in self.open, event
                    assert event.order_id not in self.closed, event
                    self.open[event.order_id] = Use(event)
                case e.OrderAmended():
                    self._amended(event)
                case e.TradeMatched():
                    self._traded(event)
                case e.OrderReduced():
                    order = self._order(event.order_id, event)
                    order.reduced += event.quantity
                    assert order.remaining == event.remaining >= 0, (order, event)
                case e.OrderClosed():
                    self._closed(event)
                case e.TradeReversed():
                    trade = self.trades.pop(event.trade_id)
                    assert (trade.maker_account, trade.taker_account) == (event.maker_account, event.taker_account)
                case e.LevelChanged():
                    self.levels[event.market, event.side, event.price] = event.quantity
                case e.BalanceChanged():
                    parts = event.available, event.held, event.reserved, event.unsettled, event.deficit
                    self.balances[event.account, event.asset] = parts
                case _:
                    pass

    def explain(self, engine: Engine) -> None:
        """What is open, shown and owned is what the events have left."""
        left = {order_id: use.remaining for order_id, use in self.open.items()}
        assert left == {order_id: order.remaining for order_id, order in engine.state.orders.items()}
        shown = {
            (book.market.market_id, side, price): lots
            for book in engine.books()
            for side, levels in ((0, book.bids), (1, book.asks))
            for price, lots in levels
        }
        assert {where: lots for where, lots in self.levels.items() if lots} == shown
        owned = {
            (owner.account_id, asset): (b.available, b.held, b.reserved, b.unsettled, b.deficit)
            for owner in engine.state.accounts
            for asset, b in owner.balances.items()
        }
        assert {where: parts for where, parts in self.balances.items() if any(parts)} == {
            where: parts for where, parts in owned.items() if any(parts)
        }

    def explain_drained(self, engine: Engine) -> None:
        """What the engine has is what the events have left, which is nothing."""
        self.explain(engine)
        self.expect_drained()

    def expect_drained(self) -> None:
        """Nothing is open, and every lot that was accepted was used, filled, decremented or closed."""
        assert not self.open
        assert not any(self.levels.values())
        assert all(use.accepted.quantity == use.gone + use.left for use in self.closed.values())

    def _order(self, order_id: int, event: e.Event) -> Use:
        assert order_id in self.open, event
        return self.open[order_id]

    def _amended(self, event: e.OrderAmended) -> None:
        order, old = self._order(event.order_id, event), self._order(event.replaced, event)
        alike = [(o.accepted.account, o.accepted.market, o.accepted.side, o.accepted.nonce) for o in (order, old)]
        assert alike[0] == alike[1], event
        assert order.gone == 0, (order, event)
        assert not old.is_replaced, (old, event)
        order.used_before, old.is_replaced = old.gone, True
        assert order.remaining == event.remaining > 0, (order, event)

    def _traded(self, event: e.TradeMatched) -> None:
        assert event.trade_id not in self.trades, event
        assert event.quote == event.price * event.quantity, event
        assert event.quantity > 0, event
        self.trades[event.trade_id] = event
        maker, taker = self._order(event.maker_order, event), self._order(event.taker_order, event)
        by_quote = taker.accepted.side == Side.buy_quote
        maker.filled += event.quantity
        taker.filled += event.quote if by_quote else event.quantity
        assert maker.remaining == event.maker_remaining >= 0, (maker, event)
        assert taker.remaining == event.taker_remaining >= 0, (taker, event)

    def _closed(self, event: e.OrderClosed) -> None:
        order = self._order(event.order_id, event)
        assert order.accepted.quantity == order.gone + event.remaining, (order, event)
        assert (event.reason == "amended") == order.is_replaced, (order, event)
        if event.reason == "filled" and order.accepted.side != Side.buy_quote:
            assert event.remaining == 0, (order, event)
        order.left = event.remaining
        self.closed[event.order_id] = self.open.pop(event.order_id)
