"""Account events, live: orders, fills and balances of the accounts that somebody listens to, and only of these.

A listener's snapshot comes from the engine and says at which `seq` it is true. Events are gathered from
before it was asked for; those up to that `seq` are dropped, later ones follow it, so the chain has no hole.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from backend.stream.channels import Channel, Sink
from backend.wire import checksum, hexed
from exchange.domain.contract_refusals import refusal_of_cause
from exchange.domain.errors import Refusal
from exchange.domain.order import Side
from exchange.engine import events
from exchange.engine.orders import group_of

log = structlog.get_logger()

CHANNEL = "account"
RETRY_SECONDS = 0.2
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account in the engine at `seq`; `account_id` is None for an address it has never seen."""

    seq: int
    account_id: int | None
    content: Row


@dataclass(eq=False, slots=True)
class Watch:
    """One connection that listens to one account. `account_id` is None until the engine knows the account."""

    address: bytes
    sink: Sink
    account_id: int | None = None
    ready: bool = False
    start: int = 0
    """How often it has begun again."""
    channel: Channel = field(default_factory=lambda: Channel(CHANNEL, 0))
    gathered: list[tuple[int, Row]] = field(default_factory=list)


Load = Callable[[bytes], Awaitable[AccountState]]


class Follower(Protocol):
    """Who has the engine tell of an address' account: of all that is committed once `follow` has returned, until
    `leave`. The account may open later."""

    async def follow(self, address: bytes) -> None: ...
    def leave(self, address: bytes) -> None: ...


