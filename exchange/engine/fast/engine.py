"""The fast engine: `Engine` over the core. Same commands, same events, same `state_hash()`.

Orders, cancels and ticks run in the core; every other command runs the reference's own code over the core's records.
What the core does not count (numbers beyond 64 bits, more assets than it has columns for) it hands over: it becomes
the reference, through a snapshot, says so to `on_handover`, and goes on. Some time later it looks whether the arrays
can hold the state again, and then returns to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from typing import Any, Self, cast

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import Refusal
from exchange.domain.order_id import SEQ_LIMIT
from exchange.engine import commands as c
from exchange.engine import snapshot
from exchange.engine.accounts import NO_LIMITS
from exchange.engine.control import cancel_order
from exchange.engine.engine import Engine
from exchange.engine.events import Event
from exchange.engine.fast.core import pack_singles
from exchange.engine.fast.packing import COMMAND_SIZE, OUTCOME, OUTCOME_SIZE, pack, pack_longer
from exchange.engine.fast.records import ArrayBook
from exchange.engine.fast.refusals import FRAME_CODES
from exchange.engine.fast.state import LATEST_SECOND, MAX_ASSETS, ArrayState, Framed, adopt, quiet_of
from exchange.engine.frames import FrameOutcome, OrdersOf, orders_of
from exchange.engine.invariants import violations
from exchange.engine.matcher import check_turn
from exchange.engine.orders import by_age
from exchange.engine.risk import check, check_legs
from exchange.engine.singles import Layout, Singles, SinglesOutcome
from exchange.engine.state import State
from exchange.engine.telling import Telling

LATEST_MS = 1 << 53
WIDEST_BAND_BPS = 1 << 32

RETURN_AFTER = 1_024
"""How many records the engine stays the reference before it looks; each time twice as long."""

CALM = 64
"""Who was fast for so many times as long as it last stayed the reference begins with `RETURN_AFTER` again."""

LARGEST_RETURN = 200_000
"""With more than that to carry (`_burden`) it looks no more: that would take so long that a restart is better."""

RAISING = (c.Uncredit, c.Debit, c.ReverseTrades)
"""Commands that may give back what trades moved before they collect it."""


class FastEngine(Engine):
    """The state machine over arrays.

    `on_handover` is told why it becomes the reference, `on_return` that it is fast again.
    """

    def __init__(self, state: State | None = None, on_handover: Callable[[str], None] | None = None) -> None:
        super().__init__(state or ArrayState())
        self.on_handover = on_handover
        self.on_return: Callable[[], None] | None = None
        self._patience = RETURN_AFTER
        self._returned_at = 0
        self._look_at = self.seq + RETURN_AFTER

    @property
    def is_fast(self) -> bool:
        """Whether the core does the work."""
        return isinstance(self.state, ArrayState)

    def follow(self, account: int) -> None:
        """As `Engine.follow`."""
        super().follow(account)
        if isinstance(self.state, ArrayState):
            self.state.core.set_followed(account, True)

    def unfollow(self, account: int) -> None:
        """As `Engine.unfollow`."""
        super().unfollow(account)
        if isinstance(self.state, ArrayState):
            self.state.core.set_followed(account, False)

    def go_back(self) -> bool:
        """Return to the arrays if they can hold the state; whether they do."""
        if not self.is_fast:
            try:
                state = adopt(self.state)
            except (ValueError, OverflowError):
                return False
            for account in self.followed:
                state.core.set_followed(account, True)
            self.state = state
            self._returned_at = self.seq
            if self.on_return is not None:
                self.on_return()
        return True

    def _look_back(self, seq: int) -> None:
        """Return to the arrays when it is time to look and they can hold the state."""
        if self.is_fast or seq < self._look_at:
            return
        self._patience *= 2
        self._look_at = seq + self._patience
        if _burden(self.state) <= LARGEST_RETURN:
            self.go_back()

    def apply(self, seq: int, at_ms: int, command: c.Command) -> list[Event]:
        """As `Engine.apply`."""
        self._look_back(seq)
        state = self.state
        if not isinstance(state, ArrayState) or isinstance(command, c.PlaceFrame):
            return super().apply(seq, at_ms, command)
        if seq <= state.seq or at_ms < state.at_ms:
            raise ValueError(f"record {seq} at {at_ms} comes after {state.seq} at {state.at_ms}")
        blob = bytearray()
        packed = pack(command, blob)
        if packed is not None and at_ms < LATEST_MS and seq < MAX_AMOUNT:
            return self._run_one(state, seq, at_ms, command, packed, bytes(blob))
        reason = _beyond_the_core(state, seq, at_ms, command)
        if reason:
            return self._hand_over(reason, seq, at_ms, command)
        state.begin()
        return super().apply(seq, at_ms, command)

    def apply_frame(
        self, seq: int, at_ms: int, command: c.PlaceFrame, telling: Telling = Telling.everything
    ) -> FrameOutcome:
        """As `Engine.apply_frame`, the whole frame in one call."""
        self._look_back(seq)
        state, verdict = self.state, command.judged()
        if isinstance(state, ArrayState) and not (at_ms < LATEST_MS and seq < SEQ_LIMIT):
            self._become_reference(f"record {seq} at {at_ms}")
            state = self.state
        unfolded = verdict.unfolded
        if not isinstance(state, ArrayState) or unfolded is None or not state.seq < seq or at_ms < state.at_ms:
            if isinstance(state, ArrayState):
                state.begin()
            return super().apply_frame(seq, at_ms, command, telling)
        state.refresh(at_ms)
        state.told = []
        signed = (command.signature, command.signer, command.scheme)
        everything = telling is Telling.everything
        orders = orders_of(command, unfolded) if everything else OrdersOf(command, unfolded)
        amends = b""
        if isinstance(command, c.PlaceMixedFrame):
            amends, state.frame = command.amends, Framed(seq, at_ms, orders)
        codes = state.core.run_frame(
            seq, at_ms, command.orders, unfolded.digests, unfolded.nodes, *signed, int(telling), amends
        )
        events: list[Event] = []
        if telling:
            told = state.core.decoded(orders, state.told)
            events = [event for index in sorted(told) for event in told[index] or ()]
        return FrameOutcome("", codes.translate(FRAME_CODES), events)

    def apply_batch(self, at_ms: int, commands: Sequence[c.Command]) -> list[list[Event] | Refusal]:
        """As `Engine.apply_batch`, each run of orders and cancels in one call."""
        outcomes: list[list[Event] | Refusal] = []
        while len(outcomes) < len(commands):
            state, blob, packed = self.state, bytearray(), []
            if isinstance(state, ArrayState) and state.at_ms <= at_ms < LATEST_MS:
                for at in range(len(outcomes), len(commands)):
                    data = pack(commands[at], blob)
                    if data is None:
                        break
                    packed.append(data)
            if packed and isinstance(state, ArrayState):
                run = commands[len(outcomes) : len(outcomes) + len(packed)]
                outcomes += self._run_many(state, at_ms, run, b"".join(packed), bytes(blob))
            else:
                outcomes += super().apply_batch(at_ms, commands[len(outcomes) : len(outcomes) + 1])
        return outcomes

    def apply_singles(self, at_ms: int, records: bytes, layout: Layout, telling: Telling) -> SinglesOutcome | None:
        """As `Engine.apply_singles`, in one call.

        None where this is the reference, an order has no packed form, or everything is told.
        """
        state = self.state
        if telling is Telling.everything or not isinstance(state, ArrayState) or not state.at_ms <= at_ms < LATEST_MS:
            return None
        commands = pack_singles(records, layout.size, layout[1:])
        if commands is None:
            return None
        outcomes = self.run_brief(at_ms, commands, b"", telling)
        codes = bytes(outcomes[::OUTCOME_SIZE]).translate(FRAME_CODES)
        told = state.core.decoded(Singles(records, layout), state.told) if telling else {}
        known = _known(outcomes) if any(codes) else {}
        return SinglesOutcome(codes, {place: events for place, events in told.items() if events}, known)

    def run_packed(self, at_ms: int, commands: bytes | memoryview, blob: bytes | memoryview = b"") -> memoryview:
        """Apply packed commands (packing.py); the packed events, a view that holds until the next call.

        ValueError if time goes back, or if the engine has become the reference.
        """
        state = self._going_on(at_ms)
        state.core.run(commands, blob, 0, len(commands) // COMMAND_SIZE, at_ms, False)
        return state.core.events()

    def run_brief(
        self,
        at_ms: int,
        commands: bytes | memoryview,
        blob: bytes | memoryview = b"",
        telling: Telling = Telling.nothing,
    ) -> memoryview:
        """As `run_packed`, to the same state, leaving an outcome for each command, and not all events.

        An outcome has OUTCOME_SIZE bytes, as packing.py says; the trades are in `state.core.trade_records`.
        """
        state = self._going_on(at_ms)
        return state.core.run_brief(commands, blob, at_ms, telling is Telling.followed)

    def _going_on(self, at_ms: int) -> ArrayState:
        """The state, ready for packed commands at a time."""
        state = self.state
        if not isinstance(state, ArrayState) or not state.at_ms <= at_ms < LATEST_MS:
            raise ValueError(f"packed commands do not go on at {at_ms}")
        state.refresh(at_ms)
        state.told = []
        return state

    def violations(self) -> list[str]:
        """Every invariant that does not hold; over arrays also that the core's books are what its orders make."""
        state = self.state
        if not isinstance(state, ArrayState):
            return super().violations()
        reference = Engine(snapshot.load(self.dump()))
        found = violations(reference.state)
        if self.books() != reference.books():
            found.append("books: the core's levels are not the sums of its orders")
        if self.next_expiry != reference.next_expiry:
            found.append("expiries: the core's next expiry is not that of its orders")
        for market, book in state.books.items():
            if state.core.quiet(cast("ArrayBook", book).number) != quiet_of(state.watches.get(market)):
                found.append(f"triggers: the core knows wrongly which prices trigger nobody in market {market}")
            found += _wrong_call(state, cast("ArrayBook", book))
        quotes = {book.quote_asset for book in state.books.values()}
        for account in reference.state.accounts:
            own = state.limited.get(account.account_id, NO_LIMITS)
            known = {asset: most for asset, most in own.max_open_notional.items() if asset in quotes}
            if state.core.own_limits(account.account_id) != (own.max_open_orders, known):
                found.append(f"limits: the core knows those of account {account.account_id} wrongly")
            mine = [order.order_id for order in self.open_orders(account.address)]
            if mine != [order.order_id for order in by_age(account.orders.values())]:
                found.append(f"orders: the core lists those of account {account.account_id} wrongly")
        return found

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The engine that `dump` wrote, over arrays if the core can hold it; SnapshotError for other bytes."""
        reference = snapshot.load(data)
        try:
            return cls(adopt(reference))
        except (ValueError, OverflowError):
            return cls(snapshot.load(data))

    def _run_one(
        self, state: ArrayState, seq: int, at_ms: int, command: c.Command, packed: bytes, blob: bytes
    ) -> list[Event]:
        before = state.core.seq
        state.core.seq = seq - 1
        outcome = self._run(state, at_ms, [command], packed, blob, 0)[0]
        if isinstance(outcome, Refusal):
            state.core.seq = before
            raise outcome
        return outcome

    def _run_many(
        self, state: ArrayState, at_ms: int, commands: Sequence[c.Command], packed: bytes, blob: bytes
    ) -> list[list[Event] | Refusal]:
        outcomes: list[list[Event] | Refusal] = []
        while len(outcomes) < len(commands):
            outcomes += self._run(state, at_ms, commands, packed, blob, len(outcomes))
        return outcomes

    def _run(
        self, state: ArrayState, at_ms: int, commands: Sequence[c.Command], packed: bytes, blob: bytes, first: int
    ) -> list[list[Event] | Refusal]:
        """Apply from the `first` on, up to and with the first that is refused."""
        state.refresh(at_ms)
        state.told = []
        done = state.core.run(packed, blob, first, len(commands) - first, at_ms, True)
        events = state.core.decoded(commands, state.told)
        outcomes: list[list[Event] | Refusal] = []
        for place in range(first, first + done):
            found = events.get(place, [])
            outcomes.append(_refusal(state, at_ms, commands[place]) if found is None else found)
        return outcomes

    def _hand_over(self, reason: str, seq: int, at_ms: int, command: c.Command) -> list[Event]:
        """Become the reference with a command that it accepts; one that it refuses changes nothing."""
        reference = Engine(snapshot.load(self.dump()))
        events = reference.apply(seq, at_ms, command)
        self._become(reference.state, reason)
        return events

    def _become_reference(self, reason: str) -> None:
        """Become the reference with nothing done."""
        self._become(snapshot.load(self.dump()), reason)

    def _become(self, state: State, reason: str) -> None:
        self.state = state
        if state.seq - self._returned_at > CALM * self._patience:
            self._patience = RETURN_AFTER
        self._look_at = state.seq + self._patience
        if self.on_handover is not None:
            self.on_handover(reason)


def _wrong_call(state: ArrayState, book: ArrayBook) -> Iterator[str]:
    auction, (in_call, ends_at) = state.auctions.get(book.market.market_id), state.core.call(book.number)
    if bool(in_call) != book.in_call or (auction is not None and ends_at != min(auction.ends_at, LATEST_SECOND)):
        yield f"auctions: the core knows wrongly until when orders gather in market {book.market.market_id}"


def _burden(state: State) -> int:
    """What a return must copy: accounts, open orders, trades, remembered hashes, words of used nonces."""
    remembered = sum(
        len(each.order_hashes.young) + len(each.order_hashes.old) + len(each.used_nonces.words)
        for each in state.accounts
    )
    return len(state.accounts) + len(state.orders) + len(state.trades) + remembered


def _refusal(state: ArrayState, at_ms: int, command: c.Command) -> Refusal:
    """The refusal of a command that the core has just refused, in the reference's words."""
    try:
        if isinstance(command, c.PlaceOrder):
            check_turn(state, at_ms)
            check(state, at_ms, command)
        elif isinstance(command, c.CancelOrder):
            cancel_order(state, command)
    except Refusal as refusal:
        return refusal
    raise RuntimeError(f"the core refuses {type(command).__name__}, the reference does not")


