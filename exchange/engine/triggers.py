"""Orders that wait for a price: which a trade triggers, and which of them works first.

Every trade is looked at by itself, in order. Those that it reaches are due in the order in which the price reached
them, the nearest first, then in order of acceptance; each works in a record of its own, and no order comes before it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.domain.amount import BPS, MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order, Side, Terms, TriggerType
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

    def follow(self, last_price: int) -> Trigger:
        """The trigger after a trade at a price."""
        if self.trail_bps and self.direction * last_price > self.direction * self.best:
            return trailing(self.direction, self.trail_bps, last_price)
        return self


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


class Watch:
    """The waiting orders of one market, by id and by nearness. The nearest of a direction stands last."""

    __slots__ = ("keys", "least", "triggers")

    def __init__(self) -> None:
        self.triggers: dict[int, Trigger] = {}
        self.keys: dict[int, list[tuple[int, int]]] = {RISING: [], FALLING: []}
        self.least: dict[int, int] = {}
        """Of each direction, the worst best price that a trailing order has, by the sign; a bound from below."""

    def add(self, order_id: int, trigger: Trigger) -> None:
        """Watch for an order."""
        self.triggers[order_id] = trigger
        sign = trigger.direction
        insort(self.keys[sign], (sign * trigger.price, -order_id))
        if trigger.trail_bps:
            best = sign * trigger.best
            self.least[sign] = min(self.least.get(sign, best), best)

    def remove(self, order_id: int) -> Trigger | None:
        """Watch no more; the trigger if the order was watched for."""
        trigger = self.triggers.pop(order_id, None)
        if trigger is not None:
            keys = self.keys[trigger.direction]
            del keys[bisect_left(keys, (trigger.direction * trigger.price, -order_id))]
        return trigger

    def quiet(self) -> tuple[int, int]:
        """Between which prices, both included, a trade triggers nobody and no trailing trigger follows it."""
        lowest = self.keys[FALLING][-1][0] + 1 if self.keys[FALLING] else 0
        highest = -self.keys[RISING][-1][0] - 1 if self.keys[RISING] else MAX_AMOUNT
        lowest = max(lowest, -self.least.get(RISING, 0))
        return min(lowest, MAX_AMOUNT), min(highest, self.least.get(FALLING, MAX_AMOUNT), MAX_AMOUNT - 1)

    def passed(self, prices: Iterable[int]) -> list[tuple[int, Trigger]]:
        """The orders that trades at these prices trigger, first come first, with what; trailing triggers follow them.

        Where prices move away from a trailing order, it follows their last only, before they come back.
        """
        due: list[tuple[int, Trigger]] = []
        furthest: dict[int, int] = {}
        for price in prices:
            for sign, keys in self.keys.items():
                if sign in furthest and sign * price < sign * furthest[sign]:
                    self._follow(sign, furthest.pop(sign))
                while keys and keys[-1][0] >= sign * price:
                    order_id = -keys.pop()[1]
                    due.append((order_id, self.triggers.pop(order_id)))
                furthest[sign] = price
        for sign, price in furthest.items():
            self._follow(sign, price)
        return due

    def _follow(self, sign: int, price: int) -> None:
        """Have trailing triggers follow a price that is better than the worst of their best ones."""
        if sign not in self.least or sign * price <= self.least[sign]:
            return
        del self.least[sign]
        mine = {order_id: trigger for order_id, trigger in self.triggers.items() if trigger.direction == sign}
        mine = {order_id: trigger.follow(price) for order_id, trigger in mine.items()}
        self.triggers.update(mine)
        self.keys[sign][:] = sorted((sign * trigger.price, -order_id) for order_id, trigger in mine.items())
        best = [sign * trigger.best for trigger in mine.values() if trigger.trail_bps]
        if best:
            self.least[sign] = min(best)


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
    if not watch.triggers:
        del state.watches[market]


def forget_trigger(state: State, market: int, order_id: int) -> None:
    """Watch no more for an order that waited, for its price or its turn."""
    state.due.pop(order_id, None)
    watch = state.watches.get(market)
    if watch is not None:
        watch.remove(order_id)
        if not watch.triggers:
            del state.watches[market]


def next_due(state: State) -> OpenOrder | None:
    """The triggered order whose turn it is, taken out of those that are open; None if none is due."""
    while state.due:
        order_id, trigger = state.due.popitem(last=False)
        order = state.find_waiting(order_id)
        if order is None:
            continue
        if not order.book.is_open:
            _watch(state, order, trigger)  # for what it waited for: when the market opens, its last price decides again
            continue
        state.take_out(order)
        if order.group:
            decide(state, order)
        return order
    return None
