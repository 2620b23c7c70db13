"""A chain and a store in memory, for tests of decisions: no node, no database, no clock but the test's."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from exchange.chain.rpc import NodeUnavailable
from exchange.chain.signing import Key
from exchange.chain.submission import ENDED, Attempt, Call, Head, Inclusion, Job, JobState, Kind
from exchange.chain.submitter import Policy, Submitter

KEY = Key(b"\x01" * 32)
CALL = Call(b"\x22" * 20, b"", 21_000, 1)
GWEI = 10**9


class FakeClock:
    """Time that stands until it is told to move."""

    def __init__(self) -> None:
        self.ms = 1_000_000_000_000

    def now_ms(self) -> int:
        return self.ms


class FakeStore:
    """The tables `job` and `attempt`. `fail_writes`: so many of the next writes of attempts raise."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.written: list[Attempt] = []
        self.outcomes: dict[int, str] = {}
        self.fail_writes = 0

    async def unresolved(self, mined_nonce: int) -> list[Job]:
        held = [job for job in self.jobs.values() if job.nonce is not None]
        return [j for j in held if j.state not in ENDED or (j.nonce is not None and j.nonce >= mined_nonce)]

    async def queued(self, limit: int) -> list[Job]:
        return [job for job in self.jobs.values() if job.state is JobState.queued][:limit]

    async def enqueue(self, key: str, duty: str, call: Call) -> bool:
        if any(job.key == key for job in self.jobs.values()):
            return False
        job_id = len(self.jobs) + 1
        self.jobs[job_id] = Job(job_id, key, duty, call, JobState.queued)
        return True

    async def add_attempt(self, job: Job, attempt: Attempt) -> None:
        if self.fail_writes:
            self.fail_writes -= 1
            raise OSError("the database is away")
        now = self.jobs[job.job_id]
        attempts = (*now.attempts, attempt) if now.nonce == attempt.nonce else (attempt,)
        self.written.append(attempt)
        self._change(job, state=JobState.sent, nonce=attempt.nonce, attempts=attempts)

    async def set_mined(self, job: Job, inclusion: Inclusion) -> None:
        self._change(job, state=JobState.mined, inclusion=inclusion)

    async def set_unmined(self, job: Job) -> None:
        self._change(job, state=JobState.sent, inclusion=None)

    async def end(self, job: Job, state: JobState) -> None:
        self._change(job, state=state)

    async def requeue(self, job: Job, outcome: str) -> None:
        self.outcomes[job.job_id] = outcome
        self._change(job, state=JobState.queued, nonce=None, attempts=(), inclusion=None)

    async def request_cancel(self, job_id: int) -> None:
        job = self.jobs[job_id]
        state = JobState.cancelled if job.state is JobState.queued else job.state
        self._change(job, cancel_requested=True, state=state)

    def _change(self, job: Job, **values: object) -> None:
        self.jobs[job.job_id] = replace(self.jobs[job.job_id], **values)  # type: ignore[arg-type]


