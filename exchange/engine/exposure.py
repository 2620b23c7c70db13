"""What the operator bounds in a market: how large an order is, how much an account has open, how far one order takes.

Each bound is 0 where there is none. They are journaled, so a replay meets the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.domain.amount import BPS
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.commands import SetMarketBounds
from exchange.engine.events import MarketBoundsChanged
from exchange.engine.orders import BUY, BUY_QUOTE, OpenOrder

if TYPE_CHECKING:
    from exchange.engine.book import Half
    from exchange.engine.risk import Candidate
    from exchange.engine.state import State


def set_market_bounds(state: State, command: SetMarketBounds) -> None:
    """New bounds for the orders to come; orders that are open stay."""
    state.book(command.market)
    if command.collar_bps >= BPS:
        raise Refusal(ErrorCode.amount_out_of_range, f"collar_bps must be below {BPS}", "collar_bps")
    bounds = MarketBoundsChanged(
        command.market,
        command.collar_bps,
        command.max_quantity,
        command.max_notional,
        command.max_open_orders,
        command.max_open_notional,
    )
    if any((bounds.collar_bps, *sizes(bounds))):
        state.bounds[command.market] = bounds
    else:
        state.bounds.pop(command.market, None)
    state.events.append(bounds)


def sizes(bounds: MarketBoundsChanged) -> tuple[int, int, int, int]:
    """The bounds of what an order or an account may be."""
    return bounds.max_quantity, bounds.max_notional, bounds.max_open_orders, bounds.max_open_notional


def check_bounds(c: Candidate) -> None:
    """The order is not larger than the market takes, nor the account's exposure with it. Less is always taken."""
    bounds = c.state.bounds.get(c.order.market)
    if bounds is None or (c.replaces is not None and _asks_no_more(c, c.replaces)):
        return
    lots = 0 if c.order.side == BUY_QUOTE else c.order.quantity
    for name, size, most in (
        ("max_quantity", lots, bounds.max_quantity),
        ("max_notional", c.notional, bounds.max_notional),
    ):
        if 0 < most < size:
            raise Refusal(
                ErrorCode.order_too_large,
                f"the market takes at most {most} of an order ({name}), this is {size}: split it",
                "quantity",
                {name: str(most)},
            )
    if c.stays:
        _check_open(c, bounds)


def _asks_no_more(c: Candidate, replaced: OpenOrder) -> bool:
    """Whether an order has no more of anything than the one in whose place it comes."""
    old, lots = replaced.placed.order, c.order.quantity - c.used
    return (
        c.stays
        and c.order.quantity <= old.quantity
        and c.notional <= old.price * old.quantity
        and c.order.price * lots <= replaced.price * replaced.remaining
    )


def _check_open(c: Candidate, bounds: MarketBoundsChanged) -> None:
    if not (bounds.max_open_orders or bounds.max_open_notional):
        return
    count, total = c.state.open_in(c.account, c.book, c.replaces)
    if c.beside is not None and c.beside.stays:
        count, total = count + 1, total + c.beside.order.price * c.beside.order.quantity
    if 0 < bounds.max_open_orders <= count:
        most = bounds.max_open_orders
        raise Refusal(
            ErrorCode.too_many_open_orders,
            f"at most {most} open orders in this market: cancel some first",
            None,
            {"limit": most},
        )
    total += c.order.price * (c.order.quantity - c.used)
    if 0 < bounds.max_open_notional < total:
        raise Refusal(
            ErrorCode.too_much_open,
            f"an account has at most {bounds.max_open_notional} quote units open in this market, this makes {total}",
            "quantity",
            {"max_open_notional": str(bounds.max_open_notional), "open_notional": str(total)},
        )


def reach(state: State, taker: OpenOrder, half: Half) -> int:
    """The key of the worst level that an order takes from: its own price, or the market's collar if that is nearer."""
    key = half.sign * taker.price
    bounds = state.bounds.get(taker.book.market.market_id) if state.bounds else None
    if bounds is None:
        return key
    return max(key, half.sign * collar(bounds.collar_bps, taker.side, taker.book.last_price, taker.price))


def collar(collar_bps: int, side: int, last_price: int, price: int) -> int:
    """The worst price that an order of a side takes at after a last price; its own where there is no collar."""
    if not (collar_bps and last_price):
        return price
    if side == BUY:
        return last_price * (BPS + collar_bps) // BPS
    return -(last_price * (collar_bps - BPS) // BPS)
