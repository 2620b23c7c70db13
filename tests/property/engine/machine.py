"""The engine under random commands, beside a naive book; invariants ENG-1 to ENG-12 after every step."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exchange.domain.eip712 import keccak
from exchange.domain.errors import Refusal
from exchange.domain.instrument import Market
from exchange.domain.order import SINGLE_FILL, Order, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.domain.order_id import order_id
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.brakes import MAX_SKEW_MS
from exchange.engine.engine import Engine
from exchange.engine.orders import OpenOrder
from tests.property.engine.naive import NaiveBook, NaiveGroups, NaiveWaiting, Resting
from tests.utils.engine import BTC, DELEGATE, FEES, USDC, EngineHarness, only, reasons

TRADERS = (b"\x01" * 20, b"\x02" * 20, b"\x03" * 20, FEES)
MAX_FILLS = 3
MARKETS = (
    Market(1, "BTC/USDC", BTC, USDC, 10, 1, 200, 5_000, 3_000, 7_000, 100),
    Market(2, "ETH/BTC", 1, BTC, 10, 1, 200, 0, 1_000, 0, 0),
)

traders = st.sampled_from(TRADERS)
markets = st.sampled_from((1, 2))
assets = st.sampled_from((USDC, 1, BTC))
amounts = st.integers(1, 3_000)
sides = st.sampled_from((0, 1))
prices = st.integers(97, 103)
quantities = st.integers(2, 60)
likely_terms = st.sampled_from(
    [(TimeInForce.gtc, False)] * 4 + [(TimeInForce.ioc, False), (TimeInForce.fok, False), (TimeInForce.gtd, True)]
)

self_trades = st.sampled_from(SelfTrade)
legs = st.sampled_from((False, False, True))


class EngineMachine(RuleBasedStateMachine):
    """Random life of an exchange: orders, money in and out, reorgs, batches."""

    def __init__(self) -> None:
        super().__init__()
        self.x = EngineHarness(MARKETS)
        self.books = {market.market_id: NaiveBook(MAX_FILLS) for market in MARKETS}
        self.waiting_room = NaiveWaiting()
        self.groups = NaiveGroups()
        self.calls: set[int] = set()
        self.last = {market.market_id: market.reference_price for market in MARKETS}
        self.x.apply(c.SetLimits(0, 10, MAX_FILLS))
        self.expected_issued = dict.fromkeys(self.x.engine.state.issued, 0)
        self.withdrawals: list[bytes] = []
        self.requests: list[str] = []

    def step(self, command: c.Command) -> list[e.Event] | None:
        """Apply a command, and the turns of those that it triggers; None when it is refused, which changes nothing."""
        events = self.apply(command)
        self.follow(events)
        self.take_turns()
        return events

    def apply(self, command: c.Command) -> list[e.Event] | None:
        """Apply one command."""
        before = self.x.engine.state_hash()
        try:
            events = self.x.apply(command)
        except Refusal:
            assert self.x.engine.state_hash() == before
            assert self.x.engine.state.events == []
            return None
        self.groups.happened(events, set(self.x.engine.state.orders))
        assert not (only(events, e.TradeMatched) and self.x.engine.is_behind(self.x.at_ms))
        for undone in only(events, e.TradeReversed):
            assert undone.trade_id > undone.because_of
            assert isinstance(command, c.ReverseTrades) or undone.trade_id > self.x.engine.state.cut_trade
        for credited in only(events, e.Credited):
            self.expected_issued[credited.asset] += credited.amount
        for debited in only(events, e.Debited):
            self.expected_issued[debited.asset] -= debited.amount + debited.short
        return events

    def follow(self, events: list[e.Event] | None) -> None:
        """Tell the naive books which orders ended."""
        self.waiting_room.drop(set(self.x.engine.state.orders))
        closed = {order_id for order_id, _ in reasons(events or [])}
        for book in self.books.values():
            book.drop(closed)

    def inbox(self) -> int:
        return next(self.x.inbox_ids)

    def group(self, account: bytes) -> int:
        """A group that wants a second leg, or a new one."""
        record = self.x.engine.account(account)
        return next(iter(record.groups), 0) if record is not None and record.groups else next(self.x.nonces)

    @initialize()
    def fund(self) -> None:
        for account in TRADERS:
            for asset in (USDC, 1, BTC):
                self.step(c.Credit(self.inbox(), account, asset, 60_000 if asset == USDC else 6_000, "first"))

    @rule(
        orders=st.lists(
            st.tuples(traders, markets, sides, prices, quantities, likely_terms, self_trades), min_size=4, max_size=20
        )
    )
    def trade(self, orders: list[tuple[bytes, int, int, int, int, tuple[TimeInForce, bool], SelfTrade]]) -> None:
        for account, market, side, price, quantity, (tif, post_only), self_trade in orders:
            self.place(account, market, side, price, quantity, tif, post_only, self_trade, lifetime=100, displayed=5)

    @rule(
        account=traders,
        market=markets,
        side=st.sampled_from(Side),
        price=prices,
        quantity=quantities,
        tif=st.sampled_from(TimeInForce),
        post_only=st.booleans(),
        self_trade=self_trades,
        lifetime=st.integers(0, 40),
        single=st.booleans(),
        displayed=st.integers(0, 12),
        is_leg=legs,
    )
    def place(
        self,
        account: bytes,
        market: int,
        side: int,
        price: int,
        quantity: int,
        tif: TimeInForce,
        post_only: bool,
        self_trade: SelfTrade,
        lifetime: int,
        single: bool = False,
        displayed: int = 0,
        is_leg: bool = False,
    ) -> None:
        nonce = next(self.x.nonces) | (SINGLE_FILL if single or side == Side.buy_quote else 0)
        quantity *= price if side == Side.buy_quote else 1
        expiry = self.x.now + lifetime
        shown = displayed if tif in (TimeInForce.gtc, TimeInForce.gtd) and 3 <= displayed < quantity else 0
        group = self.group(account) if is_leg else 0
        terms = Terms(tif, post_only, self_trade, displayed_quantity=shown, group=group).pack()
        options: dict[str, Any] = {"market": market, "terms": terms, "nonce": nonce}
        command = self.x.order(account, side, price, quantity, expiry=expiry, max_fee_bps=100, **options)
        events = self.apply(command)
        if events is not None:
            self.compare(events, command.order, self.x.engine.seq)
            self.take_turns()

    @rule(
        account=traders,
        market=markets,
        side=st.sampled_from((Side.buy, Side.sell)),
        kind=st.sampled_from((TriggerType.stop_loss, TriggerType.take_profit, TriggerType.trailing)),
        price=prices,
        trigger=prices,
        quantity=quantities,
        tif=st.sampled_from(TimeInForce),
        self_trade=self_trades,
        lifetime=st.integers(1, 40),
        is_leg=legs,
    )
    def wait(
        self,
        account: bytes,
        market: int,
        side: int,
        kind: TriggerType,
        price: int,
        trigger: int,
        quantity: int,
        tif: TimeInForce,
        self_trade: SelfTrade,
        lifetime: int,
        is_leg: bool = False,
    ) -> None:
        """An order that waits, or starts at once because its price has come."""
        group = self.group(account) if is_leg else 0
        trails = kind == TriggerType.trailing
        terms = Terms(tif, False, self_trade, kind, trail_bps=100 * (trigger - 96) if trails else 0, group=group).pack()
        options: dict[str, Any] = {"market": market, "terms": terms, "trigger_price": 0 if trails else trigger}
        order = self.x.order(account, side, price, quantity, expiry=self.x.now + lifetime, max_fee_bps=100, **options)
        last = self.x.engine.state.books[market].last_price
        events = self.apply(order)
        if events is None:
            return
        self.arrive(events, self.x.engine.seq, order.order, last)
        self.take_turns()

    @rule(
        account=traders,
        market=markets,
        side=st.sampled_from((Side.buy, Side.sell)),
        price=prices,
        trigger=prices,
        quantity=quantities,
        other=quantities,
        tif=st.sampled_from(TimeInForce),
        post_only=st.booleans(),
        self_trade=self_trades,
        turned=st.booleans(),
    )
    def place_two(
        self,
        account: bytes,
        market: int,
        side: int,
        price: int,
        trigger: int,
        quantity: int,
        other: int,
        tif: TimeInForce,
        post_only: bool,
        self_trade: SelfTrade,
        turned: bool,
    ) -> None:
        """Both legs of a group in one command: a limit and a stop, in either order."""
        group = next(self.x.nonces)
        limit = Terms(TimeInForce.gtc, post_only, self_trade, group=group).pack()
        stop = Terms(tif, False, SelfTrade.cancel_taker, TriggerType.stop_loss, group=group).pack()
        worst, expiry = 102 if side == Side.buy else 98, self.x.now + 30
        options: dict[str, Any] = {"market": market, "max_fee_bps": 100, "expiry": expiry}
        legs = [
            self.x.order(account, side, price, quantity, terms=limit, **options),
            self.x.order(account, side, worst, other, terms=stop, trigger_price=trigger, **options),
        ]
        first, second = reversed(legs) if turned else legs
        last = self.x.engine.state.books[market].last_price
        events = self.apply(c.PlaceGroup(first, second))
        if events is None:
            return
        seq = self.x.engine.seq
        ids = seq, order_id(seq, 1)
        accepted = only(events, e.OrderAccepted)
        assert [event.order_id for event in accepted] == list(ids)
        split = events.index(accepted[1])
        self.arrive(events[:split], ids[0], first.order, last)
        used = {event.taker_order for event in only(events, e.TradeMatched)}
        used |= {event.order_id for event in only(events, e.OrderTriggered)}
        used |= {event.order_id for event in only(events, e.OrderReduced)}
        if ids[0] in used or ids[0] in dict(reasons(events[:split])):
            assert reasons(events[split:]) == [(ids[1], "group")]
        else:
            self.arrive(events[split:], ids[1], second.order, last)
            both = [open_order.order_id for open_order in self.x.engine.open_orders(account)]
            assert (ids[0] in both) == (ids[1] in both) or ids[1] in used
        self.follow(events)
        self.take_turns()

    def arrive(self, events: list[e.Event], number: int, order: Order, last: int) -> None:
        """What became of an order as it came."""
        if not Terms.unpack(order.terms).trigger_type:
            self.compare(events, order, number)
        elif self.waiting_room.comes(number, order, last, order.market in self.calls):
            self.expire(events)
            assert not only(events, e.TradeMatched)
        else:
            assert [event.order_id for event in only(events, e.OrderTriggered)] == [number]
            self.compare(events, order, number)

    def take_turns(self) -> None:
        """Let auctions trade, and those work whose price has come."""
        while self.x.engine.ends_call(self.x.at_ms) or self.x.engine.has_turn(self.x.at_ms):
            if self.x.engine.ends_call(self.x.at_ms) or any(a.price for a in self.x.engine.state.auctions.values()):
                self.part()
            else:
                self.turn(self.waiting_room.turn())

    def part(self) -> None:
        """The next part of an auction, in a tick; where nobody meets in it, the order whose turn it is works too."""
        waiting = {o.order_id: o for o in self.x.engine.state.orders.values() if o.level is None}
        orders = {key: replace(o.placed.order, quantity=o.remaining) for key, o in waiting.items()}
        events = self.apply(c.Tick())
        assert events is not None
        worked = only(events, e.OrderTriggered)
        split = events.index(worked[0]) if worked else len(events)
        self.expire(events[:split])
        self.auction(events[:split], {event.order_id for event in worked})
        for event in worked:
            assert event.order_id == self.waiting_room.turn()
            self.compare(events[split:], orders[event.order_id], event.order_id)

    def auction(self, events: list[e.Event], worked: Collection[int] = ()) -> None:
        """Prices and trades of auctions are those of the naive book, one after another; who `worked` then waited."""
        for event in events:
            if isinstance(event, e.AuctionPriced):
                book = self.books[event.market]
                assert (event.price, event.bids, event.asks) == book.auction_price(self.last[event.market])
                self.last[event.market] = event.price or self.last[event.market]
            elif isinstance(event, e.TradeMatched):
                met = self.books[event.market].meet(event.price)
                assert (event.maker_order, event.taker_order, event.quantity) == met
                assert event.price == self.last[event.market]
            elif isinstance(event, e.MarketChanged) and event.status == "open":
                assert self.books[event.market].auction_price(0) == (0, 0, 0)
                self.calls.discard(event.market)
                self.waiting_room.drop({*self.x.engine.state.orders, *worked})
                if self.last[event.market]:
                    self.waiting_room.trades(event.market, self.last[event.market])

    def turn(self, order_id: int) -> None:
        """The order whose turn it is works, in a tick."""
        waiting = self.x.engine.state.orders[order_id]
        order = replace(waiting.placed.order, quantity=waiting.remaining)
        events = self.apply(c.Tick())
        assert events is not None
        if (order_id, "expired") in reasons(events):
            self.expire(events)
            assert not only(events, e.OrderTriggered)
            return
        assert [event.order_id for event in only(events, e.OrderTriggered)] == [order_id]
        self.compare(events, order, order_id)

    def expire(self, events: list[e.Event]) -> None:
        """Tell the naive books whom a command ended before it did anything else."""
        expired = {order_id for order_id, reason in reasons(events) if reason in ("expired", "countdown", "group")}
        for book in self.books.values():
            book.drop(expired)

    def compare(self, events: list[e.Event], order: Order, order_id: int) -> None:
        """The trades and the end of the order are those of the naive book."""
        terms = Terms.unpack(order.terms)
        expired = {order_id for order_id, reason in reasons(events) if reason in ("expired", "countdown", "group")}
        for book in self.books.values():
            book.drop(expired)
        by_quote = order.side == Side.buy_quote
        side, slice_ = 0 if by_quote else order.side, terms.displayed_quantity
        new = Resting(order_id, order.account, side, order.price, order.quantity, slice_)
        if order.market in self.calls:
            reason = self.books[order.market].gather(new, terms.self_trade.name)
            assert dict(reasons(events)).get(order_id) == reason
            assert not only(events, e.TradeMatched)
            self.waiting_room.drop(set(self.x.engine.state.orders))
            return
        trades, reason = self.books[order.market].place(
            new, terms.time_in_force.name, terms.post_only, terms.self_trade.name, by_quote
        )
        matched = only(events, e.TradeMatched)
        assert [(t.maker_order, t.price, t.quantity) for t in matched] == trades
        if by_quote:
            assert sum(t.quote for t in matched) <= order.quantity
        assert dict(reasons(events)).get(order_id) == reason
        assert all(t.quote == t.price * t.quantity and t.taker_order == order_id for t in matched)
        self.waiting_room.drop(set(self.x.engine.state.orders))
        for trade in matched:
            self.waiting_room.trades(order.market, trade.price)
            self.last[order.market] = trade.price
        self.waiting_room.drop(set(self.x.engine.state.orders))

    @rule(account=traders, price=prices, quantity=quantities, data=st.data())
    def amend(self, account: bytes, price: int, quantity: int, data: st.DataObject) -> None:
        open_orders = self.x.engine.open_orders(account)
        if open_orders:
            self.replace(data.draw(st.sampled_from(open_orders)), price, quantity)

    def replace(self, old: OpenOrder, price: int, quantity: int) -> None:
        """A new order on an open one's nonce, by the naive rule: its place if it asks for no more, else a new order."""
        signed, before = old.placed.order, old.remaining
        waits, last = old.level is None, self.x.engine.state.books[signed.market].last_price
        order = replace(signed, price=price, quantity=quantity, expiry=signed.expiry + 1)
        events = self.apply(c.AmendOrder(order, keccak(repr(order).encode()), 0, b"", signed.account))
        if events is None:
            return
        order_id, book = self.x.engine.seq, self.books[signed.market]
        remaining = quantity - (signed.quantity - before)
        told = only(events, e.OrderAmended)
        assert [(event.replaced, event.remaining) for event in told] == [(old.order_id, remaining)]
        self.expire(events)
        if told[0].kept_place:
            assert (waits, price) == (False, signed.price)
            assert remaining <= before
            book.swap(old.order_id, order_id, remaining)
            return
        assert waits or price != signed.price or remaining > before
        book.drop({old.order_id})
        self.waiting_room.drop({*self.x.engine.state.orders})
        in_call = signed.market in self.calls
        if Terms.unpack(order.terms).trigger_type and self.waiting_room.comes(order_id, order, last, in_call):
            assert not only(events, e.TradeMatched)
            return
        self.compare(events, replace(order, quantity=remaining), order_id)
        self.take_turns()

    @rule(account=traders, data=st.data())
    def cancel(self, account: bytes, data: st.DataObject) -> None:
        record = self.x.engine.account(account)
        if record is not None and record.orders:
            nonce = data.draw(st.sampled_from(sorted(record.orders)))
            self.follow(self.step(c.CancelOrder(account, nonce, b"", account)))

    @rule(account=traders, data=st.data())
    def cancel_all(self, account: bytes, data: st.DataObject) -> None:
        record = self.x.engine.account(account)
        if record is not None and record.orders:
            min_nonce = data.draw(st.sampled_from(sorted(record.orders))) + 1
            self.follow(self.step(c.CancelAll(account, min_nonce, b"", account)))

    @rule(account=traders, market=st.integers(0, 2), side=st.integers(0, 2))
    def mass_cancel(self, account: bytes, market: int, side: int) -> None:
        self.x.at_ms += 1
        before = self.x.engine.open_orders(account)
        events = self.step(c.MassCancel(account, market, side, self.x.at_ms, b"", account))
        assert events is not None
        self.follow(events)
        meant = [o for o in before if market in (0, o.placed.order.market) and side in (2, o.placed.order.side)]
        assert sorted(order_id for order_id, _ in reasons(events)) == sorted(order.order_id for order in meant)

    @rule(account=traders, seconds=st.sampled_from([0, 1, 10]))
    def count_down(self, account: bytes, seconds: int) -> None:
        self.x.at_ms += 1
        events = self.step(c.SetCountdown(account, seconds, self.x.at_ms, b"", account))
        assert events is not None
        self.follow(events)

    @rule(account=traders)
    def use_up_nonces(self, account: bytes) -> None:
        """A delegated key brakes with the highest nonce that it may: the account's own brakes go on all the same."""
        self.x.at_ms += 1
        events = self.step(c.SetCountdown(account, 0, self.x.at_ms + MAX_SKEW_MS, b"", DELEGATE))
        assert events is not None
        self.follow(events)

    @rule(account=st.sampled_from(TRADERS[:3]), stopped=st.sampled_from([True, False, False]))
    def stop(self, account: bytes, stopped: bool) -> None:
        self.x.at_ms += 1
        events = self.step(c.StopTrading(account, stopped, self.x.at_ms, b""))
        assert events is not None
        self.follow(events)

    @rule(market=markets, maker=st.integers(0, 5_000), taker=st.integers(0, 9_000), floor=st.integers(0, 4))
    def announce(self, market: int, maker: int, taker: int, floor: int) -> None:
        tiers = ((maker, taker), (maker // 2, taker // 3))
        self.step(c.AnnounceFees(self.inbox(), market, self.x.at_ms + 500 * (floor % 3), tiers, floor))

    @rule(account=traders, tier=st.integers(0, 2))
    def set_tier(self, account: bytes, tier: int) -> None:
        self.step(c.SetAccountTier(self.inbox(), account, tier, 0))

    @rule(account=traders, orders=st.sampled_from((0, 0, 2)), notional=st.sampled_from((0, 0, 5_000)))
    def limit(self, account: bytes, orders: int, notional: int) -> None:
        self.step(c.SetAccountLimits(self.inbox(), account, orders, USDC, notional))

    @rule(age_ms=st.sampled_from((0, 0, 2_000)))
    def limit_age(self, age_ms: int) -> None:
        """How old an unsettled trade may be while anybody trades."""
        assert self.step(c.SetLimits(age_ms, 10, MAX_FILLS)) is not None

    @rule(seconds=st.integers(0, 20))
    def pass_time(self, seconds: int) -> None:
        self.later(seconds * 1_000)

    def later(self, milliseconds: int) -> None:
        """A tick after a while, which may end the call of an auction."""
        self.x.at_ms += milliseconds
        if self.x.engine.ends_call(self.x.at_ms):
            self.part()
            self.take_turns()
            return
        self.follow(self.step(c.Tick()))

    @rule(market=markets, seconds=st.sampled_from((0, 0, 1, 15)))
    def call(self, market: int, seconds: int) -> None:
        events = self.apply(c.StartAuction(self.inbox(), market, self.x.now + seconds if seconds else 0))
        assert events is not None
        self.calls.add(market)
        self.waiting_room.stops(market)
        self.take_turns()

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), halted=st.booleans())
    def open(self, data: st.DataObject, halted: bool) -> None:
        self.open_market(data.draw(st.sampled_from(sorted(self.calls))), halted)

    def open_market(self, market: int, halted: bool) -> None:
        """Open a market, which may have been halted in between."""
        for status in ("halted", "open") if halted else ("open",):
            events = self.apply(c.SetMarketStatus(self.inbox(), market, status))
            assert events is not None
            self.auction(events)
        self.take_turns()

    @rule(account=traders, asset=assets, amount=amounts)
    def credit(self, account: bytes, asset: int, amount: int) -> None:
        self.step(c.Credit(self.inbox(), account, asset, amount, "more"))

    @rule(account=traders, asset=assets, amount=st.integers(1, 60_000))
    def uncredit(self, account: bytes, asset: int, amount: int) -> None:
        self.follow(self.step(c.Uncredit(self.inbox(), account, asset, amount, "reorg")))

    @rule(account=traders, asset=assets, amount=amounts)
    def hold_withdrawal(self, account: bytes, asset: int, amount: int) -> None:
        command = self.x.hold(account, asset, amount, nonce=next(self.x.nonces))
        free = self.x.engine.withdrawable(account, asset)
        if self.step(command) is not None:
            assert amount <= free
            self.withdrawals.append(command.withdrawal_hash)

    @precondition(lambda self: self.withdrawals)
    @rule(consumed=st.booleans())
    def end_withdrawal(self, consumed: bool) -> None:
        kind = c.ConsumeWithdrawal if consumed else c.ReleaseWithdrawal
        assert self.step(kind(self.inbox(), self.withdrawals.pop(), "end")) is not None

    @precondition(lambda self: not self.requests)
    @rule(account=traders, asset=assets, amount=amounts)
    def force(self, account: bytes, asset: int, amount: int) -> None:
        self.requests.append(f"request {len(self.x.kept)}")
        self.follow(self.step(c.ReserveForced(self.inbox(), account, asset, amount, self.requests[-1])))

    @precondition(lambda self: self.requests)
    @rule(claimed=st.integers(0, 3_000))
    def end_force(self, claimed: int) -> None:
        request = self.requests.pop()
        forced = self.x.engine.state.forced[request]
        account, asset = forced.balance.account.address, forced.balance.asset
        if claimed:
            amount = min(claimed, forced.requested)
            self.follow(self.step(c.Debit(self.inbox(), account, asset, amount, request, "claimed")))
        else:
            self.step(c.ReleaseForced(self.inbox(), request))
        assert request not in self.x.engine.state.forced

    @precondition(lambda self: not any(account.exiting for account in self.x.engine.state.accounts))
    @rule(account=st.sampled_from(TRADERS[:3]))
    def exit(self, account: bytes) -> None:
        self.follow(self.step(c.SetExiting(self.inbox(), account, True)))

    @precondition(lambda self: any(account.exiting for account in self.x.engine.state.accounts))
    @rule()
    def stay(self) -> None:
        for account in self.x.engine.state.accounts:
            if account.exiting:
                self.step(c.SetExiting(self.inbox(), account.address, False))

    @precondition(lambda self: not any(account.frozen for account in self.x.engine.state.accounts))
    @rule(account=st.sampled_from(TRADERS[:3]))
    def freeze(self, account: bytes) -> None:
        self.follow(self.step(c.SetFrozen(self.inbox(), account, True)))

    @precondition(lambda self: any(account.frozen for account in self.x.engine.state.accounts))
    @rule()
    def thaw(self) -> None:
        for account in self.x.engine.state.accounts:
            if account.frozen:
                self.step(c.SetFrozen(self.inbox(), account.address, False))

    @rule(back=st.integers(1, 5))
    def cut(self, back: int) -> None:
        state = self.x.engine.state
        events = self.step(c.CutBatch(self.inbox(), state.last_batch + 1, state.seq + 1 - back))
        if events is not None:
            assert all((t.seq <= state.cut_seq) == (key <= state.cut_trade) for key, t in state.trades.items())

    @precondition(lambda self: self.x.engine.state.batches)
    @rule()
    def finalize(self) -> None:
        state = self.x.engine.state
        batch = state.batches[0]
        later = [key for key, trade in state.trades.items() if trade.seq > batch.to_seq]
        assert self.apply(c.FinalizeBatch(self.inbox(), batch.batch)) is not None
        assert list(state.trades) == later
        self.take_turns()

    @precondition(lambda self: self.x.engine.state.trades)
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        trades = sorted(self.x.engine.state.trades)
        chosen = data.draw(st.lists(st.sampled_from(trades), min_size=1, max_size=3))
        events = self.step(c.ReverseTrades(self.inbox(), tuple(chosen), "cause"))
        assert events is not None
        self.follow(events)
        reversed_ = [event.trade_id for event in only(events, e.TradeReversed)]
        assert set(chosen) <= set(reversed_)
        assert len(reversed_) == len(set(reversed_))

    @invariant()
    def every_invariant_holds(self) -> None:
        assert self.x.engine.violations() == []
        assert self.x.engine.state.issued == self.expected_issued

    @invariant()
    def books_equal_the_naive_ones(self) -> None:
        for levels in self.x.engine.books():
            naive = self.books[levels.market.market_id]
            assert (levels.bids, levels.asks) == (naive.levels(0), naive.levels(1))

    @invariant()
    def a_loaded_snapshot_is_the_same_engine(self) -> None:
        assert Engine.load(self.x.engine.dump()).state_hash() == self.x.engine.state_hash()

    def teardown(self) -> None:
        self.x.validate_and_drain()
