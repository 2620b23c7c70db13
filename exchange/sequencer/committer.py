"""The heart of the engine process: a group of commands is applied, journaled, made durable, then acknowledged.

The order of steps is what makes an ack true. Room for the whole group is reserved before the first command changes
the engine, so a full disk refuses and loses nothing; cancels and stops have room of their own. Time comes from the
clock once per group and never goes back.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from exchange.domain.errors import Refusal
from exchange.domain.order import PLAIN_TERMS
from exchange.domain.order_id import seq_of
from exchange.engine.brakes import is_from_operator, only_reduces_risk
from exchange.engine.commands import Command, PlaceFrame, PlaceGroup, PlaceOrder, SetMarketStatus, Tick
from exchange.engine.engine import Engine
from exchange.engine.events import Event
from exchange.engine.frames import FrameOutcome
from exchange.engine.orders import trigger_bits
from exchange.engine.telling import Telling
from exchange.journal.codec import encode_command
from exchange.journal.errors import JournalFull
from exchange.journal.journal import KEPT_BYTES, OPERATOR_BYTES, Journal
from exchange.sequencer.groups import Group, GroupResult, merged
from exchange.sequencer.items import Item
from exchange.sequencer.notary import Notary, Witnessed
from exchange.sequencer.protocol import Ack, Committed, Refused, unavailable
from exchange.sequencer.shares import Shares

MAX_TURNS = 256
"""So many triggered orders work in one group at most. The others work in the next groups: cancels come in between, and
orders are refused as `unavailable` until all have had their turn."""

IN_PLACE_RECORDS = 256
IN_PLACE_SECONDS = 0.002
"""A group of so few records is made durable without a thread, if the disk took less than that the last time.

