"""The custody contract again, in plain Python: the specification that the stateful machine holds it against.

Amounts are ledger units, accounts are names, times are seconds. A method raises `Refused` with the contract's reason
before it changes anything, or changes everything that the contract should change.
"""

import copy
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exchange.domain.deployment import Windows
from exchange.domain.order import SINGLE_FILL, Order, Side

LIMIT = 2**63 - 1
STEP = 2**44
MONTH, DAY = 30 * 86_400, 86_400
ETHER = 1
NO_END = 2**40 - 1
REFUSAL = "b''"  # what a receiver that refuses ETH says


Message = tuple[str, int, int, str | None, int, int, int]
"""A fast withdrawal as its account signs it: account, token, amount, recipient, max_fee, nonce, deadline."""


class Refused(Exception):
    """The contract should revert with this reason."""


def check(fact: bool, reason: str) -> None:
    """Refuse unless `fact` holds."""
    if not fact:
        raise Refused(reason)


@dataclass
class Account:
    """What the contract knows of one account."""

    min_nonce: int = 0
    pending: tuple[int, int] = (0, 0)  # min_nonce, at
    exit_at: int = 0
    delegation_nonce: int = 0
    filled: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # lots, by multi-fill nonce
    closed: set[int] = field(default_factory=set)  # nonces that were filled whole or executed once
    cancelled_at: dict[int, int] = field(default_factory=dict)
    delegates: dict[str, list[int]] = field(default_factory=dict)  # markets, expiry, revoked_at
    requests: dict[int, tuple[str, int, int, int]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    frozen_at: int = 0
    frozen_until: int = 0
    freezes: int = 0
    allow_list_until: int = 0
    allowed_at: dict[str, int] = field(default_factory=dict)

    def lowest(self, now: int) -> int:
        """The lowest sequence that may settle."""
        return self.pending[0] if self.pending[1] and now >= self.pending[1] else self.min_nonce


@dataclass(frozen=True)
class Row:
    """One execution: who really signed it, and what happened."""

    owner: str
    order: Order
    signer: str
    delegated: bool
    lots: int
    quote: int
    fee: int
    bulk: int = 0  # how many orders share its signature, 0 for none


@dataclass
class State:
    """Everything that a refused call leaves alone."""

    accounts: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    trading: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    funding: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    paid: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    refuses: set[str] = field(default_factory=set)  # receivers whose code takes no ETH
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    total: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    limits: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    levels: dict[int, tuple[int, int]] = field(default_factory=lambda: defaultdict(lambda: (0, 0)))  # times a day, at
    approvers: list[str] = field(default_factory=list)
    threshold: int = 0
    approved: dict[Message, set[str]] = field(default_factory=lambda: defaultdict(set))
    deposits_open: dict[int, bool] = field(default_factory=lambda: defaultdict(lambda: True))
    halted_at: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    roles: dict[str, str] = field(default_factory=dict)
    ready_at: dict[str, int] = field(default_factory=dict)
    pending_owner: str = ""
    paused_until: int = 0
    pause_ready_at: int = 0
    last_seen: int = 0
    frozen: bool = False
    seq: int = 0


class Twin:
    """The contract's rules over `State`."""

    def __init__(self, windows: Windows, pairs: dict[int, tuple[int, int]], lots: dict[int, int], now: int) -> None:
        self.windows, self.pairs, self.lots, self.now = windows, pairs, lots, now
        names = ("owner", "operator", "standby_operator", "co_signer", "guardian", "fee_account")
        self.state = State(roles={name: name for name in names}, last_seen=now)

    def run(self, call: Callable[..., None], *arguments: Any) -> str | None:
        """Make a call; the reason if it is refused."""
        before = copy.deepcopy(self.state)
        try:
            call(*arguments)
        except Refused as refused:
            self.state = before
            return str(refused)
        return None

    # money

    def _credit(self, book: dict[tuple[str, int], int], account: str, token: int, amount: int) -> None:
        book[account, token] += amount

    def _debit(self, book: dict[tuple[str, int], int], account: str, token: int, amount: int) -> None:
        name = "trading" if book is self.state.trading else "funding"
        check(book[account, token] >= amount, f"ledger: too little {name}")
        book[account, token] -= amount

    def _pay(self, recipient: str, token: int, amount: int, claimant: str) -> None:
        self.state.total[token] -= amount
        if token == ETHER and recipient in self.state.refuses:
            self.state.refused[claimant] += amount
        else:
            self.state.paid[recipient, token] += amount

    def claim_eth(self, claimant: str, recipient: str) -> None:
        self._check_recipient(claimant, recipient)
        check(self.state.refused[claimant] > 0, "claim: nothing to claim")
        check(recipient not in self.state.refuses, REFUSAL)
        self.state.paid[recipient, ETHER] += self.state.refused.pop(claimant)

    def check_running(self) -> None:
        """Neither frozen nor paused."""
        check(not self.state.frozen, "custody: frozen")
        check(self.now >= self.state.paused_until, "custody: paused")

    def _wrong_signer(self, account: str) -> str:
        """An account with code is asked (EIP-1271); the only code here refuses."""
        return "signature: wallet refused" if account in self.state.refuses else "signature: wrong signer"

    def _check_signature(self, account: str, signer: str) -> None:
        check(signer == account, self._wrong_signer(account))

    def deposit(self, account: str, token: int, amount: int, to_funding: bool) -> None:
        self.check_running()
        check(self.state.deposits_open[token], "token: deposits closed")
        check(amount > 0, "amount: zero")
        self.state.total[token] += amount
        self._credit(self.state.funding if to_funding else self.state.trading, account, token, amount)
        if not to_funding:
            self._enter(token, amount)

    def move_to_trading(self, account: str, token: int, amount: int) -> None:
        check(amount > 0, "amount: zero")
        self._check_thawed(account)
        self._debit(self.state.funding, account, token, amount)
        self._credit(self.state.trading, account, token, amount)
        self._enter(token, amount)

    def withdraw_funding(self, account: str, token: int, amount: int, recipient: str) -> None:
        check(amount > 0, "amount: zero")
        self._check_thawed(account)
        self._check_recipient(account, recipient)
        self._debit(self.state.funding, account, token, amount)
        self._pay(recipient, token, amount, account)

    def withdraw(
        self,
        account: str,
        token: int,
        amount: int,
        recipient: str | None,
        max_fee: int,
        nonce: int,
        deadline: int,
        fee: int,
        signer: str,
        approver: str,
        submitter: str,
    ) -> None:
        """`recipient` None moves to funding."""
        known = self.state.accounts[account]
        self._check_signature(account, signer)
        if recipient is not None:
            self._check_recipient(account, recipient)
        self._check_thawed(account)
        check(self.now <= deadline, "withdraw: past the deadline")
        check(fee <= max_fee and fee <= amount, "withdraw: fee over the cap")
        check(approver == self.state.roles["co_signer"], "withdraw: not approved")
        check(nonce not in known.used, "withdraw: nonce used")
        known.used.add(nonce)
        check(amount > 0, "amount: zero")
        self._debit(self.state.trading, account, token, amount)
        self._leave(token, amount, (account, token, amount, recipient, max_fee, nonce, deadline))
        if recipient is None:
            self._credit(self.state.funding, account, token, amount - fee)
        else:
            self._pay(recipient, token, amount - fee, account)
        self._pay(submitter, token, fee, submitter)

    # outflow limits and approvals

    def level(self, token: int) -> int:
        """The level now, in ledger units times seconds of a day."""
        level, at = self.state.levels[token]
        return max(0, level - self.state.limits[token] * (self.now - at))

    def _leave(self, token: int, amount: int, message: Message) -> None:
        if not self.state.limits[token]:
            return
        level = self.level(token) + amount * DAY
        if level <= self.state.limits[token] * DAY:
            self.state.levels[token] = level, self.now
        else:
            check(len(self.given(message)) >= self.state.threshold, "withdraw: needs approvals")

    def given(self, message: Message) -> set[str]:
        """Which of today's approvers have approved."""
        return self.state.approved[message] & set(self.state.approvers)

    def _enter(self, token: int, amount: int) -> None:
        if self.state.limits[token]:
            self.state.levels[token] = max(0, self.level(token) - amount * DAY), self.now

    def set_outflow_limit(self, state: State, token: int, limit: int) -> None:
        check(not limit or bool(state.threshold), "outflow: nobody approves")
        state.levels[token] = self.level(token), self.now
        state.limits[token] = limit

    def set_approver(self, state: State, approver: str, approved: bool) -> None:
        check(approved != (approver in state.approvers), "approval: no change")
        if approved:
            keys = {state.roles[role] for role in ("operator", "standby_operator", "co_signer")}
            check(approver not in keys, "approval: holds a role")
            check(len(state.approvers) < 15, "approval: too many approvers")
            state.approvers.append(approver)
        else:
            check(len(state.approvers) > state.threshold, "approval: fewer than threshold")
            state.approvers.remove(approver)

    def set_approval_threshold(self, state: State, threshold: int) -> None:
        check(threshold <= len(state.approvers), "approval: fewer than threshold")
        check(bool(threshold) or not any(state.limits.values()), "approval: a limit is set")
        state.threshold = threshold

    def approve_withdrawal(self, message: Message, approver: str, signer: str) -> None:
        check(approver in self.state.approvers, "approval: not an approver")
        self._check_signature(approver, signer)
        check(approver not in self.state.approved[message], "approval: given before")
        self.state.approved[message].add(approver)

    # what protects an account

    def freeze_account(self, account: str, nonce: int | None, signer: str) -> None:
        """`nonce` None is the account's own call."""
        known = self.state.accounts[account]
        check(nonce is None or nonce == known.freezes, "account: wrong freeze nonce")
        self._check_signature(account, signer)
        check(known.frozen_until != NO_END, "account: frozen before")
        if self.now >= known.frozen_until:
            known.frozen_at = self.now + self.windows.delay
        known.frozen_until = NO_END
        known.freezes += 1

    def unfreeze_account(self, account: str) -> None:
        known = self.state.accounts[account]
        check(known.frozen_until == NO_END, "account: not frozen")
        known.frozen_until = self.now + self.windows.delay

    def set_allow_list(self, account: str, enabled: bool) -> None:
        known = self.state.accounts[account]
        check(enabled != (known.allow_list_until == NO_END), "allow list: no change")
        known.allow_list_until = NO_END if enabled else self.now + self.windows.delay

    def allow_recipient(self, account: str, recipient: str) -> None:
        known = self.state.accounts[account]
        check(recipient not in known.allowed_at, "allow list: no change")
        known.allowed_at[recipient] = self.now + self.windows.delay

    def disallow_recipient(self, account: str, recipient: str) -> None:
        known = self.state.accounts[account]
        check(recipient in known.allowed_at, "allow list: no change")
        del known.allowed_at[recipient]

    def _check_thawed(self, account: str) -> None:
        check(self.now >= self.state.accounts[account].frozen_until, "account: frozen")

    def _check_recipient(self, account: str, recipient: str) -> None:
        known = self.state.accounts[account]
        free = self.now >= known.allow_list_until
        check(free or self.now >= known.allowed_at.get(recipient, NO_END), "recipient: not on the allow list")

    # leaving

    def request_withdraw(self, account: str, token: int, amount: int, recipient: str) -> None:
        check(amount > 0, "amount: zero")
        self._check_recipient(account, recipient)
        requests = self.state.accounts[account].requests
        check(token not in requests or self.now > requests[token][3], "request: one is open")
        at = self.now + self.windows.delay
        requests[token] = (recipient, amount, at, at + self.windows.claim_window)

    def cancel_withdraw_request(self, account: str, token: int) -> None:
        check(token in self.state.accounts[account].requests, "request: none")
        del self.state.accounts[account].requests[token]

    def claim_withdraw(self, account: str, token: int, caller: str) -> None:
        requests = self.state.accounts[account].requests
        check(token in requests, "request: none")
        recipient, amount, claimable_at, lapses_at = requests[token]
        check(self.state.frozen or self.now >= claimable_at, "request: too early")
        check(self.now <= lapses_at, "request: lapsed")
        del requests[token]
        paid = min(amount, self.state.trading[account, token])
        check(paid == amount or caller == account, "request: less than requested")
        self._debit(self.state.trading, account, token, paid)
        self._pay(recipient, token, paid, account)

    def request_exit(self, account: str) -> None:
        check(not self.state.accounts[account].exit_at, "exit: requested before")
        self.state.accounts[account].exit_at = self.now + self.windows.delay

    def cancel_exit(self, account: str) -> None:
        check(bool(self.state.accounts[account].exit_at), "exit: not requested")
        self.state.accounts[account].exit_at = 0

    def claim_exit(self, account: str, token: int, caller: str) -> None:
        exit_at = self.state.accounts[account].exit_at
        check(bool(exit_at) or (self.state.frozen and caller == account), "exit: not requested")
        check(self.state.frozen or self.now >= exit_at, "exit: too early")
        trading, funding = self.state.trading[account, token], self.state.funding[account, token]
        check(trading + funding > 0, "exit: nothing to claim")
        self.state.trading[account, token] = self.state.funding[account, token] = 0
        self._pay(account, token, trading + funding, account)

    # cancels and delegates

    def _may_cancel(self, account: str, signer: str) -> bool:
        _, expiry, revoked_at = self.state.accounts[account].delegates.get(signer, [0, 0, 0])
        return signer == account or (not revoked_at and self.now < expiry)

    def cancel(self, account: str, nonce: int, signer: str) -> None:
        known = self.state.accounts[account]
        check(nonce not in known.cancelled_at, "cancel: posted before")
        check(self._may_cancel(account, signer), self._wrong_signer(account))
        known.cancelled_at[nonce] = self.now + self.windows.delay

    def cancel_all(self, account: str, min_nonce: int, signer: str, caller: str) -> None:
        known = self.state.accounts[account]
        binding = known.lowest(self.now)
        pending = self.now < known.pending[1]
        check(not pending or caller == account, "cancel: another is pending")
        current = known.pending[0] if pending else binding
        check(min_nonce > current, "cancel: not above the minimum")
        check(min_nonce < current + STEP, "cancel: too far")
        check(self._may_cancel(account, signer), self._wrong_signer(account))
        known.min_nonce, known.pending = binding, (min_nonce, self.now + self.windows.delay)

    def add_delegate(
        self, account: str, delegate: str, markets: int, expiry: int, nonce: int | None, signer: str
    ) -> None:
        """`nonce` None is the account's own call."""
        known = self.state.accounts[account]
        self._check_signature(account, signer)
        old_markets, old_expiry, revoked_at = known.delegates.get(delegate, [0, 0, 0])
        self._check_thawed(account)
        check(delegate != account, "delegate: bad address")
        check(not revoked_at, "delegate: revoked for ever")
        check(markets & old_markets == old_markets and expiry >= old_expiry, "delegate: may only widen")
        check(expiry > self.now, "delegate: expiry out of range")
        self._use_delegation_nonce(known, nonce)
        known.delegates[delegate] = [markets, expiry, 0]

    def revoke_delegate(self, account: str, delegate: str, nonce: int | None, signer: str) -> None:
        """`nonce` None is the account's own call."""
        known = self.state.accounts[account]
        self._check_signature(account, signer)
        markets, expiry, revoked_at = known.delegates.get(delegate, [0, 0, 0])
        check(not revoked_at, "delegate: revoked for ever")
        self._use_delegation_nonce(known, nonce)
        known.delegates[delegate] = [markets, expiry, self.now + self.windows.delay]

    def _use_delegation_nonce(self, known: Account, nonce: int | None) -> None:
        chosen = known.delegation_nonce + 1 if nonce is None else nonce
        check(chosen > known.delegation_nonce, "delegate: nonce too low")
        check(chosen < known.delegation_nonce + STEP, "delegate: nonce too high")
        known.delegation_nonce = chosen

    # settlement

    def settle(self, caller: str, rows: list[Row]) -> None:
        check(caller == self.state.roles["operator"], "operator: not the operator")
        self.check_running()
        self.state.seq += 1
        self.state.last_seen = self.now
        market = 0
        sums: dict[str, int] = defaultdict(int)
        for row in rows:
            if row.order.market != market:
                self._close_market(market, sums)
                market, sums = row.order.market, defaultdict(int)
                halted_at = self.state.halted_at[market]
                check(not halted_at or self.now < halted_at, "market: halted")
            self._execute(row)
            sign = -1 if row.order.side == Side.sell else 1
            sums["lots"] += sign * row.lots
            sums["quote"] += sign * row.quote
            sums["fees"] += row.fee
        self._close_market(market, sums)

    def _close_market(self, market: int, sums: dict[str, int]) -> None:
        check(sums["lots"] == 0 and sums["quote"] == 0, "settle: sums differ")
        if sums["fees"]:
            self._credit(self.state.trading, self.state.roles["fee_account"], self.pairs[market][1], sums["fees"])

    def _execute(self, row: Row) -> None:
        order = row.order
        known = self.state.accounts[row.owner]
        sells = order.side == Side.sell
        worst = order.price * row.lots
        check(row.quote >= worst if sells else row.quote <= worst, f"order: price too {'low' if sells else 'high'}")
        check(row.fee * 10_000 <= row.quote * order.max_fee_bps, "order: fee over the cap")
        check(self.now <= order.expiry + self.windows.grace, "order: expired")
        check(order.expiry <= self.now + MONTH, "order: expiry too far")
        self._check_signer(row, known)
        self._use(known, order, row.lots)
        base, quote = self.pairs[order.market]
        amount = row.lots * self.lots[order.market]
        if sells:
            self._debit(self.state.trading, row.owner, base, amount)
            self._credit(self.state.trading, row.owner, quote, row.quote - row.fee)
        else:
            self._debit(self.state.trading, row.owner, quote, row.quote + row.fee)
            self._credit(self.state.trading, row.owner, base, amount)
        check(order.nonce & ~SINGLE_FILL >= known.lowest(self.now), "order: nonce closed")
        check(not known.exit_at or self.now < known.exit_at, "order: account exited")
        check(self.now < known.cancelled_at.get(order.nonce, self.now + 1), "order: cancelled")
        check(not known.frozen_at <= self.now < known.frozen_until, "order: account frozen")

    def _use(self, known: Account, order: Order, lots: int) -> None:
        nonce = order.nonce
        if nonce & SINGLE_FILL:
            check(nonce not in known.closed, "order: executed before")
            check(lots <= order.quantity, "order: overfilled")
            known.closed.add(nonce)
            return
        check(nonce not in known.closed, "order: nonce filled")
        check(known.filled[nonce] + lots <= order.quantity, "order: overfilled")
        known.filled[nonce] += lots
        if known.filled[nonce] == order.quantity:
            known.closed.add(nonce)

    def _check_signer(self, row: Row, known: Account) -> None:
        if not row.delegated:
            check(row.signer == row.owner, "order: wrong signer")
            return
        check(row.order.expiry <= self.now + DAY, "order: expiry too far")
        check(row.signer in known.delegates, "delegate: unknown")
        markets, expiry, revoked_at = known.delegates[row.signer]
        check(bool(markets >> row.order.market & 1), "delegate: out of scope")
        check(row.order.expiry <= expiry, "delegate: order outlives key")
        check(not revoked_at or self.now < revoked_at, "delegate: revoked")

    # running

    def heartbeat(self, caller: str) -> None:
        check(caller == self.state.roles["operator"], "operator: not the operator")
        check(not self.state.frozen, "custody: frozen")
        self.state.last_seen = self.now

    def freeze(self) -> None:
        check(not self.state.frozen, "freeze: done before")
        check(self.now > self.state.last_seen + self.windows.silence, "freeze: operator was seen")
        self.state.frozen = True

    def pause(self, caller: str, duration: int) -> None:
        check(caller == self.state.roles["guardian"], "guardian: not the guardian")
        check(not self.state.frozen, "pause: frozen")
        check(0 < duration <= self.windows.pause_max, "pause: duration out of range")
        check(self.now >= self.state.pause_ready_at, "pause: too soon after another")
        self.state.paused_until = self.now + duration
        self.state.pause_ready_at = self.state.paused_until + self.windows.delay + self.windows.grace

    def unpause(self, caller: str) -> None:
        check(caller == self.state.roles["guardian"], "guardian: not the guardian")
        check(not self.state.frozen, "pause: frozen")
        check(self.now < self.state.paused_until, "pause: not paused")
        self.state.paused_until = 0

    def remove_operator(self, caller: str) -> None:
        roles = self.state.roles
        check(caller == roles["guardian"], "guardian: not the guardian")
        roles["operator"], roles["standby_operator"] = roles["standby_operator"], ""

    # owner

    def schedule(self, caller: str, operation: str, ready_at: int | None) -> None:
        """`ready_at` None unschedules."""
        check(caller == self.state.roles["owner"], "owner: not the owner")
        if ready_at is None:
            self.state.ready_at.pop(operation, None)
        else:
            self.state.ready_at[operation] = ready_at

    def operate(self, caller: str, operation: str, effect: Callable[[State], None]) -> None:
        """An owner's call: due, once."""
        check(caller == self.state.roles["owner"], "owner: not the owner")
        check(operation in self.state.ready_at, "owner: not scheduled")
        check(self.now >= self.state.ready_at[operation], "owner: too early")
        check(self.now <= self.state.ready_at[operation] + 14 * DAY, "owner: lapsed")
        del self.state.ready_at[operation]
        effect(self.state)

    def accept_owner(self, caller: str) -> None:
        check(bool(caller) and caller == self.state.pending_owner, "owner: not proposed")
        self.state.roles["owner"], self.state.pending_owner = caller, ""
