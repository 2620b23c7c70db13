"""The submitter's decisions, step by step, on a chain in memory."""

import random

import pytest

from exchange.chain.rpc import NodeUnavailable
from exchange.chain.submission import Fees, JobState, Kind
from exchange.chain.submitter import lowest_free, raised
from tests.utils.submission import CALL, GWEI, POLICY, Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    return make_bench()


async def test_job_is_sent_mined_and_final(bench: Bench) -> None:
    await bench.step()
    assert bench.job().state is JobState.sent
    bench.chain.mine()
    await bench.step()
    assert bench.job().state is JobState.mined
    bench.chain.mine(2)
    await bench.step()
    assert bench.job().state is JobState.mined
    bench.chain.mine()
    await bench.step()
    assert bench.job().state is JobState.final
    assert len(list(bench.calls_mined())) == 1


async def test_call_without_effect_ends_reverted(bench: Bench) -> None:
    await bench.step()
    bench.chain.reverting.add(bench.job().attempts[0].tx_hash)
    bench.chain.mine()
    await bench.step()
    assert bench.job().failed
    bench.chain.mine(3)
    await bench.step()
    assert bench.job().state is JobState.reverted


async def test_a_counter_raised_before_signing_never_runs_ahead(bench: Bench) -> None:
    """Another relayer counted its nonce up before it signed, and never down: each failure left a hole for ever."""
    bench.store.fail_writes = 3
    for _ in range(3):
        with pytest.raises(OSError, match="the database is away"):
            await bench.step()
    assert not bench.chain.pool
    await bench.step()
    assert bench.job().nonce == 0
    bench.store.fail_writes = 1
    await bench.store.enqueue("job/2", "test", CALL)
    with pytest.raises(OSError, match="the database is away"):
        await bench.step()
    bench.restart()
    await bench.step()
    assert bench.job(2).nonce == 1


async def test_restart_sends_the_same_bytes_again(bench: Bench) -> None:
    bench.chain.lose = True
    await bench.step()
    assert not bench.chain.pool
    bench.chain.lose = False
    bench.restart()
    await bench.step()
    assert list(bench.chain.pool) == [bench.job().attempts[0].tx_hash]
    assert len(bench.store.written) == 1


async def test_lost_broadcast_is_repeated_after_a_pause(bench: Bench) -> None:
    bench.chain.lose = True
    await bench.step()
    bench.chain.lose = False
    await bench.step(ms=500)
    assert not bench.chain.pool
    await bench.step(ms=POLICY.rebroadcast_after_ms)
    assert len(bench.chain.pool) == 1


async def test_node_that_is_away_changes_nothing(bench: Bench) -> None:
    bench.chain.down = True
    with pytest.raises(NodeUnavailable):
        await bench.step()
    assert bench.job().state is JobState.queued


async def test_slow_transaction_is_replaced_with_both_fees_raised_by_an_eighth(bench: Bench) -> None:
    await bench.step()
    await bench.step(ms=POLICY.replace_after_ms)
    first, second = bench.job().attempts
    assert first.nonce == second.nonce
    assert second.fees.max_fee * 8 >= first.fees.max_fee * 9
    assert second.fees.priority_fee * 8 >= first.fees.priority_fee * 9


async def test_tenfold_base_fee_is_met_at_once(bench: Bench) -> None:
    await bench.step()
    bench.chain.base_fee *= 10
    await bench.step()
    assert bench.job().attempts[-1].fees.max_fee >= 20 * GWEI
    bench.chain.mine()
    await bench.step()
    assert bench.job().state is JobState.mined


async def test_whichever_replacement_is_mined_counts_once(bench: Bench) -> None:
    await bench.step()
    pool = dict(bench.chain.pool)
    await bench.step(ms=POLICY.replace_after_ms)
    bench.chain.pool = pool
    bench.chain.mine()
    await bench.step()
    inclusion = bench.job().inclusion
    assert inclusion is not None
    assert inclusion.tx_hash == bench.job().attempts[0].tx_hash


async def test_at_the_cap_the_nonce_is_taken_back_and_the_job_waits_its_turn(bench: Bench) -> None:
    await bench.step()
    bench.chain.base_fee = 150 * GWEI
    for _ in range(4):
        await bench.step(ms=POLICY.replace_after_ms)
    last = bench.job().attempts[-1]
    assert last.kind is Kind.cancel
    assert last.fees.max_fee <= POLICY.cancel_max_fee
    bench.chain.mine(4)
    await bench.step()
    await bench.step()
    assert bench.job().state is JobState.queued
    assert bench.submitter.status.closed is not None
    bench.chain.base_fee = GWEI
    await bench.step()
    assert bench.job().nonce == 1
    bench.chain.mine(4)
    await bench.step()
    await bench.step()
    assert bench.job().state is JobState.final
    assert len(list(bench.calls_mined())) == 1


async def test_cancel_takes_the_nonce_back(bench: Bench) -> None:
    await bench.step()
    await bench.submitter.cancel(bench.job())
    await bench.step()
    assert [attempt.kind for attempt in bench.job().attempts] == [Kind.call, Kind.cancel]
    bench.chain.mine(4)
    await bench.step()
    await bench.step()
    assert bench.job().state is JobState.cancelled
    assert not list(bench.calls_mined())


