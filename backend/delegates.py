"""Delegated keys, from the mirror: who may trade for whom, where and until when.

An answer is kept for a moment, because an order's check happens thousands of times a second. A key
revoked in that moment still signs orders the contract settles: on chain a revocation binds after the
delay, and the engine cancels what such a key has in the book when it sees the revocation.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exchange.domain.errors import ErrorCode, Refusal

KEEP_MS = 500
MAX_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Delegate:
    """A delegated key's scope: bit m of `markets` for market m; `expiry` is the last unix second."""

    markets: int
    expiry: int


Load = Callable[[bytes, bytes], Awaitable[Delegate | None]]


class Delegates:
    """`load(account, delegate)` reads the mirror; `now_ms` is the clock."""

    def __init__(self, load: Load, now_ms: Callable[[], int]) -> None:
        self._load = load
        self._now_ms = now_ms
        self._kept: OrderedDict[tuple[bytes, bytes], tuple[int, Delegate | None]] = OrderedDict()

    async def check(self, account: bytes, signer: bytes, market: int | None, expiry: int | None) -> None:
        """Refuse a signer that is not a live delegate of `account` for `market` (None: any) until `expiry`."""
        delegate = await self._find(account, signer)
        if delegate is None:
            raise Refusal(
                ErrorCode.unknown_delegate,
                f"0x{signer.hex()} made the signature and is no delegate of the account (as far as indexed)",
                "signature",
                {"signer": "0x" + signer.hex()},
            )
        if delegate.expiry < self._now_ms() // 1_000:
            raise Refusal(
                ErrorCode.delegate_expired, "the delegated key has expired", "signature", {"expiry": delegate.expiry}
            )
        if expiry is not None and expiry > delegate.expiry:
            raise Refusal(
                ErrorCode.delegate_expired,
                "expiry must not be after the delegated key's own",
                "expiry",
                {"expiry": delegate.expiry},
            )
        if market is not None and not delegate.markets >> market & 1:
            raise Refusal(
                ErrorCode.delegate_out_of_scope, "the delegated key may not trade this market", "market", {"id": market}
            )

    async def scope(self, account: bytes, signer: bytes) -> Delegate:
        """The scope of a live delegate of `account`; refuses any other signer."""
        await self.check(account, signer, None, None)
        found = await self._find(account, signer)
        assert found is not None, "delegates: just checked"
        return found

    async def known(self, account: bytes, signer: bytes) -> bool:
        """Whether `signer` was made a delegate of `account` and not revoked."""
        return await self._find(account, signer) is not None

    async def _find(self, account: bytes, signer: bytes) -> Delegate | None:
        now = self._now_ms()
        key = (account, signer)
        kept = self._kept.get(key)
        if kept is not None and now - kept[0] < KEEP_MS:
            return kept[1]
        found = await self._load(account, signer)
        self._kept[key] = (now, found)
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found
