"""Single orders that nobody follows: from the bytes that order entry gives to those that it sends on, without objects.

What is done is what `Committer.commit` does with them.
"""

from collections.abc import Sequence

from exchange.domain import entry as wire
from exchange.domain.frame_codes import ACCEPTED
from exchange.domain.order_id import seq_of
from exchange.journal.errors import JournalFull
from exchange.journal.plain import LAYOUT, hash_of, join_plain, unpack_plain
from exchange.sequencer.committer import Committer
from exchange.sequencer.notary import Witnessed


async def commit_singles(committer: Committer, payloads: Sequence[bytes]) -> list[bytes] | None:
    """Apply orders and make them durable as one group; an entry of an `orders_outcome` for each.

    None, and nothing is done, where they must come as commands: what is no plain order or comes twice, an engine that
    is the reference or waits for something, no room in the journal. An OSError is fatal: the process must stop.
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
    at_ms = committer.now_ms()
    codes = engine.apply_singles(at_ms, records, LAYOUT)
    if codes is None:
        return None
    first_seq = journal.seq + 1
    taken = [payload for payload, code in zip(payloads, codes, strict=True) if code == ACCEPTED]
    receipts = await _journal(committer, at_ms, taken) if taken else []
    following = iter(enumerate(receipts, first_seq))
    outcomes: list[bytes] = []
    for payload, code in zip(payloads, codes, strict=True):
        if code == ACCEPTED:
            seq, receipt = next(following)
            outcomes.append(wire.pack_order_outcome(ACCEPTED, seq, at_ms, receipt))
        else:
            outcomes.append(_refused(committer, at_ms, payload, code))
    return outcomes


async def _journal(committer: Committer, at_ms: int, taken: list[bytes]) -> list[bytes]:
    """Make what was applied durable; a receipt for each, packed."""
    placed = committer.journal.append_payloads([(at_ms, payload) for payload in taken])
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
