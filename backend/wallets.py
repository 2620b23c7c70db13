"""Signatures of whole accounts: of their key, or of the contract that they are (EIP-1271), which is asked on chain.

Sign-in and withdrawals take both; orders are signed by keys alone. A question costs the chain's node work for whoever
asks, so few are put at a time: a flood of them keeps contract wallets waiting, and nobody else.
"""

import asyncio

from backend.errors import RateLimited
from backend.signatures import recover, wrong_signature
from backend.wire import checksum
from exchange.chain import wallets
from exchange.chain.rpc import ChainError, Rpc
from exchange.domain.errors import ErrorCode, Refusal

AT_ONCE = 4
WAITING = 64


class Wallets:
    """Asks wallets through the chain's node."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def check(self, account: bytes, digest: bytes, signature: bytes) -> None:
        """Refuse a signature that neither the account's key made nor its code takes; also while the chain is away."""
        refusal = plain_refusal(account, digest, signature)
        if refusal is not None and not await self._ask(account, digest, signature):
            raise refusal

    async def _ask(self, account: bytes, digest: bytes, signature: bytes) -> bool:
        if self._waiting >= WAITING:
            raise RateLimited(1, "contract wallet")
        self._waiting += 1
        try:
            async with self._turn:
                return await wallets.wallet_signed(self._rpc, account, digest, signature)
        except ChainError:
            raise Refusal(ErrorCode.unavailable, "the chain's node is away: try again in a second") from None
        finally:
            self._waiting -= 1


def plain_refusal(account: bytes, digest: bytes, signature: bytes) -> Refusal | None:
    """None if the account's own key made the signature; else why it is wrong."""
    try:
        signer = recover(digest, signature)
    except Refusal as error:
        return error
    if signer == account:
        return None
    return wrong_signature(
        f"the key of {checksum(signer)} made it, over these fields, and not that of {checksum(account)}"
    )
