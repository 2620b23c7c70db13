"""The sweep duty: what lies at deposit addresses, put into its accounts' trading balances.

It looks at the addresses of the accounts that asked for theirs, some in each round and all of them in turn. What
reaches the token's floor is swept, unless a transaction for it is on its way. Anyone may sweep, for one account only:
a second sweep finds nothing and costs gas, so running this twice is harmless. What the contract refuses now (deposits
are paused, the token is closed) is tried again after a pause that grows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from exchange.chain.rpc import ExecutionReverted
from exchange.chain.submission import Call, Clock, Job, JobState
from exchange.domain.contract_refusals import contract_refusal
from keeper.deposit_addresses import Lying
from keeper.ports import Jobs
from keeper.settle import Send

DUTY = "sweep"

log = structlog.get_logger(__name__)


class SweepChain(Protocol):
    """The deposit addresses on chain. Methods raise ChainError."""

    async def lying(self, accounts: Sequence[bytes]) -> Sequence[Lying]:
        """What lies at the addresses of these accounts now."""

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        """Gas that a call of the factory needs now. ExecutionReverted if it would fail."""

    def call(self, data: bytes, gas: int) -> Call:
        """A call of the factory."""


class Watched(Protocol):
    """The accounts that asked for their deposit address."""

    async def watched(self, after: bytes, limit: int) -> Sequence[bytes]:
        """The next `limit` accounts after one, in the order of their bytes."""

    async def count(self) -> int:
        """How many there are."""


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """`floors`: ledger units by token id, from which on a token is swept."""

    floors: Mapping[int, int]
    accounts_at_once: int = 100
    interval_ms: int = 1_000
    first_pause_ms: int = 5_000
    longest_pause_ms: int = 600_000


@dataclass(frozen=True, slots=True)
class _Pause:
    length_ms: int
    until_ms: int


@dataclass(slots=True)
class Figures:
    """What the duty saw, for metrics."""

    watched: int = 0
    refused: int = 0
    queued: int = 0


class Sweep:
    """The duty of one sweeper key. `plan` decides, `act` does; running either twice is harmless."""

    name = DUTY

    def __init__(
        self, sweeper: bytes, chain: SweepChain, watched: Watched, jobs: Jobs, clock: Clock, policy: SweepPolicy
    ) -> None:
        self._sweeper = sweeper
        self._chain = chain
        self._watched = watched
        self._jobs = jobs
        self._clock = clock
        self._policy = policy
        self._after = b""
        self._looked_at_ms = 0
        self._pauses: dict[str, _Pause] = {}
        self._figures = Figures()

    def figures(self) -> Mapping[str, float]:
        """By the name of a metric."""
        known = self._figures
        return {"watched_addresses": known.watched, "refused_sweeps": known.refused, "queued_sweeps": known.queued}

    async def step(self) -> Sequence[Send]:
        """One round; nothing when the last one was a moment ago."""
        if self._clock.now_ms() < self._looked_at_ms + self._policy.interval_ms:
            return []
        actions = await self.plan()
        for action in actions:
            await self.act(action)
        self._looked_at_ms = self._clock.now_ms()
        return actions

    async def plan(self) -> list[Send]:
        """The sweeps of the next accounts. Raises ChainError and the database's errors."""
        accounts = await self._next_accounts()
        lying = await self._chain.lying(accounts)
        waiting = sweepable(lying, self._policy.floors, await self._jobs.live(DUTY))
        self._forget_pauses()
        planned = [await self._plan_one(each) for each in waiting if not self._rests(subject_of(each))]
        self._figures.refused = len(self._pauses)
        return [action for action in planned if action is not None]

    async def act(self, action: Send) -> None:
        """Queue it."""
        if await self._jobs.enqueue(action.key, DUTY, action.call):
            self._figures.queued += 1
            log.info("job_queued", job=action.key, gas=action.call.gas)

    async def _next_accounts(self) -> Sequence[bytes]:
        """The accounts whose turn it is; after the last one the first."""
        accounts = await self._watched.watched(self._after, self._policy.accounts_at_once)
        is_whole = len(accounts) == self._policy.accounts_at_once
        self._after = accounts[-1] if is_whole else b""
        self._figures.watched = await self._watched.count()
        return accounts

    async def _plan_one(self, lying: Lying) -> Send | None:
        subject = subject_of(lying)
        try:
            gas = await self._chain.gas_of(self._sweeper, lying.data())
        except ExecutionReverted as error:
            code = contract_refusal(error.reason).code.value
            log.warning("sweep_refused", job=subject, amount=lying.amount, reason=error.reason, code=code)
            self._pause(subject)
            return None
        self._pauses.pop(subject, None)
        return Send(f"{subject}/{lying.block_number}", self._chain.call(lying.data(), gas + gas // 4))

    def _rests(self, subject: str) -> bool:
        pause = self._pauses.get(subject)
        return pause is not None and self._clock.now_ms() < pause.until_ms

    def _pause(self, subject: str) -> None:
        """Each time in vain the pause doubles."""
        known = self._pauses.get(subject)
        length = self._policy.first_pause_ms
        if known is not None:
            length = min(2 * known.length_ms, self._policy.longest_pause_ms)
        self._pauses[subject] = _Pause(length, self._clock.now_ms() + length)

    def _forget_pauses(self) -> None:
        """Those of which nothing was heard for long: the money went another way."""
        oldest = self._clock.now_ms() - 2 * self._policy.longest_pause_ms
        self._pauses = {subject: pause for subject, pause in self._pauses.items() if pause.until_ms > oldest}


def subject_of(lying: Lying) -> str:
    """What the jobs of an account's token are called, up to the block that tells one from the other."""
    return f"sweep/{lying.account.hex()}/{lying.token_id}"


def sweepable(lying: Sequence[Lying], floors: Mapping[int, int], live: Collection[Job]) -> list[Lying]:
    """What reaches its floor, without what a live job is about to take.

    One that was mined with success has taken what lay there; what lies there now came later. One that was mined
    without effect stands in the way until that is final, so that nothing is paid for twice within minutes.
    """
    busy = {job.key.rpartition("/")[0] for job in live if job.state is not JobState.mined or job.failed}
    return [each for each in lying if each.amount >= floors[each.token_id] and subject_of(each) not in busy]
