"""A naive order book: lists, sorting and searching. Slow, and so short that it can be read as the rule."""

from dataclasses import dataclass


@dataclass
class Resting:
    """An order in the naive book."""

    order_id: int
    account: bytes
    side: int
    price: int
    lots: int


class NaiveBook:
    """Price, then time. Returns what an order trades, and why it ends (None: it rests)."""

    def __init__(self, max_fills: int) -> None:
        self.max_fills = max_fills
        self.resting: list[Resting] = []

    def queue(self, side: int, price: int) -> list[Resting]:
        """The orders that one of `side` at `price` meets, in the order in which it meets them."""
        meets = [o for o in self.resting if o.side != side and (o.price <= price if side == 0 else o.price >= price)]
        return sorted(meets, key=lambda o: (o.price if side == 0 else -o.price, o.order_id))

    def place(
        self, new: Resting, tif: str, post_only: bool, self_trade: str, by_quote: bool = False
    ) -> tuple[list[tuple[int, int, int]], str | None]:
        """Trades as (maker order, price, lots), and the reason of the close. By quote, `new.lots` counts quote."""
        queue = self.queue(new.side, new.price)
        if post_only and queue:
            return [], "post_only_would_take"
        plan: list[tuple[Resting, int]] = []
        taken_off: list[tuple[Resting, int]] = []
        missing, reason = new.lots, None
        for maker in queue:
            unit = maker.price if by_quote else 1
            lots = min(missing // unit, maker.lots)
            own = maker.account == new.account
            if not lots:
                reason = "filled"
                break
            if own:
                off = lots if self_trade == "decrement" else maker.lots
                if self_trade != "cancel_taker" and (tif != "fok" or self_trade == "cancel_maker"):
                    taken_off.append((maker, off))
                missing -= off * unit if self_trade == "decrement" else 0
                if self_trade == "cancel_maker" or (self_trade == "decrement" and missing >= unit):
                    continue
                reason = "self_trade"
                break
            if len(plan) == self.max_fills:
                reason = "too_many_fills"
                break
            plan.append((maker, lots))
            missing -= lots * unit
            if missing < unit:
                reason = "filled"
                break
        if tif == "fok" and reason != "filled":
            return [], reason or "fok_unfilled"
        for maker, lots in plan + taken_off:
            maker.lots -= lots
        new.lots = missing
        self.resting = [o for o in self.resting if o.lots]
        trades = [(maker.order_id, maker.price, lots) for maker, lots in plan]
        if reason is None and tif != "ioc":
            self.resting.append(new)
            return trades, None
        return trades, reason or "unfilled"

    def levels(self, side: int) -> list[tuple[int, int]]:
        """(price, lots), best first."""
        prices = sorted({o.price for o in self.resting if o.side == side}, reverse=side == 0)
        return [(p, sum(o.lots for o in self.resting if o.side == side and o.price == p)) for p in prices]

    def drop(self, order_ids: set[int]) -> None:
        """Orders that ended for a reason of their own."""
        self.resting = [o for o in self.resting if o.order_id not in order_ids]
