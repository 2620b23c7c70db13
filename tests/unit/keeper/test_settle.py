"""The settle duty's decisions, with the world in the test's hands."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from exchange.chain.rpc import ExecutionReverted, RpcRefused
from exchange.chain.submission import Attempt, Call, Fees, Inclusion, Job, JobState, Kind
from exchange.database.batches import Batch, MatchedTrade
from exchange.database.jobs import MAX_GENERATIONS
from keeper.batching import GasModel
from keeper.custody import OUT_OF_GAS, Block, CustodyState
from keeper.growth import FRESH, LIMITS
from keeper.judging import LOOK_MS
from keeper.ports import Ledger, Verdict
from keeper.settle import Clear, Cut, Reverse, Send, Settle, SettlePolicy, Wait
from tests.unit.keeper.test_batching import trade
from tests.utils.submission import FakeClock

OPERATOR = b"\x01" * 20
CUSTODY = b"\x02" * 20
HEAD = 4 + 6 * 32  # the selector, five words and how many executions there are
PROOFS = 32  # how many hashes of paths there are: none


def markets_of(data: bytes) -> list[int]:
    """The markets of a call's executions, in their order."""
    words = data[HEAD:-PROOFS]
    return [int.from_bytes(words[place + 20 : place + 24]) for place in range(0, len(words), 192)]


def nonces_of(data: bytes) -> set[int]:
    """The nonces of a call's executions: their orders' ids."""
    words = data[HEAD:-PROOFS]
    return {int.from_bytes(words[place + 48 : place + 56]) for place in range(0, len(words), 192)}


@dataclass
class FakeCustody:
    """The contract refuses calls that carry a bad order's id in a nonce, or more executions than `room`.

    With `spends` = (market, other): it refuses what begins in `market`, which spends what `other` brings, unless a call
    before has brought it.
    """

    seq: int = 0
    head: bytes = bytes(32)
    number: int = 100
    bad: set[int] = field(default_factory=set)
    room: int = 512
    refuses_all: str | None = None
    spends: tuple[int, int] | None = None
    earned: bool = False
    each: int = 0
    """Gas that an execution needs."""
    estimates: bool = True
    simulates: bool = True
    clock: FakeClock = field(default_factory=FakeClock)
    takes_ms: int = 0
    """What a trial takes."""
    needs: dict[int, int] = field(default_factory=dict)
    """An order by the id that it has for its nonce, and the one in a batch before that brings what it spends."""

    async def state(self) -> CustodyState:
        return CustodyState(await self.block("latest"), self.seq, self.head, 1_000)

    async def block(self, place: int | str) -> Block:
        number = place if isinstance(place, int) else self.number
        return Block(number, number.to_bytes(32), 1_000)

    async def refusal(self, sender: bytes, data: bytes, gas: int | None = None) -> str | None:
        words = data[HEAD:-PROOFS]
        executions = [words[place : place + 192] for place in range(0, len(words), 192)]
        self.clock.ms += self.takes_ms
        if self.refuses_all:
            return self.refuses_all
        if self.bad & nonces_of(data):
            return "ledger: too little trading"
        if self.spends and not self.earned and markets_of(data)[:1] == [self.spends[0]]:
            return "ledger: too little trading"
        return OUT_OF_GAS if len(executions) > self.room or (gas and self.each * len(executions) > gas) else None

    async def refusal_after(
        self, before: Sequence[bytes], sender: bytes, data: bytes, gas: int, block: Block
    ) -> str | None:
        if not self.simulates:
            raise RpcRefused(-32601, "the method does not exist")
        spent = {nonce for each in before for nonce in nonces_of(each)}
        missing = {self.needs[nonce] for nonce in nonces_of(data) if nonce in self.needs} - spent - nonces_of(data)
        if missing:
            return "ledger: too little trading"
        spends = self.spends
        self.earned = spends is not None and any(spends[1] in markets_of(each) for each in before)
        try:
            return await self.refusal(sender, data, gas)
        finally:
            self.earned = False

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        if not self.estimates:
            raise RpcRefused(-32000, "the node estimates nothing today")
        if reason := await self.refusal(sender, data):
            raise ExecutionReverted(3, reason)
        return 1_000_000

    def call(self, data: bytes, gas: int) -> Call:
        return Call(CUSTODY, data, gas)


