"""What is bounded at the door: sessions by account and by address, waste, and who may not come back yet."""

from collections import Counter
from collections.abc import Callable

from exchange.domain.errors import ErrorCode, Refusal
from exchange.settings import EntrySettings

MAX_WASTERS = 10_000


class Door:
    """Counts sessions, and keeps out for a while who had a bad signature journaled. `clock` gives seconds.

    A frame is journaled whatever becomes of its orders, so an account that has them refused is slowed down.
    """

    def __init__(self, settings: EntrySettings, clock: Callable[[], float]) -> None:
        self._per_account = settings.sessions_per_account
        self._per_address = settings.connections_per_address
        self._penalty_seconds = settings.penalty_seconds
        self._wasted_per_second = settings.wasted_per_second
        self._waste_seconds = settings.wasted_at_once / settings.wasted_per_second
        self._clock = clock
        self._accounts: Counter[bytes] = Counter()
        self._addresses: Counter[str] = Counter()
        self._banned: dict[bytes, float] = {}
        self._waste: dict[bytes, float] = {}
        """When what an account wasted will be forgotten."""

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
        self.check(signer)
        self._banned.pop(signer, None)
        if self._accounts[account] >= self._per_account:
            limit = self._per_account
            raise Refusal(
                ErrorCode.too_many_requests, f"an account has at most {limit} sessions", None, {"limit": limit}
            )
        self._accounts[account] += 1

    def check(self, signer: bytes) -> None:
        """Refusal for a signer that is kept out, in whatever session."""
        wait = self._banned.get(signer, 0.0) - self._clock()
        if wait > 0:
            params: dict[str, str | int] = {"retry_after_ms": int(wait * 1_000) + 1}
            raise Refusal(
                ErrorCode.forbidden, "a frame with a bad signature was journaled under this key", None, params
            )

    def check_waste(self, account: bytes) -> None:
        """Refusal while an account has had more orders journaled in vain than it may."""
        wait = self._waste.get(account, 0.0) - self._clock()
        if wait > self._waste_seconds:
            params: dict[str, str | int] = {"retry_after_ms": int((wait - self._waste_seconds) * 1_000) + 1}
            raise Refusal(ErrorCode.too_many_requests, "too many orders in frames were refused", None, params)

    def waste(self, account: bytes, orders: int) -> None:
        """Orders of an account were journaled in a frame and refused."""
        now = self._clock()
        if len(self._waste) >= MAX_WASTERS:
            self._waste = {key: until for key, until in self._waste.items() if until > now}
        self._waste[account] = max(self._waste.get(account, 0.0), now) + orders / self._wasted_per_second

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