@dataclass
class FakeChain:
    """One account's nonces on a chain whose blocks the test mines. `lose` drops broadcasts, `down` answers nothing."""

    base_fee: int = GWEI
    blocks: list[list[tuple[int, bytes]]] = field(default_factory=lambda: [[]])
    pool: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    reverting: set[bytes] = field(default_factory=set)
    forks: int = 0
    lose: bool = False
    down: bool = False
    store: FakeStore | None = None
    hashes: list[bytes] = field(default_factory=lambda: [b"block 0".ljust(32)])

    async def head(self) -> Head:
        if self.down:
            raise NodeUnavailable("the node is away")
        return Head(len(self.blocks) - 1, self.hashes[-1], 1_000_000_000, self.base_fee)

    async def block_hashes(self, numbers: list[int]) -> list[bytes | None]:
        return [self.hashes[number] if number < len(self.hashes) else None for number in numbers]

    async def transaction_count(self, address: bytes, block_number: int | None = None) -> int:
        last = len(self.blocks) - 1 if block_number is None else block_number
        return sum(len(block) for block in self.blocks[: last + 1])

    async def inclusions(self, tx_hashes: list[bytes]) -> list[Inclusion | None]:
        return [self._inclusion(tx_hash) for tx_hash in tx_hashes]

    def _inclusion(self, tx_hash: bytes) -> Inclusion | None:
        for number, block in enumerate(self.blocks):
            if any(mined == tx_hash for _, mined in block):
                return Inclusion(tx_hash, number, self.hashes[number], tx_hash not in self.reverting, 21_000)
        return None

    async def send(self, raw: bytes) -> str | None:
        assert self.store is not None
        attempt = next(each for each in self.store.written if each.raw == raw)  # sent only what is written down
        if self.lose:
            return None
        for tx_hash, (nonce, fee) in list(self.pool.items()):
            if nonce == attempt.nonce and tx_hash != attempt.tx_hash:
                if attempt.fees.max_fee * 8 < fee * 9:
                    return "replacement transaction underpriced"
                del self.pool[tx_hash]
        self.pool[attempt.tx_hash] = (attempt.nonce, attempt.fees.max_fee)
        return None

    def mine(self, count: int = 1) -> None:
        """Blocks with every transaction of the pool whose turn it is and that pays the base fee."""
        for _ in range(count):
            nonce = sum(len(block) for block in self.blocks)
            block = []
            for tx_hash, (its_nonce, fee) in sorted(self.pool.items(), key=lambda item: item[1][0]):
                if its_nonce == nonce and fee >= self.base_fee:
                    block.append((nonce, tx_hash))
                    nonce += 1
            self.pool = {h: p for h, p in self.pool.items() if p[0] >= nonce}
            self._append(block)

    def mine_foreign(self) -> None:
        """A block with a transaction of the same key that we know nothing of."""
        nonce = sum(len(block) for block in self.blocks)
        self._append([(nonce, b"foreign".ljust(31) + bytes((nonce,)))])
        self.pool = {h: p for h, p in self.pool.items() if p[0] > nonce}

    def reorganise(self, depth: int) -> None:
        """Replace the last `depth` blocks by empty ones, and forget the pool."""
        del self.blocks[-depth:], self.hashes[-depth:]
        self.pool.clear()
        self.forks += 1
        for _ in range(depth):
            self._append([])

    def _append(self, block: list[tuple[int, bytes]]) -> None:
        self.blocks.append(block)
        self.hashes.append(f"block {len(self.hashes)} of fork {self.forks}".encode().ljust(32))


@dataclass
class FakeGuard:
    """Says what it is told."""

    reason: str | None = None

    async def closed(self, head: Head) -> str | None:
        return self.reason


@dataclass
class Bench:
    """A submitter with everything around it in the test's hands."""

    chain: FakeChain
    store: FakeStore
    clock: FakeClock
    guard: FakeGuard
    submitter: Submitter

    async def step(self, ms: int = 100) -> None:
        self.clock.ms += ms
        await self.submitter.step()

    def restart(self) -> None:
        """A new process: nothing in memory."""
        self.submitter = make_submitter(self.chain, self.store, self.guard, self.clock)

    def job(self, number: int = 1) -> Job:
        return self.store.jobs[number]

    def calls_mined(self) -> Iterator[bytes]:
        """The hashes of calls in the chain."""
        kinds = {attempt.tx_hash: attempt.kind for attempt in self.store.written}
        for block in self.chain.blocks:
            for _, tx_hash in block:
                if kinds.get(tx_hash) is Kind.call:
                    yield tx_hash


POLICY = Policy(3, priority_fee=GWEI, max_fee=100 * GWEI, cancel_max_fee=400 * GWEI, replace_after_ms=10_000)


def make_submitter(chain: FakeChain, store: FakeStore, guard: FakeGuard, clock: FakeClock) -> Submitter:
    return Submitter(KEY, 31_337, chain, store, guard, clock, POLICY)


def make_bench() -> Bench:
    """A fresh bench, with one job queued."""
    store, clock, guard = FakeStore(), FakeClock(), FakeGuard()
    chain = FakeChain(store=store)
    store.jobs[1] = Job(1, "job/1", "test", CALL, JobState.queued)
    return Bench(chain, store, clock, guard, make_submitter(chain, store, guard, clock))
