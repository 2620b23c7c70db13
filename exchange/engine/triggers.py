"""Orders that wait for a price: which a trade triggers, and which of them works first.

Every trade is looked at by itself, in order. Those that it reaches are due in the order in which the price reached
them, the nearest first, then in order of acceptance; each works in a record of its own, and no order comes before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.domain.amount import BPS, MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order, Side, Terms, TriggerType
from exchange.domain.order_id import id_of, rank_of
from exchange.engine import events as e
from exchange.engine.book import Book
from exchange.engine.groups import decide
from exchange.engine.orders import OpenOrder, trigger_bits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.engine.state import State

RISING, FALLING = -1, 1
"""What a trigger waits for. Its key is its price by this sign, so the largest key is always the nearest."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What an order waits for: the last price at `price` or beyond, in one direction.

    A trailing one (`trail_bps`) follows `best`, the best last price since it was placed; `price` is then of that best.
    """

    direction: int
    price: int
    trail_bps: int = 0
    best: int = 0

    def reached(self, last_price: int) -> bool:
        """Whether a last price triggers; there is none before the first trade of a market without a reference."""
        return bool(last_price) and self.direction * self.price >= self.direction * last_price


def trailing(direction: int, trail_bps: int, best: int) -> Trigger:
    """A trigger that is so far behind the best price: rounded down below it, up above it."""
    price = best * (BPS - direction * trail_bps)
    price = price // BPS if direction == FALLING else -(-price // BPS)
    return Trigger(direction, min(max(price, 1), MAX_AMOUNT), trail_bps, best)


def trigger_of(order: Order, last_price: int) -> Trigger | None:
    """What a signed order waits for when it comes at a last price; None if it waits for nothing."""
    if not trigger_bits(order.terms):
        return None
    terms = Terms.unpack(order.terms)
    sells = order.side == Side.sell
    if terms.trigger_type == TriggerType.take_profit:
        return Trigger(RISING if sells else FALLING, order.trigger_price)
    direction = FALLING if sells else RISING
    if terms.trigger_type == TriggerType.trailing:
        worst = 0 if direction == FALLING else MAX_AMOUNT
        return trailing(direction, terms.trail_bps, last_price or worst)
    return Trigger(direction, order.trigger_price)


def check_terms(order: Order, tick_size: int) -> None:
    """Refuse an order whose trigger says nothing, or too much."""
    if not trigger_bits(order.terms):
        if order.trigger_price:
            raise Refusal(ErrorCode.terms_conflict, "an order without a trigger has trigger_price 0", "trigger_price")
        return
    terms = Terms.unpack(order.terms)
    if order.side == Side.buy_quote:
        raise Refusal(ErrorCode.terms_conflict, "a buy_quote order has no trigger: buy a quantity", "trigger_type")
    if terms.trigger_type == TriggerType.trailing:
        if order.trigger_price:
            raise Refusal(
                ErrorCode.terms_conflict, "a trailing order follows the price: trigger_price must be 0", "trigger_price"
            )
        return
    if order.trigger_price <= 0 or order.trigger_price % tick_size:
        raise Refusal(
            ErrorCode.price_off_tick,
            f"trigger_price must be a positive multiple of {tick_size}",
            "trigger_price",
            {"tick_size": str(tick_size)},
        )


class Trail:
    """Trailing orders of one direction that have seen the same best price: how far each trails, and its rank."""

    __slots__ = ("best", "direction", "orders")

    def __init__(self, direction: int, best: int) -> None:
        self.direction = direction
        self.best = best
        self.orders: list[tuple[int, int]] = []

    def trigger(self, trail_bps: int) -> Trigger:
        """What one that trails so far waits for."""
        return trailing(self.direction, trail_bps, self.best)

    @property
    def key(self) -> int:
        """The key of the nearest, who trails the least."""
        return self.direction * self.trigger(self.orders[0][0]).price


class Watch:
    """The waiting orders of one market, by id and by nearness. The nearest of a direction stands last.

    Trailing ones with the same best price are kept together, because they move together: a trade touches only those
    whose best it betters, and from then on they are one.
    """

    __slots__ = ("bests", "fixed", "heads", "homes", "keys", "trails")

    def __init__(self) -> None:
        self.fixed: dict[int, Trigger] = {}
        self.keys: dict[int, list[tuple[int, int]]] = {RISING: [], FALLING: []}
        self.homes: dict[int, tuple[Trail, int]] = {}
        """Where a trailing order is, and how far it trails."""
        self.trails: dict[int, dict[int, Trail]] = {RISING: {}, FALLING: {}}
        """Of each direction, by their best price, by the sign; `bests` are these in order, the worst first."""
        self.bests: dict[int, list[int]] = {RISING: [], FALLING: []}
        self.heads: dict[int, list[tuple[int, int]]] = {RISING: [], FALLING: []}
        """Of each of them the key of its nearest order, and the best price by the sign, in order."""

    def __len__(self) -> int:
        return len(self.fixed) + len(self.homes)

    @property
    def triggers(self) -> dict[int, Trigger]:
        """What everybody waits for; made for those who ask."""
        return self.fixed | {order_id: trail.trigger(bps) for order_id, (trail, bps) in self.homes.items()}

    def add(self, order_id: int, trigger: Trigger) -> None:
        """Watch for an order."""
        sign = trigger.direction
        if not trigger.trail_bps:
            self.fixed[order_id] = trigger
            insort(self.keys[sign], (sign * trigger.price, -rank_of(order_id)))
            return
        trail = self.trails[sign].get(sign * trigger.best)
        if trail is None:
            trail = Trail(sign, trigger.best)
            insort(self.bests[sign], sign * trigger.best)
        else:
            self._unlist(trail)
        insort(trail.orders, (trigger.trail_bps, rank_of(order_id)))
        self.homes[order_id] = trail, trigger.trail_bps
        self._list(trail)

    def remove(self, order_id: int) -> None:
        """Watch no more for an order, if it was watched for."""
        trigger = self.fixed.pop(order_id, None)
        if trigger is not None:
            keys = self.keys[trigger.direction]
            del keys[bisect_left(keys, (trigger.direction * trigger.price, -rank_of(order_id)))]
        elif order_id in self.homes:
            trail, trail_bps = self.homes.pop(order_id)
            self._unlist(trail)
            del trail.orders[bisect_left(trail.orders, (trail_bps, rank_of(order_id)))]
            self._list(trail)

    def quiet(self) -> tuple[int, int]:
        """Between which prices, both included, a trade triggers nobody and no trailing trigger follows it."""
        falling, rising = ([rows[-1][0] for rows in (self.keys[s], self.heads[s]) if rows] for s in (FALLING, RISING))
        lowest = max(falling, default=-1) + 1
        highest = -max(rising, default=-MAX_AMOUNT - 1) - 1
        if self.bests[RISING]:
            lowest = max(lowest, -self.bests[RISING][0])
        if self.bests[FALLING]:
            highest = min(highest, self.bests[FALLING][0])
        return min(lowest, MAX_AMOUNT), min(highest, MAX_AMOUNT - 1)

    def passed(self, prices: Iterable[int]) -> list[tuple[int, Trigger]]:
        """The orders that trades at these prices trigger, first come first, with what; trailing triggers follow them.

        Where prices move away from a trailing order, it follows their last only, before they come back.
        """
        due: list[tuple[int, Trigger]] = []
        furthest: dict[int, int] = {}
        for price in prices:
            for sign in self.keys:
                if sign in furthest and sign * price < sign * furthest[sign]:
                    self._follow(sign, furthest.pop(sign))
                due += self._reached(sign, price)
                furthest[sign] = price
        for sign, price in furthest.items():
            self._follow(sign, price)
        return due

    def _reached(self, sign: int, price: int) -> list[tuple[int, Trigger]]:
        """The orders of a direction that a trade triggers, watched no more: the nearest first, then by age."""
        found: list[tuple[int, Trigger]] = []
        keys, heads = self.keys[sign], self.heads[sign]
        while keys and keys[-1][0] >= sign * price:
            order_id = id_of(-keys.pop()[1])
            found.append((order_id, self.fixed.pop(order_id)))
        while heads and heads[-1][0] >= sign * price:
            trail = self.trails[sign][heads[-1][1]]
            self._unlist(trail)
            before = len(found)
            for trail_bps, rank in trail.orders:
                trigger, order_id = trail.trigger(trail_bps), id_of(rank)
                if not trigger.reached(price):
                    break
                del self.homes[order_id]
                found.append((order_id, trigger))
            del trail.orders[: len(found) - before]
            self._list(trail)
        found.sort(key=lambda item: (-sign * item[1].price, rank_of(item[0])))
        return found

    def _follow(self, sign: int, price: int) -> None:
        """Have those follow a price whose best one it betters; with who has seen it they are one."""
        bests, best = self.bests[sign], sign * price
        if not bests or bests[0] >= best:
            return
        moved = [self.trails[sign][key] for key in bests[: bisect_right(bests, best)]]
        for trail in moved:
            self._unlist(trail)
        del bests[: len(moved)]
        bests.insert(0, best)
        largest = max(moved, key=lambda trail: len(trail.orders))
        largest.best = price
        others = [order for trail in moved if trail is not largest for order in trail.orders]
        self.homes.update((id_of(rank), (largest, trail_bps)) for trail_bps, rank in others)
        if len(others) * 16 < len(largest.orders):
            for order in others:
                insort(largest.orders, order)
        else:
            largest.orders += others
            largest.orders.sort()
        self._list(largest)

    def _list(self, trail: Trail) -> None:
        """List orders with the same best, or forget it when there are none."""
        sign, best = trail.direction, trail.direction * trail.best
        if trail.orders:
            self.trails[sign][best] = trail
            insort(self.heads[sign], (trail.key, best))
        else:
            del self.bests[sign][bisect_left(self.bests[sign], best)]

    def _unlist(self, trail: Trail) -> None:
        sign, best = trail.direction, trail.direction * trail.best
        del self.trails[sign][best]
        del self.heads[sign][bisect_left(self.heads[sign], (trail.key, best))]


def wait(state: State, order: OpenOrder, trigger: Trigger | None) -> None:
    """Let an accepted order wait, backed by its hold; without a trigger, for its turn."""
    state.wait(order)
    if trigger is not None:
        _watch(state, order, trigger)


def _watch(state: State, order: OpenOrder, trigger: Trigger) -> None:
    market = order.book.market.market_id
    state.watches.setdefault(market, Watch()).add(order.order_id, trigger)


def notice(state: State, book: Book, since: int) -> None:
    """Find what trades trigger: those of the market among this command's events from a place on."""
    market = book.market.market_id
    if market in state.watches:
        trades = (event for event in state.events[since:] if isinstance(event, e.TradeMatched))
        triggered(state, market, [trade.price for trade in trades if trade.market == market])


def triggered(state: State, market: int, prices: list[int]) -> None:
    """Have the orders that trades at these prices trigger be due."""
    watch = state.watches.get(market)
    if watch is None:
        return
    state.due.update(watch.passed(prices))
    if not watch:
        del state.watches[market]


def wait_again(state: State, market: int) -> None:
    """Have who is due in a market that stops wait again for what it waited for: its last price decides later."""
    for order_id, trigger in list(state.due.items()):
        order = state.find_waiting(order_id)
        if order is not None and order.book.market.market_id == market:
            del state.due[order_id]
            _watch(state, order, trigger)


def forget_trigger(state: State, market: int, order_id: int) -> None:
    """Watch no more for an order that waited, for its price or its turn."""
    state.due.pop(order_id, None)
    watch = state.watches.get(market)
    if watch is not None:
        watch.remove(order_id)
        if not watch:
            del state.watches[market]


def next_due(state: State) -> OpenOrder | None:
    """The triggered order whose turn it is, taken out of those that are open; None if none is due."""
    while state.due:
        order = state.find_waiting(state.due.popitem(last=False)[0])
        if order is None:
            continue
        state.take_out(order)
        if order.group:
            decide(state, order)
        return order
    return None
