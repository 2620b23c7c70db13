"""Jobs and attempts: the values and ports of transaction submission.

A *job* is a call that has to be on the chain exactly once. An *attempt* is one signed transaction for it.
All attempts of a job that can still be mined share one nonce, so at most one of them ever is; a job gets
another nonce only after its last one was consumed, for ever, by something that is not its call.

    queued ──► sent ──► mined ──► final        the call succeeded, and is final
                 ▲        │  └──► reverted     the call was mined, did nothing, and that is final
                 └─reorg──┘  └──► cancelled    the nonce went to a cancellation that was asked for, final
    queued ◄── the nonce went to a cancellation by the fee cap, or to somebody else's transaction, final
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class JobState(StrEnum):
    """Where a job stands; the picture above has the moves."""

    queued = "queued"
    sent = "sent"
    mined = "mined"
    final = "final"
    reverted = "reverted"
    cancelled = "cancelled"


ENDED = frozenset({JobState.final, JobState.reverted, JobState.cancelled})
"""States of a job that is over (a reorg deeper than the confirmations brings it back all the same)."""


class Kind(StrEnum):
    """What an attempt does with the job's nonce: the call, or a transfer of nothing to self."""

    call = "call"
    cancel = "cancel"


@dataclass(frozen=True, slots=True)
class Call:
    """What to put on the chain: `to` is 20 bytes, `gas` the limit, `value` wei."""

    to: bytes
    data: bytes
    gas: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas: the most that is paid, and the part of it that is the miner's."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction: its hash and bytes, and what they commit to. `sent_at` in milliseconds."""

    tx_hash: bytes
    nonce: int
    kind: Kind
    fees: Fees
    gas: int
    raw: bytes
    sent_at: int


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction in a block: whether it did anything, and its cost in wei."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    cost: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job as stored, with the attempts on its present nonce, oldest first."""

    job_id: int
    key: str
    duty: str
    call: Call
    state: JobState
    nonce: int | None = None
    cancel_requested: bool = False
    attempts: tuple[Attempt, ...] = ()
    inclusion: Inclusion | None = None
    created_at: int = 0

    @property
    def failed(self) -> bool:
        """Whether its call stands in a block without effect: reverted, final or not."""
        return self.inclusion is not None and not self.inclusion.succeeded

    def attempt(self, tx_hash: bytes) -> Attempt:
        """The attempt with this hash; KeyError if it is not on the present nonce."""
        for attempt in self.attempts:
            if attempt.tx_hash == tx_hash:
                return attempt
        raise KeyError(tx_hash.hex())


@dataclass(frozen=True, slots=True)
class Head:
    """The latest block: `timestamp` in unix seconds, `base_fee` in wei per gas."""

    number: int
    block_hash: bytes
    timestamp: int
    base_fee: int


class Chain(Protocol):
    """What submission needs of a node. Every method may raise ChainError."""

    async def head(self) -> Head:
        """The latest block."""

    async def block_hashes(self, numbers: list[int]) -> list[bytes | None]:
        """The hashes of the canonical blocks at these heights, in order; None above the head."""

    async def transaction_count(self, address: bytes, block_number: int | None = None) -> int:
        """How many nonces of `address` are mined, at the head or at a block."""

    async def inclusions(self, tx_hashes: list[bytes]) -> list[Inclusion | None]:
        """Where each transaction was mined, in order; None where it was not."""

    async def send(self, raw: bytes) -> str | None:
        """Hand a transaction to the node: None if it was taken, else the node's words."""


class Store(Protocol):
    """The tables `job` and `attempt` for one sender.

    Every write raises `Fenced` when the caller is no longer the leader, and then nothing was written.
    """

    async def unresolved(self, mined_nonce: int) -> list[Job]:
        """Jobs that hold a nonce and have not ended, or ended on a nonce that is not mined (any more)."""

    async def queued(self, limit: int) -> list[Job]:
        """The oldest jobs without a nonce."""

    async def enqueue(self, key: str, duty: str, call: Call) -> bool:
        """Add a job; False (and no change) if the key exists."""

    async def add_attempt(self, job: Job, attempt: Attempt) -> None:
        """Write down a signed transaction: the job is `sent` on its nonce."""

    async def set_mined(self, job: Job, inclusion: Inclusion) -> None:
        """The job stands in a block."""

    async def set_unmined(self, job: Job) -> None:
        """A reorg put the job back to `sent`."""

    async def end(self, job: Job, state: JobState) -> None:
        """The job is over: final, reverted or cancelled."""

    async def requeue(self, job: Job, outcome: str) -> None:
        """The nonce is gone without the call: the job waits for another; its attempts end with `outcome`."""

    async def request_cancel(self, job_id: int) -> None:
        """Cancel a queued job at once, mark one that was sent."""


class Fenced(Exception):
    """Another process has become the leader; stop."""


class Guard(Protocol):
    """Decides whether new jobs may start."""

    async def closed(self, head: Head) -> str | None:
        """None, or why nothing new may be sent."""


class Clock(Protocol):
    """Time, so that tests own it."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
