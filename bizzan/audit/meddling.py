"""What a delegate's signatures did to orders that it did not sign.

An operator can make up a delegate, say that a reorganisation took its naming, and end an account's orders with it. So
a delegate of whom that is said must have done nothing but place and end its own orders (SIG-2). Here is counted what
ends or lowers an order for the sake of another key:

    cancelled, mass_cancelled   the key that signed the command
    amended                     the key that signed the order in its place
    group                       the key that signed the other leg: in whatever record, and whatever became of that leg;
                                unless what ended that leg ends this one just as well, or both were due to expire
    self_trade, a reduction     the key of the account's order that it met in the book of then, or that met it
    post_only_would_take        the key of the order that it would have taken first, if that is the account's
    a reversed trade            the keys of the account's orders of the trades that the record reverses, if the order
                                ends for what is owed then, and neither traded there nor owes by a debit of its own
    a countdown, a cancel-all   the key that signed it, whatever it ends: it lasts on what comes later

Not counted: orders that end as `debited`, by the chain's word on their account, though a delegate's order may have held
what was missing; orders that end by the ledger's bound on what is unsettled (`unsettled_limit`); and orders of other
accounts, whose trades with a delegate's order were reversed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from bizzan.audit.pairs import Name, group_of
from bizzan.audit.priority import PriorityLedger
from bizzan.audit.standing import BUY, SELL, Standing
from exchange.domain.order import SINGLE_FILL
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.events import CloseReason
from exchange.journal.reader import Record

Pair = tuple[bytes, bytes]
"""An account and the key that signs for it."""

CANCELS = (c.CancelOrder, c.CancelAll, c.MassCancel)
MEETINGS = frozenset({CloseReason.self_trade, CloseReason.post_only_would_take})
FOR_ALL = frozenset(
    {
        CloseReason.account_exiting,
        CloseReason.account_frozen,
        CloseReason.countdown,
        CloseReason.debited,
        CloseReason.market_delisted,
        CloseReason.mass_cancelled,
        CloseReason.trade_reversed,
        CloseReason.trading_stopped,
    }
)
"""Reasons that end the other leg just as well: both hold one asset, and are of one market and side."""

OWED = frozenset({CloseReason.debited, CloseReason.trade_reversed, CloseReason.group})
"""Reasons for which orders end as trades are reversed."""


@dataclass(slots=True)
class Meddling:
    """Counts by record. `priority` has the books; it judges each record before, and hears of it through `overhear`.

    `placed` and `matched` say what stands behind the ids of orders and trades, also of the record that is counted.
    """

    priority: PriorityLedger
    placed: Callable[[int], c.PlaceOrder]
    matched: Callable[[int], e.TradeMatched]
    _legs: dict[Name, list[int]] = field(default_factory=dict)
    """The open legs of each group."""
    _met: list[tuple[int, int]] = field(default_factory=list)
    """Orders of the record that ended or were lowered for another of their account, each with that."""
    _working: int = 0
    _maker: int = 0
    """The last order of its own account that the order at work has ended or lowered, 0 if none."""

    def overhear(self, events: Iterable[e.Event]) -> Iterator[e.Event]:
        """Pass on what happened in a record, and look before each event who stands in the books."""
        self._met, self._working, self._maker = [], 0, 0
        for event in events:
            if isinstance(event, e.OrderAccepted | e.OrderTriggered):
                self._working, self._maker = event.order_id, 0
            elif isinstance(event, e.OrderReduced):
                self._meets(event.order_id, CloseReason.self_trade)
            elif isinstance(event, e.OrderClosed) and event.reason in MEETINGS:
                self._meets(event.order_id, event.reason)
            yield event

    def pairs(self, record: Record, happened: Iterable[e.Event]) -> Iterator[Pair]:
        """Whose orders were touched in a record for the sake of which delegate's key."""
        command, events = record.command, list(happened)
        if isinstance(command, c.CancelAll | c.SetCountdown) and command.signer != command.account:
            yield command.account, command.signer
        closed: dict[int, CloseReason] = {}
        for event in events:
            if isinstance(event, e.OrderAccepted):
                self._came(event.order_id)
            elif isinstance(event, e.OrderAmended):
                self._went(event.replaced)
            elif isinstance(event, e.OrderClosed):
                closed[event.order_id] = event.reason
        for order_id, key in self._touched(record, events, closed):
            placed = self.placed(order_id)
            if key not in (placed.signer, placed.order.account):
                yield placed.order.account, key
        for order_id in closed:
            self._went(order_id)

    def _came(self, order_id: int) -> None:
        order = self.placed(order_id).order
        if group_of(order.terms):
            self._legs.setdefault((order.account, group_of(order.terms)), []).append(order_id)

    def _went(self, order_id: int) -> None:
        """An order is no leg any more. If the other leg did not end with it, that stays, and another may come."""
        order = self.placed(order_id).order
        name = order.account, group_of(order.terms)
        legs = self._legs.get(name, [])
        if order_id in legs:
            legs.remove(order_id)
        if not legs:
            self._legs.pop(name, None)

    def _meets(self, order_id: int, reason: CloseReason) -> None:
        if order_id != self._working:
            self._maker = order_id
        met = self._working if order_id != self._working else self._maker or self._in_the_way(reason)
        if met:
            self._met.append((order_id, met))

    def _in_the_way(self, reason: CloseReason) -> int:
        """The order of its own account that the order at work meets; 0: none."""
        order = self.priority.orders.get(self._working)
        if order is None:
            return 0
        against = self._against(order)
        if reason == CloseReason.post_only_would_take:  # the first is enough, whoever's it is
            against = islice(against, 1)
        return next((other.order_id for other in against if other.account == order.account), 0)

    def _against(self, order: Standing) -> Iterator[Standing]:
        """The orders in the book that an order could meet, the best first."""
        half = self.priority.books.half(order.market, SELL if order.book_side == BUY else BUY)
        for price in sorted(filter(order.crosses, half), reverse=order.book_side == SELL):
            yield from half[price].values()

    def _touched(
        self, record: Record, events: list[e.Event], closed: dict[int, CloseReason]
    ) -> Iterator[tuple[int, bytes]]:
        """The orders that a record touches, each with a key for whose sake."""
        command = record.command
        for order_id, met in self._met:
            yield order_id, self.placed(met).signer
        for event in events:
            if isinstance(event, e.OrderAmended):
                yield event.replaced, self.placed(event.order_id).signer
        for order_id, reason in closed.items():
            if isinstance(command, CANCELS):
                yield order_id, command.signer
            if reason == CloseReason.group:
                yield from self._partner(record, order_id, closed)
        undone = [event.trade_id for event in events if isinstance(event, e.TradeReversed)]
        if undone:
            yield from self._owed(command, undone, closed)

    def _partner(self, record: Record, order_id: int, closed: dict[int, CloseReason]) -> Iterator[tuple[int, bytes]]:
        order = self.placed(order_id).order
        if _covers(record.command, order.nonce):
            return
        for other in self._legs.get((order.account, group_of(order.terms)), ()):
            reason = closed.get(other)
            expired = reason == CloseReason.expired and order.expiry * 1_000 <= record.at_ms
            if other != order_id and reason not in FOR_ALL and not expired:
                yield order_id, self.placed(other).signer

    def _owed(
        self, command: c.Command, undone: list[int], closed: dict[int, CloseReason]
    ) -> Iterator[tuple[int, bytes]]:
        """Orders that ended as trades were reversed, each with the keys whose trades of its account those were."""
        named = command.trade_ids if isinstance(command, c.ReverseTrades) else ()
        keys: dict[bytes, set[bytes]] = {}
        own: set[tuple[bytes, int]] = set()
        for trade_id in undone:
            match = self.matched(trade_id)
            for placed in (self.placed(match.maker_order), self.placed(match.taker_order)):
                keys.setdefault(placed.order.account, set()).add(placed.signer)
                if trade_id in named:
                    own.add((placed.order.account, placed.order.nonce))
        for order_id, reason in closed.items():
            order = self.placed(order_id).order
            itself = (order.account, order.nonce) in own or getattr(command, "account", b"") == order.account
            if reason in OWED and not itself:
                yield from ((order_id, key) for key in keys.get(order.account, ()))


def _covers(command: c.Command, nonce: int) -> bool:
    """Whether a command cancels the order on this nonce, whatever becomes of others."""
    return isinstance(command, c.CancelAll | c.ObeyCancel) and nonce & ~SINGLE_FILL < command.min_nonce
