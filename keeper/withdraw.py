"""The withdraw duty: fast withdrawals that the engine holds, co-signed and put on the chain.

Anyone may submit a co-signed withdrawal; this duty does it for the user, at no fee unless one is set. What the
co-signer declines, or the contract would refuse, is tried again after a pause, until its deadline. What is above its
token's outflow limit, together with what is on its way, waits for approvals: that is noted, and looked at again when
another approval was given or the pause is over. What had no effect in as many transactions as are made for one thing
is given up, and said loudly, until another approval is given or a person has looked. What a contract
wallet signed it sends with more care (`keeper.wallet_payouts`), and for each account it pays so much gas a day
(`keeper.gas_budget`). Why something rests is noted, for its owner to read.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from exchange.chain.rpc import ExecutionReverted
from exchange.chain.submission import Call, Clock, Job
from exchange.database.jobs import WALLET_KEYS
from exchange.database.payouts import HeldWithdrawal, Rest, RestReason
from exchange.domain.contract_refusals import contract_refusal
from exchange.domain.deployment import address_bytes
from exchange.domain.errors import ErrorCode
from exchange.domain.instrument import Token
from keeper.co_signer import Approval, CoSigner, Declined, Unsigned
from keeper.custody import WithdrawCall, account_of
from keeper.gas_budget import DAY_MS, GasBudget, GasLimits, Spent
from keeper.generations import on_its_way, under_way
from keeper.ports import Jobs
from keeper.room import Outflows, Rooms
from keeper.settle import Send
from keeper.wallet_payouts import WalletPayouts, by_wallet

DUTY = "withdraw"

log = structlog.get_logger(__name__)


class _OverBudget(Exception):
    """The account's gas is used up until a time in milliseconds."""

    def __init__(self, until_ms: int) -> None:
        super().__init__(until_ms)
        self.until_ms = until_ms


