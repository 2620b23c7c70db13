"""The withdraw duty: fast withdrawals that the engine holds, co-signed and put on the chain.

Anyone may submit a co-signed withdrawal; this duty does it for the user, at no fee unless one is set. What the
co-signer declines, or the contract would refuse, is tried again after a pause, until its deadline. What is above its
token's outflow limit waits for approvals: that is noted, and looked at again soon.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from exchange.chain.rpc import ExecutionReverted
from exchange.chain.submission import Clock
from exchange.database.payouts import HeldWithdrawal
from exchange.domain.contract_refusals import contract_refusal
from exchange.domain.errors import ErrorCode
from keeper.co_signer import Approval, CoSigner, Declined
from keeper.custody import WithdrawCall
from keeper.generations import on_its_way
from keeper.ports import Jobs, SettlementChain
from keeper.settle import Send

DUTY = "withdraw"

log = structlog.get_logger(__name__)


class Payouts(Protocol):
    """The withdrawals that wait."""

    async def held(self, now: int, limit: int, paused: Collection[bytes]) -> Sequence[HeldWithdrawal]:
        """Held withdrawals that can still be mined at the unix second `now`, without the `paused`; accounts in turn."""

    async def wait(self, withdrawal_hash: bytes) -> None:
        """Note that a withdrawal waits for approvals."""


@dataclass(frozen=True, slots=True)
class WithdrawPolicy:
    """`fee` in token units; a withdrawal is left alone in its last `deadline_margin_seconds`."""

    fee: int = 0
    deadline_margin_seconds: int = 30
    at_once: int = 2_000
    first_pause_ms: int = 1_000
    longest_pause_ms: int = 300_000
    approval_pause_ms: int = 3_000


@dataclass(frozen=True, slots=True)
class _Pause:
    length_ms: int
    until_ms: int
    deadline: int


class Withdraw:
    """The duty of one keeper key. `plan` decides, `act` does; running either twice is harmless."""

    name = DUTY

    def __init__(
        self,
        keeper: bytes,
        chain: SettlementChain,
        payouts: Payouts,
        co_signer: CoSigner,
        jobs: Jobs,
        clock: Clock,
        policy: WithdrawPolicy,
    ) -> None:
        self._keeper = keeper
        self._chain = chain
        self._payouts = payouts
        self._co_signer = co_signer
        self._jobs = jobs
        self._clock = clock
        self._policy = policy
        self._pauses: dict[bytes, _Pause] = {}

    async def step(self) -> Sequence[Send]:
        """One round."""
        actions = await self.plan()
        for action in actions:
            await self.act(action)
        return actions

    async def plan(self) -> list[Send]:
        """What can be sent now. Raises ChainError and the database's errors."""
        now = self._clock.now_ms() // 1_000 + self._policy.deadline_margin_seconds
        self._pauses = {key: pause for key, pause in self._pauses.items() if pause.deadline > now}
        payouts = await self._payouts.held(now, self._policy.at_once, self._resting())
        planned = [await self._plan_one(payout) for payout in payouts]
        return [action for action in planned if action is not None]

    async def act(self, action: Send) -> None:
        """Queue it."""
        if await self._jobs.enqueue(action.key, DUTY, action.call):
            log.info("job_queued", job=action.key, gas=action.call.gas)

    def _resting(self) -> list[bytes]:
        """Those whose pause is not over. They are left out before the limit, or they would hide all later ones."""
        return [key for key, pause in self._pauses.items() if self._clock.now_ms() < pause.until_ms]

    def _pause(self, payout: HeldWithdrawal) -> None:
        """Each time in vain the pause doubles, so that those that cannot be paid do not hold up the others."""
        known = self._pauses.get(payout.withdrawal_hash)
        length = (
            self._policy.first_pause_ms if known is None else min(2 * known.length_ms, self._policy.longest_pause_ms)
        )
        self._pauses[payout.withdrawal_hash] = _Pause(length, self._clock.now_ms() + length, payout.deadline)

    async def _plan_one(self, payout: HeldWithdrawal) -> Send | None:
        subject = f"withdraw/{payout.withdrawal_hash.hex()}"
        jobs = await self._jobs.generations(subject)
        if on_its_way(jobs):
            return None
        try:
            approval = await self._co_signer.approve(payout.withdrawal_hash, self._policy.fee)
            data = call_of(approval).data()
            gas = await self._chain.gas_of(self._keeper, data)
        except Declined as error:
            log.info("withdrawal_declined", job=subject, reason=str(error))
            self._pause(payout)
            return None
        except ExecutionReverted as error:
            await self._refused(payout, subject, error.reason)
            return None
        return Send(f"{subject}/{len(jobs)}", self._chain.call(data, gas + gas // 4))

    async def _refused(self, payout: HeldWithdrawal, subject: str, reason: str) -> None:
        """The contract would refuse: rest, and say so where somebody must approve."""
        code = contract_refusal(reason).code
        if code != ErrorCode.needs_approvals:
            log.warning("withdrawal_refused", job=subject, reason=reason, code=code.value)
            self._pause(payout)
            return
        log.info("withdrawal_waits_for_approvals", job=subject)
        await self._payouts.wait(payout.withdrawal_hash)
        length = self._policy.approval_pause_ms
        self._pauses[payout.withdrawal_hash] = _Pause(length, self._clock.now_ms() + length, payout.deadline)


def call_of(approval: Approval) -> WithdrawCall:
    """The contract's call for a withdrawal that both keys signed."""
    signed = approval.withdrawal
    return WithdrawCall(
        account=signed.account,
        token=signed.token,
        amount=signed.amount,
        recipient=signed.recipient,
        max_fee=signed.max_fee,
        nonce=signed.nonce,
        deadline=signed.deadline,
        signature=approval.user_signature,
        fee=approval.fee,
        approval=approval.signature,
    )
