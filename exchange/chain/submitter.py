"""The submitter: puts each job on the chain exactly once, whatever happens to it, the node or the chain.

It keeps nothing that matters in memory. Each `step` reads the chain and the stored attempts, and does what
follows from the two:

- The signed transaction is written down before it is sent, and what was written is sent again until it is
  mined, so a kill between any two lines loses nothing and doubles nothing.
- A nonce is derived, never counted: the lowest that is not mined and that no stored attempt holds. A failure
  between choosing and writing leaves no trace, so later nonces cannot run ahead.
- A transaction that waits too long, or that the base fee has left behind, is replaced with both fees raised
  by 12.5 % or to the market; at the cap the nonce is taken back by a transfer to self.
- Mined is not final: `confirmations` blocks on top of the same block hash are. A reorg puts the job back.
"""

from dataclasses import dataclass, field

import structlog

from exchange.chain.rpc import ChainError
from exchange.chain.signing import Key, Transaction
from exchange.chain.submission import (
    ENDED,
    Attempt,
    Call,
    Chain,
    Clock,
    Fees,
    Guard,
    Head,
    Inclusion,
    Job,
    JobState,
    Kind,
    Store,
)

TRANSFER_GAS = 21_000
GAP_DUTY = "gap"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """Fees in wei per gas, times in milliseconds.

    `max_fee` bounds a call; `cancel_max_fee` bounds the transfer to self that takes its nonce back, which
    has to outbid it but costs 21,000 gas only.
    """

    confirmations: int
    priority_fee: int = 1_000_000_000
    max_fee: int = 500_000_000_000
    cancel_max_fee: int = 1_000_000_000_000
    replace_after_ms: int = 30_000
    rebroadcast_after_ms: int = 2_000
    in_flight: int = 16

    def market(self, base_fee: int) -> Fees:
        """What a new transaction offers: room for the base fee to double, within the cap."""
        return Fees(min(2 * base_fee + self.priority_fee, self.max_fee), min(self.priority_fee, self.max_fee))

    def affordable(self, base_fee: int) -> bool:
        """Whether a call within the cap would be mined at this base fee."""
        return base_fee + min(self.priority_fee, self.max_fee) <= self.max_fee

    def replacement(self, last: Fees, base_fee: int, kind: Kind) -> Fees | None:
        """Fees that outbid `last` by 12.5 % or meet the market, None if the cap forbids it."""
        cap = self.max_fee if kind is Kind.call else self.cancel_max_fee
        priority_fee = max(raised(last.priority_fee), self.priority_fee)
        floor = max(raised(last.max_fee), priority_fee)
        if floor > cap:
            return None
        return Fees(min(max(floor, 2 * base_fee + priority_fee), cap), priority_fee)