@dataclass
class FakeLedgers:
    """What the database says."""

    uncut: list[MatchedTrade] = field(default_factory=list)
    batch: Batch | None = None
    trades: list[MatchedTrade] = field(default_factory=list)
    waiting: int = 0
    later: list[tuple[Batch, list[MatchedTrade]]] = field(default_factory=list)
    """What is cut behind `batch`."""

    async def look(self, batch: int, limit: int) -> Ledger:
        found = self.batch if self.batch and self.batch.batch == batch else None
        return Ledger(self.waiting, self.batch.batch if self.batch else 0, found, self.uncut)

    async def trades_of(self, batch: int) -> Sequence[MatchedTrade]:
        return next((trades for other, trades in self.later if other.batch == batch), self.trades)

    async def cut(self, batch: int, to_seq: int) -> None:
        self.waiting = 1

    async def cut_batches(self, first: int, limit: int) -> Sequence[Batch]:
        return [batch for batch, _ in self.later if batch.batch >= first]

    async def reverse(self, verdicts: Sequence[Verdict]) -> None:
        gone = {trade_id for verdict in verdicts for trade_id in verdict.trade_ids}
        self.trades = [each for each in self.trades if each.trade_id not in gone]
        self.later = [(batch, [each for each in some if each.trade_id not in gone]) for batch, some in self.later]


@dataclass
class FakeJobs:
    """The job table."""

    jobs: list[Job] = field(default_factory=list)

    async def enqueue(self, key: str, duty: str, call: Call) -> bool:
        self.jobs.append(Job(len(self.jobs) + 1, key, duty, call, JobState.queued))
        return True

    async def generations(self, subject: str) -> list[Job]:
        return [job for job in self.jobs if job.key.rsplit("/", 1)[0] == subject]

    async def calls_since(self, duty: str, since_ms: int) -> list[tuple[int, str, Call]]:
        return [(job.created_at, job.key, job.call) for job in self.jobs if job.created_at >= since_ms]

    async def live(self, duty: str) -> list[Job]:
        live = (JobState.queued, JobState.sent, JobState.mined)
        return [job for job in self.jobs if job.state in live]

    async def request_cancel(self, job_id: int) -> None:
        self.jobs[job_id - 1] = replace(self.jobs[job_id - 1], state=JobState.cancelled)


@dataclass
class Desk:
    """The duty and everything around it."""

    chain: FakeCustody
    ledgers: FakeLedgers
    jobs: FakeJobs
    duty: Settle


@pytest.fixture
def desk() -> Desk:
    chain, ledgers, jobs = FakeCustody(), FakeLedgers(), FakeJobs()
    policy = SettlePolicy(confirmations=3, interval_ms=1_000, gas=GasModel())
    return Desk(chain, ledgers, jobs, Settle(OPERATOR, chain, ledgers, jobs, chain.clock, policy))


def failed(job: Job) -> Job:
    """The job, mined without effect."""
    attempt = Attempt(b"\x07" * 32, 0, Kind.call, Fees(1, 1), 1, b"raw", 0)
    inclusion = Inclusion(attempt.tx_hash, 99, bytes(32), False, 1)
    return replace(job, state=JobState.mined, nonce=0, attempts=(attempt,), inclusion=inclusion)


async def test_waiting_trades_are_cut_up_to_the_last_record(desk: Desk) -> None:
    desk.ledgers.uncut = [trade(1, 9, 1, 9), trade(2, 12, 2, 12), trade(3, 12, 3, 12)]
    assert await desk.duty.plan() == Cut(1, 12, 3)


async def test_young_trades_wait_for_others(desk: Desk) -> None:
    desk.ledgers.uncut = [replace(trade(1, 9, 1, 9), at_ms=desk.chain.clock.ms - 999)]
    assert await desk.duty.plan() == Wait("trades wait for others to share a batch with")


async def test_nothing_is_done_while_the_engine_has_not_answered(desk: Desk) -> None:
    desk.ledgers.uncut, desk.ledgers.waiting = [trade(1, 9, 1, 9)], 1
    assert await desk.duty.plan() == Wait("the engine has 1 commands of ours to answer")


async def test_what_fails_or_needs_too_much_gas_is_left_to_a_later_batch(desk: Desk) -> None:
    desk.ledgers.uncut = [trade(number, 10 * number, number, 100 + number) for number in range(1, 9)]
    desk.chain.bad = {6}
    assert await desk.duty.plan() == Cut(1, 50, 5)
    desk.chain.room = 6
    assert await desk.duty.plan() == Cut(1, 30, 3)


