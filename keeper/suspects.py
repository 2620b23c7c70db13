"""Trades that fail, and since which block without a break.

A failure may be the fault of a reorg that is still under way. It counts when it has been seen at every look
since a block that is final by now, and when no two looks were far apart: of a time in which nobody looked, as when a
transaction was on its way or the node was gone, nothing is known. A trade may fail only because one before it does; so
when one passes again, those behind it start again, and none is convicted before all that fail before it are.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping

from keeper.custody import Block

LONGEST_GAP_SECONDS = 600
"""A suspect that nobody has looked at for longer, by the blocks' times, starts again."""

Convicted = dict[int, tuple[Block, str]]


class Suspects:
    """Trades by their numbers, which rise in the order of the journal.

    Kept in memory only: after a restart the wait begins again, which is safe.
    """

    def __init__(self) -> None:
        self._since: Convicted = {}
        self._seen: dict[int, int] = {}

    def note(self, block: Block, failing: Mapping[int, str], looked: Collection[int]) -> None:
        """Of the trades `looked` at, in their order, those that fail at `block`, each with its reason.

        The others of them are cleared of suspicion, and what is known of all behind the first one cleared is void.
        Who was not looked at stays a suspect, for a while, but what stands before all that were is settled or reversed.
        """
        if not looked:
            return
        seen = set(looked)
        cleared = [trade_id for trade_id in self._since if trade_id in seen and trade_id not in failing]
        end = min(cleared, default=None)
        known = {i: since for i, since in self._since.items() if i >= min(seen) and (end is None or i < end)}
        known = {i: since for i, since in known.items() if i not in failing or self._is_watched(i, block)}
        fresh = {trade_id: (block, reason) for trade_id, reason in failing.items()}
        self._since = fresh | known
        self._seen = {i: block.timestamp if i in failing else self._seen[i] for i in self._since}

    def _is_watched(self, trade_id: int, block: Block) -> bool:
        return block.timestamp - self._seen[trade_id] <= LONGEST_GAP_SECONDS

    async def convicted(
        self, latest: Block, confirmations: int, canonical: Callable[[Block], Awaitable[bool]]
    ) -> Convicted:
        """The trades that have failed since a block that is `confirmations` deep and still in the chain.

        A block that was reorganised away is no proof: its trades start again at `latest`.
        """
        deep: Convicted = {}
        for trade_id, (block, reason) in list(self._since.items()):
            if latest.number - block.number < confirmations:
                continue
            if await canonical(block):
                deep[trade_id] = (block, reason)
            else:
                self._since[trade_id] = (latest, reason)
        return deep
