"""The sweep duty's decisions, with the world in the test's hands."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from exchange.chain.rpc import ExecutionReverted
from exchange.chain.submission import Call, Inclusion, JobState
from exchange.domain.eip712 import keccak
from keeper.deposit_addresses import Lying
from keeper.sweep import Sweep, SweepPolicy
from tests.unit.keeper.test_settle import FakeJobs
from tests.utils.submission import FakeClock

SWEEPER, FACTORY = b"\x01" * 20, b"\x02" * 20
USDC, ETH = 0, 1
FLOORS = {USDC: 1_000, ETH: 50}
FIRST, SECOND, THIRD = (bytes((number,)) * 20 for number in (7, 8, 9))


@dataclass
class FakeAddresses:
    """What lies where; calls for accounts in `refusing` revert."""

    amounts: dict[tuple[bytes, int], int] = field(default_factory=dict)
    refusing: set[bytes] = field(default_factory=set)
    number: int = 100
    looks: list[Sequence[bytes]] = field(default_factory=list)
    estimates: int = 0

    async def lying(self, accounts: Sequence[bytes]) -> list[Lying]:
        self.looks.append(accounts)
        return [
            Lying(account, token, amount, self.number)
            for (account, token), amount in self.amounts.items()
            if account in accounts
        ]

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        assert sender == SWEEPER
        self.estimates += 1
        if data[16:36] in self.refusing:
            raise ExecutionReverted(3, "execution reverted: custody: paused")
        return 100_000

    def call(self, data: bytes, gas: int) -> Call:
        return Call(FACTORY, data, gas)


@dataclass
class FakeWatched:
    """Who asked."""

    accounts: list[bytes]

    async def watched(self, after: bytes, limit: int) -> list[bytes]:
        return [account for account in sorted(self.accounts) if account > after][:limit]

    async def count(self) -> int:
        return len(self.accounts)


@dataclass
class Desk:
    """The duty and everything around it."""

    chain: FakeAddresses
    watched: FakeWatched
    jobs: FakeJobs
    clock: FakeClock
    duty: Sweep

    async def rounds(self, count: int) -> list[str]:
        """The keys of what some rounds queue, each a second after the other."""
        keys = []
        for _ in range(count):
            self.clock.ms += 1_000
            keys += [action.key for action in await self.duty.step()]
        return keys


def make_desk(accounts_at_once: int = 100) -> Desk:
    chain, watched, jobs, clock = FakeAddresses(), FakeWatched([FIRST, SECOND, THIRD]), FakeJobs(), FakeClock()
    policy = SweepPolicy(FLOORS, accounts_at_once, interval_ms=1_000, first_pause_ms=4_000, longest_pause_ms=60_000)
    return Desk(chain, watched, jobs, clock, Sweep(SWEEPER, chain, watched, jobs, clock, policy))


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def mined(desk: Desk, succeeded: bool) -> None:
    """All jobs stand in a block."""
    inclusion = Inclusion(b"\x07" * 32, 101, bytes(32), succeeded, 1)
    desk.jobs.jobs = [replace(job, state=JobState.mined, inclusion=inclusion) for job in desk.jobs.jobs]


async def test_what_reaches_its_floor_is_swept(desk: Desk) -> None:
    desk.chain.amounts = {(FIRST, USDC): 1_000, (SECOND, USDC): 999, (SECOND, ETH): 50, (THIRD, ETH): 49}
    assert await desk.rounds(1) == [f"sweep/{FIRST.hex()}/0/100", f"sweep/{SECOND.hex()}/1/100"]
    selector = keccak(b"sweep(address,uint256)")[:4]
    words = [b"\0" * 12 + FIRST + USDC.to_bytes(32), b"\0" * 12 + SECOND + ETH.to_bytes(32)]
    assert [job.call for job in desk.jobs.jobs] == [Call(FACTORY, selector + word, 125_000) for word in words]


async def test_nothing_is_done_twice_while_it_is_on_its_way(desk: Desk) -> None:
    desk.chain.amounts = {(FIRST, USDC): 5_000}
    assert len(await desk.rounds(1)) == 1
    desk.chain.number += 1
    desk.jobs.jobs = [replace(desk.jobs.jobs[0], state=JobState.sent)]
    assert await desk.rounds(3) == []


async def test_what_comes_after_a_sweep_is_swept_before_that_is_final(desk: Desk) -> None:
    desk.chain.amounts = {(FIRST, USDC): 5_000}
    await desk.rounds(1)
    mined(desk, succeeded=True)
    desk.chain.number = 102
    assert await desk.rounds(1) == [f"sweep/{FIRST.hex()}/0/102"]


async def test_a_sweep_without_effect_is_not_repeated_until_it_is_final(desk: Desk) -> None:
    desk.chain.amounts = {(FIRST, USDC): 5_000}
    await desk.rounds(1)
    mined(desk, succeeded=False)
    desk.chain.number = 102
    assert await desk.rounds(2) == []
    desk.jobs.jobs = [replace(desk.jobs.jobs[0], state=JobState.reverted)]
    assert await desk.rounds(1) == [f"sweep/{FIRST.hex()}/0/102"]


async def test_a_refusal_pauses_that_one_for_longer_each_time(desk: Desk) -> None:
    desk.chain.amounts = {(FIRST, USDC): 5_000, (SECOND, USDC): 5_000}
    desk.chain.refusing = {FIRST}
    assert await desk.rounds(1) == [f"sweep/{SECOND.hex()}/0/100"]
    desk.chain.amounts = {(FIRST, USDC): 5_000}
    await desk.rounds(30)
    assert desk.chain.estimates == 2 + 3  # after 4, 12 and 28 seconds
    assert desk.duty.figures()["refused_sweeps"] == 1
    desk.chain.refusing = set()
    assert await desk.rounds(33) == [f"sweep/{FIRST.hex()}/0/100"]


async def test_a_refusal_is_forgotten_when_the_money_went_another_way(desk: Desk) -> None:
    desk.chain.amounts, desk.chain.refusing = {(FIRST, USDC): 5_000}, {FIRST}
    await desk.rounds(1)
    desk.chain.amounts = {}
    await desk.rounds(130)
    assert desk.duty.figures()["refused_sweeps"] == 0


async def test_accounts_are_looked_at_in_turn() -> None:
    desk = make_desk(accounts_at_once=2)
    await desk.rounds(4)
    assert desk.chain.looks == [[FIRST, SECOND], [THIRD], [FIRST, SECOND], [THIRD]]
    assert desk.duty.figures()["watched_addresses"] == 3


async def test_a_full_last_page_is_followed_by_the_first() -> None:
    desk = make_desk(accounts_at_once=3)
    await desk.rounds(3)
    assert desk.chain.looks == [[FIRST, SECOND, THIRD], [], [FIRST, SECOND, THIRD]]


async def test_rounds_keep_their_distance(desk: Desk) -> None:
    await desk.rounds(1)
    desk.clock.ms += 999
    await desk.duty.step()
    assert len(desk.chain.looks) == 1