async def test_trades_that_settle_only_in_journal_order_share_a_batch(desk: Desk) -> None:
    trades = [trade(1, 9, 1, 9, market=2), trade(2, 12, 2, 12), trade(3, 15, 3, 15, market=2)]
    desk.ledgers.uncut, desk.chain.spends = trades, (1, 2)
    assert await desk.duty.plan() == Cut(1, 15, 3)
    desk.ledgers.batch, desk.ledgers.trades = Batch(1, 0, 15, bytes(32), b"\x09" * 32), trades
    action = await desk.duty.plan()
    assert isinstance(action, Send)
    assert markets_of(action.call.data) == [2, 2, 1, 1, 2, 2]


async def test_markets_are_gathered_where_that_settles(cut_desk: Desk) -> None:
    cut_desk.ledgers.trades = [trade(1, 9, 1, 9, market=2), trade(2, 12, 2, 12)]
    action = await cut_desk.duty.plan()
    assert isinstance(action, Send)
    assert markets_of(action.call.data) == [1, 1, 2, 2]


async def test_longest_run_of_either_layout_is_cut(desk: Desk) -> None:
    desk.ledgers.uncut = [
        trade(number, 10 * number, 1 + number % 2, 100 + number, market=2 - number % 2) for number in range(1, 9)
    ]
    desk.chain.room = 8
    assert await desk.duty.plan() == Cut(1, 60, 6), "two resting orders and six that come, in two sections"
    desk.chain.spends = (1, 2)
    desk.ledgers.uncut = desk.ledgers.uncut[1:]
    assert await desk.duty.plan() == Cut(1, 50, 4), "four sections of two executions"


async def test_want_of_room_in_one_layout_is_no_excuse_for_a_trade(cut_desk: Desk) -> None:
    """In the other layout the failing trade is out of room; what a batch holds must settle in one of them."""
    cut_desk.ledgers.trades = [
        trade(number, 10 * number, 1 + number % 2, 100 + number, market=2 - number % 2) for number in range(1, 5)
    ]
    cut_desk.chain.bad, cut_desk.chain.room = {104}, 7
    assert await cut_desk.duty.plan() == Wait("1 trades fail, which is not final yet")
    cut_desk.chain.number = 103
    action = await cut_desk.duty.plan()
    assert isinstance(action, Reverse)
    (verdict,) = action.verdicts
    assert verdict.trade_ids == (4,)
    assert verdict.cause.endswith("ledger: too little trading")


async def test_a_trade_that_only_has_no_room_is_not_blamed_for_the_other_layout(cut_desk: Desk) -> None:
    """By market every batch fails from what the second trade spends on; in order only four executions have room."""
    cut_desk.ledgers.trades = [
        trade(number, 10 * number, 1 + number % 2, 100 + number, market=1 + number % 2) for number in range(1, 5)
    ]
    cut_desk.chain.spends, cut_desk.chain.room = (1, 2), 4
    for number in (100, 103, 106):
        cut_desk.chain.number = number
        assert isinstance(await cut_desk.duty.plan(), Wait)


async def test_first_trade_that_fails_is_reversed_when_its_failure_is_final(desk: Desk) -> None:
    desk.ledgers.uncut = [trade(1, 9, 1, 9), trade(2, 12, 2, 12)]
    desk.chain.bad = {1}
    assert await desk.duty.plan() == Wait("1 trades fail, which is not final yet")
    assert await desk.duty.plan() == Wait("the next trade cannot settle at this block")
    desk.chain.number = 103
    cause = f"block 0x{(100).to_bytes(32).hex()}: ledger: too little trading"
    assert await desk.duty.plan() == Reverse((Verdict((1,), cause),))


async def test_no_trade_is_blamed_while_no_batch_can_settle(desk: Desk) -> None:
    desk.ledgers.uncut = [trade(1, 9, 1, 9)]
    desk.chain.refuses_all = "pausing: paused"
    assert await desk.duty.plan() == Wait("no batch can settle now: pausing: paused")


async def test_want_of_gas_is_never_a_reason_to_reverse(desk: Desk) -> None:
    desk.ledgers.uncut, desk.chain.room = [trade(1, 9, 1, 9)], 1
    for number in (100, 103, 106):
        desk.chain.number = number
        assert await desk.duty.plan() == Wait("1 trades fail, which is not final yet")


@pytest.fixture
def cut_desk(desk: Desk) -> Desk:
    """Batch 1 is cut, with two trades."""
    desk.ledgers.batch = Batch(1, 0, 12, bytes(32), b"\x09" * 32)
    desk.ledgers.trades = [trade(1, 9, 1, 9), trade(2, 12, 2, 12)]
    return desk


