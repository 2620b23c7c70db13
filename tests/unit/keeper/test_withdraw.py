"""The withdraw duty at a full outflow limit, with the world in the test's hands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from structlog.testing import capture_logs

from exchange.chain.rpc import ChainError, ExecutionReverted
from exchange.chain.submission import Call, Job, JobState
from exchange.database.jobs import MAX_GENERATIONS
from exchange.database.payouts import HeldWithdrawal, Rest
from exchange.domain.deployment import checksum
from exchange.domain.instrument import Token
from keeper.co_signer import Approval, CoSigner, Unsigned
from keeper.custody import Outflow, WithdrawCall, account_of, payment_of
from keeper.gas_budget import DAY_MS, GasLimits
from keeper.wallet_payouts import REST_MS
from keeper.withdraw import Withdraw, WithdrawPolicy, subject_of
from keeper.withdrawal import SignedWithdrawal
from tests.unit.keeper.test_settle import FakeJobs, failed
from tests.utils.submission import FakeClock

KEEPER, CUSTODY = b"\x01" * 20, b"\x02" * 20
USDC = Token(1, 0, checksum(b"\x11" * 20), 0, 6, 10)
BTC = Token(1, 1, checksum(b"\x22" * 20), 1, 8, 1)
TOKENS = (USDC, BTC)
DEADLINE = 2_000_000_000


@dataclass
class World:
    """The contract, the database and the co-signer. Amounts are ledger units by digest."""

    limits: dict[int, Outflow] = field(default_factory=dict)
    amounts: dict[bytes, tuple[Token, int]] = field(default_factory=dict)
    given: dict[bytes, int] = field(default_factory=dict)
    needed: int = 2
    noted: list[Sequence[bytes]] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    signatures: dict[bytes, bytes] = field(default_factory=dict)
    taken_back: set[bytes] = field(default_factory=set)
    reads: list[int] = field(default_factory=list)
    lost: set[bytes] = field(default_factory=set)
    gas: dict[bytes, int] = field(default_factory=dict)
    rests: dict[bytes, Rest] = field(default_factory=dict)

    def hold(self, number: int, token: Token, amount: int) -> bytes:
        digest = bytes((number,)) * 32
        self.amounts[digest] = (token, amount)
        return digest

    def signature(self, digest: bytes) -> bytes:
        return self.signatures.get(digest, b"")

    def hold_for_wallet(self, account: int, number: int, amount: int = 5) -> bytes:
        """Of a contract wallet, by a signature that is no key's."""
        digest = bytes((account,)) * 20 + bytes((number,)) * 12
        self.amounts[digest] = (USDC, amount)
        self.signatures[digest] = b"signed"
        return digest

    async def outflow(self, token_id: int) -> Outflow:
        self.reads.append(token_id)
        return self.limits.get(token_id, Outflow(0, 0))

    async def approved(self, withdrawal_hash: bytes) -> bool:
        return self.given.get(withdrawal_hash, 0) >= self.needed

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        """As the contract: each alone, at the same state."""
        (token,) = (token for token in TOKENS if bytes.fromhex(token.address[2:]) == payment_of(data)[0])
        state = self.limits.get(token.token_id, Outflow(0, 0))
        digest = next(key for key in self.amounts if data[4 + 12 : 4 + 32] == key[:20])
        fits = state.limit == 0 or state.level + self.amounts[digest][1] <= state.limit
        if not fits and not await self.approved(digest):
            raise ExecutionReverted(3, "execution reverted: withdraw: needs approvals")
        return self.gas.get(digest, 100_000)

    def call(self, data: bytes, gas: int) -> Call:
        return Call(CUSTODY, data, gas)

    async def held(self, now: int, limit: int, paused: Collection[bytes]) -> Sequence[HeldWithdrawal]:
        return [
            HeldWithdrawal(digest, digest[:20], token.asset_id, amount, DEADLINE, {}, self.signature(digest), seq)
            for seq, (digest, (token, amount)) in enumerate(self.amounts.items())
            if digest not in paused
        ]

    async def given_up(self) -> Collection[bytes]:
        return self.lost

    async def wait(self, digests: Collection[bytes]) -> None:
        self.noted.append(tuple(digests))

    async def rest(self, rests: Mapping[bytes, Rest]) -> None:
        self.rests.update(rests)

    async def approvals(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        return {digest: self.given[digest] for digest in digests if digest in self.given}

    async def approve(self, withdrawal_hash: bytes, fee: int) -> Approval:
        self.asked.append(withdrawal_hash)
        if withdrawal_hash in self.taken_back:
            raise Unsigned("the account did not sign it")
        token, amount = self.amounts[withdrawal_hash]
        address = bytes.fromhex(token.address[2:])
        signed = SignedWithdrawal(withdrawal_hash[:20], address, amount * token.unit, b"\x09" * 20, 0, 1, DEADLINE)
        return Approval(signed, b"\x05" * 65, fee, b"\x06" * 65)


@dataclass
class Desk:
    """The duty and everything around it."""

    world: World
    jobs: FakeJobs
    clock: FakeClock
    duty: Withdraw

    async def sent(self) -> list[bytes]:
        """One round: the withdrawals that it sends."""
        return [bytes.fromhex(action.key.split("/")[1]) for action in await self.duty.step()]


@pytest.fixture
def desk() -> Desk:
    world, jobs, clock = World(), FakeJobs(), FakeClock()
    duty = Withdraw(KEEPER, world, TOKENS, world, cast(CoSigner, world), jobs, clock, WithdrawPolicy())
    return Desk(world, jobs, clock, duty)


def test_a_calls_payment_is_read_back_from_its_data() -> None:
    for recipient in (b"\x44" * 20, None):
        call = WithdrawCall(b"\x03" * 20, b"\x33" * 20, 10**19, recipient, 2, 5, 9, b"\x05" * 65, 1, b"\x06" * 65)
        assert payment_of(call.data()) == (b"\x33" * 20, 10**19)


async def test_of_many_that_fit_alone_only_those_that_fit_together_are_sent(desk: Desk) -> None:
    desk.world.limits = {0: Outflow(1_000, 900)}
    digests = [desk.world.hold(number, USDC, 40) for number in range(1, 6)]
    assert await desk.sent() == digests[:2]
    assert desk.world.noted == [tuple(digests[2:])]
    assert desk.world.reads == [0]


async def test_what_is_on_its_way_uses_the_room_until_it_is_mined(desk: Desk) -> None:
    desk.world.limits = {0: Outflow(1_000, 900)}
    first, second = (desk.world.hold(number, USDC, 60) for number in (1, 2))
    assert await desk.sent() == [first]
    desk.clock.ms += 3_000
    assert await desk.sent() == []
    del desk.world.amounts[first]
    done = failed(desk.jobs.jobs[0])
    assert done.inclusion is not None
    desk.jobs.jobs[0] = replace(done, inclusion=replace(done.inclusion, succeeded=True))
    desk.world.limits = {0: Outflow(1_000, 940)}
    desk.clock.ms += 6_000
    assert await desk.sent() == [second]


async def test_an_approved_payout_needs_no_room_and_takes_none(desk: Desk) -> None:
    desk.world.limits = {0: Outflow(1_000, 900)}
    large, small = desk.world.hold(1, USDC, 500), desk.world.hold(2, USDC, 100)
    desk.world.given = {large: 2}
    assert await desk.sent() == [large, small]
    assert await desk.sent() == []
    third = desk.world.hold(3, USDC, 1)
    assert await desk.sent() == []
    assert desk.world.noted == [(third,)]


async def test_tokens_without_a_limit_and_of_other_limits_are_not_held_up(desk: Desk) -> None:
    desk.world.limits = {0: Outflow(1_000, 1_001)}
    waiting, free = desk.world.hold(1, USDC, 1), desk.world.hold(2, BTC, 10**9)
    assert await desk.sent() == [free]
    assert desk.world.noted == [(waiting,)]


async def test_the_pause_for_approvals_doubles_to_a_minute(desk: Desk) -> None:
    desk.world.limits = {0: Outflow(10, 10)}
    digest = desk.world.hold(1, USDC, 5)
    await desk.sent()
    for number, seconds in enumerate((3, 6, 12, 24, 48, 60, 60), start=1):
        desk.clock.ms += 1_000 * seconds - 1
        await desk.sent()
        assert desk.world.asked == [digest] * number
        desk.clock.ms += 1
        await desk.sent()
        assert desk.world.asked == [digest] * (number + 1)


async def test_another_approval_ends_the_pause_and_begins_it_anew(desk: Desk) -> None:
    desk.world.limits = {0: Outflow(10, 10)}
    digest = desk.world.hold(1, USDC, 5)
    for seconds in (0, 3, 6, 12):
        desk.clock.ms += 1_000 * seconds
        await desk.sent()
    assert len(desk.world.asked) == 4
    desk.world.given[digest] = 1
    assert await desk.sent() == []
    desk.clock.ms += 2_999
    await desk.sent()
    assert len(desk.world.asked) == 5
    desk.clock.ms += 1
    await desk.sent()
    assert len(desk.world.asked) == 6
    desk.world.given[digest] = 2
    assert await desk.sent() == [digest]


async def test_all_that_wait_are_noted_once_a_round(desk: Desk) -> None:
    desk.world.limits = {0: Outflow(10, 10)}
    digests = [desk.world.hold(number, USDC, 5) for number in range(1, 9)]
    await desk.sent()
    assert desk.world.noted == [tuple(digests)]


async def test_approvals_bring_back_what_was_given_up(desk: Desk) -> None:
    digest = desk.world.hold(1, USDC, 5)
    for _ in range(MAX_GENERATIONS):
        assert await desk.sent() == [digest]
        desk.jobs.jobs[-1] = replace(failed(desk.jobs.jobs[-1]), state=JobState.reverted)
    assert await desk.sent() == []
    desk.world.given[digest] = 1
    assert await desk.sent() == [digest]
    assert desk.jobs.jobs[-1].key == f"{subject_of(digest, 1)}/0"


async def test_a_job_from_before_an_approval_is_not_made_twice(desk: Desk) -> None:
    digest = desk.world.hold(1, USDC, 5)
    assert await desk.sent() == [digest]
    desk.world.given[digest] = 1
    assert await desk.sent() == []


async def test_what_was_given_up_is_said_until_it_is_not(desk: Desk) -> None:
    assert (figures(desk), desk.duty.ailment()) == ((0, 0), None)
    desk.world.lost = {b"\x02" * 32, b"\x01" * 32}
    await desk.duty.plan()
    assert figures(desk) == (2, 0)
    assert desk.duty.ailment() == f"2 withdrawals are given up, among them 0x{'01' * 32}: see the runbook"
    desk.world.lost = set()
    await desk.duty.plan()
    assert (figures(desk), desk.duty.ailment()) == ((0, 0), None)


def figures(desk: Desk) -> tuple[float, ...]:
    """How many are given up, and how many wait for gas."""
    told = desk.duty.figures()
    return tuple(told[name] for name in ("given_up_withdrawals", "gas_budget_withdrawals"))


def succeeded(job: Job) -> Job:
    """The job, mined with effect."""
    done = failed(job)
    assert done.inclusion is not None
    return replace(done, inclusion=replace(done.inclusion, succeeded=True))


async def test_a_contract_wallet_has_one_on_its_way_and_holds_nobody_up(desk: Desk) -> None:
    first, second = (desk.world.hold_for_wallet(1, number) for number in (1, 2))
    other, by_key = desk.world.hold_for_wallet(2, 1), desk.world.hold(3, USDC, 5)
    assert await desk.sent() == [first, other, by_key]
    assert await desk.sent() == []
    desk.jobs.jobs[0] = succeeded(desk.jobs.jobs[0])
    assert await desk.sent() == [second]


async def test_what_a_contract_wallet_made_fail_is_given_up_and_its_others_rest(desk: Desk) -> None:
    first, second = (desk.world.hold_for_wallet(1, number) for number in (1, 2))
    other = desk.world.hold_for_wallet(2, 1)
    assert await desk.sent() == [first, other]
    desk.jobs.jobs[0] = replace(failed(desk.jobs.jobs[0]), state=JobState.reverted)
    with capture_logs() as logs:
        assert await desk.sent() == []
    assert [(line["event"], line["log_level"]) for line in logs] == [("wallet_withdrawal_failed", "warning")]
    assert {key: rest.because for key, rest in desk.world.rests.items()} == {first: "given_up", second: "wallet_rests"}
    desk.clock.ms += REST_MS - 1
    assert await desk.sent() == []
    desk.clock.ms += 600_000
    assert await desk.sent() == [second]
    desk.jobs.jobs[2] = succeeded(desk.jobs.jobs[2])
    desk.clock.ms += REST_MS
    assert await desk.sent() == []
    desk.world.given[first] = 1
    desk.clock.ms += 600_000
    assert await desk.sent() == [first]
    assert desk.jobs.jobs[-1].key == f"{subject_of(first, 1, wallet=True)}/0"


async def test_what_a_contract_wallet_takes_back_is_not_sent_and_said_loudly(desk: Desk) -> None:
    digest, by_key = desk.world.hold_for_wallet(1, 1), desk.world.hold(3, USDC, 5)
    desk.world.taken_back = {digest}
    with capture_logs() as logs:
        assert await desk.sent() == [by_key]
    assert [line["log_level"] for line in logs if line["event"] == "withdrawal_unsigned"] == ["warning"]
    assert await desk.sent() == []
    assert desk.world.asked == [digest, by_key]
    assert desk.world.rests == {digest: Rest("unsigned", desk.clock.ms + 1_000)}
    desk.world.taken_back = set()
    desk.clock.ms += 1_000
    assert await desk.sent() == [digest]


def test_a_jobs_account_is_read_back_from_its_data() -> None:
    for recipient in (b"\x44" * 20, None):
        call = WithdrawCall(b"\x03" * 20, b"\x33" * 20, 10**19, recipient, 2, 5, 9, b"signed", 1, b"\x06" * 65)
        assert account_of(call.data()) == b"\x03" * 20


BURNT = 640_000
"""Gas of a payout whose wallet burns all it may before it says yes."""


async def burn(desk: Desk, rounds: int) -> list[bytes]:
    """Payouts of one contract wallet, one a second: those that were sent."""
    sent = []
    for number in range(1, rounds + 1):
        desk.world.gas[desk.world.hold_for_wallet(1, number)] = BURNT
        for digest in await desk.sent():
            sent.append(digest)
            done = replace(succeeded(desk.jobs.jobs[-1]), state=JobState.final, created_at=desk.clock.ms)
            desk.jobs.jobs[-1] = done
            del desk.world.amounts[digest]
        desk.clock.ms += 1_000
    return sent


async def test_a_wallet_that_burns_gas_waits_and_nobody_else_does(desk: Desk) -> None:
    began, fit = desk.clock.ms, GasLimits().wallet // (BURNT + BURNT // 4)
    with capture_logs() as logs:
        sent = await burn(desk, fit + 2)
    assert len(sent) == fit == 6
    assert [line["log_level"] for line in logs if line["event"] == "withdrawal_over_gas_budget"] == ["warning"] * 2
    until = began + DAY_MS
    assert set(desk.world.rests.values()) == {Rest("gas_budget", until)}
    assert figures(desk) == (0, 2)
    other, by_key = desk.world.hold_for_wallet(2, 1), desk.world.hold(3, USDC, 5)
    assert await desk.sent() == [other, by_key]
    desk.clock.ms = until - 1
    assert await desk.sent() == []
    desk.clock.ms = until
    (again,) = await desk.sent()
    assert again not in sent
    assert figures(desk) == (0, 0)


async def test_rounds_that_fail_use_up_no_gas(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    digest, broken = desk.world.hold_for_wallet(1, 1), desk.world.hold_for_wallet(2, 1)
    desk.world.gas[digest] = BURNT
    approve = desk.world.approve

    async def fail(withdrawal_hash: bytes, fee: int) -> Approval:
        if withdrawal_hash == broken:
            raise ChainError("the node is away")
        return await approve(withdrawal_hash, fee)

    with monkeypatch.context() as patch:
        patch.setattr(desk.world, "approve", fail)
        for _ in range(10):
            with pytest.raises(ChainError):
                await desk.duty.step()
    assert await desk.sent() == [digest, broken]


async def test_another_keeper_knows_what_was_spent(desk: Desk) -> None:
    await burn(desk, 6)
    waiting = desk.world.hold_for_wallet(1, 7)
    desk.world.gas[waiting] = BURNT
    policy = WithdrawPolicy()
    next_one = Withdraw(
        KEEPER, desk.world, TOKENS, desk.world, cast(CoSigner, desk.world), desk.jobs, desk.clock, policy
    )
    assert await next_one.step() == []
    assert desk.world.rests[waiting].because == "gas_budget"
    desk.clock.ms += DAY_MS
    next_one = Withdraw(
        KEEPER, desk.world, TOKENS, desk.world, cast(CoSigner, desk.world), desk.jobs, desk.clock, policy
    )
    assert len(await next_one.step()) == 1


async def test_an_account_with_a_key_waits_as_well_when_it_withdraws_without_end(desk: Desk) -> None:
    fit = GasLimits().account // 125_000
    for number in range(fit + 1):
        digest = b"\x03" * 20 + number.to_bytes(12)
        desk.world.amounts[digest] = (USDC, 1)
    assert len(await desk.sent()) == fit
    assert [rest.because for rest in desk.world.rests.values()] == ["gas_budget"]
