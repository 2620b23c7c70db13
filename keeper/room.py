"""How much may leave within the outflow limits in one round of the withdraw duty.

What is estimated alone fits alone: two payouts that both fit the room of a token may not fit it together, and the
second would revert. So the room is read once per token, and what is on its way and what the round sends is taken from
it, the way the contract takes it: what does not fit goes by its approvals and uses no room.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from exchange.chain.submission import Job
from exchange.domain.instrument import Token
from keeper.custody import Outflow, payment_of


class Outflows(Protocol):
    """What the custody contract says of limits and approvals, at the latest block. Methods raise ChainError."""

    async def outflow(self, token_id: int) -> Outflow:
        """A token's outflow limit and level."""

    async def approved(self, withdrawal_hash: bytes) -> bool:
        """Whether a withdrawal has the approvals that it needs above the limit."""


class Rooms:
    """The rooms of one round. `tokens` by their 20 bytes; `jobs` that have not ended, in the order of their nonces.

    The jobs must have been read before the first question, so that none is missing both there and in the level.
    """

    def __init__(self, chain: Outflows, tokens: Mapping[bytes, Token], jobs: Sequence[Job]) -> None:
        self._chain = chain
        self._tokens = tokens
        self._on_the_way = [payment_of(job.call.data) for job in jobs if job.inclusion is None]
        self._left: dict[bytes, int | None] = {}

    async def lets(self, token: bytes, amount: int, withdrawal_hash: bytes) -> bool:
        """Whether a payout of `amount` token units may be sent: it fits, or it is approved."""
        left = await self._room(token)
        return left is None or self._size(token, amount) <= left or await self._chain.approved(withdrawal_hash)

    async def take(self, token: bytes, amount: int) -> None:
        """A payout of `amount` token units is sent."""
        left, size = await self._room(token), self._size(token, amount)
        if left is not None and size <= left:
            self._left[token] = left - size

    async def _room(self, token: bytes) -> int | None:
        """Ledger units that may still leave without approvals; None without a limit."""
        if token not in self._left:
            state = await self._chain.outflow(self._tokens[token].token_id)
            self._left[token] = max(state.limit - state.level, 0) if state.limit else None
            for paid, amount in self._on_the_way:
                if paid == token:
                    await self.take(token, amount)
        return self._left[token]

    def _size(self, token: bytes, amount: int) -> int:
        return -(-amount // self._tokens[token].unit)
