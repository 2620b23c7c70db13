"""A naive order book: lists, sorting and searching. Slow, and so short that it can be read as the rule."""

import copy
import itertools
from collections import Counter
from dataclasses import dataclass, field

from exchange.domain.order import Order, Side, Terms, TriggerType
from exchange.domain.order_id import age
from exchange.engine import events as e
from tests.utils.engine import only


@dataclass
class Resting:
    """An order in the naive book."""

    order_id: int
    account: bytes
    side: int
    price: int
    lots: int
    slice: int = 0
    shown: int = 0
    rank: int = 0


class NaiveBook:
    """Price, then time. Returns what an order trades, and why it ends (None: it rests)."""

    def __init__(self, max_fills: int) -> None:
        self.max_fills = max_fills
        self.resting: list[Resting] = []
        self.ranks = itertools.count()

    def queue(self, side: int, price: int) -> list[Resting]:
        """The orders that one of `side` at `price` meets, in the order in which it meets them."""
        meets = [o for o in self.resting if o.side != side and (o.price <= price if side == 0 else o.price >= price)]
        return sorted(meets, key=lambda o: (o.price if side == 0 else -o.price, o.rank))

    def place(
        self, new: Resting, tif: str, post_only: bool, self_trade: str, by_quote: bool = False
    ) -> tuple[list[tuple[int, int, int]], str | None]:
        """Trades as (maker order, price, lots), and the reason of the close. By quote, `new.lots` counts quote."""
        if post_only and self.queue(new.side, new.price):
            return [], "post_only_would_take"
        before = copy.deepcopy(self.resting)
        trades: list[tuple[int, int, int]] = []
        reason: str | None = None
        missing = new.lots
        while reason is None and (queue := self.queue(new.side, new.price)):
            maker = queue[0]
            unit = maker.price if by_quote else 1
            lots = min(missing // unit, maker.shown)
            if not lots:
                reason = "filled"
            elif maker.account == new.account:
                if self_trade == "decrement":
                    self.take(maker, lots)
                    missing -= lots * unit
                elif self_trade != "cancel_taker":
                    self.resting.remove(maker)
                if self_trade in ("cancel_taker", "cancel_both") or missing < unit:
                    reason = "self_trade"
            elif len(trades) == self.max_fills:
                reason = "too_many_fills"
            else:
                trades.append((maker.order_id, maker.price, lots))
                self.take(maker, lots)
                missing -= lots * unit
                reason = "filled" if missing < unit else None
        if tif == "fok" and reason != "filled":
            self.resting = before
            return [], reason or "fok_unfilled"
        new.lots = missing
        if reason is None and tif != "ioc":
            new.shown, new.rank = min(missing, new.slice or missing), next(self.ranks)
            self.resting.append(new)
            return trades, None
        return trades, reason or "unfilled"

    def gather(self, new: Resting, self_trade: str) -> str | None:
        """An order comes into the call of an auction; why it ends, or None when it rests."""
        own = [o for o in self.queue(new.side, new.price) if o.account == new.account]
        for maker in sorted(own, key=lambda o: (o.price if new.side == 0 else -o.price, age(o.order_id))):
            while maker in self.resting:
                if self_trade == "decrement":
                    lots = min(new.lots, maker.shown)
                    self.take(maker, lots)
                    new.lots -= lots
                elif self_trade != "cancel_taker":
                    self.resting.remove(maker)
                if self_trade in ("cancel_taker", "cancel_both") or not new.lots:
                    return "self_trade"
        new.shown, new.rank = min(new.lots, new.slice or new.lots), next(self.ranks)
        self.resting.append(new)
        return None

    def auction_price(self, last: int) -> tuple[int, int, int]:
        """The price of an auction, and lots bid and asked at it, by trying every price; zeros when nobody meets."""
        ranks = []
        for price in range(1, 200):
            wanted = sum(o.lots for o in self.resting if o.side == 0 and o.price >= price)
            given = sum(o.lots for o in self.resting if o.side == 1 and o.price <= price)
            if wanted and given:
                ranks.append((-min(wanted, given), abs(wanted - given), abs(price - last), price, wanted, given))
        return min(ranks)[3:] if ranks else (0, 0, 0)

    def meet(self, price: int) -> tuple[int, int, int] | None:
        """The next trade at an auction's price: (maker order, taker order, lots)."""
        bids = [o for o in self.resting if o.side == 0 and o.price >= price]
        asks = [o for o in self.resting if o.side == 1 and o.price <= price]
        if not bids or not asks:
            return None
        pair = min(bids, key=lambda o: (-o.price, o.rank)), min(asks, key=lambda o: (o.price, o.rank))
        lots = min(o.lots for o in pair)
        for order in pair:
            order.lots -= lots
            order.shown = order.shown - lots if lots < order.shown else min(order.lots, order.slice or order.lots)
            if not order.lots:
                self.resting.remove(order)
        maker, taker = sorted((o.order_id for o in pair), key=age)
        return maker, taker, lots

    def take(self, maker: Resting, lots: int) -> None:
        """Take lots that an order shows; when they are used up it shows the next, behind all others."""
        maker.lots -= lots
        maker.shown -= lots
        if not maker.lots:
            self.resting.remove(maker)
        elif not maker.shown:
            maker.shown, maker.rank = min(maker.lots, maker.slice), next(self.ranks)

    def swap(self, old_id: int, new_id: int, lots: int) -> None:
        """An order that asks for no more takes an old one's place; what it shows no more was hidden first."""
        order = next(o for o in self.resting if o.order_id == old_id)
        order.order_id, order.lots, order.shown = new_id, lots, min(order.shown, lots)

    def levels(self, side: int) -> list[tuple[int, int]]:
        """(price, lots), best first."""
        prices = sorted({o.price for o in self.resting if o.side == side}, reverse=side == 0)
        return [(p, sum(o.shown for o in self.resting if o.side == side and o.price == p)) for p in prices]

    def drop(self, order_ids: set[int]) -> None:
        """Orders that ended for a reason of their own."""
        self.resting = [o for o in self.resting if o.order_id not in order_ids]


@dataclass
class NaiveGroups:
    """Who is a leg of which group, until it is decided, told by events only."""

    legs: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    names: dict[int, tuple[int, int]] = field(default_factory=dict)
    decided: int = 0

    def happened(self, events: list[e.Event], still_open: set[int]) -> None:
        """A leg that filled, was decremented, worked or ended has ended the other, for the group's sake only."""
        used = {order_id for event in events for order_id in _used(event)}
        closed = [event for event in events if isinstance(event, e.OrderClosed) and event.reason != "amended"]
        ended = {event.order_id for event in closed if event.reason == "group"}
        accepted = {event.order_id: (event.account, event.terms >> 96) for event in only(events, e.OrderAccepted)}
        for event in only(events, e.OrderAmended):
            accepted.pop(event.order_id)
            if event.replaced in self.names:
                self._seat(event.order_id, self._leave(event.replaced), still_open | used)
        together = Counter(accepted.values())
        for order_id, name in accepted.items():
            if name[1]:  # of two that come together both are legs, whatever becomes of them
                self._seat(order_id, name, {order_id} if together[name] > 1 else still_open | used)
        moved = self.names.keys() & (used | {event.order_id for event in closed}) - ended
        assert ended <= self.names.keys()
        assert set(map(self.names.get, ended)) <= {self.names[order_id] for order_id in moved}
        for order_id in moved:
            name = self.names[order_id]
            others = [leg for leg in self.legs.pop(name) if leg != order_id]
            assert set(others) <= ended, (order_id, others)
            self.decided += len(others)
            for leg in (order_id, *others):
                del self.names[leg]

    def _seat(self, order_id: int, name: tuple[int, int], there: set[int]) -> None:
        if order_id in there:
            self.names[order_id] = name
            self.legs.setdefault(name, []).append(order_id)
            assert len(self.legs[name]) <= 2

    def _leave(self, order_id: int) -> tuple[int, int]:
        """An order gives up its seat."""
        name = self.names.pop(order_id)
        self.legs[name].remove(order_id)
        return name


def _used(event: e.Event) -> tuple[int, ...]:
    """Who fills, is decremented or starts to work."""
    if isinstance(event, e.TradeMatched):
        return event.maker_order, event.taker_order
    if isinstance(event, e.OrderReduced | e.OrderTriggered):
        return (event.order_id,)
    return ()


@dataclass
class Waiting:
    """An order that waits; `history` are the last prices since it came, the first that of its coming."""

    order_id: int
    order: Order
    history: list[int]

    def place(self) -> tuple[bool, int]:
        """Whether it waits for a rise, and until where, by what is signed and what happened since."""
        order, terms = self.order, Terms.unpack(self.order.terms)
        sells = order.side == Side.sell
        rises = sells if terms.trigger_type == TriggerType.take_profit else not sells
        if terms.trigger_type != TriggerType.trailing:
            return rises, order.trigger_price
        seen = [price for price in self.history if price]
        if not seen:
            return rises, 1 << 63 if rises else 0
        best, trail = (min(seen) if rises else max(seen)), terms.trail_bps
        return rises, -(-best * (10_000 + trail) // 10_000) if rises else best * (10_000 - trail) // 10_000

    def reached(self, last: int) -> bool:
        rises, price = self.place()
        return bool(last) and (last >= price if rises else last <= price)


@dataclass
class NaiveWaiting:
    """Who waits, and those whose turn comes, in order."""

    waits: list[Waiting] = field(default_factory=list)
    turns: list[Waiting] = field(default_factory=list)

    def comes(self, order_id: int, order: Order, last: int, in_call: bool = False) -> bool:
        """An order comes; whether it waits, as all do in the call of an auction."""
        new = Waiting(order_id, order, [last])
        if new.reached(last) and not in_call:
            return False
        self.waits.append(new)
        return True

    def trades(self, market: int, price: int) -> None:
        """A trade, by which the price comes for some."""
        here = [w for w in self.waits if w.order.market == market]
        came = [w for w in here if w.reached(price)]
        came.sort(key=lambda w: (not w.place()[0], w.place()[1] if w.place()[0] else -w.place()[1], age(w.order_id)))
        self.turns += came
        self.waits = [w for w in self.waits if w not in came]
        for waiting in here:
            waiting.history.append(price)

    def turn(self) -> int:
        """The next whose turn it is."""
        return self.turns.pop(0).order_id

    def stops(self, market: int) -> None:
        """A market is open no more: who was to work there waits again."""
        self.waits += [w for w in self.turns if w.order.market == market]
        self.turns = [w for w in self.turns if w.order.market != market]

    def drop(self, still_open: set[int]) -> None:
        """Orders that ended."""
        self.waits = [w for w in self.waits if w.order_id in still_open]
        self.turns = [w for w in self.turns if w.order_id in still_open]