No other command is applied before such a sync is done, and it is done sooner than a thread has its turns for it.
Meanwhile nobody is read from or answered: the first sync of a disk that has become slow holds up all of that once.
"""

_FULL_RETRY_MS = 5_000

_TICK = (encode_command(Tick()), Tick())
"""In each, one triggered order works: after what triggered it and before any other command."""


class Committer:
    """Owns the engine and its journal. `clock` gives milliseconds since 1970; `executor` runs fdatasync, where that may
    take long.

    With a `notary` each group is signed once it is durable, and acks carry receipts. `judges` check the signatures of
    frames in `judge_count` threads, while the disk works. `shares` say how much of its time an account may have.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Callable[[], int],
        executor: Executor,
        notary: Notary | None = None,
        judges: Executor | None = None,
        judge_count: int = 1,
        shares: Shares | None = None,
    ) -> None:
        self.engine = engine
        self.journal = journal
        self.journal_full = False
        """Whether the last group found no room."""
        self.notary = notary
        self._clock = clock
        self._executor = executor
        self.judges = judges
        self.judge_count = judge_count
        self.shares = shares or Shares(100)
        self._last_tick_ms = 0
        self._sync_seconds = 0.0
        """How long the disk took last."""

    async def commit(self, items: Sequence[Item]) -> GroupResult:
        """Apply the commands in order and make them durable. An OSError is fatal: the process must stop.

        When there is no room the group is refused as `unavailable` and has changed nothing, but for what only reduces
        risk: for that some is kept.
        """
        if not items:
            return GroupResult([], [])
        full = self._reserve(items)
        if full is not None:
            return await self._commit_brakes(items, full)
        return await self._commit_reserved(items)

    async def _commit_reserved(self, items: Sequence[Item]) -> GroupResult:
        group = Group(self.journal.seq + 1, self.now_ms())
        take = self._take_plain if self._are_plain(items) else self.take_each
        outcomes = take(items, group)
        return GroupResult(*await self.make_durable(group, outcomes))

    async def _commit_brakes(self, items: Sequence[Item], full: Refused) -> GroupResult:
        """Commit what only reduces risk, in the room that is kept for it; everything else is refused.

        The inbox keeps its order, or a deposit that waits for room would be passed over for good: what stands in it
        before a brake is committed with it. The operator's brakes alone may take the last of the room.
        """
        users = {n for n, item in enumerate(items) if not _is_from_inbox(item) and self._is_brake(item)}
        inbox = [n for n, item in enumerate(items) if _is_from_inbox(item)]
        brakes = [n for n in inbox if self._is_brake(items[n])]
        halts = [n for n in brakes if is_from_operator(items[n][1])]  # type: ignore[index]
        up_to_brake, up_to_halt = ({n for n in inbox if n <= max(last, default=-1)} for last in (brakes, halts))
        choices = ((users | up_to_brake, OPERATOR_BYTES), (up_to_halt, 0), (users, OPERATOR_BYTES))
        for chosen, left in choices:
            taken = [item for n, item in enumerate(items) if n in chosen]
            if taken and self._reserve(taken, left=left) is None:
                rest = [item if isinstance(item, Refused) or n in chosen else full for n, item in enumerate(items)]
                result = await self._commit_reserved(taken)
                return GroupResult(merged(rest, result.outcomes), result.committed)
        return GroupResult([item if isinstance(item, Refused) else full for item in items], [])

    def _is_brake(self, item: Item) -> bool:
        """Whether all that a command would do is to reduce risk; of a tick, that no order works by it."""
        if isinstance(item, Refused):
            return False
        if item is _TICK:
            at_ms = self.now_ms()
            return not self.engine.has_turn(at_ms) and not self.engine.ends_call(at_ms)
        return only_reduces_risk(item[1])

    def reserve(
        self, payloads: Sequence[bytes], waiting: int, more_ticks: int = 0, *, left: int = KEPT_BYTES
    ) -> Refused | None:
        """Room for records, and for the ticks that may come between them: of so many orders that wait, of auctions, and
        `more_ticks`. Without it, what all of them are told. `left` of what is kept must stay."""
        ticks = min(waiting, MAX_TURNS) + len(self.engine.state.auctions) + more_ticks
        try:
            size = sum(map(len, payloads)) + ticks * len(_TICK[0])
            self.journal.reserve(size, len(payloads) + ticks, left=left)
        except JournalFull as full:
            self.journal_full = True
            return Refused.of(unavailable(f"the engine cannot journal: {full}", _FULL_RETRY_MS))
        self.journal_full = left < KEPT_BYTES
        return None

    def now_ms(self) -> int:
        """The time at which a command would be accepted now."""
        return max(self._clock(), self.engine.at_ms)

    def tick_due_in_ms(self) -> int | None:
        """Milliseconds until a Tick does something: 0 or less when it is due, None when nothing waits for time.

        Where time alone ends something it is due as a second begins, and once in each: who comes first in it, and pays
        for the engine's time, does not pay for the orders of others that end.
        """
        at_ms = self.now_ms()
        if self.engine.has_turn(at_ms):
            return 0
        next_tick = self.engine.next_tick(at_ms)
        if next_tick is None:
            return None
        return max(next_tick, self._last_tick_ms // 1_000 + 1) * 1_000 - self._clock()

    async def tick(self) -> GroupResult:
        """Let time pass in the journal, and let those work whose turn it is, as many as a group takes."""
        self._last_tick_ms = self._clock()
        return await self.commit([_TICK])

    async def make_durable(
        self, group: Group, outcomes: list[Ack | Refused]
    ) -> tuple[list[Ack | Refused], list[Committed]]:
        """Journal what was applied: its outcomes with receipts, once all of it is durable, and what was committed."""
        if not group.payloads:
            return outcomes, []
        placed = self.journal.append_payloads([(group.at_ms, payload) for payload in group.payloads])
        syncing = self.sync(len(placed))
        heads = [head for _, head in placed]
        witnessed = Witnessed(group.first_seq, group.at_ms, group.subjects, heads) if self.notary else None
        if syncing is not None:
            await syncing
        if self.notary and witnessed:
            outcomes = witnessed.sign(self.notary.domain, self.notary.key, outcomes)
        return outcomes, group.committed(heads)

    def sync(self, records: int) -> asyncio.Future[None] | None:
        """Make what was appended durable: in place where that is soon done, else by a thread, whose end is told."""
        if records <= IN_PLACE_RECORDS and self._sync_seconds < IN_PLACE_SECONDS:
            self._time_sync()
            return None
        return self.sync_in_thread()

    def sync_in_thread(self) -> asyncio.Future[None]:
        """Make what was appended durable by a thread."""
        return asyncio.get_running_loop().run_in_executor(self._executor, self._time_sync)

    def _time_sync(self) -> None:
        started = time.perf_counter()
        self.journal.sync()
        self._sync_seconds = time.perf_counter() - started

    def take_each(self, items: Sequence[Item], group: Group) -> list[Ack | Refused]:
        """Apply commands one by one; what one of them triggers works before the next, and an auction that ends, as far
        as the group goes."""
        outcomes: list[Ack | Refused] = []
        for item in items:
            if item is not _TICK and self.engine.ends_call(group.at_ms):
                self.take_turns(group)
            outcomes.append(item if isinstance(item, Refused) else self._take(item, group))
            self.take_turns(group)
        return outcomes

    def take_turns(self, group: Group) -> None:
        """Let auctions trade whose time has come, and orders work whose price has."""
        while self.engine.ends_call(group.at_ms) or (self.engine.has_turn(group.at_ms) and group.turns < MAX_TURNS):
            self._take(_TICK, group)
            group.turns += 1

    def _take(self, item: tuple[bytes, Command], group: Group) -> Ack | Refused:
        """Apply one command after the group's others; what it did joins them."""
        payload, command = item
        known = self._find_duplicate(command, group.at_ms)
        if known is not None:
            return known
        try:
            events = self._apply(group.next_seq, group.at_ms, command)
        except Refusal as refusal:
            return Refused.of(refusal)
        return group.add(payload, command, events)

    def _apply(self, seq: int, at_ms: int, command: Command) -> list[Event]:
        """What a command does; an order's account is charged with the time."""
        if not isinstance(command, PlaceOrder | PlaceGroup):
            return self.engine.apply(seq, at_ms, command)
        account = (command.first if isinstance(command, PlaceGroup) else command).order.account
        self.shares.check(account)
        started = time.thread_time()
        try:
            return self.engine.apply(seq, at_ms, command)
        finally:
            self.shares.charge(account, time.thread_time() - started)

    def apply_frame(self, seq: int, at_ms: int, command: PlaceFrame, telling: Telling) -> FrameOutcome:
        """What a frame does; its account is charged with the time."""
        started = time.thread_time()
        outcome = self.engine.apply_frame(seq, at_ms, command, telling)
        self.shares.charge(command.orders[:20], time.thread_time() - started)
        return outcome

    def _are_plain(self, items: Sequence[Item]) -> bool:
        """Whether all are orders of plain terms, none of them twice, and nobody waits for a price."""
        if self.engine.waiting or self.engine.seq != self.journal.seq:
            return False
        hashes = set()
        for item in items:
            if isinstance(item, Refused):
                continue
            command = item[1]
            if type(command) is not PlaceOrder or command.order.terms & ~PLAIN_TERMS or command.order_hash in hashes:
                return False
            hashes.add(command.order_hash)
        return True

    def _take_plain(self, items: Sequence[Item], group: Group) -> list[Ack | Refused]:
        """Apply plain orders in one go."""
        outcomes = [item if isinstance(item, Refused) else self._find_duplicate(item[1], group.at_ms) for item in items]
        fresh = [
            item
            for item, outcome in zip(items, outcomes, strict=True)
            if outcome is None and not isinstance(item, Refused)
        ]
        applied = self.engine.apply_batch(group.at_ms, [command for _, command in fresh])
        found = iter(
            [
                Refused.of(events) if isinstance(events, Refusal) else group.add(*item, events)
                for item, events in zip(fresh, applied, strict=True)
            ]
        )
        return [next(found) if outcome is None else outcome for outcome in outcomes]

    def _reserve(self, items: Sequence[Item], *, left: int = KEPT_BYTES) -> Refused | None:
        """Room for the commands, and for the ticks of all orders that wait, those that come included; without it, what
        all of them are told."""
        payloads = [item[0] for item in items if not isinstance(item, Refused)]
        opens = any(isinstance(item, tuple) and isinstance(item[1], SetMarketStatus) for item in items)
        waiting = self.engine.waiting + sum(map(_may_wait, items))
        more = len(items) if opens else 0  # what gathers and opens within the group
        return self.reserve(payloads, waiting, more, left=left)

    def _find_duplicate(self, command: Command, at_ms: int) -> Ack | None:
        """The ack of an order, or of both legs of a group, that came so before."""
        known = self.engine.find_duplicate(command) if isinstance(command, PlaceOrder | PlaceGroup) else None
        return None if known is None else Ack(seq_of(known), at_ms, known, duplicate=True)


def _is_from_inbox(item: Item) -> bool:
    """Whether it is of the one sequence in which operators and the chain speak."""
    return not isinstance(item, Refused) and hasattr(item[1], "inbox_id")


def _may_wait(item: Item) -> int:
    """How many orders of a command may wait for a price."""
    command = None if isinstance(item, Refused) else item[1]
    if type(command) is PlaceOrder:  # most are
        return int(trigger_bits(command.order.terms) != 0)
    placed = command.legs if isinstance(command, PlaceGroup) else (command,)
    return sum(isinstance(one, PlaceOrder) and bool(trigger_bits(one.order.terms)) for one in placed)
