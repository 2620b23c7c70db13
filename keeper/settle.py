"""The settle duty: from matched trades to a final batch on the chain, one batch at a time.

Each round looks at the contract, the database and the jobs, decides on one action, and does it. The
contract says what is next: its `batch_seq` plus one. If that batch

- is not cut: the trades that wait are tried against the chain as it is, and the longest run of records that
  passes in either layout is cut. What cannot settle is thus found before it is bound to a batch;
- is cut, without a job that may still settle it: it is simulated, and sent in the first layout that passes;
- is sent: wait. The submitter sees to it, through reorgs as well.

A trade that fails is only a suspect. When it has failed ever since a block that is final by now, and no
transaction that could still settle it is alive, the engine is told to reverse it, and why. All batches that are
cut are judged in a row, and so are the first records that wait, so that one wait serves for all that fails in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import takewhile

import structlog

from exchange.chain.rpc import RpcRefused
from exchange.chain.submission import Call, Clock, Job
from exchange.database.batches import Batch, MatchedTrade
from exchange.domain.contract_refusals import contract_refusal
from exchange.domain.settlement import Execution
from keeper.batching import MAX_FILLS, GasModel, Layout, executions_of, fitting, is_one_batch, layouts_of, records
from keeper.bisection import longest_passing
from keeper.custody import HEARTBEAT_GAS, OUT_OF_GAS, Block, CustodyState, SettleCall, heartbeat_data
from keeper.generations import on_its_way
from keeper.growth import Slots, growth
from keeper.judging import Judge, Row
from keeper.ports import Jobs, Ledger, Ledgers, SettlementChain, Verdict
from keeper.suspects import Convicted, Suspects

DUTY = "settle"
TENTATIVE_HEAD = b"\xff" * 32
BATCHES_AT_ONCE = 128
"""Batches judged in a row: more than become final at once."""
RECORDS_AT_ONCE = 32
"""Waiting records judged in a row, each as a batch of its own."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SettlePolicy:
    """When to cut, and how much gas to leave.

    `interval_ms`: trades wait so long for others at most. `heartbeat_seconds`: how long the contract may go
    without a sign of the operator. `gas_margin`: of the cap on one transaction, left free at least. `slots`: where
    the markets' balances stand, which tells how much more gas a batch may come to need.
    """

    confirmations: int
    interval_ms: int = 2_000
    heartbeat_seconds: int = 3_600
    gas_margin: int = 1_500_000
    gas: GasModel = field(default_factory=GasModel)
    slots: Slots = field(default_factory=dict)

    def gas_limit(self, executions: Sequence[Execution]) -> int:
        """What a batch of several records may need when it is cut, so that it can be mined whatever users do then."""
        return self.gas.cap - max(self.gas_margin, growth(executions, self.slots))


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """Bind the trades up to `to_seq` to `batch`."""

    batch: int
    to_seq: int
    trades: int


@dataclass(frozen=True, slots=True)
class Send:
    """Put a call on the chain."""

    key: str
    call: Call