def _known(outcomes: memoryview) -> dict[int, int]:
    """Which of the orders that were refused had been taken before, and under which ids."""
    parted = enumerate(OUTCOME.iter_unpack(outcomes))
    return {place: order_id for place, (refusal, _, order_id) in parted if refusal and order_id}


def _beyond_the_core(state: ArrayState, seq: int, at_ms: int, command: Any) -> str:
    """Why the core cannot go on with a command that has no packed form; empty when it can. Refusal if it is refused."""
    if at_ms >= LATEST_MS or seq >= MAX_AMOUNT:
        return f"record {seq} at {at_ms}"
    if isinstance(command, c.PlaceOrder):
        if pack_longer(command) is not None:
            return ""
        check_turn(state, at_ms)
        check(state, at_ms, command)
        return f"an order with terms {command.order.terms}"
    if isinstance(command, c.PlaceGroup):
        if seq < SEQ_LIMIT and all(pack_longer(leg) is not None for leg in command.legs):
            return ""
        check_turn(state, at_ms)
        check_legs(state, at_ms, command)
        return f"a group with terms {command.first.order.terms} and {command.second.order.terms}"
    if type(command) not in KNOWN:
        return f"the command {type(command).__name__}"
    if not _fits(command):
        return f"a number in {type(command).__name__}"
    return _no_room(state, command)


