"""The worker's live view of the engine: books, last trades, and account events, from one subscription.

The feed follows the engine's committed events, so nothing is shown that a power cut could undo. A change leaves at
once, or with all others `FLUSH_SECONDS` after the last ones were due, as one message per channel. When the engine
restarts, or the worker was too slow for it, the feed starts again from the engine's books and every listener gets a
new snapshot.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import structlog

from backend.stream.account_feed import AccountFeed, Load
from backend.stream.book import ASK, BID, Book, as_strings
from backend.stream.channels import Channel, Sink
from backend.stream.fee_board import FeeBoard
from exchange.domain.auction import clearing
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Market, MarketStatus
from exchange.domain.order import Side
from exchange.engine import events
from exchange.engine.exposure import sizes
from exchange.journal.codec import CodecError
from exchange.sequencer.client import EngineClient, FeedLost
from exchange.sequencer.client import Feed as Subscription
from exchange.sequencer.protocol import Books, MarketBook, ProtocolError

log = structlog.get_logger()

FLUSH_SECONDS = 0.016
"""As long as a screen shows a picture: sixty changes a second are all that anybody sees."""
RETRY_SECONDS = 0.2
KEPT_TRADES = 100


class Indicative(NamedTuple):
    """An auction that is under way: its end (unix seconds, 0: when it is opened) and price, lots and what is left over
    if it ended now. All zero where nobody meets.
    """

    ends_at: int
    price: int
    volume: int
    surplus: int


def as_json(auction: Indicative) -> dict[str, Any]:
    """An auction as JSON carries it."""
    return {
        "ends_at": auction.ends_at,
        "price": str(auction.price),
        "volume": str(auction.volume),
        "surplus": str(auction.surplus),
    }


class Feed:
    """Start it with `run()` in a task; `ready` says whether it follows the engine now."""

    def __init__(
        self,
        engine: EngineClient,
        markets: Mapping[int, Market],
        names: Mapping[int, str],
        load_account: Load,
        clock: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._markets = dict(markets)
        self.seq = 0
        self.at_ms = 0
        self.ready = False
        self.books = {m: Book(0) for m in markets}
        self.trades: dict[int, deque[dict[str, Any]]] = {m: deque(maxlen=KEPT_TRADES) for m in markets}
        self.last_price: dict[int, int] = {}
        """Of the trades that this feed has seen, by market."""
        self._reference: dict[int, int] = {}
        """What the engine has as last price, by market."""
        self.starts = 0
        self.start_seq = 0
        self.accounts = AccountFeed(load_account, self)
        self._subscription: Subscription | None = None
        self.fees = FeeBoard(markets, names, clock)
        self._book_channels = {m: Channel(f"book.{names[m]}", 0) for m in markets}
        self._trade_channels = {m: Channel(f"trades.{names[m]}", 0) for m in markets}
        self._levels: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
        self._new_trades: dict[int, list[dict[str, Any]]] = {}
        self._flush_due = False
        self._flush_at = 0.0
        self.bounds: dict[int, tuple[int, int, int, int, int]] = dict.fromkeys(markets, (0, 0, 0, 0, 0))
        """What is bounded in each market, as in `SetMarketBounds`."""
        self.auction_ends: dict[int, int] = {}
        """When the last auction of a market ends, in unix seconds; 0: when it is opened."""
        self._handlers: dict[type, Callable[[int, int, Any], None]] = {
            events.LevelChanged: self._on_level,
            events.TradeMatched: self._on_trade,
            events.MarketChanged: self._on_market,
            events.MarketBoundsChanged: self._on_bounds,
            events.AuctionStarted: self._on_auction,
            events.FeesAnnounced: self.fees.announce,
            events.FeeRulesChanged: self.fees.set_rules,
        }

    def market(self, market_id: int) -> Market:
        """A market's rules of now. Refuses an unknown one."""
        found = self._markets.get(market_id)
        if found is None:
            raise Refusal(ErrorCode.unknown_market, f"there is no market {market_id}: see /v1/markets", "market")
        return found

    def book(self, market_id: int) -> Book:
        """A market's book. Refuses while the feed is away, so that nobody trades on a stale one."""
        if not self.ready:
            raise Refusal(ErrorCode.unavailable, "the engine is away: try again in a second")
        return self.books[market_id]

    async def run(self) -> None:
        """Follow the engine until cancelled, starting again whenever it is lost."""
        while True:
            try:
                await self._follow()
            except (FeedLost, ProtocolError, CodecError, Refusal, OSError) as error:
                log.warning("feed_lost", reason=str(error))
            self.ready = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        async with self._engine.subscribe(selective=True) as subscription:
            self._subscription = subscription
            try:
                self._restart(subscription.books)
                async for committed in subscription:
                    self._apply(committed.seq, committed.at_ms, committed.events)
            finally:
                self._subscription = None

    async def follow(self, address: bytes) -> None:
        """Be told of an account from now on.

        While the engine is away nothing is to be done: whoever listens to an account when the feed starts again follows
        it then.
        """
        if self._subscription is not None:
            with suppress(FeedLost):
                await self._subscription.follow(address)

    def leave(self, address: bytes) -> None:
        """Be told no more of an account."""
        if self._subscription is not None:
            with suppress(FeedLost):
                self._subscription.leave(address)

    # subscriptions

    def listen_book(self, market_id: int, sink: Sink) -> None:
        """Send a snapshot of the book and then its changes to `sink`."""
        self._flush()
        channel = self._book_channels[market_id]
        channel.sinks.add(sink)
        if self.ready:
            channel.snapshot(sink, self._book_content(market_id))

    def listen_trades(self, market_id: int, sink: Sink) -> None:
        """Send the last trades and then each new one to `sink`."""
        self._flush()
        channel = self._trade_channels[market_id]
        channel.sinks.add(sink)
        if self.ready:
            channel.snapshot(sink, {"trades": list(self.trades[market_id])})

    def leave_book(self, market_id: int, sink: Sink) -> None:
        """Forget a listener of a book."""
        self._book_channels[market_id].sinks.discard(sink)

    def leave_trades(self, market_id: int, sink: Sink) -> None:
        """Forget a listener of a market's trades."""
        self._trade_channels[market_id].sinks.discard(sink)

    # the engine's events

    def _restart(self, books: Books) -> None:
        """Take the engine's books as they are; every listener gets a new snapshot."""
        self.seq, self.at_ms, self.ready, self.starts = books.seq, books.at_ms, True, self.starts + 1
        self.start_seq = books.seq
        self._levels.clear()
        self._new_trades.clear()
        for there in books.markets:
            market_id = there.market
            self.books[market_id] = Book(books.seq, there.bids, there.asks)
            self.trades[market_id].clear()
            self._set_rules(there)
            self.bounds[market_id] = there.bounds
            self._markets[market_id] = replace(self._markets[market_id], band_bps=there.band_bps)
            self.auction_ends[market_id] = there.auction_ends_at
            self._reference[market_id] = there.last_price
            self._book_channels[market_id].seq = self._trade_channels[market_id].seq = books.seq
            self._snapshot_all(market_id)
        self.fees.restart(books)
        self.accounts.restart()
        log.info("feed_started", seq=books.seq)

    def add_history(self, market_id: int, older: Iterable[dict[str, Any]]) -> None:
        """Put trades from the mirror, latest first, behind those that the feed saw itself."""
        known = {trade["trade_id"] for trade in self.trades[market_id]}
        room = KEPT_TRADES - len(self.trades[market_id])
        self.trades[market_id].extend([trade for trade in older if trade["trade_id"] not in known][:room])

    def _snapshot_all(self, market_id: int) -> None:
        book, trades = self._book_channels[market_id], self._trade_channels[market_id]
        for sink in tuple(book.sinks):
            book.snapshot(sink, self._book_content(market_id))
        for sink in tuple(trades.sinks):
            trades.snapshot(sink, {"trades": list(self.trades[market_id])})

    def _apply(self, seq: int, at_ms: int, committed: Iterable[events.Event]) -> None:
        self.seq, self.at_ms = seq, at_ms
        for event in committed:
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(seq, at_ms, event)
            self.accounts.apply(seq, at_ms, event)
        if not self._flush_due:
            self._flush_due = True
            loop = asyncio.get_running_loop()
            self._flush_at = max(loop.time(), self._flush_at + FLUSH_SECONDS)  # one that is late delays no other
            loop.call_at(self._flush_at, self._flush)

    def _on_level(self, seq: int, at_ms: int, event: events.LevelChanged) -> None:
        self.books[event.market].change(seq, event.side, event.price, event.quantity)
        changed = self._levels.setdefault(event.market, ({}, {}))
        changed[event.side][event.price] = event.quantity

    def _on_trade(self, seq: int, at_ms: int, event: events.TradeMatched) -> None:
        trade = {
            "trade_id": event.trade_id,
            "price": str(event.price),
            "quantity": str(event.quantity),
            "quote": str(event.quote),
            "taker_side": "sell" if event.taker_side == Side.sell else "buy",
            "at": at_ms,
        }
        self.last_price[event.market] = self._reference[event.market] = event.price
        self.trades[event.market].appendleft(trade)
        self._new_trades.setdefault(event.market, []).append(trade)

    def _on_market(self, seq: int, at_ms: int, event: events.MarketChanged) -> None:
        self._set_rules(event)
        self._tell_auction(seq, event.market)

    def _on_auction(self, seq: int, at_ms: int, event: events.AuctionStarted) -> None:
        self.auction_ends[event.market] = event.ends_at
        self._tell_auction(seq, event.market)

    def _tell_auction(self, seq: int, market_id: int) -> None:
        """Those who follow the book hear that an auction begins or is over, though no level has changed."""
        self.books[market_id].seq = seq
        self._levels.setdefault(market_id, ({}, {}))

    def _on_bounds(self, seq: int, at_ms: int, event: events.MarketBoundsChanged) -> None:
        self.bounds[event.market] = (event.collar_bps, *sizes(event))
        self._markets[event.market] = replace(self._markets[event.market], band_bps=event.band_bps)

    def _set_rules(self, now: events.MarketChanged | MarketBook) -> None:
        self._markets[now.market] = replace(
            self._markets[now.market],
            status=MarketStatus(now.status),
        )

    def _flush(self) -> None:
        """Send what has gathered, one message per channel."""
        self._flush_due = False
        for market_id, (bids, asks) in self._levels.items():
            levels = {"bids": as_strings(bids.items()), "asks": as_strings(asks.items())}
            content = {**levels, **self._indicative(market_id)}
            self._book_channels[market_id].publish("diff", self.books[market_id].seq, content)
        for market_id, trades in self._new_trades.items():
            self._trade_channels[market_id].publish("trades", self.seq, {"trades": trades})
        self._levels.clear()
        self._new_trades.clear()
        self.accounts.flush()

    def _book_content(self, market_id: int) -> dict[str, Any]:
        book = self.books[market_id]
        levels = {"bids": as_strings(book.levels(BID)), "asks": as_strings(book.levels(ASK))}
        return {**levels, **self._indicative(market_id)}

    def auction(self, market_id: int) -> Indicative | None:
        """What an auction would do now with the lots that the book shows; None outside of one."""
        market, book = self._markets[market_id], self.books[market_id]
        if market.status is not MarketStatus.auction:
            return None
        last = self._reference.get(market_id, 0)
        found = clearing(book.levels(BID), book.levels(ASK), last, market.tick_size)
        ends_at = self.auction_ends.get(market_id, 0)
        return Indicative(ends_at, found.price, found.volume, found.surplus) if found else Indicative(ends_at, 0, 0, 0)

    def _indicative(self, market_id: int) -> dict[str, Any]:
        found = self.auction(market_id)
        return {} if found is None else {"auction": as_json(found)}
