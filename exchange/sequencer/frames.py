"""Frames in the engine process: made durable, judged and applied, as one group.

A frame's bytes say whether it stands. So where no order waits for a price, a frame has its place, and is acknowledged,
before anybody has looked at its signature: it is judged while the disk works, and applied then.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.commands import PlaceFrame
from exchange.engine.frames import may_wait
from exchange.engine.risk import check_may_trade
from exchange.engine.telling import Telling
from exchange.journal.receipts import subject_of
from exchange.sequencer.committer import Committer
from exchange.sequencer.groups import Group, merged
from exchange.sequencer.items import FrameItem
from exchange.sequencer.notary import Witnessed
from exchange.sequencer.protocol import Ack, Committed, FrameAck, Refused


@dataclass(frozen=True, slots=True)
class FramesResult:
    """What became of each frame of a group, and what was committed; without events where nobody listens."""

    outcomes: list[FrameAck | Refused]
    committed: list[Committed]


async def commit_frames(
    committer: Committer, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], telling: Telling
) -> FramesResult:
    """Make frames durable, judge and apply them in order. An OSError is fatal: the process must stop.

    `durable` is told of the acks as soon as they are true: before the orders are matched, unless orders wait for a
    price, or may come to wait. Nothing else may be committed meanwhile. What is found of a frame is a matter of its
    bytes.
    """
    waits = len(items) > 1 and (committer.engine.waiting or any(map(_frame_may_wait, items)))
    if waits or committer.engine.ends_call(committer.now_ms()):
        return await _commit_in_turns(committer, items, durable, telling)
    return await _commit_group(committer, items, durable, telling)


async def _commit_in_turns(
    committer: Committer, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], telling: Telling
) -> FramesResult:
    """Frames while orders wait for a price, or come that may. What one of them triggers works before the next, so a
    frame has its place only when those before it are applied; then one sync makes all of them durable."""
    frames = [item for item in items if not isinstance(item, Refused)]
    full = _reserve_frames(committer, frames)
    if full is not None:
        durable([full] * len(items))
        return FramesResult([full] * len(items), [])
    await asyncio.gather(*_judging(committer, [command for _, command in frames]))
    group = Group(committer.journal.seq + 1, committer.now_ms())
    committer.take_turns(group)
    found: dict[int, tuple[str, bytes]] = {}
    taken = [_take_frame(committer, item, group, telling, found) for item in items]
    acks, committed = await committer.make_durable(group, taken)
    durable(acks)
    outcomes = [
        ack if isinstance(ack, Refused) else FrameAck(ack.seq, ack.at_ms, *found[ack.seq], ack.receipt) for ack in acks
    ]
    return FramesResult(outcomes, committed)


def _take_frame(
    committer: Committer, item: FrameItem, group: Group, telling: Telling, found: dict[int, tuple[str, bytes]]
) -> Ack | Refused:
    """Apply a frame after the group's others, and what it triggers; `found` gets its flaw and its orders' codes."""
    item = _admitted(committer, item)
    if isinstance(item, Refused):
        return item
    payload, command = item
    flaw, codes, events = committer.apply_frame(group.next_seq, group.at_ms, command, telling)
    ack = group.add(payload, command, events)
    found[ack.seq] = flaw, codes
    committer.take_turns(group)
    return ack


async def _commit_group(
    committer: Committer, items: Sequence[FrameItem], durable: Callable[[list[Ack | Refused]], None], telling: Telling
) -> FramesResult:
    """Frames while no order waits, or a single one: they have their places at once, and are judged while the disk
    works."""
    items = [_admitted(committer, item) for item in items]
    frames = [item for item in items if not isinstance(item, Refused)]
    full = _reserve_frames(committer, frames)
    if full is not None:
        durable([full] * len(items))
        return FramesResult([full] * len(items), [])
    at_ms = committer.now_ms()
    commands = [command for _, command in frames]
    placed = committer.journal.append_payloads([(at_ms, payload) for payload, _ in frames])
    signed = await _sync_and_judge(committer, at_ms, placed, commands, items, durable)
    outcomes: list[FrameAck] = []
    committed: list[Committed] = []
    for (seq, head), command, ack in zip(placed, commands, signed, strict=True):
        flaw, codes, events = committer.apply_frame(seq, at_ms, command, telling)
        outcomes.append(FrameAck(seq, at_ms, flaw, codes, ack.receipt))
        committed.append(Committed(seq, at_ms, head, events))
    return FramesResult(merged(items, outcomes), committed)


def _admitted(committer: Committer, item: FrameItem) -> FrameItem:
    """A frame of which no order can be taken is refused, so that it fills no journal, and one whose account has used up
    its share of the engine's time.

    No order can be taken of strangers, of accounts that may not trade, and of delegates whose revocation was obeyed.
    """
    if isinstance(item, Refused):
        return item
    account = committer.engine.account(item[1].orders[:20])
    if account is None:
        return Refused.of(Refusal(ErrorCode.unknown_account, "the account has no deposit yet", "account"))
    try:
        check_may_trade(account, item[1].signer)
        committer.shares.check(account.address)
    except Refusal as refusal:
        return Refused.of(refusal)
    return item


def _reserve_frames(committer: Committer, frames: Sequence[tuple[bytes, PlaceFrame]]) -> Refused | None:
    """Room for the frames, and for the ticks of all orders that wait, those that come included; without it, what
    all of them are told."""
    waiting = committer.engine.waiting + sum(may_wait(frame) for _, frame in frames)
    return committer.reserve([payload for payload, _ in frames], waiting)


async def _sync_and_judge(
    committer: Committer,
    at_ms: int,
    placed: list[tuple[int, bytes]],
    commands: list[PlaceFrame],
    items: Sequence[FrameItem],
    durable: Callable[[list[Ack | Refused]], None],
) -> list[Ack]:
    """The acks of frames that are durable and judged."""
    syncing = committer.sync_in_thread()
    judging = _judging(committer, commands)
    acks: list[Ack | Refused] = [Ack(seq, at_ms) for seq, _ in placed]
    witnessed = None
    if committer.notary and placed:
        subjects = [subject_of(command) for command in commands]
        witnessed = Witnessed(placed[0][0], at_ms, subjects, [head for _, head in placed])
    await syncing
    if committer.notary and witnessed:
        acks = witnessed.sign(committer.notary.domain, committer.notary.key, acks)
    durable(merged(items, acks))
    for judged in judging:
        await judged
    return [ack for ack in acks if isinstance(ack, Ack)]


def _judging(committer: Committer, commands: list[PlaceFrame]) -> list["asyncio.Future[None]"]:
    """Threads that find whether frames stand."""
    loop = asyncio.get_running_loop()
    return [
        loop.run_in_executor(committer.judges, _judge, commands[first :: committer.judge_count])
        for first in range(min(committer.judge_count, len(commands)))
    ]


def _frame_may_wait(item: FrameItem) -> bool:
    """Whether an order of a frame may wait for a price."""
    return not isinstance(item, Refused) and may_wait(item[1]) > 0


def _judge(commands: Sequence[PlaceFrame]) -> None:
    """Find whether frames stand; each remembers it."""
    for command in commands:
        command.judged()