def _fits(command: Any) -> bool:
    """Whether the numbers of a command that the core keeps have 64 bits."""
    if isinstance(command, c.ObeyCancel):
        return not (command.nonce >> 64 or command.min_nonce >> 64)
    if isinstance(command, c.ListMarket):
        return all(0 <= value <= MAX_AMOUNT for value in astuple(command.market) if isinstance(value, int))
    return True


def _no_room(state: ArrayState, command: Any) -> str:
    """Why what a command may add up to is more than the core counts."""
    if isinstance(command, c.ListMarket):
        assets = {command.market.base_asset, command.market.quote_asset}
        for book in state.books.values():
            assets |= {book.base_asset, book.quote_asset}
        wide = command.market.band_bps > WIDEST_BAND_BPS or max(assets) >> 32 or command.market.market_id >> 32
        return "a market beyond the core's tables" if len(assets) > MAX_ASSETS or wide else ""
    if isinstance(command, c.Credit):
        issued = state.issued.get(command.asset, 0)
        owed = state.core.deficits(command.asset) if command.asset >> 32 == 0 else 0
        return "a sum of balances" if issued + owed + command.amount > MAX_AMOUNT >= issued + command.amount else ""
    if isinstance(command, c.ReserveForced):
        account = state.by_address.get(command.account)
        balance = account.balances.get(command.asset) if account is not None else None
        return "a sum of requests" if balance is not None and balance.owed + command.amount > MAX_AMOUNT else ""
    if isinstance(command, RAISING):
        amount = getattr(command, "amount", 0)
        return "a sum of trades" if any(mass + amount > MAX_AMOUNT for mass in state.core.mass().values()) else ""
    return ""


KNOWN = frozenset(
    {
        c.CancelOrder,
        c.CancelAll,
        c.MassCancel,
        c.SetCountdown,
        c.StopTrading,
        c.SetTradingStop,
        c.HoldWithdrawal,
        c.ListAsset,
        c.ListMarket,
        c.SetFeeRules,
        c.SetLimits,
        c.SetMarketStatus,
        c.StartAuction,
        c.SetMarketBounds,
        c.AnnounceFees,
        c.SetAccountTier,
        c.SetAccountLimits,
        c.Credit,
        c.Uncredit,
        c.ReserveForced,
        c.ReleaseForced,
        c.Debit,
        c.ConsumeWithdrawal,
        c.ReleaseWithdrawal,
        c.ObeyCancel,
        c.ObeyRevocation,
        c.AllowDelegate,
        c.SetExiting,
        c.SetFrozen,
        c.CutBatch,
        c.FinalizeBatch,
        c.ReverseTrades,
    }
)
"""Commands whose reference code runs over the core's records."""