async def test_cut_leaves_room_for_what_users_may_make_it_cost(desk: Desk) -> None:
    """Whatever is cut is still below the cap when each execution has become dearer by all that it may."""
    desk.ledgers.uncut = [trade(number, 10 * number, number, 100 + number) for number in range(1, 110)]
    desk.chain.each = 76_000
    action = await desk.duty.plan()
    assert isinstance(action, Cut)
    worst = desk.chain.each + LIMITS + FRESH  # no deployment says where balances stand
    assert 2 * action.trades * worst < GasModel().cap < 2 * (action.trades + 2) * worst


async def test_record_that_leaves_no_room_is_cut_by_itself(desk: Desk) -> None:
    desk.ledgers.uncut = [trade(number, 10, 1, 100 + number) for number in range(1, 101)]
    desk.chain.each = 160_000
    assert await desk.duty.plan() == Cut(1, 10, 100)


async def test_sent_batch_may_use_what_it_may_come_to_need(cut_desk: Desk) -> None:
    cut_desk.ledgers.trades = [trade(number, 10 * number, number, 100 + number) for number in range(1, 51)]
    action = await cut_desk.duty.plan()
    assert isinstance(action, Send)
    assert action.call.gas > 1_000_000 + 100 * (LIMITS + FRESH)


async def test_batch_that_a_node_does_not_estimate_is_sent_with_the_cap(cut_desk: Desk) -> None:
    cut_desk.chain.estimates = False
    action = await cut_desk.duty.plan()
    assert isinstance(action, Send)
    assert action.call.gas == GasModel().cap
    cut_desk.chain.bad = {1}
    assert await cut_desk.duty.plan() == Wait("1 trades fail, which is not final yet")


async def test_cut_batch_is_sent_once(cut_desk: Desk) -> None:
    action = await cut_desk.duty.step()
    assert isinstance(action, Send)
    assert (action.key, action.call.gas) == ("settle/1/0", 1_250_000)
    assert await cut_desk.duty.step() == Wait("settle/1: on its way")


async def test_batch_that_outgrew_a_transaction_is_said_loudly_until_it_fits(cut_desk: Desk) -> None:
    cut_desk.chain.room = 3
    assert isinstance(await cut_desk.duty.plan(), Wait)
    assert cut_desk.duty.figures() == {"outgrown_batch": 1}
    assert cut_desk.duty.ailment() == "batch 1 needs more gas than a transaction may have"
    cut_desk.chain.number, cut_desk.chain.room = 101, 4
    assert isinstance(await cut_desk.duty.plan(), Send)
    assert (cut_desk.duty.figures(), cut_desk.duty.ailment()) == ({"outgrown_batch": 0}, None)


async def test_batch_that_fails_for_another_reason_has_not_outgrown_a_transaction(cut_desk: Desk) -> None:
    cut_desk.chain.bad = {2}
    assert isinstance(await cut_desk.duty.plan(), Wait)
    assert cut_desk.duty.ailment() is None


async def test_batch_without_trades_is_sent_too(cut_desk: Desk) -> None:
    cut_desk.ledgers.trades = []
    assert isinstance(await cut_desk.duty.plan(), Send)


async def test_batch_that_was_mined_without_effect_is_sent_again(cut_desk: Desk) -> None:
    await cut_desk.duty.step()
    cut_desk.jobs.jobs[0] = failed(cut_desk.jobs.jobs[0])
    action = await cut_desk.duty.plan()
    assert isinstance(action, Send)
    assert action.key == "settle/1/1"


async def test_batch_is_given_up_after_many_jobs_without_effect(cut_desk: Desk) -> None:
    job = Job(1, "settle/1/0", "settle", Call(CUSTODY, b"", 1), JobState.cancelled)
    cut_desk.jobs.jobs = [job] * MAX_GENERATIONS
    action = await cut_desk.duty.plan()
    assert action == Wait(f"settle/1: given up after {MAX_GENERATIONS} transactions without effect; see the runbook")


async def test_foreign_journal_head_stops_settlement(cut_desk: Desk) -> None:
    cut_desk.chain.head = b"\x05" * 32
    action = await cut_desk.duty.plan()
    assert action == Wait("the contract's journal head is not the one before batch 1: run the audit")


async def test_no_trade_is_reversed_before_what_could_settle_it_is_cleared(cut_desk: Desk) -> None:
    await cut_desk.duty.step()
    cut_desk.jobs.jobs[0] = failed(cut_desk.jobs.jobs[0])
    later = Job(2, "settle/2/0", "settle", Call(CUSTODY, b"", 1), JobState.sent)
    cut_desk.jobs.jobs.append(later)
    cut_desk.chain.bad = {2}
    assert isinstance(await cut_desk.duty.step(), Wait)
    cut_desk.chain.number = 103
    alive = tuple(cut_desk.jobs.jobs)
    assert await cut_desk.duty.step() == Clear(alive)
    cut_desk.chain.number = 104
    action = await cut_desk.duty.step()
    assert isinstance(action, Reverse)
    assert [verdict.trade_ids for verdict in action.verdicts] == [(2,)]
    cut_desk.chain.number = 105
    assert isinstance(await cut_desk.duty.step(), Send)


