"""Single orders from the bytes that order entry gives to those that it sends on, without objects.

What is done is what `Committer.commit` does with them. One thing differs: which orders came before is asked when the
whole group is applied, so of an order from the end of what an account's last thousands are remembered by, whose group
brings enough others to push it out, `nonce_used` is said instead of its sequence.
"""

from collections.abc import Sequence
from typing import NamedTuple

from exchange.domain import entry as wire
from exchange.domain.frame_codes import ACCEPTED
from exchange.domain.order_id import seq_of
from exchange.engine.telling import Telling
from exchange.journal.errors import JournalFull
from exchange.journal.plain import LAYOUT, hash_of, join_plain, unpack_plain
from exchange.sequencer.committer import Committer
from exchange.sequencer.notary import Witnessed
from exchange.sequencer.protocol import Committed


class SinglesResult(NamedTuple):
    """An entry of an `orders_outcome` for each order of a group, and what was committed."""

    outcomes: list[bytes]
    committed: list[Committed]


async def commit_singles(committer: Committer, payloads: Sequence[bytes], telling: Telling) -> SinglesResult | None:
    """Apply orders and make them durable as one group. An OSError is fatal: the process must stop.

    None, and nothing is done, where they must come as commands: what is no plain order or comes twice, an engine that
    is the reference or waits for something, no room in the journal, somebody who wants to be told of everything.
    """
    engine, journal = committer.engine, committer.journal
    if engine.waiting or engine.state.auctions or engine.seq != journal.seq:
        return None
    records = join_plain(payloads)
    if records is None or len({hash_of(payload) for payload in payloads}) < len(payloads):
        return None
    try:
        journal.reserve(len(records), len(payloads))
    except JournalFull:
        return None
    committer.journal_full = False
    at_ms = committer.now_ms()
    applied = engine.apply_singles(at_ms, records, LAYOUT, telling)
    if applied is None:
        return None
    taken = [payload for payload, code in zip(payloads, applied.codes, strict=True) if code == ACCEPTED]
    placed = committer.journal.append_payloads([(at_ms, payload) for payload in taken])
    receipts = iter(await _make_durable(committer, at_ms, taken, placed) if placed else ())
    following = iter(placed)
    result = SinglesResult([], [])
    for place, (payload, code) in enumerate(zip(payloads, applied.codes, strict=True)):
        if code == ACCEPTED:
            seq, head = next(following)
            result.outcomes.append(wire.pack_order_outcome(ACCEPTED, seq, at_ms, next(receipts)))
            result.committed.append(Committed(seq, at_ms, head, applied.events.get(place, [])))
        else:
            result.outcomes.append(_refused(committer, at_ms, payload, code))
    return result


async def _make_durable(
    committer: Committer, at_ms: int, taken: list[bytes], placed: list[tuple[int, bytes]]
) -> list[bytes]:
    """A receipt for each order of what was appended, packed, once all of it is durable."""
    syncing, notary = committer.sync(len(placed)), committer.notary
    witnessed = None
    if notary is not None:
        subjects, heads = [hash_of(payload) for payload in taken], [head for _, head in placed]
        witnessed = Witnessed(placed[0][0], at_ms, subjects, heads)
    if syncing is not None:
        await syncing
    if notary is None or witnessed is None:
        return [wire.NO_RECEIPT] * len(taken)
    return witnessed.packed_receipts(notary.domain, notary.key)


def _refused(committer: Committer, at_ms: int, payload: bytes, code: int) -> bytes:
    """The outcome of an order that was not taken: of one that was taken before, that once more.

    An order that came before is never taken again, whatever the rule that says so: its nonce is used.
    """
    command = unpack_plain(payload)
    known = None if command is None else committer.engine.find_duplicate(command)
    if known is not None:
        return wire.pack_order_outcome(ACCEPTED, seq_of(known), at_ms, wire.NO_RECEIPT)
    return wire.pack_order_outcome(code, 0, 0, wire.NO_RECEIPT)
