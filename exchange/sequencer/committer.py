"""The heart of the engine process: a group of commands is applied, journaled, made durable, then acknowledged.

The order of steps is what makes an ack true. Room for the whole group is reserved before the first command changes
the engine, so a full disk refuses and loses nothing; cancels and stops have room of their own. Time comes from the
clock once per group and never goes back.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import flaw_of_amends, flaw_of_shape
from exchange.domain.order_id import seq_of
from exchange.engine.brakes import only_reduces_risk
from exchange.engine.commands import (
    Command,
    ListAsset,
    ListMarket,
    PlaceFrame,
    PlaceGroup,
    PlaceMixedFrame,
    PlaceOrder,
    SetFeeRules,
    SetLimits,
    SetMarketStatus,
    Tick,
)
from exchange.engine.engine import Engine
from exchange.engine.events import Event
from exchange.engine.frames import may_wait
from exchange.engine.orders import trigger_bits
from exchange.engine.risk import check_may_trade
from exchange.engine.telling import Telling
from exchange.journal.codec import CodecError, decode_command, encode_command
from exchange.journal.errors import JournalFull
from exchange.journal.journal import Journal
from exchange.journal.plain import unpack_plain
from exchange.journal.receipts import subject_of
from exchange.journal.record import MAX_PAYLOAD
from exchange.sequencer.notary import Notary, Witnessed
from exchange.sequencer.protocol import Ack, Committed, FrameAck, Refused, unavailable

A = TypeVar("A")

TICK_SPACING_MS = 1_000
MAX_TURNS = 256
"""So many triggered orders work in one group at most. The others work in the next groups: cancels come in between, and
orders are refused as `unavailable` until all have had their turn."""

IN_PLACE_RECORDS = 256
IN_PLACE_SECONDS = 0.002
"""A group of so few records is made durable without a thread, if the disk took less than that the last time.

No other command is applied before such a sync is done, and it is done sooner than a thread has its turns for it.
Meanwhile nobody is read from or answered: the first sync of a disk that has become slow holds up all of that once.
"""

INTERNAL = (Tick, ListAsset, ListMarket, SetLimits, SetFeeRules)
_FULL_RETRY_MS = 5_000

Item = tuple[bytes, Command] | Refused
"""A command with its bytes, or why the bytes were none."""

_TICK = (encode_command(Tick()), Tick())
"""In each, one triggered order works: after what triggered it and before any other command."""


FrameItem = tuple[bytes, PlaceFrame] | Refused
"""A frame with its bytes, or why the bytes were none."""


@dataclass(frozen=True, slots=True)
class FramesResult:
    """What became of each frame of a group, and what was committed; without events where nobody listens."""

    outcomes: list[FrameAck | Refused]
    committed: list[Committed]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The outcome of each command of a group, and what was committed."""

    outcomes: list[Ack | Refused]
    committed: list[Committed]


