"""Payouts that a contract wallet signed: until one is mined, the wallet can take back what it said, at the keeper's
cost.

So one of an account is on its way at a time; one that failed on chain is given up, until another approval is given, and
the account's others rest for a while. Reverts of theirs do not count for the keeper's breaker (`exchange.database.jobs`
knows them by their keys), so nobody else waits for a wallet that changes its mind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exchange.chain.signing import recover
from exchange.chain.submission import Job
from exchange.database.jobs import WALLET_KEYS
from exchange.database.payouts import HeldWithdrawal
from keeper.custody import account_of

REST_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class _Failure:
    """A payout that failed; `until_ms` is how long the account's others rest, `deadline` its own, unix seconds."""

    account: bytes
    until_ms: int
    deadline: int


class WalletPayouts:
    """What the duty remembers of them. A restart finds failures again in the jobs of payouts that are still held."""

    def __init__(self, rest_ms: int = REST_MS) -> None:
        self._rest_ms = rest_ms
        self._failures: dict[bytes, _Failure] = {}
        self._busy: set[bytes] = set()

    def begin(self, live: Iterable[Job], now_ms: int) -> None:
        """A round begins; `live` are the duty's jobs that have not ended."""
        kept = {key: one for key, one in self._failures.items() if one.deadline * 1_000 > now_ms}
        self._failures = kept
        self._busy = {
            account_of(job.call.data) for job in live if job.key.startswith(WALLET_KEYS) and job.inclusion is None
        }

    def sent(self, payout: HeldWithdrawal) -> None:
        """It is on its way."""
        self._busy.add(payout.account)

    def is_busy(self, payout: HeldWithdrawal) -> bool:
        """Whether another one of its account is on its way."""
        return payout.account in self._busy

    def failed(self, payout: HeldWithdrawal, jobs: Sequence[Job], now_ms: int) -> bool:
        """Whether it failed on chain; the account's others rest from the first time that this is seen."""
        if not any(job.failed for job in jobs):
            return False
        failure = _Failure(payout.account, now_ms + self._rest_ms, payout.deadline)
        self._failures.setdefault(payout.withdrawal_hash, failure)
        return True

    def rests(self, payout: HeldWithdrawal, now_ms: int) -> bool:
        """Whether another one of its account failed a short time ago."""
        others = (one for key, one in self._failures.items() if key != payout.withdrawal_hash)
        return any(one.account == payout.account and now_ms < one.until_ms for one in others)


def by_wallet(payout: HeldWithdrawal) -> bool:
    """Whether the account's code must stand by it, because another than the account's key signed it."""
    return bool(payout.signature) and recover(payout.withdrawal_hash, payout.signature) != payout.account
