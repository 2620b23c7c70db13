"""Which held withdrawals the withdraw duty looks at, when there are more than it takes at once."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.database import approvals, payouts
from exchange.database.jobs import MAX_GENERATIONS
from exchange.database.payouts import HeldWithdrawal, Rest
from exchange.database.tables import account, asset, job, payout_rest, payout_wait, withdrawal, withdrawal_approval
from keeper.co_signer import Approval, CoSigner, Declined
from keeper.ports import Jobs
from keeper.withdraw import PayoutChain, Withdraw, WithdrawPolicy, subject_of
from tests.utils.submission import FakeClock

AT_ONCE = 10
HONEST = 99


@dataclass
class StubbornCoSigner:
    """Declines everything, and remembers what it was asked for."""

    asked: list[int] = field(default_factory=list)

    async def approve(self, withdrawal_hash: bytes, fee: int) -> Approval:
        self.asked.append(int.from_bytes(withdrawal_hash))
        raise Declined("not now")


class NoJobs:
    """Nothing was sent yet."""

    async def generations(self, subject: str) -> list[object]:
        return []

    async def live(self, duty: str) -> list[object]:
        return []

    async def calls_since(self, duty: str, since_ms: int) -> list[object]:
        return []


@dataclass
class HeldIn:
    """The duty's view of a database."""

    engine: AsyncEngine

    async def held(self, now: int, limit: int, paused: Collection[bytes]) -> Sequence[HeldWithdrawal]:
        async with self.engine.connect() as conn:
            return await payouts.held(conn, now, limit, paused)

    async def approvals(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        async with self.engine.connect() as conn:
            return await approvals.counts(conn, digests)

    async def given_up(self) -> Collection[bytes]:
        return ()

    async def wait(self, digests: Collection[bytes]) -> None:
        raise AssertionError("nothing is above a limit")

    async def rest(self, rests: Mapping[bytes, Rest]) -> None:
        raise AssertionError("nothing rests for a reason")


async def hold(engine: AsyncEngine, clock: FakeClock, owners: Mapping[int, int]) -> None:
    """Hold a withdrawal by each hash of `owners` for its account, in that order."""
    accounts = [
        {"account_id": owner, "address": owner.to_bytes(20), "status": "active", "min_nonce": 0}
        for owner in sorted(set(owners.values()))
    ]
    common = {"asset_id": 0, "amount": 1, "deadline": clock.ms // 1_000 + 86_400, "message": {}, "status": "held"}
    held = [
        common
        | {"withdrawal_hash": digest.to_bytes(32), "account_id": owner, "nonce": digest, "seq": seq}
        | {"signature": b"\x01" * 65, "created_at": clock.ms}
        for seq, (digest, owner) in enumerate(owners.items(), start=1)
    ]
    async with engine.begin() as conn:
        await conn.execute(insert(asset).values(asset_id=0, symbol="USDC", decimals=6))
        await conn.execute(insert(account), accounts)
        await conn.execute(insert(withdrawal), held)


def duty_of(engine: AsyncEngine, clock: FakeClock, co_signer: StubbornCoSigner) -> Withdraw:
    return Withdraw(
        b"\x01" * 20,
        cast(PayoutChain, None),
        (),
        HeldIn(engine),
        cast(CoSigner, co_signer),
        cast(Jobs, NoJobs()),
        clock,
        WithdrawPolicy(at_once=AT_ONCE),
    )


async def test_an_account_cannot_hide_the_withdrawals_of_others(engine: AsyncEngine) -> None:
    clock, co_signer = FakeClock(), StubbornCoSigner()
    await hold(engine, clock, dict.fromkeys(range(1, 3 * AT_ONCE), 1) | {HONEST: 2})
    await duty_of(engine, clock, co_signer).plan()
    assert len(co_signer.asked) == AT_ONCE
    assert co_signer.asked[:2] == [1, HONEST]


async def test_accounts_that_cannot_be_paid_leave_room_to_others(engine: AsyncEngine) -> None:
    clock, co_signer = FakeClock(), StubbornCoSigner()
    await hold(engine, clock, {digest: digest for digest in range(1, 3 * AT_ONCE)} | {HONEST: HONEST})
    duty = duty_of(engine, clock, co_signer)
    for _ in range(3):
        await duty.plan()
    assert co_signer.asked == [*range(1, 3 * AT_ONCE), HONEST]


async def test_all_that_wait_are_noted_and_what_waits_no_more_is_forgotten(engine: AsyncEngine) -> None:
    await hold(engine, FakeClock(), {7: 1, 8: 2, 9: 3})
    first, second, third = (number.to_bytes(32) for number in (7, 8, 9))
    async with engine.begin() as conn:
        await approvals.note(conn, [first, second])
        await approvals.note(conn, [second, third])
        assert {row.withdrawal_hash for row in await approvals.waiting(conn)} == {first, second, third}
        await conn.execute(update(withdrawal).where(withdrawal.c.withdrawal_hash == first).values(status="released"))
        await approvals.note(conn, [second])
        assert set((await conn.execute(select(payout_wait.c.withdrawal_hash))).scalars()) == {second, third}
        assert await approvals.counts(conn, [first, second]) == {}


async def test_why_they_rest_is_said_while_they_are_held_and_the_keeper_goes_on_saying_it(engine: AsyncEngine) -> None:
    await hold(engine, FakeClock(), {7: 1, 8: 2, 9: 3})
    first, second, third = digests = [number.to_bytes(32) for number in (7, 8, 9)]
    later, ago = time.time_ns() // 1_000_000 + 60_000, Rest("unsigned", 5)
    async with engine.begin() as conn:
        await payouts.note_rests(
            conn, {first: Rest("wallet_rests", later), second: ago, third: Rest("given_up", later)}
        )
        assert set(await payouts.rests(conn, digests)) == {first, third}
        await payouts.note_rests(conn, {first: Rest("gas_budget", later + 1)})
        assert await payouts.rests(conn, [first, second]) == {first: Rest("gas_budget", later + 1)}
        await conn.execute(update(withdrawal).where(withdrawal.c.withdrawal_hash == third).values(status="released"))
        assert set(await payouts.rests(conn, digests)) == {first}
        await payouts.note_rests(conn, {first: ago})
        assert set((await conn.execute(select(payout_rest.c.withdrawal_hash))).scalars()) == {first, second}


async def test_given_up_is_what_had_no_effect_in_every_job_for_its_approvals(engine: AsyncEngine) -> None:
    await hold(engine, FakeClock(), {7: 1, 8: 2, 9: 3})
    first, second, third = (number.to_bytes(32) for number in (7, 8, 9))
    row = {"chain_id": 1, "sender": b"\x02" * 20, "duty": "withdraw", "state": "sent", "payload": {}}
    counts = ((first, MAX_GENERATIONS), (second, MAX_GENERATIONS - 1))
    keys = [f"{subject_of(digest, 0)}/{number}" for digest, count in counts for number in range(count)]
    async with engine.begin() as conn:
        await conn.execute(insert(job), [row | {"key": key} for key in keys])
        assert await payouts.given_up(conn) == set(), "they are on their way"
        await conn.execute(update(job).values(state="reverted", succeeded=False))
        assert await payouts.given_up(conn) == {first}
        assert await payouts.given_up(conn, [second, third]) == set()
        place = {"chain_id": 1, "block_number": 1, "block_hash": first, "log_index": 0, "tx_hash": first}
        approval = place | {"withdrawal_hash": first, "account": bytes(20), "approver": bytes(20)}
        await conn.execute(insert(withdrawal_approval).values(approval))
        assert await payouts.given_up(conn) == set(), "another approval begins anew"
        keys = [f"{subject_of(first, 1)}/{number}" for number in range(MAX_GENERATIONS)]
        await conn.execute(insert(job), [row | {"key": key, "state": "cancelled"} for key in keys])
        await conn.execute(insert(withdrawal_approval).values(approval | {"log_index": 1, "withdrawal_hash": second}))
        assert await payouts.given_up(conn) == {first}


async def test_a_pause_ends_and_doubles(engine: AsyncEngine) -> None:
    clock, co_signer = FakeClock(), StubbornCoSigner()
    await hold(engine, clock, {7: 1})
    duty = duty_of(engine, clock, co_signer)
    for wait_ms, asked in ((0, 1), (999, 1), (1, 2), (1_999, 2), (1, 3)):
        clock.ms += wait_ms
        await duty.plan()
        assert len(co_signer.asked) == asked