class Committer:
    """Owns the engine and its journal. `clock` gives milliseconds since 1970; `executor` runs fdatasync, where that may
    take long.

    With a `notary` each group is signed once it is durable, and acks carry receipts. `judges` check the signatures of
    frames in `judge_count` threads, while the disk works.
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
    ) -> None:
        self.engine = engine
        self.journal = journal
        self.journal_full = False
        """Whether the last group found no room."""
        self.notary = notary
        self._clock = clock
        self._executor = executor
        self._judges = judges
        self._judge_count = judge_count
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
        return GroupResult(*await self._make_durable(group, outcomes))

    async def _commit_brakes(self, items: Sequence[Item], full: Refused) -> GroupResult:
        """Commit what only reduces risk, in the room that is kept for it; everything else is refused."""
        left = [item if isinstance(item, Refused) or self._is_brake(item) else full for item in items]
        brakes = [item for item in left if not isinstance(item, Refused)]
        if not brakes or self._reserve(brakes, kept=True) is not None:
            return GroupResult([item if isinstance(item, Refused) else full for item in left], [])
        result = await self._commit_reserved(brakes)
        return GroupResult(_merge(left, result.outcomes), result.committed)

    def _is_brake(self, item: tuple[bytes, Command]) -> bool:
        """Whether all that a command would do is to reduce risk; of a tick, that no order works by it."""
        if item is _TICK:
            return not self.engine.has_due and not self.engine.ends_call(self.now_ms())
        return only_reduces_risk(item[1])

    async def commit_frames(
        self, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], telling: Telling
    ) -> FramesResult:
        """Make frames durable, judge and apply them in order. An OSError is fatal: the process must stop.

        `durable` is told of the acks as soon as they are true: before the orders are matched, unless orders wait for a
        price, or may come to wait. Nothing else may be committed meanwhile. What is found of a frame is a matter of its
        bytes.
        """
        waits = len(items) > 1 and (self.engine.waiting or any(map(_frame_may_wait, items)))
        if waits or self.engine.ends_call(self.now_ms()):
            return await self._commit_in_turns(items, durable, telling)
        return await self._commit_group(items, durable, telling)

    async def _commit_in_turns(
        self, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], telling: Telling
    ) -> FramesResult:
        """Frames while orders wait for a price, or come that may. What one of them triggers works before the next, so a
        frame has its place only when those before it are applied; then one sync makes all of them durable."""
        frames = [item for item in items if not isinstance(item, Refused)]
        full = self._reserve_frames(frames)
        if full is not None:
            durable([full] * len(items))
            return FramesResult([full] * len(items), [])
        await asyncio.gather(*self._judging([command for _, command in frames]))
        group = Group(self.journal.seq + 1, self.now_ms())
        self.take_turns(group)
        found: dict[int, tuple[str, bytes]] = {}
        taken = [self._take_frame(item, group, telling, found) for item in items]
        acks, committed = await self._make_durable(group, taken)
        durable(acks)
        outcomes = [
            ack if isinstance(ack, Refused) else FrameAck(ack.seq, ack.at_ms, *found[ack.seq], ack.receipt)
            for ack in acks
        ]
        return FramesResult(outcomes, committed)

    def _take_frame(
        self, item: FrameItem, group: "Group", telling: Telling, found: dict[int, tuple[str, bytes]]
    ) -> Ack | Refused:
        """Apply a frame after the group's others, and what it triggers; `found` gets its flaw and its orders' codes."""
        item = self._admitted(item)
        if isinstance(item, Refused):
            return item
        payload, command = item
        flaw, codes, events = self.engine.apply_frame(group.next_seq, group.at_ms, command, telling)
        ack = group.add(payload, command, events)
        found[ack.seq] = flaw, codes
        self.take_turns(group)
        return ack

    async def _commit_group(
        self, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], telling: Telling
    ) -> FramesResult:
        """Frames while no order waits, or a single one: they have their places at once, and are judged while the disk
        works."""
        items = [self._admitted(item) for item in items]
        frames = [item for item in items if not isinstance(item, Refused)]
        full = self._reserve_frames(frames)
        if full is not None:
            durable([full] * len(items))
            return FramesResult([full] * len(items), [])
        at_ms = self.now_ms()
        commands = [command for _, command in frames]
        placed = self.journal.append_payloads([(at_ms, payload) for payload, _ in frames])
        signed = await self._sync_and_judge(at_ms, placed, commands, items, durable)
        outcomes: list[FrameAck] = []
        committed: list[Committed] = []
        for (seq, head), command, ack in zip(placed, commands, signed, strict=True):
            flaw, codes, events = self.engine.apply_frame(seq, at_ms, command, telling)
            outcomes.append(FrameAck(seq, at_ms, flaw, codes, ack.receipt))
            committed.append(Committed(seq, at_ms, head, events))
        return FramesResult(_merge(items, outcomes), committed)

    def _admitted(self, item: FrameItem) -> FrameItem:
        """A frame of which no order can be taken is refused, so that it fills no journal.

        Such are those of strangers, of accounts that may not trade, and of delegates whose revocation was obeyed.
        """
        if isinstance(item, Refused):
            return item
        account = self.engine.account(item[1].orders[:20])
        if account is None:
            return Refused.of(Refusal(ErrorCode.unknown_account, "the account has no deposit yet", "account"))
        try:
            check_may_trade(account, item[1].signer)
        except Refusal as refusal:
            return Refused.of(refusal)
        return item

    def _reserve_frames(self, frames: Sequence[tuple[bytes, PlaceFrame]]) -> Refused | None:
        """Room for the frames, and for the ticks of all orders that wait, those that come included; without it, what
        all of them are told."""
        waiting = self.engine.waiting + sum(may_wait(frame) for _, frame in frames)
        return self.reserve([payload for payload, _ in frames], waiting)

    def reserve(
        self, payloads: Sequence[bytes], waiting: int, more_ticks: int = 0, *, kept: bool = False
    ) -> Refused | None:
        """Room for records, and for the ticks that may come between them: of so many orders that wait, of auctions, and
        `more_ticks`. Without it, what all of them are told. `kept`: also what is kept for what only reduces risk."""
        ticks = min(waiting, MAX_TURNS) + len(self.engine.state.auctions) + more_ticks
        try:
            size = sum(map(len, payloads)) + ticks * len(_TICK[0])
            self.journal.reserve(size, len(payloads) + ticks, kept=kept)
        except JournalFull as full:
            self.journal_full = True
            return Refused.of(unavailable(f"the engine cannot journal: {full}", _FULL_RETRY_MS))
        self.journal_full = kept
        return None

    async def _sync_and_judge(
        self,
        at_ms: int,
        placed: list[tuple[int, bytes]],
        commands: list[PlaceFrame],
        items: Sequence[FrameItem],
        durable: Callable[[list[Ack | Refused]], None],
    ) -> list[Ack]:
        """The acks of frames that are durable and judged."""
        loop = asyncio.get_running_loop()
        syncing = loop.run_in_executor(self._executor, self._time_sync)
        judging = self._judging(commands)
        acks: list[Ack | Refused] = [Ack(seq, at_ms) for seq, _ in placed]
        witnessed = None
        if self.notary and placed:
            subjects = [subject_of(command) for command in commands]
            witnessed = Witnessed(placed[0][0], at_ms, subjects, [head for _, head in placed])
        await syncing
        if self.notary and witnessed:
            acks = witnessed.sign(self.notary.domain, self.notary.key, acks)
        durable(_merge(items, acks))
        for judged in judging:
            await judged
        return [ack for ack in acks if isinstance(ack, Ack)]

    def _judging(self, commands: list[PlaceFrame]) -> list["asyncio.Future[None]"]:
        """Threads that find whether frames stand."""
        loop = asyncio.get_running_loop()
        return [
            loop.run_in_executor(self._judges, _judge, commands[first :: self._judge_count])
            for first in range(min(self._judge_count, len(commands)))
        ]

    def now_ms(self) -> int:
        """The time at which a command would be accepted now."""
        return max(self._clock(), self.engine.at_ms)

    def tick_due_in_ms(self) -> int | None:
        """Milliseconds until a Tick does something: 0 or less when it is due, None when nothing waits for time."""
        if self.engine.has_due:
            return 0
        next_expiry = self.engine.next_expiry
        if next_expiry is None:
            return None
        return max(next_expiry * 1_000, self._last_tick_ms + TICK_SPACING_MS) - self._clock()

    async def tick(self) -> GroupResult:
        """Let time pass in the journal, and let those work whose turn it is, as many as a group takes."""
        self._last_tick_ms = self._clock()
        return await self.commit([_TICK])

    async def _make_durable(
        self, group: "Group", outcomes: list[Ack | Refused]
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
        return asyncio.get_running_loop().run_in_executor(self._executor, self._time_sync)

    def _time_sync(self) -> None:
        started = time.perf_counter()
        self.journal.sync()
        self._sync_seconds = time.perf_counter() - started

    def take_each(self, items: Sequence[Item], group: "Group") -> list[Ack | Refused]:
        """Apply commands one by one; what one of them triggers works before the next, and an auction that ends, as far
        as the group goes."""
        outcomes: list[Ack | Refused] = []
        for item in items:
            if item is not _TICK and self.engine.ends_call(group.at_ms):
                self.take_turns(group)
            outcomes.append(item if isinstance(item, Refused) else self._take(item, group))
            self.take_turns(group)
        return outcomes

    def take_turns(self, group: "Group") -> None:
        """Let auctions trade whose time has come, and orders work whose price has."""
        while self.engine.ends_call(group.at_ms) or (self.engine.has_due and group.turns < MAX_TURNS):
            self._take(_TICK, group)
            group.turns += 1

    def _take(self, item: tuple[bytes, Command], group: "Group") -> Ack | Refused:
        """Apply one command after the group's others; what it did joins them."""
        payload, command = item
        known = self._find_duplicate(command, group.at_ms)
        if known is not None:
            return known
        try:
            events = self.engine.apply(group.next_seq, group.at_ms, command)
        except Refusal as refusal:
            return Refused.of(refusal)
        return group.add(payload, command, events)

    def _are_plain(self, items: Sequence[Item]) -> bool:
        """Whether all are orders, none of them twice, and nothing waits for a price."""
        if self.engine.waiting or self.engine.seq != self.journal.seq:
            return False
        hashes = set()
        for item in items:
            if isinstance(item, Refused):
                continue
            command = item[1]
            if type(command) is not PlaceOrder or _may_wait(item) or command.order_hash in hashes:
                return False
            hashes.add(command.order_hash)
        return True

    def _take_plain(self, items: Sequence[Item], group: "Group") -> list[Ack | Refused]:
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

    def _reserve(self, items: Sequence[Item], *, kept: bool = False) -> Refused | None:
        """Room for the commands, and for the ticks of all orders that wait, those that come included; without it, what
        all of them are told."""
        payloads = [item[0] for item in items if not isinstance(item, Refused)]
        opens = any(isinstance(item, tuple) and isinstance(item[1], SetMarketStatus) for item in items)
        waiting = self.engine.waiting + sum(map(_may_wait, items))
        more = len(items) if opens else 0  # what gathers and opens within the group
        return self.reserve(payloads, waiting, more, kept=kept)

    def _find_duplicate(self, command: Command, at_ms: int) -> Ack | None:
        """The ack of an order, or of both legs of a group, that came so before."""
        known = self.engine.find_duplicate(command) if isinstance(command, PlaceOrder | PlaceGroup) else None
        return None if known is None else Ack(seq_of(known), at_ms, known, duplicate=True)


