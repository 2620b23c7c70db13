"""The levels of outflow, which the mirror cannot know: whether a withdrawal counted or was approved leaves no event.

They are read from the contract once for all who ask, at most every two seconds, also while that fails.
"""

import asyncio
from collections.abc import Collection, Mapping
from time import monotonic

from exchange.chain.rpc import ChainError, Rpc
from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal

OUTFLOW_WINDOW_SECONDS = 86_400
"""In which a full level drains, as in the contract."""
PERIOD_SECONDS = 2.0
_ASK = keccak(b"outflow_state(uint256)")[:4]
_WORD = 32

Outflow = tuple[int, int]
"""A token's limit and level, in ledger units."""


class Levels:
    """Asks the contract at `custody` through the chain's node."""

    def __init__(self, rpc: Rpc, custody: bytes) -> None:
        self._rpc = rpc
        self._custody = custody
        self._lock = asyncio.Lock()
        self._kept: Mapping[int, Outflow] = {}
        self._until = 0.0
        self._refusal: Refusal | None = None

    async def read(self, token_ids: Collection[int]) -> Mapping[int, Outflow]:
        """Limit and level of each of these tokens. Refuses while the chain is away, without asking it each time."""
        async with self._lock:
            known = monotonic() < self._until
            if known and self._refusal is not None:
                raise self._refusal
            if not known or not self._kept.keys() >= set(token_ids):
                await self._renew(token_ids)
            return self._kept

    async def _renew(self, token_ids: Collection[int]) -> None:
        """Ask for all; what a refusal says stands for as long as an answer would."""
        self._kept, self._refusal = {}, None
        try:
            self._kept = {token_id: await self._ask(token_id) for token_id in sorted(token_ids)}
        except Refusal as refusal:
            self._refusal = refusal
            raise
        finally:
            self._until = monotonic() + PERIOD_SECONDS

    async def _ask(self, token_id: int) -> Outflow:
        try:
            answer = await self._rpc.eth_call(self._custody, _ASK + token_id.to_bytes(_WORD))
        except ChainError:
            raise Refusal(ErrorCode.unavailable, "the chain's node is away: try again in a second") from None
        if len(answer) != 2 * _WORD:
            raise Refusal(ErrorCode.unavailable, "the chain's node does not know the contract: try again in a second")
        return int.from_bytes(answer[:_WORD]), int.from_bytes(answer[_WORD:])
