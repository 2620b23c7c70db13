"""Auctions: orders gather without matching, then trade at one price (`exchange.domain.auction`).

In the *call* orders rest, and the book may be crossed. An account's own orders never cross each other: what the orders
say of self-trade is done when the later comes in. When the market opens, or its time has come, the price is fixed. Then
all that meet at it trade, the best limit first, then in order of their queue, in as many records as a batch's bounds
ask for; no order is accepted meanwhile. The earlier of two orders is the maker. What remains rests, and the market is
open.
"""

from __future__ import annotations

from dataclasses import replace

from exchange.domain.auction import clearing
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import PPM
from exchange.domain.instrument import MarketStatus
from exchange.domain.order_id import age
from exchange.domain.settlement import MAX_PROOFS
from exchange.engine import events as e
from exchange.engine.book import Book
from exchange.engine.commands import StartAuction
from exchange.engine.events import CloseReason
from exchange.engine.orders import BUY, OpenOrder, displayed_of, hold_for
from exchange.engine.settling import limited_by
from exchange.engine.state import Auction, State, Trade
from exchange.engine.triggers import triggered, wait_again

LEAST_FILLS = MAX_PROOFS // 20
"""So many orders end in a part at least, whatever paths they bring, of 10 hashes each; or all that remain."""


def start_auction(state: State, at_ms: int, command: StartAuction) -> None:
    """Gather orders in a market until a time, or until it opens."""
    book = state.book(command.market)
    if book.market.status is MarketStatus.delisted:
        raise Refusal(ErrorCode.market_halted, "the market is delisted for ever", "market")
    auction = state.auctions.get(command.market)
    if auction is not None and auction.price and not state.is_behind(at_ms):
        raise Refusal(ErrorCode.unavailable, "the auction trades: a Tick is due")
    if command.ends_at and command.ends_at * 1_000 <= at_ms:
        raise Refusal(ErrorCode.expired, "ends_at is past", "ends_at", {"now": at_ms // 1_000})
    gather(state, book, command.ends_at)
    if not book.in_call:
        change_status(state, book, MarketStatus.auction)


def gather(state: State, book: Book, ends_at: int) -> None:
    """A market's orders gather from now on."""
    state.auctions[book.market.market_id] = Auction(book.market.market_id, ends_at)
    state.events.append(e.AuctionStarted(book.market.market_id, ends_at))


def end_call(state: State, at_ms: int, book: Book) -> None:
    """A market's orders have gathered long enough, and trade when settlement is behind no more."""
    gather(state, book, max(at_ms // 1_000, 1))
    if not book.in_call:
        change_status(state, book, MarketStatus.auction)


def change_status(state: State, book: Book, status: MarketStatus) -> None:
    """A market's new status, told. Who was to work in it waits again if it is not open."""
    book.change(replace(book.market, status=status))
    state.events.append(e.MarketChanged(book.market.market_id, status.value))
    if status is not MarketStatus.open:
        wait_again(state, book.market.market_id)


def end_calls(state: State, at_ms: int) -> None:
    """Fix the prices of the auctions whose time has come."""
    for auction in list(state.auctions.values()):
        if state.calls_until(auction) and auction.ends_at * 1_000 <= at_ms:
            price_auction(state, auction)


def price_auction(state: State, auction: Auction) -> None:
    """Fix the price at which all that meet trade; where nobody meets, the market is open."""
    book = state.books[auction.market]
    found = clearing(book.bids.interest(), book.asks.interest(), book.last_price, book.tick_size)
    if found is None:
        state.events.append(e.AuctionPriced(auction.market, 0, 0, 0))
        return _open(state, book)
    if not book.in_call:
        change_status(state, book, MarketStatus.auction)
    auction.price = found.price
    state.events.append(e.AuctionPriced(auction.market, *found))
    return None


def trade_auction(state: State, seq: int, at_ms: int) -> bool:
    """The next part of an auction whose price is fixed; False if there is none.

    A part brings as many orders as an order with all that it may meet, and no more paths than a batch takes.
    """
    auction = next((auction for auction in state.auctions.values() if auction.price), None)
    if auction is None:
        return False
    book, price = state.books[auction.market], auction.price
    most, hashes, met = state.limits.max_fills + 1, MAX_PROOFS, set[int]()
    while (pair := _meeting(book, price)) is not None:
        new = [order for order in pair if order.order_id not in met]
        hashes -= sum(order.hashes for order in new)
        if hashes < 0 or len(met) + len(new) > most:
            return True
        met.update(order.order_id for order in new)
        _trade(state, seq, at_ms, auction, *pair)
    if book.bids.keys and book.asks.crosses(book.bids.keys[-1]):  # orders have ended since the price was fixed
        price_auction(state, auction)
    else:
        _open(state, book)
    return True


def _meeting(book: Book, price: int) -> tuple[OpenOrder, OpenOrder] | None:
    """The orders of both sides that trade next at a price, the earlier first; None when all have."""
    bid, ask = book.bids.first(price), book.asks.first(price)
    if bid is None or ask is None:
        return None
    return (bid, ask) if age(bid.order_id) < age(ask.order_id) else (ask, bid)


def _trade(state: State, seq: int, at_ms: int, auction: Auction, maker: OpenOrder, taker: OpenOrder) -> None:
    """One trade at the auction's price, unless one of the two ends instead."""
    book, lots = maker.book, min(maker.remaining, taker.remaining)
    quote = lots * auction.price
    ends = limited_by(taker, maker, lots, quote)
    if ends is not None:
        return state.close(ends, CloseReason.unsettled_limit)
    maker, taker = state.decided(maker), state.decided(taker)
    fees = {maker: quote * maker.maker_ppm // PPM, taker: quote * taker.taker_ppm // PPM}
    book.last_price = auction.price
    for order, fee in fees.items():
        _settle(state, order, lots, quote, fee)
    state.receive(book.fees, sum(fees.values()))
    state.last_trade = trade_id = state.last_trade + 1
    match = e.TradeMatched(
        trade_id,
        auction.market,
        auction.price,
        lots,
        quote,
        taker.side,
        maker.order_id,
        taker.order_id,
        maker.account.account_id,
        taker.account.account_id,
        fees[maker],
        fees[taker],
        maker.remaining,
        taker.remaining,
    )
    state.events.append(match)
    state.trades[trade_id] = Trade(seq, at_ms, match)
    if state.oldest_unsettled_at is None:
        state.oldest_unsettled_at = at_ms
    for order in (maker, taker):
        if not order.remaining:
            state.close(order, CloseReason.filled)
    return None


def _settle(state: State, order: OpenOrder, lots: int, quote: int, fee: int) -> None:
    """One side of a trade: it is paid out of the order's hold, and what the rest does not need is given back."""
    _take_lots(state, order, lots)
    base = lots * order.book.lot_size
    spent, gets = (quote + fee, base) if order.side == BUY else (base, quote - fee)
    held = hold_for(order.side, order.price, order.remaining, order.book.lot_size, order.hold_ppm)
    released, order.held = order.held - held, held
    order.pays.held -= released
    state.give(order.pays, released - spent)
    state.receive(order.gets, gets)


def _take_lots(state: State, order: OpenOrder, lots: int) -> None:
    """Lower what remains of an order; one that shows a part keeps its place with the next."""
    shown, remaining, hidden = order.remaining - order.hidden, order.remaining - lots, order.hidden
    if hidden:
        now = shown - lots if lots < shown else min(displayed_of(order.placed.order.terms), remaining)
        hidden = remaining - now
    state.set_lots(order, remaining, hidden)


def _open(state: State, book: Book) -> None:
    """The auction is over: orders that wait look at its price."""
    market = book.market.market_id
    del state.auctions[market]
    open_market(state, book)


def open_market(state: State, book: Book) -> None:
    """The market is open; those whose price has come meanwhile are due."""
    change_status(state, book, MarketStatus.open)
    if book.last_price:
        triggered(state, book.market.market_id, [book.last_price])