class Group:
    """What has been applied at `at_ms` as records from `first_seq` on, and is not in the journal yet."""

    __slots__ = ("_done", "at_ms", "first_seq", "payloads", "subjects", "turns")

    def __init__(self, first_seq: int, at_ms: int) -> None:
        self.first_seq = first_seq
        self.at_ms = at_ms
        self.payloads: list[bytes] = []
        self.subjects: list[bytes] = []
        self.turns = 0
        self._done: list[list[Event]] = []

    @property
    def next_seq(self) -> int:
        """The sequence of the next record."""
        return self.first_seq + len(self.payloads)

    def add(self, payload: bytes, command: Command, events: list[Event]) -> Ack:
        """A command that was applied; its ack, once it is durable."""
        seq = self.note(payload, subject_of(command), events)
        return Ack(seq, self.at_ms, seq if isinstance(command, PlaceOrder | PlaceGroup) else None)

    def note(self, payload: bytes, subject: bytes, events: list[Event]) -> int:
        """A record that was applied, and what its receipt names; its sequence."""
        seq = self.next_seq
        self.payloads.append(payload)
        self.subjects.append(subject)
        self._done.append(events)
        return seq

    def committed(self, heads: Sequence[bytes]) -> list[Committed]:
        """The records as subscribers see them."""
        records = zip(heads, self._done, strict=True)
        return [Committed(self.first_seq + n, self.at_ms, head, events) for n, (head, events) in enumerate(records)]


