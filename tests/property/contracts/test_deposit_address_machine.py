"""A stateful machine over the deposit addresses, beside a Python twin of all money around them.

C1: what was sent to an address lies there, was credited to its account in trading, or went where that account
said. C2: nobody but the account decides anything but when it is swept. C3: an address keeps no
allowance. Every call does in the contract what it does in the twin, or reverts with the twin's reason.
"""

from collections import Counter
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.utils.contracts import ETHER, UNITS, World, reverts
from tests.utils.signing import Signer

ACCOUNTS = ("account_a", "account_b", "account_c")
ACCOUNT = st.sampled_from(ACCOUNTS)
CALLER = st.sampled_from((*ACCOUNTS, "operator", "owner", "stranger"))
RECIPIENT = st.sampled_from(("recipient_a", "recipient_b", ""))
TOKEN = st.integers(0, 3)
# in sixteenths of a ledger unit, where a token has them
AMOUNT = st.sampled_from((1, 15, 16, 17, 160, 16_000_001))
PARTS = 16
LAUNCHED: list[tuple[World, Any]] = []


@pytest.fixture(scope="module", autouse=True)
def _launch() -> None:
    """One exchange for all runs; each run rolls back to it."""
    world = World()
    LAUNCHED[:] = [(world, world.deploy_deposit_addresses())]


class DepositAddressMachine(RuleBasedStateMachine):
    """The twin is four tables of token units: at the addresses, in trading, recovered, and sent in all."""

    @initialize()
    def start(self) -> None:
        self.world, self.factory = LAUNCHED[0]
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.addresses = {name: str(self.factory.address_of(Signer(name).address)) for name in ACCOUNTS}
        self.lying: Counter[tuple[str, int]] = Counter()
        self.trading: Counter[tuple[str, int]] = Counter()
        self.recovered: Counter[tuple[str, int]] = Counter()
        self.sent: Counter[int] = Counter()
        self.closed: set[int] = set()
        self.paused_until = 0
        self.frozen = False

    def teardown(self) -> None:
        self.anchor.__exit__(None, None, None)

    # money

    @rule(name=ACCOUNT, token=TOKEN, amount=AMOUNT)
    def send(self, name: str, token: int, amount: int) -> None:
        """A plain transfer from outside."""
        units = max(1, amount * UNITS[token] // PARTS)
        sender = Signer("sender")
        self.world.fund(sender, token, -(-units // UNITS[token]))
        contract = self.world.tokens[token]
        if contract is None:
            boa.env.raw_call(self.addresses[name], sender=sender.address, value=units)
        else:
            contract.transfer(self.addresses[name], units, sender=sender.address)
        self.lying[name, token] += units
        self.sent[token] += units

    @rule(caller=CALLER, name=ACCOUNT, token=TOKEN)
    def sweep(self, caller: str, name: str, token: int) -> None:
        """By anybody."""
        account, sender = Signer(name).address, Signer(caller).address
        if reason := self.refusal(name, token):
            with reverts(reason):
                self.factory.sweep(account, token, sender=sender)
            return
        amount = self.lying[name, token] // UNITS[token]
        assert self.factory.sweep(account, token, sender=sender) == amount
        self.lying[name, token] -= amount * UNITS[token]
        self.trading[name, token] += amount

    def refusal(self, name: str, token: int) -> str | None:
        """Why a sweep is refused."""
        if self.lying[name, token] < UNITS[token]:
            return "sweep: nothing to sweep"
        if self.frozen:
            return "custody: frozen"
        if self.world.now < self.paused_until:
            return "custody: paused"
        return "token: deposits closed" if token in self.closed else None

    @rule(caller=CALLER, token=TOKEN, recipient=RECIPIENT)
    def recover(self, caller: str, token: int, recipient: str) -> None:
        """By anybody, of the own address."""
        to = Signer(recipient).address if recipient else "0x" + "00" * 20
        arguments = (self.world.token_address(token), to)
        units = self.lying[caller, token]
        reason = "recover: nothing to recover" if not units else None
        reason = reason if recipient else "recover: bad recipient"
        if reason is not None:
            with reverts(reason):
                self.factory.recover(*arguments, sender=Signer(caller).address)
            return
        assert self.factory.recover(*arguments, sender=Signer(caller).address) == units
        self.lying[caller, token] = 0
        self.recovered[recipient, token] += units

    # custody

    @rule(duration=st.integers(1, 30))
    def pause(self, duration: int) -> None:
        if self.frozen or self.world.now < self.world.custody.pause_ready_at():
            return
        self.world.custody.pause(duration, sender=self.world.guardian.address)
        self.paused_until = self.world.now + duration

    @rule(token=TOKEN, deposits_open=st.booleans())
    def set_token_status(self, token: int, deposits_open: bool) -> None:
        self.world.scheduled("set_token_status", token, deposits_open)
        (self.closed.discard if deposits_open else self.closed.add)(token)

    @rule(seconds=st.sampled_from((1, 20, 300, 300, 200_000)))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule()
    def freeze(self) -> None:
        custody = self.world.custody
        if not self.frozen and self.world.now > custody.last_seen() + self.world.windows.silence:
            custody.freeze(sender=self.world.keeper.address)
            self.frozen = True

    # invariants

    @invariant()
    def c1_money_lies_there_or_went_to_its_account(self) -> None:
        for token in range(4):
            for name in ACCOUNTS:
                assert self.world.wallet(self.addresses[name], token) == self.lying[name, token]
                assert self.world.trading(Signer(name), token) == self.trading[name, token]
            known = [self.lying, self.recovered]
            total = sum(table[key] for table in known for key in table if key[1] == token)
            total += sum(self.trading[name, token] for name in ACCOUNTS) * UNITS[token]
            assert total == self.sent[token]

    @invariant()
    def c2_nobody_else_gained(self) -> None:
        for token in range(4):
            assert self.world.custody.liabilities(token) == sum(self.trading[name, token] for name in ACCOUNTS)
            for name in ("recipient_a", "recipient_b"):
                assert self.world.wallet(Signer(name).address, token) == self.recovered[name, token]
            for contract in (self.factory.address, self.factory.implementation()):
                assert self.world.wallet(str(contract), token) == 0

    @invariant()
    def c3_an_address_keeps_no_allowance(self) -> None:
        for token in range(4):
            contract = self.world.tokens[token]
            if token == ETHER or contract is None:
                continue
            for address in self.addresses.values():
                assert contract.allowance(address, self.world.custody.address) == 0


def run(examples: int, steps: int) -> None:
    """Run the machine."""
    run_state_machine_as_test(
        DepositAddressMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_deposit_addresses_equal_their_twin() -> None:
    run(6, 30)


@pytest.mark.deep
def test_deposit_addresses_equal_their_twin_for_long() -> None:
    run(300, 80)
