"""What is bounded by account and by address: sessions, openings, orders under way, waste, who may not come back."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from exchange.domain.errors import ErrorCode, Refusal
from exchange.sequencer.budget import Budget
from exchange.settings import EntrySettings

K = TypeVar("K")

RETRY_MS = 20


class Room:
    """Orders under way, from when they are read until they are answered: at most `capacity`.

    An account may have as many under way as there is room left, an address twice as many: so one account gets at most
    half, one address two thirds, and there is always room for another.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._accounts: Counter[bytes] = Counter()
        self._addresses: Counter[str] = Counter()
        self.held = 0

    def take(self, account: bytes, address: str, orders: int) -> None:
        """Count orders that have come. Refusal where there is no room, or no more for these."""
        free = self._capacity - self.held
        if orders > free:
            raise _try_again(ErrorCode.unavailable, "the queue to the engine is full")
        if self._accounts[account] + orders > free:
            raise _try_again(ErrorCode.too_many_requests, "the account has its share of the queue to the engine")
        if self._addresses[address] + orders > 2 * free:
            raise _try_again(ErrorCode.too_many_requests, "the address has its share of the queue to the engine")
        self.held += orders
        self._accounts[account] += orders
        self._addresses[address] += orders

    def give(self, account: bytes, address: str, orders: int) -> None:
        """These are answered."""
        self.held -= orders
        _count_down(self._accounts, account, orders)
        _count_down(self._addresses, address, orders)


def _count_down(counter: Counter[K], key: K, by: int = 1) -> None:
    counter[key] -= by
    if not counter[key]:
        del counter[key]


def _try_again(code: ErrorCode, text: str) -> Refusal:
    return Refusal(code, text, None, {"retry_after_ms": RETRY_MS})


class Door:
    """Counts sessions, and keeps out for a while who had a bad signature journaled. `clock` gives seconds.

    Orders are judged, and frames journaled, whatever becomes of them, so an account that has them refused is slowed
    down: one refused order is forgiven for each that was accepted, and some each second.
    """

    def __init__(self, settings: EntrySettings, clock: Callable[[], float]) -> None:
        self._capacity = settings.connections
        self._connected = 0
        self._per_account = settings.sessions_per_account
        self._per_address = settings.connections_per_address
        self._penalty_seconds = settings.penalty_seconds
        self._clock = clock
        self._accounts: Counter[bytes] = Counter()
        self._addresses: Counter[str] = Counter()
        self._banned: dict[bytes, float] = {}
        self._waste: Budget[bytes] = Budget(settings.wasted_at_once, settings.wasted_per_second, clock)
        self._openings: Budget[str] = Budget(settings.opens_at_once, settings.opens_per_second, clock)

    def connect(self, address: str) -> bool:
        """Count a connection; whether it may stay."""
        if self._connected >= self._capacity or self._addresses[address] >= self._per_address:
            return False
        self._connected += 1
        self._addresses[address] += 1
        return True

    def disconnect(self, address: str) -> None:
        """A connection that was counted has ended."""
        self._connected -= 1
        _count_down(self._addresses, address)

    def begin_opening(self, address: str) -> None:
        """Count a session that is asked for, which costs work before it is known for whom. Refusal for too many."""
        if wait := self._openings.wait_ms(address):
            params: dict[str, str | int] = {"retry_after_ms": wait}
            raise Refusal(ErrorCode.too_many_requests, "too many sessions were asked for here", None, params)
        self._openings.spend(address, 1)

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
        """Refusal while an account has had more orders looked at in vain than it may."""
        if wait := self._waste.wait_ms(account):
            params: dict[str, str | int] = {"retry_after_ms": wait}
            raise Refusal(ErrorCode.too_many_requests, "too many orders were refused", None, params)

    def waste(self, account: bytes, refused: int, accepted: int) -> None:
        """A message of an account was worked off: so many of its orders were refused and accepted."""
        self._waste.spend(account, refused - accepted)

    def leave(self, account: bytes) -> None:
        """A session has ended."""
        _count_down(self._accounts, account)

    def penalize(self, signer: bytes) -> None:
        """Keep a signer out: what it had journaled was not signed."""
        now = self._clock()
        self._banned = {key: until for key, until in self._banned.items() if until > now}
        self._banned[signer] = now + self._penalty_seconds
