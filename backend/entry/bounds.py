"""What is bounded at the door: sessions by account and by address, and who may not come back yet."""

from collections import Counter
from collections.abc import Callable

from exchange.domain.errors import ErrorCode, Refusal


class Door:
    """Counts sessions, and keeps out for a while who had a bad signature journaled. `clock` gives seconds."""

    def __init__(self, per_account: int, per_address: int, penalty_seconds: int, clock: Callable[[], float]) -> None:
        self._per_account = per_account
        self._per_address = per_address
        self._penalty_seconds = penalty_seconds
        self._clock = clock
        self._accounts: Counter[bytes] = Counter()
        self._addresses: Counter[str] = Counter()
        self._banned: dict[bytes, float] = {}

    def connect(self, address: str) -> bool:
        """Count a connection; whether it may stay."""
        if self._addresses[address] >= self._per_address:
            return False
        self._addresses[address] += 1
        return True

    def disconnect(self, address: str) -> None:
        """A connection that was counted has ended."""
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def enter(self, account: bytes, signer: bytes) -> None:
        """Count a session. Refusal for one too many, or for a signer that is kept out."""
        until = self._banned.get(signer, 0.0)
        wait = until - self._clock()
        if wait > 0:
            params: dict[str, str | int] = {"retry_after_ms": int(wait * 1_000) + 1}
            raise Refusal(
                ErrorCode.forbidden, "a frame with a bad signature was journaled under this key", None, params
            )
        self._banned.pop(signer, None)
        if self._accounts[account] >= self._per_account:
            limit = self._per_account
            raise Refusal(
                ErrorCode.too_many_requests, f"an account has at most {limit} sessions", None, {"limit": limit}
            )
        self._accounts[account] += 1

    def leave(self, account: bytes) -> None:
        """A session has ended."""
        self._accounts[account] -= 1
        if not self._accounts[account]:
            del self._accounts[account]

    def penalize(self, signer: bytes) -> None:
        """Keep a signer out: what it had journaled was not signed."""
        now = self._clock()
        self._banned = {key: until for key, until in self._banned.items() if until > now}
        self._banned[signer] = now + self._penalty_seconds