def _may_wait(item: Item) -> int:
    """How many orders of a command may wait for a price."""
    command = None if isinstance(item, Refused) else item[1]
    if type(command) is PlaceOrder:  # most are
        return int(trigger_bits(command.order.terms) != 0)
    placed = command.legs if isinstance(command, PlaceGroup) else (command,)
    return sum(isinstance(one, PlaceOrder) and bool(trigger_bits(one.order.terms)) for one in placed)


def _frame_may_wait(item: FrameItem) -> bool:
    """Whether an order of a frame may wait for a price."""
    return not isinstance(item, Refused) and may_wait(item[1]) > 0


def _judge(commands: Sequence[PlaceFrame]) -> None:
    """Find whether frames stand; each remembers it."""
    for command in commands:
        command.judged()


def _merge(items: Sequence[Item], outcomes: Sequence[A | Refused]) -> list[A | Refused]:
    """The outcomes of what was committed, and the refusals of the rest, in the order in which they came."""
    following = iter(outcomes)
    return [item if isinstance(item, Refused) else next(following) for item in items]


def parse_frame(payload: bytes, separator: bytes) -> FrameItem:
    """A frame from a client. One whose bytes cannot stand here is refused, so that the journal keeps none."""
    item = _parse(payload)
    if isinstance(item, Refused):
        return item
    _, command = item
    if not isinstance(command, PlaceFrame):
        return Refused.of(Refusal(ErrorCode.malformed, f"{type(command).__name__} is no frame"))
    if command.separator != separator:
        return Refused.of(Refusal(ErrorCode.wrong_contract, "the frame was signed for another exchange", "separator"))
    if flaw := flaw_of_shape(command.orders):
        return Refused.of(Refusal(ErrorCode.malformed, flaw, "orders"))
    if isinstance(command, PlaceMixedFrame) and (flaw := flaw_of_amends(command.amends, command.count)):
        return Refused.of(Refusal(ErrorCode.malformed, flaw, "amends"))
    return payload, command


def parse_item(payload: bytes) -> Item:
    """A command from a client. Commands that only the engine gives itself are refused, and frames, which come apart."""
    if (plain := unpack_plain(payload)) is not None:
        return payload, plain
    item = _parse(payload)
    if isinstance(item, tuple) and isinstance(item[1], PlaceFrame):
        return Refused.of(Refusal(ErrorCode.malformed, "a frame comes in a message of its own kind"))
    return item


def _parse(payload: bytes) -> Item:
    if len(payload) > MAX_PAYLOAD:
        return Refused.of(Refusal(ErrorCode.body_too_large, f"a command has at most {MAX_PAYLOAD} bytes"))
    try:
        command = decode_command(payload)
    except CodecError as error:
        return Refused.of(Refusal(ErrorCode.malformed, f"not a command: {error}"))
    if isinstance(command, INTERNAL):
        return Refused.of(Refusal(ErrorCode.forbidden, f"{type(command).__name__} is the engine's own command"))
    return payload, command
