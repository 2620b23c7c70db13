"""What the operator bounds in a market: how large an order is, how much an account has open, how far one order takes,
how far its price is from the last; and what it bounds for one account in all markets.

Each bound is 0 where there is none. They are journaled, so a replay meets the same ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.domain.amount import BPS
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.accounts import NO_LIMITS, AccountLimits
from exchange.engine.commands import SetAccountLimits, SetMarketBounds
from exchange.engine.events import AccountLimitsChanged, MarketBoundsChanged
from exchange.engine.orders import BUY, BUY_QUOTE, OpenOrder

if TYPE_CHECKING:
    from exchange.engine.book import Half
    from exchange.engine.risk import Candidate
    from exchange.engine.state import State


MAX_BAND_BPS = 1_000_000
"""A hundred times the last price: a wider band is none, which is 0."""


def set_market_bounds(state: State, command: SetMarketBounds) -> None:
    """New bounds for the orders to come; orders that are open stay."""
    book, band_bps = state.book(command.market), command.band_bps
    if command.collar_bps >= BPS:
        raise Refusal(ErrorCode.amount_out_of_range, f"collar_bps must be below {BPS}", "collar_bps")
    if band_bps is not None and band_bps > MAX_BAND_BPS:
        raise Refusal(
            ErrorCode.amount_out_of_range, f"band_bps must be at most {MAX_BAND_BPS}, or 0 for no band", "band_bps"
        )
    if band_bps is not None:
        book.change(replace(book.market, band_bps=band_bps))
    bounds = MarketBoundsChanged(
        command.market,
        command.collar_bps,
        command.max_quantity,
        command.max_notional,
        command.max_open_orders,
        command.max_open_notional,
        book.band_bps,
    )
    if any((bounds.collar_bps, *sizes(bounds))):
        state.bounds[command.market] = bounds
    else:
        state.bounds.pop(command.market, None)
    state.events.append(bounds)


def set_account_limits(state: State, command: SetAccountLimits) -> None:
    """New limits for an account's orders to come; orders that are open stay."""
    if command.asset not in state.assets:
        raise Refusal(ErrorCode.unknown_asset, f"there is no asset {command.asset}", "asset", {"asset": command.asset})
    account = state.open_account(command.account)
    by_asset = dict(state.limited.get(account.account_id, NO_LIMITS).max_open_notional)
    by_asset.pop(command.asset, None)
    if command.max_open_notional:
        by_asset[command.asset] = command.max_open_notional
    state.limit(account, AccountLimits(command.max_open_orders, by_asset))
    state.events.append(
        AccountLimitsChanged(account.account_id, command.max_open_orders, command.asset, command.max_open_notional)
    )


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
            f"at most {most} open orders in this market, {count} are open: cancel some first",
            None,
            {"limit": most, "open": count},
        )
    total += c.order.price * (c.order.quantity - c.used)
    if 0 < bounds.max_open_notional < total:
        raise Refusal(
            ErrorCode.too_much_open,
            f"an account has at most {bounds.max_open_notional} quote units open in this market, this makes {total}",
            "quantity",
            {"max_open_notional": str(bounds.max_open_notional), "open_notional": str(total)},
        )


def check_limits(c: Candidate) -> None:
    """What the account has open with the order, in all markets of its quote, is within its own limit. Less is always
    taken.
    """
    if not c.state.limited or not c.stays:
        return
    asset = c.book.quote_asset
    most = c.state.most_open_notional(c.account, asset)
    if not most or (c.replaces is not None and _asks_no_more(c, c.replaces)):
        return
    there = c.state.open_notional(c.account, asset, c.replaces)
    if c.beside is not None and c.beside.stays:
        there += c.beside.order.price * c.beside.order.quantity
    total = there + c.order.price * (c.order.quantity - c.used)
    if most < total:
        raise Refusal(
            ErrorCode.too_much_open,
            f"this account has at most {most} of asset {asset} open in orders, {there} is open, this makes {total}",
            "quantity",
            {"max_open_notional": str(most), "open_notional": str(total), "asset": asset},
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