def raised(fee: int) -> int:
    """12.5 % more, rounded up: the least that nodes accept as a replacement, and always more than before."""
    return max(-(-fee * 9 // 8), fee + 1)


@dataclass(slots=True)
class Status:
    """What the last step saw, for metrics and health."""

    head: Head | None = None
    mined_nonce: int = 0
    unmined: int = 0
    unfinal: int = 0
    closed: str | None = None


@dataclass(slots=True)
class _View:
    """One step's reading of the chain; `hashes` has the blocks in which jobs were last seen."""

    head: Head
    mined_nonce: int
    hashes: dict[int, bytes | None] = field(default_factory=dict)

    def stands(self, inclusion: Inclusion) -> bool:
        """Whether the block of an inclusion is still in the chain."""
        return self.hashes[inclusion.block_number] == inclusion.block_hash


class Submitter:
    """Sends the jobs of one key. One leader at a time runs it; a second one is fenced off by the store."""

    def __init__(
        self, key: Key, chain_id: int, chain: Chain, store: Store, guard: Guard, clock: Clock, policy: Policy
    ) -> None:
        self._key = key
        self._chain_id = chain_id
        self._chain = chain
        self._store = store
        self._guard = guard
        self._clock = clock
        self._policy = policy
        self._broadcast_at: dict[bytes, int] = {}
        self._gap_since: tuple[int, int] | None = None
        self.status = Status()

    @property
    def sender(self) -> bytes:
        """The address whose nonces these are."""
        return self._key.address

    async def step(self) -> None:
        """One look and everything that follows from it. Raises ChainError, Fenced and the store's errors."""
        head = await self._chain.head()
        view = _View(head, await self._chain.transaction_count(self.sender))
        jobs = await self._store.unresolved(view.mined_nonce)
        found = await self._inclusions(jobs, view)
        unmined = 0
        for job in jobs:
            unmined += await self._follow(job, view, found)
        self.status.head, self.status.mined_nonce = head, view.mined_nonce
        self.status.unmined, self.status.unfinal = unmined, len(jobs)
        await self._start(view, {job.nonce for job in jobs if job.nonce is not None}, unmined)
        self._forget(jobs)

    async def cancel(self, job: Job) -> None:
        """Ask for a job's nonce back; it ends `cancelled`, or final if its call was quicker."""
        await self._store.request_cancel(job.job_id)

    async def _inclusions(self, jobs: list[Job], view: _View) -> dict[bytes, Inclusion]:
        """Where the attempts of all jobs were mined, except of those whose known block still stands."""
        numbers = sorted({job.inclusion.block_number for job in jobs if job.inclusion is not None})
        view.hashes = dict(zip(numbers, await self._chain.block_hashes(numbers), strict=True)) if numbers else {}
        lost = [job for job in jobs if job.inclusion is None or not view.stands(job.inclusion)]
        wanted = [attempt.tx_hash for job in lost for attempt in job.attempts]
        answers = await self._chain.inclusions(wanted) if wanted else []
        return {found.tx_hash: found for found in answers if found is not None}

    async def _follow(self, job: Job, view: _View, found: dict[bytes, Inclusion]) -> bool:
        """Bring one job that holds a nonce up to date; True if it is still waiting to be mined."""
        if job.inclusion is not None and view.stands(job.inclusion):
            if view.head.number - job.inclusion.block_number >= self._policy.confirmations:
                await self._end(job, job.inclusion)
            return False
        for attempt in job.attempts:
            if inclusion := found.get(attempt.tx_hash):
                log.info("job_mined", job=job.key, tx_hash=attempt.tx_hash.hex(), succeeded=inclusion.succeeded)
                await self._store.set_mined(job, inclusion)
                return False
        if job.inclusion is not None or job.state in ENDED:
            log.warning("job_unmined", job=job.key, nonce=job.nonce)
            await self._store.set_unmined(job)
        if job.nonce is not None and view.mined_nonce > job.nonce:
            await self._check_superseded(job, job.nonce, view)
            return False
        await self._push(job, view)
        return True

    async def _end(self, job: Job, inclusion: Inclusion) -> None:
        """The block is final. A cancellation that nobody asked for gives the job another chance."""
        if job.state in ENDED:
            return
        if job.attempt(inclusion.tx_hash).kind is Kind.call:
            await self._store.end(job, JobState.final if inclusion.succeeded else JobState.reverted)
        elif job.cancel_requested:
            await self._store.end(job, JobState.cancelled)
        else:
            await self._store.requeue(job, "cancelled")
        log.info("job_ended", job=job.key, tx_hash=inclusion.tx_hash.hex(), succeeded=inclusion.succeeded)

    async def _check_superseded(self, job: Job, nonce: int, view: _View) -> None:
        """The nonce is mined, but not by us: final when a block `confirmations` below the head has it."""
        depth = view.head.number - self._policy.confirmations
        try:
            if depth < 0 or await self._chain.transaction_count(self.sender, depth) <= nonce:
                return
        except ChainError as error:  # a node that was restarted may lack the state of older blocks for a while
            log.info("state_missing", block_number=depth, reason=str(error))
            return
        log.error("nonce_superseded", job=job.key, nonce=nonce, remedy="no other program may use this key")
        if job.cancel_requested:
            await self._store.end(job, JobState.cancelled)
        else:
            await self._store.requeue(job, "superseded")

    async def _push(self, job: Job, view: _View) -> None:
        """Make an attempt that is not mined move: cancel, replace, or send the same bytes again."""
        last = job.attempts[-1]
        now = self._clock.now_ms()
        late = now - last.sent_at >= self._policy.replace_after_ms
        if job.cancel_requested and last.kind is Kind.call:
            await self._replace(job, last, view, Kind.cancel)
        elif late or view.head.base_fee > last.fees.max_fee:
            replaced = await self._replace(job, last, view, last.kind)
            if late and not replaced:
                await self._replace(job, last, view, Kind.cancel)
        if now - self._broadcast_at.get(last.tx_hash, 0) >= self._policy.rebroadcast_after_ms:
            await self._broadcast(last)

    async def _replace(self, job: Job, last: Attempt, view: _View, kind: Kind) -> bool:
        fees = self._policy.replacement(last.fees, view.head.base_fee, kind)
        if fees is None:
            return False
        await self._attempt(job, last.nonce, kind, fees)
        self._broadcast_at[last.tx_hash] = self._clock.now_ms()
        return True

    async def _start(self, view: _View, held: set[int], unmined: int) -> None:
        """Give nonces to queued jobs, as far as the guard, the cap and the room allow."""
        room = self._policy.in_flight - unmined
        queued = await self._store.queued(room) if room > 0 else []
        if not queued:
            self.status.closed = None
            await self._fill_gap(view, held)
            return
        before, self.status.closed = self.status.closed, await self._closed(view.head)
        if self.status.closed is not None:
            if before is None:
                log.warning("submission_closed", reason=self.status.closed, queued=len(queued))
            return
        fees = self._policy.market(view.head.base_fee)
        for job in queued:
            nonce = lowest_free(view.mined_nonce, held)
            await self._attempt(job, nonce, Kind.call, fees)
            held.add(nonce)

    async def _closed(self, head: Head) -> str | None:
        """Why nothing new may be sent."""
        if not self._policy.affordable(head.base_fee):
            return f"base fee {head.base_fee} is above the cap {self._policy.max_fee} wei per gas"
        return await self._guard.closed(head)

    async def _fill_gap(self, view: _View, held: set[int]) -> None:
        """A free nonce below a held one blocks it: fill it with a transfer to self if it stays free.

        Happens only when somebody else's transaction, or one that was final, is reorganised away.
        """
        nonce = lowest_free(view.mined_nonce, held)
        if not held or nonce > max(held):
            self._gap_since = None
            return
        now = self._clock.now_ms()
        if self._gap_since is None or self._gap_since[0] != nonce:
            self._gap_since = (nonce, now)
        elif now - self._gap_since[1] >= self._policy.rebroadcast_after_ms:
            log.warning("nonce_gap", nonce=nonce)
            key = f"gap/{self.sender.hex()}/{nonce}/{view.head.block_hash.hex()}"
            await self._store.enqueue(key, GAP_DUTY, _transfer_to_self(self.sender))

    async def _attempt(self, job: Job, nonce: int, kind: Kind, fees: Fees) -> None:
        """Sign, write down, send: in this order."""
        call = job.call if kind is Kind.call else _transfer_to_self(self.sender)
        signed = Transaction(
            self._chain_id, nonce, fees.priority_fee, fees.max_fee, call.gas, call.to, call.value, call.data
        ).sign(self._key)
        attempt = Attempt(signed.tx_hash, nonce, kind, fees, call.gas, signed.raw, self._clock.now_ms())
        await self._store.add_attempt(job, attempt)
        log.info(
            "attempt", job=job.key, nonce=nonce, kind=kind.value, max_fee=fees.max_fee, tx_hash=signed.tx_hash.hex()
        )
        await self._broadcast(attempt)

    async def _broadcast(self, attempt: Attempt) -> None:
        """Send bytes that are written down. A refusal changes nothing: the next look shows what became of them."""
        self._broadcast_at[attempt.tx_hash] = self._clock.now_ms()
        try:
            answer = await self._chain.send(attempt.raw)
        except ChainError as error:
            answer = str(error)
        if answer is not None:
            log.debug("broadcast_refused", tx_hash=attempt.tx_hash.hex(), answer=answer)

    def _forget(self, jobs: list[Job]) -> None:
        live = {attempt.tx_hash for job in jobs for attempt in job.attempts}
        recent = self._clock.now_ms() - self._policy.rebroadcast_after_ms
        self._broadcast_at = {k: at for k, at in self._broadcast_at.items() if k in live or at > recent}


def lowest_free(mined_nonce: int, held: set[int]) -> int:
    """The lowest nonce that is not mined and that no stored attempt holds."""
    nonce = mined_nonce
    while nonce in held:
        nonce += 1
    return nonce


def _transfer_to_self(sender: bytes) -> Call:
    return Call(sender, b"", TRANSFER_GAS)
