"""The demo's approvers: they approve the demo's own large withdrawals, one after another, after a wait to be seen.

They do what `bizzan approvals approve` does, and look at the same messages. Withdrawals of other accounts they leave
to the people who run the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from bizzan.approvals import ApprovalError, Waiting, approve, find_waiting
from bizzan.client.wallet import Wallet
from exchange.chain.rpc import Rpc
from exchange.domain.deployment import Deployment

PATIENCE_SECONDS = 8.0
"""How long each approver lets a withdrawal wait, after it came up or the one before approved it."""
AGAIN_SECONDS = 60.0
"""How long an approval may take to be indexed before it is given again."""

log = structlog.get_logger()


class Approvers:
    """The keys in their order, and when each withdrawal first came up; the times are those of any steady clock."""

    def __init__(self, rpc_url: str, deployment: Deployment, keys: Sequence[str], accounts: Collection[bytes]) -> None:
        self._rpc_url = rpc_url
        self._deployment = deployment
        self._keys = [(key, Wallet.from_hex(key).text_address) for key in keys]
        self._accounts = frozenset(accounts)
        self._seen: dict[bytes, float] = {}
        self._given: dict[tuple[bytes, str], float] = {}

    async def step(self, database: AsyncEngine, rpc: Rpc, now: float) -> None:
        """Look at all that wait, and give the approvals that are due. Raises the database's errors, and ChainError."""
        rows = await find_waiting(database, rpc, self._deployment)
        own = [row for row in rows if isinstance(row, Waiting) and row.signed.account in self._accounts]
        self._forget({row.withdrawal_hash for row in own})
        for row in own:
            key = self.due(row, now)
            if key is not None:
                await self._approve(row, key, now)

    def due(self, row: Waiting, now: float) -> str | None:
        """The key that shall approve it now, if one shall."""
        came = self._seen.setdefault(row.withdrawal_hash, now)
        given = [
            self._given[row.withdrawal_hash, who] for _, who in self._keys if (row.withdrawal_hash, who) in self._given
        ]
        if len(row.by) >= row.needed or now - max([came, *given]) < PATIENCE_SECONDS:
            return None
        for key, who in self._keys[: row.needed]:
            if who not in row.by and now - self._given.get((row.withdrawal_hash, who), float("-inf")) > AGAIN_SECONDS:
                return key
        return None

    async def _approve(self, row: Waiting, key: str, now: float) -> None:
        """Give one; a refusal is told, and tried again later."""
        who = Wallet.from_hex(key).text_address
        self._given[row.withdrawal_hash, who] = now
        try:
            tx_hash = await asyncio.to_thread(approve, self._rpc_url, self._deployment, key, row)
        except ApprovalError as error:
            log.warning("approval_failed", approver=who, reason=str(error))
        else:
            log.info("approved", approver=who, withdrawal_hash="0x" + row.withdrawal_hash.hex(), tx_hash=tx_hash)

    def _forget(self, kept: Collection[bytes]) -> None:
        self._seen = {key: at for key, at in self._seen.items() if key in kept}
        self._given = {key: at for key, at in self._given.items() if key[0] in kept}
