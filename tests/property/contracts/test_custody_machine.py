"""A stateful machine over every external function of the custody contract, beside its Python twin.

Every call either does in the contract what it does in the twin, or reverts with the twin's reason. After every step
the ledgers are equal, and the invariants L1 to L4 hold: the sum of all balances is the contract's liabilities, the
contract holds at least that much, and the sum moved by exactly the tokens that moved.
"""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RULE_MARKER,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from exchange.domain.bulk import Tree
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Side
from exchange.domain.settlement import Execution, pack
from tests.property.contracts.twin import Message, Refused, Row, State, Twin
from tests.utils.contracts import ETHER, LOTS, PAIRS, REFUSING_CODE, UNITS, World, reverts, single
from tests.utils.signing import Signer
from tests.utils.storage import Storage

TRADERS = ("trader_a", "trader_b", "trader_c")
KEYS = (*TRADERS, "delegate_a", "delegate_b")
TOKENS = st.integers(0, 3)
TRADER = st.sampled_from(TRADERS)
KEY = st.sampled_from(KEYS)
AMOUNT = st.sampled_from((0, 1, 7, 1_000, 1_000, 20_000, 20_000, 500_000, 10**9))
NONCE = st.one_of(st.integers(0, 40), st.integers(0, 40).map(single))
DELEGATION_NONCE = st.none() | st.sampled_from((*range(41), 2**45))
MOSTLY = st.sampled_from((True, True, True, True, True, False))
# who holds the role that the call needs, or somebody else
CALLER = st.sampled_from(("", "", "", "", "", "operator", "trader_a"))
ROLE = st.sampled_from(("operator", "standby_operator", "guardian"))
HOLDER = st.sampled_from(("operator", "standby_operator", "guardian", "next_a", "next_b", "approver_d"))
LIMITS = {0: 30_000, 1: 25_000}
APPROVERS = ("approver_a", "approver_b", "approver_c")
NAMED = (*APPROVERS, "approver_d", "operator", "next_a", "co_signer")
PRICE = 600
LAUNCHED: list[World] = []
# What `make test-deep` makes at least, of both machines together.
DEEP_STEPS = 200_000


@dataclass
class Steps:
    """How many steps were made, each with all that must hold after it."""

    count: int = 0


STEPS = Steps()


@cache
def address_of(name: str) -> str:
    """The address behind a name; no name is nobody."""
    return Signer(name).address if name else "0x" + "00" * 20


@pytest.fixture(scope="module", autouse=True)
def _launch() -> None:
    launch()


def launch() -> None:
    """One exchange with limits for all runs, made before the first; each run rolls back to it."""
    world = World()
    for name in APPROVERS:
        world.scheduled("set_approver", Signer(name).address, True)
    world.scheduled("set_approval_threshold", 2)
    for token, limit in LIMITS.items():
        world.scheduled("set_outflow_limit", token, limit)
    LAUNCHED[:] = [world]


