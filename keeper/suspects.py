"""Trades that fail, and since which block without a break.

A failure may be the fault of a reorg that is still under way. It counts when it has been seen at every look
since a block that is final by now.
"""

from collections.abc import Awaitable, Callable, Mapping

from keeper.custody import Block

Convicted = dict[int, tuple[Block, str]]


class Suspects:
    """Kept in memory only: after a restart the wait begins again, which is safe."""

    def __init__(self) -> None:
        self._since: Convicted = {}

    def note(self, block: Block, failing: Mapping[int, str]) -> None:
        """The trades that fail at `block`, each with its reason; those not named are cleared of suspicion."""
        self._since = {trade_id: self._since.get(trade_id, (block, reason)) for trade_id, reason in failing.items()}

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
