"""Single orders from the bytes that order entry gives to those that it sends on, without objects.

What is done is what `Committer.commit` does with them. Which orders came before is asked when their turn comes,
whatever the group brings behind them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.order_id import seq_of
from exchange.engine.telling import Telling
from exchange.journal.plain import LAYOUT, hash_of, join_plain
from exchange.sequencer.committer import Committer
from exchange.sequencer.groups import Group
from exchange.sequencer.items import parse_item
from exchange.sequencer.notary import Witnessed
from exchange.sequencer.packing import packed_outcome
from exchange.sequencer.protocol import Ack, Committed

_UNAVAILABLE = number_of(ErrorCode.unavailable)


class SinglesResult(NamedTuple):
    """An entry of an `orders_outcome` for each order of a group, and what was committed."""

    outcomes: list[bytes]
    committed: list[Committed]


async def commit_singles(committer: Committer, payloads: Sequence[bytes], telling: Telling) -> SinglesResult | None:
    """Apply orders and make them durable as one group. An OSError is fatal: the process must stop.

    None, and nothing is done, where they must come as commands: what is no plain order or comes twice, an engine that
    is the reference or in which somebody's turn has come already, no room in the journal, somebody who wants to be told
    of everything.
    """
    engine, at_ms = committer.engine, committer.now_ms()
    if engine.has_turn(at_ms) or engine.ends_call(at_ms) or engine.seq != committer.journal.seq:
        return None
    records = join_plain(payloads)
    if records is None or len({hash_of(payload) for payload in payloads}) < len(payloads):
        return None
    if committer.reserve(payloads, engine.waiting) is not None:
        return None
    group = Group(committer.journal.seq + 1, at_ms)
    taken = _take(committer, group, payloads, records, telling)
    if taken is None:
        return None
    placed = committer.journal.append_payloads([(at_ms, payload) for payload in group.payloads])
    receipts = await _make_durable(committer, group, placed) if placed else []
    outcomes = [
        one
        if isinstance(one, bytes)
        else wire.pack_order_outcome(ACCEPTED, one, at_ms, receipts[one - group.first_seq])
        for one in taken
    ]
    return SinglesResult(outcomes, group.committed([head for _, head in placed]))


def _take(
    committer: Committer, group: Group, payloads: Sequence[bytes], records: bytes, telling: Telling
) -> list[int | bytes] | None:
    """Apply orders, and in between what they trigger: of each its record, or the outcome of one that is refused.

    None, and nothing has changed, where they must come as commands.
    """
    taken: list[int | bytes] = []
    while len(taken) < len(payloads):
        rest = payloads[len(taken) :]
        if committer.engine.has_turn(group.at_ms):  # more than a group has turns for: what came before is known
            return taken + _take_as_commands(committer, group, rest)
        applied = committer.engine.apply_singles(group.at_ms, records[LAYOUT.size * len(taken) :], LAYOUT, telling)
        if applied is None:
            return taken + _take_as_commands(committer, group, rest) if taken else None
        codes = _until_due(committer, group.at_ms, applied.codes)
        for place, (payload, code) in enumerate(zip(rest, codes, strict=False)):
            if code == ACCEPTED:
                taken.append(group.note(payload, hash_of(payload), applied.events.get(place, [])))
            else:
                taken.append(_refused(group.at_ms, code, applied.known.get(place)))
        committer.take_turns(group)
    return taken


def _until_due(committer: Committer, at_ms: int, codes: bytes) -> bytes:
    """The codes of those orders that were not refused because one before them triggered somebody."""
    due = codes.find(_UNAVAILABLE) if committer.engine.has_turn(at_ms) else -1
    return codes if due < 0 else codes[:due]


def _take_as_commands(committer: Committer, group: Group, payloads: Sequence[bytes]) -> list[int | bytes]:
    """The same one by one, where the engine became the reference with what was triggered, or others' turns are left."""
    outcomes = committer.take_each([parse_item(payload) for payload in payloads], group)
    return [
        outcome.seq if isinstance(outcome, Ack) and not outcome.duplicate else packed_outcome(outcome)
        for outcome in outcomes
    ]


async def _make_durable(committer: Committer, group: Group, placed: list[tuple[int, bytes]]) -> list[bytes]:
    """A receipt for each record of what was appended, packed, once all of it is durable."""
    syncing, notary = committer.sync(len(placed)), committer.notary
    witnessed = None
    if notary is not None:
        witnessed = Witnessed(group.first_seq, group.at_ms, group.subjects, [head for _, head in placed])
    if syncing is not None:
        await syncing
    if notary is None or witnessed is None:
        return [wire.NO_RECEIPT] * len(placed)
    return witnessed.packed_receipts(notary.domain, notary.key)


def _refused(at_ms: int, code: int, known: int | None) -> bytes:
    """The outcome of an order that was not taken: of one that was taken before, that once more.

    An order that came before is never taken again, whatever the rule that says so: its nonce is used.
    """
    if known is not None:
        return wire.pack_order_outcome(ACCEPTED, seq_of(known), at_ms, wire.NO_RECEIPT)
    return wire.pack_order_outcome(code, 0, 0, wire.NO_RECEIPT)
