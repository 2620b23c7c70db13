"""A naive order book: lists, sorting and searching. Slow, and so short that it can be read as the rule."""

import copy
import itertools
from dataclasses import dataclass


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

    def take(self, maker: Resting, lots: int) -> None:
        """Take lots that an order shows; when they are used up it shows the next, behind all others."""
        maker.lots -= lots
        maker.shown -= lots
        if not maker.lots:
            self.resting.remove(maker)
        elif not maker.shown:
            maker.shown, maker.rank = min(maker.lots, maker.slice), next(self.ranks)

    def levels(self, side: int) -> list[tuple[int, int]]:
        """(price, lots), best first."""
        prices = sorted({o.price for o in self.resting if o.side == side}, reverse=side == 0)
        return [(p, sum(o.shown for o in self.resting if o.side == side and o.price == p)) for p in prices]

    def drop(self, order_ids: set[int]) -> None:
        """Orders that ended for a reason of their own."""
        self.resting = [o for o in self.resting if o.order_id not in order_ids]
