"""The engine: one deterministic state machine, `(state, command) -> events`.

    engine = Engine()
    events = engine.apply(seq, at_ms, command)     # or Refusal, and nothing has changed

No clock, no randomness, no I/O: the same commands give the same events and the same `state_hash()`. This is
the reference implementation: it says what is right, and needs no compiler.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import Schedule
from exchange.domain.instrument import Market
from exchange.domain.order import Order
from exchange.domain.order_id import order_id, seq_of
from exchange.engine import auctions, brakes, control, custody, exposure, fees, settling, snapshot
from exchange.engine import commands as c
from exchange.engine.accounts import Account
from exchange.engine.book import Half
from exchange.engine.events import Event
from exchange.engine.frames import FrameOutcome, place_frame
from exchange.engine.invariants import violations
from exchange.engine.matcher import amend, place, place_group, tick
from exchange.engine.orders import OpenOrder, by_age
from exchange.engine.preview import Preview, preview
from exchange.engine.reversal import reverse_trades
from exchange.engine.singles import Layout, SinglesOutcome
from exchange.engine.state import State
from exchange.engine.telling import Telling

Handler = Callable[[State, int, int, Any], None]

HANDLERS: dict[type, Handler] = {
    c.PlaceOrder: place,
    c.AmendOrder: amend,
    c.PlaceGroup: place_group,
    c.CancelOrder: lambda state, seq, at_ms, command: control.cancel_order(state, command),
    c.CancelAll: lambda state, seq, at_ms, command: control.cancel_all(state, at_ms, command),
    c.MassCancel: lambda state, seq, at_ms, command: brakes.mass_cancel(state, at_ms, command),
    c.SetCountdown: lambda state, seq, at_ms, command: brakes.set_countdown(state, at_ms, command),
    c.StopTrading: lambda state, seq, at_ms, command: brakes.stop_trading(state, at_ms, command),
    c.HoldWithdrawal: lambda state, seq, at_ms, command: custody.hold_withdrawal(state, at_ms, command),
    c.Tick: lambda state, seq, at_ms, command: tick(state, seq, at_ms),
    c.ListAsset: lambda state, seq, at_ms, command: control.list_asset(state, command),
    c.ListMarket: lambda state, seq, at_ms, command: control.list_market(state, at_ms, command),
    c.SetFeeRules: lambda state, seq, at_ms, command: fees.set_fee_rules(state, command),
    c.SetLimits: lambda state, seq, at_ms, command: control.set_limits(state, command),
}

INBOX_HANDLERS: dict[type, Handler] = {
    c.SetMarketStatus: lambda state, seq, at_ms, command: control.set_market_status(state, at_ms, command),
    c.StartAuction: lambda state, seq, at_ms, command: auctions.start_auction(state, at_ms, command),
    c.SetMarketBounds: lambda state, seq, at_ms, command: exposure.set_market_bounds(state, command),
    c.SetAccountLimits: lambda state, seq, at_ms, command: exposure.set_account_limits(state, command),
    c.AnnounceFees: lambda state, seq, at_ms, command: fees.announce_fees(state, at_ms, command),
    c.SetAccountTier: lambda state, seq, at_ms, command: fees.set_account_tier(state, at_ms, command),
    c.Credit: lambda state, seq, at_ms, command: custody.credit(state, command),
    c.Uncredit: lambda state, seq, at_ms, command: custody.uncredit(state, command),
    c.ReserveForced: lambda state, seq, at_ms, command: custody.reserve_forced(state, command),
    c.ReleaseForced: lambda state, seq, at_ms, command: custody.release_forced(state, command),
    c.Debit: lambda state, seq, at_ms, command: custody.debit(state, command),
    c.ConsumeWithdrawal: lambda state, seq, at_ms, command: custody.consume_withdrawal(state, command),
    c.ReleaseWithdrawal: lambda state, seq, at_ms, command: custody.release_withdrawal(state, command),
    c.ObeyCancel: lambda state, seq, at_ms, command: control.obey_cancel(state, command),
    c.ObeyRevocation: lambda state, seq, at_ms, command: control.obey_revocation(state, command),
    c.AllowDelegate: lambda state, seq, at_ms, command: control.allow_delegate(state, command),
    c.SetExiting: lambda state, seq, at_ms, command: control.set_exiting(state, command),
    c.SetFrozen: lambda state, seq, at_ms, command: control.set_frozen(state, command),
    c.SetTradingStop: lambda state, seq, at_ms, command: brakes.set_trading_stop(state, command),
    c.CutBatch: lambda state, seq, at_ms, command: settling.cut_batch(state, seq, command),
    c.FinalizeBatch: lambda state, seq, at_ms, command: settling.finalize_batch(state, command),
    c.ReverseTrades: lambda state, seq, at_ms, command: reverse_trades(state, command.trade_ids, command.cause),
}


@dataclass(frozen=True, slots=True)
class BookLevels:
    """One market's book in aggregate: `(price, quantity in lots)`, best first. `schedules` are its fees by time."""

    market: Market
    schedules: list[tuple[int, Schedule]]
    last_price: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Engine:
    """The state machine and the questions it answers. Not safe for threads."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self.followed: set[int] = set()
        """The accounts of which whoever follows wants to be told; `follow` and `unfollow` change them."""

    def follow(self, account: int) -> None:
        """Tell of an account where only followed ones are told of."""
        self.followed.add(account)

    def unfollow(self, account: int) -> None:
        """Tell of it no more."""
        self.followed.discard(account)

    def apply(self, seq: int, at_ms: int, command: c.Command) -> list[Event]:
        """What `command` does, as journal record `seq` at `at_ms` (milliseconds since 1970).

        Refusal if it is refused: then nothing has changed, and `seq` is free for another command.
        ValueError if `seq` or `at_ms` go back, TypeError for what is no command.
        """
        if isinstance(command, c.PlaceFrame):
            return self.apply_frame(seq, at_ms, command).events
        state = self.state
        if seq <= state.seq or at_ms < state.at_ms:
            raise ValueError(f"record {seq} at {at_ms} comes after {state.seq} at {state.at_ms}")
        handler = HANDLERS.get(command.__class__)
        if handler is not None:
            handler(state, seq, at_ms, command)
        else:
            self._apply_inbox(seq, at_ms, command)
        state.seq = seq
        state.at_ms = at_ms
        return state.flush()

    def apply_frame(
        self, seq: int, at_ms: int, command: c.PlaceFrame, telling: Telling = Telling.everything
    ) -> FrameOutcome:
        """What a frame does, as journal record `seq`; never a Refusal, because it is journaled before it is judged.

        Events that nobody is told of may be left out.
        """
        state = self.state
        if seq <= state.seq or at_ms < state.at_ms:
            raise ValueError(f"record {seq} at {at_ms} comes after {state.seq} at {state.at_ms}")
        verdict, codes = command.judged(), b""
        if verdict.unfolded is not None:
            codes = place_frame(state, seq, at_ms, command, verdict.unfolded)
        state.seq = seq
        state.at_ms = at_ms
        return FrameOutcome(verdict.flaw, codes, state.flush())

    def apply_batch(self, at_ms: int, commands: Sequence[c.Command]) -> list[list[Event] | Refusal]:
        """Apply commands one after another at a time; what is accepted takes the next record each."""
        outcomes: list[list[Event] | Refusal] = []
        for command in commands:
            try:
                outcomes.append(self.apply(self.state.seq + 1, at_ms, command))
            except Refusal as refusal:
                outcomes.append(refusal)
        return outcomes

    def apply_singles(self, at_ms: int, records: bytes, layout: Layout, telling: Telling) -> SinglesOutcome | None:
        """Apply single orders as `apply_batch` does.

        None, and nothing has changed, where the orders must come as commands, as here.
        """
        return None

    def _apply_inbox(self, seq: int, at_ms: int, command: Any) -> None:
        handler = INBOX_HANDLERS.get(command.__class__)
        if handler is None:
            raise TypeError(f"{type(command).__name__} is no command")
        last = self.state.inbox_id
        if command.inbox_id <= last:
            raise Refusal(
                ErrorCode.inbox_out_of_order, f"inbox id must be above {last}", "inbox_id", {"last": str(last)}
            )
        handler(self.state, seq, at_ms, command)
        self.state.inbox_id = command.inbox_id

    def find_duplicate(self, command: c.PlaceOrder | c.PlaceGroup) -> int | None:
        """The order id under which this very order was taken before, or None; of a group that was taken so its first's.

        Ask before `apply`, and acknowledge again instead of applying: an order sent twice is one order. At
        least the last 1,000 orders of an account are known; an older one is refused with `nonce_used`.
        """
        first = command.first if isinstance(command, c.PlaceGroup) else command
        account = self.state.by_address.get(first.order.account)
        known = account.order_hashes.get(first.order_hash) if account is not None else None
        if account is None or known is None or not isinstance(command, c.PlaceGroup):
            return known
        second = account.order_hashes.get(command.second.order_hash)
        return known if known == seq_of(known) and second == order_id(known, 1) else None

    # questions

    @property
    def seq(self) -> int:
        """The last record applied."""
        return self.state.seq

    @property
    def at_ms(self) -> int:
        """The time of the last record applied."""
        return self.state.at_ms

    @property
    def inbox_id(self) -> int:
        """The last inbox id applied."""
        return self.state.inbox_id

    @property
    def next_expiry(self) -> int | None:
        """When the next open order expires, or countdown or call ends, in unix seconds: a `Tick` does something."""
        return self.state.next_expiry()

    def next_tick(self, at_ms: int) -> int | None:
        """The same as things are at a time: while settlement is behind no call ends."""
        return self.state.next_end() if self.state.is_behind(at_ms) else self.state.next_expiry()

    @property
    def has_due(self) -> bool:
        """Whether an auction is to trade, or a triggered order waits for its turn."""
        return self.state.has_due

    def has_turn(self, at_ms: int) -> bool:
        """Whether one of them may at a time, which none may while settlement is behind: then a `Tick` comes before any
        order."""
        return self.state.has_turn(at_ms)

    def is_behind(self, at_ms: int) -> bool:
        """Whether settlement is so far behind at a time that nobody trades."""
        return self.state.is_behind(at_ms)

    def ends_call(self, at_ms: int) -> bool:
        """Whether a market gathers orders until a time that has come, and may trade: then a `Tick` comes before any
        order."""
        state = self.state
        if not state.auctions or state.is_behind(at_ms):
            return False
        return any(state.calls_until(a) and a.ends_at * 1_000 <= at_ms for a in state.auctions.values())

    @property
    def waiting(self) -> int:
        """How many ticks may be due at once: one for each order that waits for a price, and parts of auctions."""
        state = self.state
        waiting = sum(len(watch) for watch in state.watches.values()) + len(state.due)
        if state.auctions:
            waiting += len(state.auctions) + len(state.orders) // min(state.limits.max_fills, auctions.LEAST_FILLS) + 1
        return waiting

    @property
    def oldest_unsettled_at(self) -> int | None:
        """When the oldest trade that is not final was matched, in milliseconds."""
        return self.state.oldest_unsettled_at

    def books(self) -> list[BookLevels]:
        """Every market's levels, by market id."""
        return [
            BookLevels(book.market, book.schedules.entries, book.last_price, _levels(book.bids), _levels(book.asks))
            for _, book in sorted(self.state.books.items())
        ]

    def account(self, address: bytes) -> Account | None:
        """The account of `address`, with its balances; not to be changed."""
        return self.state.by_address.get(address)

    def open_orders(self, address: bytes) -> list[OpenOrder]:
        """The open orders of `address`, oldest first."""
        account = self.state.by_address.get(address)
        return by_age(account.orders.values()) if account is not None else []

    def withdrawable(self, address: bytes, asset: int) -> int:
        """What `address` may withdraw of `asset` now, in ledger units."""
        account = self.state.by_address.get(address)
        balance = account.balances.get(asset) if account is not None and account.status == "active" else None
        return balance.withdrawable if balance is not None else 0

    def preview(self, at_ms: int, order: Order) -> Preview:
        """What an order would meet and pay at a time. Refusal for one that could not be taken at all."""
        return preview(self.state, max(at_ms, self.state.at_ms), order)

    def violations(self) -> list[str]:
        """Every invariant of `exchange.engine.invariants` that does not hold, in words."""
        return violations(self.state)

    # snapshots

    def state_hash(self) -> bytes:
        """SHA-256 of the canonical state, 32 bytes; takes time in proportion to the state."""
        return snapshot.state_hash(self.state)

    def dump(self) -> bytes:
        """The state as canonical bytes (msgpack)."""
        return snapshot.dump(self.state)

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The engine that `dump` wrote; SnapshotError for other bytes."""
        return cls(snapshot.load(data))


def _levels(half: Half) -> list[tuple[int, int]]:
    return [(level.price, level.quantity) for level in half]