async def test_cancel_that_comes_too_late_ends_final(bench: Bench) -> None:
    await bench.step()
    bench.chain.mine()
    await bench.submitter.cancel(bench.job())
    await bench.step()
    bench.chain.mine(3)
    await bench.step()
    assert bench.job().state is JobState.final


async def test_cancel_of_a_queued_job_ends_it_at_once(bench: Bench) -> None:
    await bench.submitter.cancel(bench.job())
    await bench.step()
    assert bench.job().state is JobState.cancelled
    assert not bench.store.written


async def test_reorg_puts_the_job_back_and_the_same_bytes_are_mined_again(bench: Bench) -> None:
    await bench.step()
    bench.chain.mine(2)
    await bench.step()
    assert bench.job().state is JobState.mined
    bench.chain.reorganise(2)
    await bench.step(ms=POLICY.rebroadcast_after_ms)
    assert bench.job().state is JobState.sent
    bench.chain.mine(4)
    await bench.step()
    await bench.step()
    assert bench.job().state is JobState.final
    assert len(bench.store.written) == 1


async def test_reorg_deeper_than_finality_brings_an_ended_job_back(bench: Bench) -> None:
    await bench.step()
    bench.chain.mine(4)
    await bench.step()
    await bench.step()
    assert bench.job().state is JobState.final
    bench.chain.reorganise(4)
    await bench.step(ms=POLICY.rebroadcast_after_ms)
    assert bench.job().state is JobState.sent
    bench.chain.mine()
    await bench.step()
    assert len(list(bench.calls_mined())) == 1


async def test_foreign_transaction_costs_the_nonce_only_once_it_is_final(bench: Bench) -> None:
    await bench.step()
    bench.chain.mine_foreign()
    await bench.step()
    assert bench.job().state is JobState.sent
    bench.chain.mine(3)
    await bench.step()
    assert bench.store.outcomes == {1: "superseded"}
    assert bench.job().nonce == 1


async def test_free_nonce_below_a_held_one_is_filled(bench: Bench) -> None:
    bench.chain.mine_foreign()
    await bench.step()
    assert bench.job().nonce == 1
    bench.chain.reorganise(1)
    for _ in range(3):
        await bench.step(ms=POLICY.rebroadcast_after_ms)
    assert bench.job(2).duty == "gap"
    assert bench.job(2).nonce == 0
    bench.chain.mine()
    await bench.step()
    assert bench.job().state is JobState.mined


async def test_guard_stops_new_jobs_but_not_those_on_their_way(bench: Bench) -> None:
    await bench.step()
    bench.guard.reason = "closed for the test"
    await bench.store.enqueue("job/2", "test", CALL)
    bench.chain.mine()
    await bench.step()
    assert bench.job(2).state is JobState.queued
    assert bench.job(1).state is JobState.mined
    assert bench.submitter.status.closed == "closed for the test"


async def test_room_bounds_what_is_unmined(bench: Bench) -> None:
    for number in range(2, 41):
        await bench.store.enqueue(f"job/{number}", "test", CALL)
    await bench.step()
    await bench.step()
    assert len(bench.chain.pool) == POLICY.in_flight


@pytest.mark.parametrize("seed", range(30))
async def test_every_job_is_mined_once_under_random_bad_luck(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(2, 21):
        await bench.store.enqueue(f"job/{number}", "test", CALL)
    bench.chain.mine(2)
    for _ in range(150):
        bench.chain.lose = chance.random() < 0.3
        bench.chain.base_fee = GWEI * chance.choice((1, 1, 1, 10))
        match chance.randrange(6):
            case 0:
                bench.restart()
            case 1:
                bench.chain.reorganise(chance.randint(1, 2))
            case 2:
                bench.chain.pool.clear()
            case _:
                bench.chain.mine()
        await bench.step(ms=chance.randrange(3_000))
    bench.chain.lose, bench.chain.base_fee = False, GWEI
    for _ in range(60):
        bench.chain.mine()
        await bench.step(ms=2_000)
    assert {job.state for job in bench.store.jobs.values()} == {JobState.final}
    assert len(set(bench.calls_mined())) == len(bench.store.jobs)


def test_replacement_fee_always_rises() -> None:
    assert [raised(fee) for fee in (0, 1, 7, 8, 100)] == [1, 2, 8, 9, 113]


def test_replacement_is_refused_beyond_the_cap_and_allowed_for_a_cancel() -> None:
    last = Fees(95 * GWEI, GWEI)
    assert POLICY.replacement(last, GWEI, Kind.call) is None
    cancel = POLICY.replacement(last, GWEI, Kind.cancel)
    assert cancel is not None
    assert cancel.max_fee == raised(95 * GWEI)


def test_lowest_free_nonce_is_derived_from_what_is_mined_and_held() -> None:
    assert lowest_free(5, set()) == 5
    assert lowest_free(5, {5, 6, 8}) == 7
    assert lowest_free(5, {3, 6}) == 5