@dataclass(frozen=True, slots=True)
class Clear:
    """Take back the nonces of these jobs, before trades in their batches are reversed."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Reverse:
    """Tell the engine that trades can never settle."""

    verdicts: tuple[Verdict, ...]


Action = Wait | Cut | Send | Clear | Reverse


class Settle:
    """The duty of one operator key. `plan` decides, `act` does; running either twice is harmless."""

    name = DUTY

    def __init__(
        self,
        operator: bytes,
        chain: SettlementChain,
        ledgers: Ledgers,
        jobs: Jobs,
        clock: Clock,
        policy: SettlePolicy,
    ) -> None:
        self._operator = operator
        self._chain = chain
        self._ledgers = ledgers
        self._jobs = jobs
        self._clock = clock
        self._policy = policy
        self._suspects = Suspects()
        self._judge = Judge(operator, chain, clock, policy.gas.cap)
        self._judged_at: bytes | None = None
        self._outgrown = 0

    def figures(self) -> Mapping[str, float]:
        """`outgrown_batch`: the batch that is cut and needs more gas than a transaction may have, or 0."""
        return {"outgrown_batch": self._outgrown}

    def ailment(self) -> str | None:
        """What an operator must mend."""
        return f"batch {self._outgrown} needs more gas than a transaction may have" if self._outgrown else None

    async def step(self) -> Action:
        """One round."""
        action = await self.plan()
        await self.act(action)
        return action

    async def plan(self) -> Action:
        """What to do next. Raises ChainError and the database's errors."""
        state = await self._chain.state()
        ledger = await self._ledgers.look(state.batch_seq + 1, 2 * self._policy.gas.executions(0) + MAX_FILLS)
        if ledger.waiting:
            return Wait(f"the engine has {ledger.waiting} commands of ours to answer")
        if ledger.batch is None:
            self._outgrown = 0
        else:
            return await self._plan_batch(state, ledger.batch)
        if ledger.last_batch > state.batch_seq:
            return Wait(f"batch {state.batch_seq + 1} is missing in the database, which knows {ledger.last_batch}")
        if ledger.uncut:
            return await self._plan_cut(state, ledger)
        return await self._plan_heartbeat(state)

    async def act(self, action: Action) -> None:
        """Do it."""
        match action:
            case Cut(batch, to_seq, trades):
                log.info("batch_cut_asked", batch=batch, to_seq=to_seq, trades=trades)
                await self._ledgers.cut(batch, to_seq)
            case Send(key, call):
                if await self._jobs.enqueue(key, DUTY, call):
                    log.info("job_queued", job=key, gas=call.gas, bytes=len(call.data))
            case Clear(jobs):
                for job in jobs:
                    log.warning("job_cancelled", job=job.key)
                    await self._jobs.request_cancel(job.job_id)
            case Reverse(verdicts):
                for each in verdicts:
                    log.error("trades_reversed", trade_ids=each.trade_ids, cause=each.cause)
                await self._ledgers.reverse(verdicts)
            case Wait():
                pass

    async def _plan_cut(self, state: CustodyState, ledger: Ledger) -> Action:
        """Cut the longest run of waiting records that would settle now."""
        groups = records(ledger.uncut)
        count = fitting(groups, self._room)
        age = self._clock.now_ms() - groups[0][0].at_ms
        if count == len(groups) and age < self._policy.interval_ms:
            return Wait("trades wait for others to share a batch with")
        if self._judged_at == state.block.block_hash:
            return Wait("the next trade cannot settle at this block")

        passing = await self._longest(state, groups)
        if passing:
            chosen = [trade for group in groups[:passing] for trade in group]
            self._suspects.note(state.block, {}, _ids(chosen))
            return Cut(state.batch_seq + 1, chosen[-1].seq, len(chosen))
        return await self._judge_all(state, _as_batches(state, groups[:RECORDS_AT_ONCE]), ())

    async def _longest(self, state: CustodyState, groups: Sequence[Sequence[MatchedTrade]]) -> int:
        """How many of the first records settle together, in the layout that takes most."""
        longest = 0
        for layout in Layout:

            async def trial(some: Sequence[Sequence[MatchedTrade]], layout: Layout = layout) -> str | None:
                executions = executions_of([trade for group in some for trade in group], layout)
                # one record cannot be split; whatever it needs, it fits a transaction
                limit = self._policy.gas_limit(executions) if len(some) > 1 else self._policy.gas.cap
                return await self._refusal(state, executions, limit)

            count = fitting(groups, self._room, layout)
            if count > longest:
                longest = max(longest, await longest_passing(groups[:count], trial))
        return longest

    async def _plan_batch(self, state: CustodyState, batch: Batch) -> Action:
        """Send a batch that is cut, unless something sent before may still settle it."""
        if batch.prev_head != state.journal_head:
            return Wait(f"the contract's journal head is not the one before batch {batch.batch}: run the audit")
        subject = f"settle/{batch.batch}"
        jobs = await self._jobs.generations(subject)
        if waiting := on_its_way(jobs):
            return Wait(f"{subject}: {waiting}")
        if self._judged_at == state.block.block_hash:
            return Wait(f"batch {batch.batch} cannot settle at this block")
        trades = await self._ledgers.trades_of(batch.batch)
        call = await self._settle_call(batch, trades)
        if call is None:
            row = await self._cut_row(batch, trades)
            action = await self._judge_all(state, row, await self._later_jobs(batch.batch))
            await self._note_outgrown(state, batch, trades)
            return action
        self._outgrown = 0
        self._suspects.note(state.block, {}, _ids(trades))
        return Send(f"{subject}/{len(jobs)}", call)

    async def _note_outgrown(self, state: CustodyState, batch: Batch, trades: Sequence[MatchedTrade]) -> None:
        """Say it loudly when a batch waits for nothing but gas: no block will bring it, an operator must."""
        refusal = await self._judge.refusal(state.block, batch, trades)
        self._outgrown = batch.batch if refusal == OUT_OF_GAS else 0
        if self._outgrown:
            log.error("batch_outgrew_a_transaction", batch=batch.batch, trades=len(trades))

    async def _settle_call(self, batch: Batch, trades: Sequence[MatchedTrade]) -> Call | None:
        """The batch in the first layout that settles now, None if none does."""
        for executions in layouts_of(trades):
            data = SettleCall(batch.batch, batch.prev_head, batch.new_head, executions).data()
            gas = await self._gas_of(data)
            if gas is not None:
                spare = max(gas // 4, growth(executions, self._policy.slots))
                return self._chain.call(data, min(gas + spare, self._policy.gas.cap))
        return None

    async def _gas_of(self, data: bytes) -> int | None:
        """Gas that a call needs now, None if it would fail with all that a transaction may have.

        A node may refuse to estimate what it would run: too near the cap, or for reasons of its own.
        """
        try:
            return await self._chain.gas_of(self._operator, data)
        except RpcRefused:
            cap = self._policy.gas.cap
            return cap if await self._chain.refusal(self._operator, data, cap) is None else None

    async def _cut_row(self, batch: Batch, trades: Sequence[MatchedTrade]) -> Row:
        """This batch and those cut after it, as far as they join, each with its trades."""
        row = [(batch, trades)]
        for following in await self._ledgers.cut_batches(batch.batch + 1, BATCHES_AT_ONCE):
            last = row[-1][0]
            if (following.batch, following.prev_head) != (last.batch + 1, last.new_head):
                break
            row.append((following, await self._ledgers.trades_of(following.batch)))
        return row

    async def _judge_all(self, state: CustodyState, row: Row, later: Sequence[Job]) -> Action:
        """Find the trades that fail; wait until that is final, clear what could still settle them, reverse them."""
        self._judged_at = state.block.block_hash
        finding = await self._judge.look(state.block, row)
        if finding.blocked is not None:
            return Wait(f"no batch can settle now: {finding.blocked}")
        failing = {trade.trade_id: reason for trade, reason in finding.failing}
        blamed = {trade_id: reason for trade_id, reason in failing.items() if reason != OUT_OF_GAS}
        self._suspects.note(state.block, blamed, finding.looked)
        convicted = await self._suspects.convicted(state.block, self._policy.confirmations, self._canonical)
        for trade_id, reason in failing.items():
            code = contract_refusal(reason).code.value
            log.warning("trade_fails", trade_id=trade_id, reason=reason, code=code, final=trade_id in convicted)
        # what fails behind one that may still settle may fail because of that one
        sentenced = list(takewhile(lambda trade_id: trade_id in convicted, failing))
        if not sentenced:
            return Wait(f"{len(failing)} trades fail, which is not final yet")
        if later:
            return Clear(tuple(later))
        return Reverse(_verdicts({trade_id: convicted[trade_id] for trade_id in sentenced}))

    async def _plan_heartbeat(self, state: CustodyState) -> Action:
        """Show that the operator is there when there is nothing to settle."""
        silent = state.block.timestamp - state.last_seen
        if silent < self._policy.heartbeat_seconds:
            return Wait("nothing to settle")
        subject = f"heartbeat/{state.last_seen}"
        jobs = await self._jobs.generations(subject)
        if waiting := on_its_way(jobs):
            return Wait(f"{subject}: {waiting}")
        if refusal := await self._chain.refusal(self._operator, heartbeat_data()):
            return Wait(f"no heartbeat can be sent: {refusal}")
        return Send(f"{subject}/{len(jobs)}", self._chain.call(heartbeat_data(), HEARTBEAT_GAS))

    @property
    def _room(self) -> int:
        return self._policy.gas.executions(self._policy.gas_margin)

    async def _refusal(self, state: CustodyState, executions: tuple[Execution, ...], gas: int) -> str | None:
        if not is_one_batch(executions):
            return OUT_OF_GAS
        call = SettleCall(state.batch_seq + 1, state.journal_head, TENTATIVE_HEAD, executions)
        return await self._chain.refusal(self._operator, call.data(), gas)

    async def _later_jobs(self, batch: int) -> list[Job]:
        """The jobs of this and every later batch that may still be mined."""
        jobs = [job for job in await self._jobs.live(DUTY) if job.key.startswith("settle/")]
        return [job for job in jobs if int(job.key.split("/")[1]) >= batch]

    async def _canonical(self, block: Block) -> bool:
        try:
            return (await self._chain.block(block.number)).block_hash == block.block_hash
        except LookupError:
            return False


def _ids(trades: Sequence[MatchedTrade]) -> list[int]:
    return [trade.trade_id for trade in trades]


def _as_batches(state: CustodyState, groups: Sequence[Sequence[MatchedTrade]]) -> Row:
    """Records that wait, each as a batch of its own after those before it."""
    heads = [state.journal_head, *(sha256(TENTATIVE_HEAD + bytes((place,))).digest() for place in range(len(groups)))]
    return [
        (Batch(state.batch_seq + 1 + place, group[0].seq - 1, group[0].seq, heads[place], heads[place + 1]), group)
        for place, group in enumerate(groups)
    ]


def _verdicts(convicted: Convicted) -> tuple[Verdict, ...]:
    """One for each block and reason; the one with the latest trade first.

    So the engine undoes what was spent before what was earned, and takes nothing along that may settle.
    """
    together: dict[tuple[Block, str], list[int]] = {}
    for trade_id, why in convicted.items():
        together.setdefault(why, []).append(trade_id)
    ordered = sorted(together.items(), key=lambda item: -item[1][-1])
    return tuple(
        Verdict(tuple(trade_ids), f"block 0x{block.block_hash.hex()}: {reason}")
        for (block, reason), trade_ids in ordered
    )