class AccountFeed:
    """`load` asks the engine for an account; `apply` is called for every event, `flush` now and then."""

    def __init__(self, load: Load, follower: Follower) -> None:
        self._load = load
        self._follower = follower
        self._watches: dict[Sink, Watch] = {}
        self._listeners: Counter[bytes] = Counter()
        """By address."""
        self._by_id: dict[int, list[Watch]] = {}
        self._dirty: set[Watch] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, address: bytes, sink: Sink) -> None:
        """Send a snapshot of the account and then its events to `sink`, which listens to one account at a time."""
        self.leave(sink)
        watch = Watch(address, sink)
        watch.channel.sinks.add(sink)
        self._watches[sink] = watch
        self._listeners[address] += 1
        try:
            await self._start(watch)
        except BaseException:
            if self._watches.get(sink) is watch:
                self.leave(sink)
            raise

    async def _start(self, watch: Watch) -> None:
        """Follow the account, bind the watch to its id, and send the snapshot of a state asked for after that.

        A later start takes over from one that is under way: what that one knows may be from before the feed was lost.
        """
        start, bound = watch.start, False
        await self._follower.follow(watch.address)
        while self._watches.get(watch.sink) is watch and watch.start == start:
            bound = watch.account_id is not None
            state = await self._load(watch.address)
            if self._watches.get(watch.sink) is not watch or watch.start != start:
                return
            if bound or state.account_id is None:
                self._send_snapshot(watch, state)
                return
            self._bind(watch, state.account_id)

    def _send_snapshot(self, watch: Watch, state: AccountState) -> None:
        watch.channel.seq = state.seq
        watch.channel.snapshot(watch.sink, {"account": checksum(watch.address), **state.content})
        watch.gathered = [(seq, row) for seq, row in watch.gathered if seq > state.seq]
        watch.ready = True
        self._dirty.add(watch)

    def _bind(self, watch: Watch, account_id: int) -> None:
        if watch.account_id is None:
            watch.account_id = account_id
            self._by_id.setdefault(account_id, []).append(watch)

    def leave(self, sink: Sink) -> None:
        """Forget a listener."""
        watch = self._watches.pop(sink, None)
        if watch is None:
            return
        self._dirty.discard(watch)
        if watch.account_id is not None:
            watches = self._by_id[watch.account_id]
            watches.remove(watch)
            if not watches:
                del self._by_id[watch.account_id]
        self._listeners[watch.address] -= 1
        if not self._listeners[watch.address]:
            del self._listeners[watch.address]
            self._follower.leave(watch.address)

    def restart(self) -> None:
        """The engine was lost and is back: every listener gets a new snapshot."""
        self._dirty.clear()
        for watch in self._watches.values():
            watch.ready = False
            watch.start += 1
            watch.gathered.clear()
            task = asyncio.get_running_loop().create_task(self._restart(watch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _restart(self, watch: Watch) -> None:
        start = watch.start
        while self._watches.get(watch.sink) is watch and watch.start == start and not watch.ready:
            try:
                await self._start(watch)
            except Refusal as refusal:
                log.warning("account_snapshot_failed", reason=refusal.message)
                await asyncio.sleep(RETRY_SECONDS)

    def apply(self, seq: int, at_ms: int, event: events.Event) -> None:
        """Gather one committed event for those who listen to its accounts."""
        if not self._watches:
            return
        if isinstance(event, events.AccountOpened):
            for watch in self._watches.values():
                if watch.address == event.address:
                    self._bind(watch, event.account)
        elif (describe := _DESCRIBE.get(type(event))) is not None:
            for account_id, row in describe(event):
                for watch in self._by_id.get(account_id, ()):
                    watch.gathered.append((seq, {**row, "seq": seq, "at": at_ms}))
                    self._dirty.add(watch)

    def flush(self) -> None:
        """Send what has gathered, one message per listener."""
        for watch in tuple(self._dirty):
            if watch.ready:
                self._dirty.discard(watch)
                if watch.gathered:
                    rows = [row for _, row in watch.gathered]
                    watch.channel.publish("account", watch.gathered[-1][0], {"events": rows})
                    watch.gathered.clear()


def _accepted(event: events.OrderAccepted) -> Iterator[tuple[int, Row]]:
    yield (
        event.account,
        {
            "event": "order_accepted",
            "order_id": event.order_id,
            "order_hash": hexed(event.order_hash),
            "client_order_id": event.client_order_id,
            "market": event.market,
            "side": Side(event.side).name,
            "price": str(event.price),
            "quantity": str(event.quantity),
            "nonce": str(event.nonce),
            "expiry": event.expiry,
            "group": group_of(event.terms),
        },
    )


def _amended(event: events.OrderAmended) -> Iterator[tuple[int, Row]]:
    yield (
        event.account,
        {
            "event": "order_amended",
            "order_id": event.order_id,
            "market": event.market,
            "replaced": event.replaced,
            "remaining": str(event.remaining),
            "kept_place": event.kept_place,
        },
    )


def _triggered(event: events.OrderTriggered) -> Iterator[tuple[int, Row]]:
    yield (
        event.account,
        {
            "event": "order_triggered",
            "order_id": event.order_id,
            "market": event.market,
            "price": str(event.price),
        },
    )


def _reduced(event: events.OrderReduced) -> Iterator[tuple[int, Row]]:
    yield (
        event.account,
        {
            "event": "order_reduced",
            "order_id": event.order_id,
            "market": event.market,
            "quantity": str(event.quantity),
            "remaining": str(event.remaining),
        },
    )


def _closed(event: events.OrderClosed) -> Iterator[tuple[int, Row]]:
    yield (
        event.account,
        {
            "event": "order_closed",
            "order_id": event.order_id,
            "market": event.market,
            "reason": event.reason.value,
            "remaining": str(event.remaining),
        },
    )


def _fills(event: events.TradeMatched) -> Iterator[tuple[int, Row]]:
    taker_sells = event.taker_side == Side.sell
    shared = {
        "event": "fill",
        "trade_id": event.trade_id,
        "market": event.market,
        "price": str(event.price),
        "quantity": str(event.quantity),
        "quote": str(event.quote),
    }
    yield (
        event.maker_account,
        {
            **shared,
            "order_id": event.maker_order,
            "role": "maker",
            "side": "buy" if taker_sells else "sell",
            "fee": str(event.maker_fee),
            "remaining": str(event.maker_remaining),
        },
    )
    yield (
        event.taker_account,
        {
            **shared,
            "order_id": event.taker_order,
            "role": "taker",
            "side": "sell" if taker_sells else "buy",
            "fee": str(event.taker_fee),
            "remaining": str(event.taker_remaining),
        },
    )


def _reversed(event: events.TradeReversed) -> Iterator[tuple[int, Row]]:
    refusal = refusal_of_cause(event.cause)
    row = {
        "event": "trade_reversed",
        "trade_id": event.trade_id,
        "reason": event.cause,
        "code": refusal and refusal.code.value,
        "because_of": event.because_of or None,
    }
    yield event.maker_account, row
    yield event.taker_account, row


def _balance(event: events.BalanceChanged) -> Iterator[tuple[int, Row]]:
    names = ("available", "held", "reserved", "unsettled", "deficit")
    amounts = {name: str(getattr(event, name)) for name in names}
    yield event.account, {"event": "balance", "asset_id": event.asset, **amounts}


def _credited(event: events.Credited) -> Iterator[tuple[int, Row]]:
    yield event.account, {"event": "credited", "asset_id": event.asset, "amount": str(event.amount)}


def _debited(event: events.Debited) -> Iterator[tuple[int, Row]]:
    row = {"event": "debited", "asset_id": event.asset, "amount": str(event.amount), "short": str(event.short)}
    yield event.account, row


def _changed(event: events.AccountChanged) -> Iterator[tuple[int, Row]]:
    yield event.account, {"event": "account_changed", "status": event.status, "min_nonce": str(event.min_nonce)}


def _countdown(event: events.CountdownSet) -> Iterator[tuple[int, Row]]:
    yield event.account, {"event": "countdown", "countdown_at": event.at}


def _stopped(event: events.TradingStopChanged) -> Iterator[tuple[int, Row]]:
    row = {"event": "trading_stop", "by_owner": event.by_owner, "by_operator": event.by_operator}
    yield event.account, row


def _held(event: events.WithdrawalHeld) -> Iterator[tuple[int, Row]]:
    yield (
        event.account,
        {
            "event": "withdrawal_held",
            "asset_id": event.asset,
            "amount": str(event.amount),
            "withdrawal_hash": hexed(event.withdrawal_hash),
            "deadline": event.deadline,
        },
    )


_DESCRIBE: dict[type, Callable[[Any], Iterator[tuple[int, Row]]]] = {
    events.OrderAccepted: _accepted,
    events.OrderAmended: _amended,
    events.OrderTriggered: _triggered,
    events.OrderReduced: _reduced,
    events.OrderClosed: _closed,
    events.TradeMatched: _fills,
    events.TradeReversed: _reversed,
    events.BalanceChanged: _balance,
    events.Credited: _credited,
    events.Debited: _debited,
    events.AccountChanged: _changed,
    events.CountdownSet: _countdown,
    events.TradingStopChanged: _stopped,
    events.WithdrawalHeld: _held,
}