@pytest.fixture
def row_desk(cut_desk: Desk) -> Desk:
    """Batches 1, 2 and 3 are cut, with the trades 1 and 2, 3 and 4, 5; a reorg has taken back the first."""
    cut_desk.ledgers.later = [
        (Batch(2, 12, 22, b"\x09" * 32, b"\x0a" * 32), [trade(3, 20, 3, 20), trade(4, 22, 4, 22)]),
        (Batch(3, 22, 30, b"\x0a" * 32, b"\x0b" * 32), [trade(5, 30, 5, 30)]),
    ]
    return cut_desk


def reversed_ids(action: object) -> list[tuple[int, ...]]:
    assert isinstance(action, Reverse)
    return [verdict.trade_ids for verdict in action.verdicts]


async def test_all_batches_that_are_cut_are_judged_in_one_wait(row_desk: Desk) -> None:
    row_desk.chain.bad = {2, 3, 5}
    assert await row_desk.duty.plan() == Wait("3 trades fail, which is not final yet")
    row_desk.chain.number = 103
    assert reversed_ids(await row_desk.duty.step()) == [(2, 3, 5)]
    row_desk.chain.number = 104
    assert isinstance(await row_desk.duty.plan(), Send), "what can settle, settles"


async def test_what_spends_what_a_reversed_trade_would_have_brought_is_reversed_with_it(row_desk: Desk) -> None:
    row_desk.chain.bad, row_desk.chain.needs = {2}, {3: 2, 5: 4}
    await row_desk.duty.plan()
    row_desk.chain.number = 103
    assert reversed_ids(await row_desk.duty.plan()) == [(2, 3)], "trade 5 spends what trade 4 brings, which settles"


async def test_what_fails_later_than_one_that_may_come_back_waits_for_it(row_desk: Desk) -> None:
    """Trade 3 has failed long enough, but by now perhaps because of trade 2."""
    row_desk.chain.bad = {1, 3}
    await row_desk.duty.plan()
    row_desk.chain.number, row_desk.chain.bad = 102, {1, 2, 3}
    await row_desk.duty.plan()
    row_desk.chain.number = 103
    assert reversed_ids(await row_desk.duty.plan()) == [(1,)]


async def test_what_was_spent_is_undone_before_what_was_earned(row_desk: Desk) -> None:
    row_desk.chain.bad = {2}
    await row_desk.duty.plan()
    row_desk.chain.number, row_desk.chain.bad = 101, {2, 4, 5}
    await row_desk.duty.plan()
    row_desk.chain.number = 104
    assert reversed_ids(await row_desk.duty.plan()) == [(4, 5), (2,)]


async def test_node_that_simulates_no_calls_in_a_row_has_its_batches_judged_one_by_one(row_desk: Desk) -> None:
    row_desk.chain.bad, row_desk.chain.simulates = {2, 3}, False
    assert await row_desk.duty.plan() == Wait("1 trades fail, which is not final yet")
    row_desk.chain.number = 103
    assert reversed_ids(await row_desk.duty.plan()) == [(2,)]


async def test_batches_that_do_not_join_are_not_judged_together(row_desk: Desk) -> None:
    (second, trades), _ = row_desk.ledgers.later
    row_desk.ledgers.later[0] = (replace(second, prev_head=b"\x01" * 32), trades)
    row_desk.chain.bad = {2, 3}
    assert await row_desk.duty.plan() == Wait("1 trades fail, which is not final yet")


async def test_waiting_records_are_judged_in_one_wait_too(desk: Desk) -> None:
    desk.ledgers.uncut = [trade(1, 9, 1, 9), trade(2, 12, 2, 12), trade(3, 15, 3, 15)]
    desk.chain.bad = {1, 3}
    assert await desk.duty.plan() == Wait("2 trades fail, which is not final yet")
    desk.chain.number = 103
    assert reversed_ids(await desk.duty.plan()) == [(1, 3)]


async def test_look_ends_when_its_time_is_over_and_blames_what_it_saw(row_desk: Desk) -> None:
    row_desk.chain.bad, row_desk.chain.takes_ms = {1, 3}, LOOK_MS // 2
    assert await row_desk.duty.plan() == Wait("1 trades fail, which is not final yet")
