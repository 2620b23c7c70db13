"""Price-time priority, judged by a book of the audit's own: who stood where, and who should have been met.

Written from `docs/orders.md` and sharing no code with the engine's book, so that a mistake, or a hand, in one is seen
by the other. It is told each command and what an engine says that happened, and finds what does not follow.

PRI-1  taken     every order in the journal is accepted as it was signed, at its own place; of a frame, those that are
                 accepted are so in its order
PRI-2  met       a trade is with the best price's first order, at that price, within both limits, as large as both allow
PRI-3  stays     an order leaves the book only by its end, its expiry, or a command that is about it
PRI-4  rests     what rests, or ends unfilled, could meet nobody
PRI-5  turns     an order that waits for a price works as soon as that has come: the nearest first, and before any
                 other; while settlement is behind, nobody's turn comes
PRI-6  groups    of the legs of a group one fills or works at most; what decides it ends the other in the same record;
                 of two that come together both are taken, and none stays alone
PRI-7  auctions  all trades of an auction are at the one best price, the better limit first, and nobody comes in between
                 but while settlement is behind, when none trades
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bizzan.audit.auctioning import Auctions
from bizzan.audit.backlog import Unsettled
from bizzan.audit.comparing import Problem
from bizzan.audit.leaving import may_leave
from bizzan.audit.pairs import Pairs
from bizzan.audit.placed import placed_in
from bizzan.audit.standing import BUY, BUY_QUOTE, SELL, Books, Standing
from bizzan.audit.waiting import WaitingRoom
from exchange.domain.order_id import age
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.events import CloseReason
from exchange.journal.reader import Record

POST_ONLY = 4
TIME_IN_FORCE, FOK = 3, 3
_PLACES = (c.PlaceOrder, c.PlaceGroup)
"""Commands of which every order is accepted: others stand in no journal."""
_STARTS = (*_PLACES, c.PlaceMixedFrame)
"""Commands with which an order may come whose price has come before."""
_SIGNED = ("market", "side", "price", "quantity", "nonce", "expiry", "max_fee_bps", "terms")


@dataclass(slots=True)
class PriorityLedger:
    """The audit's own books; `problems` in the order of the journal."""

    orders: dict[int, Standing] = field(default_factory=dict)
    books: Books = field(default_factory=Books)
    countdowns: dict[bytes, int] = field(default_factory=dict)
    """When an account's orders end unless it says otherwise before, in milliseconds."""
    waiting: WaitingRoom = field(default_factory=WaitingRoom)
    pairs: Pairs = field(default_factory=Pairs)
    auctions: Auctions = field(default_factory=Auctions)
    unsettled: Unsettled = field(default_factory=Unsettled)
    trades: int = 0
    problems: list[Problem] = field(default_factory=list)
    collars: dict[int, int] = field(default_factory=dict)
    _stops_at_ms: int = 0
    """The age of an unsettled trade after which nobody's turn comes, as the engine was told; 0 for none."""
    _reference: int = 0
    """The last price when the order that works began to."""
    _placed: Mapping[int, c.PlaceOrder] = field(default_factory=dict)
    """The orders of the record that is judged."""
    _working: int = 0
    """The order that works in it, 0 if none does, and why that ended, if it did."""
    _ended: CloseReason | None = None
    _taken: int = 0
    """How many orders of the record were accepted."""
    _late: bool = False
    """Whether the order at work is a leg that came with another, which had filled, worked or ended by then."""
    _decided: bool = False
    """Whether it replaces an order that was no leg any more."""
    _auctioned: bool = False
    """Whether an auction was priced, or traded, in the record."""
    _halted: set[int] = field(default_factory=set)
    _disturbed: set[int] = field(default_factory=set)
    """Markets where orders ended after the auction was priced."""
    _ran_out: set[bytes] = field(default_factory=set)
    """Accounts whose countdown ended in the record."""
    _stands_still: bool = False
    """Whether it only takes over the place of another."""
    _replaced: int = 0
    """The order that it replaces, 0 if none."""

    def happened(self, record: Record, events: Iterable[e.Event]) -> None:
        """Judge what an engine says of a command."""
        self._placed, self._working, self._ended = placed_in(record), 0, None
        over = self._over(record)
        self._ran_out = set()
        self._stands_still = self._decided = self._auctioned = self._late = False
        self._taken = self._replaced = 0
        for event in events:
            self._hear(record, event)
        for account in self._ran_out:
            self.countdowns.pop(account, None)
        self._after(record)
        self._say(record, self.pairs.close_record())
        if isinstance(record.command, _PLACES) and self._taken < len(self._placed):
            self._problem(record, "the order is in the journal and was skipped")
        elif over and isinstance(record.command, c.Tick):
            if not self._auctioned:
                self._problem(record, f"the auction of market {over} was to trade, and did not")
        elif not self._working and isinstance(record.command, c.Tick) and (turn := self._turn(record)):
            self._problem(record, f"order {turn} was to work, and did not")
        if isinstance(record.command, c.SetLimits):
            self._stops_at_ms = record.command.max_unsettled_ms
        if isinstance(record.command, c.SetCountdown):
            ends = 1_000 * (-(-record.at_ms // 1_000) + record.command.seconds)
            self.countdowns.pop(record.command.account, None)
            if record.command.seconds:
                self.countdowns[record.command.account] = ends

    def _is_behind(self, record: Record) -> bool:
        return 0 < self._stops_at_ms < self.unsettled.age_ms(record.at_ms)

    def _over(self, record: Record) -> int:
        """A market whose auction is to trade before anything else, 0 if there is none."""
        return 0 if self._is_behind(record) else self.auctions.over(record.at_ms, self._halted)

    def _turn(self, record: Record) -> int:
        """The order whose turn it is, 0 if nobody's."""
        return 0 if self._is_behind(record) else self.waiting.due(self.orders)

    def _hear(self, record: Record, event: e.Event) -> None:
        self.unsettled.hear(record, event)
        if isinstance(event, e.MarketListed):
            self._listed(event)
        elif isinstance(event, e.AuctionStarted):
            self.auctions.started(event.market, event.ends_at)
        elif isinstance(event, e.AuctionPriced):
            self._priced(record, event)
        elif isinstance(event, e.MarketBoundsChanged):
            self.collars[event.market] = event.collar_bps
        elif isinstance(event, e.MarketChanged):
            self._changed(record, event)
        elif isinstance(event, e.OrderAccepted):
            self._after(record)
            self._accepted(record, event)
        elif isinstance(event, e.OrderAmended):
            self._amended(record, event)
        elif isinstance(event, e.OrderTriggered):
            self._triggered(record, event)
        elif isinstance(event, e.TradeMatched):
            self._matched(record, event)
        elif isinstance(event, e.OrderReduced):
            self._reduced(record, event)
        elif isinstance(event, e.OrderClosed):
            if event.order_id == self._working:
                self._ended = event.reason
            elif event.reason == CloseReason.countdown and event.order_id in self.orders:
                self._ran_out.add(self.orders[event.order_id].account)
            self._closed(record, event)

    # PRI-1

    def _accepted(self, record: Record, event: e.OrderAccepted) -> None:
        command, turn = self._placed.get(event.order_id), self._turn(record)
        if command is None or event.order_id <= self._working:
            self._problem(record, f"order {event.order_id} is accepted, and was not placed here, or not in this order")
            return
        if turn and not self._working:  # the orders of a frame are one record
            self._problem(record, f"the order comes before order {turn}, whose turn it was")
        if over := self._over(record):
            self._problem(record, f"the order comes before the auction of market {over} has traded")
        self._working, self._ended, self._replaced = event.order_id, None, 0
        self._stands_still = self._decided = False
        self._taken += 1
        self._late = self._taken > 1 and isinstance(record.command, c.PlaceGroup) and self._is_over(record.seq)
        order = command.order
        differs = [name for name in _SIGNED if getattr(event, name) != getattr(order, name)]
        if differs or event.order_hash != command.order_hash:
            self._problem(record, f"the order is accepted otherwise than it was signed: {', '.join(differs) or 'hash'}")
        self._reference = self.waiting.last.get(order.market, 0)
        self.orders[event.order_id] = Standing(
            event.order_id,
            order.account,
            event.account,
            order.market,
            order.side,
            order.price,
            order.quantity,
            order.quantity,
            order.nonce,
            order.expiry,
            order.terms,
            order.trigger_price,
        )

    def _amended(self, record: Record, event: e.OrderAmended) -> None:
        """A new order on an old one's nonce has what that has not used up; it keeps the place if it asks no more."""
        new, old = self.orders.get(event.order_id), self.orders.get(event.replaced)
        amends = isinstance(self._placed.get(event.order_id), c.AmendOrder) and event.order_id == self._working
        if not amends or new is None or old is None or self._replaced:
            self._problem(record, f"order {event.order_id} replaces order {event.replaced}, and does not stand here")
            return
        if (old.account, old.nonce, old.market, old.side) != (new.account, new.nonce, new.market, new.side):
            self._problem(
                record, f"order {new.order_id} replaces order {old.order_id}, which is another's, or elsewhere"
            )
        self._replaced = old.order_id
        new.remaining = new.quantity - (old.quantity - old.remaining)
        if new.remaining != event.remaining or new.remaining <= 0:
            self._problem(record, f"{event.remaining} remain of order {new.order_id}, it may fill {new.remaining}")
        still = old.order_id in self.books.queue(old) and new.remaining <= old.remaining
        still = still and (new.price, new.terms) == (old.price, old.terms)
        if still != event.kept_place:
            self._problem(record, f"order {new.order_id} {'loses' if still else 'takes'} the place of {old.order_id}")
        self.pairs.reseat(old.order_id, new.order_id)
        self._decided = old.order_id not in self.pairs.names and new.order_id not in self.pairs.names
        if still:
            new.hidden = max(0, old.hidden - (old.remaining - new.remaining))
            self.books.swap(old, new)
            self._stands_still = True

    def _after(self, record: Record) -> None:
        """Once the order at work is done: what is left of it could meet nobody (PRI-4)."""
        order, ended = self.orders.get(self._working), self._ended
        if order is None:
            return
        if self._stands_still and ended is None:
            return
        if ended == CloseReason.group or self._late:
            self._came_late(record, order)
            return
        if self.waiting.must_wait(order):
            if ended is not None:
                self._problem(record, f"the order ends as {ended.value}, and was to wait for its price")
            self.waiting.add(order)
            self._sits(record, order)
            return
        best = self.books.best(order.market, SELL if order.book_side == BUY else BUY)
        if order.market in self.auctions.ends:
            self._gathered(record, order)
            best = None
        crossing = best is not None and order.crosses(best.price)
        if ended is None:
            if crossing and best is not None:
                self._problem(
                    record,
                    f"the order rests at {order.price}, and order {best.order_id} at {best.price} stood against it",
                )
            self.books.rest(order)
            self._sits(record, order)
            order.hidden = max(0, order.remaining - order.displayed) if order.displayed else 0
            return
        del self.orders[order.order_id]
        if isinstance(record.command, c.PlaceGroup) and self._taken > 1:
            self._sits(record, order)
            self.pairs.ended(order.order_id)
        if ended == CloseReason.unfilled and crossing and best is not None:
            self._problem(
                record, f"the order ends unfilled, and order {best.order_id} at {best.price} stood against it"
            )
        elif ended == CloseReason.price_collar and not self._met_beyond(order):
            self._problem(record, "the order ends at the collar, and nothing stood beyond it")
        elif ended == CloseReason.post_only_would_take and not crossing:
            self._problem(record, "the order ends because it would take, and nothing stood against it")
        elif ended == CloseReason.filled and order.side != BUY_QUOTE and order.remaining:
            self._problem(record, f"the order ends as filled with {order.remaining} lots unfilled")

    # PRI-7

    def _listed(self, event: e.MarketListed) -> None:
        market = event.market
        self.waiting.last[market.market_id] = market.reference_price
        self.auctions.ticks[market.market_id] = market.tick_size
        if market.status != "open":
            self.waiting.changed(market.market_id, market.status)

    def _changed(self, record: Record, event: e.MarketChanged) -> None:
        market = event.market
        if event.status == "halted":
            self._halted.add(market)
            self.auctions.prices.pop(market, None)
        else:
            self._halted.discard(market)
        if event.status == "open":
            bid, ask = self.books.best(market, BUY), self.books.best(market, SELL)
            if bid is not None and ask is not None and bid.price >= ask.price:
                self._problem(record, f"the market opens, and order {bid.order_id} stands against {ask.order_id}")
            if self.auctions.left.get(market) and market not in self._disturbed:
                left = self.auctions.left[market]
                self._problem(record, f"the market opens, and {left} lots that meet in its auction did not trade")
        if event.status in ("open", "delisted"):
            self.auctions.stopped(market)
        self.waiting.changed(market, event.status)

    def _priced(self, record: Record, event: e.AuctionPriced) -> None:
        """The price of an auction, beside all others."""
        self._auctioned = True
        self._disturbed.discard(event.market)
        queues = (self.books.half(event.market, side) for side in (BUY, SELL))
        orders = [order for half in queues for queue in half.values() for order in queue.values()]
        told = (event.price, event.bids, event.asks)
        if event.market not in self.auctions.ends:
            self._problem(record, f"market {event.market} has a price of an auction, and is in none")
        self._say(record, self.auctions.priced(event.market, told, orders, self.waiting.last.get(event.market, 0)))

    def _gathered(self, record: Record, order: Standing) -> None:
        """An order that rests in an auction, and could meet its own account."""
        half = self.books.half(order.market, SELL if order.book_side == BUY else BUY)
        for price, queue in half.items():
            for other in queue.values() if order.crosses(price) else ():
                if other.account == order.account and self._ended is None:
                    self._problem(record, f"the order rests in an auction against its own account's {other.order_id}")

    def _matched(self, record: Record, match: e.TradeMatched) -> None:
        price = self.auctions.prices.get(match.market)
        if price is None:
            return self._trade(record, match)
        self.trades += 1
        self._auctioned = True
        what = f"trade {match.trade_id}"
        maker, taker = self.orders.get(match.maker_order), self.orders.get(match.taker_order)
        if maker is None or taker is None or maker.book_side == taker.book_side:
            return self._problem(record, f"{what} is of an auction, and not between two orders that stand here")
        for text in self._wrong_in_auction(record, match, maker, taker, price):
            self._problem(record, f"{what}: {text}")
        self.auctions.left[match.market] -= match.quantity
        self.waiting.last[match.market] = match.price
        for order in (maker, taker):
            self._uses(record, order)
            order.remaining -= match.quantity
            if order.hidden:  # it keeps its place with the next part
                shown = order.remaining - order.hidden
                order.hidden = order.remaining - (shown if shown > 0 else min(order.displayed, order.remaining))
        if (match.maker_remaining, match.taker_remaining) != (maker.remaining, taker.remaining):
            self._problem(record, f"{what} leaves other lots than {maker.remaining} and {taker.remaining}")
        for order in (maker, taker):
            if order.remaining <= 0:
                self._leave(order)
        return None

    def _wrong_in_auction(
        self, record: Record, match: e.TradeMatched, maker: Standing, taker: Standing, price: int
    ) -> Iterable[str]:
        if match.price != price or match.quote != price * match.quantity:
            yield f"is at {match.price} for {match.quote}, the auction's price is {price}"
        if age(maker.order_id) > age(taker.order_id):
            yield f"order {maker.order_id} is the maker, and came after order {taker.order_id}"
        if maker.account == taker.account:
            yield "is of an account with itself"
        for order in (maker, taker):
            best = self.books.best(match.market, order.book_side)
            if best is not order and best is not None:
                yield f"is of order {order.order_id}, and order {best.order_id} at {best.price} stood before it"
            if not order.crosses(match.price):
                yield f"is at {match.price}, beyond the limit {order.price} of order {order.order_id}"
            if order.expiry * 1_000 <= record.at_ms:
                yield f"order {order.order_id} had expired at {order.expiry} s"
        lots = min(maker.remaining, taker.remaining)
        if match.quantity != lots:
            yield f"is of {match.quantity} lots, both orders allow {lots}"

    # PRI-6

    def _sits(self, record: Record, order: Standing) -> None:
        """An order that came is a leg of its group from now on."""
        if order.order_id in self._placed and not self._decided:
            self._say(record, self.pairs.sits(order.order_id, order.account, order.terms))

    def _is_over(self, leg: int) -> bool:
        """Whether a leg that came with another has filled, worked or ended."""
        return leg not in self.orders or self.pairs.is_used(leg)

    def _came_late(self, record: Record, order: Standing) -> None:
        """Of two legs that come together the second ends at once if the first has filled, worked or ended."""
        if not self._late:
            self._problem(record, "the order ends for its group as it comes, and the other leg did not decide that")
        elif self._ended != CloseReason.group:
            self._problem(record, "the order goes on, and the leg that came with it has filled, worked or ended")
        self._leave(order)

    def _uses(self, record: Record, order: Standing) -> None:
        if order.order_id == self._working:
            self._sits(record, order)
        self.pairs.used(order.order_id)

    # PRI-5

    def _triggered(self, record: Record, event: e.OrderTriggered) -> None:
        """It is the turn of this order: its price has come, now that it is placed or before."""
        order = self.orders.get(event.order_id)
        if order is not None:
            self._uses(record, order)
        if isinstance(record.command, _STARTS):
            if order is None or event.order_id != self._working or not self.waiting.starts_at_once(order):
                self._problem(record, f"order {event.order_id} is triggered, and its price has not come")
            return
        turn = self._turn(record)
        if order is None or event.order_id != turn or not isinstance(record.command, c.Tick):
            self._problem(record, f"order {event.order_id} is triggered, and the turn was {turn or 'nobody'}'s")
        self.waiting.leave(event.order_id)
        self._working = event.order_id if order is not None else 0
        self._reference = self.waiting.last.get(event.market, 0)

    def _within(self, order: Standing, price: int) -> bool:
        """Whether the collar of its market lets an order take at a price."""
        collar = self.collars.get(order.market, 0)
        if not (collar and self._reference):
            return True
        move = self._reference * collar
        allowed = self._reference * 10_000
        return price * 10_000 >= allowed - move if order.side == SELL else price * 10_000 <= allowed + move

    def _met_beyond(self, order: Standing) -> bool:
        """Whether the collar keeps an order from the best price that it would meet; one that is filled whole or not at
        all, from any."""
        half = self.books.half(order.market, SELL if order.book_side == BUY else BUY)
        prices = sorted(filter(order.crosses, half), reverse=order.book_side == SELL)
        looked_at = prices if order.terms & TIME_IN_FORCE == FOK else prices[:1]
        return any(not self._within(order, price) for price in looked_at)

    # PRI-2

    def _trade(self, record: Record, match: e.TradeMatched) -> None:
        self.trades += 1
        maker, taker = self.orders.get(match.maker_order), self.orders.get(match.taker_order)
        what = f"trade {match.trade_id}"
        if maker is None or taker is None or match.taker_order != self._working:
            self._problem(
                record,
                f"{what} is between orders {match.maker_order} and {match.taker_order}, of which one "
                "does not stand here",
            )
            return
        for text in self._wrong(record, match, maker, taker):
            self._problem(record, f"{what}: {text}")
        if self.waiting.must_wait(taker):
            self._problem(record, f"{what}: order {taker.order_id} trades, and its price has not come")
        self._uses(record, maker)
        self._uses(record, taker)
        taken = match.quote if taker.side == BUY_QUOTE else match.quantity
        maker.remaining -= match.quantity
        taker.remaining -= taken
        if (match.maker_remaining, match.taker_remaining) != (maker.remaining, taker.remaining):
            self._problem(
                record,
                f"{what} leaves {match.maker_remaining} and {match.taker_remaining}, what was signed "
                f"leaves {maker.remaining} and {taker.remaining}",
            )
        self.waiting.traded(match.market, match.price)
        if maker.remaining <= 0:
            self._leave(maker)
        else:
            self.books.show(maker)

    def _wrong(self, record: Record, match: e.TradeMatched, maker: Standing, taker: Standing) -> Iterable[str]:
        best = self.books.best(maker.market, maker.book_side)
        if maker.market != taker.market or maker.book_side == taker.book_side:
            yield f"orders {maker.order_id} and {taker.order_id} do not stand against each other"
        if match.price != maker.price:
            yield f"is at {match.price}, the maker, order {maker.order_id}, stood at {maker.price}"
        if best is not None and best is not maker:
            meets = f"order {taker.order_id} meets order {maker.order_id} at {maker.price}"
            if best.price != maker.price:
                yield f"{meets}, and order {best.order_id} stood at the better price {best.price}"
            else:
                yield f"{meets}, and order {best.order_id} stood before it at the same price"
        if not taker.crosses(match.price):
            yield f"is at {match.price}, beyond the limit {taker.price} of order {taker.order_id}"
        if not self._within(taker, match.price):
            yield f"is at {match.price}, beyond the collar around {self._reference}"
        if taker.terms & POST_ONLY:
            yield f"order {taker.order_id} is post-only and takes"
        if maker.account == taker.account:
            yield "is of an account with itself"
        room = taker.remaining // match.price if taker.side == BUY_QUOTE else taker.remaining
        if match.quantity != min(room, maker.shown):
            yield f"is of {match.quantity} lots, both orders allow {min(room, maker.shown)}"
        cost = match.quantity * match.price
        if match.quote != cost:
            yield f"has the quote {match.quote}, {match.quantity} lots at {match.price} cost {cost}"
        for order in (maker, taker):
            if order.expiry * 1_000 <= record.at_ms:
                yield f"order {order.order_id} had expired at {order.expiry} s"

    # PRI-3

    def _closed(self, record: Record, event: e.OrderClosed) -> None:
        order = self.orders.get(event.order_id)
        if event.order_id == self._working:
            return  # judged once the command is done
        if order is not None:
            self._disturbed.add(order.market)
        if event.reason == CloseReason.group:
            self.pairs.released(event.order_id)
        elif event.reason != CloseReason.amended:
            self.pairs.ended(event.order_id)
        if order is None:
            if event.reason != CloseReason.filled:
                self._problem(record, f"order {event.order_id} ends as {event.reason.value}, and does not stand here")
            return
        replaced = event.reason != CloseReason.amended or order.order_id == self._replaced
        if not (replaced and may_leave(record, order, event.reason, self.countdowns)):
            self._problem(
                record,
                f"order {order.order_id} leaves the book as {event.reason.value}, and nothing in the journal says so",
            )
        self._leave(order)

    def _reduced(self, record: Record, event: e.OrderReduced) -> None:
        order, working = self.orders.get(event.order_id), self.orders.get(self._working)
        if order is None or working is None:
            self._problem(record, f"order {event.order_id} is decremented, and does not stand here")
            return
        if order.account != working.account:
            self._problem(record, f"order {event.order_id} is decremented by an order of another account")
        self._uses(record, order)
        order.remaining = event.remaining
        self.books.show(order)

    def _leave(self, order: Standing) -> None:
        self.orders.pop(order.order_id, None)
        self.waiting.leave(order.order_id)
        self.books.leave(order)

    def _say(self, record: Record, problems: Iterable[str]) -> None:
        for text in problems:
            self._problem(record, text)

    def _problem(self, record: Record, text: str) -> None:
        self.problems.append((f"journal sequence {record.seq}", text))