class Payouts(Protocol):
    """The withdrawals that wait."""

    async def held(self, now: int, limit: int, paused: Collection[bytes]) -> Sequence[HeldWithdrawal]:
        """Held withdrawals that can still be mined at the unix second `now`, without the `paused`; accounts in turn."""

    async def given_up(self) -> Collection[bytes]:
        """Held withdrawals for which nothing is sent any more."""

    async def wait(self, digests: Collection[bytes]) -> None:
        """Note that withdrawals wait for approvals."""

    async def rest(self, rests: Mapping[bytes, Rest]) -> None:
        """Note why withdrawals, by digest, are not sent now."""

    async def approvals(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        """How many approvals each of these withdrawals was ever given; those without any may be missing."""


class PayoutChain(Outflows, Protocol):
    """The custody contract, as the withdraw duty uses it. Methods raise ChainError."""

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        """Gas that a call needs now. ExecutionReverted if it would fail."""

    def call(self, data: bytes, gas: int) -> Call:
        """A call of the contract."""


@dataclass(frozen=True, slots=True)
class WithdrawPolicy:
    """`fee` in token units; a withdrawal is left alone in its last `deadline_margin_seconds`."""

    fee: int = 0
    deadline_margin_seconds: int = 30
    at_once: int = 2_000
    first_pause_ms: int = 1_000
    longest_pause_ms: int = 300_000
    approval_pause_ms: int = 3_000
    longest_approval_pause_ms: int = 60_000
    gas: GasLimits = field(default_factory=GasLimits)


@dataclass(frozen=True, slots=True)
class _Pause:
    """`approvals` given when it began; None where approvals do not matter. `for_gas`: the budget is used up."""

    length_ms: int
    until_ms: int
    deadline: int
    approvals: int | None = None
    for_gas: bool = False


class Withdraw:
    """The duty of one keeper key. `plan` decides, `act` does; running either twice is harmless."""

    name = DUTY

    def __init__(
        self,
        keeper: bytes,
        chain: PayoutChain,
        tokens: Collection[Token],
        payouts: Payouts,
        co_signer: CoSigner,
        jobs: Jobs,
        clock: Clock,
        policy: WithdrawPolicy,
    ) -> None:
        self._keeper = keeper
        self._chain = chain
        self._tokens = {address_bytes(token.address): token for token in tokens}
        self._payouts = payouts
        self._co_signer = co_signer
        self._jobs = jobs
        self._clock = clock
        self._policy = policy
        self._pauses: dict[bytes, _Pause] = {}
        self._unnoted: set[bytes] = set()
        self._rests: dict[bytes, Rest] = {}
        self._budget: GasBudget | None = None
        self._given_up: frozenset[bytes] = frozenset()
        self._wallets = WalletPayouts()

    def figures(self) -> Mapping[str, float]:
        """How many are held for which nothing is sent any more, and how many whose accounts used up their gas."""
        for_gas = sum(pause.for_gas and self._clock.now_ms() < pause.until_ms for pause in self._pauses.values())
        return {"given_up_withdrawals": len(self._given_up), "gas_budget_withdrawals": for_gas}

    def ailment(self) -> str | None:
        """What an operator must mend."""
        if not self._given_up:
            return None
        first = min(self._given_up).hex()
        return f"{len(self._given_up)} withdrawals are given up, among them 0x{first}: see the runbook"

    async def step(self) -> Sequence[Send]:
        """One round. One that fails is no account's fault: what is left of the gas is read from the jobs again."""
        try:
            actions = await self.plan()
            for action in actions:
                await self.act(action)
        except Exception:
            self._budget = None
            raise
        return actions

    async def plan(self) -> list[Send]:
        """What can be sent now. Raises ChainError and the database's errors."""
        now = self._clock.now_ms() // 1_000 + self._policy.deadline_margin_seconds
        self._pauses = {key: pause for key, pause in self._pauses.items() if pause.deadline > now}
        await self._wake()
        await self._note_given_up()
        payouts = await self._payouts.held(now, self._policy.at_once, self._resting())
        planned = await self._plan_round(payouts) if payouts else []
        if self._unnoted:
            await self._payouts.wait(sorted(self._unnoted))
            self._unnoted.clear()
        if self._rests:
            await self._payouts.rest(self._rests)
            self._rests = {}
        return planned

    async def act(self, action: Send) -> None:
        """Queue it."""
        if await self._jobs.enqueue(action.key, DUTY, action.call):
            log.info("job_queued", job=action.key, gas=action.call.gas)

    async def _wake(self) -> None:
        """Another approval ends the pause of what waits for approvals."""
        waits = [key for key, pause in self._pauses.items() if pause.approvals is not None]
        given = await self._payouts.approvals(waits) if waits else {}
        for key in waits:
            if given.get(key, 0) != self._pauses[key].approvals:
                del self._pauses[key]

    async def _note_given_up(self) -> None:
        """Say it loudly of each once: no block will bring it, an operator must."""
        given_up = frozenset(await self._payouts.given_up())
        for digest in sorted(given_up - self._given_up):
            log.error("withdrawal_given_up", job=subject_of(digest, 0))
        self._given_up = given_up

    def _resting(self) -> list[bytes]:
        """Those whose pause is not over. They are left out before the limit, or they would hide all later ones."""
        return [key for key, pause in self._pauses.items() if self._clock.now_ms() < pause.until_ms]

    def _pause(self, payout: HeldWithdrawal, because: RestReason | None = None) -> None:
        """Each time in vain the pause doubles, so that those that cannot be paid do not hold up the others."""
        known = self._pauses.get(payout.withdrawal_hash)
        length = (
            self._policy.first_pause_ms if known is None else min(2 * known.length_ms, self._policy.longest_pause_ms)
        )
        until = self._clock.now_ms() + length
        self._pauses[payout.withdrawal_hash] = _Pause(length, until, payout.deadline)
        if because is not None:
            self._rests[payout.withdrawal_hash] = Rest(because, until)

    def _pause_for_gas(self, payout: HeldWithdrawal, until: int) -> None:
        """Until enough of what was sent for the account is a day old."""
        length = self._policy.first_pause_ms
        self._pauses[payout.withdrawal_hash] = _Pause(length, until, payout.deadline, for_gas=True)
        self._rests[payout.withdrawal_hash] = Rest("gas_budget", until)

    def _pause_for_approvals(self, payout: HeldWithdrawal, given: int) -> None:
        """It doubles as well, to less: the level drains meanwhile. Another approval begins it anew."""
        known = self._pauses.get(payout.withdrawal_hash)
        length = self._policy.approval_pause_ms
        if known is not None and known.approvals is not None:
            length = min(2 * known.length_ms, self._policy.longest_approval_pause_ms)
        self._pauses[payout.withdrawal_hash] = _Pause(length, self._clock.now_ms() + length, payout.deadline, given)

    async def _plan_round(self, payouts: Sequence[HeldWithdrawal]) -> list[Send]:
        given = await self._payouts.approvals([payout.withdrawal_hash for payout in payouts])
        live = await self._jobs.live(DUTY)
        rooms = Rooms(self._chain, self._tokens, live)
        self._wallets.begin(live, self._clock.now_ms())
        self._budget = await self._present_budget()
        planned = [await self._plan_one(payout, given.get(payout.withdrawal_hash, 0), rooms) for payout in payouts]
        return [action for action in planned if action is not None]

    async def _plan_one(self, payout: HeldWithdrawal, given: int, rooms: Rooms) -> Send | None:
        wallet = by_wallet(payout)
        subject = subject_of(payout.withdrawal_hash, given, wallet)
        for fewer in range(given):
            if under_way(await self._jobs.generations(subject_of(payout.withdrawal_hash, fewer, wallet))):
                return None
        jobs = await self._jobs.generations(subject)
        if on_its_way(jobs) or (wallet and self._holds_back(payout, subject, jobs)):
            return None
        call = await self._try_call(payout, subject, given, rooms)
        if call is None:
            return None
        if wallet:
            self._wallets.sent(payout)
        return Send(f"{subject}/{len(jobs)}", call)

    async def _try_call(self, payout: HeldWithdrawal, subject: str, given: int, rooms: Rooms) -> Call | None:
        """The call that pays it; None, and it rests, if there is none now."""
        try:
            call = await self._call(payout, rooms)
        except Unsigned as error:
            log.warning("withdrawal_unsigned", job=subject, account="0x" + payout.account.hex(), reason=str(error))
            self._pause(payout, "unsigned")
        except Declined as error:
            log.info("withdrawal_declined", job=subject, reason=str(error))
            self._pause(payout)
        except ExecutionReverted as error:
            self._refused(payout, subject, error.reason, given)
        except _OverBudget as error:
            log.warning("withdrawal_over_gas_budget", job=subject, account="0x" + payout.account.hex())
            self._pause_for_gas(payout, error.until_ms)
        else:
            if call is None:
                self._waits(payout, subject, given)
            return call
        return None

    def _holds_back(self, payout: HeldWithdrawal, subject: str, jobs: Sequence[Job]) -> bool:
        """Whether what a contract wallet signed is not sent now. What failed is told; it is held to its deadline."""
        now = self._clock.now_ms()
        if self._wallets.failed(payout, jobs, now):
            log.warning("wallet_withdrawal_failed", job=subject, account="0x" + payout.account.hex())
            self._pause(payout, "given_up")
            return True
        if self._wallets.rests(payout, now):
            self._pause(payout, "wallet_rests")
            return True
        return self._wallets.is_busy(payout)

    async def _call(self, payout: HeldWithdrawal, rooms: Rooms) -> Call | None:
        """The call that pays it, None if it waits for approvals. Raises Declined, ExecutionReverted, _OverBudget."""
        approval = await self._co_signer.approve(payout.withdrawal_hash, self._policy.fee)
        token, amount = approval.withdrawal.token, approval.withdrawal.amount
        if not await rooms.lets(token, amount, payout.withdrawal_hash):
            return None
        data = call_of(approval).data()
        gas = await self._chain.gas_of(self._keeper, data)
        call = self._chain.call(data, gas + gas // 4)
        self._pay_gas(payout, call.gas)
        await rooms.take(token, amount)
        return call

    def _pay_gas(self, payout: HeldWithdrawal, gas: int) -> None:
        """Take the gas of a call from what is paid for its account. Raises _OverBudget."""
        assert self._budget is not None, "a round reads it first"
        wallet = by_wallet(payout)
        frees_at = self._budget.frees_at(payout.account, wallet, gas)
        if frees_at:
            raise _OverBudget(frees_at)
        self._budget.spend(Spent(self._clock.now_ms(), payout.account, wallet, gas))

    async def _present_budget(self) -> GasBudget:
        """What is left of each account's gas; a new leader reads what was spent by those before."""
        now = self._clock.now_ms()
        if self._budget is None:
            calls = await self._jobs.calls_since(DUTY, now - DAY_MS)
            spent = [Spent(at, account_of(call.data), key.startswith(WALLET_KEYS), call.gas) for at, key, call in calls]
            self._budget = GasBudget(self._policy.gas, spent)
        self._budget.forget(now)
        return self._budget

    def _refused(self, payout: HeldWithdrawal, subject: str, reason: str, given: int) -> None:
        """The contract would refuse: rest, and say so where somebody must approve."""
        code = contract_refusal(reason).code
        if code == ErrorCode.needs_approvals:
            self._waits(payout, subject, given)
            return
        log.warning("withdrawal_refused", job=subject, reason=reason, code=code.value)
        self._pause(payout)

    def _waits(self, payout: HeldWithdrawal, subject: str, given: int) -> None:
        log.info("withdrawal_waits_for_approvals", job=subject, given=given)
        self._unnoted.add(payout.withdrawal_hash)
        self._pause_for_approvals(payout, given)


def subject_of(withdrawal_hash: bytes, given: int, wallet: bool = False) -> str:
    """What the jobs of a withdrawal are for. With each approval they are counted anew."""
    start = WALLET_KEYS if wallet else "withdraw/"
    return start + withdrawal_hash.hex() + (f"/{given}-approvals" if given else "")


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
