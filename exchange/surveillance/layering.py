"""Layering and spoofing: large orders that nobody was to meet, taken back once the other side has traded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from exchange.surveillance.tape import Case, Ended, Fact, Pattern, Placed, Traded, case_of
from exchange.surveillance.thresholds import Thresholds

TAKEN_BACK = frozenset({"cancelled", "mass_cancelled", "trading_stopped", "amended"})
"""Reasons with which an account ends its own order; what takes the place of an amended one is placed again."""
_MIN_UNFILLED_PERCENT = 90


@dataclass(slots=True)
class _Life:
    """An order in the window: what was filled of it by the trades so far, and its end."""

    placed: Placed
    end: Ended | None = None
    fills: list[Traded] = field(default_factory=list)

    def open_at(self, trade: Traded) -> int:
        """Lots that stood in the book when a trade happened; 0 for an order that came with it."""
        if self.end is not None and self.end.seq < trade.seq:
            return 0
        return self.shown_before(trade, 0)

    def shown_before(self, trade: Traded, span_ms: int) -> int:
        """Lots that stood in the book at some moment in the span before a trade."""
        if self.placed.seq >= trade.seq or (self.end is not None and self.end.at_ms < trade.at_ms - span_ms):
            return 0
        return self.placed.quantity - sum(fill.quantity for fill in self.fills if fill.trade_id < trade.trade_id)


def layering(tape: Sequence[Fact], limits: Thresholds, until_ms: int | None = None) -> Iterator[Case]:
    """Accounts that did so at least `layering_episodes` times in a market.

    The tape ends at `until_ms`: of a trade just before that, nobody knows yet what is placed again after it.
    """
    lives = _lives(tape)
    trades: defaultdict[tuple[int, bytes, int], list[Traded]] = defaultdict(list)
    for fact in tape:
        if isinstance(fact, Traded):
            for account in {fact.maker, fact.taker}:
                trades[fact.market, account, fact.side_of(account)].append(fact)
    for (market, account, side), own in trades.items():
        used: set[int] = set()
        facts: list[Fact] = []
        episodes = lots = 0
        for trade in own:
            if until_ms is not None and trade.at_ms + limits.layering_after_ms > until_ms:
                break
            found = _withdrawn(lives.get((market, account), []), trade, side, used, limits)
            if found:
                episodes += 1
                lots += sum(life.open_at(trade) for life in found)
                used |= {life.placed.order_id for life in found}
                facts += [life.placed for life in found] + [life.end for life in found if life.end]
        if episodes >= limits.layering_episodes:
            facts.sort(key=lambda fact: fact.seq)
            traded = sum(trade.quantity for trade in own)
            yield case_of(
                Pattern.layering,
                market,
                [account],
                facts,
                {"episodes": episodes, "lots_withdrawn": lots, "lots_traded": traded, "side": side},
                sorted(used),
                f"{episodes} times orders stood against the side on which the account traded, at least "
                f"{limits.layering_ratio} times as large, and were taken back at once after it: {lots} lots in all",
            )


def _withdrawn(lives: Sequence[_Life], trade: Traded, side: int, used: set[int], limits: Thresholds) -> list[_Life]:
    """The orders of one account that made up the false side when it traded on `side`; none when there was none.

    Who moves its quotes shows as much on both sides just before, or places as much again.
    """
    against: list[_Life] = []
    beside, replaced = trade.quantity, 0
    for life in lives:
        if life.placed.side == side:
            beside += life.shown_before(trade, limits.layering_after_ms)
        elif trade.at_ms <= life.placed.at_ms <= trade.at_ms + limits.layering_after_ms and life.placed.seq > trade.seq:
            replaced += life.placed.quantity
        elif life.open_at(trade) and life.placed.order_id not in used and _is_false(life, trade, limits):
            against.append(life)
    withdrawn = sum(life.open_at(trade) for life in against)
    return against if withdrawn >= limits.layering_ratio * beside and 2 * replaced < withdrawn else []


def _is_false(life: _Life, trade: Traded, limits: Thresholds) -> bool:
    """Whether an order was placed shortly before a trade and taken back, unfilled, right after it."""
    end, placed = life.end, life.placed
    return (
        end is not None
        and end.reason in TAKEN_BACK
        and 100 * end.remaining >= _MIN_UNFILLED_PERCENT * placed.quantity
        and trade.at_ms - placed.at_ms <= limits.layering_before_ms
        and end.at_ms - trade.at_ms <= limits.layering_after_ms
    )


def _lives(tape: Sequence[Fact]) -> dict[tuple[int, bytes], list[_Life]]:
    """Orders that were placed in the window, by market and account."""
    by_order: dict[int, _Life] = {}
    lives: defaultdict[tuple[int, bytes], list[_Life]] = defaultdict(list)
    for fact in tape:
        if isinstance(fact, Placed):
            life = by_order[fact.order_id] = _Life(fact)
            lives[fact.market, fact.account].append(life)
        elif isinstance(fact, Traded):
            for order_id in (fact.maker_order, fact.taker_order):
                if order_id in by_order:
                    by_order[order_id].fills.append(fact)
        elif isinstance(fact, Ended) and fact.order_id in by_order:
            by_order[fact.order_id].end = fact
    return lives
