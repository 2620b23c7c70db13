"""How much gas the keeper pays for one account's payouts in 24 hours, and for those of all contract wallets together.

A payout costs its account nothing, and what it costs the keeper is up to the account: how many it signs, and, where a
contract wallet is asked whether it signed, how much of its gas the wallet burns before it says yes. So the gas limits
of the calls, a quarter above what was measured, are added up by account. Who has none left waits until enough of what
was sent is a day old; a call is sent all the same when it is the first of its day.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

DAY_MS = 86_400_000

_WALLETS = b""
"""The pool of all contract wallets, beside those of the accounts."""


@dataclass(frozen=True, slots=True)
class GasLimits:
    """Gas of 24 hours: of an account that signs by its key, of a contract wallet, of all contract wallets."""

    account: int = 100_000_000
    wallet: int = 5_000_000
    wallets: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """Gas of a call that was made for an account; `wallet`: its code was asked."""

    at_ms: int
    account: bytes
    wallet: bool
    gas: int


@dataclass(slots=True)
class _Pool:
    """What was spent in the last day, oldest first."""

    calls: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, at_ms: int, gas: int) -> None:
        self.calls.append((at_ms, gas))
        self.total += gas

    def forget(self, now_ms: int) -> None:
        while self.calls and self.calls[0][0] + DAY_MS <= now_ms:
            self.total -= self.calls.popleft()[1]

    def frees_at(self, gas: int, limit: int) -> int:
        """From when so much fits, 0 if it does now."""
        at, total = 0, self.total
        for at_ms, its_gas in self.calls:
            if total + gas <= limit:
                break
            at, total = at_ms + DAY_MS, total - its_gas
        return at


class GasBudget:
    """What was spent, kept in memory: the jobs of the last day are read once, when a keeper begins to lead."""

    def __init__(self, limits: GasLimits, spent: Iterable[Spent]) -> None:
        self._limits = limits
        self._pools: dict[bytes, _Pool] = {}
        for each in spent:
            self.spend(each)

    def spend(self, spent: Spent) -> None:
        """A call is made."""
        for name in (spent.account, _WALLETS) if spent.wallet else (spent.account,):
            self._pools.setdefault(name, _Pool()).add(spent.at_ms, spent.gas)

    def forget(self, now_ms: int) -> None:
        """Drop what is a day old."""
        for pool in self._pools.values():
            pool.forget(now_ms)
        self._pools = {name: pool for name, pool in self._pools.items() if pool.calls}

    def frees_at(self, account: bytes, wallet: bool, gas: int) -> int:
        """From when, in milliseconds, a call of so much gas may be made for the account; 0 for now."""
        limits = self._limits
        shares = [(account, limits.wallet if wallet else limits.account)]
        if wallet:
            shares.append((_WALLETS, limits.wallets))
        return max(self._pools.get(name, _Pool()).frees_at(gas, limit) for name, limit in shares)
