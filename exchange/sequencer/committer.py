"""The heart of the engine process: a group of commands is applied, journaled, made durable, then acknowledged.

The order of steps is what makes an ack true. Room for the whole group is reserved before the first command changes
the engine, so a full disk refuses and loses nothing. Time comes from the clock once per group and never goes back.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import flaw_of_shape
from exchange.engine.commands import (
    Command,
    ListAsset,
    ListMarket,
    PlaceFrame,
    PlaceOrder,
    SetFeeRules,
    SetLimits,
    Tick,
)
from exchange.engine.engine import Engine
from exchange.engine.orders import trigger_bits
from exchange.journal.codec import CodecError, decode_command, encode_command
from exchange.journal.errors import JournalFull
from exchange.journal.journal import Journal
from exchange.journal.receipts import subject_of
from exchange.journal.record import MAX_PAYLOAD
from exchange.sequencer.notary import Notary, Witnessed
from exchange.sequencer.protocol import Ack, Committed, FrameAck, Refused, unavailable

A = TypeVar("A")

TICK_SPACING_MS = 1_000
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
    """Owns the engine and its journal. `clock` gives milliseconds since 1970; `executor` runs fdatasync.

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

    async def commit(self, items: Sequence[Item]) -> GroupResult:
        """Apply the commands in order and make them durable. An OSError is fatal: the process must stop.

        When there is no room the whole group is refused as `unavailable`, and nothing has changed.
        """
        if not items:
            return GroupResult([], [])
        try:
            self._reserve(items)
        except JournalFull as full:
            self.journal_full = True
            refused = Refused.of(unavailable(f"the engine cannot journal: {full}", _FULL_RETRY_MS))
            return GroupResult([item if isinstance(item, Refused) else refused for item in items], [])
        self.journal_full = False
        return await self._commit_reserved(items)

    async def commit_frames(
        self, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], tell: bool
    ) -> FramesResult:
        """Make frames durable, then judge and apply them in order. An OSError is fatal: the process must stop.

        `durable` is told of the acks as soon as they are true, before the orders are matched. Nothing else may be
        committed meanwhile. Frames are judged while the disk works; what is found is a matter of their bytes. While
        orders wait for a price, frames are taken one by one: what one of them triggers works before the next.
        """
        if not self.engine.waiting or len(items) < 2:
            return await self._commit_group(items, durable, tell)
        acks: list[Ack | Refused] = []
        outcomes: list[FrameAck | Refused] = []
        committed: list[Committed] = []
        for item in items:
            result = await self._commit_group([item], acks.extend, tell)
            outcomes += result.outcomes
            committed += result.committed
            while self.engine.has_due:
                ticked = (await self.tick()).committed
                if not ticked:  # no room: orders are refused until there is
                    break
                committed += ticked
        durable(acks)
        return FramesResult(outcomes, committed)

    async def _commit_group(
        self, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], tell: bool
    ) -> FramesResult:
        items = [self._known(item) for item in items]
        frames = [item for item in items if not isinstance(item, Refused)]
        try:
            self._reserve_frames(frames)
        except JournalFull as full:
            self.journal_full = True
            refused = Refused.of(unavailable(f"the engine cannot journal: {full}", _FULL_RETRY_MS))
            durable([refused] * len(items))
            return FramesResult([refused] * len(items), [])
        self.journal_full = False
        at_ms = self.now_ms()
        commands = [command for _, command in frames]
        placed = self.journal.append_payloads([(at_ms, payload) for payload, _ in frames])
        signed = await self._sync_and_judge(at_ms, placed, commands, items, durable)
        outcomes: list[FrameAck] = []
        committed: list[Committed] = []
        for (seq, head), command, ack in zip(placed, commands, signed, strict=True):
            flaw, codes, events = self.engine.apply_frame(seq, at_ms, command, tell)
            outcomes.append(FrameAck(seq, at_ms, flaw, codes, ack.receipt))
            committed.append(Committed(seq, at_ms, head, events))
        return FramesResult(_merge(items, outcomes), committed)

    def _known(self, item: FrameItem) -> FrameItem:
        """A frame of an account that was never credited is refused, so that strangers fill no journal."""
        if isinstance(item, Refused) or self.engine.account(item[1].orders[:20]) is not None:
            return item
        return Refused.of(Refusal(ErrorCode.unknown_account, "the account has no deposit yet", "account"))

    def _reserve_frames(self, frames: Sequence[tuple[bytes, PlaceFrame]]) -> None:
        """Room for the frames, and for the ticks of all orders that wait: what one triggers works before the next."""
        ticks = self.engine.waiting + 1 if self.engine.waiting else 0
        size = sum(len(payload) for payload, _ in frames) + ticks * len(_TICK[0])
        self.journal.reserve(size, len(frames) + ticks)

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
        syncing = loop.run_in_executor(self._executor, self.journal.sync)
        judging = [
            loop.run_in_executor(self._judges, _judge, commands[first :: self._judge_count])
            for first in range(min(self._judge_count, len(commands)))
        ]
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
        """Let time pass in the journal."""
        self._last_tick_ms = self._clock()
        return await self.commit([_TICK])

    async def _commit_reserved(self, items: Sequence[Item]) -> GroupResult:
        at_ms = self.now_ms()
        group: list[tuple[int, bytes]] = []
        subjects: list[bytes] = []
        committed: list[Committed] = []
        outcomes: list[Ack | Refused] = []
        for item in items:
            if isinstance(item, Refused):
                outcomes.append(item)
                continue
            outcomes.append(self._take(item, at_ms, group, subjects, committed))
            while self.engine.has_due:
                self._take(_TICK, at_ms, group, subjects, committed)
        if not group:
            return GroupResult(outcomes, [])
        placed = self.journal.append_payloads(group)
        durable = asyncio.get_running_loop().run_in_executor(self._executor, self.journal.sync)
        heads = [head for _, head in placed]
        witnessed = Witnessed(placed[0][0], at_ms, subjects, heads) if self.notary else None
        await durable
        if self.notary and witnessed:
            outcomes = witnessed.sign(self.notary.domain, self.notary.key, outcomes)
        committed = [done._replace(head=head) for done, head in zip(committed, heads, strict=True)]
        return GroupResult(outcomes, committed)

    def _take(
        self,
        item: tuple[bytes, Command],
        at_ms: int,
        group: list[tuple[int, bytes]],
        subjects: list[bytes],
        committed: list[Committed],
    ) -> Ack | Refused:
        """Apply one command after the group's others; what it did joins them."""
        payload, command = item
        outcome, done = self._apply(self.journal.seq + len(group) + 1, at_ms, command)
        if done is not None:
            group.append((at_ms, payload))
            subjects.append(subject_of(command))
            committed.append(done)
        return outcome

    def _reserve(self, items: Sequence[Item]) -> None:
        """Room for the commands, and for the ticks of all orders that wait, those that come included."""
        sizes = [len(item[0]) for item in items if not isinstance(item, Refused)]
        ticks = self.engine.waiting + sum(_may_wait(item) for item in items)
        self.journal.reserve(sum(sizes) + ticks * len(_TICK[0]), len(sizes) + ticks)

    def _apply(self, seq: int, at_ms: int, command: Command) -> tuple[Ack | Refused, Committed | None]:
        """Apply one command as record `seq`; nothing is committed when it is refused or was placed before."""
        order_id: int | None = None
        if isinstance(command, PlaceOrder):
            known = self.engine.find_duplicate(command)
            if known is not None:
                return Ack(known, at_ms, known, duplicate=True), None
            order_id = seq
        try:
            events = self.engine.apply(seq, at_ms, command)
        except Refusal as refusal:
            return Refused.of(refusal), None
        return Ack(seq, at_ms, order_id), Committed(seq, at_ms, b"", events)


def _may_wait(item: Item) -> bool:
    return not isinstance(item, Refused) and isinstance(item[1], PlaceOrder) and bool(trigger_bits(item[1].order.terms))


def _judge(commands: Sequence[PlaceFrame]) -> None:
    """Find whether frames stand; each remembers it."""
    for command in commands:
        command.judged()


def _merge(items: Sequence[FrameItem], outcomes: Sequence[A | Refused]) -> list[A | Refused]:
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
    return payload, command


def parse_item(payload: bytes) -> Item:
    """A command from a client. Commands that only the engine gives itself are refused, and frames, which come apart."""
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
