"""Breakers: conditions under which nothing new is sent. What was sent before is still followed.

Each is one line of a list; the first that is open closes submission and says what to do.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from exchange.chain.submission import Clock, Head

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Amounts in wei. After `revert_streak` calls in a row without effect, one more is tried each `revert_pause_ms`."""

    balance_floor: int = 10**16
    gas_per_day: int = 10**18
    revert_streak: int = 5
    revert_pause_ms: int = 60_000
    chain_lag_seconds: int = 120


class Wallet(Protocol):
    """Reads a balance in wei. Raises ChainError."""

    async def balance(self, address: bytes) -> int:
        """Wei of an address."""


class Spending(Protocol):
    """What the sender's transactions cost, and how they fared."""

    async def cost_since(self, since_ms: int) -> int:
        """Wei paid for gas by transactions signed since `since_ms`."""

    async def last_calls(self, limit: int) -> list[tuple[bool, int]]:
        """Of the latest mined calls, newest first: whether each succeeded, and when it was signed."""


class Breakers:
    """The guard of one sender."""

    def __init__(self, sender: bytes, wallet: Wallet, spending: Spending, clock: Clock, limits: Limits) -> None:
        self._sender = sender
        self._wallet = wallet
        self._spending = spending
        self._clock = clock
        self._limits = limits
        self._rules: tuple[Callable[[Head], Awaitable[str | None]], ...] = (
            self._chain_lag,
            self._balance_floor,
            self._gas_per_day,
            self._revert_streak,
        )

    async def closed(self, head: Head) -> str | None:
        """None, or why nothing new may be sent."""
        for rule in self._rules:
            reason = await rule(head)
            if reason is not None:
                return reason
        return None

    async def _chain_lag(self, head: Head) -> str | None:
        lag = self._clock.now_ms() // 1_000 - head.timestamp
        if lag <= self._limits.chain_lag_seconds:
            return None
        return f"the node's latest block is {lag} s old (limit {self._limits.chain_lag_seconds}): check the node"

    async def _balance_floor(self, head: Head) -> str | None:
        balance = await self._wallet.balance(self._sender)
        if balance >= self._limits.balance_floor:
            return None
        return f"0x{self._sender.hex()} has {balance} wei, below {self._limits.balance_floor}: send it some"

    async def _gas_per_day(self, head: Head) -> str | None:
        cost = await self._spending.cost_since(self._clock.now_ms() - DAY_MS)
        if cost < self._limits.gas_per_day:
            return None
        return f"gas cost {cost} wei in 24 h, the limit is {self._limits.gas_per_day}: raise it or wait"

    async def _revert_streak(self, head: Head) -> str | None:
        streak = self._limits.revert_streak
        calls = await self._spending.last_calls(streak)
        if len(calls) < streak or any(succeeded for succeeded, _ in calls):
            return None
        if self._clock.now_ms() - calls[0][1] >= self._limits.revert_pause_ms:
            return None
        return f"the last {streak} calls had no effect: see their reasons in the log; one is tried each minute"