class CustodyMachine(RuleBasedStateMachine):
    """Rules are thin: they draw arguments and hand the same call to both."""

    @initialize()
    def start(self) -> None:
        """Not in the constructor: instances are also made that are never torn down."""
        self.world = LAUNCHED[0]
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.custody = self.world.custody
        self.storage = Storage(self.world)
        self.twin = Twin(self.world.windows, PAIRS, LOTS, self.world.now)
        self.twin.state.last_seen = self.custody.last_seen()
        self.twin.state.approvers, self.twin.state.threshold = list(APPROVERS), 2
        self.twin.state.limits.update(LIMITS)
        self.outside = {(name, token): self.wallet(name, token) for name in KEYS for token in range(4)}
        self.fresh = 1_000
        self.totals = self.measure()
        for name in TRADERS:
            for token in range(4):
                self.deposit(name, token, 10**9, False)
                self.deposit(name, token, 10**6, True)

    def teardown(self) -> None:
        try:
            self.storage.check_views([self.address(name) for name in (*KEYS, "fee_account")])
        finally:
            self.anchor.__exit__(None, None, None)

    # both sides of a call

    def both(self, twin_call: Callable[[], None], contract_call: Callable[[], Any]) -> bool:
        """Make the call on both; whether it went through."""
        self.twin.now = self.world.now
        reason = self.twin.run(twin_call)
        if reason is None:
            contract_call()
            return True
        with reverts(reason):
            contract_call()
        return False

    def address(self, name: str) -> str:
        """The address behind a name; no name is nobody."""
        return address_of(name)

    def resolve(self, caller: str, role: str) -> str:
        """The caller, or who holds `role` when it is empty."""
        return caller or self.twin.state.roles[role] or "nobody"

    def wallet(self, name: str, token: int) -> int:
        """What a name holds outside, in token units."""
        return self.storage.wallet(self.address(name), token)

    def measure(self) -> list[tuple[int, int]]:
        """By token: the ledger's total, and what the contract holds beyond refused ETH, in token units."""
        address = str(self.custody.address)
        rows = []
        for token in range(4):
            refused = sum(self.storage.refused_eth(self.address(n)) for n in KEYS) if token == ETHER else 0
            rows.append((self.storage.liabilities(token), self.storage.wallet(address, token) - refused * UNITS[token]))
        return rows

    # money

    @rule(name=TRADER, token=TOKENS, amount=AMOUNT, to_funding=st.booleans())
    def deposit(self, name: str, token: int, amount: int, to_funding: bool) -> None:
        signer = Signer(name)
        self.world.fund(signer, token, amount)
        units = amount * UNITS[token]
        address = self.world.token_address(token)

        def call() -> None:
            if token == ETHER:
                self.custody.deposit_eth(signer.address, to_funding, value=units, sender=signer.address)
            else:
                self.custody.deposit(address, units, signer.address, to_funding, sender=signer.address)

        if not self.both(lambda: self.twin.deposit(name, token, amount, to_funding), call):
            self.outside[name, token] += units

    @rule(name=TRADER, token=st.sampled_from((0, 2, 3)), amount=AMOUNT, to_funding=st.booleans(), posted=st.booleans())
    def deposit_with_permit(self, name: str, token: int, amount: int, to_funding: bool, posted: bool) -> None:
        """`posted`: somebody has used the permit before."""
        signer, units = Signer(name), amount * UNITS[token]
        self.world.fund(signer, token, amount)
        its: Any = self.world.tokens[token]
        its.approve(self.custody.address, 0, sender=signer.address)
        permit = self.world.permit_words(signer, token, amount)
        if posted:
            its.permit(signer.address, self.custody.address, units, *permit, sender=self.address("anyone"))
        if not self.both(
            lambda: self.twin.deposit(name, token, amount, to_funding),
            lambda: self.custody.deposit_with_permit(
                its.address, units, signer.address, to_funding, *permit, sender=signer.address
            ),
        ):
            self.outside[name, token] += units

    @rule(name=TRADER, token=TOKENS, amount=AMOUNT)
    def move_to_trading(self, name: str, token: int, amount: int) -> None:
        address, units = self.world.token_address(token), amount * UNITS[token]
        self.both(
            lambda: self.twin.move_to_trading(name, token, amount),
            lambda: self.custody.move_to_trading(address, units, sender=self.address(name)),
        )

    @rule(name=TRADER, token=TOKENS, amount=AMOUNT, recipient=KEY)
    def withdraw_funding(self, name: str, token: int, amount: int, recipient: str) -> None:
        address, units, to = self.world.token_address(token), amount * UNITS[token], self.address(recipient)
        self.both(
            lambda: self.twin.withdraw_funding(name, token, amount, recipient),
            lambda: self.custody.withdraw_funding(address, units, to, sender=self.address(name)),
        )

    @rule(
        name=TRADER,
        token=TOKENS,
        amount=AMOUNT,
        recipient=st.none() | KEY,
        fees=st.sampled_from(((0, 0), (3, 3), (3, 2), (3, 2), (2, 3))),
        nonce=st.integers(0, 300),
        seconds=st.sampled_from((-1, 0, 60, 60, 60)),
        signer=KEY,
        approver=st.sampled_from(("", "", "", "", "operator")),
        honest=MOSTLY,
    )
    def withdraw(
        self,
        name: str,
        token: int,
        amount: int,
        recipient: str | None,
        fees: tuple[int, int],
        nonce: int,
        seconds: int,
        signer: str,
        approver: str,
        honest: bool,
    ) -> None:
        author = name if honest else signer
        max_fee, fee = fees
        approver = self.resolve(approver, "co_signer")
        deadline = self.world.now + seconds
        changes: dict[str, Any] = {"recipient": Signer(recipient).raw} if recipient else {"kind": "FundingTransfer"}
        arguments = self.world.withdrawal(
            Signer(author),
            token,
            amount,
            account=Signer(name).raw,
            max_fee=max_fee,
            fee=fee,
            nonce=nonce,
            deadline=deadline,
            co_signer=Signer(approver),
            **changes,
        )
        self.both(
            lambda: self.twin.withdraw(
                name, token, amount, recipient, max_fee, nonce, deadline, fee, author, approver, "delegate_b"
            ),
            lambda: self.world.withdraw(arguments, sender=Signer("delegate_b")),
        )

    @rule(
        name=TRADER,
        token=st.sampled_from((0, 0, 1, 2)),
        amount=st.sampled_from((1_000, 20_000, 500_000)),
        recipient=st.none() | KEY,
        approvals=st.lists(st.sampled_from((*APPROVERS, "approver_d")), max_size=3),
        forged=st.sampled_from((False, False, False, True)),
        by_signature=st.booleans(),
        seconds=st.sampled_from((0, 0, 3_600)),
    )
    def withdraw_with_approvals(
        self,
        name: str,
        token: int,
        amount: int,
        recipient: str | None,
        approvals: list[str],
        forged: bool,
        by_signature: bool,
        seconds: int,
    ) -> None:
        self.fresh += 1
        nonce, deadline, approver = self.fresh, self.world.now + 10_000, self.twin.state.roles["co_signer"]
        changes: dict[str, Any] = {"recipient": Signer(recipient).raw} if recipient else {"kind": "FundingTransfer"}
        arguments = self.world.withdrawal(
            Signer(name), token, amount, nonce=nonce, deadline=deadline, co_signer=Signer(approver), **changes
        )
        message = (name, token, amount, recipient, 0, nonce, deadline)
        for name_of in approvals:
            self.approve(message, arguments, name_of, "trader_a" if forged else name_of, by_signature or forged)
        self.world.pass_time(seconds)
        self.both(
            lambda: self.twin.withdraw(
                name, token, amount, recipient, 0, nonce, deadline, 0, name, approver, "delegate_b"
            ),
            lambda: self.world.withdraw(arguments, sender=Signer("delegate_b")),
        )

    def check_guards(self, name: str) -> None:
        """The account's protection is the twin's."""
        known, guards = self.twin.state.accounts[name], self.custody.account_guards(self.address(name))
        assert (guards.frozen_until, guards.freeze_nonce) == (known.frozen_until, known.freezes)
        assert (guards.frozen_at, guards.allow_list_until) == (known.frozen_at, known.allow_list_until)

    def approve(
        self, message: Message, arguments: dict[str, Any], approver: str, signer: str, by_signature: bool
    ) -> None:
        """Approve by a signature, or by a call of the approver."""
        words = self.world.approval_words(arguments, Signer(approver), Signer(signer) if by_signature else None)
        sender = self.address("anyone" if by_signature else approver)
        self.both(
            lambda: self.twin.approve_withdrawal(message, approver, signer),
            lambda: self.custody.approve_withdrawal(*words, sender=sender),
        )

    # what protects an account

    @rule(name=TRADER, nonce=st.none() | st.integers(0, 2), signer=st.just("") | KEY)
    def freeze_account(self, name: str, nonce: int | None, signer: str) -> None:
        author = name if nonce is None else signer or name
        signature = Signer(author).sign(self.world.domain, "AccountFreeze", account=Signer(name).raw, nonce=nonce or 0)

        def call() -> None:
            if nonce is None:
                self.custody.freeze_account(sender=self.address(name))
            else:
                self.custody.freeze_account_signed(self.address(name), nonce, signature, sender=self.address("anyone"))

        self.both(lambda: self.twin.freeze_account(name, nonce, author), call)
        self.check_guards(name)

    @rule(name=TRADER, wait=st.booleans())
    def unfreeze_account(self, name: str, wait: bool) -> None:
        self.both(
            lambda: self.twin.unfreeze_account(name),
            lambda: self.custody.unfreeze_account(sender=self.address(name)),
        )
        self.check_guards(name)
        self.world.pass_time(self.world.windows.delay if wait else 0)

    @rule(name=TRADER, enabled=st.booleans(), wait=st.booleans())
    def set_allow_list(self, name: str, enabled: bool, wait: bool) -> None:
        self.both(
            lambda: self.twin.set_allow_list(name, enabled),
            lambda: self.custody.set_allow_list(enabled, sender=self.address(name)),
        )
        self.check_guards(name)
        self.world.pass_time(self.world.windows.delay if wait else 0)

    @rule(name=TRADER, recipient=KEY, allow=MOSTLY, wait=st.booleans())
    def change_allow_list(self, name: str, recipient: str, allow: bool, wait: bool) -> None:
        to, sender = self.address(recipient), self.address(name)
        if allow:
            self.both(
                lambda: self.twin.allow_recipient(name, recipient),
                lambda: self.custody.allow_recipient(to, sender=sender),
            )
        else:
            self.both(
                lambda: self.twin.disallow_recipient(name, recipient),
                lambda: self.custody.disallow_recipient(to, sender=sender),
            )
        self.check_guards(name)
        self.world.pass_time(self.world.windows.delay if wait else 0)

    @rule(name=KEY)
    def start_refusing_eth(self, name: str) -> None:
        self.twin.state.refuses.add(name)
        boa.env.set_code(self.address(name), REFUSING_CODE)

    @rule(name=KEY, recipient=KEY)
    def claim_eth(self, name: str, recipient: str) -> None:
        self.both(
            lambda: self.twin.claim_eth(name, recipient),
            lambda: self.custody.claim_eth(self.address(recipient), sender=self.address(name)),
        )

    # leaving

    @rule(name=TRADER, token=TOKENS, amount=AMOUNT, recipient=KEY)
    def request_withdraw(self, name: str, token: int, amount: int, recipient: str) -> None:
        address, units, to = self.world.token_address(token), amount * UNITS[token], self.address(recipient)
        self.both(
            lambda: self.twin.request_withdraw(name, token, amount, recipient),
            lambda: self.custody.request_withdraw(address, units, to, sender=self.address(name)),
        )

    @rule(name=TRADER, token=TOKENS)
    def cancel_withdraw_request(self, name: str, token: int) -> None:
        address = self.world.token_address(token)
        self.both(
            lambda: self.twin.cancel_withdraw_request(name, token),
            lambda: self.custody.cancel_withdraw_request(address, sender=self.address(name)),
        )

    @rule(name=TRADER, token=TOKENS, by_itself=st.booleans())
    def claim_withdraw(self, name: str, token: int, by_itself: bool) -> None:
        address, caller = self.world.token_address(token), name if by_itself else "anyone"
        self.both(
            lambda: self.twin.claim_withdraw(name, token, caller),
            lambda: self.custody.claim_withdraw(self.address(name), address, sender=self.address(caller)),
        )

    @rule(name=TRADER)
    def request_exit(self, name: str) -> None:
        self.both(lambda: self.twin.request_exit(name), lambda: self.custody.request_exit(sender=self.address(name)))

    @rule(name=TRADER)
    def cancel_exit(self, name: str) -> None:
        self.both(lambda: self.twin.cancel_exit(name), lambda: self.custody.cancel_exit(sender=self.address(name)))

    @rule(name=TRADER, token=TOKENS, caller=TRADER)
    def claim_exit(self, name: str, token: int, caller: str) -> None:
        address = self.world.token_address(token)
        self.both(
            lambda: self.twin.claim_exit(name, token, caller),
            lambda: self.custody.claim_exit(self.address(name), address, sender=self.address(caller)),
        )

    @rule(name=TRADER, token=TOKENS, amount=AMOUNT, recipient=KEY, by_itself=st.booleans())
    def leave_by_request(self, name: str, token: int, amount: int, recipient: str, by_itself: bool) -> None:
        self.request_withdraw(name, token, amount, recipient)
        self.world.pass_time(self.world.windows.delay)
        self.claim_withdraw(name, token, by_itself)

    @rule(name=TRADER, token=TOKENS, caller=TRADER, stay=st.booleans())
    def leave_by_exit(self, name: str, token: int, caller: str, stay: bool) -> None:
        self.request_exit(name)
        self.world.pass_time(self.world.windows.delay)
        self.claim_exit(name, token, caller)
        if stay:
            self.cancel_exit(name)

    # cancels and delegates

    @rule(name=TRADER, nonce=NONCE, signer=st.just("") | KEY)
    def cancel(self, name: str, nonce: int, signer: str) -> None:
        signer = signer or name
        signature = Signer(signer).sign(self.world.domain, "Cancel", account=Signer(name).raw, nonce=nonce)
        self.both(
            lambda: self.twin.cancel(name, nonce, signer),
            lambda: self.custody.cancel(self.address(name), nonce, signature, sender=self.address("anyone")),
        )

    @rule(
        name=TRADER,
        step=st.sampled_from((-1, 0, 1, 1, 1, 2, 2, 2**44)),
        signer=st.just("") | KEY,
        by_itself=st.booleans(),
    )
    def cancel_all(self, name: str, step: int, signer: str, by_itself: bool) -> None:
        signer, caller = signer or name, name if by_itself else "anyone"
        nonce = max(self.twin.state.accounts[name].lowest(self.world.now) + step, 0)
        signature = Signer(signer).sign(self.world.domain, "CancelAll", account=Signer(name).raw, min_nonce=nonce)
        self.both(
            lambda: self.twin.cancel_all(name, nonce, signer, caller),
            lambda: self.custody.cancel_all(self.address(name), nonce, signature, sender=self.address(caller)),
        )

    @rule(
        name=TRADER,
        delegate=KEY,
        markets=st.sampled_from((2, 4, 6, 6)),
        seconds=st.sampled_from((0, 100, 50_000)),
        nonce=DELEGATION_NONCE,
        signer=st.just("") | KEY,
    )
    def add_delegate(
        self, name: str, delegate: str, markets: int, seconds: int, nonce: int | None, signer: str
    ) -> None:
        expiry = self.world.now + seconds
        author = name if nonce is None else signer or name
        signature = Signer(author).sign(
            self.world.domain,
            "Delegation",
            account=Signer(name).raw,
            delegate=Signer(delegate).raw,
            markets=markets,
            expiry=expiry,
            nonce=nonce or 0,
        )

        def call() -> None:
            to = self.address(delegate)
            if nonce is None:
                self.custody.add_delegate(to, markets, expiry, sender=self.address(name))
            else:
                self.custody.add_delegate_signed(
                    self.address(name), to, markets, expiry, nonce, signature, sender=self.address("anyone")
                )

        self.both(lambda: self.twin.add_delegate(name, delegate, markets, expiry, nonce, author), call)

    @rule(name=TRADER, delegate=KEY, nonce=DELEGATION_NONCE, signer=st.just("") | KEY)
    def revoke_delegate(self, name: str, delegate: str, nonce: int | None, signer: str) -> None:
        author = name if nonce is None else signer or name
        signature = Signer(author).sign(
            self.world.domain, "Revocation", account=Signer(name).raw, delegate=Signer(delegate).raw, nonce=nonce or 0
        )

        def call() -> None:
            to = self.address(delegate)
            if nonce is None:
                self.custody.revoke_delegate(to, sender=self.address(name))
            else:
                self.custody.revoke_delegate_signed(
                    self.address(name), to, nonce, signature, sender=self.address("anyone")
                )

        self.both(lambda: self.twin.revoke_delegate(name, delegate, nonce, author), call)

    # settlement

    @rule(data=st.data(), count=st.integers(0, 2), honest=MOSTLY)
    def settle(self, data: st.DataObject, count: int, honest: bool) -> None:
        rows = [row for _ in range(count) for row in self.draw_match(data)]
        if rows and not honest:
            rows.pop(data.draw(st.integers(0, len(rows) - 1)))
        self.settle_rows(rows)

    def settle_rows(self, rows: list[Row]) -> None:
        """Settle as whoever is the operator."""
        operator = self.twin.state.roles["operator"]
        words, proofs = pack([self.execution(row) for row in rows])
        head, seq = self.custody.journal_head(), self.custody.batch_seq() + 1
        arguments = (seq, head, seq.to_bytes(32), words, proofs)
        self.both(
            lambda: self.twin.settle(operator or "nobody", rows),
            lambda: self.custody.settle(*arguments, sender=self.address(operator or "nobody")),
        )

    @rule(sides=st.permutations(TRADERS), market=st.sampled_from((1, 2)), lots=st.integers(1, 60), once=st.booleans())
    def settle_a_fresh_match(self, sides: list[str], market: int, lots: int, once: bool) -> None:
        """Nonces that no other rule uses, so that most of these settle."""
        self.fresh += 1
        nonce = single(self.fresh) if once else self.fresh
        fields = {"price": PRICE, "quantity": 60, "max_fee_bps": 10, "expiry": self.world.now + 90, "nonce": nonce}
        rows = []
        for name, side in zip(sides, (Side.buy, Side.sell), strict=False):
            order = self.world.order(Signer(name), side, market=market, **fields)
            rows.append(Row(name, order, name, False, lots, lots * PRICE, lots * PRICE // 1_000))
        self.settle_rows(rows)

    @rule(
        sides=st.permutations(TRADERS),
        nonce=st.integers(50, 53),
        quantity=st.sampled_from((1, 3, 60)),
        lots=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    )
    def settle_orders_of_a_few_nonces(self, sides: list[str], nonce: int, quantity: int, lots: list[int]) -> None:
        """Orders of several quantities share these nonces, and each batch fills them in one part or in several."""
        fields = {"price": PRICE, "quantity": quantity, "max_fee_bps": 10, "expiry": self.world.now + 90}
        rows = []
        for name, side in zip(sides, (Side.buy, Side.sell), strict=False):
            order = self.world.order(Signer(name), side, nonce=nonce, **fields)
            rows += [Row(name, order, name, False, part, part * PRICE, 0) for part in lots]
        self.settle_rows(rows)
        for name in sides[:2]:
            known = self.twin.state.accounts[name]
            expected = 2**64 - 1 if nonce in known.closed else known.filled[nonce]
            assert self.custody.filled(self.address(name), nonce) == expected

    def draw_match(self, data: st.DataObject) -> list[Row]:
        """A buyer and a seller who meet, each by its own key or a delegate's, mostly within its limits."""
        buyer, seller = data.draw(TRADER), data.draw(TRADER)
        market, lots = data.draw(st.sampled_from((1, 2))), data.draw(st.integers(1, 40))
        quote = lots * PRICE + data.draw(st.sampled_from((*[0] * 10, -1, 1)))
        rows = []
        for name, side in ((buyer, Side.buy), (seller, Side.sell)):
            signer = data.draw(st.sampled_from((*[name] * 8, "delegate_a")))
            seconds = data.draw(st.sampled_from((0, *[90] * 10, 31 * 86_400)))
            fields = {"price": PRICE, "quantity": 60, "max_fee_bps": 10, "expiry": self.world.now + seconds}
            order = self.world.order(Signer(name), side, market=market, nonce=data.draw(NONCE), **fields)
            fee = data.draw(st.integers(0, 3))
            bulk = data.draw(st.sampled_from((0, 0, 2, 5)))
            rows.append(Row(name, order, signer, signer != name, lots, quote, fee, bulk))
        return rows

    def execution(self, row: Row) -> Execution:
        """The row as it goes to the contract."""
        scheme = Scheme.delegate if row.delegated else Scheme.account
        signer = Signer(row.signer)
        if row.bulk:
            others = [replace(row.order, nonce=10**6 + n) for n in range(1, row.bulk)]
            tree = Tree([*others, row.order])
            blob = tree.signatures(signer.key.sign(tree.digest(self.world.domain)))[-1]
            return Execution(row.order, int(scheme | Scheme.bulk), blob, row.lots, row.quote, row.fee)
        return self.world.execution(signer, row.order, row.lots, row.quote, row.fee, scheme=scheme)

    # running

    @rule(seconds=st.sampled_from((1, 30, 60, 120, 600, 1_000)))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(hours=st.sampled_from((1, 1, 49)), freeze=st.sampled_from((False, False, True)))
    def the_operator_is_silent(self, hours: int, freeze: bool) -> None:
        self.world.pass_time(hours * 3_600)
        if freeze:
            self.freeze()

    def freeze(self) -> None:
        self.both(self.twin.freeze, lambda: self.custody.freeze(sender=self.address("anyone")))

    @rule(caller=CALLER)
    def heartbeat(self, caller: str) -> None:
        caller = self.resolve(caller, "operator")
        self.both(lambda: self.twin.heartbeat(caller), lambda: self.custody.heartbeat(sender=self.address(caller)))

    @rule(caller=CALLER, duration=st.integers(0, 31))
    def pause(self, caller: str, duration: int) -> None:
        caller = self.resolve(caller, "guardian")
        self.both(
            lambda: self.twin.pause(caller, duration),
            lambda: self.custody.pause(duration, sender=self.address(caller)),
        )

    @rule(caller=CALLER)
    def unpause(self, caller: str) -> None:
        caller = self.resolve(caller, "guardian")
        self.both(lambda: self.twin.unpause(caller), lambda: self.custody.unpause(sender=self.address(caller)))

    @rule(caller=CALLER)
    def remove_operator(self, caller: str) -> None:
        caller = self.resolve(caller, "guardian")
        self.both(
            lambda: self.twin.remove_operator(caller),
            lambda: self.custody.remove_operator(sender=self.address(caller)),
        )

    @rule()
    def launch_again(self) -> None:
        with reverts("launch: done before"):
            self.custody.launch(sender=self.address(self.twin.state.roles["owner"]))

    # owner

    @rule(role=ROLE, holder=HOLDER, caller=CALLER, scheduled=MOSTLY)
    def set_role(self, role: str, holder: str, caller: str, scheduled: bool) -> None:
        def effect(state: State) -> None:
            others = {"operator": "standby_operator", "standby_operator": "operator"}
            if role in others and state.roles[others[role]] == holder:
                raise Refused("roles: standby operates")
            if role != "guardian" and holder in state.approvers:
                raise Refused("roles: approver operates")
            state.roles[role] = holder

        self.operate(caller, f"set_{role}", (self.address(holder),), effect, scheduled)

    @rule(holder=st.sampled_from(("fee_account", "trader_a")), caller=CALLER, scheduled=MOSTLY)
    def set_fee_account(self, holder: str, caller: str, scheduled: bool) -> None:
        def effect(state: State) -> None:
            state.roles["fee_account"] = holder

        self.operate(caller, "set_fee_account", (self.address(holder),), effect, scheduled)

    @rule(holder=st.sampled_from(("co_signer", "next_c", "approver_a")), caller=CALLER, scheduled=MOSTLY)
    def set_co_signer(self, holder: str, caller: str, scheduled: bool) -> None:
        def effect(state: State) -> None:
            if holder in state.approvers:
                raise Refused("roles: approver operates")
            state.roles["co_signer"] = holder

        self.operate(caller, "set_co_signer", (self.address(holder),), effect, scheduled)

    @rule(holder=st.sampled_from(("owner", "next_a")), caller=CALLER, scheduled=MOSTLY)
    def propose_owner(self, holder: str, caller: str, scheduled: bool) -> None:
        def effect(state: State) -> None:
            state.pending_owner = holder

        self.operate(caller, "propose_owner", (self.address(holder),), effect, scheduled)

    @rule(caller=st.sampled_from(("owner", "next_a", "trader_a")))
    def accept_owner(self, caller: str) -> None:
        self.both(
            lambda: self.twin.accept_owner(caller), lambda: self.custody.accept_owner(sender=self.address(caller))
        )

    @rule(token=TOKENS, is_open=st.booleans(), caller=CALLER, scheduled=MOSTLY)
    def set_token_status(self, token: int, is_open: bool, caller: str, scheduled: bool) -> None:
        def effect(state: State) -> None:
            state.deposits_open[token] = is_open

        self.operate(caller, "set_token_status", (token, is_open), effect, scheduled)

    @rule(token=st.sampled_from((0, 1, 2)), limit=st.sampled_from((0, 10_000, 30_000)), caller=CALLER, scheduled=MOSTLY)
    def set_outflow_limit(self, token: int, limit: int, caller: str, scheduled: bool) -> None:
        effect = partial(self.twin.set_outflow_limit, token=token, limit=limit)
        self.operate(caller, "set_outflow_limit", (token, limit), effect, scheduled)

    @rule(approver=st.sampled_from(NAMED), approved=st.booleans(), caller=CALLER)
    def set_approver(self, approver: str, approved: bool, caller: str) -> None:
        effect = partial(self.twin.set_approver, approver=approver, approved=approved)
        self.operate(caller, "set_approver", (self.address(approver), approved), effect, True)
        assert set(self.custody.approvers()) == {self.address(name) for name in self.twin.state.approvers}

    @rule(threshold=st.integers(0, 4), caller=CALLER)
    def set_approval_threshold(self, threshold: int, caller: str) -> None:
        effect = partial(self.twin.set_approval_threshold, threshold=threshold)
        self.operate(caller, "set_approval_threshold", (threshold,), effect, True)

    @rule(market=st.sampled_from((1, 2)), halt=st.booleans(), caller=CALLER)
    def set_market_status(self, market: int, halt: bool, caller: str) -> None:
        def effect(state: State) -> None:
            if halt and state.halted_at[market]:
                raise Refused("market: halted before")
            state.halted_at[market] = self.world.now + self.world.windows.delay if halt else 0

        self.operate(caller, "set_market_status", (market, halt), effect, True)

    @rule(caller=CALLER, lot=st.integers(0, 2))
    def list_again(self, caller: str, lot: int) -> None:
        def market(state: State) -> None:
            raise Refused("market: listed before" if lot else "market: lot out of range")

        def token(state: State) -> None:
            raise Refused("token: listed before")

        self.operate(caller, "list_market", (*PAIRS[1], lot), market, True)
        self.operate(caller, "list_token", (self.world.token_address(0), 1, 6), token, True)

    @rule(caller=CALLER)
    def unschedule(self, caller: str) -> None:
        caller = self.resolve(caller, "owner")
        operation = self.world.operation_hash("set_operator", self.address("next_a"))
        self.both(
            lambda: self.twin.schedule(caller, operation.hex(), None),
            lambda: self.custody.unschedule(operation, sender=self.address(caller)),
        )

    def operate(
        self, caller: str, function: str, arguments: tuple[Any, ...], effect: Callable[[State], None], scheduled: bool
    ) -> None:
        """An owner's call, after its announcement and the timelock or without."""
        caller = self.resolve(caller, "owner")
        operation = self.world.operation_hash(function, *arguments)
        if scheduled:
            ready_at = self.world.now + self.world.windows.timelock
            self.both(
                lambda: self.twin.schedule(caller, operation.hex(), ready_at),
                lambda: self.custody.schedule(operation, sender=self.address(caller)),
            )
            self.world.pass_time(self.world.windows.timelock)
        self.both(
            lambda: self.twin.operate(caller, operation.hex(), effect),
            lambda: getattr(self.custody, function)(*arguments, sender=self.address(caller)),
        )

    # what always holds

    @invariant()
    def ledgers_are_equal(self) -> None:
        """Every balance is the twin's."""
        for name in (*KEYS, "fee_account"):
            for token in range(4):
                assert self.storage.trading(self.address(name), token) == self.twin.state.trading[name, token]
                assert self.storage.funding(self.address(name), token) == self.twin.state.funding[name, token]

    @invariant()
    def l1_l2_liabilities_are_the_sum_and_covered(self) -> None:
        held = self.measure()
        for token in range(4):
            total = sum(
                amount
                for book in (self.twin.state.trading, self.twin.state.funding)
                for (_, its_token), amount in book.items()
                if its_token == token
            )
            assert held[token][0] == total == self.twin.state.total[token]
            assert held[token][1] >= total * UNITS[token]

    @invariant()
    def l3_the_total_moves_only_with_tokens(self) -> None:
        now = self.measure()
        for token, ((total, held), (total_before, held_before)) in enumerate(zip(now, self.totals, strict=True)):
            assert (total - total_before) * UNITS[token] == held - held_before
        self.totals = now

    @invariant()
    def x1_everything_paid_arrived_or_waits(self) -> None:
        for name in KEYS:
            assert self.storage.refused_eth(self.address(name)) == self.twin.state.refused.get(name, 0)
            for token in range(4):
                paid = self.twin.state.paid.get((name, token), 0) * UNITS[token]
                assert self.wallet(name, token) == self.outside[name, token] + paid

    @invariant()
    def n1_levels_are_the_twins(self) -> None:
        """One token after each step."""
        self.twin.now = self.world.now
        token = self.world.now % 3
        state = self.custody.outflow_state(token)
        assert state.limit == self.twin.state.limits[token]
        assert state.level == -(-self.twin.level(token) // 86_400)

    @invariant()
    def n2_the_threshold_is_within_the_approvers(self) -> None:
        threshold = self.custody.approval_threshold()
        assert threshold == self.twin.state.threshold <= len(self.twin.state.approvers)
        assert threshold or not any(self.twin.state.limits.values())

    @invariant()
    def b1_the_batch_number_counts_batches(self) -> None:
        assert self.storage.batch_seq() == self.twin.state.seq
        assert self.storage.frozen() == self.twin.state.frozen
        STEPS.count += 1


# What settlement depends on. Among all the other rules too few batches are drawn.
SETTLING = {
    "settle", "settle_a_fresh_match", "settle_orders_of_a_few_nonces", "cancel", "cancel_all", "add_delegate",
    "revoke_delegate", "deposit", "time_passes", "request_exit", "cancel_exit",
    "freeze_account", "unfreeze_account",
}  # fmt: skip
OTHERS = {name for name, member in vars(CustodyMachine).items() if hasattr(member, RULE_MARKER)} - SETTLING


class SettlementMachine(CustodyMachine):
    """The same machine with the rules that settlement depends on."""


for _name in OTHERS:
    setattr(SettlementMachine, _name, None)


def run(machine: type[CustodyMachine], examples: int, steps: int) -> None:
    """Run a machine."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_custody_equals_its_twin() -> None:
    run(CustodyMachine, 6, 40)


def test_settlement_equals_its_twin() -> None:
    run(SettlementMachine, 12, 50)


def shard(machine: type[CustodyMachine], seed: int, steps: int) -> int:
    """In a process of its own: run a machine until it has made so many steps; how many they were."""
    launch()
    STEPS.count = 0
    while STEPS.count < steps:
        machine._hypothesis_internal_use_seed = seed
        run(machine, 20, 80)
        seed += 1
    return STEPS.count


@pytest.mark.deep
def test_custody_equals_its_twin_for_200_000_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """Both machines, in as many processes as there are processors; each shard has seeds of its own."""
    shards = 20
    machines = [(CustodyMachine, SettlementMachine)[i % 2] for i in range(shards)]
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        counts = list(pool.map(shard, machines, range(0, shards * 10_000, 10_000), [DEEP_STEPS // shards] * shards))
    with capsys.disabled():
        print(f"\ncustody machine: {sum(counts)} steps in {shards} shards")  # noqa: T201
    assert sum(counts) >= DEEP_STEPS


def test_the_machine_calls_every_function() -> None:
    """Every state-changing function of the ABI is called by a rule."""
    import inspect

    from bizzan.contracts import exported_abi

    text = inspect.getsource(CustodyMachine) + inspect.getsource(World)
    for entry in exported_abi("Custody"):
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure"):
            name = str(entry["name"])
            assert f"custody.{name}" in text or f'"{name}"' in text or name.removeprefix("set_") in text, name
